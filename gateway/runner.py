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
from yarl import URL

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
    Token,
    Verdict,
    read,
    read_token,
)
from gateway.domain.record import replace

REPLY_MAX = 1 << 20  # bytes; a page of tracking is some 20 KiB
NOT_SENT = Answer(Verdict.BUSY, Reason.NOT_SENT)
NOT_ASKABLE = Answer(Verdict.REFUSED, Reason.BAD_REQUEST)  # the carrier needs what we lack
NO_ANSWER = Answer(Verdict.UNKNOWN, Reason.NO_ANSWER)
TOKEN_SPARE_MS = 60_000  # a token is not used this close to its end, nor in its last tenth
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
    credentials: Mapping[str, str] = field(repr=False)  # the account's settings among them
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
        self._tokens: dict[tuple[str, str], Token] = {}  # until they end, in machine time
        self._fetching: dict[tuple[str, str], asyncio.Task[Token | Answer]] = {}

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
        credentials = endpoint.credentials
        token: Token | None = None
        if endpoint.adapter.token is not None:
            lent = await self._token(endpoint)
            if isinstance(lent, Answer):
                return lent
            token = lent
            credentials = {**credentials, "access_token": token.text}
        try:
            signed = self._signed(endpoint, operation.encode(question), credentials)
        except (ValueError, LookupError):
            return NOT_ASKABLE
        PERMIT.set(permit)  # for this call; every other sets its own
        reply = await self._send(endpoint, signed, _alone(endpoint.adapter, name))
        answer = reply if isinstance(reply, Answer) else read(operation, reply, waybills)
        if token is not None and answer.reason is Reason.BAD_CREDENTIALS:
            self._forget(endpoint, token)
        self._observe(endpoint.adapter.name, name, answer, time() - started)
        return answer

    def _signed(self, endpoint: Endpoint, call: Call, credentials: Mapping[str, str]) -> Call:
        stamp = Stamp(self._clock.now(), self._nonce())
        return endpoint.adapter.sign(call, credentials, stamp)

    # -- tokens ---------------------------------------------------------------------------

    async def _token(self, endpoint: Endpoint) -> Token | Answer:
        """The token in force, fetched once however many need it. An Answer is never UNKNOWN:
        without a token nothing has been asked of the carrier."""
        key, loop = (endpoint.adapter.name, endpoint.account), asyncio.get_running_loop()
        known = self._tokens.get(key)
        if known is not None and loop.time() * 1000 < known.valid_ms:
            return known
        task = self._fetching.get(key)
        if task is None:
            task = loop.create_task(self._fetch(endpoint))
            self._fetching[key] = task
            task.add_done_callback(lambda _: self._fetching.pop(key, None))
        return await asyncio.shield(task)

    async def _fetch(self, endpoint: Endpoint) -> Token | Answer:
        tokens, time = endpoint.adapter.token, asyncio.get_running_loop().time
        assert tokens is not None
        started = time()
        PERMIT.set(lambda: True)
        try:
            call = tokens.encode(endpoint.credentials)
            reply = await self._send(
                endpoint, self._signed(endpoint, call, endpoint.credentials), False
            )
        except (ValueError, LookupError):
            reply = NOT_ASKABLE
        told = reply if isinstance(reply, Answer) else read_token(tokens, reply)
        said = Answer(Verdict.RECEIVED) if isinstance(told, Token) else told
        self._observe(endpoint.adapter.name, "token", said, time() - started)
        if isinstance(told, Answer):
            return replace(told, verdict=Verdict.BUSY)
        spare_ms = min(TOKEN_SPARE_MS, told.valid_ms // 10)
        ends_ms = int(started * 1000) + told.valid_ms - spare_ms
        token = replace(told, valid_ms=ends_ms)
        self._tokens[endpoint.adapter.name, endpoint.account] = token
        return token

    def _forget(self, endpoint: Endpoint, refused: Token) -> None:
        """The carrier no longer takes it: the next call fetches another."""
        key = (endpoint.adapter.name, endpoint.account)
        if self._tokens.get(key) is refused:
            del self._tokens[key]


def _alone(adapter: Adapter, name: str) -> bool:
    """Where a lost request cannot be looked up, a pooled connection that the carrier has
    just closed would turn an idle moment into an unknown: such calls connect anew."""
    blind = adapter.query is None and adapter.dedup.value is Dedup.NONE
    return blind and name in ("intercept", "cancel_order")


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
        base_url = endpoint.credentials[call.site] if call.site else endpoint.base_url
        url = base_url.rstrip("/") + call.path
        timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s, sock_connect=endpoint.connect_s)
        try:
            async with session.request(
                call.method,
                URL(url, encoded=True),  # what was signed is what leaves
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
