"""A load run from start to verdict: processes up, expected totals, load, settling, evidence."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest import evidence as kept
from loadtest import gather, verdict
from loadtest.carriers import CARRIERS
from loadtest.client import Client
from loadtest.compensation import Claimant
from loadtest.drive import Driver
from loadtest.evidence import Evidence, Rule
from loadtest.fleet import Fleet, FleetError
from loadtest.simulation import Simulation
from loadtest.traffic import diary, expected, rules
from loadtest.traffic.diary import Told
from loadtest.traffic.expected import Totals
from loadtest.traffic.generator import Generator
from loadtest.traffic.goals import Row
from loadtest.traffic.plan import Options, Plan, PlanError
from loadtest.traffic.road import Road, Sample
from loadtest.traffic.settle import asked, reasons, rest, settle
from loadtest.watch import Watcher

BEGIN_S = 120.0
LOOK_S = 0.05
HEARD_S = 60.0
GATEWAY = "gateway"
SIMULATOR = "simulator"
PROCESSES = (GATEWAY, SIMULATOR)
JUDGE = "judge"  # this process: it watches every event
LATE_MS = 250  # as a gateway has it by itself, whatever the fleet's is
SEND_DEADLINE_MS = 24 * 3_600_000  # so that what the seed says does not depend on the machine
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens and what stays of it."""

    directory: Path
    store_url: str = ""
    port: int = 0  # where Locust's workers are awaited; 0: they are started here


@dataclass(slots=True)
class Result:
    """All that a run says. `rules` is empty where it was not judged."""

    options: Options
    totals: Totals
    rows: list[Row]
    told: Told
    samples: list[Sample]
    html: Path
    pushes: int = 0  # as the gateway counted them, over the whole run
    evidence: Evidence | None = None
    rules: list[Rule] = field(default_factory=list)
    repeated: int = 0  # Creates whose answer had to be asked for after the load
    claims_refused: Counter[str] = field(default_factory=Counter)  # by what their callers were told
    turned_away: int = 0  # callers who were told to come again until they left
    settle_s: float = 0.0
    drained_s: float = 0.0  # from the last caller until nothing was left to do

    @property
    def differences(self) -> int:
        return rules.differences(self.rules)

    @property
    def late_p99_ms(self) -> float:
        return max((line["late_p99_ms"] for line in self.told.workers), default=0.0)

    @property
    def unserved(self) -> float:
        """The part of the callers who wanted an interception and left with neither that nor a no
        they can act on; as it was when the load ended."""
        wanted = self.totals.interceptions
        return self.turned_away / wanted if wanted else 0.0

    @property
    def refused(self) -> Mapping[str, int]:
        return reasons(self.told)


def run(options: Options, place: Place, announce: "Announce", *, judged: bool = True) -> Result:
    """`announce` is told what is expected before the first call is made."""
    return asyncio.run(_run(options, place, announce, judged))


class Announce:
    """Whoever wants to hear how far a run is."""

    def expected(self, plan: Plan, totals: Totals) -> None:
        """Before the first call."""

    def begun(self) -> None:
        """The first caller comes."""

    def sampled(self, sample: Sample) -> None:
        """A second has passed."""

    def settling(self) -> None:
        """The last caller is gone."""


async def _run(options: Options, place: Place, announce: Announce, judged: bool) -> Result:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    plan = Plan(options)
    totals = expected.totals(plan.arrivals, plan)
    announce.expected(plan, totals)
    fleet = Fleet(
        place.directory,
        seed=options.seed,
        start_ms=plan.day.starts_ms,
        settings=settings(options),
        carriers=options.carriers,
        latency_ms=options.latency_ms,
        store_url=place.store_url,
    )
    async with (
        fleet,
        Simulation(fleet.control) as simulation,
        Client(fleet.grpc, fleet.tokens) as client,
    ):
        scene = Scene(plan, totals, fleet, simulation, client, place.port)
        return await _loaded(scene, announce, judged)


def settings(options: Options) -> Json:
    """Laid over the fleet's: room for callers, and no send that lapses on a slow machine."""
    terms = {"contract": {"send_deadline_ms": SEND_DEADLINE_MS}}
    return {
        "limits": {
            "tenant_watches": 500,
            "connection_streams": 1_000,
            "late_ms": LATE_MS,
        },
        "carriers": dict.fromkeys(options.carriers, terms),
    }


@dataclass(slots=True)
class Scene:
    """The parts of a run that is under way."""

    plan: Plan
    totals: Totals
    fleet: Fleet
    simulation: Simulation
    client: Client
    port: int = 0
    pushes: Counter[str] = field(default_factory=Counter)  # counted by gateways that have ended


async def _loaded(scene: Scene, announce: Announce, judged: bool) -> Result:
    plan, fleet, client = scene.plan, scene.fleet, scene.client
    accounts = {account.carrier: account for account in fleet.accounts}
    watcher = Watcher(client)
    driver = Driver(plan.day, client, scene.simulation, accounts, watcher)
    pids = {name: fleet.pid(name) for name in PROCESSES} | {JUDGE: os.getpid()}
    try:
        await driver.set_up()
        check_tracking(plan.options, driver.offers)
        watcher.start()
        token = fleet.tokens.platform
        generator = Generator(plan.options, fleet.directory, fleet.grpc, token, scene.port)
        async with generator as locust:
            pids |= {f"generator {n}": pid for n, pid in enumerate(locust.pids)}
            heard = announce.sampled
            road = Road(plan, scene.simulation, accounts, client, watcher, pids, heard)
            async with road:
                await _begun(locust)
                road.open()
                announce.begun()
                await locust.ended()
            rows = [Row.of(row) for row in locust.read_statistics()]
            told = Told.of(diary.read(locust.diary))
            html = locust.html
        announce.settling()
        result = Result(plan.options, scene.totals, rows, told, road.samples, html)
        result.turned_away = turned_away(plan, told)
        if judged:
            await conclude(scene, driver, result)
        return result
    finally:
        await watcher.stop()


def check_tracking(options: Options, offers: Mapping[str, tuple[str, ...]]) -> None:
    """Where a parcel is must be known before a quote. Raises PlanError."""
    for name in options.carriers:
        seers = [row.name for row in CARRIERS.values() if name in row.sees]
        if "TRACK" not in offers[name] and not set(seers) & set(options.carriers):
            raise PlanError(f"{name} cannot be asked where a parcel is: add {' or '.join(seers)}")


def turned_away(plan: Plan, told: Told) -> int:
    """Callers who have no interception, and no reason but that the gateway had no time."""
    lines = (told.visits.get(parcel.key) for parcel in plan.day.parcels)
    return sum(1 for line in lines if line is None or (not line["created"] and line.get("again")))


async def _begun(locust: Generator) -> None:
    """Every worker says that its clock has started."""
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until:
        begun = sum(line["kind"] == diary.BEGUN for line in diary.read(locust.diary))
        if begun == locust.options.workers:
            return
        if not locust.pids:
            break
        await asyncio.sleep(LOOK_S)
    raise FleetError(f"Locust did not begin{locust.tail()}")


async def conclude(scene: Scene, driver: Driver, result: Result) -> None:
    """Settle what the load has left, and judge it: the rest of the result."""
    began = time.monotonic()
    await scene.fleet.hurry()
    parcels = {parcel.key: parcel for parcel in scene.plan.day.parcels}
    claimant = Claimant(driver, parcels)
    driver.now_ms = await scene.simulation.now_ms()
    await rest(driver)
    result.drained_s = time.monotonic() - began
    result.repeated = await settle(driver, claimant, result.told)
    result.claims_refused = Counter(why for _, why in claimant.refused)
    found = await _evidence(scene, driver, claimant, result.told)
    result.settle_s = time.monotonic() - began
    result.evidence, result.rules = found, rules.judge(found, scene.plan)
    result.pushes = sum(found.pushes.values())
    kept.write(found, scene.fleet.directory / "evidence.json")


async def _evidence(scene: Scene, driver: Driver, claimant: Claimant, told: Told) -> Evidence:
    client, day = scene.client, scene.plan.day
    interceptions = await gather.interceptions(client)
    events = sum(1 for one in interceptions for step in one.log if step.column != verdict.NOTE)
    await driver.watcher.heard(events, HEARD_S)
    entries = [entry for m in day.merchants for entry in await gather.entries(client, m.id)]
    return Evidence(
        seed=scene.plan.options.seed,
        top_up=day.top_up,
        asked=asked(claimant.parcels, told),
        filings=tuple(claimant.filings.values()),
        interceptions=tuple(interceptions),
        watched=tuple(driver.watcher.steps),
        watch_resumed=driver.watcher.resumed,
        watch_faults=dict(driver.watcher.faults),
        claims=tuple(await gather.all_claims(client)),
        wallets=tuple([await gather.wallet(client, m.id) for m in day.merchants]),
        exceptions=tuple(await gather.exceptions(client)),
        audit=tuple(await gather.audit(client)),
        pushes=dict(scene.pushes + Counter(await gather.pushes(scene.fleet.metrics))),
        offers=dict(driver.offers),
        truth=tuple(await scene.simulation.truth()),
        entries=tuple(entries),
    )
