"""Pushes: what is due by the business clock is sent, and sent again as the carrier does.

Due times are business time; the HTTP attempt itself takes machine time.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from zlib import crc32

import aiohttp

from simulator.clock import VirtualClock
from simulator.depot import Account, Claim, Depot, Push, Record
from simulator.dialect import Announcement, Dialect, Outgoing
from simulator.outcomes import Fault, FaultName, Operation, draw
from simulator.world import HOUR_MS, NOTICES, TERMINAL, Mark

ATTEMPT_SECONDS = 5.0  # machine time for one attempt
LANES = 16  # one after the other within a lane; a parcel stays in its lane
REPLY_BYTES_MAX = 64 * 1024
LOG = logging.getLogger("simulator.pushes")

Due = tuple[Record, int] | tuple[Record, Claim] | Push
Post = Callable[[Push], Awaitable[tuple[int, bytes] | None]]  # status and body; None: no answer


class Http:
    """Posts one message, and reads no more of the answer than is needed."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        connector = aiohttp.TCPConnector(limit=64)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=False
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, push: Push) -> tuple[int, bytes] | None:
        assert self._session is not None
        headers = {**push.headers, "Content-Type": push.content_type}
        try:
            async with self._session.post(
                push.url, data=push.body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, await answer.content.read(REPLY_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            LOG.info("push not delivered: %s", type(error).__name__)
            return None


class Pusher:
    """The heap of everything due, and the one loop that empties it."""

    def __init__(
        self, depot: Depot, clock: VirtualClock, dialects: Mapping[str, Dialect], post: Post
    ) -> None:
        self._depot = depot
        self._clock = clock
        self._dialects = dialects
        self._post = post
        self._heap: list[tuple[int, int, Due]] = []
        self._serial = 0
        self._draining = asyncio.Lock()
        self._woken = asyncio.Event()
        self.sent = 0
        self.pending = 0  # messages that wait for a later attempt
        depot.changed, depot.claimed = self.watch, self.watch_claim

    async def forget(self) -> None:
        """Drop everything due, once the attempts under way have ended."""
        async with self._draining:
            self._heap.clear()
            self.pending = 0

    def watch(self, record: Record) -> None:
        """The parcel's course changed: find what is due next."""
        if record.watched_from_ms is None or record.account.push_url is None:
            return
        mark = next(iter(self._unannounced(record)), None)
        if mark is not None:
            self._put(mark.at_ms, (record, record.generation))

    def watch_claim(self, record: Record, claim: Claim) -> None:
        dialect = self._dialects[record.account.carrier]
        if dialect.announces_claims and record.account.push_url is not None:
            self._put(claim.decided_ms, (record, claim))

    def _put(self, due_ms: int, due: Due) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (due_ms, self._serial, due))
        if self._heap[0][1] == self._serial:
            self._woken.set()

    def _unannounced(self, record: Record) -> list[Mark]:
        kinds = self._dialects[record.account.carrier].announces
        from_ms, until_ms = record.watched_from_ms or 0, record.watched_until_ms
        return [
            mark
            for mark in record.course()
            if mark.at_ms >= from_ms
            and (until_ms is None or mark.at_ms < until_ms)
            and mark.event in kinds
            and (mark.at_ms, mark.event, mark.reference) not in record.announced
        ]

    async def run(self) -> None:
        """Empty the heap as time passes; ends when cancelled."""
        while True:
            self._woken.clear()
            await self.drain()
            wait_ms = None
            if self._heap:
                wait_ms = self._clock.machine_ms_until(self._heap[0][0])
            try:
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """The clock was changed: the loop must reckon its wait again."""
        self._woken.set()

    async def drain(self) -> None:
        """Give everything that is due by now its attempt."""
        idle = not self._heap or self._heap[0][0] > self._clock.now_ms()
        if idle and not self._draining.locked():
            return
        async with self._draining:
            lanes = self._take(self._clock.now_ms())
            if lanes:
                await asyncio.gather(*(self._send_all(lane) for lane in lanes))

    def _take(self, now_ms: int) -> list[list[Push]]:
        told: dict[tuple[str, str, int], list[Announcement]] = {}
        again: dict[tuple[str, str, int], list[Push]] = {}
        while self._heap and self._heap[0][0] <= now_ms:
            _, _, due = heapq.heappop(self._heap)
            if isinstance(due, Push):
                due.waiting = False
                self.pending -= 1
                again.setdefault(_lane(due.account, due.ids[0]), []).append(due)
                continue
            record = due[0]
            lane = told.setdefault(_lane(record.account, record.parcel.waybill), [])
            if isinstance(due[1], Claim):
                name = self._name(record, "claim", due[1].business_no)
                lane.append(Announcement(name, record, claim=due[1]))
            elif due[1] == record.generation:
                lane += self._announce(record, now_ms)
        for key, announcements in told.items():
            again.setdefault(key, []).extend(self._compose(announcements, now_ms))
        return list(again.values())

    def _announce(self, record: Record, now_ms: int) -> list[Announcement]:
        found = []
        following: Mark | None = None
        for mark in self._unannounced(record):
            if mark.at_ms > now_ms:
                following = mark
                break
            record.announced.add((mark.at_ms, mark.event, mark.reference))
            name = self._name(record, mark.event, mark.at_ms)
            found.append(Announcement(name, record, mark))
        if following is not None:
            self._put(following.at_ms, (record, record.generation))
        return found

    def _name(self, record: Record, *parts: str | int) -> str:
        parcel = record.parcel
        return str(draw(self._depot.seed, parcel.carrier, parcel.waybill, "push", *parts) >> 4)

    # -- composing messages, with their faults --------------------------------------------

    def _compose(self, announcements: Sequence[Announcement], now_ms: int) -> list[Push]:
        pushes: list[Push] = []
        batch: list[Announcement] = []
        for announcement in sorted(announcements, key=_when):
            record = announcement.record
            faults = self._faults(record, now_ms)
            held_back, record.held_back = record.held_back, []
            if not faults:
                batch.append(announcement)
            if faults or held_back or len(batch) == self._dialect(announcement).push_batch:
                pushes += self._batch(batch, now_ms)
                batch = []
            if faults:
                pushes += self._faulty(announcement, faults, now_ms)
            pushes += held_back
        pushes += self._batch(batch, now_ms)
        for announcement in announcements:  # nothing is coming that could overtake these
            record = announcement.record
            if record.held_back and not self._unannounced(record):
                pushes += record.held_back
                record.held_back = []
        return pushes

    def _dialect(self, announcement: Announcement) -> Dialect:
        return self._dialects[announcement.record.account.carrier]

    def _faults(self, record: Record, now_ms: int) -> tuple[Fault, ...]:
        """The faults that this push of the parcel meets: scripted, drawn, or of the carrier."""
        nth = record.counts.get(Operation.PUSH, 0) + 1
        record.counts[Operation.PUSH] = nth
        script = self._depot.script_for(record, Operation.PUSH, nth, now_ms)
        own = tuple(fault for fault in script.faults if fault.strikes(Operation.PUSH, nth))
        return own + self._depot.carrier_push_faults(record.account)

    def _batch(self, announcements: Sequence[Announcement], now_ms: int) -> list[Push]:
        if not announcements:
            return []
        account = announcements[0].record.account
        outgoing = self._dialect(announcements[0]).push(account, announcements)
        ids = tuple(announcement.id for announcement in announcements)
        push = _message(account, outgoing, ids, now_ms)
        push.kept = any(self._depot.may_replay(each.record) for each in announcements)
        for announcement in announcements:
            announcement.record.pushes.append((announcement.id, outgoing.kind, push))
        return [push]

    def _faulty(
        self, announcement: Announcement, faults: Sequence[Fault], now_ms: int
    ) -> list[Push]:
        record = announcement.record
        named = {fault.name: fault for fault in faults}
        (push,) = self._batch([announcement], now_ms)
        if FaultName.PUSH_DROP in named:
            push.given_up = True
            return []
        pushes = [push]
        if FaultName.PUSH_DUPLICATE in named:
            push.copies = max(2, named[FaultName.PUSH_DUPLICATE].params.number("copies", 2))
        if FaultName.PUSH_BAD_SIGNATURE in named:
            pushes.insert(0, self._forged(announcement, push, now_ms))
        first = record.pushes[0][2]
        if FaultName.PUSH_REPLAY in named and first is not push and first.body:
            pushes.append(_copy(first, now_ms))
        if FaultName.PUSH_AFTER_TERMINAL in named:
            pushes += self._stray(announcement, now_ms)
        if FaultName.PUSH_DELAY in named:
            delay_ms = named[FaultName.PUSH_DELAY].params.number("ms", 2 * HOUR_MS)
            for delayed in pushes:
                self._postpone(delayed, now_ms + delay_ms)
            return []
        if FaultName.PUSH_REORDER in named:
            record.held_back = pushes  # goes out behind the next one
            return []
        return pushes

    def _forged(self, announcement: Announcement, push: Push, now_ms: int) -> Push:
        record = announcement.record
        name = self._name(record, "forged", announcement.id)
        twin = Announcement(name, record, announcement.mark, announcement.claim)
        genuine = self._dialect(announcement).push(record.account, [twin])
        url, outgoing = self._dialect(announcement).forge(record.account, genuine)
        forged = _message(record.account, outgoing, (name,), now_ms)
        forged.url, forged.forged = url, True
        record.pushes.append((name, outgoing.kind, forged))
        return forged

    def _stray(self, announcement: Announcement, now_ms: int) -> list[Push]:
        """After the end, an old scan comes once more under a new id."""
        record, mark = announcement.record, announcement.mark
        if mark is None or mark.event not in TERMINAL:
            return []
        kinds = self._dialect(announcement).announces - NOTICES
        earlier = [m for m in record.course() if m.at_ms < mark.at_ms and m.event in kinds]
        name = self._name(record, "stray", announcement.id)
        return self._batch([Announcement(name, record, earlier[-1])], now_ms)

    # -- sending --------------------------------------------------------------------------

    async def _send_all(self, lane: Sequence[Push]) -> None:
        for push in lane:
            for _ in range(push.copies):
                await self._send(push)
            self._settle(push)

    async def _send(self, push: Push) -> None:
        dialect = self._dialects[push.account.carrier]
        push.attempts += 1
        self.sent += 1
        answer = await self._post(push)
        if answer is None:
            return
        push.status, body = answer
        push.acknowledged = push.acknowledged or dialect.acknowledged(push.status, body)

    def _settle(self, push: Push) -> None:
        """After an attempt: done, again later, or given up."""
        dialect = self._dialects[push.account.carrier]
        push.copies = 1
        if push.acknowledged or push.forged:
            push.body = push.body if push.kept else b""
            return
        if push.attempts >= dialect.push_attempts:
            push.given_up = True
            return
        self._postpone(push, self._clock.now_ms() + dialect.push_interval_ms)

    def _postpone(self, push: Push, due_ms: int) -> None:
        push.due_ms, push.waiting = due_ms, True
        self.pending += 1
        self._put(due_ms, push)


def _lane(account: Account, name: str) -> tuple[str, str, int]:
    return account.carrier, account.name, crc32(name.encode()) % LANES


def _when(announcement: Announcement) -> int:
    if announcement.mark is not None:
        return announcement.mark.at_ms
    assert announcement.claim is not None
    return announcement.claim.decided_ms


def _message(account: Account, outgoing: Outgoing, ids: tuple[str, ...], now_ms: int) -> Push:
    return Push(
        account,
        outgoing.kind,
        outgoing.body,
        outgoing.content_type,
        now_ms,
        ids,
        account.push_url or "",
        outgoing.headers,
    )


def _copy(push: Push, now_ms: int) -> Push:
    url, headers = push.url, push.headers
    return Push(
        push.account, push.kind, push.body, push.content_type, now_ms, push.ids, url, headers
    )
