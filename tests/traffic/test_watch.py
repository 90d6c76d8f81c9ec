"""The ear of a run, at a server that ends its streams in every way there is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest import watch
from loadtest.client import Client
from loadtest.fleet import FleetError, Tokens
from loadtest.watch import EXPECTED, Watcher

Code = grpc.StatusCode


@asynccontextmanager
async def ending(
    *codes: grpc.StatusCode | None, silent_s: float = watch.SILENT_S
) -> AsyncIterator[Watcher]:
    """At a server whose streams tell one event each, and end so in turn; then they are silent."""
    asked: list[str] = []

    async def handle(request: pb.InterceptServiceWatchRequest, context: Any) -> AsyncIterator[Any]:
        asked.append(request.cursor)
        turn = len(asked)
        assert request.cursor == (str(turn - 1) if turn > 1 else "")
        event = pb.Event(interception_id="i", seq=turn, cursor=str(turn))
        shown = pb.Interception(id="i", version=turn)
        yield pb.InterceptServiceWatchResponse(cursor=str(turn), event=event, interception=shown)
        if turn > len(codes):
            await asyncio.Event().wait()
        if (code := codes[turn - 1]) is not None:
            await context.abort(code, "said so")

    handler = grpc.unary_stream_rpc_method_handler(
        handle,
        request_deserializer=pb.InterceptServiceWatchRequest.FromString,
        response_serializer=pb.InterceptServiceWatchResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service = grpc.method_handlers_generic_handler(
        "turnback.v1.InterceptService", {"Watch": handler}
    )
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tokens = Tokens(*("x" for _ in Tokens.__dataclass_fields__))
    async with Client(f"127.0.0.1:{port}", tokens) as client:
        watcher = Watcher(client, silent_s)
        watcher.start()
        try:
            yield watcher
        finally:
            await watcher.stop()
            await server.stop(None)


async def told(watcher: Watcher, count: int) -> Sequence[int]:
    assert await watcher.heard(count, 20)
    return [step.seq for step in watcher.steps]


async def test_a_stream_that_ended_as_it_may_is_resumed() -> None:
    codes = (None, *sorted(EXPECTED, key=lambda code: code.name))
    async with ending(*codes) as watcher:
        assert await told(watcher, len(codes) + 1) == [*range(1, len(codes) + 2)]
        assert watcher.resumed == len(codes)
        assert not watcher.faults


async def test_a_stream_that_ended_as_it_should_not_is_resumed_and_counted() -> None:
    async with ending(Code.INTERNAL, Code.UNKNOWN, Code.INTERNAL) as watcher:
        assert await told(watcher, 4) == [1, 2, 3, 4]
        assert watcher.faults == {"INTERNAL said so": 2, "UNKNOWN said so": 1}


async def test_silence_is_counted_as_well() -> None:
    async with ending(silent_s=0.2) as watcher:
        assert await told(watcher, 2) == [1, 2]
        assert watcher.faults[watch.SILENT] >= 1


async def test_who_cannot_resume_says_so() -> None:
    async with ending(Code.INVALID_ARGUMENT) as watcher:
        with pytest.raises(FleetError, match="cannot be resumed: INVALID_ARGUMENT said so"):
            await watcher.heard(2, 20)
        with pytest.raises(FleetError):
            watcher.check()
