"""Replicas on one database: a push is kept once, a Watch misses nothing, leases go by one clock."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.clock import Clock, steady_ms
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.store.store import Store, driver
from tests.engines import Engine
from tests.ledgers import terms
from tests.replicas.proxy import line
from tests.replicas.scene import patient, replicas
from tests.rpc.world import METHODS, World, path

HOUR_MS = 3_600_000
BODY = Path(__file__).parent.parent / "golden/sf/push.json"
NOW_MS = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


@pytest_asyncio.fixture
async def three(shared: Engine) -> AsyncIterator[list[World]]:
    async with replicas([shared.url] * 3) as worlds:
        yield worlds


async def test_a_push_that_reaches_every_replica_is_kept_once(
    shared: Engine, three: list[World]
) -> None:
    golden = json.loads(BODY.read_text("utf-8"))["pushes"][0]["body"]
    bodies = [golden.replace('"id":"163"', f'"id":"{number}"') for number in range(900, 912)]
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:

        async def push(world: World, body: str) -> int:
            address = f"{world.gateway.addresses['push']}/push/sf/main"
            async with session.post(address, data=body.encode()) as answer:
                return answer.status

        told = await asyncio.gather(*(push(world, body) for body in bodies for world in three))
    assert set(told) == {200}
    kept = shared.table("SELECT id FROM inbox")
    assert len(kept) == len(bodies)


async def test_a_watch_on_any_replica_misses_nothing_that_the_others_write(
    shared: Engine, three: list[World]
) -> None:
    watched = [asyncio.create_task(watch(world)) for world in three]

    async def life(world: World, number: int) -> None:
        waybill = await world.ship()
        quote = await patient(lambda: world.quote(waybill))
        await patient(lambda: world.create(quote.id, f"watched-{number:04}"))

    work = [life(three[number % 3], number) for number in range(24)]
    await asyncio.gather(*work)
    for world in three:
        await world.idle()
    written = shared.table("SELECT interception, seq FROM event ORDER BY position")
    assert len(written) >= 24 * 3
    for task in watched:
        seen = await asyncio.wait_for(task, 10)
        assert seen[: len(written)] == written


async def watch(world: World) -> list[tuple[str, int]]:
    """What one replica's stream tells until it has been quiet for a while."""
    method = next(m for m in METHODS if m.name == "Watch")
    call: Any = world.channel.unary_stream(path(method))
    request = intercepts.InterceptServiceWatchRequest(from_start=True).SerializeToString()
    stream = call(request, metadata=(("authorization", "Bearer mall-tenant-token"),))
    found: list[tuple[str, int]] = []
    answers = aiter(stream)
    while True:
        try:
            raw = await asyncio.wait_for(anext(answers), 3.0)
        except TimeoutError:
            stream.cancel()
            return found
        told = intercepts.InterceptServiceWatchResponse.FromString(raw)
        if told.HasField("event"):
            found.append((told.interception.id, told.event.seq))


@pytest.mark.parametrize("ahead_ms", [-HOUR_MS, HOUR_MS])
async def test_a_replica_whose_clock_is_wrong_goes_by_the_databases(
    shared: Engine, ahead_ms: int
) -> None:
    clock = wrong(ahead_ms)
    await driver(shared.url).migrate()
    store = Store(driver(shared.url), clock, terms())
    await store.start()
    try:
        assert abs(clock.machine_ms() - time.time_ns() // 1_000_000) < 2_000
        assert abs(clock.now() - clock.machine_ms()) < 10, "business time goes by it too"
    finally:
        await store.stop()


async def test_an_answer_that_comes_late_sets_no_clock_back(shared: Engine) -> None:
    """Or a replica that stood still while the database answered would trust a lapsed lease."""
    await driver(shared.url).migrate()
    clock = Clock()
    async with line(shared.url) as proxy:
        store = Store(driver(proxy.url), clock, terms())
        proxy.lag_s = 0.4
        await store.start()
        try:
            ((there,),) = shared.table(NOW_MS)
            assert clock.machine_ms() >= there - 20
        finally:
            proxy.lag_s = 0.0
            await store.stop()


def wrong(ahead_ms: int) -> Clock:
    """A clock as a machine has it whose wall clock is wrong by so much."""
    clock = Clock()
    clock.anchor(time.time_ns() // 1_000_000 + ahead_ms, steady_ms())
    return clock


async def test_a_replica_that_was_forgotten_writes_again(
    shared: Engine, three: list[World]
) -> None:
    """One that stood still for a day, outside of any transaction, finds its row gone."""
    shared.run("DELETE FROM replica")
    world = three[1]
    quote = await world.quote(await world.ship())
    row = (await world.create(quote.id, "forgotten-0001")).interception
    assert row.id
    await world.idle()
