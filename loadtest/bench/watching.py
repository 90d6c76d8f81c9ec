"""What it costs to tell one event to one watcher."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest import client as wire
from loadtest.bench.sides import Phase, Side
from loadtest.bench.stage import Stage
from loadtest.ledger import rows
from loadtest.processes import cpu_us

HEAR_S = 60.0
NEWEST = "SELECT COALESCE(MAX(position), 0) FROM event"
Open = Callable[[str], Any]  # a stream that goes on after a cursor


def opening(channel: Any, token: str) -> Open:
    ask: Any = channel.unary_stream(
        f"/turnback.v1.{wire.WATCH.path}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=wire.WATCH.answer.FromString,
    )
    metadata = (("authorization", f"Bearer {token}"),)
    return lambda cursor: ask(
        pb.InterceptServiceWatchRequest(cursor=cursor, from_start=not cursor), metadata=metadata
    )


async def newest(stage: Stage) -> int:
    """The position of the last event."""
    return int((await rows(stage.fleet.store_url, NEWEST))[0][0])


async def heard(stream: Any, count: int) -> list[Any]:
    """So many events, heartbeats left out; then the stream is dropped."""
    found = []
    async with asyncio.timeout(HEAR_S):
        async for answer in stream:
            if answer.HasField("event"):
                found.append(answer)
            if len(found) >= count:
                break
    stream.cancel()
    return found


@dataclass(frozen=True, slots=True)
class Listened:
    """Creates with watchers, less Creates without: what is left is the telling."""

    stage: Stage
    creates: Side
    open: Open
    watchers: int

    async def phase(self, count: int, callers: int) -> Phase:
        before = await newest(self.stage)
        alone = await self.creates.phase(count, callers)
        cursor = await newest(self.stage)
        events = cursor - before
        ears = [
            asyncio.create_task(heard(self.open(str(cursor)), events)) for _ in range(self.watchers)
        ]
        used, began = cpu_us(self.creates.pid), time.perf_counter()
        await self.creates.phase(count, callers)
        await asyncio.gather(*ears)
        seconds = time.perf_counter() - began
        told = cpu_us(self.creates.pid) - used - alone.cpu_us * count
        return Phase(events * self.watchers, told / (events * self.watchers), seconds, [])


@dataclass(frozen=True, slots=True)
class Streamed:
    """The floor: bytes made once, written to as many streams."""

    pid: int
    open: Open
    watchers: int
    events: int  # of one Create

    async def phase(self, count: int, callers: int) -> Phase:
        events = count * self.events
        before, began = cpu_us(self.pid), time.perf_counter()
        await asyncio.gather(*(heard(self.open(str(events)), events) for _ in range(self.watchers)))
        seconds = time.perf_counter() - began
        told = events * self.watchers
        return Phase(told, (cpu_us(self.pid) - before) / told, seconds, [])
