"""The real gateway against one carrier's dialect: parcels whose first answers are lost, and which
end as the carrier's script says. Without sockets, in virtual time, on SQLite.
"""

import gc
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adapters import ADAPTERS
from gateway.domain.carrier import Tier
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from simulator.depot import Record
from simulator.dialect import Announcement
from simulator.outcomes import Outcome, Params, Script, draw
from simulator.truth import facts
from simulator.world import HOUR_MS, Contact, Event, Journey, Mark, Parcel, Place, ReturnNumber
from tests.dialects.bench import CARRIERS, bench
from tests.simulation.crowd import RECEIVER, RICH, SENDER, Life
from tests.simulation.terms import AGREEMENT, Deal, settings
from tests.simulation.wire import arrived
from tests.simulation.world import (
    CONTACT,
    MEMORY,
    MINUTE_MS,
    World,
    _bury,
    simulate,
)

LOST = ("timeout_after", "reset_after")  # it was carried out, and nobody heard
UNHEARD = ("timeout_before", "reset_before")  # it never was
PROMISED = ("ACCEPTED", "LATE_ACCEPTED")
LIES = (Event.RETURN_SIGNED, Event.SIGNED, Event.RETURN_STARTED)


@dataclass(frozen=True, slots=True)
class Act:
    outcome: Outcome
    fault: str = ""
    watched: bool = False
    lied: bool = False  # an unsigned push tells an untruth about it

    def __str__(self) -> str:
        more = [self.fault, "watched" * self.watched, "lied about" * self.lied]
        return " ".join((self.outcome, *filter(None, more)))


ACTS = (
    Act(Outcome.RETURNED),
    Act(Outcome.RETURNED, watched=True),
    *(Act(Outcome.RETURNED, fault) for fault in (*LOST, *UNHEARD)),
    *(Act(Outcome.RETURNED, fault, watched=True) for fault in LOST),
    Act(Outcome.RETURNED, watched=True, lied=True),
    Act(Outcome.REFUSED),
    *(Act(Outcome.REFUSED, fault) for fault in LOST),
    Act(Outcome.REFUSED, watched=True, lied=True),
    Act(Outcome.REFUSED_UNLISTED),
    Act(Outcome.BUYER_REFUSED),
    Act(Outcome.INTERCEPTED_BY_OTHER),
    Act(Outcome.LOST, LOST[0]),
    Act(Outcome.DELIVERED_ANYWAY),
    Act(Outcome.DELIVERED_ANYWAY, LOST[0]),
)


@dataclass(frozen=True, slots=True)
class End:
    """What became of an act in the ledger, and at the carrier."""

    act: Act
    decision: str
    movement: str
    money: str
    reason: str
    captures: int
    evidence: tuple[str, ...]
    record: Record
    now: int

    def __str__(self) -> str:
        return f"{self.act}: {self.decision} {self.movement} {self.money} {self.reason}"


@dataclass(slots=True)
class Stage(World):
    ends: list[End] = field(default_factory=list)
    _acts: list[tuple[Act, Life]] = field(default_factory=list)

    def __post_init__(self) -> None:
        World.__post_init__(self)
        self.deals = {name: Deal(name, "", False, True, False, "offline") for name in self.carriers}
        self.settings = settings(self.directory / "turnback.db", self.deals, self.parties)

    @property
    def channel(self) -> str:
        return self.carriers[0]

    async def run(self) -> None:
        await self.start()
        await self.crowd.open(RICH)
        for act in ACTS:
            await self._play(act)
        for _ in range(12):  # the carrier's own times are minutes; those of a settlement, hours
            await self.rest(8.0)
            self.advance(5 * MINUTE_MS)
        await self._settle()
        self.ends += map(self._end, self._acts)

    async def _play(self, act: Act) -> None:
        life = self._shipped(act)
        self.crowd.lives[life.channel, life.waybill] = life
        self._acts.append((act, life))
        if act.fault:
            self.wire.planned[life.waybill] = act.fault
        quote = await self.crowd._quote(life)
        if quote is None:
            self.wrong("stage", f"{act}: no quote")
            return
        request = pb.InterceptServiceCreateRequest(
            request_id=f"create-{life.number}",
            quote_id=quote.id,
            agreement_id=AGREEMENT,
            cancel_ticket=f"ticket-{life.number}",
        )
        await self.crowd._create(life, quote, request)
        if act.lied:
            await self._lie(life)

    def _shipped(self, act: Act) -> Life:
        number, one, plan = self.crowd.next(), self.parties[self.channel], Journey()
        account, carrying = self.depot.accounts[self.channel, one.user], one.carrying
        waybill = carrying.number(6 * 10**12 + number)
        renumbered = carrying.return_number is ReturnNumber.NEW
        back = carrying.number(draw(self.seed, self.channel, waybill, "return"))
        parcel = Parcel(
            self.channel,
            account.name,
            waybill,
            f"order-{number}",
            self.now - 10 * HOUR_MS,
            Contact(*(SENDER[name] for name in CONTACT)),
            Contact(*(RECEIVER[name] for name in CONTACT)),
            45_000,
            carrying.return_number,
            back if renumbered else waybill,
            plan,
            network=one.network,
        )
        watched = self.now if act.watched else None
        record = Record(parcel, account, Script(act.outcome, Params({})), watched)
        self.depot.add([record])
        self.pusher.watch(record)
        merchant = self.crowd.merchants[0]
        return Life(number, self.channel, merchant, waybill, record, one.network, one.code)

    async def _lie(self, life: Life) -> None:
        """Whoever knows the address may say anything there, where nothing is signed."""
        dialect, port = self.parties[self.channel], ADAPTERS[self.channel].push
        if port is None:
            return
        account = self.depot.accounts[self.channel, dialect.user]
        for event in LIES:
            writes = bench(self.channel).dialect
            if event not in writes.announces:
                continue
            mark = Mark(self.now, event, life.waybill, Place.DESTINATION_OUTLET)
            lie = writes.push(account, [Announcement(f"lie-{event}", life.record, mark)])
            push = arrived(lie)
            if port.verify(push, dialect.credentials) is not Tier.T1:
                url = f"http://gateway/push/{self.channel}/main/{dialect.secret}"
                await self.wire._knock(url, push)

    def _end(self, played: tuple[Act, Life]) -> End:
        act, life = played
        rows = self.auditor.rows(ENDS, channel=life.channel, waybill=life.waybill)
        key, decision, movement, money, reason = rows[-1] if rows else ("", "", "", "", "")
        [(captures,)] = self.auditor.rows(CAPTURES, id=key)
        evidence = tuple(kind for (kind,) in self.auditor.rows(EVIDENCE, id=key))
        told = (decision, movement, money, reason)
        return End(act, *told, captures, evidence, life.record, self.now)


ENDS = """
SELECT id, decision, movement, money, reason FROM interception
WHERE channel = :channel AND waybill = :waybill
"""
CAPTURES = "SELECT COUNT(*) FROM transfer WHERE interception = :id AND kind = 'capture'"
EVIDENCE = "SELECT DISTINCT kind FROM evidence WHERE interception = :id"


def companions(name: str) -> tuple[str, ...]:
    """A carrier, and the channel that tracks its parcels where it does not itself."""
    tracker = bench(name).tracker()
    others = [] if tracker is None else [tracker.adapter.name]
    return tuple(dict.fromkeys((name, *others)))


def performed(name: str) -> Iterator[str]:
    """Everything that is wrong at the end of a carrier's acts."""
    memory = MEMORY if MEMORY.is_dir() else None
    gc.disable()
    try:
        with tempfile.TemporaryDirectory(prefix="turnback-stage-", dir=memory) as made:
            stage = Stage(1, 0, Path(made), happy=True, carriers=companions(name))
            result = simulate(stage)
            yield from (f"{rule}: {what}" for rule, what in result.violations)
            for end in stage.ends:
                yield from (f"{end}: {what}" for what in wrong(end, name))
            if not stage.ends:
                yield "nothing came to its end"
    finally:
        _bury()
        gc.enable()


def wrong(end: End, name: str) -> Iterator[str]:
    """The decision, the fee and the carrier's own journal tell one story."""
    found = facts(end.record, end.now)
    effects = sum(entry.effects for entry in end.record.journal if not entry.by_other)
    accepted = found.accepted_ms is not None
    if effects > 1:
        yield f"{effects} effects at the carrier"
    if end.captures > 1:
        yield f"captured {end.captures} times"
    if end.decision not in (*PROMISED, "REFUSED", "NEVER_SENT", "CANCELLED"):
        yield "undecided"
    if not accepted:
        if end.decision in PROMISED or end.money != "RELEASED" or end.captures:
            yield "the carrier never accepted"
    elif found.delivered_ms is not None:
        seen_late = end.money == "RELEASED" and end.reason == "DELIVERED"
        if end.money != "REFUNDED" and not seen_late:
            yield "delivered although accepted, and the fee is not given back"
    elif end.decision not in PROMISED:
        yield "the carrier accepted"
    elif (end.money, end.captures) != ("CAPTURED", 1) and end.decision == "ACCEPTED":
        yield "accepted, and not paid for once"
    if end.act.fault in LOST and end.act.outcome is Outcome.RETURNED and not effects:
        yield "the stage is broken: what was lost on its way back was not carried out"
    adapter = ADAPTERS[name]
    askable = adapter.query is not None or bench(name).tracker() is not None
    if askable and "push" in end.evidence:
        yield "a push decided, although the carrier can be asked"


__all__ = ["ACTS", "CARRIERS", "performed"]
