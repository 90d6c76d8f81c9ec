"""Where carriers push to: limit, verify on the raw bytes, keep and apply, acknowledge.

An acknowledgement is sent only after the inbox has the push. What cannot be read is kept in
quarantine and acknowledged too, or the carrier would repeat it for days; what cannot be applied is
kept, and tried again.
"""

import asyncio
import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from gateway.domain.carrier import BROKEN, Adapter, Credentials, Delivery, Push, Reply, Tier
from gateway.domain.interception import Inbox, InboxStatus
from gateway.domain.push import ApplyPush, QuarantinePush, ReceivePush
from gateway.failpoints import FailPoints
from gateway.store.store import Store
from gateway.store.writer import Contended, Unavailable

BODY_MAX = 256 * 1024  # ten SF routes are some 10 KiB
READ_S = 5.0  # for a whole body, so that a dribble ends
END_S = 2.0  # for what is under way at the end; carriers repeat what they get no answer to
SWEEP_S = 1.0
SWEEP_LIMIT = 256
IN_FLIGHT_MAX = 256  # pushes of one carrier at a time; more are told to come again
KEY_MAX = 200
HEADER_KEPT = 100
TRIES_MAX = 5  # at a push that breaks our own code

log = structlog.get_logger("pushes")


@dataclass(frozen=True, slots=True)
class Gate:
    """One carrier account that may push to us."""

    adapter: Adapter
    account: str
    credentials: tuple[Credentials, ...] = field(repr=False)  # now, and before a change of keys
    secret: str = field(repr=False)

    def opened_by(self, given: str) -> bool:
        """Whether it is the secret part of our address."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.secret.encode())


Count = Callable[[str, str], None]  # channel, outcome


class Pushes:
    """The inbox's door and the task behind it that applies what came."""

    def __init__(
        self,
        store: Store,
        gates: Mapping[tuple[str, str], Gate],
        points: FailPoints,
        count: Count,
    ) -> None:
        self._store = store
        self._gates = gates
        self._points = points
        self._count = count
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_work: set[str] = set()
        self._inside: dict[str, int] = {}
        self._failures: Counter[str] = Counter()
        self._sweeper: asyncio.Task[None] | None = None
        self._open = False

    @property
    def at_work(self) -> int:
        return len(self._at_work)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_post("/push/{channel}/{account}/{secret}", self._receive)
        app.router.add_post("/push/{channel}/{account}", self._receive)
        return app

    def start(self) -> None:
        self._open = True
        self._sweeper = asyncio.create_task(self._sweep(), name="inbox-sweeper")

    async def stop(self) -> None:
        """Lets what was taken in be applied; what is not comes with the next start's sweep."""
        self._open = False
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=END_S)

    # -- receiving ------------------------------------------------------------------------

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        channel, account = request.match_info["channel"], request.match_info["account"]
        gate = self.gate(channel, account, request.match_info.get("secret", ""))
        if gate is None:
            return web.Response(status=404)
        if self._inside.get(channel, 0) >= IN_FLIGHT_MAX:
            self._count(channel, "shed")
            return web.Response(status=503, headers={"Retry-After": "1"})
        self._inside[channel] = self._inside.get(channel, 0) + 1
        try:
            return await self._take_in(gate, request)
        finally:
            self._inside[channel] -= 1

    async def _take_in(self, gate: Gate, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            self._count(
                gate.adapter.name, "packed"
            )  # what is signed is what is sent; bombs are packed
            return web.Response(status=415)
        try:
            async with asyncio.timeout(READ_S):
                body = await request.read()
        except TimeoutError:
            self._count(gate.adapter.name, "slow")
            return web.Response(status=408)
        except web.RequestPayloadError:
            self._count(gate.adapter.name, "broken")
            return web.Response(status=400)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = await self.accept(gate, Push(headers, body))
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))

    def gate(self, channel: str, account: str, secret: str) -> Gate | None:
        """Whose address it is; None for one that is not ours, or not known whole."""
        gate = self._gates.get((channel, account))
        if gate is None or gate.adapter.push is None or not gate.opened_by(secret):
            self._count(channel if gate else "unknown", "refused")
            return None
        return gate

    async def accept(self, gate: Gate, push: Push) -> Reply:
        """Verify, keep and apply, acknowledge."""
        channel, pushes = gate.adapter.name, gate.adapter.push
        kept = understood(gate, push)
        if kept is None or pushes is None:
            self._count(channel, "forged")
            return Reply(401, b"")
        row, delivery = kept
        keep = asyncio.ensure_future(self._kept(gate, row, delivery))
        try:
            fresh = await asyncio.shield(keep)
        except Unavailable:
            self._count(channel, "unavailable")
            return Reply(503, b"", {"Retry-After": "5"})
        self._points.hit("before_push_acknowledged")
        outcome = "quarantined" if delivery is None else "new" if fresh else "repeated"
        self._count(channel, outcome)
        return pushes.accept(push)

    async def _kept(self, gate: Gate, row: Inbox, delivery: Delivery | None) -> bool:
        """Whether it is new. It is kept whatever its contents bring about."""
        if delivery is None:
            return bool(await self._store.run(ReceivePush(row)))
        try:
            taken = ReceivePush(row, _network(gate, delivery), delivery)
            return bool(await self._store.run(taken))
        except Unavailable as error:
            if not isinstance(error, Contended):
                raise
        except Exception as error:
            log.exception("push not applied", inbox=row.id, error=type(error).__name__)
        return bool(await self._store.run(ReceivePush(row)))

    # -- applying -------------------------------------------------------------------------

    def _launch(self, inbox: str, gate: Gate, delivery: Delivery) -> None:
        if inbox in self._at_work:
            return
        self._at_work.add(inbox)
        task = asyncio.create_task(self._apply(inbox, gate, delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _apply(self, inbox: str, gate: Gate, delivery: Delivery) -> None:
        try:
            await self._store.run(ApplyPush(inbox, _network(gate, delivery), delivery))
        except Unavailable:
            return  # the sweeper comes by
        except Exception as error:
            log.exception("push not applied", inbox=inbox, error=type(error).__name__)
            await self._failed(inbox, type(error).__name__)
        finally:
            self._at_work.discard(inbox)

    async def _failed(self, inbox: str, detail: str) -> None:
        """After some tries the push is set apart, so that those behind it are reached."""
        self._failures[inbox] += 1
        if self._failures[inbox] >= TRIES_MAX:
            del self._failures[inbox]
            with suppress(Unavailable):
                await self._store.run(QuarantinePush(inbox, detail))

    async def _sweep(self) -> None:
        """Pushes that were kept and not applied, for they could not be."""
        while self._open:
            try:
                for row in await self._store.rows(Inbox, "inbox_new", limit=SWEEP_LIMIT):
                    if row.id not in self._at_work:
                        await self._taken_up(row)
            except Unavailable:
                pass
            except Exception as error:  # whatever one round met, the next one is taken
                log.exception("sweep failed", error=type(error).__name__)
            await asyncio.sleep(SWEEP_S)

    async def _taken_up(self, row: Inbox) -> None:
        gate = self._gates.get((row.channel, row.account))
        push = Push({"content-type": row.content_type}, row.body)
        delivery = decoded(gate, push) if gate is not None else None
        if gate is not None and delivery is not None:
            self._launch(row.id, gate, delivery)
        else:
            await self._failed(row.id, "no account reads it")


def understood(gate: Gate, push: Push) -> tuple[Inbox, Delivery | None] | None:
    """What is kept of a push, and what it says; None where nobody may believe it."""
    tier = _verify(gate, push)
    if tier is None:
        return None
    delivery = decoded(gate, push)
    return _row(gate, push, tier, delivery), delivery


def _network(gate: Gate, delivery: Delivery) -> str:
    return delivery.network or gate.adapter.network


def decoded(gate: Gate, push: Push) -> Delivery | None:
    """What the push says; None where it cannot be read, or speaks of another account."""
    if gate.adapter.push is None:
        return None
    try:
        delivery = gate.adapter.push.decode(push)
    except BROKEN:
        return None
    identities = {given for keys in gate.credentials for given in keys.values()}
    if delivery.account and delivery.account not in identities:
        return None
    return delivery


def _verify(gate: Gate, push: Push) -> Tier | None:
    """The best tier any valid key gives it."""
    if gate.adapter.push is None:
        return None
    for credentials in gate.credentials:
        try:
            tier = gate.adapter.push.verify(push, credentials)
        except BROKEN:
            tier = None
        if tier is not None:
            return tier
    return None


def _row(gate: Gate, push: Push, tier: Tier, delivery: Delivery | None) -> Inbox:
    digest = hashlib.sha256(push.body).hexdigest()
    key = delivery.event_key[:KEY_MAX] if delivery is not None else f"sha256:{digest}"
    return Inbox(
        id=f"{gate.adapter.name}/{gate.account}/{key}",
        channel=gate.adapter.name,
        account=gate.account,
        tier=int(tier),
        verified=True,
        body=push.body,
        content_type=_shown(push.headers.get("content-type", "")),
        sha256=digest,
        received_at=0,
        applied_at=None,
        status=InboxStatus.NEW if delivery is not None else InboxStatus.QUARANTINED,
    )


def _shown(header: str) -> str:
    """A header as it may be kept: bytes that are no text reach us as lone surrogates."""
    text = header[:HEADER_KEPT].encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)


class _Reticent(logging.Handler):
    """The library quotes a request that it cannot read, secret and all: we name the error only."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log.warning("http", error=type(error).__name__ if error else record.levelname)


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def reasonable(handle: Handle) -> Handle:
    """Answers an odd `Expect` first: the library's answer quotes it, and fails on raw bytes."""

    async def handled(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return web.Response(status=417)
        return await handle(request)

    return handled


Stop = Callable[[], Coroutine[Any, Any, None]]


async def serve(app: web.Application, host: str, port: int) -> tuple[int, Stop]:
    """Serve until stopped. The port that was taken, and how to stop."""
    reticent = logging.Logger("http")
    reticent.addHandler(_Reticent())
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=30,
        max_field_size=8190,
        shutdown_timeout=END_S,
        auto_decompress=False,
        logger=reticent,
    )
    await runner.setup()
    assert runner.server is not None
    runner.server.request_handler = reasonable(runner.server.request_handler)
    site = web.TCPSite(runner, host, port)
    await site.start()
    taken: int = runner.addresses[0][1]
    return taken, runner.cleanup
