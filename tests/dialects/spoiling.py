"""Ways in which one end of a carrier could be wrong, planted to see that the suite says so."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters import ADAPTERS
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Call,
    Cause,
    Credentials,
    Dedup,
    Milestone,
    Reason,
    Reply,
    Scan,
    Stamp,
    Tier,
    Verdict,
)
from gateway.domain.record import replace
from simulator.depot import Depot, Record
from simulator.dialect import Answer as Said
from simulator.dialect import Asked, Inbound
from simulator.outcomes import Operation as Name
from simulator.outcomes import Outcome
from tests.dialects import checks, pushing, story
from tests.dialects.bench import Bench, bench, operations
from tests.dialects.checks import Wrong, spoilt

V, M = Verdict, Milestone
Spoil = Callable[[Bench], None]
Check = Callable[[Callable[[], Bench]], Wrong]


# -- an adapter that is wrong ------------------------------------------------------------------


def answering(change: Callable[[Answer], Answer], *names: str) -> Spoil:
    """What these operations say is read as something else."""

    def spoil(made: Bench) -> None:
        for name in names or operations(made.adapter):
            operation = getattr(made.adapter, name)
            if operation is not None:
                decode = partial(_changed, operation.decode, change)
                made.adapter = replace(made.adapter, **{name: replace(operation, decode=decode)})

    return spoil


def _changed(
    decode: Callable[[Reply], Answer], change: Callable[[Answer], Answer], reply: Reply
) -> Answer:
    return change(decode(reply))


def scanning(change: Callable[[Scan], Scan]) -> Spoil:
    """Every scan, tracked or pushed, is read as something else."""

    def spoil(made: Bench) -> None:
        answering(lambda a: replace(a, scans=tuple(map(change, a.scans))))(made)
        push = made.adapter.push
        if push is not None:

            def decode(arrived: Any) -> Any:
                told = push.decode(arrived)
                return replace(told, scans=tuple(map(change, told.scans)))

            made.adapter = replace(made.adapter, push=replace(push, decode=decode))

    return spoil


def pushing_as(**changes: Any) -> Spoil:
    def spoil(made: Bench) -> None:
        if made.adapter.push is not None:
            made.adapter = replace(made.adapter, push=replace(made.adapter.push, **changes))

    return spoil


def one_key_for_all(made: Bench) -> None:
    push = made.adapter.push
    if push is not None:
        decode = push.decode
        pushing_as(decode=lambda arrived: replace(decode(arrived), event_key="1"))(made)


def accepts_by_rejecting(made: Bench) -> None:
    push = made.adapter.push
    if push is not None:
        pushing_as(accept=lambda arrived: push.reject(arrived, "no"))(made)


def rejects_by_accepting(made: Bench) -> None:
    push = made.adapter.push
    if push is not None:
        pushing_as(reject=lambda arrived, _: push.accept(arrived))(made)


def wrong_signature(made: Bench) -> None:
    sign = made.adapter.sign

    def signed(call: Call, credentials: Credentials, stamp: Stamp) -> Call:
        if made.adapter.token is not None and "access_token" not in credentials:
            return sign(call, credentials, stamp)
        names = (*made.adapter.credentials, "access_token")
        wrong = {name: spoilt(credentials[name]) for name in names if name in credentials}
        return sign(call, {**credentials, **wrong}, stamp)

    made.adapter = replace(made.adapter, sign=signed)


def signed_before_it_was_changed(made: Bench) -> None:
    """What leaves is not what was signed."""
    sign = made.adapter.sign

    def signed(call: Call, credentials: Credentials, stamp: Stamp) -> Call:
        sent = sign(call, credentials, stamp)
        body = sent.body.replace(b"+", b" ").replace("甲".encode(), "乙".encode())
        return replace(sent, body=body.replace(b"%E7%94%B2", b"%E4%B9%99"))

    made.adapter = replace(made.adapter, sign=signed)


def drops_stars(made: Bench) -> None:
    """Text is made harmless instead of being carried."""
    sign = made.adapter.sign

    def signed(call: Call, credentials: Credentials, stamp: Stamp) -> Call:
        return sign(replace(call, body=call.body.replace(b"*", b"")), credentials, stamp)

    made.adapter = replace(made.adapter, sign=signed)


# -- a carrier that is wrong -------------------------------------------------------------------


def believes_all(made: Bench) -> None:
    """It reads whatever comes, whoever signed it."""
    read, known = made.dialect.read, []

    def believing(inbound: Inbound, depot: Depot) -> Asked | Said:
        taken = read(inbound, depot)
        if isinstance(taken, Asked):
            known.append(taken)
            return taken
        return dataclasses.replace(known[-1], message={"changed": "1"}) if known else taken

    made.dialect = dataclasses.replace(made.dialect, read=believing)


def reaches_everybodys(made: Bench) -> None:
    depot = made.depot

    def find(account: Any, waybill: str, network: str = "") -> Record | None:
        return next((r for r in depot.records.values() if r.parcel.waybill == waybill), None)

    def find_order(account: Any, order_id: str) -> Record | None:
        return next(iter(depot.records.values()), None)

    depot.find = find  # type: ignore[method-assign]
    depot.find_order = find_order  # type: ignore[method-assign]


def performing(change: Callable[[Asked], Asked], operation: Name = Name.INTERCEPT) -> Spoil:
    def spoil(made: Bench) -> None:
        perform = made.dialect.perform

        def performed(asked: Asked, depot: Depot, now_ms: int) -> Said:
            changed = change(asked) if asked.operation is operation else asked
            return perform(changed, depot, now_ms)

        made.dialect = dataclasses.replace(made.dialect, perform=performed)

    return spoil


# -- what each of them must be found by -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    spoil: Spoil
    check: Check
    fits: Callable[[Adapter], bool] = lambda adapter: True


def _of(check: Callable[..., Wrong], *rest: Any) -> Check:
    return lambda make: check(make, *rest)


def is_(verdict: str) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, verdict=Verdict(verdict))


def _where(old: Verdict, **new: Any) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, **new) if answer.verdict is old else answer


def _seen_as(old: Milestone, new: Milestone) -> Callable[[Scan], Scan]:
    return lambda scan: replace(scan, milestone=new) if scan.milestone is old else scan


def _later(scan: Scan) -> Scan:
    return replace(scan, at_ms=None if scan.at_ms is None else scan.at_ms + 8 * 3_600_000)


def _unlisted(answer: Answer) -> Answer:
    if answer.verdict is not V.REFUSED:
        return answer
    return replace(answer, reason=Reason.UNLISTED, code=f"{answer.code}-nowhere")


def _forgetful(answer: Answer) -> Answer:
    return replace(answer, waybill="", scans=())


def pushes_(adapter: Adapter) -> bool:
    return adapter.push is not None


def tracks(adapter: Adapter) -> bool:
    return adapter.track is not None


def life(outcome: Outcome) -> Check:
    return _of(story.a_life_is_seen_as_it_was, outcome)


FAULTS = (
    Fault(
        "wrong signature", wrong_signature, _of(checks.every_operation_is_understood, "intercept")
    ),
    Fault(
        "everything is received",
        answering(lambda _: Answer(V.RECEIVED)),
        _of(checks.nobodys_parcel_is_never_a_success, "intercept"),
    ),
    Fault(
        "another's parcel is reached",
        reaches_everybodys,
        _of(checks.anothers_parcel_is_nobodys, "intercept"),
    ),
    Fault(
        "a refused signature is laid to the parcel",
        answering(_where(V.BUSY, verdict=V.REFUSED)),
        _of(checks.a_wrong_secret_is_refused, "intercept"),
    ),
    Fault(
        "whatever comes is read", believes_all, _of(checks.a_wrong_secret_is_refused, "intercept")
    ),
    Fault(
        "whatever body comes is read",
        believes_all,
        checks.a_changed_byte_is_refused,
        lambda adapter: checks.covers_body(bench(adapter.name)),
    ),
    Fault(
        "an ended token is refused for ever",
        answering(_where(V.BUSY, verdict=V.REFUSED)),
        checks.a_token_is_fetched_and_ends,
        lambda adapter: adapter.token is not None,
    ),
    Fault(
        "every answer is a promise",
        answering(is_(V.ACCEPTED), "intercept", "query"),
        life(Outcome.REFUSED),
    ),
    Fault(
        "a loss is not seen",
        scanning(_seen_as(M.LOST, M.OTHER)),
        life(Outcome.LOST),
        lambda adapter: tracks(adapter) or pushes_scans(adapter),
    ),
    Fault(
        "a return is not seen",
        scanning(_seen_as(M.RETURNING, M.IN_TRANSIT)),
        life(Outcome.RETURNED),
        tracks,
    ),
    Fault(
        "a delivery is read as a return",
        scanning(_seen_as(M.SIGNED, M.RETURN_SIGNED)),
        life(Outcome.DELIVERED_ANYWAY),
        tracks,
    ),
    Fault("times are of another zone", scanning(_later), life(Outcome.RETURNED), tracks),
    Fault(
        "every return is ours",
        scanning(lambda scan: replace(scan, cause=Cause.INTERCEPTION)),
        life(Outcome.BUYER_REFUSED),
        tracks,
    ),
    Fault(
        "a new number is made up",
        scanning(lambda scan: replace(scan, return_waybill="9999999999999")),
        life(Outcome.LOST),
        tracks,
    ),
    Fault(
        "every cancel is done",
        answering(is_(V.CANCELLED), "cancel"),
        story.a_cancel_counts_until_the_parcel_is_turned,
        lambda adapter: adapter.cancel is not None,
    ),
    Fault(
        "every order is cancelled",
        answering(is_(V.ACCEPTED), "cancel_order"),
        story.an_order_is_cancelled_before_pick_up_only,
        lambda adapter: adapter.cancel_order is not None,
    ),
    Fault(
        "every parcel has a price",
        answering(is_(V.RECEIVED), "quote"),
        story.a_price_is_told_only_where_the_carrier_would,
        lambda adapter: adapter.quote is not None,
    ),
    Fault(
        "a grant is read in the wrong unit",
        answering(
            lambda a: a if a.grant_minor is None else replace(a, grant_minor=a.grant_minor * 100),
            "claim_query",
        ),
        _of(story.a_claim_is_decided_as_the_carrier_does, "grant"),
        lambda adapter: adapter.claim_query is not None,
    ),
    Fault(
        "the carrier does it again each time",
        performing(lambda asked: dataclasses.replace(asked, twice=True)),
        checks.the_same_again_has_one_effect,
        lambda adapter: adapter.dedup.value is not Dedup.NONE,
    ),
    Fault(
        "the fault of doing it twice is not honoured",
        performing(lambda asked: dataclasses.replace(asked, twice=False)),
        checks.what_is_done_twice_is_seen_twice,
    ),
    Fault(
        "every push is believed",
        pushing_as(verify=lambda push, credentials: Tier.T1),
        _of(pushing.what_may_be_believed, "json"),
        pushes_,
    ),
    Fault(
        "no push is believed",
        pushing_as(verify=lambda push, credentials: None),
        _of(pushing.both_ends_push_or_neither, set(Tier)),
        pushes_,
    ),
    Fault(
        "all pushes have one key", one_key_for_all, _of(pushing.every_push_is_read, "json"), pushes_
    ),
    Fault(
        "a pushed delivery is read as a return",
        scanning(_seen_as(M.SIGNED, M.RETURNING)),
        _of(pushing.every_push_is_read, "json"),
        lambda adapter: pushes_(adapter) and pushes_scans(adapter),
    ),
    Fault(
        "a push is acknowledged by a refusal",
        accepts_by_rejecting,
        _of(pushing.an_acknowledgement_is_one, "json"),
        pushes_,
    ),
    Fault(
        "a push is refused by an acknowledgement",
        rejects_by_accepting,
        _of(pushing.an_acknowledgement_is_one, "json"),
        pushes_,
    ),
    Fault(
        "a code is not in the table",
        answering(_unlisted),
        checks.every_code_is_listed,
    ),
    Fault(
        "every refusal has one reason",
        answering(_where(V.REFUSED, reason=Reason.TOO_LATE)),
        checks.each_refusal_has_its_reason,
    ),
    Fault(
        "a busy carrier has refused",
        answering(_where(V.BUSY, verdict=V.REFUSED)),
        _of(checks.busy_is_busy, "intercept"),
    ),
    Fault(
        "whose answer it is does not matter",
        answering(_forgetful),
        _of(checks.an_answer_about_another_parcel_is_discarded, "intercept"),
        lambda adapter: checks.can_stray(bench(adapter.name)),
    ),
)


def pushes_scans(adapter: Adapter) -> bool:
    """Whether its pushes tell of scans at all."""
    if adapter.push is None:
        return False
    made = bench(adapter.name)
    sent = pushing.messages(made)
    return any(pushing.port(made).decode(each.push).scans for each in sent)


TEXT_FAULTS = {
    "what leaves is not what was signed": (signed_before_it_was_changed, "甲 z"),
    "text is made harmless": (drops_stars, "a*b"),
}


def text_found(carrier: str, spoil: Spoil, text: str) -> list[str]:
    """What is said of this text in any place of a spoilt interception or claim."""
    made = bench(carrier, spoil)
    found: list[str] = []
    for name in operations(ADAPTERS[carrier]):
        for slot in checks.slots(made, name):
            found += checks.text_is_carried_or_refused(made, name, slot, text)
    return found
