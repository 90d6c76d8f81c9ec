"""The outermost layer of every call: credential, rate, load, parsing, checks; errors and the log.

Nothing else catches what it did not expect. Whatever a handler raises besides Failure reaches the
caller as an incident id, and the log as a class and places in the code, never with its text.
"""

import asyncio
import traceback
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import random
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from gateway.config import Limits
from gateway.rpc.admission import STAGES, Valve
from gateway.rpc.auth import Caller, Gate, role_of
from gateway.rpc.errors import Failure, broken, invalid, limited, of_store, unavailable
from gateway.rpc.fields import check
from gateway.rpc.shell import Call
from gateway.store.writer import Unavailable
from gateway.telemetry import Metrics, logger

Unary = Callable[[Any, Call], Awaitable[Message]]
Stream = Callable[[Any, Call], AsyncIterator[Message | bytes]]  # bytes: a message, written
Context = grpc.aio.ServicerContext[Any, Any]
NAMED = ("request_id", "quote_id", "interception_id", "claim_id", "award_id", "parcel_id")
ITEMS = "items"  # of a batch
FRAMES_MAX = 12
WATCH_RETRY_S = 5.0

Ending = tuple[grpc.StatusCode, str, tuple[tuple[str, Any], ...]]


def ending(failure: Failure) -> Ending:
    """Code, text and trailing metadata."""
    status = rpc_status.to_status(failure.status())
    return failure.code, status.details or "", tuple(status.trailing_metadata or ())


# Written down beforehand: whoever is turned away must cost next to nothing.
TURNED_AWAY = [ending(unavailable("OVERLOADED", wait_s)) for wait_s in (1.0, 3.0, 6.0)]


@dataclass(slots=True)
class Told:
    """What the log line of a call will say."""

    code: str = "OK"
    tenant: str = ""
    actor: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    failure: Failure | None = None


class Guard:
    """One for the server: it counts the calls under way, and ends them when it drains."""

    def __init__(
        self,
        gate: Gate,
        limits: Limits,
        metrics: Metrics,
        chance: Callable[[], float] = random,
    ) -> None:
        self._gate = gate
        self._chance = chance
        self._limits = limits
        self._metrics = metrics
        self._log = logger()
        self._under_way = 0
        self._watches: Counter[str] = Counter()
        self.valve = Valve(limits.late_ms / 1000)
        self._turned_away = 0  # since it was last said
        self.draining = asyncio.Event()
        self._ended = asyncio.Event()
        metrics.in_flight.set_function(lambda: self._under_way)
        metrics.watches.set_function(self._watches.total)

    def drain(self) -> None:
        """From now on no call is taken, and streams come to their end."""
        self.draining.set()
        self._left()

    async def drained(self, timeout_s: float) -> None:
        """Waits for the calls under way."""
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait({ended}, timeout=timeout_s)
        ended.cancel()

    def _left(self) -> None:
        """A call has ended; after the last one of a server that drains, its end may come."""
        if self.draining.is_set() and not self._under_way and not self._watches.total():
            self._ended.set()

    def handler(self, method: MethodDescriptor, behaviour: Any) -> Any:
        """The gRPC handler of a method: it parses for itself, after it has asked who calls."""
        door = Door(self, method)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(door.stream(behaviour))
        return grpc.unary_unary_rpc_method_handler(door.unary(behaviour))

    def enter(self) -> None:
        """A call begins; it must leave."""
        if self.draining.is_set():
            raise unavailable("DRAINING")
        if self._under_way >= self._limits.concurrency:
            self._metrics.shed.inc()
            raise unavailable("OVERLOADED")
        self._under_way += 1

    def leave(self) -> None:
        self._under_way -= 1
        self._left()

    @contextmanager
    def watching(self, tenant: str) -> Any:
        if self.draining.is_set():
            raise unavailable("DRAINING")
        if self._watches[tenant] >= self._limits.tenant_watches:
            raise limited(tenant, WATCH_RETRY_S)
        self._watches[tenant] += 1
        try:
            yield
        finally:
            self._watches[tenant] -= 1
            self._left()

    def turned_away(self, stage: int | None) -> Ending | None:
        """How a call ends that would begin something while the process runs late. The later it
        runs, the longer the caller is told to wait: callers who come again are a load as well."""
        if not self.valve.turns_away(stage, self._chance()):
            return None
        self._turned_away += 1
        self._metrics.shed.inc()
        return TURNED_AWAY[min(int(self.valve.pressure), len(TURNED_AWAY) - 1)]

    def charge(self, caller: Caller, items: int) -> None:
        """A batch is as many calls as it has items; whoever owes some waits for them."""
        self._gate.charge(caller, items - 1)

    def say(self) -> None:
        """Who is turned away has no log line of his own: they are too many, and cost too much."""
        self._metrics.pressure.set(self.valve.pressure)
        if self._turned_away:
            pressure = round(self.valve.pressure, 2)
            self._log.warning("turned away", calls=self._turned_away, pressure=pressure)
            self._turned_away = 0

    def failure(self, error: Exception) -> Failure:
        """What the caller is told of an error; of one that nobody foresaw, the log says more."""
        if isinstance(error, Failure):
            return error
        if isinstance(error, Unavailable):
            return of_store(error)
        incident = uuid.uuid4().hex
        places = [
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        ]
        self._log.error(
            "incident", incident=incident, error=type(error).__qualname__, places=places
        )
        return broken(incident)

    def told(self, name: str, told: Told, seconds: float) -> None:
        self._metrics.rpc(name, told.code, seconds)
        reason = {"reason": told.failure.reason} if told.failure else {}
        self._log.info(
            "rpc",
            method=name,
            code=told.code,
            tenant=told.tenant,
            actor=told.actor,
            ms=round(seconds * 1000, 1),
            **told.ids,
            **reason,
        )

    def admit(self, context: Context, door: "Door", told: Told, now: float) -> Any:
        caller = self._gate.admit(context.invocation_metadata() or (), door.role, now)
        told.tenant, told.actor = caller.tenant, caller.actor
        return caller


class Door:
    """One method: its role, its request, and how its calls begin and end."""

    def __init__(self, guard: Guard, method: MethodDescriptor) -> None:
        self._guard = guard
        self.name = f"{method.containing_service.name}/{method.name}"
        self.role = role_of(method)
        self._request = GetMessageClass(method.input_type)
        self._named = [n for n in NAMED if n in method.input_type.fields_by_name]
        self._stage = STAGES.get(self.name)
        self._batch = ITEMS in method.input_type.fields_by_name

    def parse(self, raw: bytes, told: Told) -> Message:
        try:
            request = self._request.FromString(raw)
        except DecodeError:
            raise invalid([("", "not a message of this method")]) from None
        check(request)
        told.ids = {n: v for n in self._named if (v := getattr(request, n))}
        return request

    def unary(self, behaviour: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
        guard = self._guard

        async def answer(raw: bytes, context: Context) -> bytes:
            clock = asyncio.get_running_loop().time
            arrived, told = clock(), Told()
            away: Ending | None = None
            try:
                caller = guard.admit(context, self, told, arrived)
                away = guard.turned_away(self._stage)
                if away is None:
                    request = self.parse(raw, told)
                    if self._batch:
                        guard.charge(caller, len(getattr(request, ITEMS)))
                    guard.enter()
                    try:
                        message = await behaviour(request, Call(caller, arrived, guard.failure))
                        return message.SerializeToString()
                    finally:
                        guard.leave()
            except asyncio.CancelledError:
                told.code = "CANCELLED"
                raise
            except Exception as error:
                told.failure = guard.failure(error)
                told.code = told.failure.code.name
            finally:
                if away is None and not _of_ours(told, context):
                    guard.told(self.name, told, clock() - arrived)
            return await _abort(context, away or ending(told.failure or broken("")))

        return answer

    def stream(self, behaviour: Stream) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
        guard = self._guard

        async def answer(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            clock = asyncio.get_running_loop().time
            arrived, told = clock(), Told()
            try:
                caller = guard.admit(context, self, told, arrived)
                request = self.parse(raw, told)
                with guard.watching(caller.tenant):
                    async for message in behaviour(request, Call(caller, arrived, guard.failure)):
                        yield _written(message)
            except (asyncio.CancelledError, GeneratorExit):
                told.code = "CANCELLED"
                raise
            except Exception as error:
                told.failure = guard.failure(error)
                told.code = told.failure.code.name
            finally:
                guard.told(self.name, told, clock() - arrived)
            if told.failure is not None:
                await _abort(context, ending(told.failure))

        return answer


def _written(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _of_ours(told: Told, context: Context) -> bool:
    """Whether the gateway called itself, to see how late it is: nobody else has that socket."""
    return told.code == "UNAUTHENTICATED" and context.peer().startswith("unix")


async def _abort(context: Context, end: Ending) -> bytes:
    """Ends the call with a status. Always awaited: an abort that is not lets the handler go on."""
    await context.abort(*end)
    return b""
