"""CPU time per Create, beside a bare floor measured in the same run.

Rounds of both alternate, so that a noisy machine disturbs both alike, and the ratio of each pair
counts. CPU time is each process's own, as the kernel accounts it. The business clock stands still,
so that what is measured is Create itself: its two commits and its call to the carrier, and not the
following up of what it created.
"""

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any

import grpc
import grpc.aio
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from loadtest import client as wire
from loadtest.cases import Case, Kind, shipped
from loadtest.crowd import Crowd
from loadtest.fleet import PAYMENT_AGREEMENT, Fleet, FleetError, Json
from loadtest.floor import (
    HOLD_INSERTS,
    HOLD_UPDATES,
    SETTLE_INSERTS,
    SETTLE_UPDATES,
)
from loadtest.processes import cpu_us
from loadtest.simulation import Simulation

ROUND = 500  # Creates in a measured round
WARM = 100  # Creates of each process before the first
START_MS = 1_781_740_800_000
QUOTES_AT_ONCE = 16
READY_S = 30.0
US = 1_000_000
SETTINGS: Json = {
    "limits": {"quote_read_ms": 10_000, "answer_within_ms": 10_000},
    "tenants": {"mall": {"per_second": 100_000}},
}
WIDE: Json = {"limits": {"concurrency": 256, "per_second": 10_000, "timeout_ms": 10_000}}
CONTRACTS: Json = {"zto": {"promise_on": "reply"}, "sf": {}}  # both decide by their reply


class Sender(StrEnum):
    """The carriers whose reply decides, and that both sides can call."""

    ZTO = auto()
    SF = auto()


CONNECTS = {
    "zto": "pooled connections on both sides",
    "sf": "a fresh connection for each call on both sides: a lost request cannot be looked up",
}
TABLES = (
    *("interception", "request", "event", "transfer", "job", "attempt", "evidence"),
    *("quote", "account", "parcel", "scan", "exception"),
)


@dataclass(slots=True)
class Phase:
    """One measured round of one process."""

    creates: int
    cpu_us: int  # per Create
    seconds: float
    latencies_ms: list[float] = field(repr=False)

    def percentile(self, hundredth: int) -> float:
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, len(ordered) * hundredth // 100)], 1)


Ask = Callable[[pb.InterceptServiceCreateRequest], Awaitable[pb.InterceptServiceCreateResponse]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two processes: what it is called, how it is asked, what it is asked."""

    name: str
    pid: int
    ask: Ask
    requests: list[pb.InterceptServiceCreateRequest]

    async def phase(self, count: int, callers: int) -> Phase:
        mine = [self.requests.pop() for _ in range(count)]
        taken: list[float] = []

        async def caller() -> None:
            while mine:
                request = mine.pop()
                began = time.perf_counter()
                answer = await self.ask(request)
                taken.append((time.perf_counter() - began) * 1000)
                decision = answer.interception.decision
                if decision != pb.DECISION_ACCEPTED:
                    raise FleetError(f"{self.name} answered {pb.Decision.Name(decision)}")

        before, began = cpu_us(self.pid), time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds, after = time.perf_counter() - began, cpu_us(self.pid)
        return Phase(count, (after - before) // count, seconds, taken)


@dataclass(slots=True)
class Bench:
    """Both processes, the work for each, and the rounds."""

    fleet: Fleet
    crowd: Crowd
    callers: int
    carrier: str
    gateway: list[Phase] = field(default_factory=list)
    floor: list[Phase] = field(default_factory=list)
    rows: dict[str, float] = field(default_factory=dict)  # written by a Create, on the whole

    async def quoted(self, count: int) -> list[pb.InterceptServiceCreateRequest]:
        """Requests for the gateway: shipped, registered and quoted before anything is measured."""
        cases = await self.parcels(count)
        gate = asyncio.Semaphore(QUOTES_AT_ONCE)

        async def one(case: Case) -> pb.InterceptServiceCreateRequest:
            async with gate:
                await self.crowd.register(case)
                key = parcels.ParcelKey(carrier=self.carrier, waybill=case.waybill)
                asked = pb.InterceptServiceQuoteRequest(merchant_id=case.merchant, parcel=key)
                quote = (await self.crowd.ask(wire.QUOTE, asked)).quote
                return request_for(case, quote.id)

        return await asyncio.gather(*map(one, cases))

    async def parcels(self, count: int) -> list[Case]:
        cases = [self.crowd.case(Kind(self.carrier)) for _ in range(count)]
        told = [{**shipped(case, self.fleet), "value_minor": 20_000} for case in cases]
        await self.crowd.simulation.ship(told)
        return cases

    async def bare(self, count: int) -> list[pb.InterceptServiceCreateRequest]:
        """Requests for the floor, which takes the waybill in the place of a quote."""
        return [request_for(case, case.waybill) for case in await self.parcels(count)]

    async def measure(self, sides: Sequence[Side], rounds: int, told: Callable[[], None]) -> None:
        gateway, floor = sides
        for side in sides:
            await side.phase(WARM, self.callers)
        before = row_counts(self.fleet)
        for number in range(rounds):
            pair = [(gateway, self.gateway), (floor, self.floor)]
            for side, phases in pair if number % 2 == 0 else reversed(pair):
                await self.crowd.ask(wire.IDLE, operations.OperationServiceIdleRequest())
                phases.append(await side.phase(ROUND, self.callers))
                told()
        after = row_counts(self.fleet)
        self.rows = {
            name: (after[name] - before[name]) / (rounds * ROUND)
            for name in TABLES
            if after[name] != before[name]
        }

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.gateway, self.floor, strict=True)
        return [own.cpu_us / bare.cpu_us for own, bare in pairs]


def request_for(case: Case, quote: str) -> pb.InterceptServiceCreateRequest:
    return pb.InterceptServiceCreateRequest(
        request_id=case.request_id,
        quote_id=quote,
        agreement_id=PAYMENT_AGREEMENT,
        cancel_ticket=case.order_no,
    )


def row_counts(fleet: Fleet) -> dict[str, int]:
    store = fleet.directory / "turnback.db"
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return {
            name: int(db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]) for name in TABLES
        }


async def start_floor(fleet: Fleet, carrier: str) -> tuple[asyncio.subprocess.Process, str]:
    """The floor's process and its address."""
    (account,) = (each for each in fleet.accounts if each.carrier == carrier)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtest.floor",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    given = {
        "store": str(fleet.directory / "floor.db"),
        "carrier": carrier,
        "url": f"{fleet.carriers}/{carrier}",
        "user": account.user,
        "secret": "".join(account.simulator_credentials.values()),
    }
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(given).encode() + b"\n")
    await process.stdin.drain()
    async with asyncio.timeout(READY_S):
        line = await process.stdout.readline()
    if not line:
        raise FleetError("the floor did not start")
    return process, str(json.loads(line)["grpc"])


async def run(creates: int, callers: int, carrier: str, told: Callable[[], None]) -> Bench:
    rounds = max(1, creates // ROUND)
    count = rounds * ROUND + WARM
    with tempfile.TemporaryDirectory(prefix="turnback-bench-") as place:
        wide = WIDE | {"contract": CONTRACTS[carrier]}
        settings = SETTINGS | {"carriers": {carrier: wide}}
        fleet = Fleet(Path(place), start_ms=START_MS, settings=settings)
        async with fleet, Simulation(fleet.control) as simulation:
            process, address = await start_floor(fleet, carrier)
            crowd = Crowd(fleet, simulation, 7)
            bench = Bench(fleet, crowd, callers, carrier)
            channel = grpc.aio.insecure_channel(address)
            call: Any = channel.unary_unary(
                f"/turnback.v1.{wire.CREATE.path}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=pb.InterceptServiceCreateResponse.FromString,
            )
            try:
                crowd.replicas.up(0)
                await crowd.merchant(top_up=count * 10_000)
                sides = (
                    Side(
                        "the gateway",
                        fleet.pid("gateway"),
                        lambda request: crowd.ask(wire.CREATE, request),
                        await bench.quoted(count),
                    ),
                    Side("the floor", process.pid, call, await bench.bare(count)),
                )
                await bench.measure(sides, rounds, told)
            finally:
                await channel.close()
                await crowd.close()
                process.terminate()
                await process.wait()
    return bench


def report(bench: Bench, path: Path | None) -> None:
    ratio = statistics.median(bench.ratios)
    table = Table("", "CPU µs per Create", "min", "max", "p50 ms", "p99 ms", "per second")
    told: Json = {
        "callers": bench.callers,
        "carrier": bench.carrier,
        "ratio": ratio,
        "ratios": bench.ratios,
    }
    for name, phases in (("gateway", bench.gateway), ("floor", bench.floor)):
        used = [phase.cpu_us for phase in phases]
        rate = sum(p.creates for p in phases) / sum(p.seconds for p in phases)
        p50, p99 = (round(statistics.median(p.percentile(h) for p in phases), 1) for h in (50, 99))
        middle = round(statistics.median(used))
        table.add_row(name, *map(str, (middle, min(used), max(used), p50, p99, round(rate))))
        told[name] = {"cpu_us": middle, "p50_ms": p50, "p99_ms": p99, "per_second": rate}
        told[name]["rounds"] = [
            {k: v for k, v in asdict(phase).items() if k != "latencies_ms"} for phase in phases
        ]
    told["rows"] = bench.rows
    Console().print(table)
    rows = ", ".join(f"{name} {count:g}" for name, count in bench.rows.items())
    print(f"rows the gateway adds for a Create: {rows} ({sum(bench.rows.values()):g} together)")
    print(
        f"rows of the floor: {HOLD_INSERTS} added and {HOLD_UPDATES} changed before the call, "
        f"{SETTLE_INSERTS} added and {SETTLE_UPDATES} changed after it"
    )
    print(f"{bench.carrier}: {CONNECTS[bench.carrier]}")
    print("the business clock stood still: follow-ups of what was created are not in these figures")
    spread = f"{min(bench.ratios):.2f} to {max(bench.ratios):.2f} over {len(bench.ratios)} rounds"
    print(f"ratio {ratio:.2f}, {spread}, {bench.callers} callers")
    if path is not None:
        path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    print(f"bench: create {ratio:.2f} x floor on {bench.carrier}")


def command(
    creates: Annotated[int, typer.Option(help="Measured Creates, by 500.", min=ROUND)] = 2_000,
    callers: Annotated[int, typer.Option(help="Calls at one time.", min=1, max=512)] = 32,
    carrier: Annotated[Sender, typer.Option(help="Whose interface is called.")] = Sender.ZTO,
    save: Annotated[Path | None, typer.Option("--json", help="Save the figures here.")] = None,
) -> None:
    """Measure CPU time per Create beside a bare floor, in one run."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("rounds", total=2 * max(1, creates // ROUND))
        try:
            bench = uvloop.run(run(creates, callers, carrier, lambda: progress.advance(bar)))
        except FleetError as error:
            print(f"bench: {error}", file=sys.stderr)
            raise typer.Exit(3) from None
    report(bench, save)
