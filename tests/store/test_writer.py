"""The lanes: what waits while a commit hangs is told so in time; evidence is never shed."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.domain.command import Wants
from gateway.store.writer import Outcome, Overloaded, Writer

PATIENCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    evidence: bool = False
    tenant: str = "t"

    def wants(self) -> Wants:
        return Wants()


async def test_who_waits_behind_a_commit_that_hangs_is_told_before_it_ends() -> None:
    hangs = asyncio.Event()
    begun = asyncio.Event()

    async def commit(commands: list[Any]) -> list[Outcome]:
        begun.set()
        await hangs.wait()
        return [(True, command) for command in commands]

    writer = Writer(commit, PATIENCE_S)
    writer.start()
    first = asyncio.create_task(writer.submit(Asked()))
    await begun.wait()
    behind = asyncio.create_task(writer.submit(Asked()))
    evidence = asyncio.create_task(writer.submit(Asked(evidence=True)))
    with pytest.raises(Overloaded):
        await behind
    assert not first.done()
    assert not evidence.done()
    hangs.set()
    assert await first == Asked()
    assert await evidence == Asked(evidence=True)
    await writer.stop()


class Kept:
    """A store that keeps the batches it is given, and answers each at once."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.writer = Writer(self._commit, PATIENCE_S)
        self.writer.start()

    async def _commit(self, commands: list[Any]) -> list[Outcome]:
        self.batches.append(commands)
        return [(True, command) for command in commands]


async def test_what_nobody_waits_for_goes_with_what_somebody_does() -> None:
    kept = Kept()
    patient = [
        asyncio.create_task(kept.writer.submit(Asked(True, str(n)), patient=True)) for n in range(3)
    ]
    await asyncio.sleep(0)
    assert not kept.batches
    await kept.writer.submit(Asked())
    await asyncio.gather(*patient)
    assert [len(batch) for batch in kept.batches] == [4]
    await kept.writer.stop()


async def test_what_nobody_waits_for_goes_alone_where_no_other_comes() -> None:
    kept = Kept()
    async with asyncio.timeout(10):
        assert await kept.writer.submit(Asked(True), patient=True) == Asked(True)
        assert await kept.writer.submit(Asked(True), patient=True) == Asked(True)
    await kept.writer.stop()


async def test_more_than_a_batch_takes_goes_with_the_next_ones() -> None:
    kept = Kept()
    async with asyncio.timeout(10):
        await asyncio.gather(*(kept.writer.submit(Asked(True, str(n))) for n in range(300)))
    assert [len(batch) for batch in kept.batches] == [128, 128, 44]
    await kept.writer.stop()


async def test_the_end_waits_for_the_patient() -> None:
    kept = Kept()
    patient = asyncio.create_task(kept.writer.submit(Asked(True), patient=True))
    await asyncio.sleep(0)
    await kept.writer.stop()
    assert patient.done()
    assert [len(batch) for batch in kept.batches] == [1]
