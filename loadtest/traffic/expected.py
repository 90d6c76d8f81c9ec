"""What a run has to come to, computed from its plan before the first call is made.

Sums are in fen and have a least and a most: they differ only where what happens depends on when it
happens, a request that never arrived for instance, which some carriers can be sent again in time.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.carriers import CARRIERS
from loadtest.fleet import CAP_MINOR
from loadtest.scenario import Parcel
from loadtest.traffic.fates import Claim, Fee
from loadtest.traffic.plan import Arrival, Plan


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `least` to `most`, both included."""

    least: int
    most: int

    def __contains__(self, number: int) -> bool:
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Expected:
    """Of one parcel, if its interception was created. Amounts in fen."""

    fee: Fee
    fee_minor: int
    kept_minor: Span
    awards_minor: Span


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all parcels of a run, or of those that were created."""

    interceptions: int
    fates: dict[str, int]
    held_minor: int
    kept_minor: Span
    returned_minor: Span  # fees that go back to merchants
    awards_minor: Span


def of(arrival: Arrival, plan: Plan) -> Expected:
    """What becomes of its fee, and what its claims bring."""
    assert arrival.parcel is not None
    assert arrival.fate is not None
    parcel, fate = arrival.parcel, arrival.fate
    unsure = arrival.trouble is not None and not arrival.trouble.executed
    unsure |= parcel.carrier == plan.options.stricken and any(
        not row.sure for row in plan.options.weather
    )
    fee = Fee.EITHER if unsure and fate.fee is Fee.KEPT else fate.fee
    claim = Claim.EITHER if unsure and fate.claim is not Claim.NONE else fate.claim
    amount = CARRIERS[parcel.carrier].fees[parcel.status]
    most = awards(parcel) if claim is not Claim.NONE else 0
    return Expected(
        fee,
        amount,
        Span(amount if fee is Fee.KEPT else 0, 0 if fee is Fee.BACK else amount),
        Span(most if claim is Claim.DUE else 0, most),
    )


def awards(parcel: Parcel) -> int:
    """All its lines claimed, one after the other: min(loss, value, granted, what is left)."""
    granted_before = awarded = 0
    for order in parcel.orders:
        for line in order.lines:
            granted = min(line.listed, parcel.value - granted_before)
            if parcel.params.get("claim") == "partial":
                granted //= 2
            granted_before += granted
            awarded += max(0, min(line.listed, line.value, granted, CAP_MINOR - awarded))
    return awarded


def totals(arrivals: Iterable[Arrival], plan: Plan) -> Totals:
    chosen = [one for one in arrivals if one.parcel is not None]
    due = [of(one, plan) for one in chosen]
    held = sum(one.fee_minor for one in due)
    kept = Span(sum(one.kept_minor.least for one in due), sum(one.kept_minor.most for one in due))
    return Totals(
        len(chosen),
        dict(Counter(one.fate.name for one in chosen if one.fate is not None)),
        held,
        kept,
        Span(held - kept.most, held - kept.least),
        Span(sum(one.awards_minor.least for one in due), sum(one.awards_minor.most for one in due)),
    )
