"""The feed: a stream is told of all that concerns it, once and in order, however far behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.rpc.feed import PAGE, Feed, Reader, Scope
from gateway.store.writer import Unavailable
from tests.rpc.world import METHODS, Code, World, living, path, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")
EACH = 4  # events of an interception that its carrier accepts: two of its decision, two of money


def feed_of(world: World, most: int = 1_000) -> Feed:
    store = world.gateway.store
    return Feed(store, store.terms, most)


def read(messages: Any) -> list[Any]:
    return [intercepts.InterceptServiceWatchResponse.FromString(raw) for raw in messages]


async def gather(feed: Feed, reader: Reader, position: int, count: int) -> tuple[list[Any], int]:
    """Until so many have come."""
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            more, position = await feed.after(reader, position)
            found += read(more)
    return found, position


async def newest(world: World) -> int:
    return await world.gateway.store.changed(-1, 0)


@asynccontextmanager
async def begun(feed: Feed, scope: Scope) -> AsyncIterator[Reader]:
    with feed.reading(scope) as reader:
        await asyncio.sleep(0)
        yield reader


async def made(world: World, key: str, token: str = "mall-tenant-token") -> str:
    quote = await world.quote(await world.ship(), token)
    return str((await world.settled(quote.id, key, token)).id)


@pytest.mark.parametrize("behind", [True, False])
async def test_every_scope_is_told_of_its_own(world: World, behind: bool) -> None:
    """From what is kept of the log, and from the log itself."""
    feed, mark = feed_of(world), f"feed-{behind}"
    start = await newest(world)
    if behind:  # of where the feed begins
        earlier = [await made(world, f"{mark}-0")]
    async with begun(feed, Scope("mall")) as lead:
        if not behind:
            await gather_none(feed, lead, start)
            earlier = []
        first, second = [await made(world, f"{mark}-{n}") for n in (1, 2)]
        third = await made(world, f"{mark}-3", "other-tenant-token")
        mine = [*earlier, first, second]
        for scope, keys in (
            (Scope("mall"), mine),
            (Scope("mall", merchant="mall/m1"), mine),
            (Scope("mall", interception=first), [first]),
            (Scope("other"), [third]),
            (Scope("mall", merchant="mall/nobody"), []),
        ):
            with feed.reading(scope) as reader:
                found, position = await gather(feed, reader, start, EACH * len(keys))
                assert [one.interception.id for one in found] == [k for k in keys for _ in "four"]
                assert [one.event.seq for one in found] == [*range(1, EACH + 1)] * len(keys)
                more, position = await feed.after(reader, position)
                assert (list(more), position) == ([], await newest(world))


async def test_many_readers_cost_one_reading(world: World) -> None:
    feed = feed_of(world)
    async with begun(feed, Scope("mall")) as lead:
        start = await newest(world)
        await gather_none(feed, lead, start)
        readers = [Reader(Scope("mall")) for _ in range(20)]
        feed._readers.update(readers)
        before = feed.pages
        await made(world, "feed-shared")
        answers = await asyncio.gather(*(gather(feed, one, start, EACH) for one in readers))
        assert all(len(found) == EACH for found, _ in answers)
        assert feed.pages - before <= EACH  # one a commit, and not one a commit and reader


async def gather_none(feed: Feed, reader: Reader, position: int) -> None:
    found, _ = await feed.after(reader, position)
    assert not found


async def test_who_is_behind_the_ring_misses_nothing(world: World) -> None:
    feed = feed_of(world, most=3)
    async with begun(feed, Scope("mall")) as slow:
        start = await newest(world)
        keys = [await made(world, f"feed-behind-{n}") for n in range(3)]
        found, position = await gather(feed, slow, start, 3 * EACH)
        last = await made(world, "feed-behind-4")
        more, _ = await gather(feed, slow, position, EACH)
        told = [one.event for one in found + more]
        assert [one.interception_id for one in told] == [
            key for key in (*keys, last) for _ in range(EACH)
        ]
        assert [one.seq for one in told] == [*range(1, EACH + 1)] * 4


async def test_pages_from_the_start_lead_into_the_feed(world: World) -> None:
    """More than a page lies behind whoever begins at the start, and more is written meanwhile."""
    feed = feed_of(world)
    while len(await world.gateway.store.events("mall", limit=PAGE + 1)) <= PAGE:
        await made(world, f"feed-history-{await newest(world)}")
    writing = asyncio.create_task(made(world, "feed-meanwhile"))
    async with begun(feed, Scope("mall")) as reader:
        found, position = await gather(feed, reader, 0, PAGE)
        key = await writing
        while not any(one.event.interception_id == key and one.event.seq == EACH for one in found):
            more, position = await feed.after(reader, position)
            found += read(more)
    cursors = [int(one.cursor) for one in found]
    assert cursors == sorted(set(cursors))
    told = await world.gateway.store.events("mall", limit=10_000)
    assert cursors == [at for at, _ in told]


async def test_nothing_is_read_while_nobody_watches(world: World) -> None:
    feed = feed_of(world)
    with feed.reading(Scope("mall")):
        await asyncio.sleep(0.05)
    before = feed.pages
    await made(world, "feed-unwatched")
    assert feed.pages == before
    assert feed._task is None
    assert not feed._ring


async def test_a_store_that_fails_ends_the_streams_and_they_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "turnback.db"
    async with living(path) as world:
        feed = feed_of(world)
        async with begun(feed, Scope("mall")) as reader:
            start = await newest(world)
            await gather_none(feed, reader, start)
            quote = await world.quote(await world.ship())
            away = path.rename(tmp_path / "away.db")  # what is open can be written, and not read
            creating = asyncio.create_task(world.create(quote.id, "feed-unread"))
            with pytest.raises(Unavailable):
                await gather(feed, reader, start, EACH)
            away.rename(path)
            await creating
        async with begun(feed, Scope("mall")) as reader:
            found, _ = await gather(feed, reader, start, EACH)
            assert {one.event.interception_id for one in found} == {
                (await creating).interception.id
            }


async def test_streams_that_come_and_go_are_told_everything_once(world: World) -> None:
    """Whoever leaves as the log moves ends the reading, and whoever comes begins it anew."""
    feed, start = feed_of(world), await newest(world)
    quotes = [await world.quote(await world.ship()) for _ in range(60)]
    writing = asyncio.gather(
        *(world.settled(quote.id, f"come-and-go-{n:04}") for n, quote in enumerate(quotes))
    )
    cursors: list[int] = []
    position, moved = start, world.gateway.store.changed
    async with asyncio.timeout(60):
        while not writing.done() or len(cursors) < EACH * len(quotes):
            with feed.reading(Scope("mall")) as reader:
                for _ in range(2):
                    found, position = await feed.after(reader, position)
                    cursors += [int(one.cursor) for one in read(found)]
                await moved(await newest(world), 0.05)  # and leaves at the very moment
    told = [at for at, _ in await world.gateway.store.events("mall", after=start, limit=10_000)]
    assert cursors == told[: len(cursors)]


async def test_a_reading_that_outlives_its_end_brings_nothing(world: World) -> None:
    """A cancellation can come too late for what it is to end."""
    feed = feed_of(world)
    async with begun(feed, Scope("mall")) as reader:
        start = await newest(world)
        await gather_none(feed, reader, start)
        stray = asyncio.create_task(feed._run())
        await asyncio.sleep(0)
        keys = [await made(world, f"feed-stray-{n}") for n in range(3)]
        found, _ = await gather(feed, reader, start, EACH * len(keys))
        assert [one.event.interception_id for one in found] == [k for k in keys for _ in "four"]
        async with asyncio.timeout(5):
            await stray


async def test_a_cursor_may_be_ahead_of_what_this_process_has_heard_of(tmp_path: Path) -> None:
    """Readers see a commit before its writer is told that it is done, and another gateway's before
    its word arrives: whoever has read it may go on from there. Past the log's end nobody may."""
    store = tmp_path / "turnback.db"
    watch = next(m for m in METHODS if m.name == "Watch")
    ahead = 2
    async with living(store) as world:
        await made(world, "feed-ahead-1")
        heard = await newest(world)
        with closing(sqlite3.connect(store)) as db, db:
            for at in range(1, ahead + 1):
                db.execute(
                    "INSERT INTO event SELECT position + ?, id || '/' || ?, interception, tenant, "
                    "seq + ?, col, source, target, cause, evidence, actor, at FROM event "
                    "WHERE position = ?",
                    (at, at, at, heard),
                )
            (last,) = db.execute("SELECT MAX(position) FROM event").fetchone()
        assert await newest(world) == heard < last

        def ask(cursor: int) -> Any:
            asked = intercepts.InterceptServiceWatchRequest(cursor=str(cursor))
            metadata = (("authorization", "Bearer mall-tenant-token"),)
            call: Any = world.channel.unary_stream(path(watch))
            return call(asked.SerializeToString(), metadata=metadata)

        stream = ask(last)
        following = await made(world, "feed-ahead-2")
        async with asyncio.timeout(10):
            (first,) = read([await stream.read()])
        stream.cancel()
        assert first.interception.id == following
        code, reason, _ = await refusal(ask(last + 100).read())
        assert (code, reason) == (Code.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
