"""What the embedded store does where the event loop runs, and what it must not do there."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.domain import reconcile, retention
from gateway.domain.decide import ALL, LONG
from gateway.domain.merchant import TopUp
from gateway.domain.parcel import Merchant, StoreStatus
from gateway.store.batch import Change, Done, Steps
from gateway.store.driver import Begin, SafeMode
from gateway.store.rows import Query, queries
from gateway.store.sqlite import PATIENCE_MS, connect, path_of, place
from gateway.store.store import driver
from gateway.store.writer import Unavailable
from tests.engines import engine
from tests.ledgers import SHOP, TENANT, Desk, opened

TIMES = 40
TICK_S = 0.01


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    with engine("sqlite", tmp_path) as made:
        ready = await opened(made)
        yield ready
        await ready.store.stop()


def merchant(key: str) -> Merchant:
    open_ = StoreStatus.OPERATING
    return Merchant(key, TENANT, "pop_sop", False, True, open_, True, True, "CNY", 0)


def paid(number: int) -> TopUp:
    return TopUp(TENANT, f"top-up-{number}", SHOP, 1, "CNY", f"wire-{number}", "treasurer")


async def ticks(until: asyncio.Event) -> int:
    """How often the loop came round meanwhile."""
    found = 0
    while not until.is_set():
        await asyncio.sleep(TICK_S)
        found += 1
    return found


def writing(path: Path, begun: threading.Event, enough: threading.Event) -> bool:
    """Another program, which writes until that is enough. Whether it was told so in time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun.set()
        told = enough.wait(PATIENCE_MS / 2_000)
        other.execute("COMMIT")
    return told


async def test_the_loop_goes_round_while_another_program_writes(desk: Desk) -> None:
    begun, enough = threading.Event(), threading.Event()
    path = path_of(desk.engine.url)
    other = asyncio.create_task(asyncio.to_thread(writing, path, begun, enough))
    await asyncio.to_thread(begun.wait)
    waits = asyncio.create_task(desk.store.run(paid(1)))
    for _ in range(20):
        await asyncio.sleep(TICK_S)
    assert not waits.done()
    enough.set()
    assert await other
    await waits
    assert desk.engine.table("SELECT COUNT(*) FROM request WHERE id LIKE '%top-up-1'") == [(1,)]


async def test_patience_with_another_program_ends(desk: Desk) -> None:
    with closing(sqlite3.connect(path_of(desk.engine.url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = asyncio.Event()
        counted = asyncio.create_task(ticks(done))
        with pytest.raises(Unavailable):
            await desk.store.run(paid(1))
        done.set()
        assert await counted > TIMES
        other.execute("ROLLBACK")
    assert not desk.store.healthy
    await desk.store.run(paid(2))
    assert desk.store.healthy


async def test_whoever_needs_the_connection_that_writes_waits_for_a_turn(desk: Desk) -> None:
    store = desk.store

    async def writes() -> None:
        for number in range(TIMES):
            await asyncio.gather(*(store.run(paid(10 * number + n)) for n in range(3)))

    async def switches() -> None:
        for number in range(TIMES):
            await store.switch(SafeMode("store", f"restored {number}", 1) if number % 2 else None)

    async def scours() -> None:
        for _ in range(TIMES):
            await store.scour()

    await asyncio.gather(writes(), switches(), scours())
    with closing(connect(path_of(desk.engine.url), query_only=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_commit_that_its_caller_leaves_is_whole(desk: Desk) -> None:
    for number in range(TIMES):
        task = asyncio.create_task(desk.store.run(paid(number)))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await desk.store.run(paid(TIMES))
    assert await desk.store.audit() == []


def plan(db: sqlite3.Connection, query: Query) -> list[str]:
    values: Mapping[str, Any] = dict.fromkeys(query.parameters, "[]")
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query.text}", values)]


async def test_what_is_read_at_once_is_found_by_its_key(desk: Desk) -> None:
    """No table is gone through, and nothing is read that grows with the store."""
    named = {name: query for name, query in queries(place).items() if query.at_once}
    assert len(named) > 20
    with closing(connect(path_of(desk.engine.url), query_only=True)) as db:
        for name, query in named.items():
            steps = plan(db, query)
            found = {f"SCAN {s.split()[1]}" for s in steps if s.startswith("CO-ROUTINE ")}
            allowed = ("SCAN json_each", "SCAN safe_mode", *found)  # what was found is gone through
            wrong = [s for s in steps if s.startswith("SCAN ") and not s.startswith(allowed)]
            assert wrong == [], name


def test_pages_of_statements_and_erasing_are_long() -> None:
    of_many = (reconcile.__name__, retention.__name__)
    assert {command for command in ALL if command.__module__ in of_many} == LONG


async def test_a_long_batch_that_is_broken_off_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    """Its statements are on a thread, which goes on: none of them may come after the rollback."""
    path, under_way, go_on = tmp_path / "other.db", threading.Event(), threading.Event()
    made = driver(f"sqlite:///{path}")
    await made.migrate()
    await made.open("owner", desk.clock, lambda _: None)

    def steps(_: bool) -> Steps:
        yield Change(Merchant, [merchant("before")], known=False)
        under_way.set()
        go_on.wait(PATIENCE_MS / 1_000)
        yield Change(Merchant, [merchant("after")], known=False)
        return Done([], 0, 2, None)

    task = asyncio.create_task(made.transact(Begin(steps, lambda: None, long=True)))
    await asyncio.to_thread(under_way.wait)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(TICK_S)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await made.close()
    with closing(connect(path, query_only=True)) as db:
        assert db.execute("SELECT id FROM merchant").fetchall() == []
