"""Carrier contracts: the fee by logistics status, the cap, and every term that may differ."""

from collections.abc import Mapping
from enum import StrEnum, auto

from msgspec import field

from gateway.domain.carrier import Adapter, Channel, Promise, Status
from gateway.domain.record import Record

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
LEASE_MS = 20_000  # above the carriers' total time-out, so that no lease ends under a live call


class Payout(StrEnum):
    OFFLINE = auto()  # the carrier pays the merchant; we record it
    WALLET = auto()


class OnCancel(StrEnum):
    REFUND = auto()
    KEEP = auto()


class UnlistedNo(StrEnum):
    RELEASE = auto()
    HOLD = auto()


class CrossBorder(StrEnum):
    REFUSE = auto()
    EXEMPT_FROM_WAYBILL = auto()
    ALLOW = auto()


class Merged(StrEnum):
    REFUSE_IF_OTHER_ORDER_OPEN = auto()
    ALLOW = auto()


class Contract(Record, frozen=True, kw_only=True):
    """The terms with one carrier. Times are in ms, amounts in minor units of `currency`."""

    channel: str
    currency: str = "CNY"
    fees: Mapping[Status, int] = field(default_factory=dict)
    cap_minor: int = 100_000  # CNY 1 000 per parcel: the platform's rule, not a carrier's field
    promise_on: Promise | None = None  # None: the adapter's default
    send_deadline_ms: int = 30 * MINUTE_MS
    evidence_by_ms: int = 72 * HOUR_MS
    claim_window_ms: int = 30 * DAY_MS
    stale_after_ms: int = 15 * DAY_MS
    fee_on_cancel: OnCancel = OnCancel.REFUND
    refund_on_return_failed: bool = True
    unlisted_no: UnlistedNo = UnlistedNo.RELEASE
    payout: Payout = Payout.OFFLINE
    fee_tolerance_minor: int = 0  # a statement may differ by it, and nobody is called
    billed_within_ms: int = 30 * DAY_MS  # before a statement's end: captured, refunded
    paid_within_ms: int = 30 * DAY_MS  # and awarded
    in_flight_bound_ms: int | None = None  # None: the adapter's
    complaints: tuple[Channel, ...] = ()


class Policy(Record, frozen=True, kw_only=True):
    """The platform's own rules, the same for every carrier."""

    quote_valid_ms: int = 10 * MINUTE_MS
    status_fresh_ms: int = 15 * MINUTE_MS
    cross_border: CrossBorder = CrossBorder.REFUSE
    merged: Merged = Merged.REFUSE_IF_OTHER_ORDER_OPEN
    merchant_kind: str = "pop_sop"
    agreements: Mapping[str, str] = field(default_factory=dict)  # id -> least version
    excluded_categories: frozenset[str] = frozenset(
        {
            "fresh_food",
            "virtual_goods",
            "jewellery",
            "antiques",
            "second_hand",
            "tea",
            "large_appliances",
            "made_to_order",
        }
    )
    four_eyes_above_minor: int = 50_000  # an award above it is decided by another than the filer
    retention_ms: int = 180 * DAY_MS  # what is personal is erased so long after the last business


class Terms(Record, frozen=True):
    """All that a decision may depend on beside the rows: carriers, contracts, policy."""

    adapters: Mapping[str, Adapter]
    contracts: Mapping[str, Contract]
    policy: Policy
    accounts: Mapping[tuple[str, str], Mapping[str, str]]  # (channel, account) -> settings
    payment_agreements: Mapping[str, frozenset[str]]  # tenant -> configured agreement ids
    subscribes: frozenset[str] = frozenset()  # channels that are asked to push, parcel by parcel
    lease_ms: int = LEASE_MS  # of a job that is taken up

    def tracker(self, channel: str, account: str, network: str) -> tuple[str, str] | None:
        """Whom to ask where a parcel is: its own channel, else the network's own, if one of our
        accounts there bears the same name or is the only one. None: nobody tells."""
        own = self.adapters.get(channel)
        if own is None or own.track is not None:  # one that is gone declares nothing either
            return channel, account
        for name in self.contracts:
            adapter = self.adapters[name]
            if adapter.track is None or adapter.networks or adapter.network != network:
                continue
            ours = [key for key in self.accounts if key[0] == name]
            named = [key for key in ours if key[1] == account]
            if named or len(ours) == 1:
                return (named or ours)[0]
        return None

    def promise_on(self, channel: str) -> Promise:
        return self.contracts[channel].promise_on or self.adapters[channel].promise_on.value

    def in_flight_bound_ms(self, channel: str) -> int:
        bound = self.contracts[channel].in_flight_bound_ms
        return self.adapters[channel].in_flight_bound_ms.value if bound is None else bound
