"""The world keeps its promises for every outcome and every moment."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator import decisions, world
from simulator.decisions import Ask
from simulator.outcomes import Outcome, Params, Reason
from simulator.world import (
    HOUR_MS,
    Contact,
    Event,
    Journey,
    Parcel,
    ReturnNumber,
    Status,
    Window,
)

WHO = Contact("a", "13800001234", "p", "c", "d", "s")
PARCEL = Parcel("zto", "Z", "73", "O", 0, WHO, WHO, 100, ReturnNumber.NEW, "74")
SIGNED_MS = PARCEL.journey.delivered


def asked(now_ms: int, at_once: bool = True, window: Window = Window.UNTIL_DELIVERED) -> Ask:
    return Ask("r", "t", "b", 1, now_ms, window, at_once)


outcomes = st.sampled_from(Outcome)
moments = st.integers(0, SIGNED_MS + 5 * HOUR_MS)


@given(outcome=outcomes, now_ms=moments, at_once=st.booleans())
def test_one_parcel_has_one_end(outcome: Outcome, now_ms: int, at_once: bool) -> None:
    journal = decisions.decide(PARCEL, (), asked(now_ms, at_once), outcome, Params())
    marks = world.course(PARCEL, journal)
    ends = [mark.event for mark in marks if mark.event in world.TERMINAL]
    assert len(ends) == (0 if outcome is Outcome.LOST and Event.LOST in events(marks) else 1)
    assert [mark.at_ms for mark in marks] == sorted(mark.at_ms for mark in marks)
    accepted = [e for e in journal if e.accepted_ms is not None and not e.by_other]
    assert all(entry.effects == 1 for entry in accepted)
    if Event.RETURN_SIGNED in ends or Event.LOST in events(marks):
        assert Event.SIGNED not in ends or outcome is Outcome.LOST_THEN_DELIVERED
        assert any(e.accepted_ms is not None or e.addressee_refused_ms for e in journal)


@pytest.mark.parametrize("outcome", [Outcome.TURNED_THEN_DELIVERED, Outcome.LOST_THEN_DELIVERED])
def test_a_parcel_that_was_turned_round_may_be_delivered_after_all(outcome: Outcome) -> None:
    journal = decisions.decide(PARCEL, (), asked(20 * HOUR_MS, True), outcome, Params())
    told = events(world.course(PARCEL, journal))
    assert told.index(Event.RETURN_STARTED) < told.index(Event.SIGNED)
    assert (Event.FOUND in told) == (outcome is Outcome.LOST_THEN_DELIVERED)
    assert Event.RETURN_SIGNED not in told


def test_a_parcel_may_be_lost_before_it_is_turned_round() -> None:
    params = Params({"lost_ms": 2 * HOUR_MS, "found_ms": 5 * HOUR_MS, "turn_ms": 3 * HOUR_MS})
    at_ms = 20 * HOUR_MS
    outcome = Outcome.LOST_THEN_TURNED
    (entry,) = decisions.decide(PARCEL, (), asked(at_ms), outcome, params)
    marks = world.course(PARCEL, (entry,))
    when = {mark.event: mark.at_ms for mark in marks}
    lost_ms, found_ms = at_ms + 2 * HOUR_MS, at_ms + 7 * HOUR_MS
    assert (when[Event.LOST], when[Event.FOUND]) == (lost_ms, found_ms)
    assert when[Event.RETURN_STARTED] == found_ms + 3 * HOUR_MS
    assert not [mark for mark in world.scans(marks, found_ms - 1) if mark.at_ms > lost_ms]
    assert world.status(marks, found_ms - 1) is Status.ENDED
    assert world.status(marks, found_ms) is Status.IN_TRANSIT
    assert decisions.cancellable(entry, marks, lost_ms - 1)
    assert not decisions.cancellable(entry, marks, found_ms)


def events(marks: list[world.Mark]) -> list[Event]:
    return [mark.event for mark in marks]


@given(outcome=outcomes, now_ms=moments, later_ms=moments, at_once=st.booleans())
@example(Outcome.INTERCEPTED_BY_OTHER, 30_150_000, 0, False)  # at the moment of a scan
def test_nothing_that_was_shown_is_taken_back(
    outcome: Outcome, now_ms: int, later_ms: int, at_once: bool
) -> None:
    journal = decisions.decide(PARCEL, (), asked(now_ms, at_once), outcome, Params())
    before = world.scans(world.course(PARCEL, ()), now_ms)
    after = world.scans(world.course(PARCEL, journal), max(now_ms, later_ms))
    assert all(mark in after for mark in before)


@given(outcome=outcomes, now_ms=moments, cancel_ms=moments, at_once=st.booleans())
def test_a_withdrawn_interception_leaves_the_parcel_to_its_buyer(
    outcome: Outcome, now_ms: int, cancel_ms: int, at_once: bool
) -> None:
    journal = list(decisions.decide(PARCEL, (), asked(now_ms, at_once), outcome, Params()))
    entry = journal[-1]
    marks = world.course(PARCEL, journal)
    cancel_ms = max(now_ms, cancel_ms)
    if not decisions.cancellable(entry, marks, cancel_ms):
        return
    shown = world.scans(marks, cancel_ms)
    journal[-1] = decisions.cancel(entry, cancel_ms)
    marks = world.course(PARCEL, journal)
    assert Event.RETURN_SIGNED not in events(marks)
    assert next(mark.at_ms for mark in marks if mark.event is Event.SIGNED) >= cancel_ms
    assert all(mark in marks for mark in shown)


@pytest.mark.parametrize(
    ("now_ms", "reason"),
    [
        (0, Reason.NOT_PICKED_UP),
        (3 * HOUR_MS, None),
        (47 * HOUR_MS, None),
        (51 * HOUR_MS, Reason.ALREADY_DELIVERED),
    ],
)
def test_physical_facts_go_before_the_script(now_ms: int, reason: Reason | None) -> None:
    (entry,) = decisions.decide(PARCEL, (), asked(now_ms), Outcome.RETURNED, Params())
    assert entry.reason is reason


def test_a_closed_window_is_too_late() -> None:
    ask = asked(47 * HOUR_MS, window=Window.UNTIL_OUT_FOR_DELIVERY)
    (entry,) = decisions.decide(PARCEL, (), ask, Outcome.RETURNED, Params())
    assert entry.reason is Reason.TOO_LATE


def test_a_second_interception_of_one_parcel_is_refused() -> None:
    first = decisions.decide(PARCEL, (), asked(20 * HOUR_MS), Outcome.RETURNED, Params())
    (second,) = decisions.decide(PARCEL, first, asked(21 * HOUR_MS), Outcome.RETURNED, Params())
    assert second.reason is Reason.ALREADY_INTERCEPTED


def test_the_buyers_refusal_is_not_an_acceptance() -> None:
    (entry,) = decisions.decide(
        PARCEL, (), asked(20 * HOUR_MS, False), Outcome.BUYER_REFUSED, Params()
    )
    marks = world.course(PARCEL, [entry])
    turned = next(mark for mark in marks if mark.event is Event.RETURN_STARTED)
    assert turned.cause is world.Cause.ADDRESSEE_REFUSED
    assert entry.accepted_ms is None
    assert Event.INTERCEPT_FAILED in events(marks)


@pytest.mark.parametrize("status", world.ORDER)
def test_a_parcel_can_be_placed_in_every_status(status: Status) -> None:
    now_ms = PARCEL.journey.middle_of(status)
    assert world.status(world.course(PARCEL, ()), now_ms) is status


def test_a_journey_goes_forward() -> None:
    with pytest.raises(ValueError, match="follow one another"):
        Journey(picked_up=5, in_transit=5)


def test_a_faster_buyer_turns_a_receipt_into_a_failure() -> None:
    now_ms = SIGNED_MS - HOUR_MS
    (entry,) = decisions.decide(
        PARCEL, (), asked(now_ms, False), Outcome.RETURNED, Params({"after_ms": 2 * HOUR_MS})
    )
    assert entry.accepted_ms is None
    assert (entry.refused_ms, entry.reason) == (SIGNED_MS, Reason.ALREADY_DELIVERED)
    assert entry.effects == 0
