"""A cheap generator: calls that were written beforehand go out as bytes, and come back as bytes.

No message is made or read while the load is on, so that the generator takes little of the core it
shares with the carriers. What was answered is read afterwards.
"""

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from loadtest import client as wire
from loadtest.pressure.figures import Answer
from loadtest.traffic import answers

CHANNELS = 4  # one connection carries a bounded number of calls at a time
OPTIONS: Sequence[tuple[str, str | int]] = (
    *wire.OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),  # else all channels share one connection
)
CALL_S = 10.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A Create as it goes out, and whose it is: (carrier, waybill)."""

    key: tuple[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: the answer's bytes, or those of the status's details."""

    key: tuple[str, str]
    due_s: float
    took_ms: float
    late_ms: float
    code: grpc.StatusCode
    said: bytes = field(repr=False)

    def read(self) -> Answer:
        if self.code is grpc.StatusCode.OK:
            return Answer(self.due_s, self.took_ms, self.late_ms, self.code.name)
        no = answers.no(self.code, "", [(answers.STATUS_DETAILS, self.said)])
        retry = no.pause_s is not None
        return Answer(self.due_s, self.took_ms, self.late_ms, self.code.name, retry, no.reason)


class Replay:
    """`async with Replay(address, token) as replay:`"""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channels: list[grpc.aio.Channel] = []
        self._asks: Iterator[Any] = iter(())

    async def __aenter__(self) -> Self:
        self._channels = [
            grpc.aio.insecure_channel(self._address, options=list(OPTIONS)) for _ in range(CHANNELS)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels))
        path = f"/turnback.v1.{wire.CREATE.path}"
        self._asks = cycle([channel.unary_unary(path) for channel in self._channels])
        gc.collect()
        gc.freeze()  # thousands of parcels need not be looked through while the load is on
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        gc.unfreeze()
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def offered(self, calls: Sequence[Ready], at_s: Sequence[float]) -> list[Heard]:
        """Each goes out at its time, whether or not those before it were answered."""
        began, tasks = time.perf_counter(), []
        for call, due_s in zip(calls, at_s, strict=True):
            await asyncio.sleep(max(0.0, began + due_s - time.perf_counter()))
            tasks.append(asyncio.create_task(self._one(call, due_s, began)))
        return list(await asyncio.gather(*tasks))

    async def taken(self, calls: Sequence[Ready], callers: int, seconds: float) -> list[Heard]:
        """So many callers, each with the next call as soon as his last was answered, until the time
        is over or no call is left."""
        began, left, heard = time.perf_counter(), list(reversed(calls)), list[Heard]()

        async def caller() -> None:
            while left and (now_s := time.perf_counter() - began) < seconds:
                heard.append(await self._one(left.pop(), now_s, began))

        await asyncio.gather(*(caller() for _ in range(callers)))
        return heard

    async def _one(self, call: Ready, due_s: float, began: float) -> Heard:
        """The one answer to one call."""
        due = began + due_s
        late_ms = (time.perf_counter() - due) * 1000
        code, said = grpc.StatusCode.OK, b""
        try:
            said = await next(self._asks)(call.body, metadata=self._metadata, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            for key, value in error.trailing_metadata() or ():
                if key == answers.STATUS_DETAILS and isinstance(value, bytes):
                    said = value
        took_ms = (time.perf_counter() - due) * 1000
        return Heard(call.key, due_s, took_ms, late_ms, code, said)
