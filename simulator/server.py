"""The carriers' own port: reads a request, meets its faults, performs it, answers or fails to."""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from simulator.clock import VirtualClock
from simulator.depot import Account, Depot, Seen
from simulator.dialect import Answer, Asked, Dialect, Inbound
from simulator.dialects import DIALECTS
from simulator.outcomes import Fault, FaultName
from simulator.pushes import Pusher

BODY_BYTES_MAX = 256 * 1024
HOLD_MS = 15_000  # how long a connection without an answer is held
HOLD_MS_MAX = 120_000
LOG = logging.getLogger("simulator.carriers")

UNEXECUTED = frozenset(
    {
        FaultName.TIMEOUT_BEFORE,
        FaultName.RESET_BEFORE,
        FaultName.REDIRECT_307,
        FaultName.BUSY_429,
        FaultName.BUSY_CODE,
    }
)
LATE = frozenset({FaultName.TIMEOUT_AFTER, FaultName.TIMEOUT_BEFORE})  # they take their own time
AS_TOLD = frozenset({FaultName.HTTP_500, FaultName.HTML_502, FaultName.HTTP_503})
PAGES = {
    FaultName.HTTP_500: (500, '{"timestamp":0,"status":500,"error":"Internal Server Error"}'),
    FaultName.HTML_502: (
        502,
        "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    ),
    FaultName.HTTP_503: (503, "Service Unavailable"),
    FaultName.BUSY_429: (429, '{"message":"Too Many Requests"}'),
}


class CarrierServer:
    def __init__(self, depot: Depot, clock: VirtualClock, pusher: Pusher) -> None:
        self._depot = depot
        self._clock = clock
        self._pusher = pusher
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # tokens, filled at

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, name, path = ("", *request.path.split("/", 2)[1:], "")[:3]
        dialect = DIALECTS.get(name)
        if dialect is None or request.method not in dialect.methods:
            return web.Response(status=404 if dialect is None else 405)
        length = request.content_length
        if length is not None and length > BODY_BYTES_MAX:
            return web.Response(status=413)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        if len(body) > BODY_BYTES_MAX:
            return web.Response(status=413)
        headers = {key.lower(): text for key, text in request.headers.items()}
        machine_ms = time.time_ns() // 1_000_000
        query = request.rel_url.raw_query_string
        inbound = Inbound(path, headers, body, request.method, query, machine_ms)
        asked = dialect.read(inbound, self._depot)
        if isinstance(asked, Answer):
            return _response(asked)
        now_ms = self._clock.now_ms()
        seen, faults = self._depot.arrive(
            asked.account,
            asked.record,
            asked.operation,
            asked.waybill,
            asked.reference,
            now_ms,
            machine_ms,
        )
        if self._exceeds_rate(asked.account):
            seen.fault = "rate_limit"
            return _response(dialect.busy(Fault(FaultName.BUSY_CODE)))
        if not faults:
            answer = dialect.perform(asked, self._depot, now_ms)
            seen.executed, seen.code = True, answer.code
            await self._take_time(asked, seen)
            return _response(answer)
        return await self._meet(request, dialect, asked, seen, faults, now_ms)

    async def _take_time(self, asked: Asked, seen: Seen) -> None:
        """As long as this carrier usually does; what it was asked to do is done by then."""
        body = asked.account.options.latency
        if body is not None:
            told = (asked.account.carrier, asked.waybill, seen.operation, seen.nth)
            await asyncio.sleep(body.latency().ms(self._depot.seed, *told) / 1000)

    def _exceeds_rate(self, account: Account) -> bool:
        """A token bucket in machine time that holds one second's worth."""
        rate = account.options.rate_per_second
        if not rate:
            return False
        key, now = (account.carrier, account.name), time.monotonic()
        tokens, filled_at = self._buckets.get(key, (float(rate), now))
        tokens = min(float(rate), tokens + (now - filled_at) * rate)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        return not allowed

    async def _meet(
        self,
        request: web.BaseRequest,
        dialect: Dialect,
        asked: Asked,
        seen: Seen,
        faults: Sequence[Fault],
        now_ms: int,
    ) -> web.StreamResponse:
        """State changes come first, then delays, then what is left of the answer."""
        named = {fault.name: fault for fault in reversed(faults)}
        seen.fault = "+".join(fault.name for fault in faults)
        asked = replace(
            asked,
            twice=FaultName.EXECUTES_TWICE in named,
            astray=_other_waybill(asked.waybill) if FaultName.WRONG_WAYBILL in named else "",
        )
        answer: Answer | None = None
        if _executes(faults):
            answer = dialect.perform(asked, self._depot, now_ms)
            seen.executed, seen.code = True, answer.code
            if FaultName.PUSH_BEFORE_REPLY in named:
                await self._pusher.drain()
        if LATE.isdisjoint(named):
            await self._take_time(asked, seen)
        if FaultName.SLOW in named:
            await asyncio.sleep(_hold_seconds(named[FaultName.SLOW], 1000))
        return await _respond(request, dialect, asked, answer, named)


def _executes(faults: Sequence[Fault]) -> bool:
    if any(fault.name in UNEXECUTED for fault in faults):
        return False
    return all(fault.params.flag("executed") for fault in faults if fault.name in AS_TOLD)


async def _respond(
    request: web.BaseRequest,
    dialect: Dialect,
    asked: Asked,
    answer: Answer | None,
    named: dict[FaultName, Fault],
) -> web.StreamResponse:
    for name in (FaultName.TIMEOUT_BEFORE, FaultName.TIMEOUT_AFTER):
        if name in named:
            await asyncio.sleep(_hold_seconds(named[name], HOLD_MS))
            return _reset(request)
    if FaultName.RESET_BEFORE in named or FaultName.RESET_AFTER in named:
        return _reset(request)
    for name, (status, page) in PAGES.items():
        if name in named:
            kind = "application/json" if page.startswith("{") else "text/html"
            retry = {"Retry-After": "1"} if status in (429, 503) else None
            return web.Response(status=status, text=page, content_type=kind, headers=retry)
    if FaultName.REDIRECT_307 in named:
        return web.Response(status=307, headers={"Location": f"{request.path}?again=1"})
    if FaultName.BUSY_CODE in named:
        return _response(dialect.busy(named[FaultName.BUSY_CODE]))
    assert answer is not None
    if asked.astray and asked.waybill:
        body = answer.body.replace(asked.waybill.encode(), asked.astray.encode())
        return _response(replace(answer, body=body))
    if FaultName.TRUNCATED in named:
        return await _truncate(request, answer)
    return _response(answer)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type}
    )


def _other_waybill(waybill: str) -> str:
    """A number of the same form that belongs to somebody else."""
    return waybill[:-1] + ("1" if waybill[-1:] == "0" else "0")


def _hold_seconds(fault: Fault, default_ms: int) -> float:
    return min(fault.params.number("ms", default_ms), HOLD_MS_MAX) / 1000


def _reset(request: web.BaseRequest) -> web.Response:
    """Cut the connection with a reset, so that no answer can be read."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response(status=500)  # never leaves: its connection is gone


async def _truncate(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Promise the whole body, send half of it, and go."""
    response = web.StreamResponse(status=answer.status)
    response.content_type = "application/json"
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
