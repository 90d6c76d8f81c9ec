"""Pushes in process: verified, decoded and decided on as the gateway's own door does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gateway.domain.carrier import Delivery, Push, Verdict
from gateway.domain.interception import EventRow, Inbox, InboxStatus
from gateway.domain.ledger import Transfer
from gateway.domain.push import ApplyPush, ReceivePush
from gateway.domain.record import replace
from gateway.pushes import Gate, decoded, understood
from tests.domain.stage import Stage, terms_of
from tests.fuzz.pushing import CHANNELS, Source, push, source
from tests.fuzz.run import Tally, shrunk, timed

DECIDED_EVERY = 20  # of those that could be read, one goes on to the inbox's decisions
STAGE_PUSHES = 300  # then the stage is set anew: its book keeps every row
SCANS_MAX = 500
INT64 = 2**63


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


@dataclass
class Place(Stage):
    """A stage whose parcel is the one that genuine pushes of a carrier speak of."""

    of: Source = field(kw_only=True)

    @property
    def waybill(self) -> str:
        return self.of.waybills[0]

    @property
    def back(self) -> str:
        return self.of.waybills[1]


def stage(of: Source) -> Stage:
    """No other carrier; an aggregator stands in for the company that carries the parcel."""
    name, terms = of.channel, terms_of()
    carrier, contract = replace(of.gate.adapter, network=of.network), terms.contracts[name]
    terms = replace(terms, adapters={name: carrier}, contracts={name: contract})
    found = Place(name, terms, of=of)
    found.create()
    found.reply(Verdict.RECEIVED)
    return found


@dataclass(slots=True)
class Inside:
    """A parcel under interception, and what pushes about it may not change."""

    of: Source
    stage: Stage = field(init=False)
    pushes: int = 0

    def __post_init__(self) -> None:
        self._set()

    def _set(self) -> None:
        self.stage = stage(self.of)
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
            network = delivery.network or self.stage.adapter.network
            self.stage.do(ApplyPush(row.id, network, delivery))
        return "" if self.state() == before else "a push moved something by itself"


@dataclass(slots=True)
class Bodies:
    tally: Tally
    inside: dict[str, Inside] = field(default_factory=dict)

    def one(self, index: int, rng: Random) -> None:
        of = source(CHANNELS[index % len(CHANNELS)])
        made = push(rng, of)
        kept, why = read(of.gate, made)
        if not why:  # else it may raise here as well
            _, spent = timed(lambda: received(of.gate, made))
            self.tally.cost(of.channel, index, spent, made.body)
        if why:
            wrong = f"{of.channel}: {why}"
            short = shrunk(
                made.body, lambda other: read(of.gate, replace(made, body=other))[1] == why
            )
            self.tally.wrong(index, wrong, short)
        elif kept is None:
            self.tally.ended["refused"] += 1
        else:
            row, delivery = kept
            self.tally.ended["read" if delivery is not None else "quarantined"] += 1
            self.tally.answered[of.channel] += delivery is not None
            if index // len(CHANNELS) % DECIDED_EVERY == 0:
                self.decided(index, of, row, delivery)

    def decided(self, index: int, of: Source, row: Inbox, delivery: Delivery | None) -> None:
        if of.channel not in self.inside:
            self.inside[of.channel] = Inside(of)
        inside = self.inside[of.channel]
        why, spent = timed(lambda: taken(inside, row, delivery))
        self.tally.cost(f"{of.channel} decision", index, spent, row.body)
        self.tally.ended["decided"] += 1
        if why:
            self.tally.wrong(index, f"{of.channel}: {why}", row.body)


def received(door: Gate, given: Push) -> None:
    """What the door does before it keeps a push, and after."""
    if understood(door, given) is not None and door.adapter.push is not None:
        door.adapter.push.accept(given)


def read(door: Gate, given: Push) -> tuple[tuple[Inbox, Delivery | None] | None, str]:
    """What the gateway makes of a push, and why that is wrong, or nothing."""
    try:
        kept = understood(door, given)
        if kept is None:
            return None, ""
        row, delivery = kept
        again = decoded(door, Push({"content-type": row.content_type}, row.body))
    except Exception as error:
        return None, f"{type(error).__name__} escaped"
    if again != delivery:
        return kept, "what is kept of it says something else after a crash"
    return kept, unfit(row, delivery) or answers(door, given)


def answers(door: Gate, given: Push) -> str:
    """Why it cannot be answered, or nothing."""
    assert door.adapter.push is not None
    try:
        yes = door.adapter.push.accept(given)
        no = door.adapter.push.reject(given, "no")
    except Exception as error:
        return f"{type(error).__name__} in an acknowledgement"
    if yes.status != 200 or (yes.status, yes.body) == (no.status, no.body):
        return "an acknowledgement that is none"
    return ""


def taken(inside: Inside, row: Inbox, delivery: Delivery | None) -> str:
    try:
        return inside.take(row, delivery)
    except Exception as error:
        return f"{type(error).__name__} in a decision"


def run(tally: Tally, indexes: Iterable[int]) -> None:
    tally.answering = "carriers whose pushes were read"
    bodies = Bodies(tally)
    for index, rng in tally.each(indexes):
        bodies.one(index, rng)
