"""One incarnation of the gateway: all of it but its sockets, until it is stopped or killed."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from adapters import ADAPTERS
from gateway.assembly import endpoints, gates
from gateway.clock import Clock
from gateway.config import Settings
from gateway.domain.carrier import Answer, Call, Reply
from gateway.failpoints import FailPoints
from gateway.pushes import Pushes
from gateway.rpc.auth import Gate
from gateway.rpc.guard import Door, Guard
from gateway.rpc.server import FILES, services
from gateway.rpc.shell import Errands, Shell
from gateway.runner import NOT_SENT, PERMIT, Endpoint, Runner
from gateway.store import sqlite
from gateway.store.store import Store
from gateway.telemetry import Metrics
from gateway.worker import Worker
from tests.simulation.loop import Process, VirtualLoop

T = TypeVar("T")
METHODS = {
    f"{service.name}/{method.name}": method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
}


class Refused(Exception):
    """An answer that is not OK, as it leaves the gateway."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(f"{code} {details}")
        self.code = code
        self.details = details
        self.reason = details.split(":")[0]


class Gone(Exception):
    """No answer came: the gateway has gone, or the client had no more time."""


@dataclass(frozen=True, slots=True)
class Line:
    """One call as the gateway's doors see it."""

    token: str

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    async def abort(self, code: Any, details: str, trailing_metadata: Any) -> None:
        raise Refused(code.name, details)


class Points(FailPoints):
    """Every point is met; the simulation decides what happens there."""

    def __init__(self, met: Callable[[str], None]) -> None:
        super().__init__()
        self._met = met

    def hit(self, name: str) -> None:
        self._met(name)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a process is given by the machine it runs on."""

    loop: VirtualLoop
    wall_ms: Callable[[], int]
    new_id: Callable[[], str]
    nonce: Callable[[], str]
    met: Callable[["Gateway", str], None]  # a fail point
    send: Callable[["Gateway", Endpoint, Call], Awaitable[Reply | Answer]]


@dataclass(slots=True)
class Gateway:
    outside: Outside
    settings: Settings
    now: int  # business time at its start
    process: Process = field(init=False)
    clock: Clock = field(init=False)
    store: Store = field(init=False)
    files: sqlite.Driver = field(init=False)
    worker: Worker = field(init=False)
    pushes: Pushes = field(init=False)
    _guard: Guard = field(init=False)
    _doors: dict[str, Any] = field(init=False)
    _started: list[asyncio.Task[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = Process(self.outside.loop)
        self.process.context().run(self._build)

    def _build(self) -> None:
        outside, settings = self.outside, self.settings
        adapters = settings.adapters(ADAPTERS)
        terms = settings.terms(adapters)
        self.clock = Clock(True, outside.wall_ms, outside.loop.steady_ms, outside.new_id)
        self.clock.follow(self.now)
        points, metrics = Points(partial(outside.met, self)), Metrics()
        patience_s = settings.limits.intake_wait_ms / 1000
        self.files = sqlite.Driver(settings.store.url.get_secret_value())
        self.store = Store(self.files, self.clock, terms, points, patience_s)
        runner = Runner(self.clock, outside.nonce, _unheard, self._send)
        carriers = dict(endpoints(settings, adapters))
        self.worker = Worker(self.store, runner, self.clock, carriers, points)
        self.pushes = Pushes(self.store, dict(gates(settings, adapters)), points, metrics.push)
        self.worker.inbox = lambda: self.pushes.at_work
        shell = Shell(settings, terms, self.store, self.worker, self.clock, metrics)
        self._guard = guard = Guard(Gate(settings), settings.limits, metrics)
        served = services(shell, Errands(), guard.draining)
        self._doors = {}
        for name, method in METHODS.items():
            behaviour = getattr(served[method.containing_service.full_name], method.name)
            door = Door(guard, method)
            streams = method.server_streaming
            self._doors[name] = door.stream(behaviour) if streams else door.unary(behaviour)

    async def _send(self, endpoint: Endpoint, call: Call, alone: bool) -> Reply | Answer:
        return await self.outside.send(self, endpoint, call) if PERMIT.get()() else NOT_SENT

    # -- life -----------------------------------------------------------------------------

    async def start(self) -> bool:
        """False where it dies before it serves."""
        return bool(await self.finished(self._start()))

    async def _start(self) -> bool:
        await self.store.start()
        self.pushes.start()
        self.worker.start_loop()
        return True

    async def stop(self) -> None:
        """As at SIGTERM: what is under way ends, and is committed."""
        await self.finished(self._stop())
        if self.process.alive:
            self.outside.loop.kill(self.process)

    async def _stop(self) -> None:
        await self._guard.drained(self.settings.limits.drain_s)
        await self.worker.stop(self.settings.limits.drain_s)
        await self.pushes.stop()
        await self.store.stop()

    def kill(self) -> None:
        """As at SIGKILL, or a loss of power: what the machine held for the process is free."""
        if not self.process.alive:
            return
        self.outside.loop.kill(self.process)
        # not within the line that is killed: it still holds them
        Context().run(self.outside.loop.call_soon, abandon, self.files)

    def follow(self, now: int) -> None:
        self.clock.follow(now)
        self.process.context().run(self.worker.wake)

    # -- being called ---------------------------------------------------------------------

    async def finished(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Work of the process, waited for from outside. None where the process dies before."""
        task = self._task(work)
        waits: set[asyncio.Future[Any]] = {task, self.process.died}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not self.process.alive or not task.done():
            return None
        return task.result()

    def _task(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = self.outside.loop.create_task(work, context=self.process.context())
        self._started.append(task)
        return task

    async def call(self, name: str, request: Message, token: str, timeout_s: float) -> Any:
        """Raises Refused, or Gone where no answer comes in time."""
        method = METHODS[name]
        door: Callable[[bytes, Line], Awaitable[bytes]] = self._doors[name]
        task = self._task(_awaited(door(request.SerializeToString(), Line(token))))
        waits: set[asyncio.Future[Any]] = {task, self.process.died}
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not self.process.alive:
            raise Gone
        if not task.done():
            task.cancel()  # as gRPC does at the client's deadline
            raise Gone
        return GetMessageClass(method.output_type).FromString(task.result())

    async def watch(self, request: Message, token: str, heard: Callable[[bytes], None]) -> None:
        """Listens until the stream or the process ends."""
        door = self._doors["InterceptService/Watch"]

        async def listen() -> None:
            async for message in door(request.SerializeToString(), Line(token)):
                heard(message)

        with suppress(Refused):  # it drains, or its store cannot be read just now
            await self.finished(listen())


async def _awaited(answer: Awaitable[bytes]) -> bytes:
    return await answer


def _unheard(channel: str, operation: str, answer: Answer, seconds: float) -> None:
    """Nobody counts here."""


def abandon(store: sqlite.Driver) -> None:
    """The files of a killed process are closed by the machine, without a word to the process."""
    opened: list[sqlite3.Connection | None] = [*store._open_readers, store._db]
    for db in opened:
        if db is not None:
            db.close()
    if store._lock is not None:
        store._lock.close()
