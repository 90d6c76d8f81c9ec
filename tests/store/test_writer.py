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
