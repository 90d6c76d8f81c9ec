"""The log of one interception: its events, and between them all that was learnt, by time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.domain.claim import Claim
from gateway.domain.interception import Attempt, EventRow, Evidence, Exceptional, Interception
from gateway.domain.ledger import Transfer
from gateway.domain.money import Money
from gateway.domain.parcel import Incident, ScanRow
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import messages
from gateway.store.sqlite import Store

STEPS_MAX = 1_000  # events of one interception: the tables allow some twenty
TRACKING = types.EVIDENCE_KIND_TRACKING


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the log. Lines of one moment keep the order of what causes what."""

    at: int
    rank: int
    key: str
    event: Any

    @property
    def place(self) -> tuple[int, str]:
        return self.at, f"{self.rank}/{self.key}"


async def steps(store: Store, ic: Interception) -> list[Step]:
    """All of them, oldest first. Every list is bounded by the domain's own limits."""
    key = {"interception": ic.id}
    proofs = {row.id: row for row in await store.rows(Evidence, "evidence_of_interception", **key)}
    events = await store.events(ic.tenant, interception=ic.id, after=0, limit=STEPS_MAX)
    found = [_changed(position, row, proofs) for position, row in events]
    for attempt in await store.rows(Attempt, "attempts_of_interception", **key):
        found += _attempt(ic, attempt)
    found += [_proof(ic, row) for row in proofs.values()]
    transfers = await store.rows(Transfer, "transfers_of_interception", **key)
    found += [_transfer(ic, row) for row in transfers]
    scans = await store.rows(ScanRow, "scans_of_parcel", parcel=ic.parcel)
    found += [_scan(ic, row) for row in scans]
    incidents = await store.rows(Incident, "incidents_of_parcel", parcel=ic.parcel)
    found += [_incident(ic, row) for row in incidents]
    claims = await store.rows(Claim, "claims_of_parcel", parcel=ic.parcel)
    for claim in claims:
        if claim.interception == ic.id:
            found += _claim(ic, claim)
    for case in await store.rows(Exceptional, "exceptions_of", subject=ic.id):
        found += _exception(ic, case)
    return sorted(found, key=lambda step: (step.at, step.rank, step.key))


def _changed(position: int, row: EventRow, proofs: dict[str, Evidence]) -> Step:
    proof = proofs.get(row.evidence) if row.evidence else None
    return Step(row.at, 5, f"{row.seq:09}", messages.event(position, row, proof))


def _note(
    ic: Interception,
    at: int,
    rank: int,
    key: str,
    cause: str,
    note: str = "",
    actor: str = "gateway",
    proof: types.Evidence | None = None,
) -> Step:
    event = pb.Event(
        interception_id=ic.id,
        column=pb.EVENT_COLUMN_NOTE,
        cause=cause,
        note=note[:200],
        actor=actor,
        at=messages.time(at),
        evidence=proof,
    )
    return Step(at, rank, key, event)


def _attempt(ic: Interception, row: Attempt) -> Iterator[Step]:
    kind = "REQUEST" if row.kind == "post" else "CANCELLATION"
    yield _note(ic, row.started_at, 1, row.id, f"{kind}_SENT", f"attempt {row.gen}")
    if row.ended_at is not None and row.outcome is not None:
        cause = f"{kind}_{row.outcome.upper()}"
        yield _note(ic, row.ended_at, 2, row.id, cause, f"attempt {row.gen}")


def _proof(ic: Interception, row: Evidence) -> Step:
    said = [f"code {row.code}"] if row.code else []
    said += [f"reference {row.reference}"] if row.reference else []
    said += ["assumed"] if row.assumed else []
    verdict = row.verdict.upper()
    cause = verdict if row.reason in ("", "none") else f"{verdict} {row.reason.upper()}"
    proof = messages.evidence(row)
    return _note(ic, row.at, 3, row.id, cause, ", ".join(said), f"carrier:{ic.channel}", proof)


def _transfer(ic: Interception, row: Transfer) -> Step:
    amount = Money(row.amount, row.currency)
    cause = f"LEDGER_{row.kind.upper()}"
    return _note(ic, row.at, 6, row.id, cause, str(amount), messages.actor(row.actor))


def _scan(ic: Interception, row: ScanRow) -> Step:
    proof = types.Evidence(kind=TRACKING, tier=messages.TIER[row.tier])
    said = ", ".join(part for part in (row.waybill, f"code {row.code}", row.place) if part)
    cause = f"SCAN_{row.milestone.upper()}"
    return _note(ic, row.at, 0, row.id, cause, said, f"carrier:{ic.channel}", proof)


def _incident(ic: Interception, row: Incident) -> Step:
    who = f"carrier:{ic.channel}" if row.source == "carrier" else row.source
    return _note(ic, row.at, 4, row.id, f"INCIDENT_{row.kind.upper()}", "", who)


def _claim(ic: Interception, row: Claim) -> Iterator[Step]:
    what = f"{row.kind} of {row.order_no} line {row.line_no}"
    yield _note(ic, row.filed_at, 7, row.id, "CLAIM_FILED", what, row.filed_by)
    if row.decided_at:
        yield _note(ic, row.decided_at, 8, row.id, f"CLAIM_{row.state}", what)


def _exception(ic: Interception, row: Exceptional) -> Iterator[Step]:
    yield _note(ic, row.opened_at, 8, row.id, f"EXCEPTION_{row.kind}", row.detail)
    if row.closed_at is not None:
        by = messages.actor(row.closed_by)
        yield _note(ic, row.closed_at, 9, row.id, f"CLOSED_{row.kind}", row.resolution, by)
