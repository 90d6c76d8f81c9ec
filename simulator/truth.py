"""What really happened to a parcel up to a time, and what that is worth: the ground truth."""

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

from simulator import world
from simulator.depot import Claim, Loss, Record
from simulator.outcomes import Params
from simulator.world import Cause, Event, Interception, Mark

JsonObject = dict[str, Any]


class Fee(StrEnum):
    CHARGED = auto()
    NOT_CHARGED = auto()
    REFUNDED = auto()


class Claimable(StrEnum):
    NONE = auto()
    LOST = auto()
    DAMAGED = auto()
    RETURN_FAILED = auto()


class ClaimState(StrEnum):
    PROCESSING = auto()
    APPROVED = auto()
    PARTIAL = auto()
    REJECTED = auto()


GROUNDS = {  # what must be true for a claim of this kind to be granted
    Loss.LOST: frozenset({Claimable.LOST, Claimable.RETURN_FAILED}),
    Loss.DAMAGED: frozenset({Claimable.DAMAGED}),
    Loss.SHORTAGE: frozenset({Claimable.DAMAGED}),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The parcel's fate as far as `now`; None is what has not happened."""

    status: world.Status
    entry: Interception | None
    accepted_ms: int | None
    delivered_ms: int | None
    returned_ms: int | None
    turned_ms: int | None
    lost_ms: int | None
    found_ms: int | None
    damaged_ms: int | None
    cause: Cause | None

    @property
    def fee(self) -> Fee:
        entry = self.entry
        if entry is None or self.accepted_ms is None or entry.refused_ms is not None:
            return Fee.NOT_CHARGED
        if self.delivered_ms is not None or entry.cancelled_ms is not None:
            return Fee.REFUNDED
        return Fee.CHARGED

    @property
    def claimable(self) -> Claimable:
        if self.accepted_ms is None or self.entry is None or self.entry.cancelled_ms is not None:
            return Claimable.NONE
        if self.damaged_ms is not None:
            return Claimable.DAMAGED
        if self.lost_ms is not None and self.found_ms is None:
            return Claimable.LOST
        return Claimable.NONE if self.delivered_ms is None else Claimable.RETURN_FAILED


def facts(record: Record, now_ms: int) -> Facts:
    marks = [mark for mark in record.course() if mark.at_ms <= now_ms]
    first: dict[Event, Mark] = {}
    for mark in marks:
        first.setdefault(mark.event, mark)

    def at(event: Event) -> int | None:
        return first[event].at_ms if event in first else None

    entry = _deciding(record)
    accepted_ms = entry.accepted_ms if entry is not None else None
    turned = first.get(Event.RETURN_STARTED)
    return Facts(
        world.status(marks, now_ms),
        entry,
        accepted_ms if accepted_ms is not None and accepted_ms <= now_ms else None,
        at(Event.SIGNED),
        at(Event.RETURN_SIGNED),
        at(Event.RETURN_STARTED),
        at(Event.LOST),
        at(Event.FOUND),
        at(Event.DAMAGED),
        turned.cause if turned else None,
    )


def _deciding(record: Record) -> Interception | None:
    """Of our instructions the one that counts: the last that took effect, else the last."""
    ours = [entry for entry in record.journal if not entry.by_other]
    taken = [entry for entry in ours if entry.effects]
    found = taken or ours
    return found[-1] if found else None


def judge(record: Record, claim: Claim, now_ms: int) -> tuple[ClaimState, int]:
    """The carrier's decision on a claim, and what it grants."""
    if now_ms < claim.decided_ms:
        return ClaimState.PROCESSING, 0
    spent_minor = 0
    for earlier in record.claims:
        if earlier is claim:
            break
        if earlier.decided_ms <= claim.decided_ms:
            spent_minor += _decide(record, earlier, spent_minor)[1]
    return _decide(record, claim, spent_minor)


def _decide(record: Record, claim: Claim, spent_minor: int) -> tuple[ClaimState, int]:
    """Never more than asked, than is left of the value, than scripted."""
    entry = _deciding(record)
    given = record.script.params if record.script else Params()
    params = given.joined(entry.params.values) if entry else given
    mode = params.text("claim", "grant")
    value_minor = record.parcel.value_minor
    granted_minor = min(
        claim.asked_minor,
        value_minor - spent_minor,
        params.number("grant_minor", value_minor),
    )
    if mode == "partial":
        granted_minor //= 2
    due = facts(record, claim.decided_ms).claimable in GROUNDS[claim.kind]
    if mode == "reject" or not due or granted_minor <= 0:
        return ClaimState.REJECTED, 0
    if granted_minor < claim.asked_minor:
        return ClaimState.PARTIAL, granted_minor
    return ClaimState.APPROVED, granted_minor


def truth_line(record: Record, outcome: str, now_ms: int) -> JsonObject:
    """One parcel for GET /truth."""
    parcel, found = record.parcel, facts(record, now_ms)
    entry = found.entry
    refused_ms = entry.refused_ms if entry is not None else None
    refused = refused_ms is not None and refused_ms <= now_ms
    requests: dict[str, list[JsonObject]] = {}
    for seen in record.seen:
        requests.setdefault(str(seen.operation), []).append(
            {
                "n": seen.nth,
                "business_ms": seen.business_ms,
                "machine_ms": seen.machine_ms,
                "reference": seen.reference,
                "executed": seen.executed,
                "fault": seen.fault,
                "code": seen.code,
            }
        )
    return {
        "carrier": parcel.carrier,
        "account": parcel.account,
        "waybill": parcel.waybill,
        "order_id": parcel.order_id,
        "status": found.status,
        "outcome": outcome,
        "script": record.script is not None,
        "watched_ms": record.watched_from_ms,
        "faults": [fault.name for fault in record.script.faults] if record.script else [],
        "value_minor": parcel.value_minor,
        "requests": requests,
        "requests_count": {str(name): count for name, count in record.counts.items()},
        "effects": sum(item.effects for item in record.journal),
        "interceptions": [_interception_line(item, now_ms) for item in record.journal],
        "asked_ms": entry.asked_ms if entry else None,
        "accepted_ms": found.accepted_ms,
        "refused_ms": refused_ms if refused else None,
        "refused_code": entry.reason if entry and refused else None,
        "cancelled_ms": entry.cancelled_ms if entry else None,
        "cancel_acknowledged": entry is not None and entry.cancelled_ms is not None,
        "order_cancelled_ms": parcel.order_cancelled_ms,
        "delivered_to_buyer_ms": found.delivered_ms,
        "turned_ms": found.turned_ms,
        "returned_ms": found.returned_ms,
        "return_waybill": parcel.return_waybill if found.turned_ms is not None else None,
        "lost_ms": found.lost_ms,
        "found_ms": found.found_ms,
        "damaged": found.damaged_ms is not None,
        "damaged_ms": found.damaged_ms,
        "return_cause": found.cause,
        "claims": [_claim_line(record, claim, now_ms) for claim in record.claims],
        "pushes": _push_lines(record),
        "fee": found.fee,
        "claimable": found.claimable,
        "late": refused and found.accepted_ms is not None,
    }


def _interception_line(entry: Interception, now_ms: int) -> JsonObject:
    accepted_ms, refused_ms = entry.accepted_ms, entry.refused_ms
    return {
        "reference": entry.reference,
        "external_no": entry.external_no,
        "business_no": entry.business_no,
        "by_other": entry.by_other,
        "outcome": entry.outcome,
        "asked_ms": entry.asked_ms,
        "accepted_ms": accepted_ms if accepted_ms and accepted_ms <= now_ms else None,
        "refused_ms": refused_ms if refused_ms and refused_ms <= now_ms else None,
        "refused_code": entry.reason if refused_ms and refused_ms <= now_ms else None,
        "cancelled_ms": entry.cancelled_ms,
        "effects": entry.effects,
    }


def _claim_line(record: Record, claim: Claim, now_ms: int) -> JsonObject:
    state, granted_minor = judge(record, claim, now_ms)
    decided = state is not ClaimState.PROCESSING
    return {
        "biz_no": claim.business_no,
        "kind": claim.kind,
        "asked_minor": claim.asked_minor,
        "granted_minor": granted_minor if decided else None,
        "state": state,
        "decided_ms": claim.decided_ms if decided else None,
    }


def _push_lines(record: Record) -> list[JsonObject]:
    return [
        {
            "id": push_id,
            "message": push.ids[0],  # one message may tell several things
            "kind": kind,
            "due_ms": push.due_ms,
            "attempts": push.attempts,
            "status": push.status,
            "acknowledged": push.acknowledged,
            "forged": push.forged,
            "given_up": push.given_up,
        }
        for push_id, kind, push in record.pushes
    ]


def outcome_name(record: Record, chosen: str) -> str:
    """The outcome in force: that of the instruction that counts, else what would be chosen."""
    entry = _deciding(record)
    if entry is not None and entry.outcome is not None:
        return entry.outcome
    return chosen if entry is None else "physical"
