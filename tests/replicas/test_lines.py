"""The line between a replica and its database: silent, broken, cut at COMMIT, and well again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from tests.engines import Engine
from tests.replicas.proxy import Cut, Proxy, line
from tests.replicas.scene import patient, replicas
from tests.rpc.world import World

SILENT_S = 1.5
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replicas; the line of the second goes through a proxy."""

    whole: World
    other: World
    proxy: Proxy


@pytest_asyncio.fixture
async def pair(shared: Engine) -> AsyncIterator[Pair]:
    async with (
        line(shared.url) as proxy,
        replicas([shared.url, proxy.url], silent_s=SILENT_S) as (whole, other),
    ):
        yield Pair(whole, other, proxy)
        proxy.thaw()
        proxy.up()


async def until(true: Callable[[], bool], within_s: float) -> None:
    for _ in range(round(within_s / LOOK_S)):
        if true():
            return
        await asyncio.sleep(LOOK_S)
    assert true()


async def test_a_replica_that_the_database_does_not_answer_is_not_ready_and_recovers(
    shared: Engine, pair: Pair
) -> None:
    waybill = await pair.other.ship()
    quote = await pair.other.quote(waybill)
    pair.proxy.silent()
    row = pair.other.gateway
    await until(lambda: not row.store.healthy, 4 * SILENT_S + 6)
    reading = asyncio.ensure_future(pair.other.log("none"))
    created = (await pair.whole.create(quote.id, "partition-0001")).interception
    assert created.id, "the others go on"
    async with asyncio.timeout(4 * SILENT_S + 6):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reading
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, "a reader does not hang"
    pair.proxy.thaw()
    await until(lambda: row.store.healthy, 15)
    again = await patient(lambda: pair.other.create(quote.id, "partition-0001"))
    assert (again.interception.id, again.replayed) == (created.id, True)
    await pair.whole.idle()
    assert shared.table("SELECT COUNT(*) FROM transfer WHERE kind = 'hold'") == [(1,)]


async def test_a_watch_goes_on_after_its_replica_was_cut_off(pair: Pair) -> None:
    before = pair.other.gateway.store._position
    pair.proxy.silent()
    await until(lambda: not pair.other.gateway.store.healthy, 4 * SILENT_S + 6)
    quote = await pair.whole.quote(await pair.whole.ship())
    await pair.whole.settled(quote.id, "cut-off-0001")
    newest = await pair.whole.gateway.store.changed(0, 1.0)
    assert newest > before
    pair.proxy.thaw()
    assert await pair.other.gateway.store.changed(newest - 1, 15) >= newest


@pytest.mark.parametrize("words", [b"INSERT INTO replica", b"SELECT version FROM schema_version"])
async def test_a_database_that_falls_silent_while_a_replica_joins_is_given_up(
    pair: Pair, words: bytes
) -> None:
    quote = await pair.other.quote(await pair.other.ship())
    pair.proxy.mute = words
    pair.proxy.hang_up()
    await until(lambda: not pair.proxy.mute, 10)
    store = pair.other.gateway.store
    await until(lambda: store.healthy, 4 * SILENT_S + 6)
    created = await patient(lambda: pair.other.create(quote.id, "joining-0001"))
    assert created.interception.id


@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_lost_at_commit_is_settled_by_what_the_server_did(
    shared: Engine, pair: Pair, cut: Cut
) -> None:
    """The caller never learns of it: what was committed is answered, what was not is done."""
    quote = await pair.other.quote(await pair.other.ship())
    await pair.other.idle()
    pair.proxy.cut = cut
    created = await patient(lambda: pair.other.create(quote.id, "commit-0001"))
    await until(lambda: pair.proxy.cuts == 1, 5)
    again = await patient(lambda: pair.other.create(quote.id, "commit-0001"))
    assert again.interception.id == created.interception.id
    await pair.whole.idle()
    assert shared.table("SELECT COUNT(*) FROM interception") == [(1,)]
    assert shared.table("SELECT COUNT(*) FROM transfer WHERE kind = 'hold'") == [(1,)]
    assert await pair.whole.gateway.store.audit() == []


async def test_nothing_is_promised_while_the_database_is_away(shared: Engine, pair: Pair) -> None:
    quote = await pair.other.quote(await pair.other.ship())
    pair.proxy.down()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pair.other.create(quote.id, "away-0001")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await until(lambda: not pair.other.gateway.store.healthy, 5)
    assert shared.table("SELECT COUNT(*) FROM interception") == [(0,)]
    pair.proxy.up()
    created = await patient(lambda: pair.other.create(quote.id, "away-0001"))
    assert created.interception.id
    assert not created.replayed
    await pair.whole.idle()


async def test_a_transaction_that_stands_still_is_let_go_and_done_again(
    shared: Engine, pair: Pair
) -> None:
    """Longer than the server lets a transaction idle, shorter than the replica gives up."""
    quotes = [await world.quote(await world.ship()) for world in (pair.other, pair.whole)]
    pair.proxy.lag_s = 0.3
    slow = asyncio.ensure_future(patient(lambda: pair.other.create(quotes[0].id, "still-0001")))
    await asyncio.sleep(0.7)  # by now it is inside of a transaction
    pair.proxy.silent()
    fast = await patient(lambda: pair.whole.create(quotes[1].id, "still-0002"))
    assert fast.interception.id, "it waits for the wallet no longer than the server lets it"
    pair.proxy.lag_s = 0.0
    pair.proxy.thaw()
    assert (await asyncio.wait_for(slow, 20)).interception.id
    await pair.whole.idle()
    assert shared.table("SELECT COUNT(*) FROM transfer WHERE kind = 'hold'") == [(2,)]
