"""What the settings say of carriers: accounts, contracts, limits; and the platform's own rules."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from gateway.domain import fees as rules
from gateway.domain.carrier import Channel, Promise, Status
from gateway.domain.money import EXPONENTS

SECRET_MIN = 22  # of base64url: 132 bits
LEASE_MARGIN_MS = 15_000  # a call must end before its lease of 20 s does

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Ident = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Positive = Annotated[int, Field(gt=0, le=10**12)]  # of milliseconds it is 31 years
Module = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=200)
]
Minor = Annotated[int, Field(ge=0, le=10**12)]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Account(Section):
    credentials: Mapping[str, SecretStr] = Field(default_factory=dict)
    """What the carrier gave us to sign with; the names are the adapter's."""
    previous_credentials: Mapping[str, SecretStr] = Field(default_factory=dict)
    """The ones before, which pushes may still be signed with while they change."""
    settings: Mapping[str, str] = Field(default_factory=dict)
    """Fields of the account that are not secret; the names are the adapter's."""
    push_secret: SecretStr | None = None
    """Secret part of the address the carrier pushes to; at least 128 bits."""
    tenants: frozenset[Name] = frozenset()
    """Tenants that may use the account; empty: all of them."""

    @field_validator("push_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value() if secret is not None else None
        if text is None:
            return secret
        if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            raise ValueError("letters, digits, '-' and '_' only: it is part of an address")
        least = 32 if re.fullmatch(r"[0-9a-fA-F]+", text) else SECRET_MIN
        if len(text) < least or len(set(text)) < 8:
            raise ValueError("shorter than 128 bits of chance; `turnback config token` makes one")
        return secret


class Complaint(Section):
    kind: str
    """phone, hotline, group, email or web."""
    address: str
    """Number, group or address."""


class Contract(Section):
    currency: str = "CNY"
    """ISO 4217 code of fees and cap."""
    fees: Mapping[Status, Minor] = Field(default_factory=dict)
    """Fee in minor units by where the parcel is: picked_up, in_transit, at_destination …"""
    cap_minor: Minor = 100_000
    """Most that claims on one parcel bring, in minor units."""
    promise_on: Promise | None = None
    """When the carrier's word is a promise: reply, evidence or payment. Unset: the adapter's."""
    send_deadline_ms: Positive = 30 * rules.MINUTE_MS
    """After this a request that has not left does not leave any more."""
    evidence_by_ms: Positive = 72 * rules.HOUR_MS
    """Without evidence by then, a person looks into it."""
    claim_window_ms: Positive = 30 * rules.DAY_MS
    """How long after the event a claim may be filed."""
    stale_after_ms: Positive = 15 * rules.DAY_MS
    """An accepted parcel without a scan for so long is an exception."""
    fee_on_cancel: rules.OnCancel = rules.OnCancel.REFUND
    """The fee of an accepted interception that was withdrawn: refund or keep."""
    refund_on_return_failed: bool = True
    """Delivered although promised back: the fee is refunded beside the claim."""
    unlisted_no: rules.UnlistedNo = rules.UnlistedNo.RELEASE
    """A clear no with an unlisted code: release or hold."""
    payout: rules.Payout = rules.Payout.OFFLINE
    """How awards are paid: offline or wallet."""
    fee_tolerance_minor: Minor = 0
    """A statement may differ from what was agreed by so much, and no person is called."""
    billed_within_days: Annotated[int, Field(ge=0, le=365)] = 30
    """A fee captured, or refunded, so long before a statement's end has to be billed, or credited,
    on it or on an earlier one."""
    paid_within_days: Annotated[int, Field(ge=0, le=365)] = 30
    """The same for an award, and its payment."""
    in_flight_bound_ms: Positive | None = None
    """After this a request that timed out can no longer arrive. Unset: the adapter's."""
    complaints: tuple[Complaint, ...] = ()
    """Where people complain, besides the adapter's public channels."""

    @field_validator("currency")
    @classmethod
    def _kept(cls, currency: str) -> str:
        if currency not in EXPONENTS:
            raise ValueError(f"not a currency we keep: {', '.join(sorted(EXPONENTS))}")
        return currency

    def terms(self, channel: str, bound_ms: int | None) -> rules.Contract:
        return rules.Contract(
            channel=channel,
            currency=self.currency,
            fees=dict(self.fees),
            cap_minor=self.cap_minor,
            promise_on=self.promise_on,
            send_deadline_ms=self.send_deadline_ms,
            evidence_by_ms=self.evidence_by_ms,
            claim_window_ms=self.claim_window_ms,
            stale_after_ms=self.stale_after_ms,
            fee_on_cancel=self.fee_on_cancel,
            refund_on_return_failed=self.refund_on_return_failed,
            unlisted_no=self.unlisted_no,
            payout=self.payout,
            fee_tolerance_minor=self.fee_tolerance_minor,
            billed_within_ms=self.billed_within_days * rules.DAY_MS,
            paid_within_ms=self.paid_within_days * rules.DAY_MS,
            in_flight_bound_ms=bound_ms or self.in_flight_bound_ms,
            complaints=tuple(Channel(c.kind, c.address) for c in self.complaints),
        )


class CarrierLimits(Section):
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Calls at one time, for each account: of those that change something, of those that follow
    an interception up, and of those that a quote needs."""
    per_second: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Calls a second that change something, for each account."""
    timeout_ms: Annotated[int, Field(ge=100, le=LEASE_MARGIN_MS)] = 10_000
    """Whole time of one call."""
    connect_timeout_ms: Annotated[int, Field(ge=10, le=LEASE_MARGIN_MS)] = 3_000
    """Time to be connected."""


class Carrier(Section):
    adapter: Module | None = None
    """Module path of an adapter that is not in this repository; it has an `ADAPTER`."""
    provisional: bool = False
    """Allow an adapter whose facts are mostly assumed."""
    base_url: str
    """Where its interface is: https://host[:port][/path]."""
    accounts: Mapping[Ident, Account] = Field(default_factory=dict)
    """Our accounts with the carrier, by a name of our own."""
    subscribe: bool = True
    """Ask it to push about each parcel that is registered, where it offers that."""
    contract: Contract = Contract()
    """The terms."""
    limits: CarrierLimits = CarrierLimits()
    """How much we ask of it."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if fault := address_fault(url):
            raise ValueError(fault)
        return url.rstrip("/")

    @property
    def host(self) -> str:
        return host_of(self.base_url)


def address_fault(url: str) -> str:
    """What is wrong with an address of HTTP; empty for a good one. It is never quoted."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # its text quotes the address, and whatever secret is in it
        good = False
    if not good or not url.isascii() or not url.isprintable():
        return "not an address such as https://host/path"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "no credentials, query or fragment in an address"
    return ""


def host_of(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


class PolicySettings(Section):
    quote_valid_ms: Positive = 10 * rules.MINUTE_MS
    """How long a quote keeps its price."""
    status_fresh_ms: Positive = 15 * rules.MINUTE_MS
    """How old a parcel's status may be to price from."""
    cross_border: rules.CrossBorder = rules.CrossBorder.REFUSE
    """Cross-border merchants: refuse, exempt_from_waybill or allow."""
    merged: rules.Merged = rules.Merged.REFUSE_IF_OTHER_ORDER_OPEN
    """Boxes of several orders: refuse_if_other_order_open or allow."""
    merchant_kind: Name = "pop_sop"
    """The type of merchant that is served."""
    agreements: Mapping[Ident, str] = Field(default_factory=dict)
    """Service agreements that must be signed: id to least version."""
    excluded_categories: frozenset[str] = rules.Policy().excluded_categories
    """Categories of goods that cannot be intercepted."""
    four_eyes_above_minor: Minor = 50_000
    """An award above it is decided by another person than the filer."""
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 180
    """What is personal of a parcel is erased so many days after its last interception, claim, scan
    or registration; ids, amounts and hashes stay."""

    def terms(self) -> rules.Policy:
        return rules.Policy(
            quote_valid_ms=self.quote_valid_ms,
            status_fresh_ms=self.status_fresh_ms,
            cross_border=self.cross_border,
            merged=self.merged,
            merchant_kind=self.merchant_kind,
            agreements=dict(self.agreements),
            excluded_categories=self.excluded_categories,
            four_eyes_above_minor=self.four_eyes_above_minor,
            retention_ms=self.retention_days * rules.DAY_MS,
        )
