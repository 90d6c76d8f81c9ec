"""gRPC calls against a running gateway: never INTERNAL or UNKNOWN, never costly, never a leak."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from tests.fuzz.messages import Maker
from tests.fuzz.run import AGAIN, CPU_MAX_NS, Tally, cpu_ns
from tests.fuzz.target import Target, target
from tests.rpc.world import METHODS, TOKENS, Code, path, token_for

FRESH_EVERY = 500
# Up to a hundred inputs in one call, each with a commit of its own; a thousand lines; or a stream,
# which has pages of a hundred events on their way before it hears that its client has gone.
BATCH_MAX_NS = 5 * CPU_MAX_NS
DEADLINE_S = 10.0
WAITING = {"Watch": 0.25, "Idle": 0.5}  # what such a call may wait for by itself
BROKEN = (Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS)
NOT_OFFERED = "NOT_OFFERED"  # the one reason of UNIMPLEMENTED that the protocol knows
WRONG_TOKENS = (None, "Bearer x", "Basic x", f"Bearer {TOKENS['mall', 'tenant']} ")


def reason(error: grpc.aio.AioRpcError) -> str:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            for packed in status_pb2.Status.FromString(value).details:
                info = details.ErrorInfo()
                if packed.Unpack(info):
                    return str(info.reason)
    return ""


class Calls:
    def __init__(self, tally: Tally, found: Target) -> None:
        self._tally = tally
        self._target = found
        self._maker = Maker(found.known)

    async def one(self, index: int, rng: Random) -> None:
        method = METHODS[index % len(METHODS)]
        raw = self._maker.request(rng, method.input_type)
        token = token_for(method) if rng.random() < 0.98 else rng.choice(WRONG_TOKENS)
        best = CPU_MAX_NS * 1_000
        code, why = Code.OK, ""
        for attempt in range(AGAIN):
            began = cpu_ns(self._tally.pid)
            ended = await self._call(method, raw, token)
            best = min(best, cpu_ns(self._tally.pid) - began)
            code, why = ended if attempt == 0 else (code, why)
            if best <= CPU_MAX_NS:
                break
        many = method.name.startswith(("Batch", "ImportStatement")) or method.server_streaming
        most = BATCH_MAX_NS if many else CPU_MAX_NS
        self._tally.cost(path(method), index, best, raw, most)
        self._tally.ended[code.name] += 1
        self._tally.answered[path(method)] += code is Code.OK
        if code in BROKEN or (code is Code.UNIMPLEMENTED and why != NOT_OFFERED):
            self._tally.wrong(index, f"{path(method)}: {code.name} {why}", raw)
        if code is Code.DEADLINE_EXCEEDED and method.name not in WAITING:
            self._tally.wrong(index, f"{path(method)}: no answer", raw)
        if index % FRESH_EVERY == FRESH_EVERY - 1:
            await self._target.refresh()
            if not await self._target.ready():
                self._tally.wrong(index, "not ready", raw)

    async def _call(
        self, method: MethodDescriptor, raw: bytes, token: str | None
    ) -> tuple[grpc.StatusCode, str]:
        metadata = () if token is None else (("authorization", token),)
        channel: Any = self._target.world.channel
        limit = WAITING.get(method.name, DEADLINE_S)
        try:
            if method.server_streaming:
                call = channel.unary_stream(path(method))(raw, metadata=metadata, timeout=limit)
                await call.read()
                call.cancel()
            else:
                call = channel.unary_unary(path(method))(raw, metadata=metadata, timeout=limit)
                await call
        except grpc.aio.AioRpcError as error:
            return error.code(), reason(error)
        return Code.OK, ""


async def against(found: Target, tally: Tally, indexes: Iterable[int]) -> None:
    tally.pid = found.pid
    before = found.failures()
    fuzz = Calls(tally, found)
    for index, rng in tally.each(indexes):
        await fuzz.one(index, rng)
    if found.failures() > before:
        tally.wrong(-1, f"{found.failures() - before} failures in the log", found.last_failure())
    for rule in await found.audit():
        tally.wrong(-1, f"after it, the audit finds {rule}", b"")


def run(tally: Tally, indexes: Iterable[int]) -> None:
    async def whole() -> None:
        async with target() as found:
            await against(found, tally, indexes)

    asyncio.run(whole())
