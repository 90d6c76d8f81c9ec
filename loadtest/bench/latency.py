"""What the gateway adds to the carrier's own answer, and what the disk takes of it.

One caller. In turn a Create through the gateway, the same request sent straight to the simulated
carrier, as somebody without a gateway would, and one small transaction with its sync on the disk
that the gateway's store is on.
"""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio

from loadtest import client as wire
from loadtest.bench.floors.carriers import INTERFACES, Interface, Known
from loadtest.bench.floors.stores import PRAGMAS, TEXT
from loadtest.bench.sides import Ask, percentile
from loadtest.bench.stage import Stage, promised

CALLS = 300
WARM = 20
P50_MS, P99_MS = 5.0, 25.0  # to be added at most; p99 beside the disk's own commit


@dataclass(slots=True)
class Latency:
    """Milliseconds, call by call."""

    create: list[float] = field(default_factory=list)
    direct: list[float] = field(default_factory=list)
    commit: list[float] = field(default_factory=list)

    def added(self, hundredth: int) -> float:
        return percentile(self.create, hundredth) - percentile(self.direct, hundredth)

    def goal(self, hundredth: int) -> float:
        return P50_MS if hundredth == 50 else P99_MS + percentile(self.commit, hundredth)

    def met(self, hundredth: int) -> bool:
        return self.added(hundredth) <= self.goal(hundredth)


async def _timed(ask: Ask, given: Any) -> float:
    began = time.perf_counter()
    await ask(given)
    return (time.perf_counter() - began) * 1000


def _direct(
    session: aiohttp.ClientSession, interface: Interface, known: Known, carriers: str
) -> Ask:
    """Signed, sent, and its answer read."""

    async def ask(waybill: Any) -> None:
        asked = interface.ask(known, f"direct-{waybill}", waybill)
        url = carriers + interface.path
        async with session.post(url, data=asked.body, headers=asked.headers) as answer:
            interface.hear(await answer.read())

    return ask


def _committing(db: sqlite3.Connection) -> Ask:
    async def ask(number: Any) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO row VALUES (?, ?)", (number, TEXT))
        db.execute("COMMIT")

    return ask


@asynccontextmanager
async def _asks(stage: Stage) -> AsyncIterator[tuple[Ask, Ask, Ask]]:
    interface = INTERFACES[stage.carrier]
    url = f"{stage.fleet.carriers}/{stage.carrier}"
    connector = aiohttp.TCPConnector(force_close=interface.fresh)
    async with (
        grpc.aio.insecure_channel(stage.fleet.grpc) as channel,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        call = stage.caller(channel, wire.CREATE)

        async def create(request: Any) -> None:
            promised(await call(request))

        with closing(_database(stage.fleet.directory / "commit.db")) as db:
            yield create, _direct(session, interface, stage.known, url), _committing(db)


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(pragma)
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT) STRICT")
    return db


async def measure(stage: Stage, calls: int = CALLS) -> Latency:
    count = calls + WARM
    requests, cases = await stage.quoted(count), await stage.shipped(count)
    await stage.idle()
    found = Latency()
    async with _asks(stage) as (create, direct, commit):
        for number in range(count):
            took = (
                await _timed(create, requests[number]),
                await _timed(direct, cases[number].waybill),
                await _timed(commit, number),
            )
            if number >= WARM:
                for kept, one in zip((found.create, found.direct, found.commit), took, strict=True):
                    kept.append(one)
    return found
