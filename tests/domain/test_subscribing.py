"""Subscriptions: one for each registered parcel, asked for until it is there, and renewed."""

from typing import Any

import pytest

from gateway.domain.carrier import Answer, Fact, Grade, Milestone, Reason, Verdict
from gateway.domain.fees import DAY_MS
from gateway.domain.interception import Exceptional, ExceptionKind
from gateway.domain.parcel import Parcel, Subscription
from gateway.domain.record import replace
from gateway.domain.register import RecordTrack
from gateway.domain.subscribing import (
    CROWDED_MS,
    DELAYS_MS,
    NEVER,
    TRIES_MAX,
    Subscribed,
    TakeSubscriptions,
    Wanted,
)
from tests.domain.stage import Stage

YES, NO = Answer(Verdict.RECEIVED), Answer(Verdict.REFUSED, Reason.BAD_REQUEST)


def registered(days: int | None = None) -> tuple[Stage, Parcel]:
    """A parcel of a carrier whose subscriptions last so many days; None: for ever."""
    stage = Stage("sf")
    life = None if days is None else Fact(days * DAY_MS, Grade.DOCUMENTED)
    adapter = replace(stage.terms.adapters["sf"], subscription_ms=life)
    adapters = {**stage.terms.adapters, "sf": adapter}
    stage.terms = replace(stage.terms, adapters=adapters, subscribes=frozenset({"sf"}))
    return stage, stage.register()


def take(stage: Stage, parcel: Parcel) -> list[Wanted]:
    taken: list[Wanted] = stage.do(TakeSubscriptions((parcel.id,), {("sf", "main"): 1}))
    return taken


def answer(stage: Stage, parcel: Parcel, said: Answer) -> Subscription:
    stage.do(Subscribed((parcel.id,), said))
    return stage.book.need(Subscription, parcel.id)


def test_a_registered_parcel_is_asked_for_once_at_a_time() -> None:
    stage, parcel = registered()
    (wanted,) = take(stage, parcel)
    assert (wanted.waybill, wanted.phone_tail, wanted.alone) == (parcel.waybill, "1234", False)
    assert take(stage, parcel) == []  # whoever comes second finds it taken
    assert answer(stage, parcel, YES).due_at == NEVER
    stage.wait(400 * DAY_MS)
    assert take(stage, parcel) == []


def test_a_channel_that_is_not_asked_has_none() -> None:
    stage = Stage("sf")
    assert stage.book.get(Subscription, stage.register().id) is None


def test_it_is_renewed_a_day_before_it_ends() -> None:
    stage, parcel = registered(days=14)
    take(stage, parcel)
    assert answer(stage, parcel, YES).due_at == stage.now + 13 * DAY_MS
    stage.wait(13 * DAY_MS - 1)
    assert take(stage, parcel) == []
    stage.wait(1)
    assert [wanted.parcel for wanted in take(stage, parcel)] == [parcel.id]


@pytest.mark.parametrize("said", [NO, Answer(Verdict.UNKNOWN), Answer(Verdict.BUSY)])
def test_what_is_not_there_is_asked_for_again_alone_and_then_by_a_person(said: Answer) -> None:
    stage, parcel = registered()
    for number in range(TRIES_MAX):
        (wanted,) = take(stage, parcel)
        assert wanted.alone is (number > 0)
        row = answer(stage, parcel, said)
        assert row.attempts == number + 1
        stage.wait(DELAYS_MS[min(number, len(DELAYS_MS) - 1)] * 2)
    assert row.due_at == NEVER
    (told,) = [e for e in stage.book.all(Exceptional) if e.subject == parcel.id]
    assert told.kind is ExceptionKind.GIVEN_UP


def test_a_process_that_dies_between_asking_and_noting_asks_again() -> None:
    stage, parcel = registered()
    take(stage, parcel)
    stage.wait(DELAYS_MS[0])
    assert len(take(stage, parcel)) == 1


def over(stage: Stage, parcel: Parcel) -> None:
    scans = (stage.scan(Milestone.IN_TRANSIT, stage.now - 2), stage.scan(Milestone.SIGNED))
    stage.do(RecordTrack(parcel.id, Answer(Verdict.RECEIVED, scans=scans)))


def unconfigured(stage: Stage, parcel: Parcel) -> None:
    stage.terms = replace(stage.terms, subscribes=frozenset())


def erased(stage: Stage, parcel: Parcel) -> None:
    stage.book.put(replace(stage.book.need(Parcel, parcel.id), purged_at=stage.now))


@pytest.mark.parametrize("end", [over, unconfigured, erased])
def test_nothing_is_renewed_for_a_parcel_that_is_of_no_more_interest(end: Any) -> None:
    stage, parcel = registered(days=14)
    take(stage, parcel)
    answer(stage, parcel, YES)
    end(stage, parcel)
    stage.wait(13 * DAY_MS)
    assert take(stage, parcel) == []
    assert stage.book.need(Subscription, parcel.id).due_at == NEVER


def test_an_account_that_has_its_hands_full_is_passed_over_for_a_while() -> None:
    stage, parcel = registered()
    assert stage.do(TakeSubscriptions((parcel.id,), {("sf", "main"): 0})) == []
    row = stage.book.need(Subscription, parcel.id)
    assert (row.due_at, row.attempts) == (stage.now + CROWDED_MS, 0)
    stage.wait(CROWDED_MS)
    assert len(take(stage, parcel)) == 1
