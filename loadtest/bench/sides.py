"""Two processes beside each other: rounds that alternate, and the ratio of each pair of them.

A noisy machine disturbs both rounds of a pair alike. CPU time is each process's own, as the kernel
accounts it, from before the first call until the process has nothing left to do.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from loadtest.fleet import FleetError
from loadtest.processes import cpu_us

Ask = Callable[[Any], Awaitable[None]]  # raises where the answer is not the one wanted
Settle = Callable[[], Awaitable[None]]


async def settled() -> None:
    """Of a process that has nothing left to do once it has answered."""


def percentile(values: Sequence[float], hundredth: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * hundredth // 100)]


@dataclass(slots=True)
class Phase:
    """One measured round of one process."""

    count: int
    cpu_us: float  # of one operation
    seconds: float
    latencies_ms: list[float] = field(repr=False)


class Measured(Protocol):
    """Something that can be had do so many operations, by so many callers at a time."""

    async def phase(self, count: int, callers: int) -> Phase: ...


@dataclass(frozen=True, slots=True)
class Side:
    """One process: what it is called, how it is asked, and what for."""

    name: str
    pid: int
    ask: Ask
    work: Iterator[Any]
    settle: Settle = settled
    used_us: Callable[[], int] | None = None  # in place of the process's own CPU time

    def _used_us(self) -> int:
        return cpu_us(self.pid) if self.used_us is None else self.used_us()

    async def phase(self, count: int, callers: int) -> Phase:
        mine = list(islice(self.work, count))
        if len(mine) < count:
            raise FleetError(f"{self.name}: {count - len(mine)} operations were not prepared")
        taken: list[float] = []

        async def caller() -> None:
            while mine:
                one = mine.pop()
                began = time.perf_counter()
                await self.ask(one)
                taken.append((time.perf_counter() - began) * 1000)

        await self.settle()
        before, began = self._used_us(), time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds = time.perf_counter() - began
        await self.settle()
        return Phase(count, (self._used_us() - before) / count, seconds, taken)


@dataclass(slots=True)
class Pairs:
    """What alternating rounds came to."""

    own: list[Phase] = field(default_factory=list)
    floor: list[Phase] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        return [a.cpu_us / b.cpu_us for a, b in zip(self.own, self.floor, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


async def alternate(
    own: Measured, floor: Measured, *, rounds: int, count: int, warm: int, callers: int
) -> Pairs:
    """Rounds of both, in turn first and second."""
    for side in (own, floor):
        await side.phase(warm, callers)
    pairs = Pairs()
    for number in range(rounds):
        pair = [(own, pairs.own), (floor, pairs.floor)]
        for side, phases in pair if number % 2 == 0 else reversed(pair):
            phases.append(await side.phase(count, callers))
    return pairs
