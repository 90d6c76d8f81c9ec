"""What the seeds have met: every fault and every edge of the gateway's tables, with its count."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.domain.interception import edges
from tests.simulation.faults import CLIENT, DOOR, PLIGHT, PROCESS, PUSH, ROUND, STRAIT, WIRE
from tests.simulation.world import CRASHES


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    count: int


def faults() -> Iterator[str]:
    yield from (f"wire.{name}" for name in WIRE)
    yield from (f"push.{name}" for name in (*PUSH, *DOOR))
    yield from (f"process.{name}" for name in PROCESS)
    yield from (f"round.{name}" for name in ROUND)
    yield from (f"strait.{name}" for name in STRAIT)
    yield from (f"plight.{name}" for name in PLIGHT)
    yield from (f"crash.{name}" for name in CRASHES)
    yield from (f"client.{name}" for name in CLIENT)


def transitions() -> Iterator[str]:
    for column, source, target in edges():
        yield f"{column} {source or 'begin'} > {target}"


def table(met: Counter[str]) -> list[Row]:
    return [Row(name, met[name]) for name in (*faults(), *transitions())]
