"""A rolling restart under load: no call of a client with the published service config fails."""

import time
from pathlib import Path

from loadtest.crowd import Crowd
from loadtest.fleet import Fleet
from loadtest.simulation import Simulation
from loadtest.steady import Steady
from tests.engines import engine

CALLERS = 8
CALLS = 60  # between two restarts
ROUNDS = 2


async def test_a_rolling_restart_of_two_replicas_on_postgres_fails_no_call(tmp_path: Path) -> None:
    now = time.time_ns() // 1_000_000
    with engine("postgres", tmp_path) as made:
        fleet = Fleet(tmp_path, frozen=False, start_ms=now, store_url=made.url, replicas=2)
        async with fleet, Simulation(fleet.control) as simulation:
            slow = {"carrier": "zto", "name": "slow", "operation": "intercept"}
            await simulation.fault(**slow, params={"ms": 400})
            crowd = Crowd(fleet, simulation, seed=7)
            for replica in range(2):
                crowd.replicas.up(replica)
            await crowd.merchant(20_000_000)
            every = [fleet.addresses(replica) for replica in range(2)]
            async with Steady(crowd, [at.grpc for at in every], callers=CALLERS) as steady:
                await steady.more(CALLS)
                for _ in range(ROUNDS):
                    for replica in range(2):
                        assert await fleet.stop_gateway(replica) == 0
                        await steady.more(CALLS)
                        await fleet.start_gateway(replica=replica)
                        metrics = [fleet.addresses(each).metrics for each in range(2)]
                        await steady.reaches(metrics)
            await crowd.close()
            assert steady.failed == []
            assert len(steady.created) > ROUNDS * CALLS / 4
            assert await steady.faults([at.grpc for at in every]) == []
