"""The worker at the edge of a lease, and of safe mode: what may not be sent is not."""

import asyncio
from pathlib import Path

import pytest

from adapters import ADAPTERS
from gateway.domain.carrier import Answer, Call, Reason, Reply, Verdict
from gateway.domain.interception import Decision, Interception, Outcome
from gateway.domain.parcel import Parcel
from gateway.failpoints import FailPoints
from gateway.runner import Endpoint, Runner, Send
from gateway.store.driver import SafeMode
from gateway.worker import Worker
from tests.engines import engine
from tests.ledgers import START, Desk, opened

LEASE_S = 20
ACCOUNT = ("zto", "a")
CALLS_MAX = 4


def working(desk: Desk, timeout_s: float, left: list[Call]) -> Worker:
    """A worker whose requests are written down and never answered."""

    async def send(_: Endpoint, call: Call, alone: bool) -> Reply | Answer:
        left.append(call)
        return Answer(Verdict.UNKNOWN, Reason.NO_ANSWER)

    return over(desk, timeout_s, send)


def over(desk: Desk, timeout_s: float, send: Send) -> Worker:
    secrets = {"app_key": "k", "app_secret": "s"}
    endpoint = Endpoint(ADAPTERS["zto"], "a", "", secrets, {}, CALLS_MAX, 100, timeout_s, 1.0)
    runner = Runner(desk.clock, lambda: "n", lambda *_: None, send)
    return Worker(desk.store, runner, desk.clock, {ACCOUNT: endpoint}, FailPoints())


async def sent(desk: Desk, worker: Worker) -> Interception:
    """Create, with its first attempt leased, and let the worker have it."""
    ic = await desk.create("zto")
    assert worker.slot(*ACCOUNT)
    (work,) = desk.works.values()
    done = await worker.start(work)
    assert done is not None
    assert done.id == ic
    return done


@pytest.mark.parametrize(
    ("timeout_s", "calls", "decision"),
    [
        (LEASE_S - 5.0, 1, Decision.UNKNOWN),
        (LEASE_S + 5.0, 0, Decision.QUEUED),  # its answer could come after the lease
    ],
)
async def test_what_could_be_answered_after_the_lease_is_not_sent(
    tmp_path: Path, timeout_s: float, calls: int, decision: Decision
) -> None:
    with engine("sqlite", tmp_path) as database:
        desk = await opened(database, at=START)
        left: list[Call] = []
        try:
            ic = await sent(desk, working(desk, timeout_s, left))
            assert (len(left), ic.decision) == (calls, decision)
            ((outcome,),) = database.table("SELECT outcome FROM attempt")
            assert outcome == (Outcome.LOST if calls else Outcome.NOT_SENT)
        finally:
            await desk.store.stop()


async def test_nothing_is_sent_once_safe_mode_has_begun(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as database:
        desk = await opened(database, at=START)
        left: list[Call] = []
        try:
            worker = working(desk, 1.0, left)
            ic = await desk.create("zto")
            await desk.store.switch(SafeMode("store", "restored", START))
            await desk.parcel("zto")  # the batch that finds it
            assert worker.slot(*ACCOUNT)
            (work,) = desk.works.values()
            done = await worker.start(work)
            assert left == []
            assert done is not None
            assert (done.id, done.decision) == (ic, Decision.QUEUED)
        finally:
            await desk.store.stop()


async def test_quotes_take_no_more_calls_of_an_account_than_it_has(tmp_path: Path) -> None:
    """However many ask, and however long it takes to answer; who waits too long begins none."""
    with engine("sqlite", tmp_path) as database:
        desk = await opened(database, at=START)
        answer, under_way = asyncio.Event(), 0
        peak: list[int] = []

        async def send(_: Endpoint, call: Call, alone: bool) -> Reply | Answer:
            nonlocal under_way
            under_way += 1
            peak.append(under_way)
            try:
                await answer.wait()
            finally:
                under_way -= 1
            return Answer(Verdict.UNKNOWN, Reason.NO_ANSWER)

        worker = over(desk, 15.0, send)
        try:
            numbers = [await desk.parcel("zto") for _ in range(20)]
            parcels = [
                (await desk.store.rows(Parcel, "parcel_by_number", network="zto", waybill=number))[
                    0
                ]
                for number in numbers
            ]
            told = await asyncio.gather(*(worker.track(each, 0.1) for each in parcels))
            assert told == [None] * 20
            assert (under_way, len(peak)) == (CALLS_MAX, CALLS_MAX)
            waiting = [asyncio.create_task(worker.track(each, 5.0)) for each in parcels]
            await asyncio.sleep(0.05)
            assert under_way == CALLS_MAX
            answer.set()
            assert await asyncio.gather(*waiting) == [None] * 20  # unanswered, each in its turn
            assert max(peak) == CALLS_MAX
            assert len(peak) == 20
            assert (await worker.idle()).at_work == 0
        finally:
            await desk.store.stop()
