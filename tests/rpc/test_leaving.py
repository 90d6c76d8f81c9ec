"""A gateway that is stopped under load: it says so first, ends what is under way, and is missed by
nobody who follows the published service config."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.assembly import Gateway
from gateway.config import Limits
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet
from loadtest.simulation import Simulation
from loadtest.steady import Steady, options, target
from tests.rpc.world import METHODS, Code, World, living, path, serving, settings

NOWHERE = "http://127.0.0.1:1"  # no carrier is asked
LIST = next(m for m in METHODS if path(m) == "/turnback.v1.CarrierService/List")
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
EXIT_S = 30.0  # from SIGTERM to the end, whatever happens


async def readiness(metrics: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{metrics}/readyz") as answer:
        return answer.status, (await answer.text()).strip()


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await so():
                return
            await asyncio.sleep(0.02)


async def leaving(metrics: str) -> bool:
    return await readiness(metrics) == (503, "leaving")


async def still_answers(address: str, token: str) -> None:
    """Health says no, and a client that does not listen to it is answered all the same."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        said = await stub.Check(health_pb2.HealthCheckRequest(service=""), timeout=5)
        assert said.status == NOT_SERVING
        call: Any = channel.unary_unary(path(LIST))
        await call(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=5)


def ends_of_calls(log: Path) -> Iterator[tuple[str, str]]:
    """Every call that reached the gateway, and how it ended: its code, or the reason it was told.

    A client repeats a call that was cut off, and then cannot tell; the gateway can.
    """
    for line in log.read_text("utf-8").splitlines():
        said = json.loads(line)
        if said["event"] == "rpc":
            yield said["method"], said.get("reason") or said["code"]


async def test_sigterm_under_load_fails_no_call_that_is_under_way(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    limits = {"limits": {"lame_duck_ms": 1_500}}
    async with Fleet(tmp_path, settings=limits) as fleet, Simulation(fleet.control) as simulation:
        slow = {"carrier": "zto", "name": "slow", "operation": "intercept", "params": {"ms": 400}}
        await simulation.fault(**slow)
        crowd = Crowd(fleet, simulation, seed=7)
        crowd.replicas.up(0)
        await crowd.merchant()
        async with Steady(crowd, [fleet.grpc]) as steady:
            await steady.more(60)
            assert not steady.failed
            began = clock()
            os.kill(fleet.pid("gateway"), signal.SIGTERM)
            await until(lambda: leaving(fleet.metrics))
            await still_answers(fleet.grpc, fleet.tokens.platform)
            assert await fleet.gateway_ended(EXIT_S) == 0
            assert clock() - began < EXIT_S
            await fleet.start_gateway()
            await steady.more(60)
        await crowd.close()
        assert {each.code for each in steady.failed} <= {Code.UNAVAILABLE}
        assert await steady.faults([fleet.grpc]) == []
        ends = Counter(ends_of_calls(fleet.log_file("gateway")))
        assert ends["InterceptService/Create", "OK"] >= 20
        assert ends["InterceptService/Watch", "DRAINING"] == 1
        assert {said for method, said in ends if "Watch" not in method} <= {"OK", "DRAINING"}


async def test_one_of_two_leaves_and_its_clients_do_not_notice(tmp_path: Path) -> None:
    """Both answer alike, so that their stores do not matter here."""
    answers: Counter[str] = Counter()
    limits = {"lame_duck_ms": 500}

    def of(name: str) -> AbstractAsyncContextManager[tuple[Gateway, str]]:
        return serving(settings(NOWHERE, tmp_path / f"{name}.db", limits=limits))

    async with AsyncExitStack() as first, of("stays") as (stays, address):
        leaves, other = await first.enter_async_context(of("leaves"))
        going = True

        async def ask_on(call: Any) -> None:
            metadata = (("authorization", "Bearer mall-tenant-token"),)
            while going:
                try:
                    await call(b"", metadata=metadata)
                except grpc.aio.AioRpcError as error:
                    answers[f"{error.code()} {error.details()}"] += 1
                else:
                    answers["OK"] += 1

        name = target([other, address])
        async with grpc.aio.insecure_channel(name, options=list(options())) as channel:
            callers = [
                asyncio.create_task(ask_on(channel.unary_unary(path(LIST)))) for _ in range(16)
            ]
            await reached(leaves, 50)
            await reached(stays, 50)
            await first.aclose()
            await reached(stays, await served(stays) + 100)
            going = False
            await asyncio.gather(*callers)
    assert set(answers) == {"OK"}


async def reached(gateway: Gateway, calls: float) -> None:
    async def so() -> bool:
        return await served(gateway) >= calls

    await until(so)


async def served(gateway: Gateway) -> float:
    page = (await gateway.metrics.render()).decode()
    told = [line for line in page.splitlines() if line.startswith("turnback_rpc_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in told if "CarrierService/List" in line)


async def test_clients_are_sent_away_while_calls_are_still_under_way(tmp_path: Path) -> None:
    """Not when the last call has ended: one that balances would go on sending its share."""
    async with living(tmp_path / "turnback.db") as world, asyncio.timeout(30):
        quote = await world.quote(await world.ship())
        slow = {"carrier": "sf", "name": "slow", "operation": "intercept", "params": {"ms": 3_000}}
        await world.post("faults", slow)
        creating = asyncio.create_task(world.create(quote.id, "still-under-way"))
        await until(lambda: under_way(world))
        draining = asyncio.create_task(world.gateway.server.drain(25))
        await until(lambda: refused(world.gateway.server.port))
        assert not creating.done()
        assert (await creating).interception.quote_id == quote.id
        await draining


async def under_way(world: World) -> bool:
    return b"turnback_rpc_in_flight 1.0" in await world.gateway.metrics.render()


async def refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_the_end_comes_in_time_whatever_hangs(tmp_path: Path) -> None:
    """A carrier that does not answer, a Create that waits for it, a client that watches the health.

    There is one deadline for the calls of clients and of carriers together, not one for each.
    """
    loop = asyncio.get_running_loop()
    limits = {"drain_s": 4, "answer_within_ms": 30_000, "lame_duck_ms": 500}
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(living(tmp_path / "turnback.db", limits=limits))
        quote = await world.quote(await world.ship())
        await world.post("faults", {"carrier": "sf", "name": "slow", "params": {"ms": 25_000}})
        creating = asyncio.create_task(world.create(quote.id, "carrier-hangs"))
        await until(lambda: under_way(world))
        stub: Any = health_pb2_grpc.HealthStub(world.channel)
        await stub.Watch(health_pb2.HealthCheckRequest()).read()
        began = loop.time()
        await world.gateway.stop()
        assert loop.time() - began < Limits(**limits).drain_s + EXIT_S - Limits().drain_s - 2
        await asyncio.gather(creating, return_exceptions=True)
