"""The batch writer: commands that arrive while a commit is under way share the next one.

Evidence goes first and is never shed. Intake is bounded in number and in time, and fair between
tenants. A command, once in a batch, runs to its commit whatever becomes of its caller.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.command import Command

BATCH_MAX = 128
QUEUE_MAX = 4_096  # intake commands waiting; more are shed


class Unavailable(Exception):
    """The store cannot take the command now; nothing was promised. Repeat with the same id."""


class Overloaded(Unavailable):
    """Shed for load; the store itself is well."""


class Contended(Unavailable):
    """Other writers were in the way too often; the store itself is well."""


@dataclass(slots=True)
class Pending:
    command: Command
    future: asyncio.Future[Any]
    since: float


@dataclass(slots=True)
class Lanes:
    """What waits for the next commit: evidence in order, intake in turn by tenant."""

    evidence: deque[Pending] = field(default_factory=deque)
    intake: dict[str, deque[Pending]] = field(default_factory=dict)
    waiting: int = 0
    patience_s: float = 0.3  # of an intake command

    def add(self, pending: Pending) -> None:
        if pending.command.evidence:
            self.evidence.append(pending)
            return
        if self.waiting >= QUEUE_MAX:
            raise Overloaded("too many commands are waiting")
        self.waiting += 1
        tenant = str(getattr(pending.command, "tenant", ""))
        self.intake.setdefault(tenant, deque()).append(pending)

    def take(self, now: float) -> list[Pending]:
        """The next batch. Whoever waited too long is told so; whoever has gone is dropped."""
        batch: list[Pending] = []
        while self.evidence and len(batch) < BATCH_MAX:
            batch.append(self.evidence.popleft())
        while self.intake and len(batch) < BATCH_MAX:
            for tenant in list(self.intake):
                queue = self.intake[tenant]
                pending = queue.popleft()
                self.waiting -= 1
                if not queue:
                    del self.intake[tenant]
                if pending.future.done():
                    continue
                if now - pending.since > self.patience_s:
                    pending.future.set_exception(Overloaded("waited too long for a commit"))
                    continue
                batch.append(pending)
                if len(batch) == BATCH_MAX:
                    break
        return batch

    def shed(self, now: float) -> None:
        """Tell whoever has waited too long, though the commit before it goes on and on."""
        for tenant in list(self.intake):
            queue = self.intake[tenant]
            while queue and now - queue[0].since > self.patience_s:
                self.waiting -= 1
                late = queue.popleft().future
                if not late.done():
                    late.set_exception(Overloaded("waited too long for a commit"))
            if not queue:
                del self.intake[tenant]

    def __bool__(self) -> bool:
        return bool(self.evidence or self.intake)


Outcome = tuple[bool, Any]  # (decided, result) or (failed, error)
Commit = Callable[[list[Command]], Awaitable[list[Outcome]]]


class Writer:
    """The task that makes batches and has them committed, one after the other."""

    def __init__(self, commit: Commit, patience_s: float, linger_s: float = 0.001) -> None:
        self._commit = commit
        self._linger_s = linger_s
        self._lanes = Lanes(patience_s=patience_s)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._shedder: asyncio.Task[None] | None = None
        self._open = False

    def start(self) -> None:
        self._open = True
        self._task = asyncio.create_task(self._run(), name="store-writer")
        self._shedder = asyncio.create_task(self._shed(), name="store-shedder")

    @property
    def waiting(self) -> int:
        return self._lanes.waiting

    async def submit(self, command: Command) -> Any:
        """Decide and commit one command. The caller's cancellation does not stop a commit."""
        if not self._open:
            raise Unavailable("the store is not open")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._lanes.add(Pending(command, future, time.monotonic()))
        self._wake.set()
        return await future

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        self._open = False
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._shedder is not None:
            self._shedder.cancel()
            await asyncio.gather(self._shedder, return_exceptions=True)

    async def _shed(self) -> None:
        while True:
            await asyncio.sleep(self._lanes.patience_s)
            self._lanes.shed(time.monotonic())

    async def _run(self) -> None:
        last = 0
        while self._open or self._lanes:
            if not self._lanes:
                self._wake.clear()
                await self._wake.wait()
                continue
            if last > 1:
                await asyncio.sleep(self._linger_s)  # under load a little patience fills a batch
            batch = self._lanes.take(time.monotonic())
            last = len(batch)
            if not batch:
                continue
            _answer(batch, await self._commit([pending.command for pending in batch]))


def _answer(batch: Iterable[Pending], outcomes: Iterable[Outcome]) -> None:
    for pending, (decided, result) in zip(batch, outcomes, strict=True):
        if pending.future.done():  # the caller has gone; what was committed stands
            continue
        if decided:
            pending.future.set_result(result)
        else:
            pending.future.set_exception(result)
