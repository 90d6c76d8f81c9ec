"""The demo: a merchant's day through every outcome, and the audit of every rule at the end."""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtest import client as wire
from loadtest import evidence as kept
from loadtest import gather, verdict
from loadtest.carriers import CARRIERS
from loadtest.client import Client
from loadtest.compensation import Claimant
from loadtest.drive import Driver
from loadtest.evidence import Evidence, Rule
from loadtest.fleet import Fleet
from loadtest.place import directory
from loadtest.scenario import DAY_MS, MINUTE_MS, Day, clock_text, load, sized
from loadtest.show import Board, Count
from loadtest.simulation import Simulation
from loadtest.watch import Watcher

HEARD_S = 10.0
SECOND_MS = 1_000
HOUR_MS = 60 * MINUTE_MS
STEPS = (  # until so long after the last wave, steps of
    (MINUTE_MS, 15 * SECOND_MS),
    (5 * MINUTE_MS, MINUTE_MS),
    (30 * MINUTE_MS, 5 * MINUTE_MS),
    (3 * HOUR_MS, 30 * MINUTE_MS),
    (60 * HOUR_MS, HOUR_MS),
    (6 * DAY_MS, 3 * HOUR_MS),
)
LONG_STEP_MS = 6 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Options:
    seed: int = 7
    orders: int = 0  # 0: as many as the day has
    days: int = 20
    keep: Path | None = None  # keep the working directory, here


@dataclass(frozen=True, slots=True)
class Figures:
    """What the run took, and how fast the answers were, in milliseconds."""

    set_up_ms: int
    run_ms: int
    quote_p50: int
    quote_p99: int
    create_p50: int
    create_p99: int
    pushes: int
    replayed: int


@dataclass(frozen=True, slots=True)
class Result:
    evidence: Evidence
    rules: list[Rule]
    figures: Figures
    ledger: dict[str, dict[str, int]]  # merchant -> kind of entry -> fen
    day: Day

    @property
    def violations(self) -> int:
        return sum(1 for rule in self.rules if rule.violations)


def run(options: Options, console: Console) -> Result:
    return asyncio.run(_run(options, console))


async def _run(options: Options, console: Console) -> Result:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    day = load()
    day = sized(day, options.orders) if options.orders else day
    with directory(options.keep) as place:
        result = await _day(options, day, place, console)
        kept.write(result.evidence, place / "evidence.json")
    return result


async def _day(options: Options, day: Day, place: Path, console: Console) -> Result:
    began = time.monotonic()
    fleet = Fleet(place, seed=options.seed, start_ms=day.starts_ms, carriers=tuple(CARRIERS))
    async with (
        fleet,
        Simulation(fleet.control) as simulation,
        Client(fleet.grpc, fleet.tokens) as client,
    ):
        watcher = Watcher(client)
        accounts = {account.carrier: account for account in fleet.accounts}
        driver = Driver(day, client, simulation, accounts, watcher)
        claimant = Claimant(driver, {parcel.key: parcel for parcel in day.parcels})
        try:
            await driver.set_up()
            watcher.start()
            set_up_ms = _since(began)
            began = time.monotonic()
            await _live_through(driver, claimant, options.days, console)
            found = await _evidence(options.seed, driver, claimant, fleet)
            ledger = {m.id: await gather.entry_totals(client, m.id) for m in day.merchants}
            figures = Figures(
                set_up_ms=set_up_ms,
                run_ms=_since(began),
                quote_p50=client.percentile(wire.QUOTE, 50),
                quote_p99=client.percentile(wire.QUOTE, 99),
                create_p50=client.percentile(wire.CREATE, 50),
                create_p99=client.percentile(wire.CREATE, 99),
                pushes=driver.pushes,
                replayed=driver.replayed,
            )
        finally:
            await watcher.stop()
    return Result(found, verdict.judge(found), figures, ledger, day)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


async def _live_through(driver: Driver, claimant: Claimant, days: int, console: Console) -> None:
    """The waves of cancelled orders, and then the days until everything has ended."""
    start_ms = driver.day.starts_ms
    end_ms = start_ms + days * DAY_MS
    waves = list(driver.day.waves)
    wave_ms = start_ms
    with Board(console, end_ms - start_ms) as board:

        def show(*, now: bool = False) -> None:
            when = clock_text(driver.now_ms, start_ms)
            board.show(when, driver.now_ms - start_ms, Count.of(driver.watcher.newest), now=now)

        while driver.now_ms < end_ms:
            targets = [driver.now_ms + step(driver.now_ms - wave_ms), end_ms, *waves[:1]]
            if driver.next_due_ms is not None:
                targets.append(max(driver.next_due_ms, driver.now_ms + 1))
            await driver.move_to(min(targets))
            if waves and driver.now_ms >= waves[0]:
                wave_ms = waves.pop(0)
                parcels = driver.day.at(wave_ms)
                await driver.ship(parcels)
                await driver.intercept(parcels)
                await driver.rest()
                show(now=True)
            await claimant.look()
            show()
        show(now=True)


def step(since_ms: int) -> int:
    """Small steps while carriers decide, long ones while parcels travel."""
    for until_ms, length_ms in STEPS:
        if since_ms < until_ms:
            return length_ms
    return LONG_STEP_MS


async def _evidence(seed: int, driver: Driver, claimant: Claimant, fleet: Fleet) -> Evidence:
    client = driver.client
    interceptions = await gather.interceptions(client)
    events = sum(1 for one in interceptions for step in one.log if step.column != verdict.NOTE)
    await driver.watcher.heard(events, HEARD_S)
    return Evidence(
        seed=seed,
        top_up=driver.day.top_up,
        asked=tuple(driver.asked.values()),
        filings=tuple(claimant.filings.values()),
        interceptions=tuple(interceptions),
        watched=tuple(driver.watcher.steps),
        watch_resumed=driver.watcher.resumed,
        watch_faults=dict(driver.watcher.faults),
        claims=tuple(await gather.all_claims(client)),
        wallets=tuple([await gather.wallet(client, m.id) for m in driver.day.merchants]),
        exceptions=tuple(await gather.exceptions(client)),
        audit=tuple(await gather.audit(client)),
        pushes=await gather.pushes(fleet.metrics),
        offers=dict(driver.offers),
        truth=tuple(await driver.simulation.truth()),
    )
