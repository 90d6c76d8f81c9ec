"""A gateway with interceptions that only have to be created: parcels registered, quotes taken.

All that is unmeasured, in batches, under limits that are out of the way. Then the gateway is
started anew on the same store, as it is to be measured, and pinned to a core of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest import client as wire
from loadtest import gather, telling
from loadtest.client import Client, fen
from loadtest.drive import Driver
from loadtest.fleet import TENANT, Fleet, FleetError, Json, over
from loadtest.pressure import pinning
from loadtest.pressure.replay import Ready
from loadtest.processes import cpu_us
from loadtest.scenario import Parcel
from loadtest.simulation import Simulation
from loadtest.traffic import expected
from loadtest.traffic.plan import Options, Plan
from loadtest.traffic.road import machine, used
from loadtest.traffic.run import GATEWAY, SIMULATOR, Scene, check_tracking, settings
from loadtest.traffic.settle import rest
from loadtest.watch import Watcher

GENERATOR = "generator"
SHIPPED_MAX = 250  # parcels of one who prepares them
TOGETHER = 8  # such
QUOTES_MAX = 50  # of one call
TRIES_MAX = 20
PAUSE_S = 0.2
WIDE = 1_000_000  # calls a second: no bound
LIMITS = ("late_ms", "intake_wait_ms", "quote_read_ms")
USUAL: Mapping[str, int] = {"late_ms": 250, "intake_wait_ms": 300, "quote_read_ms": 700}
FREE: Json = {"limits": dict.fromkeys(LIMITS, 10_000), "tenants": {TENANT: {"per_second": WIDE}}}
CARRIER: Json = {"limits": {"concurrency": 256, "per_second": 10_000}}  # only the gateway limits


@dataclass(frozen=True, slots=True)
class Quoted:
    """A Create that can be sent, and what was said of its fee."""

    parcel: Parcel
    quote: str
    fee: int

    @property
    def ready(self) -> Ready:
        return Ready(self.parcel.key, telling.creation(self.parcel, self.quote).SerializeToString())


@dataclass(slots=True)
class Stage:
    """What is measured, and all that is needed for a verdict on it."""

    scene: Scene
    driver: Driver
    quoted: list[Quoted]
    cores: tuple[int, int] | None
    home: frozenset[int] = field(default_factory=pinning.mine)

    @property
    def fleet(self) -> Fleet:
        return self.scene.fleet

    @property
    def pids(self) -> Mapping[str, int]:
        named = {name: self.fleet.pid(name) for name in (GATEWAY, SIMULATOR)}
        return named | {GENERATOR: os.getpid()}

    def used_us(self) -> Mapping[str, int]:
        """CPU time of each process so far, and of the whole machine."""
        return used(cpu_us, self.pids) | machine()

    async def admit(self, per_second: int) -> None:
        """From now on the gateway lets so many calls in, and has its usual limits and its core."""
        tenant = {TENANT: {"per_second": per_second}}
        await self._anew({"limits": dict(USUAL), "tenants": tenant})
        if self.cores is not None:
            for name, pid in self.pids.items():
                pinning.pin(pid, self.cores[name != GATEWAY])

    async def release(self) -> None:
        """Once it has drained: everything may be asked, on every core."""
        await rest(self.driver)
        for pid in self.pids.values():
            pinning.unpin(pid, self.home)
        await self._anew(FREE)

    async def _anew(self, settings: Json) -> None:
        self.scene.pushes.update(await gather.pushes(self.fleet.metrics))  # it counts from 0 again
        await self.fleet.restart_gateway(settings)


@asynccontextmanager
async def staged(options: Options, directory: Path, store_url: str) -> AsyncIterator[Stage]:
    """`async with staged(...) as stage:` with a Create for each arrival of the plan."""
    plan = Plan(options)
    totals = expected.totals(plan.arrivals, plan)
    own: Json = {
        "limits": {"lame_duck_ms": 0},
        "carriers": dict.fromkeys(options.carriers, CARRIER),
    }
    fleet = Fleet(
        directory,
        seed=options.seed,
        start_ms=plan.day.starts_ms,
        settings=over(over(settings(options), own), FREE),
        carriers=options.carriers,
        latency_ms=options.latency_ms,
        store_url=store_url,
    )
    async with (
        fleet,
        Simulation(fleet.control) as simulation,
        Client(fleet.grpc, fleet.tokens) as client,
    ):
        accounts = {account.carrier: account for account in fleet.accounts}
        driver = Driver(plan.day, client, simulation, accounts, Watcher(client))
        await driver.set_up()
        check_tracking(options, driver.offers)
        scene = Scene(plan, totals, fleet, simulation, client)
        stage = Stage(scene, driver, await _prepared(driver, plan.day.parcels), pinning.cores())
        try:
            yield stage
        finally:
            await driver.watcher.stop()
            pinning.unpin(os.getpid(), stage.home)  # or what we start next is born on one core


async def _prepared(driver: Driver, parcels: Sequence[Parcel]) -> list[Quoted]:
    gate = asyncio.Semaphore(TOGETHER)

    async def some(part: Sequence[Parcel]) -> list[Quoted]:
        async with gate:
            await driver.ship(tuple(part))
            found: list[Quoted] = []
            for start in range(0, len(part), QUOTES_MAX):
                found += await _quoted(driver.client, part[start : start + QUOTES_MAX])
            return found

    starts = range(0, len(parcels), SHIPPED_MAX)
    parts = await asyncio.gather(*(some(parcels[n : n + SHIPPED_MAX]) for n in starts))
    await rest(driver)
    return [quoted for part in parts for quoted in part]


async def _quoted(client: Client, parcels: Sequence[Parcel]) -> list[Quoted]:
    """All of them; those whose carrier was not heard in time are asked for again."""
    quotes: dict[tuple[str, str], pb.Quote] = {}
    left, said = list(parcels), ""
    for _ in range(TRIES_MAX):
        items = [_quoting(parcel) for parcel in left]
        request = pb.InterceptServiceBatchQuoteRequest(items=items)
        answer: Any = await client.call(wire.BATCH_QUOTE, request)
        for parcel, result in zip(left, answer.results, strict=True):
            said = result.error.message or said
            if result.HasField("quote"):
                quotes[parcel.key] = result.quote
        left = [parcel for parcel in left if parcel.key not in quotes]
        if not left:
            return [_told(parcel, quotes[parcel.key]) for parcel in parcels]
        await asyncio.sleep(PAUSE_S)
    raise FleetError(f"{len(left)} parcels were not quoted: {said}")


def _quoting(parcel: Parcel) -> pb.InterceptServiceQuoteRequest:
    asked = pb.InterceptServiceQuoteRequest(merchant_id=parcel.merchant)
    asked.parcel.carrier, asked.parcel.waybill = parcel.key
    asked.parcel.channel_code = parcel.code
    return asked


def _told(parcel: Parcel, quote: pb.Quote) -> Quoted:
    (action,) = quote.actions
    if not quote.id:
        raise FleetError(f"{parcel.waybill}: {[unmet.reason for unmet in action.unmet]}")
    return Quoted(parcel, quote.id, fen(action.fee))
