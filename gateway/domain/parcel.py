"""Parcels and what happened to them: a journey is a pure function of all scans of a parcel.

Scans come in any order, twice, late, and from sources of different trust. They are a set; the
journey sorts the trusted ones by event time, so arrival never matters.
"""

from collections.abc import Iterable
from enum import StrEnum, auto
from typing import ClassVar

from gateway.domain.carrier import Cause, Contact, Milestone, Scan, Status, Tier
from gateway.domain.record import Hidden, Record

DAY_MS = 86_400_000
EPOCH_GAP_MS = 180 * DAY_MS  # carriers re-use numbers: later than this it is another parcel
FUTURE_SLACK_MS = 5 * 60_000  # a carrier's clock may be this far ahead of ours
LINES_MAX = 50
ORDERS_MAX = 20
SCANS_MAX = 500  # of one parcel; a domestic parcel has 10 to 40
PLACE_MAX = 120


class StoreStatus(StrEnum):
    OPERATING = auto()
    SUSPENDED = auto()
    CLOSED = auto()


class AgreementKind(StrEnum):
    SERVICE = auto()  # terms of the interception service
    PAYMENT = auto()  # password-free payment for a trusted platform service


class Signer(StrEnum):
    UNSTATED = auto()
    ADDRESSEE = auto()
    SENDER = auto()


class Merchant(Record, frozen=True):
    PARENT: ClassVar[str] = ""
    id: str  # tenant/merchant
    tenant: str
    kind: str  # "pop_sop" is the one that may use the service
    cross_border: bool
    cancel_order: bool  # the store's cancel-order function is on
    store_status: StoreStatus
    contract_signed: bool
    wallet_open: bool
    currency: str
    updated_at: int


class Agreement(Record, frozen=True):
    PARENT: ClassVar[str] = "merchant"
    id: str  # tenant/merchant/agreement
    merchant: str
    agreement: str
    agreement_version: str
    kind: AgreementKind
    signed_at: int


class WaybillService(Record, frozen=True):
    PARENT: ClassVar[str] = "merchant"
    id: str  # tenant/merchant/network
    merchant: str
    network: str
    opened: bool


class Parcel(Record, frozen=True):
    PARENT: ClassVar[str] = ""
    id: str
    tenant: str
    merchant: str  # id of the merchant
    network: str
    channel: str  # the adapter its operations go through
    account: str  # the carrier account
    waybill: str
    epoch: int
    currency: str
    declared: Status  # what the caller said, for channels without tracking
    status: Status
    status_at: int  # event time of the scan behind `status`
    read_at: int  # when the carrier was last asked; 0 never
    registered_at: int
    purged_at: int  # when its personal data was erased; 0 not yet


class OrderLine(Record, frozen=True):
    PARENT: ClassVar[str] = "parcel"
    id: str  # parcel/order_no/line_no
    parcel: str
    order_no: str
    line_no: str
    parcels: int  # how many parcels the order was split over
    cancelled: bool  # the order is cancelled: the caller says so, and may say so later
    title: str
    category: str
    quantity: int
    paid_minor: int  # for the whole line, as are the next two; 0 where not given
    declared_minor: int
    list_minor: int

    @property
    def value_minor(self) -> int:
        """What the goods are worth to a claim: the least of the values given."""
        given = [v for v in (self.paid_minor, self.declared_minor, self.list_minor) if v > 0]
        return min(given, default=0)


class Person(Record, frozen=True):
    """A contact of a parcel: personal data in a table of its own, so that it can be erased."""

    PARENT: ClassVar[str] = "parcel"
    id: str  # parcel/role
    parcel: str
    role: str  # "sender" or "receiver"
    name: Hidden[str]
    phone: Hidden[str]
    province: Hidden[str]
    city: Hidden[str]
    district: Hidden[str]
    street: Hidden[str]

    def contact(self) -> Contact:
        return Contact(self.name, self.phone, self.province, self.city, self.district, self.street)


class Subscription(Record, frozen=True):
    """A parcel that the carrier is, or is to be, asked to push about."""

    PARENT: ClassVar[str] = "parcel"
    id: str  # the parcel's
    parcel: str
    due_at: int  # when it is asked for, or renewed; business time
    attempts: int  # refused or unanswered in a row


class Alias(Record, frozen=True):
    """A return waybill: another number of a parcel that is known already. Several parcels may
    come back under one, and carriers use them again."""

    PARENT: ClassVar[str] = "parcel"
    id: str  # parcel/waybill
    parcel: str
    waybill: str
    network: str  # the parcel's
    at: int  # when it was first heard of


class ScanRow(Record, frozen=True):
    PARENT: ClassVar[str] = "parcel"
    id: str  # parcel/waybill/milestone/code/time
    parcel: str
    waybill: str
    milestone: Milestone
    code: str
    at: int  # event time; arrival time where `marked`
    arrived_at: int
    marked: bool  # the carrier gave no usable time
    place: str
    signer: Signer
    return_waybill: str
    cause: Cause
    tier: int  # the best source that told it


class Incident(Record, frozen=True):
    """Damage, shortage or loss: a fact that claims hang on, not a movement."""

    PARENT: ClassVar[str] = "parcel"
    id: str
    parcel: str
    kind: str
    source: str  # carrier, merchant or operator
    evidence: str  # id of the evidence row, or of the scan
    at: int


class End(StrEnum):
    """How a journey stands. OPEN until a scan ends it."""

    OPEN = auto()
    DELIVERED = auto()  # to the addressee
    RETURNED = auto()
    SENDER_REFUSED = auto()
    LOST = auto()
    NOT_SHIPPED = auto()


class Journey(Record, frozen=True):
    """The fold over all trusted scans of a parcel."""

    status: Status = Status.UNKNOWN
    status_at: int = 0
    end: End = End.OPEN
    end_at: int = 0
    returning_at: int = 0  # event time of the scan that turned it round; 0 never
    cause: Cause = Cause.UNSTATED
    return_waybill: str = ""
    damaged_at: int = 0
    last_at: int = 0


STATUS_OF = {
    Milestone.ORDERED: Status.NOT_PICKED_UP,
    Milestone.PICKED_UP: Status.PICKED_UP,
    Milestone.IN_TRANSIT: Status.IN_TRANSIT,
    Milestone.AT_DESTINATION: Status.AT_DESTINATION,
    Milestone.OUT_FOR_DELIVERY: Status.OUT_FOR_DELIVERY,
    Milestone.NOT_DELIVERED: Status.OUT_FOR_DELIVERY,
    Milestone.ADDRESSEE_REFUSED: Status.OUT_FOR_DELIVERY,
    Milestone.RETURNING: Status.RETURNING,
    Milestone.RETURN_SIGNED: Status.ENDED,
    Milestone.RETURN_REFUSED: Status.ENDED,
    Milestone.CANCELLED: Status.ENDED,
    Milestone.LOST: Status.ENDED,
    Milestone.FOUND: Status.IN_TRANSIT,
}
ENDING = frozenset({Milestone.SIGNED, Milestone.RETURN_SIGNED, Milestone.RETURN_REFUSED})
MOVING = frozenset(STATUS_OF) - {Milestone.ORDERED, Milestone.LOST, Milestone.CANCELLED}
RANK = {milestone: rank for rank, milestone in enumerate(Milestone)}  # ties of event time


def journey(parcel: Parcel, scans: Iterable[ScanRow]) -> Journey:
    """Where the parcel is and how its way ended; the same for every order of arrival."""
    trusted = [scan for scan in scans if scan.tier == Tier.T1]
    trusted.sort(key=lambda scan: (scan.at, RANK[scan.milestone], scan.id))
    here = Journey()
    refused = False
    for scan in trusted:
        match scan.milestone:
            case Milestone.ADDRESSEE_REFUSED:
                refused = True
            case Milestone.OUT_FOR_DELIVERY:
                refused = False
        here = _advance(parcel, here, scan, refused)
    return here


def _advance(parcel: Parcel, here: Journey, scan: ScanRow, refused: bool) -> Journey:
    status, end, end_at = here.status, here.end, here.end_at
    returning_at, cause = here.returning_at, here.cause
    back = scan.return_waybill or here.return_waybill
    if scan.milestone is Milestone.RETURNING and not returning_at:
        returning_at = scan.at
        cause = scan.cause
        if cause is Cause.UNSTATED and refused:
            cause = Cause.ADDRESSEE_REFUSED
    on_return = returning_at > 0 or scan.waybill != parcel.waybill
    if scan.milestone in STATUS_OF:
        status = STATUS_OF[scan.milestone]
        if on_return and status is not Status.ENDED:
            status = Status.RETURNING
    if end is End.LOST and scan.milestone in MOVING | {Milestone.SIGNED}:
        end, end_at = End.OPEN, 0
    if scan.milestone in ENDINGS:
        end, end_at = ENDINGS[scan.milestone], scan.at
    elif scan.milestone is Milestone.SIGNED:
        end, end_at = _signed(parcel, scan, on_return, bool(back)), scan.at
        status = Status.DELIVERED if end is End.DELIVERED else Status.ENDED
    moved = scan.milestone in STATUS_OF or scan.milestone is Milestone.SIGNED
    return Journey(
        status,
        scan.at if moved else here.status_at,
        end,
        end_at,
        returning_at,
        cause,
        back,
        scan.at if scan.milestone is Milestone.DAMAGED else here.damaged_at,
        scan.at,
    )


ENDINGS = {
    Milestone.RETURN_SIGNED: End.RETURNED,
    Milestone.RETURN_REFUSED: End.SENDER_REFUSED,
    Milestone.LOST: End.LOST,
    Milestone.CANCELLED: End.NOT_SHIPPED,
}


def _signed(parcel: Parcel, scan: ScanRow, on_return: bool, other_number: bool) -> End:
    """Signed for on the way back is our success, unless it was the addressee who signed."""
    if scan.waybill != parcel.waybill:
        return End.RETURNED
    if not on_return or other_number or scan.signer is Signer.ADDRESSEE:
        return End.DELIVERED
    return End.RETURNED


def scan_row(parcel: Parcel, people: Iterable[Person], scan: Scan, tier: Tier, now: int) -> ScanRow:
    """A carrier's scan as a row: keyed so that the same event told twice is one row."""
    usable = scan.at_ms is not None and 0 < scan.at_ms <= now + FUTURE_SLACK_MS
    at = scan.at_ms if usable and scan.at_ms is not None else now
    when = str(at) if usable else "untimed"
    return ScanRow(
        id=f"{parcel.id}/{scan.waybill}/{scan.milestone}/{scan.code}/{when}",
        parcel=parcel.id,
        waybill=scan.waybill,
        milestone=scan.milestone,
        code=scan.code[:64],
        at=at,
        arrived_at=now,
        marked=not usable,
        place="" if parcel.purged_at else scan.place[:PLACE_MAX],
        signer=_signer(people, scan),
        return_waybill=scan.return_waybill,
        cause=scan.cause,
        tier=int(tier),
    )


SIGNERS = {"收件人": Signer.ADDRESSEE, "寄件人": Signer.SENDER}  # what the carriers call them


def _signer(people: Iterable[Person], scan: Scan) -> Signer:
    """Who signed, by name, else by place; a place both live in says nothing."""
    if scan.signer in SIGNERS:
        return SIGNERS[scan.signer]
    by_role = {person.role: person for person in people}
    sender, receiver = by_role.get("sender"), by_role.get("receiver")
    if sender is None or receiver is None or scan.milestone not in ENDING:
        return Signer.UNSTATED
    for mark, ours, theirs in (
        (scan.signer, sender.name, receiver.name),
        (scan.place, sender.city, receiver.city),
    ):
        at_sender = bool(mark and ours) and (ours in mark or mark in ours)
        at_receiver = bool(mark and theirs) and (theirs in mark or mark in theirs)
        if at_sender != at_receiver:
            return Signer.SENDER if at_sender else Signer.ADDRESSEE
    return Signer.UNSTATED
