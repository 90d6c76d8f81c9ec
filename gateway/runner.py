"""The only client towards carriers: stamp, sign, send once over HTTP, limit, decode.

It never repeats a request. What was certainly not sent, and what may have been, are told apart;
everything that is not an answer the adapter can read is UNKNOWN.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

import aiohttp
from aiohttp.tracing import Trace

from gateway.clock import Clock
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Call,
    Dedup,
    Operation,
    Q,
    Reason,
    Reply,
    Stamp,
    Verdict,
    read,
)

REPLY_MAX = 1 << 20  # bytes; a page of tracking is some 20 KiB
NOT_SENT = Answer(Verdict.BUSY, Reason.NOT_SENT)
NOT_ASKABLE = Answer(Verdict.REFUSED, Reason.BAD_REQUEST)  # the carrier needs what we lack
NO_ANSWER = Answer(Verdict.UNKNOWN, Reason.NO_ANSWER)
UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Lapsed(Exception):
    """The lease has ended since the call began: nothing was written to the connection."""


class Lost(Exception):
    """The connection broke with the request on it: nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One account of one carrier: where it is, and how it is signed."""

    adapter: Adapter
    account: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, str]
    concurrency: int
    per_second: int
    timeout_s: float
    connect_s: float


async def send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp repeats GET, PUT and DELETE when the server drops a connection; we never do."""
    try:
        return await handler(request)
    except UNSENT:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Lost(type(error).__name__) from error


class Permitted(aiohttp.TCPConnector):
    """Connections that are handed out only while their caller may still send. Between this look
    and the first byte nothing is awaited: a process that stood still before it sends nothing."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own word
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        if not PERMIT.get()():
            connection.close()
            raise Lapsed
        return connection


Permit = Callable[[], bool]
PERMIT: ContextVar[Permit] = ContextVar("permit", default=lambda: True)
Observer = Callable[[str, str, Answer, float], None]  # channel, operation, answer, seconds
Send = Callable[[Endpoint, Call, bool], Awaitable[Reply | Answer]]  # True: on a new connection


class Runner:
    """One attempt at one operation, and what came of it. It never raises for the carrier."""

    def __init__(
        self, clock: Clock, nonce: Callable[[], str], observe: Observer, send: Send
    ) -> None:
        self._clock = clock
        self._nonce = nonce
        self._observe = observe
        self._send = send

    async def perform(
        self,
        endpoint: Endpoint,
        name: str,
        operation: Operation[Q],
        question: Q,
        waybills: tuple[str, ...],
        permit: Permit = lambda: True,
    ) -> Answer:
        """`permit` is asked when the connection stands, right before the request goes out."""
        time = asyncio.get_running_loop().time
        started = time()
        stamp = Stamp(self._clock.now(), self._nonce())
        try:
            call = operation.encode(question)
            signed = endpoint.adapter.sign(call, endpoint.credentials, stamp)
        except (ValueError, LookupError):
            return NOT_ASKABLE
        PERMIT.set(permit)  # for this call; every other sets its own
        reply = await self._send(endpoint, signed, _alone(endpoint.adapter, name))
        answer = reply if isinstance(reply, Answer) else read(operation, reply, waybills)
        self._observe(endpoint.adapter.name, name, answer, time() - started)
        return answer


def _alone(adapter: Adapter, name: str) -> bool:
    """Where a lost request cannot be looked up, a pooled connection that the carrier has
    just closed would turn an idle moment into an unknown: such calls connect anew."""
    blind = adapter.query is None and adapter.dedup.value is Dedup.NONE
    return blind and name == "intercept"


class Http:
    """One HTTP request at a time over kept connections, or over one of its own."""

    def __init__(self) -> None:
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._pooled = _session(force_close=False)
        self._fresh = _session(force_close=True)

    async def stop(self) -> None:
        for session in (self._pooled, self._fresh):
            if session is not None:
                await session.close()

    async def send(self, endpoint: Endpoint, call: Call, alone: bool) -> Reply | Answer:
        session = self._fresh if alone else self._pooled
        if session is None:
            raise RuntimeError("the client has not been started")
        url = endpoint.base_url.rstrip("/") + call.path
        timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s, sock_connect=endpoint.connect_s)
        try:
            async with session.request(
                call.method,
                url,
                data=call.body,
                headers=dict(call.headers),
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                body = await response.content.read(REPLY_MAX + 1)
                while not response.content.at_eof() and len(body) <= REPLY_MAX:
                    body += await response.content.read(REPLY_MAX + 1 - len(body))
                if len(body) > REPLY_MAX:
                    return NO_ANSWER
                return Reply(response.status, body, dict(response.headers))
        except (*UNSENT, Lapsed):
            return NOT_SENT
        except (aiohttp.ClientError, Lost, TimeoutError, asyncio.IncompleteReadError):
            return NO_ANSWER


def _session(*, force_close: bool) -> aiohttp.ClientSession:
    connector = Permitted(limit=0, force_close=force_close, ttl_dns_cache=60)
    return aiohttp.ClientSession(
        connector=connector,
        middlewares=(send_once,),
        auto_decompress=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent",),
    )
