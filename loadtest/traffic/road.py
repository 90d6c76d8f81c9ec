"""What goes on around the callers while they come: parcels, business time, weather, and samples.

Business time runs at the plan's pace, in small steps that do not wait for the pushes they bring, so
that carriers push on whether or not the gateway keeps up. A parcel is shipped shortly before its
caller comes.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Self

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from loadtest import telling
from loadtest.carriers import Account
from loadtest.client import Client
from loadtest.processes import busy_us, cpu_us, rss_bytes
from loadtest.simulation import Simulation
from loadtest.traffic.plan import Plan
from loadtest.traffic.scenarios import Weather
from loadtest.watch import Watcher

LEAD_S = 6.0  # from shipping to caller
SHIP_S = 0.5
TICK_S = 0.25
TICKS_MAX = 50  # under way at one time; then business time waits
SAMPLE_S = 1.0
STATE = "INTERCEPTION_STATE_"
MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Sample:
    """One second of the run."""

    at_s: float  # since the first caller
    states: dict[str, int]  # interceptions by state
    cpu_us: dict[str, int]  # by process, since it started; and of the whole MACHINE
    rss_bytes: dict[str, int]


def states(watcher: Watcher) -> dict[str, int]:
    name = intercepts.InterceptionState.Name
    counted = Counter(one.state for one in list(watcher.newest.values()))
    return {name(state).removeprefix(STATE): count for state, count in counted.items()}


@dataclass(slots=True)
class Road:
    """`async with Road(...) as road: road.open()`; then it goes by itself until it is left."""

    plan: Plan
    simulation: Simulation
    accounts: Mapping[str, Account]
    client: Client
    watcher: Watcher
    pids: Mapping[str, int]
    heard: Callable[[Sample], None]
    samples: list[Sample] = field(default_factory=list)
    shipped: int = 0
    _began: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ticks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self._ship(LEAD_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What has begun ends; a part that failed fails the run."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, *self._ticks, return_exceptions=True)
        if error is None:
            for end in ends:
                if isinstance(end, Exception):
                    raise end
            await self.simulation.clear()
            await self._ship(self.plan.options.whole_s)

    def open(self) -> None:
        """The first caller comes now."""
        self._began = time.monotonic()
        parts = (self._ship_on(), self._pass_time(), self._sample_on())
        self._tasks = [asyncio.create_task(part) for part in parts]
        for row in self.plan.options.weather:
            assert row.weather is not None
            self._tasks.append(asyncio.create_task(self._suffer(row.weather)))

    @property
    def now_s(self) -> float:
        return time.monotonic() - self._began

    async def _ship_on(self) -> None:
        while self.shipped < len(self.plan.day.parcels):
            await self._ship(self.now_s + LEAD_S)
            await asyncio.sleep(SHIP_S)

    async def _ship(self, until_s: float) -> None:
        """Whatever is wanted until then and has not been shipped."""
        coming = (one for one in self.plan.arrivals if one.parcel is not None)
        fresh = []
        for one in islice(coming, self.shipped, None):
            if one.at_s > until_s:
                break
            assert one.parcel is not None
            account = self.accounts[one.parcel.carrier]
            fresh.append(telling.at_carrier(one.parcel, account, self.plan.day.return_to))
        await self.simulation.ship(fresh)
        self.shipped += len(fresh)

    async def _pass_time(self) -> None:
        told_ms = 0
        while True:
            await asyncio.sleep(TICK_S)
            passed_ms = int(self.now_s * 1000 * self.plan.options.pace)
            if len(self._ticks) < TICKS_MAX:
                tick = asyncio.create_task(self._tick(passed_ms - told_ms))
                self._ticks.add(tick)
                tick.add_done_callback(self._ticks.discard)
                told_ms = passed_ms

    async def _tick(self, advance_ms: int) -> None:
        await self.simulation.move(advance_ms=advance_ms)

    async def _suffer(self, weather: Weather) -> None:
        options = self.plan.options
        await asyncio.sleep(options.warm_s + weather.begins * options.seconds)
        await self.simulation.fault(carrier=options.stricken, **weather.fault)
        await asyncio.sleep((weather.ends - weather.begins) * options.seconds)
        await self.simulation.clear()

    async def _sample_on(self) -> None:
        while True:
            sample = Sample(
                round(self.now_s, 1),
                states(self.watcher),
                used(cpu_us, self.pids) | machine(),
                used(rss_bytes, self.pids),
            )
            self.samples.append(sample)
            self.heard(sample)
            await asyncio.sleep(SAMPLE_S)


def used(of: Callable[[int], int], pids: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, pid in pids.items():
        with contextlib.suppress(OSError):  # it has ended, or this is not Linux
            found[name] = of(pid)
    return found


def machine() -> dict[str, int]:
    try:
        return {MACHINE: busy_us()}
    except (OSError, ValueError):  # this is not Linux
        return {}


def per_second(samples: Sequence[Sample], name: str, since_s: float) -> float:
    """Cores that a process used from `since_s` on."""
    seen = [one for one in samples if one.at_s >= since_s and name in one.cpu_us]
    if len(seen) < 2:
        return 0.0
    passed = seen[-1].at_s - seen[0].at_s
    return (seen[-1].cpu_us[name] - seen[0].cpu_us[name]) / 1e6 / passed if passed else 0.0
