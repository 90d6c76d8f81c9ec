"""The benchmark gets through, and its floors write what the gateway writes. No figure is judged."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest.bench.floors.stores import (
    BATCH_MAX,
    HOLD,
    PUSH,
    SEEDS,
    SETTLE,
    Sqlite,
    Store,
    Work,
    engine,
    written,
)
from loadtest.bench.latency import Latency
from loadtest.bench.operations import OPERATIONS
from loadtest.bench.sides import Pairs, Phase, Side, alternate, percentile
from loadtest.bench.stage import promised
from loadtest.cluster import BINARIES, binaries
from loadtest.fleet import FleetError
from loadtest.processes import cpu_us, family_us
from tests import engines

ROUNDS = 2


@dataclass(frozen=True)
class Done:
    store: str
    said: str
    directory: Path
    figures: dict[str, Any]

    def operation(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.figures["operations"] if each["name"] == name)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module", params=engines.ENGINES)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    if request.param == "postgres" and binaries() is None:
        engines.missing(f"PostgreSQL: {BINARIES} names no server, and none is here")
    directory = tmp_path_factory.mktemp("bench")
    command = [str(Path(sys.executable).with_name("turnback-load")), "bench"]
    command += ["--store", request.param, "--rounds", str(ROUNDS), "--count", "6"]
    command += ["--callers", "3", "--latency", "4"]
    command += ["--out", str(directory), "--json", str(directory / "bench.json")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    figures = json.loads((directory / "bench.json").read_text("utf-8"))
    return Done(request.param, found.stdout, directory, figures)


@pytest.mark.timeout(200)
def test_every_operation_of_the_store_is_measured(done: Done) -> None:
    wanted = [each.name for each in OPERATIONS if done.store in each.engines]
    assert [each["name"] for each in done.figures["operations"]] == wanted
    for each in done.figures["operations"]:
        assert each["store"] == done.store
        assert len(each["ratios"]) == ROUNDS
        assert each["floor"]["cpu_us"] > 0
        assert (each["met"] is None) == (each["goal"] is None)
        assert f"bench: {each['name']} {each['ratio']:.2f} x floor" in done.said
    assert ("latency" in done.figures) == (done.store == "sqlite")


def test_the_floors_write_as_many_rows_as_the_gateway(done: Done) -> None:
    """Accounts are there after the first one; whatever else a Create adds, its floor adds too."""
    rows = done.operation("create")["rows"]
    assert sum(n for table, n in rows.items() if table != "account") == (
        HOLD.inserts + SETTLE.inserts
    )
    if done.store == "sqlite":
        assert sum(done.operation("push")["rows"].values()) == PUSH.inserts
        assert done.operation("get")["rows"] == done.operation("list")["rows"] == {}


def test_the_page_and_its_picture(done: Done) -> None:
    page = (done.directory / "performance.md").read_text("utf-8")
    picture = (done.directory / "performance.svg").read_text("utf-8")
    ElementTree.fromstring(picture)
    for each in OPERATIONS:
        shown = done.store in each.engines
        assert (f"| {each.per} |" in page) == (f"{each.per}, " in picture) == shown


def test_an_operation_that_there_is_not_is_refused() -> None:
    command = [str(Path(sys.executable).with_name("turnback-load")), "bench", "destroy"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert "destroy" in found.stderr


@pytest.mark.parametrize("name", engines.ENGINES)
async def test_a_floor_keeps_what_it_answers(name: str, tmp_path: Path) -> None:
    with engines.engine(name, tmp_path) as found:
        store = Store(engine(found.url))
        writer = asyncio.create_task(store.run())
        await asyncio.gather(*(store.hold(key) for key in "abc"))
        await asyncio.gather(*(store.settle(key) for key in "abc"), store.push("d"))
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await store.engine.close()
        ((count,),) = await asyncio.to_thread(found.table, "SELECT COUNT(*) FROM row")
        assert count == SEEDS + 3 * (HOLD.inserts + SETTLE.inserts) + PUSH.inserts
        changed = "SELECT COUNT(*) FROM row WHERE at = 1 AND subject = ?"
        ((count,),) = await asyncio.to_thread(found.table, changed, "a")
        assert count == SETTLE.updates + 2 - 1  # two were written with this number, one changed


async def test_a_floor_is_as_durable_as_the_gateway(tmp_path: Path) -> None:
    made = Sqlite(tmp_path / "floor.db")
    await made.open([])
    assert made._db is not None
    with closing(sqlite3.connect(tmp_path / "floor.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert made._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    await made.close()


async def test_what_a_batch_shares_it_writes_once() -> None:
    loop = asyncio.get_running_loop()
    batch = [Work(f"{n}", HOLD, [f"seed/{n + 2}"], loop.create_future()) for n in range(BATCH_MAX)]
    fresh, known = written(batch)
    assert len(fresh) == BATCH_MAX * HOLD.inserts
    assert len(known) == BATCH_MAX * HOLD.updates + HOLD.shared
    assert len({row[0] for row in fresh}) == len(fresh)
    assert len({row[2] for row in known}) == len(known)


def test_cpu_time_is_that_of_the_process() -> None:
    before = time.process_time_ns() // 1_000
    found = cpu_us(os.getpid())
    assert before <= found <= time.process_time_ns() // 1_000
    assert family_us(os.getpid()) >= found


async def test_rounds_alternate_and_pairs_stay_together() -> None:
    order: list[str] = []

    class Told:
        def __init__(self, name: str, cost: float) -> None:
            self.name, self.cost = name, cost

        async def phase(self, count: int, callers: int) -> Phase:
            order.append(self.name)
            self.cost *= 2
            return Phase(count, self.cost, 1.0, [])

    pairs = await alternate(Told("a", 30), Told("b", 10), rounds=3, count=1, warm=1, callers=1)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert pairs.ratios == [3.0, 3.0, 3.0]


async def test_work_that_was_not_prepared_is_no_round() -> None:
    async def ask(_: Any) -> None:
        return None

    side = Side("the gateway", os.getpid(), ask, iter(range(3)))
    with pytest.raises(FleetError, match="2 operations were not prepared"):
        await side.phase(5, 2)
    endless = Side("the gateway", os.getpid(), ask, repeat(1))
    assert len((await endless.phase(5, 2)).latencies_ms) == 5


def test_a_create_that_was_not_promised_is_no_figure() -> None:
    answer = pb.InterceptServiceCreateResponse(
        interception=pb.Interception(decision=pb.DECISION_UNKNOWN)
    )
    with pytest.raises(FleetError, match="DECISION_UNKNOWN"):
        promised(answer)


def test_goals_of_latency() -> None:
    found = Latency(create=[7.0] * 100, direct=[1.0] * 100, commit=[3.0] * 100)
    assert (found.added(50), found.goal(50), found.met(50)) == (6.0, 5.0, False)
    assert (found.added(99), found.goal(99), found.met(99)) == (6.0, 28.0, True)
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0


def test_a_ratio_is_the_median_of_pairs() -> None:
    own = [Phase(1, cost, 1.0, []) for cost in (10.0, 30.0, 20.0)]
    floor = [Phase(1, cost, 1.0, []) for cost in (10.0, 10.0, 10.0)]
    assert Pairs(own, floor).ratio == 2.0
