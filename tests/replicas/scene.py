"""Several gateways on one PostgreSQL database, the simulator behind them, a client for each."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
from pydantic import SecretStr

from gateway.config import StoreSettings
from simulator.outcomes import Scenario
from simulator.running import Settings as SimulatorSettings
from simulator.running import running
from tests.rpc.world import ACCOUNT, World, merchant, serving, settings

TRIES_MAX = 100
PAUSE_S = 0.1
T = TypeVar("T")


@asynccontextmanager
async def replicas(
    urls: Sequence[str], silent_s: float = 20, **changes: Mapping[str, Any]
) -> AsyncIterator[list[World]]:
    """A gateway for each URL, all of the same database. Waybills differ between them."""
    machine = SimulatorSettings(start_ms=time.time_ns() // 1_000_000, frozen=False)
    numbers = itertools.count(1)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(running(machine, Scenario()))
        worlds: list[World] = []
        for url in urls:
            given = settings(there.carriers, Path(), **changes)
            store = StoreSettings(url=SecretStr(url), silent_s=silent_s)
            given = given.model_copy(update={"store": store})
            gateway, address = await stack.enter_async_context(serving(given))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            worlds.append(World(channel, there.control, gateway, numbers))
        await worlds[0].post("accounts", ACCOUNT)
        await merchant(worlds[0], "mall-tenant-token", "mall-treasury-token")
        yield worlds


async def patient(call: Callable[[], Awaitable[T]]) -> T:
    """As a client does it: the same call again where it could not be taken."""
    for _ in range(TRIES_MAX):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        await asyncio.sleep(PAUSE_S)
    return await call()
