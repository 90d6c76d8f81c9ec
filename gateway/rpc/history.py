"""The log of one interception: its events, and between them all that was learnt, in order.

Events are the spine: they are numbered. What happened at the same moment has its place before or
after the event it belongs to, so that a cause always stands above its effect, whatever the clock
says: scan, answer, evidence; the change it made; its money; and then what was sent on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import Any

from gateway.domain.carrier import Milestone, Verdict
from gateway.domain.claim import Claim
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Column,
    EventRow,
    Evidence,
    EvidenceKind,
    Exceptional,
    Interception,
    Outcome,
)
from gateway.domain.ledger import Transfer
from gateway.domain.money import Money
from gateway.domain.parcel import Incident, ScanRow
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import messages
from gateway.store.store import Store

STEPS_MAX = 1_000  # events of one interception: the tables allow some twenty
NOTE_MAX = 200
LAST = 999_999  # the place of what no event of its moment is about
TRACKING = types.EVIDENCE_KIND_TRACKING
NO_ANSWER = (Verdict.UNKNOWN, Verdict.ABSENT)


class Rank(IntEnum):
    """The order around one event: what led to it above, what it brought below."""

    SCAN = auto()
    INCIDENT = auto()
    ENDED_BEFORE = auto()
    EVIDENCE = auto()
    EVENT = auto()
    TRANSFER = auto()
    STARTED = auto()
    ENDED = auto()
    EVIDENCE_AFTER = auto()
    CLAIM_FILED = auto()
    INCIDENT_TOLD = auto()
    CLAIM_DECIDED = auto()
    CLAIM_TRANSFER = auto()
    EXCEPTION_OPENED = auto()
    EXCEPTION_CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the log and its place in it."""

    at: int
    seq: int  # of the event it stands by
    rank: Rank
    key: str
    event: Any

    @property
    def place(self) -> tuple[int, str]:
        return self.at, f"{self.seq:06}{self.rank:02}/{self.key}"


@dataclass(frozen=True, slots=True)
class Rows:
    """All that is known of one interception."""

    ic: Interception
    events: Sequence[tuple[int, EventRow]]
    proofs: Mapping[str, Evidence]
    attempts: Sequence[Attempt]
    transfers: Sequence[Transfer]
    scans: Sequence[ScanRow]
    incidents: Sequence[Incident]
    claims: Sequence[Claim]
    cases: Sequence[Exceptional]
    of_proof: dict[str, EventRow] = field(default_factory=dict)  # the first event it led to

    def __post_init__(self) -> None:
        for _, row in self.events:
            if row.evidence:
                self.of_proof.setdefault(row.evidence, row)

    def event(self, at: int, column: Column, target: str) -> EventRow | None:
        """The first such event of a moment."""
        for _, row in self.events:
            if (row.at, row.col, row.target) == (at, column, target):
                return row
        return None

    def unanswered(self, at: int, column: Column, source: str) -> EventRow | None:
        """The first event of a moment that left `source` without an answer to rest on."""
        for _, row in self.events:
            if (row.at, row.col, row.source) == (at, column, source) and not row.evidence:
                return row
        return None


async def steps(store: Store, ic: Interception) -> list[Step]:
    """All of them, oldest first. Every list is bounded by the domain's own limits."""
    key = {"interception": ic.id}
    parcel = {"parcel": ic.parcel}
    events = await store.events(ic.tenant, interception=ic.id, after=0, limit=STEPS_MAX)
    proofs, attempts, transfers, scans, incidents, claims, cases = await store.several(
        (Evidence, "evidence_of_interception", key),
        (Attempt, "attempts_of_interception", key),
        (Transfer, "transfers_of_interception", key),
        (ScanRow, "scans_of_parcel", parcel),
        (Incident, "incidents_of_parcel", parcel),
        (Claim, "claims_of_parcel", parcel),
        (Exceptional, "exceptions_of", {"subject": ic.id}),
    )
    rows = Rows(
        ic=ic,
        events=events,
        proofs={row.id: row for row in proofs},
        attempts=attempts,
        transfers=transfers,
        scans=scans,
        incidents=incidents,
        claims=[claim for claim in claims if claim.interception == ic.id],
        cases=cases,
    )
    return ordered(rows)


def ordered(rows: Rows) -> list[Step]:
    """The log as a pure function of the rows."""
    found = [_changed(rows, position, row) for position, row in rows.events]
    for part in (_attempts, _proofs, _transfers, _scans, _incidents, _claims, _exceptions):
        found += part(rows)
    return sorted(found, key=lambda step: step.place)


def _changed(rows: Rows, position: int, row: EventRow) -> Step:
    proof = rows.proofs.get(row.evidence) if row.evidence else None
    return Step(row.at, row.seq, Rank.EVENT, "", messages.event(position, row, proof))


@dataclass(frozen=True, slots=True)
class Place:
    at: int
    seq: int
    rank: Rank
    key: str

    def note(
        self,
        ic: Interception,
        cause: str,
        note: str = "",
        actor: str = "gateway",
        proof: types.Evidence | None = None,
    ) -> Step:
        event = pb.Event(
            interception_id=ic.id,
            column=pb.EVENT_COLUMN_NOTE,
            cause=cause,
            note=note[:NOTE_MAX],
            actor=actor,
            at=messages.time(self.at),
            evidence=proof,
        )
        return Step(self.at, self.seq, self.rank, self.key, event)


def _attempts(rows: Rows) -> Iterator[Step]:
    """A request stands below the event that had it sent, its end above the event it led to."""
    used: set[int] = set()
    for row in rows.attempts:
        kind = "REQUEST" if row.kind is AttemptKind.POST else "CANCELLATION"
        said = f"attempt {row.gen}"
        end = _led_to(rows, row)
        start = _had_it_sent(rows, row, used)
        if start is not None:
            used.add(start.seq)
            place = Place(row.started_at, max(start.seq, _begun(rows)), Rank.STARTED, row.id)
        elif end is not None and end.at == row.started_at:
            place = Place(row.started_at, end.seq - 1, Rank.STARTED, row.id)  # a repeat
        else:
            place = Place(row.started_at, LAST, Rank.STARTED, row.id)
        yield place.note(rows.ic, f"{kind}_SENT", said)
        if row.ended_at is not None and row.outcome is not None:
            seq, rank = (end.seq, Rank.ENDED_BEFORE) if end else (LAST, Rank.ENDED)
            cause = f"{kind}_{_outcome(rows, row)}"
            yield Place(row.ended_at, seq, rank, row.id).note(rows.ic, cause, said)


def _begun(rows: Rows) -> int:
    """The last of the events that an interception begins with: its decision and its hold."""
    return sum(row.source == "" for _, row in rows.events)


def _had_it_sent(rows: Rows, attempt: Attempt, used: set[int]) -> EventRow | None:
    wanted = ("decision", "SENDING") if attempt.kind is AttemptKind.POST else ("cancel", "SENT")
    for _, row in rows.events:
        if row.at == attempt.started_at and (row.col, row.target) == wanted and row.seq not in used:
            return row
    return None


def _led_to(rows: Rows, attempt: Attempt) -> EventRow | None:
    """What the end of an attempt changed: by its reply, or because none came."""
    if attempt.ended_at is None:
        return None
    posted = attempt.kind is AttemptKind.POST
    reply = EvidenceKind.REPLY if posted else EvidenceKind.CANCEL
    cited = rows.of_proof.get(f"{reply}/{attempt.id}")
    if cited is not None and cited.at == attempt.ended_at:
        return cited
    if posted:
        return rows.unanswered(attempt.ended_at, Column.DECISION, "SENDING")
    return rows.unanswered(attempt.ended_at, Column.CANCEL, "SENT")


def _outcome(rows: Rows, attempt: Attempt) -> str:
    """As it was at its end: that nothing had arrived is a later query's word."""
    if attempt.outcome is not Outcome.ABSENT:
        return str(attempt.outcome).upper()
    reply = rows.proofs.get(f"{EvidenceKind.REPLY}/{attempt.id}")
    answered = reply is not None and reply.verdict not in NO_ANSWER
    return str(Outcome.ANSWERED if answered else Outcome.LOST).upper()


def _proofs(rows: Rows) -> Iterator[Step]:
    for row in rows.proofs.values():
        said = [f"code {row.code}"] if row.code else []
        said += [f"reference {row.reference}"] if row.reference else []
        said += ["assumed"] if row.assumed else []
        verdict = row.verdict.upper()
        cause = verdict if row.reason in ("", "none") else f"{verdict} {row.reason.upper()}"
        led_to = rows.of_proof.get(row.id) or _answered_by(rows, row)
        seq, rank = (
            (led_to.seq, Rank.EVIDENCE)
            if led_to is not None and led_to.at == row.at
            else (LAST, Rank.EVIDENCE_AFTER)
        )
        place = Place(row.at, seq, rank, row.id)
        carrier = f"carrier:{rows.ic.channel}"
        yield place.note(rows.ic, cause, ", ".join(said), carrier, messages.evidence(row))


def _answered_by(rows: Rows, proof: Evidence) -> EventRow | None:
    """The event of an attempt whose reply moved something without being cited."""
    mine = [attempt for attempt in rows.attempts if attempt.id == proof.attempt]
    return _led_to(rows, mine[0]) if mine else None


def _transfers(rows: Rows) -> Iterator[Step]:
    """The money of a decision follows the column that tells it; that of claims their decision."""
    for row in rows.transfers:
        target = MONEY_OF.get(row.kind, "")
        told = rows.event(row.at, Column.MONEY, target) if target else None
        seq, rank = (told.seq, Rank.TRANSFER) if told else (LAST, Rank.CLAIM_TRANSFER)
        cause, amount = f"LEDGER_{row.kind.upper()}", str(Money(row.amount, row.currency))
        place = Place(row.at, seq, rank, row.id)
        yield place.note(rows.ic, cause, amount, messages.actor(row.actor))


MONEY_OF = {"hold": "HELD", "capture": "CAPTURED", "release": "RELEASED", "refund": "REFUNDED"}


def _scans(rows: Rows) -> Iterator[Step]:
    """A scan stands where it was learnt; when it happened is in its note."""
    for row in rows.scans:
        proof = types.Evidence(kind=TRACKING, tier=messages.TIER[row.tier])
        happened = messages.time(row.at)
        when = happened.ToJsonString() if happened is not None and not row.marked else ""
        said = ", ".join(p for p in (row.waybill, f"code {row.code}", when, row.place) if p)
        place = Place(row.arrived_at, _scanned(rows, row), Rank.SCAN, f"{row.at:015}/{row.id}")
        cause = f"SCAN_{row.milestone.upper()}"
        yield place.note(rows.ic, cause, said, f"carrier:{rows.ic.channel}", proof)


def _scanned(rows: Rows, scan: ScanRow) -> int:
    """By the first event of its moment that rests on tracking; else before all of them."""
    for _, row in rows.events:
        proof = rows.proofs.get(row.evidence or "")
        if row.at == scan.arrived_at and proof and proof.kind is EvidenceKind.TRACKING:
            return row.seq
    return 0


def _incidents(rows: Rows) -> Iterator[Step]:
    for row in rows.incidents:
        told = next((s for s in rows.scans if (s.milestone, s.at) == _of_scan(row)), None)
        if row.source == "carrier":
            at, who = (told.arrived_at if told else row.at), f"carrier:{rows.ic.channel}"
            place = Place(at, _scanned(rows, told) if told else LAST, Rank.INCIDENT, row.id)
        else:
            place, who = Place(row.at, LAST, Rank.INCIDENT_TOLD, row.id), row.source
        yield place.note(rows.ic, f"INCIDENT_{row.kind.upper()}", "", who)


def _of_scan(row: Incident) -> tuple[Milestone, int]:
    return (Milestone.LOST if row.kind == "lost" else Milestone.DAMAGED), row.at


def _claims(rows: Rows) -> Iterator[Step]:
    for row in rows.claims:
        what = f"{row.kind} of {row.order_no} line {row.line_no}"
        filed = Place(row.filed_at, LAST, Rank.CLAIM_FILED, row.id)
        yield filed.note(rows.ic, "CLAIM_FILED", what, row.filed_by)
        if row.decided_at:
            decided = Place(row.decided_at, LAST, Rank.CLAIM_DECIDED, row.id)
            yield decided.note(rows.ic, f"CLAIM_{row.state}", what)


def _exceptions(rows: Rows) -> Iterator[Step]:
    for row in rows.cases:
        opened = Place(row.opened_at, LAST, Rank.EXCEPTION_OPENED, row.id)
        yield opened.note(rows.ic, f"EXCEPTION_{row.kind}", row.detail)
        if row.closed_at is not None:
            closed = Place(row.closed_at, LAST, Rank.EXCEPTION_CLOSED, row.id)
            by = messages.actor(row.closed_by)
            yield closed.note(rows.ic, f"CLOSED_{row.kind}", row.resolution, by)
