"""What every servicer is given, and what it knows of one call."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.clock import Clock
from gateway.config import Settings
from gateway.domain.fees import Terms
from gateway.rpc.auth import Caller
from gateway.rpc.errors import Failure
from gateway.store.store import Store
from gateway.telemetry import Metrics
from gateway.worker import Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything a servicer needs, built in one place."""

    settings: Settings
    terms: Terms
    store: Store
    worker: Worker
    clock: Clock
    metrics: Metrics
    levels: Mapping[str, str] = field(default_factory=dict)  # how much of an adapter is proved


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who, and when it arrived on the event loop's own clock."""

    caller: Caller
    arrived_s: float
    failure: Callable[[Exception], Failure]  # what the caller is told of any error; it is logged

    def left_s(self, within_ms: int) -> float:
        """What is left of a time that began with the call."""
        now = asyncio.get_running_loop().time()
        return max(0.0, self.arrived_s + within_ms / 1000 - now)


@dataclass(slots=True)
class Errands:
    """Work that the server owns: it goes on when the caller has gone, and is waited for at the end.

    A caller's deadline cancels the handler and what it awaits. What must not be half done is
    started here and awaited behind a shield.
    """

    _running: set[asyncio.Task[Any]] = field(default_factory=set)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller if there is one; never "never retrieved"

    async def drain(self, timeout_s: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
