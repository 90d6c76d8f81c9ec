"""Asks carriers to push what happens to registered parcels, and renews what ends by itself."""

import asyncio
from collections.abc import Iterator, Mapping

import structlog

from gateway.clock import Clock
from gateway.domain.carrier import Trace
from gateway.domain.parcel import Subscription
from gateway.domain.subscribing import Subscribed, TakeSubscriptions, Wanted
from gateway.runner import Endpoint, Runner
from gateway.store.store import Store
from gateway.store.writer import Unavailable

LOOK_S = 0.5
LIMIT = 200  # parcels taken up at one time

log = structlog.get_logger("subscriber")


class Subscriber:
    """One task; a carrier that hangs holds up its own subscriptions for one time-out."""

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
        self.at_work = 0
        store.due.append(self._told)

    def start(self) -> None:
        if self._store.terms.subscribes:
            self._open = True
            self._loop = asyncio.create_task(self._run(), name="subscriber")

    async def stop(self) -> None:
        """A request under way ends with its time-out; one not noted is made again."""
        self._open = False
        self._wake.set()
        if self._loop is not None:
            await self._loop

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
        self.at_work = len(rows)
        try:
            take = TakeSubscriptions(tuple(row.parcel for row in rows))
            wanted: list[Wanted] = await self._store.run(take)
            lanes: dict[tuple[str, str], list[Wanted]] = {}
            for each in wanted:
                lanes.setdefault((each.channel, each.account), []).append(each)
            await asyncio.gather(*(self._ask(key, asked) for key, asked in lanes.items()))
        finally:
            self.at_work = 0
        return len(rows)

    async def _ask(self, key: tuple[str, str], wanted: list[Wanted]) -> None:
        endpoint = self._endpoints.get(key)
        operation = endpoint.adapter.subscribe if endpoint is not None else None
        if endpoint is None or operation is None:
            return
        for part in parts(wanted, operation.batch):
            waybills = tuple(each.waybill for each in part)
            trace = Trace(waybills, part[0].network, part[0].phone_tail, endpoint.settings)
            answer = await self._runner.perform(endpoint, "subscribe", operation, trace, waybills)
            await self._store.run(Subscribed(tuple(each.parcel for each in part), answer))


def parts(wanted: list[Wanted], most: int) -> Iterator[list[Wanted]]:
    """Requests of at most so many parcels; what was refused before goes alone, so that one bad
    number does not keep others out."""
    together = [each for each in wanted if not each.alone]
    for start in range(0, len(together), most):
        yield together[start : start + most]
    for each in wanted:
        if each.alone:
            yield [each]
