"""Replicas as processes: one dies with its lease, one stands still and wakes up too late."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from loadtest.cases import Kind
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet, Json
from loadtest.judge import Judge
from loadtest.simulation import Simulation
from tests.engines import Engine

START_MS = 1_781_740_800_000
LEASE_MS = 2_000
LOOK_S = 0.05
SETTINGS: Json = {
    "carriers": {name: {"limits": {"timeout_ms": 600}} for name in ("sf", "zto")},
    "test": {"lease_ms": LEASE_MS},
}


@dataclass(frozen=True, slots=True)
class Scene:
    fleet: Fleet
    crowd: Crowd
    simulation: Simulation

    async def armed(self, point: str) -> None:
        """The second replica starts anew with a fail point, and is the only one clients know."""
        await self.fleet.stop_gateway(1)
        await self.fleet.start_gateway(point, 1)
        self.crowd.replicas.down(0)
        self.crowd.replicas.up(1)

    async def requests(self) -> int:
        """How many interceptions the carrier was asked for."""
        (line,) = await self.simulation.truth()
        return len(line["requests"].get("intercept", ()))


@pytest_asyncio.fixture
async def scene(shared: Engine, tmp_path: Path) -> AsyncIterator[Scene]:
    fleet = Fleet(tmp_path, start_ms=START_MS, settings=SETTINGS, store_url=shared.url, replicas=2)
    async with fleet, Simulation(fleet.control) as simulation:
        crowd = Crowd(fleet, simulation, 7)
        crowd.replicas.up(0)
        await crowd.merchant()
        yield Scene(fleet, crowd, simulation)
        await crowd.close()


async def judged(scene: Scene) -> None:
    judge = Judge(scene.crowd, {}, LEASE_MS)
    await judge.look(await judge.settle())
    assert scene.crowd.violations == []


@pytest.mark.parametrize("channel", ["sf", "zto"])
async def test_a_replica_that_wakes_with_a_lapsed_lease_sends_nothing(
    scene: Scene, channel: str
) -> None:
    await scene.armed("before_socket#1!stop")
    asking = asyncio.ensure_future(scene.crowd.cohort(1, (Kind(channel),)))
    await stopped(scene.fleet.pid("gateway-1"))
    scene.crowd.replicas.paused.add(1)
    scene.crowd.replicas.up(0)
    await asking
    await scene.crowd.idle()
    before = await scene.requests()
    assert before == (1 if channel == "zto" else 0), "only who recognises a repeat is asked again"
    scene.fleet.signal_gateway(signal.SIGCONT, 1)
    scene.crowd.replicas.paused.discard(1)
    await scene.crowd.idle()
    assert await scene.requests() == before
    await judged(scene)


async def test_what_a_dead_replica_had_sent_is_not_sent_blindly_again(scene: Scene) -> None:
    """Nobody knows but SF, which can neither be asked nor recognise a repeat: tracking tells."""
    await scene.armed("after_reply")
    asking = asyncio.ensure_future(scene.crowd.cohort(1, (Kind("sf"),)))
    assert await scene.fleet.gateway_ended(replica=1) == -signal.SIGKILL
    scene.crowd.replicas.down(1)
    scene.crowd.replicas.up(0)
    await asking
    await scene.crowd.idle()
    assert await scene.requests() == 1
    await judged(scene)


async def stopped(pid: int) -> None:
    """Until the process stands still."""
    for _ in range(400):
        asked = await asyncio.create_subprocess_exec(
            "ps", "-o", "state=", "-p", str(pid), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asked.communicate()
        if said.startswith(b"T"):
            return
        await asyncio.sleep(LOOK_S)
    raise AssertionError("it never stood still")
