"""Push bodies in process: verified, decoded and decided on as the gateway's own door does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gateway.domain.carrier import Delivery, Push, Verdict
from gateway.domain.interception import EventRow, Inbox, InboxStatus
from gateway.domain.ledger import Transfer
from gateway.domain.push import ApplyPush, ReceivePush
from gateway.pushes import Gate, understood
from tests.domain.stage import Stage
from tests.fuzz.pushing import DIALECTS, body, gate
from tests.fuzz.run import Tally, shrunk, timed

DECIDED_EVERY = 20  # of those that could be read, one goes on to the inbox's decisions
STAGE_PUSHES = 300  # then the stage is set anew: its book keeps every row
SCANS_MAX = 500
INT64 = 2**63
NAME = "bodies"


def texts_of(delivery: Delivery) -> Iterable[str]:
    yield from (delivery.event_key, delivery.account, *delivery.waybills)
    for scan in delivery.scans:
        yield from (scan.waybill, scan.code, scan.place, scan.text, scan.signer)
        yield scan.return_waybill


def unfit(row: Inbox, delivery: Delivery | None) -> str:
    """Why a row could not be stored as it is, or nothing."""
    known = list(texts_of(delivery)) if delivery is not None else []
    for text in (row.id, row.content_type, *known):
        if any(not c.isprintable() for c in text):
            return "a text that cannot be stored"
    if delivery is None:
        return "" if row.status is InboxStatus.QUARANTINED else "read as nothing, yet kept as read"
    if not delivery.waybills or len(delivery.scans) > SCANS_MAX:
        return "no waybill, or too many scans"
    times = [scan.at_ms for scan in delivery.scans if scan.at_ms is not None]
    return "" if all(-INT64 <= at < INT64 for at in times) else "a time out of bounds"


@dataclass(slots=True)
class Inside:
    """A parcel under interception, and what pushes about it may not change."""

    channel: str
    stage: Stage = field(init=False)
    pushes: int = 0

    def __post_init__(self) -> None:
        self._set()

    def _set(self) -> None:
        self.stage = Stage(self.channel)
        self.stage.create()
        self.stage.reply(Verdict.RECEIVED)
        self.pushes = 0

    def state(self) -> Any:
        book = self.stage.book
        settled = [(ic.decision, ic.movement, ic.money, ic.cancel) for ic in [self.stage.ic]]
        return settled, len(book.all(Transfer)), len(book.all(EventRow))

    def take(self, row: Inbox, delivery: Delivery | None) -> str:
        """Receives and applies a push. Why that was wrong, or nothing."""
        if self.pushes >= STAGE_PUSHES:
            self._set()
        self.pushes += 1
        before = self.state()
        self.stage.do(ReceivePush(row))
        if delivery is not None:
            network = self.stage.adapter.network
            self.stage.do(ApplyPush(row.id, network, delivery))
        return "" if self.state() == before else "a push moved something by itself"


@dataclass(slots=True)
class Bodies:
    tally: Tally
    gates: dict[str, Gate] = field(
        default_factory=lambda: {channel: gate(channel) for channel in ("sf", "zto")}
    )
    inside: dict[str, Inside] = field(default_factory=dict)

    def one(self, index: int, rng: Random) -> None:
        name = tuple(DIALECTS)[index % len(DIALECTS)]
        dialect = DIALECTS[name]
        data = body(rng, dialect)
        door = self.gates[dialect.channel]
        (kept, why), spent = timed(lambda: read(door, data))
        self.tally.cost(name, index, spent, data)
        if why:
            short = shrunk(data, lambda other: read(door, other)[1] == why)
            self.tally.wrong(index, f"{name}: {why}", short)
        elif kept is None:
            self.tally.ended["refused"] += 1
        else:
            row, delivery = kept
            self.tally.ended["read" if delivery is not None else "quarantined"] += 1
            if index // len(DIALECTS) % DECIDED_EVERY == 0:
                self.decided(index, dialect.channel, row, delivery)

    def decided(self, index: int, channel: str, row: Inbox, delivery: Delivery | None) -> None:
        if channel not in self.inside:
            self.inside[channel] = Inside(channel)
        inside = self.inside[channel]
        why, spent = timed(lambda: taken(inside, row, delivery))
        self.tally.cost(f"{channel} decision", index, spent, row.body)
        self.tally.ended["decided"] += 1
        if why:
            self.tally.wrong(index, why, row.body)


def read(door: Gate, data: bytes) -> tuple[tuple[Inbox, Delivery | None] | None, str]:
    """What the gateway makes of a body, and why that is wrong, or nothing."""
    try:
        kept = understood(door, Push({}, data))
    except Exception as error:
        return None, f"{type(error).__name__} escaped"
    return kept, unfit(*kept) if kept is not None else ""


def taken(inside: Inside, row: Inbox, delivery: Delivery | None) -> str:
    try:
        return inside.take(row, delivery)
    except Exception as error:
        return f"{type(error).__name__} in a decision"


def run(tally: Tally, indexes: Iterable[int]) -> None:
    bodies = Bodies(tally)
    for index, rng in tally.each(indexes):
        bodies.one(index, rng)
