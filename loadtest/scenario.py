"""A merchant's day as a file tells it: merchants, parcels with their orders, and their fates."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).with_name("scenarios")
DAY = SCENARIOS / "merchant_day.toml"
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
SERVICES = ("sf", "zto", "yto", "jdl", "sto", "jt", "ups", "yunda")  # one for each network
SET_ORDERS = 260_618_500_000  # numbers of the orders of sets, from here
LENT = "returned"  # the case whose merchants, buyers and goods sets use again
NUMBER = re.compile(r"[0-9]+$")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contact:
    name: str
    phone: str
    province: str
    city: str
    district: str
    street: str


@dataclass(frozen=True, slots=True)
class Line:
    line_no: str
    title: str
    category: str
    quantity: int
    paid: int  # fen, for the whole line
    listed: int

    @property
    def value(self) -> int:
        """The least of the amounts given."""
        return min(self.paid, self.listed)


@dataclass(frozen=True, slots=True)
class Order:
    order_no: str
    lines: tuple[Line, ...]
    parcel_count: int = 1
    cancelled: bool = True


@dataclass(frozen=True, slots=True)
class Merchant:
    id: str
    title: str
    cross_border: bool = False
    cancel_order: bool = True
    operating: bool = True
    contract_signed: bool = True
    agreements: bool = True
    waybill_services: tuple[str, ...] = SERVICES


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel, what its merchant wants of it, and what the carrier will do."""

    case: str
    at_ms: int  # business time of the cancelled order
    merchant: str
    carrier: str
    waybill: str
    status: str
    buyer: Contact
    orders: tuple[Order, ...]
    script: Mapping[str, Any] = field(default_factory=dict)
    unmet: tuple[str, ...] = ()
    withdraw_min: int = 0  # 0: never
    code: str = ""  # of an aggregator's parcel: its word for who carries it
    network: str = ""  # and who that is
    also: str = ""  # a second channel through which it is tried, once it is under way

    @property
    def key(self) -> tuple[str, str]:
        return self.carrier, self.waybill

    @property
    def value(self) -> int:
        return sum(line.value for order in self.orders for line in order.lines)

    @property
    def outcome(self) -> str:
        return str(self.script.get("outcome", ""))

    @property
    def params(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.script.get("params", {})
        return found


@dataclass(frozen=True, slots=True)
class Day:
    starts_ms: int
    return_to: Contact
    top_up: int  # fen, for every merchant
    merchants: tuple[Merchant, ...]
    parcels: tuple[Parcel, ...]

    @property
    def waves(self) -> tuple[int, ...]:
        return tuple(sorted({parcel.at_ms for parcel in self.parcels}))

    def at(self, wave_ms: int) -> tuple[Parcel, ...]:
        return tuple(parcel for parcel in self.parcels if parcel.at_ms == wave_ms)

    @property
    def order_count(self) -> int:
        return sum(len(parcel.orders) for parcel in self.parcels)


def load(path: Path = DAY) -> Day:
    """Raises ValueError, KeyError or TypeError where the file is not such a day."""
    given = tomllib.loads(path.read_text("utf-8"))
    day = given["day"]
    starts: datetime = day["starts"]
    parcels = [_parcel(each, starts) for each in given["parcels"]]
    parcels += _of_sets(given.get("sets", ()), parcels)
    return Day(
        starts_ms=int(starts.timestamp()) * 1000,
        return_to=Contact(**day["return_to"]),
        top_up=int(day["top_up"]),
        merchants=tuple(_merchant(each) for each in given["merchants"]),
        parcels=tuple(parcels),
    )


def _merchant(given: Json) -> Merchant:
    services = tuple(given.pop("waybill_services", SERVICES))
    return Merchant(waybill_services=services, **given)


def _parcel(given: Json, starts: datetime) -> Parcel:
    hour, minute = (int(part) for part in given.pop("at").split(":"))
    at = starts.replace(hour=hour, minute=minute, second=0)
    if at < starts:
        raise ValueError(f"{given['waybill']}: before the day starts")
    return Parcel(
        at_ms=int(at.timestamp()) * 1000,
        buyer=Contact(**given.pop("buyer")),
        orders=tuple(_order(each) for each in given.pop("orders")),
        unmet=tuple(given.pop("unmet", ())),
        **given,
    )


def _of_sets(sets: Sequence[Json], told: Sequence[Parcel]) -> Iterator[Parcel]:
    """Every case of a set for every carrier of it. Merchant, buyer and goods are those of a parcel
    that is told in full, under numbers of their own; the hours of the day take turns."""
    waves = sorted({parcel.at_ms for parcel in told})
    lenders = [p for p in told if p.case == LENT and len(p.orders) == 1]
    pairs = (
        (place + turn, carrier, case)
        for each in sets
        for place, carrier in enumerate(each["carriers"])
        for turn, case in enumerate(each["cases"])
    )
    for number, (hour, carrier, case) in enumerate(pairs, 1):
        lender = lenders[number % len(lenders)]
        order = replace(lender.orders[0], order_no=str(SET_ORDERS + number))
        if "lines" in case:
            order = replace(order, lines=tuple(Line(**line) for line in case["lines"]))
        yield Parcel(
            at_ms=waves[hour % len(waves)],
            merchant=lender.merchant,
            buyer=lender.buyer,
            orders=(order,),
            waybill=carrier["waybill"].format(number),
            unmet=tuple(case.get("unmet", ())),
            **{name: text for name, text in carrier.items() if name != "waybill"},
            **{name: value for name, value in case.items() if name not in ("lines", "unmet")},
        )


def _order(given: Json) -> Order:
    lines = tuple(Line(**line) for line in given.pop("lines"))
    return Order(lines=lines, **given)


def sized(day: Day, orders: int) -> Day:
    """The day with about so many orders: fewer, and still every case; or more, with new numbers.

    The cases take turns, and in each the carriers do, so that a short day has all of them.
    """
    kept: list[Parcel] = []
    count = 0
    for parcel in _endless(_in_turns(day.parcels)):
        if count >= orders:
            break
        kept.append(parcel)
        count += len(parcel.orders)
    return replace(day, parcels=tuple(sorted(kept, key=lambda parcel: parcel.at_ms)))


def _in_turns(parcels: Sequence[Parcel]) -> list[Parcel]:
    cases: dict[str, dict[str, list[Parcel]]] = {}
    for parcel in parcels:
        cases.setdefault(parcel.case, {}).setdefault(parcel.carrier, []).append(parcel)
    queues = [_alternate(list(each.values()), turn) for turn, each in enumerate(cases.values())]
    return _alternate(queues, 0)


def _alternate(queues: Sequence[Sequence[Parcel]], first: int) -> list[Parcel]:
    """One of each queue, and again, beginning with queue `first` (counted around)."""
    start = first % len(queues) if queues else 0
    turned = [*queues[start:], *queues[:start]]
    longest = max((len(queue) for queue in turned), default=0)
    return [queue[n] for n in range(longest) for queue in turned if n < len(queue)]


def _endless(parcels: Sequence[Parcel]) -> Iterator[Parcel]:
    copy = 0
    while parcels:
        for parcel in parcels:
            yield _copied(parcel, copy) if copy else parcel
        copy += 1


def _copied(parcel: Parcel, copy: int) -> Parcel:
    """The same parcel under numbers of its own."""
    (digits,) = NUMBER.findall(parcel.waybill)
    waybill = parcel.waybill.removesuffix(digits) + f"{int(digits) + copy * 100_000:0{len(digits)}}"
    orders = tuple(replace(o, order_no=f"{o.order_no}-{copy}") for o in parcel.orders)
    return replace(parcel, waybill=waybill, orders=orders)


def clock_text(at_ms: int, starts_ms: int) -> str:
    """Business time for people: day of the story and local time in Shanghai."""
    shanghai = at_ms + 8 * 3_600_000
    day = shanghai // DAY_MS - (starts_ms + 8 * 3_600_000) // DAY_MS + 1
    minutes = shanghai // MINUTE_MS % (24 * 60)
    return f"day {day:>2} {minutes // 60:02}:{minutes % 60:02}"
