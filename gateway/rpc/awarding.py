"""Claims as messages: what was awarded, what was paid of it, and which limit decided the amount."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.carrier import ClaimKind
from gateway.domain.claim import Award, Claim, ClaimState, Desk, Proof
from gateway.domain.fees import Payout, Terms
from gateway.pb.turnback.v1 import carrier_service_pb2 as carriers
from gateway.pb.turnback.v1 import claim_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc.messages import Table, money, numbers, short, spoken, time

CLAIM_KIND = numbers(ClaimKind, pb.ClaimKind, "CLAIM_KIND")
CLAIM_STATE = numbers(ClaimState, pb.ClaimState, "CLAIM_STATE")
PAYOUT = numbers(Payout, carriers.PayoutChannel, "PAYOUT_CHANNEL")
REVIEWER: Mapping[Desk, Any] = {
    Desk.CARRIER: pb.CLAIM_REVIEWER_CARRIER,
    Desk.OPERATOR: pb.CLAIM_REVIEWER_OPERATOR,
}
UNDECIDED = frozenset({ClaimState.FILED, ClaimState.UNDER_REVIEW})


@dataclass(frozen=True, slots=True)
class Payment:
    """How much of an award has been paid, when, and under which reference."""

    minor: int
    at: int
    reference: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the limits of a claim are made of. `awards` are all of the parcel, oldest first."""

    claim: Claim
    value_minor: int  # of the order line
    cap_minor: int  # of the parcel
    awards: Sequence[Award]

    def of_award(self, award: Award) -> pb.ClaimBreakdown:
        """The limits as they were when the award was made.

        What the carrier grants in all is known of the last award of a claim. An earlier one shows
        it where it was the lowest, and is without it where it was not.
        """
        earlier = self.awards[: self.awards.index(award)]
        left = self._left(earlier)
        mine = [a for a in self.awards if a.claim == self.claim.id]
        before = sum(a.amount for a in earlier if a.claim == self.claim.id)
        granted: int | None = None
        if award == mine[-1] and self.claim.granted_minor:
            granted = self.claim.granted_minor - before
        elif award.amount < min(left.values()):
            granted = award.amount
        return self._shown(left, granted, award.amount)

    def now(self) -> pb.ClaimBreakdown | None:
        """The limits of a claim: of its last award, of its rejection, or as far as they reach."""
        claim = self.claim
        mine = [award for award in self.awards if award.claim == claim.id]
        if mine:
            return self.of_award(mine[-1])
        if claim.state in UNDECIDED:
            left = self._left(self.awards)
            return self._shown(left, None, max(0, min(left.values())))
        if claim.state is ClaimState.REJECTED:
            earlier = [award for award in self.awards if award.at <= claim.decided_at]
            left = self._left(earlier)
            return self._shown(left, None if min(left.values()) <= 0 else 0, 0)
        return None

    def _left(self, earlier: Sequence[Award]) -> dict[pb.ClaimLimit, int]:
        """What each limit but the carrier's word leaves after the awards before."""
        claim = self.claim
        line = (claim.order_no, claim.line_no)
        return {
            pb.CLAIM_LIMIT_LOSS: claim.loss_minor
            - sum(award.amount for award in earlier if award.claim == claim.id),
            pb.CLAIM_LIMIT_VALUE: self.value_minor
            - sum(award.amount for award in earlier if (award.order_no, award.line_no) == line),
            pb.CLAIM_LIMIT_CAP: self.cap_minor - sum(award.amount for award in earlier),
        }

    def _shown(
        self, left: dict[pb.ClaimLimit, int], granted: int | None, result: int
    ) -> pb.ClaimBreakdown:
        currency = self.claim.currency
        every = left if granted is None else {**left, pb.CLAIM_LIMIT_GRANTED: granted}
        lowest = min(every.values())
        message = pb.ClaimBreakdown(
            loss=money(max(0, left[pb.CLAIM_LIMIT_LOSS]), currency),
            value=money(max(0, left[pb.CLAIM_LIMIT_VALUE]), currency),
            cap_remaining=money(max(0, left[pb.CLAIM_LIMIT_CAP]), currency),
            limit=min(limit for limit, minor in every.items() if minor == lowest),
            result=money(result, currency),
        )
        if granted is not None:
            message.granted.CopyFrom(money(granted, currency))
        return message


def award(row: Award, paid: Payment | None, limits: Limits) -> pb.Award:
    message = pb.Award(
        id=row.id,
        amount=money(row.amount, row.currency),
        decision_key=row.decision_key.removeprefix(f"person:{row.claim}:"),
        breakdown=limits.of_award(row),
        awarded_at=time(row.at),
        channel=PAYOUT[row.channel],
        actor=row.actor,
    )
    if paid is not None:
        message.paid = paid.minor >= row.amount
        message.paid_amount.CopyFrom(money(paid.minor, row.currency))
        message.paid_reference = paid.reference
        at = time(paid.at)
        if at is not None:
            message.paid_at.CopyFrom(at)
    return message


def proof(row: Proof) -> types.Proof:
    """With the one content it has: a place, or a text."""
    content = {"uri": row.uri} if row.uri else {"text": row.text}
    at = time(row.supplied_at)
    return types.Proof(kind=row.kind, sha256=row.sha256, supplied_at=at, **content)


def _number(row: Proof) -> int:
    return int(row.id.rsplit("/", 1)[1])


def claim(
    limits: Limits,
    waybill: str,
    terms: Terms,
    paid: Mapping[str, Payment],
    proofs: Sequence[Proof] = (),
) -> pb.Claim:
    row = limits.claim
    awards = [made for made in limits.awards if made.claim == row.id]
    total = sum(a.amount for a in awards)
    paid_minor = sum(p.minor for p in paid.values())
    contract = terms.contracts.get(row.channel)
    return pb.Claim(
        id=row.id,
        interception_id=row.interception,
        parcel_id=row.parcel,
        merchant_id=short(row.merchant),
        carrier=row.channel,
        waybill=waybill,
        kind=CLAIM_KIND[row.kind],
        order_no=row.order_no,
        line_no=row.line_no,
        loss=money(row.loss_minor, row.currency),
        description=row.description,
        evidence=[proof(one) for one in sorted(proofs, key=_number)],
        state=CLAIM_STATE[row.state],
        reviewer=REVIEWER[row.desk],
        carrier_reference=row.reference,
        breakdown=limits.now(),
        awards=[award(a, paid.get(a.id), limits) for a in awards],
        awarded=money(total, row.currency),
        paid=money(paid_minor, row.currency),
        payout=PAYOUT[contract.payout] if contract else carriers.PAYOUT_CHANNEL_UNSPECIFIED,
        paid_in_full=bool(awards) and paid_minor >= total,
        decided_reason=row.reason if row.decided_at or row.state is ClaimState.VOID else "",
        decided_messages=spoken(row.reason),
        complaint_channels=complaints(row.channel, terms),
        filed_at=time(row.filed_at),
        decided_at=time(row.decided_at),
        version=row.version,
    )


KINDS: Table = {
    "hotline": carriers.COMPLAINT_CHANNEL_KIND_PHONE,
    "phone": carriers.COMPLAINT_CHANNEL_KIND_PHONE,
    "group": carriers.COMPLAINT_CHANNEL_KIND_GROUP,
    "email": carriers.COMPLAINT_CHANNEL_KIND_EMAIL,
    "web": carriers.COMPLAINT_CHANNEL_KIND_WEB,
}


def complaints(channel: str, terms: Terms) -> list[carriers.ComplaintChannel]:
    contract, adapter = terms.contracts.get(channel), terms.adapters.get(channel)
    found = (*(contract.complaints if contract else ()), *(adapter.complaints if adapter else ()))
    return [carriers.ComplaintChannel(kind=KINDS.get(c.kind, 0), address=c.address) for c in found]
