"""A restored store: what may have been sent since the backup is never sent again blindly."""

from typing import Any

import pytest

from gateway.domain.carrier import Answer, ClaimKind, Milestone, Reason, Verdict
from gateway.domain.claim import Claim, ClaimState, Desk
from gateway.domain.decide import HELD_BACK, decide
from gateway.domain.doubt import Doubt, DoubtClaims, Outdate, Unread
from gateway.domain.due import LeaseDue
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Decision,
    Exceptional,
    ExceptionKind,
    Job,
    JobKind,
    Money,
    Outcome,
    Quote,
)
from gateway.domain.merchant import TopUp
from gateway.domain.parcel import Parcel
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Why
from tests.domain.claims import filed, lost
from tests.domain.stage import HOUR_MS, MERCHANT, MINUTE_MS, Stage

V = Verdict


def doubted(stage: Stage, *, after_ms: int = HOUR_MS) -> None:
    """A backup is taken now, and restored later."""
    taken_at = stage.now
    stage.wait(after_ms)
    stage.do(Doubt((stage.key,), stage.now, taken_at))


def safely(stage: Stage, command: Any) -> Any:
    """A command in safe mode."""
    return decide(stage.book, command, replace(stage.env, safe=True), stage.terms)


@pytest.mark.parametrize("channel", ["sf", "zto", "mute"])
@pytest.mark.parametrize("slot", [True, False], ids=["under way", "waiting"])
def test_what_was_to_be_sent_may_have_been(channel: str, slot: bool) -> None:
    stage = Stage(channel)
    stage.create(slot=slot)
    taken_at = stage.now
    doubted(stage)
    ic = stage.ic
    assert (ic.decision, ic.money) == (Decision.UNKNOWN, Money.HELD)
    assert ic.sent_at == taken_at  # a scan since the backup may be ours
    assert {attempt.outcome for attempt in stage.posts()} == {Outcome.LOST}
    assert stage.posts()[-1].started_ms == stage.env.machine_ms  # the bound counts from now
    job = stage.book.need(Job, f"submit/{ic.id}")
    assert job.gen == stage.posts()[-1].gen
    assert stage.book.need(Job, f"follow/{ic.id}").due_at <= stage.now
    sent = [w for w in stage.lease(JobKind.SUBMIT) if w.subject == ic.id]
    assert sent == []  # an hour later no carrier is asked to do it again


def test_a_carrier_that_knows_our_reference_may_be_asked_again_in_time() -> None:
    stage = Stage("zto")
    stage.create(slot=False)
    doubted(stage, after_ms=MINUTE_MS)
    assert [work.subject for work in stage.lease(JobKind.SUBMIT)] == [stage.key]
    stage.reply(V.DUPLICATE)
    assert stage.ic.decision is Decision.PROCESSING


def test_doubting_twice_is_doubting_once() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    taken_at, since = stage.now, stage.now + HOUR_MS
    stage.wait(HOUR_MS)
    for _ in range(2):
        stage.do(Doubt((stage.key,), since, taken_at))
    assert len(stage.posts()) == 1
    first = stage.ic.version
    stage.do(Doubt((stage.key,), since, taken_at))
    assert stage.ic.version == first


def test_a_return_that_began_before_the_restore_is_ours() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    stage.wait(MINUTE_MS)
    back = stage.scan(Milestone.RETURNING, stage.now)  # sent after the backup, and stopped
    stage.now -= MINUTE_MS
    doubted(stage)
    stage.look(None, back)
    assert (stage.ic.decision, stage.ic.money) == (Decision.ACCEPTED, Money.CAPTURED)


def test_what_nobody_had_is_sent_after_the_bound() -> None:
    stage = Stage("zto")
    stage.create(slot=False)
    doubted(stage, after_ms=MINUTE_MS)
    stage.look(V.ABSENT)
    assert stage.ic.decision == "UNKNOWN"  # it may still be on its way
    stage.wait(25 * MINUTE_MS)
    stage.look(V.ABSENT)
    assert stage.ic.decision == "QUEUED"
    assert stage.posts()[-1].outcome is Outcome.ABSENT


def test_a_late_reply_to_a_doubted_attempt_is_evidence() -> None:
    stage = Stage("sf")
    stage.create()
    work = stage.work
    doubted(stage, after_ms=1_000)
    stage.finish(Answer(V.ACCEPTED, reference="cus-1"), work)
    assert stage.ic.decision is Decision.ACCEPTED


def test_a_cancel_that_was_to_be_sent_may_have_been() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(V.RECEIVED)
    stage.withdraw()
    assert stage.ic.cancel == "ASKED"
    doubted(stage)
    assert stage.ic.cancel == "SENT"
    lost = [a for a in stage.book.of(Attempt, stage.key) if a.kind is AttemptKind.CANCEL]
    assert [attempt.outcome for attempt in lost] == [Outcome.LOST]
    again = [w for w in stage.lease(JobKind.WITHDRAW) if w.subject == stage.key]
    cancel = stage.adapter.cancel
    assert cancel is not None
    assert bool(again) is cancel.repeatable


def test_nothing_with_an_effect_is_leased_in_safe_mode() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    assert safely(stage, LeaseDue(tuple(JobKind), 100, {})) == []
    assert stage.ic.decision is Decision.QUEUED
    assert [work.kind for work in stage.lease(JobKind.SUBMIT)] == [JobKind.SUBMIT]


def test_nothing_is_spent_or_promised_in_safe_mode() -> None:
    stage = Stage("sf")
    stage.register()
    priced = stage.quote().quote
    assert priced is not None
    refused = Refusal(Why.SAFE_MODE)
    top_up = TopUp("platform", "more", MERCHANT, 1, "CNY", "bank-2", "treasury")
    for command in (top_up, stage.quoting(), stage.creating(priced.id)):
        assert type(command) in HELD_BACK
        assert safely(stage, command) == refused
    assert safely(stage, stage.registering()).id == stage.book.all(Parcel)[0].id


def test_prices_and_readings_of_before_are_taken_back() -> None:
    stage = Stage("sf")
    parcel = stage.register()
    priced = stage.quote().quote
    assert priced is not None
    stage.wait(1_000)
    stage.do(Outdate(quotes=(priced.id,), parcels=(parcel.id,)))
    assert stage.book.need(Quote, priced.id).expires_at <= stage.now
    assert stage.book.need(Parcel, parcel.id).read_at == 0
    refused = stage.do(stage.creating(priced.id))
    assert [refusal.why for refusal in refused.unmet] == [Why.QUOTE_EXPIRED]
    assert stage.do(stage.quoting()) == Refusal(Why.STATUS_PENDING)


def test_a_claim_that_may_have_been_filed_goes_to_a_person() -> None:
    for repeatable, desk, jobs in ((True, Desk.CARRIER, 1), (False, Desk.OPERATOR, 0)):
        stage = lost("zto")
        made = filed(stage, ClaimKind.LOST, 1_000)
        assert (made.state, made.desk) == (ClaimState.FILED, Desk.CARRIER)
        operation = stage.adapter.claim
        assert operation is not None
        adapter = replace(stage.adapter, claim=replace(operation, repeatable=repeatable))
        stage.terms = replace(stage.terms, adapters={**stage.terms.adapters, "zto": adapter})
        stage.do(DoubtClaims((made.id,)))
        assert stage.book.need(Claim, made.id).desk is desk
        assert len(stage.lease(JobKind.CLAIM)) == jobs


def test_what_is_let_go_unread_stays_open_until_evidence_settles_it() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    doubted(stage)
    stage.do(Unread((stage.key,), "the carrier is away"))
    [case] = stage.book.of(Exceptional, stage.key)
    assert (case.kind, case.closed_at) == (ExceptionKind.NO_EVIDENCE, None)
    assert "the carrier is away" in case.detail
    stage.look(None, stage.scan(Milestone.SIGNED, stage.now))
    [case] = stage.book.of(Exceptional, stage.key)
    assert case.closed_at is not None
    assert stage.ic.reason == Reason.DELIVERED.upper()
