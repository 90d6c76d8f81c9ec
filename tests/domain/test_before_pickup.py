"""Orders that were not picked up: cancelled by a verb of their own, or by the same one."""

import pytest

from gateway.domain.carrier import Answer, Milestone, Path, Reason, Status, Verdict
from gateway.domain.interception import Cancel, Decision, JobKind, Money, Movement
from gateway.domain.lifecycle import SEND_DELAYS_MS
from gateway.domain.quote import Quoted
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Why
from tests.domain.stage import HOUR_MS, MINUTE_MS, Stage, terms_of

CANCELLED = Answer(Verdict.ACCEPTED, path=Path.CANCELLED_BEFORE_PICKUP)


def ordered(channel: str = "sf") -> Stage:
    """An order that waits for its courier, with the request to stop it under way."""
    stage = Stage(channel)
    stage.register()
    quoted = stage.quote(Milestone.ORDERED)
    assert quoted.status is Status.NOT_PICKED_UP
    assert quoted.quote is not None
    created = stage.do(stage.creating(quoted.quote.id))
    stage.key, stage.work = created.interception.id, created.work
    return stage


def one_verb(channel: str = "zto") -> Stage:
    """A carrier whose interception cancels what it has not picked up."""
    stage = Stage(channel)
    adapter = stage.terms.adapters[channel]
    window = replace(adapter.window, value=adapter.window.value | {Status.NOT_PICKED_UP})
    able = replace(adapter, window=window, query=None)
    stage.terms = replace(stage.terms, adapters={**stage.terms.adapters, channel: able})
    return stage


def test_the_order_is_cancelled_and_nothing_was_shipped() -> None:
    stage = ordered()
    assert stage.work is not None
    assert stage.work.verb == "cancel_order"
    assert stage.work.order is not None
    assert stage.work.order.order_no == "order-1"
    ic = stage.finish(CANCELLED)
    assert (ic.decision, ic.movement) == (Decision.ACCEPTED, Movement.NOT_SHIPPED)
    assert (ic.path, ic.money) == (Path.CANCELLED_BEFORE_PICKUP, Money.CAPTURED)
    assert not ic.open


def test_what_was_picked_up_is_intercepted() -> None:
    stage = Stage("sf")
    stage.create()
    assert stage.work is not None
    assert stage.work.verb == "intercept"
    assert stage.ic.path == ""


def test_a_lost_answer_is_asked_for_again_and_no_refusal_of_the_repeat_is_believed() -> None:
    stage = ordered()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.wait(SEND_DELAYS_MS[0])
    assert stage.lease(JobKind.SUBMIT)
    assert stage.work is not None
    assert stage.work.verb == "cancel_order"
    ic = stage.reply(Verdict.REFUSED, Reason.ALREADY_CANCELLED)
    assert (ic.decision, ic.money) == (Decision.UNKNOWN, Money.HELD)


def test_a_first_refusal_gives_the_fee_back() -> None:
    ic = ordered().reply(Verdict.REFUSED, Reason.ALREADY_CANCELLED)
    assert (ic.decision, ic.money) == (Decision.REFUSED, Money.RELEASED)


def test_a_parcel_that_is_picked_up_all_the_same_was_not_cancelled() -> None:
    stage = ordered()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.wait(HOUR_MS)
    ic = stage.look(None, stage.scan(Milestone.PICKED_UP))
    assert (ic.decision, ic.reason, ic.money) == (Decision.REFUSED, "TOO_LATE", Money.RELEASED)


@pytest.mark.parametrize("first", [Verdict.REFUSED, Verdict.UNKNOWN])
def test_a_return_is_never_the_doing_of_a_cancelled_order(first: Verdict) -> None:
    """It was picked up after all, and comes back for a cause that nobody states."""
    stage = ordered()
    stage.reply(first)
    stage.wait(HOUR_MS)
    ic = stage.look(None, stage.scan(Milestone.PICKED_UP), stage.scan(Milestone.RETURNING))
    assert (ic.decision, ic.movement) == (Decision.REFUSED, Movement.NONE)
    assert ic.money is Money.RELEASED


def test_the_cancellation_of_an_order_is_not_withdrawn() -> None:
    stage = ordered()
    told = stage.withdraw()
    assert isinstance(told, Refusal)
    assert told.why is Why.CANCEL_NOT_OFFERED
    assert stage.ic.cancel is Cancel.NONE


@pytest.mark.parametrize("receipt", [Verdict.RECEIVED, Verdict.UNKNOWN])
def test_one_verb_tells_afterwards_which_it_was(receipt: Verdict) -> None:
    stage = one_verb()
    stage.create()
    assert stage.work is not None
    assert stage.work.verb == "intercept"
    stage.reply(receipt)
    stage.wait(MINUTE_MS)
    ic = stage.look(None, stage.scan(Milestone.CANCELLED))
    assert (ic.decision, ic.movement) == (Decision.ACCEPTED, Movement.NOT_SHIPPED)
    assert (ic.path, ic.money) == (Path.CANCELLED_BEFORE_PICKUP, Money.CAPTURED)


def test_an_order_that_was_cancelled_before_we_asked_is_not_ours() -> None:
    stage = one_verb()
    stage.create()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.wait(HOUR_MS)
    ic = stage.look(None, stage.scan(Milestone.CANCELLED, stage.now - 2 * HOUR_MS))
    assert (ic.decision, ic.reason) == (Decision.REFUSED, "RETURNED_OTHERWISE")


def test_a_cancelled_order_means_nothing_to_a_carrier_that_cannot_cancel_so() -> None:
    stage = Stage("sf")
    stage.create()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    ic = stage.look(None, stage.scan(Milestone.CANCELLED))
    assert (ic.decision, ic.reason) == (Decision.REFUSED, "RETURNED_OTHERWISE")


# -- asked beforehand --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "whys"),
    [
        (None, []),
        (Answer(Verdict.ACCEPTED), []),
        (Answer(Verdict.UNKNOWN), []),
        (Answer(Verdict.BUSY, Reason.RATE_LIMITED), []),
        (Answer(Verdict.REFUSED, Reason.NOT_ALLOWED), [Why.CARRIER_DECLINES]),
    ],
)
def test_only_a_no_of_the_carrier_stands_in_the_way(said: Answer | None, whys: list[Why]) -> None:
    stage = Stage("sf", terms_of())
    stage.register()
    read = Answer(Verdict.RECEIVED, scans=(stage.scan(Milestone.IN_TRANSIT, stage.now - 1),))
    quoted: Quoted = stage.do(stage.quoting(read=read, said=said))
    assert [refusal.why for refusal in quoted.unmet] == whys
    assert (quoted.quote is None) == bool(whys)
