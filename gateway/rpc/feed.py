"""Events as they are committed, read and written down once for everybody who watches.

While somebody watches, one task reads the log on, of all tenants, and keeps the newest RING_MAX of
its events as the bytes that are sent. Who is further behind reads his own pages of the log until he
has caught up. A commit wakes those only whom one of its events concerns.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from gateway.domain.fees import Terms
from gateway.domain.interception import EventRow, Evidence, Interception
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.rpc import messages
from gateway.store.store import Store

RING_MAX = 4_096  # events; some megabytes
PAGE = 100  # events of one reading
LOOK_S = 1.0  # how soon an idle stream notices that the gateway drains


@dataclass(frozen=True, slots=True)
class Scope:
    """What a stream is about."""

    tenant: str
    interception: str = ""
    merchant: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the interception it is of, as they are sent."""

    position: int
    tenant: str
    interception: str
    merchant: str
    message: bytes  # an InterceptServiceWatchResponse

    def concerns(self, scope: Scope) -> bool:
        return (
            self.tenant == scope.tenant
            and scope.interception in ("", self.interception)
            and scope.merchant in ("", self.merchant)
        )


@dataclass(eq=False, slots=True)
class Reader:
    """One who watches."""

    scope: Scope
    concerned: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """The newest events of one process's store, shared by its streams."""

    def __init__(self, store: Store, terms: Terms, most: int = RING_MAX) -> None:
        self._store = store
        self._terms = terms
        self._most = most
        self._ring: deque[Told] = deque()
        self._after: int | None = None  # what comes after it, up to `_last`, is in the ring
        self._last = 0
        self._readers: set[Reader] = set()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self.pages = 0  # that were read from the log, by whomever

    @contextmanager
    def reading(self, scope: Scope) -> Iterator[Reader]:
        reader = Reader(scope)
        self._readers.add(reader)
        if self._task is None:
            self._error = None
            self._task = asyncio.create_task(self._run(), name="feed")
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            if not self._readers and self._task is not None:
                self._task.cancel()
                self._end()

    async def after(self, reader: Reader, position: int) -> tuple[Sequence[bytes], int]:
        """What came after the position in the reader's scope, oldest first, and the position up to
        which that is all there was. Waits for LOOK_S where there is nothing. Raises Unavailable."""
        if self._error is not None:
            raise self._error
        if self._after is None or position < self._after:
            return await self._page(reader.scope, position)
        found = self._since(reader.scope, position)
        if not found:
            reader.concerned.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await reader.concerned.wait()
            except TimeoutError:
                pass
            if reader.concerned.is_set():
                return [], position  # to be looked up, wherever it is by now
            return [], max(position, self._last)
        return [told.message for told in found], self._last

    def _since(self, scope: Scope, position: int) -> list[Told]:
        found: list[Told] = []
        for told in reversed(self._ring):
            if told.position <= position:
                break
            if told.concerns(scope):
                found.append(told)
        found.reverse()
        return found

    async def _page(self, scope: Scope, position: int) -> tuple[list[bytes], int]:
        """From the log itself. Waits for LOOK_S where nothing has come after the position."""
        newest = await self._store.changed(position, LOOK_S)
        if newest <= position:
            return [], position
        page = await self._store.events(
            scope.tenant,
            interception=scope.interception,
            merchant=scope.merchant,
            after=position,
            limit=PAGE,
        )
        told = await self._written(page)
        return [each.message for each in told], _reached(told, newest)

    # -- the one who reads on -------------------------------------------------------------

    async def _run(self) -> None:
        """A reading that has ended may still be under way when the next one begins: what it brings
        then is nobody's."""
        mine = asyncio.current_task()
        try:
            self._last = self._after = await self._store.changed(-1, 0)
            while self._task is mine:
                newest = await self._store.changed(self._last, LOOK_S)
                if newest <= self._last:
                    continue
                told = await self._written(await self._store.log(self._last, PAGE))
                if self._task is mine:
                    self._take(told, _reached(told, newest))
        except Exception as error:  # each of the streams ends with it, and can be resumed
            if self._task is not mine:
                return
            self._error = error
            for reader in self._readers:
                reader.concerned.set()
            self._end()

    def _end(self) -> None:
        self._task, self._after = None, None
        self._ring.clear()

    def _take(self, told: list[Told], reached: int) -> None:
        self._ring.extend(told)
        self._last = reached
        while len(self._ring) > self._most:
            self._after = self._ring.popleft().position
        for reader in self._readers:
            if not reader.concerned.is_set() and any(t.concerns(reader.scope) for t in told):
                reader.concerned.set()

    async def _written(self, page: Sequence[tuple[int, EventRow]]) -> list[Told]:
        """The events with their interceptions as these stand now, and what they rest on."""
        self.pages += 1
        if not page:
            return []
        ids = sorted({row.interception for _, row in page})
        named = sorted({row.evidence for _, row in page if row.evidence})
        found, besides, proofs = await self._store.several(
            (Interception, "interceptions_by_id", {"keys": ids}),
            (messages.Beside, "beside", {"keys": ids}),
            (Evidence, "evidence_by_id", {"keys": named}),
        )
        beside = {each.interception: each for each in besides}
        rows = {row.id: row for row in found}
        shown = {row.id: messages.interception(row, self._terms, beside[row.id]) for row in found}
        said = {proof.id: proof for proof in proofs}
        told = []
        for position, event in page:
            key = event.interception
            message = pb.InterceptServiceWatchResponse(
                cursor=str(position),
                event=messages.event(position, event, said.get(event.evidence or "")),
                interception=shown[key],
            )
            written = message.SerializeToString()
            told.append(Told(position, event.tenant, key, rows[key].merchant, written))
        return told


def _reached(told: Sequence[Told], newest: int) -> int:
    """Up to where a page tells of everything: to its end, or, if it was not full, to `newest`."""
    last = told[-1].position if told else 0
    return last if len(told) >= PAGE else max(last, newest)
