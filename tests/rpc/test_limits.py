"""What a server bears: TLS, sizes, rates, streams, and an end without a lost call."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from gateway.config import Grpc
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from gateway.rpc import errors
from gateway.store.writer import Overloaded, Unavailable
from tests.rpc.world import (
    AGREEMENT,
    METHODS,
    Code,
    World,
    living,
    path,
    refusal,
    serving,
    settings,
    told,
)

OPENSSL = shutil.which("openssl")
NOWHERE = "http://127.0.0.1:1"  # no carrier is asked in these tests
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
WATCH = next(method for method in METHODS if method.name == "Watch")


@asynccontextmanager
async def alone(store: Path, **changes: Mapping[str, Any]) -> AsyncIterator[World]:
    """A gateway without carriers, and a client."""
    async with (
        serving(settings(NOWHERE, store / "turnback.db", **changes)) as (gateway, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield World(channel, "", gateway)


def watch(world: World, token: str = "mall-tenant-token") -> Any:
    stream: Any = world.channel.unary_stream(path(WATCH))
    body = intercepts.InterceptServiceWatchRequest(from_start=True).SerializeToString()
    return stream(body, metadata=(("authorization", f"Bearer {token}"),))


async def health(channel: grpc.aio.Channel, service: str = "") -> Any:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status


# -- TLS --------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    assert OPENSSL is not None
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout {key}"
    subject = f"-out {cert} -subj /CN={name} -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run([OPENSSL, *made.split(), *subject.split()], check=True, capture_output=True)
    return cert, key


@pytest.mark.skipif(
    OPENSSL is None and "CI" not in os.environ, reason="there is no openssl command"
)
async def test_tls_is_served_and_nothing_beside_it(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "gateway")
    other, _ = certificate(tmp_path, "stranger")
    tls = {"host": "127.0.0.1", "port": 0, "cert_file": cert, "key_file": key}
    given = settings(NOWHERE, tmp_path / "turnback.db", grpc=tls)
    request = merchants.MerchantServiceGetRequest(merchant_id="nobody")
    async with serving(given) as (gateway, address):
        trust = grpc.ssl_channel_credentials(cert.read_bytes())
        async with grpc.aio.secure_channel(address, trust) as channel:
            assert await health(channel) == SERVING
            code, reason, _ = await refusal(World(channel, "", gateway).ask(request))
            assert (code, reason) == (Code.NOT_FOUND, "MERCHANT_UNKNOWN")
        distrust = grpc.ssl_channel_credentials(other.read_bytes())
        async with (
            grpc.aio.insecure_channel(address) as plain,
            grpc.aio.secure_channel(address, distrust) as stranger,
        ):
            for channel in (plain, stranger):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await health(channel)
                assert caught.value.code() is Code.UNAVAILABLE


def test_plaintext_off_loopback_is_refused() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "gateway.example.com"):
        with pytest.raises(ValidationError, match="plaintext off loopback"):
            Grpc(host=host)
        assert Grpc(host=host, insecure=True).insecure
    with pytest.raises(ValidationError, match="belong together"):
        Grpc(cert_file=Path("a.pem"))


# -- sizes and rates --------------------------------------------------------------------------


async def test_a_message_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with alone(tmp_path) as world:
        get = next(m for m in METHODS if path(m).endswith("MerchantService/Get"))
        for size, expected in ((250 * 1_024, Code.INVALID_ARGUMENT), (257 * 1_024, EXHAUSTED)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await world.raw(get, b"\x0a" + b"\xff" * size, "Bearer mall-tenant-token")
            assert caught.value.code() is expected
        assert await health(world.channel) == SERVING


async def test_metadata_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with alone(tmp_path) as world:
        call: Any = world.channel.unary_unary("/turnback.v1.MerchantService/Get")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", metadata=(("x-much", "x" * 40_000),), timeout=5)
        assert caught.value.code() is EXHAUSTED
        assert await health(world.channel) == SERVING


EXHAUSTED = Code.RESOURCE_EXHAUSTED


async def test_a_rate_is_one_tenants_own(tmp_path: Path) -> None:
    tenants = settings(NOWHERE, tmp_path / "none.db").model_dump(mode="json")["tenants"]
    tenants["mall"]["per_second"] = 5
    request = merchants.MerchantServiceGetRequest(merchant_id="nobody")
    async with alone(tmp_path, tenants=tenants) as world:
        answers = [await refusal(world.ask(request)) for _ in range(12)]
        limited = [found for code, _, found in answers if code is EXHAUSTED]
        assert 0 < len(limited) <= 7  # five at once, and what comes back meanwhile
        for found in limited:
            assert found["ErrorInfo"][0].reason == "RATE_LIMITED"
            assert found["QuotaFailure"][0].violations[0].subject == "mall"
            assert 0 < found["RetryInfo"][0].retry_delay.ToTimedelta().total_seconds() <= 0.2
        for _ in range(12):
            code, reason, _ = await refusal(world.ask(request, "other-tenant-token"))
            assert (code, reason) == (Code.NOT_FOUND, "MERCHANT_UNKNOWN")


async def test_a_batch_is_as_many_calls_as_it_has_items(tmp_path: Path) -> None:
    """It is let in whole, and whoever sent it waits until as many calls could have been made."""
    tenants = settings(NOWHERE, tmp_path / "none.db").model_dump(mode="json")["tenants"]
    tenants["mall"]["per_second"] = 5
    item = intercepts.InterceptServiceCreateRequest(
        request_id="batch-owes", quote_id="q", agreement_id=AGREEMENT
    )
    request = intercepts.InterceptServiceBatchCreateRequest(items=[item] * 50)
    async with alone(tmp_path, tenants=tenants) as world:
        assert len((await world.ask(request)).results) == 50
        code, reason, found = await refusal(world.ask(request))
        assert (code, reason) == (EXHAUSTED, "RATE_LIMITED")
        wait = found["RetryInfo"][0].retry_delay.ToTimedelta().total_seconds()
        assert 5 < wait <= 9.3  # fifty at five a second, of which five had been saved up


async def test_calls_above_the_limit_are_shed(tmp_path: Path) -> None:
    async with living(tmp_path / "turnback.db", limits={"concurrency": 3}) as world:
        await world.post("faults", {"carrier": "sf", "name": "slow", "params": {"ms": 300}})
        numbers = [await world.ship() for _ in range(12)]
        asked = [asyncio.create_task(world.quote(number)) for number in numbers]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        shed = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert 0 < len(shed) <= 9
        for error in shed:
            reason, found = told(error)
            assert (error.code(), reason) == (Code.UNAVAILABLE, "OVERLOADED")
            assert found["RetryInfo"][0].retry_delay.seconds == 1
        quotes = [answer for answer in answers if isinstance(answer, intercepts.Quote)]
        assert len(quotes) + len(shed) == 12
        assert all(quote.actions[0].eligible for quote in quotes)
        page = (await world.gateway.metrics.render()).decode()
        assert f"turnback_shed_total {float(len(shed))}" in page
        assert (await world.quote(numbers[-1])).id


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Overloaded("x"), "OVERLOADED"), (Unavailable("x"), "STORE_UNAVAILABLE")],
)
def test_what_the_store_sheds_may_be_sent_again(error: Unavailable, reason: str) -> None:
    failure = errors.of_store(error)
    assert (failure.code, failure.reason) == (Code.UNAVAILABLE, reason)
    assert failure.retry_s


# -- health and streams -----------------------------------------------------------------------


async def test_health_says_what_it_is_told_of_every_service(tmp_path: Path) -> None:
    names = ("", "turnback.v1.InterceptService", "turnback.v1.OperationService")
    async with alone(tmp_path) as world:
        for serving_, status in ((True, SERVING), (False, NOT_SERVING), (True, SERVING)):
            await world.gateway.server.ready(serving_)
            assert {await health(world.channel, name) for name in names} == {status}


async def test_an_idle_watch_says_that_it_lives_and_ends(tmp_path: Path) -> None:
    limits = {"heartbeat_s": 1, "watch_s": 4}
    async with alone(tmp_path, limits=limits) as world, asyncio.timeout(15):
        stream = watch(world)
        beats = [intercepts.InterceptServiceWatchResponse.FromString(b) async for b in stream]
        assert 2 <= len(beats) <= 4
        assert all(beat.cursor and not beat.HasField("event") for beat in beats)
        assert await stream.code() is Code.OK


async def test_streams_are_counted_by_tenant(tmp_path: Path) -> None:
    limits = {"tenant_watches": 2, "heartbeat_s": 1}
    async with alone(tmp_path, limits=limits) as world, asyncio.timeout(20):
        first, second = watch(world), watch(world)
        await asyncio.gather(first.read(), second.read())
        code, reason, found = await refusal(watch(world).read())
        assert (code, reason) == (EXHAUSTED, "RATE_LIMITED")
        assert {"QuotaFailure", "RetryInfo"} <= set(found)
        theirs = watch(world, "other-tenant-token")
        await theirs.read()
        first.cancel()
        while True:
            again = watch(world)
            try:
                await again.read()
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
        assert b"turnback_watches 3.0" in await world.gateway.metrics.render()
        for stream in (second, theirs, again):
            stream.cancel()


# -- the end ----------------------------------------------------------------------------------


async def test_a_drain_loses_no_call_and_ends_soon(tmp_path: Path) -> None:
    limits = {"heartbeat_s": 1}
    loop = asyncio.get_running_loop()
    async with living(tmp_path / "turnback.db", limits=limits) as world, asyncio.timeout(60):
        quotes = [await world.quote(await world.ship()) for _ in range(40)]
        stream = watch(world)
        await stream.read()
        health_stub: Any = health_pb2_grpc.HealthStub(world.channel)
        states = health_stub.Watch(health_pb2.HealthCheckRequest())
        assert (await states.read()).status == SERVING
        slow = {"carrier": "sf", "name": "slow", "operation": "intercept", "params": {"ms": 1500}}
        await world.post("faults", slow)
        calls = [
            asyncio.create_task(world.create(quote.id, f"drained-{number:04}"))
            for number, quote in enumerate(quotes)
        ]
        while True:  # until each has arrived
            if sum(call.done() for call in calls) + await under_way(world) == len(calls):
                break
            await asyncio.sleep(0.01)
        assert sum(not call.done() for call in calls) >= 5  # the others wait for a send slot
        began = loop.time()
        draining = asyncio.create_task(world.gateway.server.drain(25))
        await asyncio.sleep(0)
        code, reason, found = await refusal(
            world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))
        )
        assert (code, reason) == (Code.UNAVAILABLE, "DRAINING")
        assert found["RetryInfo"]
        assert (await states.read()).status == NOT_SERVING
        answers = await asyncio.gather(*calls)
        assert [answer.interception.quote_id for answer in answers] == [q.id for q in quotes]
        code, reason, _ = await refusal(_rest(stream))
        assert (code, reason) == (Code.UNAVAILABLE, "DRAINING")
        await draining
        assert loop.time() - began < 5  # of the twenty-five that it may take
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(world.channel)
        assert caught.value.code() is Code.UNAVAILABLE


async def under_way(world: World) -> int:
    """Calls that have arrived and are not answered yet."""
    page = (await world.gateway.metrics.render()).decode()
    (line,) = (line for line in page.splitlines() if line.startswith("turnback_rpc_in_flight "))
    return int(float(line.split()[1]))


async def _rest(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass
