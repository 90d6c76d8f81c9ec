"""What a carrier decides on a request to intercept or to cancel. Pure: it changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.outcomes import RETURNING_OUTCOMES, Outcome, Params, Reason
from simulator.world import (
    HOUR_MS,
    MINUTE_MS,
    Event,
    Interception,
    Mark,
    Parcel,
    Status,
    Window,
    astray,
    course,
    status,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to intercept, as the carrier understood it."""

    reference: str
    external_no: str
    business_no: str
    attempt: int
    now_ms: int
    window: Window
    decides_at_once: bool  # the carrier's answer is its promise


def obstacle(
    marks: Sequence[Mark], journal: Sequence[Interception], ask: Ask, cancelled: bool
) -> Reason | None:
    """The physical fact that forbids an interception now, whatever a script wishes."""
    stand = status(marks, ask.now_ms)
    if cancelled or stand is Status.NOT_PICKED_UP:
        return Reason.NOT_PICKED_UP
    for entry in journal:
        if entry.live(ask.now_ms):
            return Reason.ALREADY_INTERCEPTED
        if entry.addressee_refused_ms is not None:
            return Reason.RETURN_LEG
    if stand in (Status.RETURNING, Status.ENDED):
        return Reason.RETURN_LEG
    if stand is Status.DELIVERED:
        return Reason.ALREADY_DELIVERED
    if stand is Status.OUT_FOR_DELIVERY and ask.window is Window.UNTIL_OUT_FOR_DELIVERY:
        return Reason.TOO_LATE
    return None


def refused(ask: Ask, reason: Reason, outcome: Outcome | None = None) -> Interception:
    return Interception(
        ask.reference,
        ask.business_no,
        ask.external_no,
        ask.attempt,
        ask.now_ms,
        outcome,
        refused_ms=ask.now_ms,
        reason=reason,
        effects=0,
    )


def decide(
    parcel: Parcel, journal: Sequence[Interception], ask: Ask, outcome: Outcome, params: Params
) -> tuple[Interception, ...]:
    """What the journal gains by this request: usually one entry; none of them is ever undecided."""
    marks = course(parcel, journal)
    reason = obstacle(marks, journal, ask, parcel.order_cancelled_ms is not None)
    if reason is not None:
        return (refused(ask, reason),)
    signed_ms = next((mark.at_ms for mark in marks if mark.event is Event.SIGNED), None)
    entry = Interception(
        ask.reference,
        ask.business_no,
        ask.external_no,
        ask.attempt,
        ask.now_ms,
        outcome,
        params,
        receipt_only=not ask.decides_at_once,
    )
    match outcome:
        case Outcome.REFUSED | Outcome.REFUSED_UNLISTED:
            return (_refusal(entry, ask),)
        case Outcome.BUYER_REFUSED:
            return (_buyer_refused(entry, signed_ms),)
        case Outcome.INTERCEPTED_BY_OTHER:
            return _second(entry, ask, marks)
        case _:
            return (_acceptance(entry, ask, signed_ms),)


def _refusal(entry: Interception, ask: Ask) -> Interception:
    params = entry.params
    reason = Reason.UNLISTED
    if entry.outcome is Outcome.REFUSED:
        reason = Reason(params.text("code", Reason.TOO_LATE))
    later = params.text("when", "reply") == "later" and not ask.decides_at_once
    delay_ms = params.number("after_ms", 2 * MINUTE_MS) if later else 0
    return replace(
        entry,
        receipt_only=later,
        refused_ms=entry.asked_ms + delay_ms,
        reason=reason,
        effects=0,
    )


def _buyer_refused(entry: Interception, signed_ms: int | None) -> Interception:
    refused_ms = entry.asked_ms + entry.params.number("after_ms", 20 * MINUTE_MS)
    if signed_ms is not None:
        refused_ms = max(entry.asked_ms, min(refused_ms, signed_ms - 1))
    return replace(
        entry,
        receipt_only=True,
        effects=0,
        refused_ms=refused_ms,
        reason=Reason.RETURN_LEG,
        addressee_refused_ms=refused_ms,
        turned_ms=refused_ms + entry.params.number("turn_ms", HOUR_MS),
    )


def _second(entry: Interception, ask: Ask, marks: Sequence[Mark]) -> tuple[Interception, ...]:
    """Somebody else was here a little earlier, and after all that tracking has shown by now."""
    shown_ms = max(mark.at_ms for mark in marks if mark.at_ms <= ask.now_ms)
    started_ms = max(shown_ms, ask.now_ms - 10 * MINUTE_MS)
    other = Interception(
        "",
        f"{entry.business_no}X",
        "",
        0,
        started_ms,
        entry.outcome,
        entry.params,
        by_other=True,
        effects=0,
        accepted_ms=started_ms,
        turned_ms=started_ms,
    )
    return other, refused(ask, Reason.ALREADY_INTERCEPTED, entry.outcome)


def _acceptance(entry: Interception, ask: Ask, signed_ms: int | None) -> Interception:
    outcome, params, asked_ms = entry.outcome, entry.params, entry.asked_ms
    receipt_only = not ask.decides_at_once or outcome is Outcome.ACCEPTED_BY_PUSH
    delay_ms = 0
    if outcome is Outcome.ACCEPTED_BY_PUSH:
        delay_ms = params.number("after_ms", 30 * MINUTE_MS)
    elif outcome is Outcome.LATE_ACCEPT:
        delay_ms, receipt_only = params.number("after_ms", 2 * HOUR_MS), False
    elif receipt_only:
        delay_ms = params.number("after_ms", 2 * MINUTE_MS)
    entry = replace(entry, receipt_only=receipt_only)
    accepted_ms = asked_ms + delay_ms
    if outcome is Outcome.LATE_ACCEPT:
        reason = Reason(params.text("sync", Reason.TOO_LATE))
        entry = replace(entry, refused_ms=asked_ms, reason=reason)
    if signed_ms is not None and signed_ms <= accepted_ms:  # the buyer was faster
        refused_ms = entry.refused_ms if entry.refused_ms is not None else signed_ms
        reason = entry.reason or Reason.ALREADY_DELIVERED
        return replace(entry, refused_ms=refused_ms, reason=reason, effects=0)
    if outcome is Outcome.DELIVERED_ANYWAY:
        natural_ms = signed_ms if signed_ms is not None else accepted_ms
        delivered_ms = max(natural_ms, accepted_ms + params.number("deliver_ms", HOUR_MS))
        return replace(entry, accepted_ms=accepted_ms, delivered_ms=delivered_ms)
    assert outcome in RETURNING_OUTCOMES
    shown_at_once = outcome is Outcome.ACCEPTED_BY_PUSH and ask.decides_at_once
    turn_ms = params.number("turn_ms", 0 if shown_at_once else HOUR_MS)
    if outcome is Outcome.LOST_THEN_TURNED:
        turn_ms += astray(params)[1]
    return replace(entry, accepted_ms=accepted_ms, turned_ms=accepted_ms + turn_ms)


def cancellable(entry: Interception, marks: Sequence[Mark], now_ms: int) -> bool:
    """An instruction can be withdrawn until the parcel has been turned, lost or delivered."""
    if not entry.live(now_ms):
        return False
    if any(mark.event is Event.LOST and mark.at_ms <= now_ms for mark in marks):
        return False  # found again it goes on as it was told
    stand = status(marks, now_ms)
    return stand not in (Status.RETURNING, Status.ENDED, Status.DELIVERED)


def cancel(entry: Interception, now_ms: int) -> Interception:
    """Withdrawn; what had not been decided by then never will be."""
    accepted_ms = entry.accepted_ms
    kept = accepted_ms if accepted_ms is not None and accepted_ms <= now_ms else None
    refused_ms = entry.refused_ms
    return replace(
        entry,
        cancelled_ms=now_ms,
        accepted_ms=kept,
        refused_ms=refused_ms if refused_ms is not None and refused_ms <= now_ms else None,
        addressee_refused_ms=None,
        turned_ms=None,
        delivered_ms=None,
    )
