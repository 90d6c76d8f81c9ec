"""The worker: takes due jobs, asks the carriers, and feeds what they say back as evidence.

It is the only retry mechanism: whatever is to be done again is a job with a later time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.bulkhead import Bulkhead
from gateway.clock import Clock
from gateway.domain.carrier import Answer, Order, Reason, Trace, Verdict
from gateway.domain.desk import FinishClaim
from gateway.domain.due import EFFECTS, SENDS, Fumble, LeaseDue, lane
from gateway.domain.interception import Interception, JobKind
from gateway.domain.leasing import Work
from gateway.domain.parcel import Alias, Parcel, Person
from gateway.domain.reading import Observe
from gateway.domain.register import RecordTrack
from gateway.domain.reply import Finish, by_family
from gateway.failpoints import FailPoints
from gateway.runner import NOT_SENT, Endpoint, Runner
from gateway.store.store import Store
from gateway.store.writer import Unavailable

LEASE_LIMIT = 64  # jobs taken up at once
TASKS_MAX = 256  # calls under way
LOOK_S = 0.5  # how often leases that ran out are looked for
PAUSE_S = 0.05  # after a look that found only what cannot be sent now
ALL = tuple(JobKind)
SAFE = tuple(kind for kind in JobKind if kind not in EFFECTS - SENDS)  # without a claim's filing
SILENT = (Reason.NO_ANSWER, Reason.NOT_SENT)
FAR = 2**62

log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True)
class Idle:
    """What is left to do before the gateway rests at a business time."""

    now: int
    at_work: int
    due: int
    leased: int
    inbox: int

    @property
    def idle(self) -> bool:
        return not (self.at_work or self.due or self.leased or self.inbox)


class Worker:
    """Jobs of one process. Every call runs in a task of the server's own."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        clock: Clock,
        endpoints: Mapping[tuple[str, str], Endpoint],
        points: FailPoints,
    ) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock
        self._endpoints = endpoints
        self._points = points
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reads: dict[str, asyncio.Task[Answer]] = {}
        self._queued: set[str] = set()  # of those readings: not begun
        self._reading: Counter[tuple[str, str]] = Counter()
        self._quoting: Counter[tuple[str, str]] = Counter()
        self._turns: dict[tuple[str, str], asyncio.Condition] = {}
        self._wake = asyncio.Event()
        self._soonest = 0
        self._looked = 0
        self._loop: asyncio.Task[None] | None = None
        self._open = self._resting = False
        self.bulkheads = {
            key: Bulkhead(endpoint.concurrency, endpoint.per_second)
            for key, endpoint in endpoints.items()
        }
        self.inbox: Callable[[], int] = lambda: 0  # pushes being applied
        store.due.append(self._told)

    # -- life -----------------------------------------------------------------------------

    def start_loop(self) -> None:
        self._open = True
        self._loop = asyncio.create_task(self._run(), name="worker")

    def rest(self) -> None:
        """Take no more jobs: one begun now might be cut off. What Create sends still goes out."""
        self._resting = True
        self._wake.set()

    async def stop(self, grace_s: float) -> None:
        """Let calls under way end and be committed."""
        self.rest()
        if self._loop is not None:
            await self._loop
        pending = {*self._tasks, *self._reads.values()}
        if pending:
            await asyncio.wait(pending, timeout=grace_s)
        self._open = False

    def wake(self) -> None:
        """Business time has moved."""
        self._wake.set()

    def _told(self, due: int) -> None:
        self._soonest = min(self._soonest, due)
        if due <= self._clock.now():
            self._wake.set()

    async def _run(self) -> None:
        while not self._resting:
            self._wake.clear()
            try:
                found = await self._look()
            except Exception as error:  # whatever one look met, the next one is taken
                log.exception("look failed", error=type(error).__name__)
                found, self._soonest = 0, 0
            if found:
                continue
            able = self._store.healthy and not self._store.safe
            wait = PAUSE_S if able and self._soonest <= self._clock.now() else LOOK_S
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    async def _look(self) -> int:
        """Lease what is due, if anything can be. How many jobs were taken."""
        machine = self._clock.machine_ms()
        stale = machine - self._looked >= LOOK_S * 1000
        if self._soonest > self._clock.now() and not stale:
            return 0
        room = min(LEASE_LIMIT, TASKS_MAX - len(self._tasks))
        if room <= 0:
            return 0
        self._looked, self._soonest = machine, FAR
        try:
            kinds = SAFE if self._store.safe else ALL
            works = await self._store.run(LeaseDue(kinds, room, self._room(machine)), patient=True)
            rows = await self._store.table("next_due")
        except Unavailable:
            self._soonest = 0
            return 0
        self._soonest = min(self._soonest, rows[0]["due"] or FAR)
        for work in works:
            self._launch(self._perform(work))
        return len(works)

    def _room(self, machine: int) -> dict[str, int]:
        """What each account has left for sends and for reads: one that hangs takes no more. In
        safe mode there is none for sends, and their leases that have run out are still ended."""
        room = {}
        for (channel, account), bulkhead in self.bulkheads.items():
            bulkhead.replicas = self._store.replicas
            sends = bulkhead.free() if bulkhead.open(machine) and not self._store.safe else 0
            reads = bulkhead.share - self._reading[channel, account]
            room[lane(JobKind.SUBMIT, channel, account)] = sends
            room[lane(JobKind.FOLLOW, channel, account)] = reads
        return room

    def _launch(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- send slots -----------------------------------------------------------------------

    def slot(self, channel: str, account: str) -> bool:
        bulkhead = self.bulkheads.get((channel, account))
        return bulkhead is not None and bulkhead.take(self._clock.machine_ms())

    def unslot(self, channel: str, account: str) -> None:
        self.bulkheads[channel, account].give()

    def start(self, work: Work) -> "asyncio.Task[Interception | None]":
        """Send what Create has leased; its slot is taken already."""
        return self._launch(self._sent(work))

    async def _sent(self, work: Work) -> Interception | None:
        try:
            result: Interception | None = await self._guarded(work)
            return result
        finally:
            self.unslot(work.channel, work.account)

    async def _perform(self, work: Work) -> Any:
        """A job from the queue; sends wait for their slot, and are not sent past their lease."""
        if work.kind not in SENDS:
            self._reading[work.channel, work.account] += 1
            try:
                return await self._guarded(work)
            finally:
                self._reading[work.channel, work.account] -= 1
        while not self.slot(work.channel, work.account):
            if self._late(work):
                return await self._guarded(work)  # which will say that it was not sent
            await asyncio.sleep(PAUSE_S)
        return await self._sent(work)

    def _late(self, work: Work) -> bool:
        """Whether the answer could come after the lease, or safe mode has begun: then it must not
        be sent at all."""
        endpoint = self._endpoints[work.channel, work.account]
        late = self._clock.machine_ms() + endpoint.timeout_s * 1000 > work.lease_until
        return late or (self._store.safe and work.kind in EFFECTS)

    def _held(self, work: Work) -> bool:
        """Whether the lease still stands: asked once more right before the request goes out."""
        return self._clock.machine_ms() < work.lease_until

    async def _guarded(self, work: Work) -> Any:
        try:
            return await CALLS[work.kind](self, work)
        except Unavailable:
            return None  # the lease runs out, and the job is taken up again
        except Exception as error:
            log.exception("job failed", job=work.job, error=type(error).__name__)
            await self._store.run(Fumble(work.job, work.gen, type(error).__name__))
            return None

    # -- calls ----------------------------------------------------------------------------

    async def _send(self, work: Work) -> Interception | None:
        endpoint = self._endpoints[work.channel, work.account]
        name = work.verb
        operation = getattr(endpoint.adapter, name)
        if work.order is None or operation is None:
            return None
        answer = NOT_SENT
        if not self._late(work):
            self._points.hit("before_socket")
            waybills = (work.order.waybill,)
            answer = await self._runner.perform(
                endpoint, name, operation, work.order, waybills, lambda: self._held(work)
            )
            self._points.hit("after_reply")
            self._heard(work.channel, work.account, answer)
        family = by_family(endpoint.adapter)
        finish = Finish(work.job, work.gen, work.subject, work.attempt, answer, family)
        result: Interception = await self._commit(finish)
        return result

    async def _commit(self, command: Finish | FinishClaim) -> Any:
        """What a carrier has said is not let go because the store cannot take it just now."""
        wait = PAUSE_S
        while True:
            try:
                return await self._store.run(command)
            except Unavailable:
                if not self._open:
                    raise
                await asyncio.sleep(wait)
                wait = min(2 * wait, LOOK_S)

    async def _follow(self, work: Work) -> None:
        endpoint = self._endpoints[work.channel, work.account]
        adapter, order = endpoint.adapter, work.order
        if order is None:
            return
        asked_ms = self._clock.machine_ms()
        asked: Answer | None = None
        read: Answer | None = None
        if work.ask and adapter.query is not None:
            asked = await self._runner.perform(
                endpoint, "query", adapter.query, order, (order.waybill,)
            )
        tracker = self._tracker(work.channel, work.account, order.network)
        if tracker is not None:
            phone = order.sender.phone if order.sender is not None else ""
            read = await self._track(tracker, order.network, work.waybills, phone)
        seen = Observe(work.job, work.gen, work.subject, asked, read, asked_ms)
        await self._store.run(seen, patient=True)

    def _tracker(self, channel: str, account: str, network: str) -> Endpoint | None:
        key = self._store.terms.tracker(channel, account, network)
        return None if key is None else self._endpoints.get(key)

    async def _track(
        self, endpoint: Endpoint, network: str, waybills: tuple[str, ...], phone: str
    ) -> Answer:
        operation = endpoint.adapter.track
        assert operation is not None
        scans: list[Any] = []
        asked_at = self._clock.now()
        for start in range(0, len(waybills), operation.batch):
            part = waybills[start : start + operation.batch]
            trace = Trace(part, network, phone[-4:], endpoint.settings)
            answer = await self._runner.perform(endpoint, "track", operation, trace, part)
            if answer.verdict is not Verdict.RECEIVED:
                return Answer(Verdict.UNKNOWN, answer.reason, answer.code)
            scans += answer.scans
        return Answer(Verdict.RECEIVED, scans=tuple(scans), asked_at=asked_at)

    async def _claim(self, work: Work) -> None:
        endpoint = self._endpoints[work.channel, work.account]
        filing = work.kind is JobKind.CLAIM
        operation = endpoint.adapter.claim if filing else endpoint.adapter.claim_query
        if operation is None or work.case is None or self._late(work):
            return
        self._points.hit("before_socket")
        answer = await self._runner.perform(
            endpoint,
            work.kind.value,
            operation,
            work.case,
            (work.case.waybill,),
            lambda: self._held(work),
        )
        self._points.hit("after_reply")
        await self._commit(FinishClaim(work.job, work.gen, work.subject, answer))

    def _heard(self, channel: str, account: str, answer: Answer) -> None:
        silent = answer.reason in SILENT
        self.bulkheads[channel, account].heard(not silent, self._clock.machine_ms())

    # -- tracking for quotes --------------------------------------------------------------

    async def track(self, parcel: Parcel, timeout_s: float) -> Answer | None:
        """Where the parcel is, asked once however many ask. None if that takes too long: a reading
        that has begun goes on, and what it says is kept."""
        task = self._reads.get(parcel.id)
        if task is None:
            task = asyncio.create_task(self._read(parcel))
            self._reads[parcel.id] = task
            self._queued.add(parcel.id)
            task.add_done_callback(lambda _: self._reads.pop(parcel.id, None))
            task.add_done_callback(lambda _: self._queued.discard(parcel.id))
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        except asyncio.CancelledError:
            self._leave(parcel, task)
            raise
        if not done:
            self._leave(parcel, task)
            return None
        if task.cancelled():  # who asked first would not wait for its turn any longer
            return None
        answer = task.result()
        return answer if answer.verdict is Verdict.RECEIVED else None

    def _leave(self, parcel: Parcel, task: asyncio.Task[Answer]) -> None:
        if parcel.id in self._queued:
            task.cancel()
        else:
            task.add_done_callback(self._keep(parcel))

    def _keep(self, parcel: Parcel) -> Callable[[asyncio.Task[Answer]], None]:
        def keep(task: asyncio.Task[Answer]) -> None:
            if task.cancelled() or task.exception() is not None or not self._open:
                return
            if task.result().verdict is Verdict.RECEIVED:
                kept = RecordTrack(parcel.id, task.result())
                self._launch(self._store.run(kept, patient=True))

        return keep

    async def _read(self, parcel: Parcel) -> Answer:
        tracker = self._tracker(parcel.channel, parcel.account, parcel.network)
        if tracker is None:
            return Answer(Verdict.UNKNOWN)
        async with self._turn(tracker):
            self._queued.discard(parcel.id)
            people, aliases = await self._store.several(
                (Person, "people_of_parcel", {"parcel": parcel.id}),
                (Alias, "aliases_of_parcel", {"parcel": parcel.id}),
            )
            phone = next((p.phone for p in people if p.role == "sender"), "")
            numbers = (parcel.waybill, *(alias.waybill for alias in aliases))
            return await self._track(tracker, parcel.network, numbers, phone)

    @asynccontextmanager
    async def _turn(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """One of the calls that may be made of an account at one time so that quotes can be told:
        however many ask, and however long it takes to answer."""
        key = endpoint.adapter.name, endpoint.account
        free = self._turns.setdefault(key, asyncio.Condition())
        async with free:
            try:
                await free.wait_for(lambda: self._quoting[key] < self.bulkheads[key].share)
            except asyncio.CancelledError:
                free.notify()  # we may have been woken for a turn that somebody else can take
                raise
            self._quoting[key] += 1
        try:
            yield
        finally:
            self._quoting[key] -= 1
            async with free:
                free.notify()

    async def would(self, parcel: Parcel, timeout_s: float) -> Answer | None:
        """Whether the carrier would stop the parcel. None if it does not say so in time."""
        endpoint = self._endpoints.get((parcel.channel, parcel.account))
        operation = endpoint.adapter.quote if endpoint is not None else None
        if endpoint is None or operation is None:
            return None
        order = Order("", parcel.waybill, network=parcel.network, settings=endpoint.settings)
        waybills = (parcel.waybill,)
        try:
            async with asyncio.timeout(timeout_s), self._turn(endpoint):
                return await self._runner.perform(endpoint, "quote", operation, order, waybills)
        except TimeoutError:
            return None

    # -- what a test or an operator may ask -----------------------------------------------

    async def idle(self) -> Idle:
        now = self._clock.now()
        due = await self._store.table("due_reads" if self._store.safe else "due_count", now=now)
        leased = await self._store.table("leased")
        new = await self._store.table("inbox_count")
        at_work = len(self._tasks) + len(self._reads) + self.inbox()
        return Idle(now, at_work, due[0]["n"], leased[0]["n"], new[0]["n"])

    def health(self, channel: str) -> dict[str, str]:
        """Breaker state of each account of a carrier."""
        return {
            account: str(bulkhead.state)
            for (name, account), bulkhead in self.bulkheads.items()
            if name == channel
        }


CALLS: dict[JobKind, Callable[[Worker, Work], Coroutine[Any, Any, Any]]] = {
    JobKind.SUBMIT: Worker._send,
    JobKind.WITHDRAW: Worker._send,
    JobKind.FOLLOW: Worker._follow,
    JobKind.CLAIM: Worker._claim,
    JobKind.CLAIM_FOLLOW: Worker._claim,
}
