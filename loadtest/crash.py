"""Kills gateways at every commit point and at random moments under load, and looks at what is left.

On SQLite one gateway dies; on PostgreSQL several replicas do, one of them is paused for longer than
its leases last, and the database itself is killed and started again. Every call that went
unanswered is repeated with the same request_id, on any replica. At the end the clock moves until
all is settled, and what the gateway holds is compared with what really happened at the carriers.
What runs came to is added up in a state file.
"""

import asyncio
import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from loadtest.cases import BROKEN, MINUTE_MS, STAND_IN
from loadtest.cluster import Cluster, ClusterError
from loadtest.crowd import Crowd
from loadtest.fleet import USUAL, Fleet, FleetError, Json
from loadtest.judge import Judge
from loadtest.killing import ACTS, Blow, Killing
from loadtest.simulation import Simulation
from loadtest.tally import DATABASE, MOMENT, PAUSE, Row, Tally

START_MS = 1_781_740_800_000  # 18 June 2026 in Shanghai
OLD_MS = 181 * 24 * 60 * MINUTE_MS  # past the days that the gateway keeps what is personal
PURGED_MAX = 50  # parcels of one PurgePersonal
SHOWN_MAX = 20  # violations printed
LEASE_MS = 2_500  # longer than a call; what a killed replica holds is free again so soon
MOMENT_S = (0.1, 1.5)  # of a random blow, once its replica is up
EXIT_BROKEN = 1
EXIT_USAGE = 2
EXIT_NOT_RUN = 3
BROKEN_MODULE = "turnback_broken"
BROKEN_ADAPTER = '''\
"""ZTO, but writing an interception and applying a push fail in ways that nobody foresaw."""
import hashlib
from adapters.zto import ADAPTER as ZTO
from gateway.domain.carrier import Delivery, Tier
from gateway.domain.record import replace


def fail(order):
    raise RuntimeError("planted")


def senseless(push):
    return Delivery(hashlib.sha256(push.body).hexdigest(), 5)


INTERCEPT = replace(ZTO.intercept, encode=fail)
PUSH = replace(ZTO.push, verify=lambda push, credentials: Tier.T1, decode=senseless)
ADAPTER = replace(
    ZTO, name="broken", network="broken", hosts=(), intercept=INTERCEPT, push=PUSH
)
'''
SETTINGS: Json = {
    "limits": {"quote_read_ms": 150},  # so that a slow reading outlasts its quote
    "carriers": {name: {"limits": {"timeout_ms": 600}} for name in (*USUAL, BROKEN)},
    "test": {"lease_ms": LEASE_MS},
}
OLD = ":PurgePersonal"
FIRST = (Crowd.senseless_push, Crowd.poison, Crowd.merchant)
LATER = {"LeaseDue": 1}  # the first lease of a process finds only what the last one left


class Engine(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


REPLICAS = {Engine.SQLITE: 1, Engine.POSTGRES: 3}


@dataclass(frozen=True, slots=True)
class Options:
    """What a run does."""

    store: Engine
    points: Sequence[str]
    times: int
    moments: int
    pauses: int
    pause_s: float
    databases: int
    interceptions: int
    replicas: int
    seed: int
    durable: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to."""

    options: Options
    rows: Sequence[Row]
    interceptions: int
    quiet_s: float
    violations: Sequence[tuple[str, str]]  # (point, what)

    @property
    def missed(self) -> Sequence[str]:
        """Points that were not met as often as they were to be."""
        named = [row for row in self.rows if row.point in self.options.points]
        return [row.point for row in named if row.kills < self.options.times]

    def wrong(self) -> list[str]:
        told = [f"at {point or 'the end'}: {what}" for point, what in self.violations]
        return [*told, *(f"{point}: not reached" for point in self.missed)]


class Target(Fleet):
    """The fleet, with one channel more whose adapter breaks."""

    def _configuration(self) -> Json:
        given = super()._configuration()
        carrier = given["carriers"][STAND_IN]
        accounts = {
            name: {key: value for key, value in account.items() if key != "push_secret"}
            for name, account in carrier["accounts"].items()
        }
        given["carriers"][BROKEN] = carrier | {"adapter": BROKEN_MODULE, "accounts": accounts}
        return given

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, (str(self.directory), os.environ.get("PYTHONPATH"))))
        return super().environment() | {"PYTHONPATH": path}


def turn(point: str) -> int:
    """Jobs that break wait for their leases; restarts that move no clock shorten that."""
    act = ACTS.get(point.rpartition(":")[2], Crowd.life)
    return FIRST.index(act) if act in FIRST else len(FIRST)


def known_points() -> list[str]:
    """Every point the gateway has, as it says itself."""
    program = Path(sys.executable).with_name("turnback")
    said = subprocess.run([program, "config", "points"], check=True, capture_output=True, text=True)
    return said.stdout.split()


def planned(options: Options) -> list[Blow]:
    """Every blow in its order: the points, and what chance brings between them."""
    chance = random.Random(f"{options.seed} blows")
    points = [point for point in options.points if not point.endswith(OLD)]
    plan = [
        Blow(point, nth + LATER.get(point.rpartition(":")[2], 0))
        for nth in range(1, options.times + 1)
        for point in sorted(points, key=turn)
    ]
    others = {MOMENT: options.moments, PAUSE: options.pauses, DATABASE: options.databases}
    for point, many in others.items():
        for _ in range(many):
            blow = Blow(point, after_s=chance.uniform(*MOMENT_S))
            plan.insert(chance.randint(0, len(plan)), blow)
    return plan


def purges(options: Options) -> list[Blow]:
    """What is old is erased when a gateway starts: its points come first, while there is any."""
    points = [point for point in options.points if point.endswith(OLD)]
    return [Blow(point) for _ in range(options.times) for point in points]


async def run(
    options: Options, cluster: Cluster | None, keep: Path | None, told: Callable[[str], None]
) -> Result:
    """One life of a fleet, in a directory of its own."""
    async with AsyncExitStack() as stack:
        made = keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="turnback-crash-"))
        directory = Path(made)
        (directory / f"{BROKEN_MODULE}.py").write_text(BROKEN_ADAPTER, "utf-8")
        url = await cluster.create(f"seed_{options.seed}") if cluster is not None else ""
        fleet = Target(
            directory,
            seed=options.seed,
            start_ms=START_MS - OLD_MS,
            settings=SETTINGS,
            store_url=url,
            replicas=options.replicas,
        )
        async with fleet, Simulation(fleet.control) as simulation:
            crowd = Crowd(fleet, simulation, options.seed)
            crowd.channels += (BROKEN,)
            stack.push_async_callback(crowd.close)
            killing = Killing(fleet, crowd, options.interceptions, cluster, options.pause_s)
            for replica in range(options.replicas):
                crowd.replicas.up(replica)
            for _ in range(2):
                await crowd.merchant()
            if purges(options):
                await crowd.forget(PURGED_MAX * options.times + 1)
            for replica in range(options.replicas):
                crowd.replicas.down(replica)
                await fleet.stop_gateway(replica)
            await simulation.move(advance_ms=OLD_MS)
            if purges(options):
                await killing.run(purges(options), told, alone=True)
            await killing.run(planned(options), told)
            judge = Judge(crowd, killing.rows, LEASE_MS)
            await judge.look(await judge.settle())
    rows, wrong = list(killing.rows.values()), crowd.violations
    return Result(options, rows, len(crowd.cases), judge.quiet_s, wrong)


# -- reporting --------------------------------------------------------------------------------


def show(result: Result) -> None:
    """A table of one run, and what was wrong with it."""
    table = Table(Column("point", no_wrap=True), "kills", "starts", "created", "settled", "wrong")
    for row in result.rows:
        note = f"{row.point} not reached" if row.point in result.missed else row.point
        counts = (row.kills, row.restarts, row.acknowledged, row.settled, row.violations)
        table.add_row(note, *map(str, counts))
    Console().print(table)
    for what in result.wrong()[:SHOWN_MAX]:
        print(f"violation {what}")
    store, seed = result.options.store, result.options.seed
    print(
        f"{store}: seed {seed}, {result.interceptions} interceptions, "
        f"settled {result.quiet_s:.0f} s after the last kill"
    )


def last_line(tally: Tally) -> str:
    return f"crash: {tally.kills} kills, {tally.wrong} violations"


def teller(progress: Progress, total: int, quiet: bool) -> Callable[[str], None]:
    """How far it is: a bar for people, lines for logs."""
    bar, done = progress.add_task("kills", total=total), count(1)

    def told(point: str) -> None:
        progress.update(bar, advance=1, description=point)
        if progress.disable and not quiet:
            print(f"{next(done)}/{total} {point}", flush=True)

    return told


async def runs(
    options: Options, goal: int, keep: Path | None, state: Path | None, as_json: bool
) -> Tally:
    """One run; with a goal as many as it takes, each with the next seed, from where it stood."""
    tally = Tally.load(state)
    async with AsyncExitStack() as stack:
        cluster = None
        if options.store is Engine.POSTGRES:
            cluster = await stack.enter_async_context(Cluster(durable=options.durable))
        while True:
            before = tally.stores.get(options.store)
            this = dataclasses.replace(options, seed=options.seed + (before.runs if before else 0))

            console = Console(stderr=True)
            with Progress(console=console, disable=not console.is_terminal) as progress:
                told = teller(progress, len(planned(this)), as_json)
                result = await run(this, cluster, keep, told)
            tally.add(
                options.store, result.rows, result.interceptions, result.quiet_s, result.wrong()
            )
            if state is not None:
                tally.save(state)
            if not as_json:
                show(result)
            if tally.stores[options.store].kills >= goal:
                return tally


def checked(points: str, replicas: int, *, shared: bool) -> list[str]:
    """The points that are meant. Ends the program where something cannot be."""
    wrong = ""
    if not shared and replicas > 1:
        wrong = "several gateways need a database that they can share"
    chosen = known_points() if not wrong else []
    strange = set(points.split(",")) - set(chosen) if points and not wrong else set()
    if strange:
        wrong = f"there is no point called {', '.join(sorted(strange))}"
    if wrong:
        print(wrong, file=sys.stderr)
        raise typer.Exit(EXIT_USAGE)
    return points.split(",") if points else chosen


def command(
    store: Annotated[Engine, typer.Option(help="The engine under the gateway.")] = Engine.SQLITE,
    replicas: Annotated[
        int, typer.Option(help="Gateways on one database; 0: as usual for it.", min=0, max=8)
    ] = 0,
    points: Annotated[str, typer.Option(help="Only these, with commas between them.")] = "",
    times: Annotated[int, typer.Option(help="Kills at each point.", min=0, max=50)] = 3,
    random_: Annotated[
        int, typer.Option("--random", help="Kills at random moments.", min=0, max=1_000)
    ] = 20,
    pauses: Annotated[int, typer.Option(help="Replicas paused. PostgreSQL.", min=0)] = 1,
    pause_s: Annotated[float, typer.Option(help="For so long.", min=3.5, max=600)] = 60.0,
    databases: Annotated[int, typer.Option(help="Kills of the database. PostgreSQL.", min=0)] = 5,
    interceptions: Annotated[int, typer.Option(help="At least so many.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="What chance is made of.")] = 7,
    state: Annotated[
        Path | None, typer.Option(help="Add up runs in this file, and go on from it.")
    ] = None,
    goal: Annotated[
        int, typer.Option(help="Run again until the state counts so many kills of this store.")
    ] = 0,
    keep: Annotated[Path | None, typer.Option(help="Work in this new directory; keep it.")] = None,
    durable: Annotated[
        bool, typer.Option(help="Wait for the disk at every commit of PostgreSQL.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Kill gateways at every commit point under load; nothing may be lost or doubled."""
    shared = store is Engine.POSTGRES
    chosen = checked(points, replicas, shared=shared)
    if keep is not None:
        keep = keep.resolve()
        keep.mkdir(parents=True)
    options = Options(
        store=store,
        points=chosen,
        times=times,
        moments=random_,
        pauses=pauses if shared else 0,
        pause_s=pause_s,
        databases=databases if shared else 0,
        interceptions=interceptions,
        replicas=replicas or REPLICAS[store],
        seed=seed,
        durable=durable,
    )
    try:
        tally = asyncio.run(runs(options, 0 if keep else goal, keep, state, as_json))
    except (FleetError, ClusterError, ValueError) as error:
        print(f"crash: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_NOT_RUN) from None
    if as_json:
        print(json.dumps(tally.as_json(), ensure_ascii=False))
    print(last_line(tally))
    raise typer.Exit(EXIT_BROKEN if tally.wrong else 0)
