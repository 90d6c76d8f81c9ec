"""What an operator watches: health at once, gauges every few seconds, the audit every few minutes.

Whether the store is well, and in safe mode, is looked at twice a second: a load balancer that still
sends calls to a gateway that cannot write loses every one of them.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from gateway import statements, upkeep
from gateway.clock import Clock
from gateway.domain.fees import Terms
from gateway.retention import purge
from gateway.store.audit import RULES
from gateway.store.driver import StoreError
from gateway.store.store import Store
from gateway.store.writer import Unavailable
from gateway.telemetry import Metrics
from gateway.worker import Worker

LOOK_S = 0.5
REFRESH_S = 5.0
AUDIT_S = 300.0
PURGE_S = RESUME_S = 3_600.0
SOON_S = 5.0
AUDIT_RESTS = 9  # it goes through the whole store: at most a tenth of the time

Ready = Callable[[bool], Awaitable[None]]

log = structlog.get_logger("vitals")


@dataclass(frozen=True, slots=True)
class Round:
    """What is done again and again, beside the work."""

    name: str
    act: Callable[[], Awaitable[None]]
    every_s: float
    first_s: float = 0.0  # after the start
    soon_s: float = SOON_S  # where the store could not take it
    rests: int = 0  # so many times as long as it took, at least


class Vitals:
    """Gauges of the money and of what waits for a person, read beside the work."""

    def __init__(
        self,
        store: Store,
        worker: Worker,
        clock: Clock,
        terms: Terms,
        metrics: Metrics,
        ready: Ready,
    ) -> None:
        self._store = store
        self._terms = terms
        self._worker = worker
        self._clock = clock
        self._metrics = metrics
        self._ready = ready
        self._retention_ms = terms.policy.retention_ms
        self._scoured = False  # what a process erased that was killed may still be in the log
        self._well = True
        self._safe = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        rounds = (
            Round("health", self._look, LOOK_S),
            Round("gauges", self.refresh, REFRESH_S),
            Round("retention", self.purge, PURGE_S),
            Round("scouring", self._scour, REFRESH_S),
            Round("statements", self._resume, RESUME_S),
            Round("audit", self.audit, AUDIT_S, first_s=AUDIT_S, rests=AUDIT_RESTS),
        )
        self._tasks = [asyncio.create_task(again(each), name=each.name) for each in rounds]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Tell the health service when the store stops or begins to commit again, and the log
        when safe mode begins and ends; end it where a command has left word to."""
        self._metrics.store_ready.set(self._store.healthy)
        self._metrics.safe_mode.set(self._store.safe)
        if self._safe != self._store.safe:
            self._safe = self._store.safe
            log.warning("safe mode", on=self._safe)
        if (word := self._store.told()) is not None:
            await upkeep.end(self._store, self._terms, word)
            self._store.tell(None)
        if self._well != self._store.healthy:
            self._well = self._store.healthy
            log.warning("store", healthy=self._well)
            if self._store.damaged:
                log.error("the store is damaged: restore it from a backup")
            await self._ready(self._well)

    async def refresh(self) -> None:
        oldest = (await self._store.table("oldest_undecided"))[0]["at"]
        age = (self._clock.now() - oldest) / 1000 if oldest else 0
        self._metrics.oldest_undecided_seconds.set(age)
        self._metrics.intake.set(self._store.waiting)
        held = await self._store.table("held_by_currency")
        self._metrics.held({row["currency"]: row["minor"] for row in held})
        kinds = await self._store.table("open_exceptions_by_kind")
        self._metrics.exceptions(Counter({row["kind"]: row["n"] for row in kinds}))
        for (channel, account), bulkhead in self._worker.bulkheads.items():
            self._metrics.breaker(channel, account, bulkhead.state)

    async def purge(self) -> None:
        """Erase what is personal and old; the log beside the file is emptied after it."""
        try:
            done = await purge(self._store, self._clock.now(), self._retention_ms)
        except Exception:
            self._scoured = False  # some of it may be erased
            raise
        if done:
            self._scoured = False
            log.info("personal data erased", parcels=done.parcels, pushes=done.pushes)

    async def _scour(self) -> None:
        if self._scoured:
            return
        self._scoured, done = True, False  # what is erased meanwhile takes it back
        try:
            done = await self._store.scour()
        finally:
            self._scoured = self._scoured and done

    async def _resume(self) -> None:
        await statements.resume(self._store)

    async def audit(self) -> None:
        findings = await self._store.audit()
        broken = {finding.rule: finding.count for finding in findings}
        self._metrics.audit({rule.name: broken.get(rule.name, 0) for rule in RULES})
        for finding in findings:
            log.error("invariant broken", rule=finding.rule, rows=finding.count)


async def again(each: Round) -> None:
    """Whatever comes of it, it is done again."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(each.first_s)
    while True:
        began, wait_s = loop.time(), each.every_s
        try:
            await each.act()
        except (Unavailable, StoreError) as error:
            log.warning("put off", what=each.name, error=type(error).__name__)
            wait_s = min(wait_s, each.soon_s)
        except Exception as error:
            log.exception("not done", what=each.name, error=type(error).__name__)
        await asyncio.sleep(max(wait_s, each.rests * (loop.time() - began)))
