"""One gateway and one simulator for each module; every test uses parcels of its own."""

import time
from collections.abc import AsyncIterator

import aiohttp
import grpc
import grpc.aio
import pytest
import pytest_asyncio

from gateway.__main__ import Gateway
from gateway.store.sqlite import migrate
from simulator.outcomes import Scenario
from simulator.running import Settings as SimulatorSettings
from simulator.running import running
from tests.rpc.world import World, merchant, settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    store = tmp_path_factory.mktemp("rpc") / "turnback.db"
    migrate(store)
    machine = SimulatorSettings(start_ms=time.time_ns() // 1_000_000)
    async with running(machine, Scenario()) as addresses:
        gateway = Gateway(settings(addresses.carriers, store))
        started = await gateway.start()
        body = {"carrier": "sf", "account": "PARTNER", "credentials": {"checkword": "check-word"}}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{addresses.control}/accounts", json=body) as response,
        ):
            assert response.status == 200, await response.text()
        async with grpc.aio.insecure_channel(started["grpc"]) as channel:
            world = World(channel, addresses.control, gateway)
            await merchant(world, "mall-tenant-token", "mall-treasury-token")
            await merchant(world, "other-tenant-token", "other-tenant-token")
            yield world
        await gateway.stop()
