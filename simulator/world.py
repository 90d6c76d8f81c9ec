"""Parcels and what a carrier does with them, as pure functions of the journal and of `now`.

No I/O, no clock, no chance: the same parcel and journal always give the same course of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from itertools import pairwise

from simulator.outcomes import Outcome, Params, Reason

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Status(StrEnum):
    NOT_PICKED_UP = auto()
    PICKED_UP = auto()
    IN_TRANSIT = auto()
    AT_DESTINATION = auto()
    OUT_FOR_DELIVERY = auto()
    DELIVERED = auto()
    RETURNING = auto()
    ENDED = auto()


class Event(StrEnum):
    PICKED_UP = auto()
    DEPARTED = auto()
    ARRIVED = auto()
    AT_OUTLET = auto()
    OUT_FOR_DELIVERY = auto()
    SIGNED = auto()
    ADDRESSEE_REFUSED = auto()
    RETURN_STARTED = auto()
    RETURN_PICKED_UP = auto()
    RETURN_DEPARTED = auto()
    RETURN_ARRIVED = auto()
    RETURN_AT_OUTLET = auto()
    RETURN_OUT_FOR_DELIVERY = auto()
    RETURN_SIGNED = auto()
    LOST = auto()
    FOUND = auto()
    DAMAGED = auto()
    INTERCEPT_ACCEPTED = auto()
    INTERCEPT_FAILED = auto()
    INTERCEPT_CANCELLED = auto()
    INTERCEPT_ENDED = auto()


NOTICES = frozenset(
    {
        Event.INTERCEPT_ACCEPTED,
        Event.INTERCEPT_FAILED,
        Event.INTERCEPT_CANCELLED,
        Event.INTERCEPT_ENDED,
    }
)
TERMINAL = frozenset({Event.SIGNED, Event.RETURN_SIGNED})

STATUS_AFTER = {
    Event.PICKED_UP: Status.PICKED_UP,
    Event.DEPARTED: Status.IN_TRANSIT,
    Event.ARRIVED: Status.IN_TRANSIT,
    Event.AT_OUTLET: Status.AT_DESTINATION,
    Event.OUT_FOR_DELIVERY: Status.OUT_FOR_DELIVERY,
    Event.SIGNED: Status.DELIVERED,
    Event.RETURN_STARTED: Status.RETURNING,
    Event.RETURN_SIGNED: Status.ENDED,
    Event.LOST: Status.ENDED,
    Event.FOUND: Status.RETURNING,
}


class Window(StrEnum):
    UNTIL_DELIVERED = auto()
    UNTIL_OUT_FOR_DELIVERY = auto()


class ReturnNumber(StrEnum):
    SAME = auto()
    NEW = auto()


class Cause(StrEnum):
    INTERCEPTION = auto()
    ADDRESSEE_REFUSED = auto()
    OTHER_INTERCEPTION = auto()


@dataclass(frozen=True, slots=True)
class Contact:
    name: str
    phone: str
    province: str
    city: str
    district: str
    street: str


@dataclass(frozen=True, slots=True)
class Journey:
    """Offsets from shipping at which each status of an undisturbed parcel begins."""

    picked_up: int = 2 * HOUR_MS
    in_transit: int = 6 * HOUR_MS
    at_destination: int = 44 * HOUR_MS
    out_for_delivery: int = 46 * HOUR_MS
    delivered: int = 50 * HOUR_MS

    def __post_init__(self) -> None:
        steps = self.steps()
        if steps[0] < 0 or any(a >= b for a, b in pairwise(steps)):
            raise ValueError("the steps of a journey must follow one another")

    def steps(self) -> tuple[int, int, int, int, int]:
        return (
            self.picked_up,
            self.in_transit,
            self.at_destination,
            self.out_for_delivery,
            self.delivered,
        )

    def middle_of(self, status: Status) -> int:
        """The offset at which a parcel is in the middle of this status."""
        bounds = (0, *self.steps(), self.delivered + HOUR_MS)
        index = ORDER.index(status)
        return (bounds[index] + bounds[index + 1]) // 2


ORDER = (
    Status.NOT_PICKED_UP,
    Status.PICKED_UP,
    Status.IN_TRANSIT,
    Status.AT_DESTINATION,
    Status.OUT_FOR_DELIVERY,
    Status.DELIVERED,
)
DEFAULT_JOURNEY = Journey()


@dataclass(frozen=True, slots=True)
class Parcel:
    carrier: str
    account: str
    waybill: str
    order_id: str
    shipped_ms: int
    sender: Contact
    receiver: Contact
    value_minor: int
    return_number: ReturnNumber
    return_waybill: str  # the number of the way back; the same as `waybill` when it keeps it
    journey: Journey = DEFAULT_JOURNEY
    order_cancelled_ms: int | None = None
    network: str = ""  # the company that carries it; empty: named like the carrier

    @property
    def key(self) -> tuple[str, str]:
        """One parcel has one number with its network, whichever channels lead to it."""
        return self.network or self.carrier, self.waybill

    def near(self, place: "Place") -> Contact:
        """At whose end of the way a place is."""
        at_origin = place in (Place.ORIGIN_OUTLET, Place.ORIGIN_HUB)
        return self.sender if at_origin else self.receiver


class Place(StrEnum):
    """Where something happened; a dialect gives it a name out of the parcel's addresses."""

    ORIGIN_OUTLET = auto()
    ORIGIN_HUB = auto()
    DESTINATION_HUB = auto()
    DESTINATION_OUTLET = auto()


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened, or will happen, to a parcel."""

    at_ms: int
    event: Event
    waybill: str
    place: Place
    next_place: Place | None = None
    cause: Cause | None = None
    reference: str = ""  # of the interception that a notice is about


@dataclass(frozen=True, slots=True)
class Interception:
    """One instruction in the carrier's journal, with what the carrier will make of it."""

    reference: str  # the caller's
    business_no: str  # the carrier's
    external_no: str
    attempt: int
    asked_ms: int
    outcome: Outcome | None  # None: a physical fact decided
    params: Params = field(default_factory=Params)
    by_other: bool = False
    receipt_only: bool = False
    effects: int = 1
    accepted_ms: int | None = None
    refused_ms: int | None = None
    reason: Reason | None = None
    code: str = ""  # the carrier's own code where a script names one
    turned_ms: int | None = None
    addressee_refused_ms: int | None = None
    delivered_ms: int | None = None
    cancelled_ms: int | None = None

    @property
    def cause(self) -> Cause:
        if self.addressee_refused_ms is not None:
            return Cause.ADDRESSEE_REFUSED
        return Cause.OTHER_INTERCEPTION if self.by_other else Cause.INTERCEPTION

    def live(self, now_ms: int) -> bool:
        """Whether the carrier is still acting, or going to act, on it."""
        if self.cancelled_ms is not None:
            return False
        return self.accepted_ms is not None or self.refused_ms is None or self.refused_ms > now_ms


FORWARD = (  # between departure and the delivery outlet: share of that stretch, in sixteenths
    (Event.DEPARTED, 0, Place.ORIGIN_OUTLET, Place.ORIGIN_HUB),
    (Event.ARRIVED, 1, Place.ORIGIN_HUB, Place.DESTINATION_HUB),
    (Event.DEPARTED, 3, Place.ORIGIN_HUB, Place.DESTINATION_HUB),
    (Event.ARRIVED, 9, Place.DESTINATION_HUB, Place.DESTINATION_OUTLET),
    (Event.DEPARTED, 11, Place.DESTINATION_HUB, Place.DESTINATION_OUTLET),
)

BACKWARD: Sequence[tuple[Event, int, Place | None, Place | None]] = (
    # share of the way back in sixteenths; no place: where the parcel was turned round
    (Event.RETURN_PICKED_UP, 0, None, None),
    (Event.RETURN_DEPARTED, 1, None, Place.ORIGIN_HUB),
    (Event.RETURN_ARRIVED, 8, Place.ORIGIN_HUB, Place.ORIGIN_OUTLET),
    (Event.RETURN_AT_OUTLET, 13, Place.ORIGIN_OUTLET, None),
    (Event.RETURN_OUT_FOR_DELIVERY, 14, Place.ORIGIN_OUTLET, None),
    (Event.RETURN_SIGNED, 16, Place.ORIGIN_OUTLET, None),
)


def forward(parcel: Parcel, journal: Sequence[Interception]) -> list[Mark]:
    """The way to the buyer, as far as nothing turns the parcel round."""
    plan = parcel.journey
    start, number = parcel.shipped_ms, parcel.waybill
    leg = plan.at_destination - plan.in_transit
    outlet = Place.DESTINATION_OUTLET
    marks = [Mark(start + plan.picked_up, Event.PICKED_UP, number, Place.ORIGIN_OUTLET)]
    for event, share, place, following in FORWARD:
        at_ms = start + plan.in_transit + leg * share // 16
        marks.append(Mark(at_ms, event, number, place, following))
    marks.append(Mark(start + plan.at_destination, Event.AT_OUTLET, number, outlet))
    out_ms, signed_ms = start + plan.out_for_delivery, start + plan.delivered
    for entry in journal:  # a cancelled interception held the parcel for a while
        held_ms, freed_ms = entry.accepted_ms, entry.cancelled_ms
        if held_ms is None or freed_ms is None:
            continue
        if held_ms <= out_ms < freed_ms:
            signed_ms, out_ms = freed_ms + signed_ms - out_ms, freed_ms
        elif held_ms <= signed_ms < freed_ms:
            signed_ms = freed_ms + HOUR_MS
    marks.append(Mark(out_ms, Event.OUT_FOR_DELIVERY, number, outlet))
    marks.append(Mark(signed_ms, Event.SIGNED, number, outlet))
    if parcel.order_cancelled_ms is not None:
        return [mark for mark in marks if mark.at_ms <= parcel.order_cancelled_ms]
    return marks


def _return_leg(parcel: Parcel, entry: Interception, turned_ms: int, stand: Place) -> list[Mark]:
    params, number = entry.params, parcel.return_waybill
    started = Mark(turned_ms, Event.RETURN_STARTED, parcel.waybill, stand, cause=entry.cause)
    back_ms = params.number("return_ms", 32 * HOUR_MS)
    marks = [
        Mark(turned_ms + back_ms * share // 16, event, number, place or stand, following)
        for event, share, place, following in BACKWARD
        if share or number != parcel.waybill
    ]
    signed_ms = turned_ms + back_ms
    where = Place.ORIGIN_HUB
    match entry.outcome:
        case Outcome.TURNED_THEN_DELIVERED:  # sorted to its addressee once more
            marks = [mark for mark in marks if mark.at_ms < turned_ms + back_ms // 2]
            marks.append(_handed_over(parcel, turned_ms + back_ms // 2))
        case Outcome.LOST | Outcome.LOST_THEN_FOUND | Outcome.LOST_THEN_DELIVERED:
            lost_ms = turned_ms + min(params.number("lost_ms", 20 * HOUR_MS), back_ms - 1)
            marks = [mark for mark in marks if mark.at_ms < lost_ms]
            marks.append(Mark(lost_ms, Event.LOST, number, where))
            found_ms = lost_ms + params.number("found_ms", 3 * DAY_MS)
            if entry.outcome is not Outcome.LOST:
                marks.append(Mark(found_ms, Event.FOUND, number, where))
            if entry.outcome is Outcome.LOST_THEN_DELIVERED:
                marks.append(_handed_over(parcel, found_ms + HOUR_MS))
            elif entry.outcome is Outcome.LOST_THEN_FOUND:
                marks.append(
                    Mark(found_ms + DAY_MS, Event.RETURN_SIGNED, number, Place.ORIGIN_OUTLET)
                )
        case Outcome.DAMAGED:
            damaged_ms = turned_ms + min(params.number("damaged_ms", 20 * HOUR_MS), back_ms - 1)
            marks.append(Mark(damaged_ms, Event.DAMAGED, number, where))
        case Outcome.DAMAGED_AFTER_RETURN:
            damaged_ms = signed_ms + 2 * HOUR_MS
            marks.append(Mark(damaged_ms, Event.DAMAGED, number, Place.ORIGIN_OUTLET))
    return [started, *marks]


def _handed_over(parcel: Parcel, at_ms: int) -> Mark:
    """The buyer has it after all, under the number he knows."""
    return Mark(at_ms, Event.SIGNED, parcel.waybill, Place.DESTINATION_OUTLET)


def _notices(parcel: Parcel, entry: Interception, course: Sequence[Mark]) -> list[Mark]:
    """What the carrier announces about the instruction itself."""
    if entry.by_other:
        return []
    times = [(entry.accepted_ms, Event.INTERCEPT_ACCEPTED)]
    if entry.receipt_only:
        times.append((entry.refused_ms, Event.INTERCEPT_FAILED))
    times.append((entry.cancelled_ms, Event.INTERCEPT_CANCELLED))
    if entry.accepted_ms is not None and entry.cancelled_ms is None:
        for mark in course:
            if mark.event in (Event.RETURN_SIGNED, Event.LOST):
                times.append((mark.at_ms, Event.INTERCEPT_ENDED))
                break
            if mark.event is Event.SIGNED:
                times.append((mark.at_ms, Event.INTERCEPT_FAILED))
                break
    return [
        Mark(at_ms, event, parcel.waybill, Place.DESTINATION_HUB, reference=entry.reference)
        for at_ms, event in times
        if at_ms is not None
    ]


def course(parcel: Parcel, journal: Sequence[Interception]) -> list[Mark]:
    """All that happened and will happen, in order of time, if nothing more is asked."""
    marks = forward(parcel, journal)
    for entry in journal:
        if entry.cancelled_ms is not None:
            continue
        if entry.addressee_refused_ms is not None:
            refused_ms = entry.addressee_refused_ms
            outlet = Place.DESTINATION_OUTLET
            marks = [m for m in marks if m.at_ms < refused_ms]
            marks.append(Mark(refused_ms, Event.ADDRESSEE_REFUSED, parcel.waybill, outlet))
        if entry.delivered_ms is not None:
            marks = _redeliver(marks, entry.delivered_ms)
        elif entry.turned_ms is not None:
            marks = _stopped(marks, entry)
            if entry.outcome is Outcome.LOST_THEN_TURNED:
                marks = _astray(parcel, marks, entry)
            stand = marks[-1].place if marks else Place.ORIGIN_OUTLET
            marks += _return_leg(parcel, entry, entry.turned_ms, stand)
    marks.sort(key=_at_ms)
    notices = [mark for entry in journal for mark in _notices(parcel, entry, marks)]
    if notices:  # of one moment: the acceptance, what was scanned, the other notices
        accepted = [mark for mark in notices if mark.event is Event.INTERCEPT_ACCEPTED]
        others = [mark for mark in notices if mark.event is not Event.INTERCEPT_ACCEPTED]
        marks = accepted + marks + others
        marks.sort(key=_at_ms)
    return marks


def _at_ms(mark: Mark) -> int:
    return mark.at_ms


def _redeliver(marks: list[Mark], delivered_ms: int) -> list[Mark]:
    kept = [mark for mark in marks if mark.event is not Event.SIGNED and mark.at_ms < delivered_ms]
    signed = next((mark for mark in marks if mark.event is Event.SIGNED), None)
    return kept if signed is None else [*kept, replace(signed, at_ms=delivered_ms)]


def _stopped(marks: list[Mark], entry: Interception) -> list[Mark]:
    """A parcel that is stopped may travel on until it is turned, but is not delivered."""
    held_ms = entry.accepted_ms if entry.accepted_ms is not None else entry.addressee_refused_ms
    turned_ms = entry.turned_ms or 0
    doors = (Event.OUT_FOR_DELIVERY, Event.SIGNED)
    return [
        mark
        for mark in marks
        if mark.at_ms <= turned_ms and not (mark.event in doors and mark.at_ms > (held_ms or 0))
    ]


def astray(params: Params) -> tuple[int, int]:
    """How long after its acceptance such a parcel is lost, and found again."""
    lost_ms = params.number("lost_ms", 20 * HOUR_MS)
    return lost_ms, lost_ms + params.number("found_ms", 3 * DAY_MS)


def _astray(parcel: Parcel, marks: list[Mark], entry: Interception) -> list[Mark]:
    """A parcel that is stopped, and lost before it is turned: nobody scans it until it is found."""
    held_ms, (lost_ms, found_ms) = entry.accepted_ms or 0, astray(entry.params)
    kept = [mark for mark in marks if mark.at_ms < held_ms + lost_ms]
    where = kept[-1].place if kept else Place.ORIGIN_OUTLET
    lost = Mark(held_ms + lost_ms, Event.LOST, parcel.waybill, where)
    return [*kept, lost, Mark(held_ms + found_ms, Event.FOUND, parcel.waybill, where)]


def scans(marks: Sequence[Mark], now_ms: int) -> list[Mark]:
    """What the carrier's tracking shows at `now_ms`."""
    return [mark for mark in marks if mark.at_ms <= now_ms and mark.event not in NOTICES]


def status(marks: Sequence[Mark], now_ms: int) -> Status:
    found, turned = Status.NOT_PICKED_UP, False
    for mark in marks:
        if mark.at_ms > now_ms:
            break
        turned = turned or mark.event is Event.RETURN_STARTED
        found = STATUS_AFTER.get(mark.event, found)
        if mark.event is Event.FOUND and not turned:
            found = Status.IN_TRANSIT
    return found
