"""The database fails over to its synchronous standby while 200 interceptions are under way."""

import asyncio
from pathlib import Path

import pytest

from loadtest.cluster import Cluster, ClusterError, binaries
from loadtest.crash import LEASE_MS, SETTINGS, START_MS
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet
from loadtest.judge import Judge
from loadtest.simulation import Simulation
from tests.engines import missing

INTERCEPTIONS = 200
AT_ONCE = 10
BEFORE = 80  # that have been begun when the leader dies
ZTO_AND_SF = {name: SETTINGS["carriers"][name] for name in ("sf", "zto")}


@pytest.mark.timeout(280)
async def test_a_failover_of_postgres_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    if binaries() is None:
        missing("PostgreSQL: no programs of a server are here to make a standby with")
    try:
        await _failed_over(tmp_path)
    except ClusterError as error:
        pytest.fail(str(error))


async def _failed_over(directory: Path) -> None:
    async with Cluster() as leader, Cluster(follows=leader) as standby:
        await leader.wait_for_standby()
        url = f"postgresql://postgres@/turnback?host={leader.directory},{standby.directory}"
        settings = SETTINGS | {"carriers": ZTO_AND_SF}
        fleet = Fleet(directory, start_ms=START_MS, settings=settings, store_url=url, replicas=2)
        async with fleet, Simulation(fleet.control) as simulation:
            crowd = Crowd(fleet, simulation, seed=7)
            for replica in range(fleet.replicas):
                crowd.replicas.up(replica)
            try:
                for _ in range(2):
                    await crowd.merchant()
                await _under_way(crowd, leader, standby)
                judge = Judge(crowd, {}, LEASE_MS)
                await judge.look(await judge.settle())
            finally:
                await crowd.close()
            assert crowd.violations == []
            assert len(crowd.cases) >= INTERCEPTIONS
            answered = [case for case in crowd.cases if len(case.answers) == 1]
            assert len(answered) == len(crowd.cases)


async def _under_way(crowd: Crowd, leader: Cluster, standby: Cluster) -> None:
    begun = asyncio.Event()

    async def intercept() -> None:
        while len(crowd.cases) < INTERCEPTIONS:
            await crowd.one()
            if len(crowd.cases) >= BEFORE:
                begun.set()

    tasks = [asyncio.create_task(intercept()) for _ in range(AT_ONCE)]
    try:
        await asyncio.wait({*tasks, asyncio.create_task(begun.wait())},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        assert not all(task.done() for task in tasks), "the leader was to die under load"
        await leader.kill()
        await standby.promote()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
