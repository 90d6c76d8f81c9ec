"""The platform's ear: one Watch stream of everything, broken and resumed on purpose."""

import asyncio
from collections import Counter
from typing import Any

import grpc
import grpc.aio

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from loadtest.client import Client, millis
from loadtest.evidence import Step
from loadtest.fleet import FleetError

BREAK_AFTER = 100  # events; then the stream is dropped and resumed from the last cursor
RESUME_PAUSE_S = 0.1
COLUMN = "EVENT_COLUMN_"
SILENT_S = 40.0  # some heartbeats
SILENT = "silence"
CANCELLED = "a cancellation by nobody"
Code = grpc.StatusCode
# A stream may end at any time. CANCELLED is what the library itself says of calls that it has no
# room for.
EXPECTED = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.CANCELLED})
WRONG = frozenset(  # what we ask for is: it would be no better the next time
    {Code.INVALID_ARGUMENT, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}
)


def _said(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name} {error.details()}"


def step_of(event: intercepts.Event) -> Step:
    column = intercepts.EventColumn.Name(event.column).removeprefix(COLUMN)
    return Step(
        cursor=event.cursor,
        interception=event.interception_id,
        seq=event.seq,
        column=column,
        source=event.from_value,
        target=event.to_value,
        evidence=event.evidence.id,
        actor=event.actor,
        cause=event.cause,
        at_ms=millis(event.at),
    )


class Watcher:
    """Collects every event, and keeps the newest state of every interception.

    However a stream ends, it is resumed, and ends that no gateway should come to are counted. One
    that cannot be resumed leaves it deaf: `check` says so, before that is taken for silence.
    """

    def __init__(self, client: Client, silent_s: float = SILENT_S) -> None:
        self._client = client
        self._silent_s = silent_s
        self._cursor = ""
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.steps: list[Step] = []
        self.newest: dict[str, intercepts.Interception] = {}
        self.resumed = 0
        self.faults: Counter[str] = Counter()  # how streams ended that should not have

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen(), name="watch")
        self._task.add_done_callback(lambda _: self._news.set())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        """Raises FleetError where nothing will be heard any more."""
        if self._task is None or not self._task.done():
            return
        error = None if self._task.cancelled() else self._task.exception()
        said = _said(error) if isinstance(error, grpc.aio.AioRpcError) else repr(error)
        raise FleetError(f"the Watch stream cannot be resumed: {said}") from error

    async def heard(self, count: int, timeout_s: float) -> bool:
        """Whether so many events have come, in this time. Raises FleetError as `check` does."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.steps) < count:
                    self.check()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _listen(self) -> None:
        while True:
            request = intercepts.InterceptServiceWatchRequest(
                cursor=self._cursor, from_start=not self._cursor
            )
            try:
                await self._hear(self._client.watch(request))
            except grpc.aio.AioRpcError as error:
                if error.code() in WRONG:
                    raise
                if error.code() not in EXPECTED:
                    self.faults[_said(error)] += 1
                await asyncio.sleep(RESUME_PAUSE_S)
            except TimeoutError:
                self.faults[SILENT] += 1
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():  # by us
                    raise
                self.faults[CANCELLED] += 1
            self.resumed += 1

    async def _hear(self, call: Any) -> None:
        """What a stream says, until it is broken. Raises AioRpcError, TimeoutError."""
        fresh, time = 0, asyncio.get_running_loop().time
        async with asyncio.timeout(self._silent_s) as silence:
            async for answer in call:
                silence.reschedule(time() + self._silent_s)
                self._cursor = answer.cursor or self._cursor
                if answer.HasField("event"):
                    self._take(answer)
                    fresh += 1
                if fresh >= BREAK_AFTER:
                    call.cancel()
                    break

    def _take(self, answer: intercepts.InterceptServiceWatchResponse) -> None:
        self.steps.append(step_of(answer.event))
        self._news.set()
        shown = answer.interception
        known = self.newest.get(shown.id)
        if known is None or shown.version >= known.version:
            self.newest[shown.id] = shown
