"""Asks carriers to push what happens to registered parcels, and renews what ends by itself."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress

import structlog

from gateway.clock import Clock
from gateway.domain.carrier import Operation, Trace
from gateway.domain.parcel import Subscription
from gateway.domain.subscribing import Subscribed, TakeSubscriptions, Wanted
from gateway.runner import Endpoint, Runner
from gateway.store.store import Store
from gateway.store.writer import Unavailable

LOOK_S = 0.5
LIMIT = 200  # parcels taken up at one time

log = structlog.get_logger("subscriber")


class Subscriber:
    """One task that looks, and one for each request: a carrier that hangs holds up its own."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        clock: Clock,
        endpoints: Mapping[tuple[str, str], Endpoint],
    ) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock
        self._endpoints = endpoints
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._open = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: Counter[tuple[str, str]] = Counter()  # parcels that are being asked for
        store.due.append(self._told)

    @property
    def at_work(self) -> int:
        return len(self._tasks)

    def start(self) -> None:
        if self._store.terms.subscribes:
            self._open = True
            self._loop = asyncio.create_task(self._run(), name="subscriber")

    async def stop(self, grace_s: float) -> None:
        """Requests under way have so long; one that is not noted is made again."""
        self._open = False
        self._wake.set()
        if self._loop is not None:
            await self._loop
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        self._wake.set()

    def _told(self, due: int) -> None:
        if due <= self._clock.now():
            self._wake.set()

    async def _run(self) -> None:
        while self._open:
            self._wake.clear()
            taken = 0
            try:
                if self._store.healthy and not self._store.safe:
                    taken = await self._round()
            except Unavailable:
                pass
            except Exception as error:
                log.exception("round failed", error=type(error).__name__)
            if taken:
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def _round(self) -> int:
        now = self._clock.now()
        rows = await self._store.rows(Subscription, "subscriptions_due", now=now, limit=LIMIT)
        if not rows:
            return 0
        take = TakeSubscriptions(tuple(row.parcel for row in rows), self._room())
        wanted: list[Wanted] = await self._store.run(take, patient=True)
        lanes: dict[tuple[str, str], list[Wanted]] = {}
        for each in wanted:
            lanes.setdefault((each.channel, each.account), []).append(each)
        for key, asked in lanes.items():
            operation = self._endpoints[key].adapter.subscribe
            if operation is not None:
                for part in parts(asked, operation.batch):
                    self._launch(key, operation, part)
        return len(rows)

    def _room(self) -> dict[tuple[str, str], int]:
        """Half of what an account takes at one time, in requests of as many as fit in one."""
        return {
            key: max(1, endpoint.concurrency // 2) * operation.batch - self._asked[key]
            for key, endpoint in self._endpoints.items()
            if (operation := endpoint.adapter.subscribe) is not None
        }

    def _launch(
        self, key: tuple[str, str], operation: Operation[Trace], part: list[Wanted]
    ) -> None:
        self._asked[key] += len(part)
        task = asyncio.create_task(self._ask(key, operation, part))
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._asked[key] -= len(part)
            self._wake.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("subscribing failed", error=type(error).__name__)

        task.add_done_callback(done)

    async def _ask(
        self, key: tuple[str, str], operation: Operation[Trace], part: list[Wanted]
    ) -> None:
        """What is not noted is asked for again when its time comes."""
        endpoint, waybills = self._endpoints[key], tuple(each.waybill for each in part)
        trace = Trace(waybills, part[0].network, part[0].phone_tail, endpoint.settings)
        answer = await self._runner.perform(endpoint, "subscribe", operation, trace, waybills)
        with suppress(Unavailable):
            told = Subscribed(tuple(each.parcel for each in part), answer)
            await self._store.run(told, patient=True)


def parts(wanted: list[Wanted], most: int) -> Iterator[list[Wanted]]:
    """Requests of at most so many parcels; what was refused before goes alone, so that one bad
    number does not keep others out."""
    together = [each for each in wanted if not each.alone]
    for start in range(0, len(together), most):
        yield together[start : start + most]
    for each in wanted:
        if each.alone:
            yield [each]
