"""The batch writer: commands that arrive while a commit is under way share the next one.

Evidence goes first and is never shed. Intake is bounded in number and in time, and fair between
tenants. A command, once in a batch, runs to its commit whatever becomes of its caller.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.command import Command

BATCH_MAX = 128
LINGER_S = 0.002  # before a batch that follows one of several commands
LULL_S = 0.020  # what nobody waits for may wait so long for company
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
    patience: asyncio.TimerHandle | None = None  # ends the wait, though a commit may hang

    def shed(self) -> None:
        if not self.future.done():
            self.future.set_exception(Overloaded("waited too long for a commit"))


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
                if pending.patience is not None:
                    pending.patience.cancel()
                if not queue:
                    del self.intake[tenant]
                if pending.future.done():
                    continue
                if now - pending.since > self.patience_s:
                    pending.shed()
                    continue
                batch.append(pending)
                if len(batch) == BATCH_MAX:
                    break
        return batch

    def oldest(self) -> float | None:
        """Since when the intake command that has waited longest has been waiting."""
        return min((queue[0].since for queue in self.intake.values()), default=None)

    def __bool__(self) -> bool:
        return bool(self.evidence or self.intake)


Outcome = tuple[bool, Any]  # (decided, result) or (failed, error)
Commit = Callable[[list[Command]], Awaitable[list[Outcome]]]


class Writer:
    """The task that makes batches and has them committed, one after the other."""

    def __init__(self, commit: Commit, patience_s: float) -> None:
        self._commit = commit
        self._lanes = Lanes(patience_s=patience_s)
        self._wake = asyncio.Event()
        self._lull: asyncio.TimerHandle | None = None  # what waits is patient, until then
        self._task: asyncio.Task[None] | None = None
        self._open = False

    def start(self) -> None:
        self._open = True
        self._task = asyncio.create_task(self._run(), name="store-writer")

    @property
    def waiting(self) -> int:
        return self._lanes.waiting

    @property
    def late_s(self) -> float:
        """How long the oldest intake command has waited."""
        since = self._lanes.oldest()
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    async def submit(self, command: Command, *, patient: bool = False) -> Any:
        """Decide and commit one command. The caller's cancellation does not stop a commit.

        `patient`: nobody waits for it. It goes with the next one that is not, or after LULL_S."""
        if not self._open:
            raise Unavailable("the store is not open")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        pending = Pending(command, future, loop.time())
        self._lanes.add(pending)
        if not command.evidence:
            pending.patience = loop.call_later(self._lanes.patience_s, pending.shed)
        if not patient:
            self._wake.set()
        elif self._lull is None and not self._wake.is_set():
            self._lull = loop.call_later(LULL_S, self._wake.set)
        return await future

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        self._open = False
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        last = 0
        while self._open or self._lanes:
            await self._wake.wait()
            if last > 1:
                await asyncio.sleep(LINGER_S)  # under load a little patience fills a batch
            self._wake.clear()
            if self._lull is not None:
                self._lull.cancel()
                self._lull = None
            batch = self._lanes.take(loop.time())
            last = len(batch)
            if self._lanes:
                self._wake.set()
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
