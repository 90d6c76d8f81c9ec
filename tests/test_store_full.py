"""A disk that takes nothing more: not ready while it lasts, reads work, and it mends by itself."""

import asyncio
import resource
from pathlib import Path

import aiohttp
import grpc
import grpc.aio
import pytest

from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from loadtest import client as wire
from loadtest.client import Client, Method
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet
from loadtest.simulation import Simulation

GET = Method("MerchantService/Get", merchants.MerchantServiceGetResponse)
LOOKS = 30  # at readiness, over several looks for due work
SOON_S = 10.0


async def readiness(metrics: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{metrics}/readyz") as answer:
        assert (answer.status == 200) == (await answer.text() == "ok\n")
        return (await answer.text()).strip()


def let_write(fleet: Fleet, size: int) -> None:
    """How large the gateway may make a file from now on: at 0 every write of it fails."""
    pid = fleet.pid("gateway")
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


async def test_a_full_disk_is_told_and_left_again(tmp_path: Path) -> None:
    async with (
        Fleet(tmp_path) as fleet,
        Simulation(fleet.control) as simulation,
        Client(fleet.grpc, fleet.tokens, tries=1) as client,
    ):
        crowd = Crowd(fleet, simulation, seed=7)
        crowd.replicas.up(0)
        await crowd.merchant()
        await crowd.close()
        (key,) = crowd.merchants
        get = merchants.MerchantServiceGetRequest(merchant_id=key)
        merchant = (await client.call(GET, get)).merchant
        assert await readiness(fleet.metrics) == "ok"

        other = merchants.Merchant()
        other.CopyFrom(merchant)
        other.id = "new"
        change = merchants.MerchantServiceUpsertRequest(merchant=other)
        let_write(fleet, 0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.call(wire.UPSERT, change)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "STORE_UNAVAILABLE" in (caught.value.details() or "")
        said = set()
        for _ in range(LOOKS):
            said.add(await readiness(fleet.metrics))
            assert (await client.call(GET, get)).merchant == merchant
            await asyncio.sleep(0.05)
        assert said == {"store"}

        let_write(fleet, resource.RLIM_INFINITY)
        async with asyncio.timeout(SOON_S):  # nobody writes: it finds out by itself
            while True:
                if await readiness(fleet.metrics) == "ok":
                    break
                await asyncio.sleep(0.05)
        await client.call(wire.UPSERT, change)
