"""The same operations on stores of several sizes, all of them up at once, in rounds that alternate.

So a noisy machine disturbs every size alike, and what counts is the ratio within a round. The cost
is the gateway's CPU time and, where the database is a server, the server's with it; its vacuuming
rests while it is measured.
"""

import itertools
import random
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum, auto
from math import log10
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import grpc.aio

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest import client as wire
from loadtest.bench.operations import accepting, reading
from loadtest.bench.sides import Phase, Side
from loadtest.bench.stage import Engine, Stage, settings
from loadtest.client import stamp
from loadtest.cluster import Cluster
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet
from loadtest.growth.lives import Lives, lived
from loadtest.growth.loading import load, room
from loadtest.growth.multiply import MERCHANT, MERCHANTS, SPAN_MS, copies, key_of
from loadtest.processes import cpu_us, family_us
from loadtest.simulation import Simulation

HOUR_MS = 3_600_000
BASE = 10_000  # interceptions: costs are told as times those there
FAR = 10**7  # told by slope
GOAL = 1.2
WARM = 50
PAGE = 50
# Not beside what is measured: a gateway looks through its whole file before it answers.
LOOKED = {"store": {"check_mib": 2**20}}
READY_S = 900.0
RESTS = ("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")


class Name(StrEnum):
    """What is measured as the store grows."""

    CREATE = auto()
    LIST = auto()
    GET = auto()


@dataclass(frozen=True, slots=True)
class Options:
    sizes: Sequence[int]
    engines: Sequence[Engine]
    runs: int
    count: int  # operations in a run
    callers: int


@dataclass(frozen=True, slots=True)
class Store:
    """A gateway on a store of one size."""

    size: int
    lives: Lives
    stage: Stage
    channel: grpc.aio.Channel
    used_us: Callable[[], int]

    def side(self, ask: Any, work: Iterator[Any]) -> Side:
        name = f"{self.size} interceptions"
        return Side(name, self.stage.gateway, ask, work, self.stage.idle, self.used_us)


async def create(store: Store, total: int) -> Side:
    ask = accepting(store.stage.caller(store.channel, wire.CREATE))
    return store.side(ask, iter(await store.stage.quoted(total)))


async def list_(store: Store, total: int) -> Side:
    """Of one merchant, the newest before some moment of the younger half."""
    chance = random.Random(store.size)

    def requests() -> Iterator[pb.InterceptServiceListRequest]:
        end = store.lives.ended_ms
        while True:
            yield pb.InterceptServiceListRequest(
                merchant_id=chance.choice(store.stage.crowd.merchants),
                created_to=stamp(end - chance.randrange(SPAN_MS // 10, SPAN_MS * 4 // 10)),
                page_size=PAGE,
            )

    def good(answer: pb.InterceptServiceListResponse) -> bool:
        return len(answer.interceptions) == PAGE

    return store.side(reading(store.stage.caller(store.channel, wire.LIST), good), requests())


async def get(store: Store, total: int) -> Side:
    """Any of them, each as likely as the others."""
    chance = random.Random(store.size)
    table = store.lives.tables["interception"]
    known = [row[table.columns.index("id")] for row in table.rows]
    number = store.size // store.lives.count

    def requests() -> Iterator[pb.InterceptServiceGetRequest]:
        while True:
            key = key_of(chance.choice(known), chance.randrange(number))
            yield pb.InterceptServiceGetRequest(interception_id=key)

    def good(answer: pb.InterceptServiceGetResponse) -> bool:
        return bool(answer.interception.id)

    return store.side(reading(store.stage.caller(store.channel, wire.GET), good), requests())


PREPARE: Mapping[Name, Callable[[Store, int], Awaitable[Side]]] = {
    Name.CREATE: create,
    Name.LIST: list_,
    Name.GET: get,
}


@dataclass(frozen=True, slots=True)
class Curve:
    """What one operation costs on one engine: at each size, run by run."""

    engine: Engine
    name: Name
    phases: Mapping[int, list[Phase]] = field(default_factory=dict)

    @property
    def sizes(self) -> list[int]:
        return sorted(self.phases)

    @property
    def base(self) -> int:
        """The size that the others are compared with."""
        return BASE if BASE in self.sizes[:-1] else self.sizes[0]

    def cost(self, size: int) -> float:
        """Microseconds, the median of the runs."""
        return statistics.median(phase.cpu_us for phase in self.phases[size])

    def ratios(self, size: int) -> list[float]:
        """Times the base, run by run."""
        pairs = zip(self.phases[size], self.phases[self.base], strict=True)
        return [own.cpu_us / base.cpu_us for own, base in pairs]

    def ratio(self, size: int) -> float:
        return statistics.median(self.ratios(size))

    @property
    def met(self) -> bool | None:
        """None where nothing larger than the base was measured."""
        larger = [size for size in self.sizes if size > self.base]
        return all(self.ratio(size) <= GOAL for size in larger) if larger else None

    @property
    def far(self) -> tuple[float, float] | None:
        """Times the base at 10^7, by a straight line from the base on: over the logarithm of the
        size, as where a tree is searched, and over the size, as where rows are gone through. None
        where there are no two points to draw it through."""
        points = [(n / self.base, self.ratio(n)) for n in self.sizes if n >= self.base]
        if len(points) < 2:
            return None
        ratios, end = [ratio for _, ratio in points], FAR / self.base
        found = []
        for of in (log10, float):
            slope, start = statistics.linear_regression([of(n) for n, _ in points], ratios)
            found.append(start + slope * of(end))
        return found[0], found[1]


Told = Callable[[str], None]


async def run(options: Options, told: Told) -> list[Curve]:
    place = Path(tempfile.gettempdir())
    for engine in options.engines:
        room(place, options.sizes, engine)
    told("interceptions that the others are made of")
    lives = await lived()
    curves = []
    for engine in options.engines:
        async with AsyncExitStack() as stack:
            stores = await _stores(stack, lives, engine, options, told)
            for name in Name:
                told(f"{name}, {engine}")
                curves.append(await _curve(name, engine, stores, options))
    return curves


async def _stores(
    stack: AsyncExitStack, lives: Lives, engine: Engine, options: Options, told: Told
) -> list[Store]:
    cluster = None
    if engine is Engine.POSTGRES:
        cluster = await stack.enter_async_context(Cluster())
    stores = []
    for size in options.sizes:
        told(f"{size:,} interceptions, {engine}")
        stores.append(await _store(stack, lives, size, cluster))
    if cluster is not None:
        db = await asyncpg.connect(cluster.url)
        for statement in RESTS:
            await db.execute(statement)
        await db.close()
    return stores


async def _store(stack: AsyncExitStack, lives: Lives, size: int, cluster: Cluster | None) -> Store:
    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnback-growth-"))
    url = "" if cluster is None else await cluster.create(f"size_{size}")
    fleet = Fleet(
        Path(place),
        start_ms=lives.ended_ms + HOUR_MS,
        settings=settings("zto") | LOOKED,
        store_url=url,
        fill=lambda url: load(url, lives, size),
        ready_s=READY_S,
    )
    await stack.enter_async_context(fleet)
    simulation = await stack.enter_async_context(Simulation(fleet.control))
    crowd = Crowd(fleet, simulation, 7)
    stack.push_async_callback(crowd.close)
    crowd.replicas.up(0)
    crowd.merchants += [
        MERCHANT + each.merchant for each in itertools.islice(copies(MERCHANTS), MERCHANTS)
    ]
    session = await stack.enter_async_context(aiohttp.ClientSession())
    channel = await stack.enter_async_context(
        grpc.aio.insecure_channel(fleet.grpc, options=wire.OPTIONS)
    )
    engine = Engine.SQLITE if cluster is None else Engine.POSTGRES
    stage = Stage(engine, "zto", fleet, crowd, session, cluster)

    def used_us() -> int:
        server = 0 if cluster is None else family_us(cluster.pid)
        return cpu_us(fleet.pid("gateway")) + server

    return Store(size, lives, stage, channel, used_us)


async def _curve(name: Name, engine: Engine, stores: Sequence[Store], options: Options) -> Curve:
    warm = min(WARM, options.count)
    total = options.runs * options.count + warm
    sides = {store.size: await PREPARE[name](store, total) for store in stores}
    curve = Curve(engine, name, {size: [] for size in sides})
    for side in sides.values():
        await side.phase(warm, options.callers)
    for number in range(options.runs):
        order = sorted(sides)
        turn = number % len(order)
        for size in (*order[turn:], *order[:turn]):
            phase = await sides[size].phase(options.count, options.callers)
            curve.phases[size].append(phase)
    return curve
