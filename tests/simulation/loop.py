"""Virtual time on one thread: a loop that never waits, and processes in it that can be killed.

When nothing is ready, time jumps to the next timer. What would run on a thread runs here, at a
time that the seed chooses. A process that is killed runs no further line, not even a `finally`.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from typing import Any

Pace = Callable[[], tuple[float, float]]  # seconds before a piece of work, and before its result


LOOKS_MAX = 1_000_000  # some ten times what a seed of two hundred takes


class Killed(BaseException):
    """The process has gone. Nothing catches this."""


class Stuck(Exception):
    """Everything waits for what will never come, or runs round for ever."""


class Over(Exception):
    """Enough has been seen."""


class Process:
    """What runs in its context is killed together."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self.alive = True
        self.died: asyncio.Future[None] = loop.create_future()
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def context(self) -> Context:
        """One for a task of its own: no two tasks may be inside the same."""
        return self._context.copy()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _Timeless(selectors.SelectSelector):
    """Waits for nothing: the time that would have been waited for has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.over = False
        self._looks = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self._looks += 1
        if self.over:
            raise Over
        if timeout is None or self._looks > LOOKS_MAX:
            raise Stuck
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    _ready: Any
    _scheduled: Any

    def __init__(self, pace: Pace) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)
        self._pace = pace
        self.set_exception_handler(lambda loop, context: None)  # whoever is killed says so himself

    def time(self) -> float:
        return self._timeless.now

    def end(self) -> None:
        self._timeless.over = True

    def steady_ms(self) -> int:
        return int(self._timeless.now * 1000)

    def stall(self, seconds: float) -> None:
        """Nothing runs for so long: the machine, or the process, was paused."""
        self._timeless.now += seconds

    def kill(self, process: Process) -> None:
        process.alive = False
        for handle in (*self._ready, *self._scheduled):
            if handle._context.get(PROCESS) is process:
                handle.cancel()
        process.died.set_result(None)

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context
        process = context.get(PROCESS)
        if process is not None and not process.alive:
            dropped = asyncio.Handle(callback, args, self, context)
            dropped.cancel()
            return dropped
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        process = context.get(PROCESS)
        if process is not None and not process.alive:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.create_future()
        before, after = self._pace()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:
                self._later(after, _raise, future, error)
            else:
                self._later(after, _give, future, result)

        self._later(before, work)
        return future

    def _later(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        if seconds > 0:
            self.call_later(seconds, callback, *args)
        else:
            callback(*args)


def _give(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _raise(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
