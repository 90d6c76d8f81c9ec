"""A load run before it happens: every arrival and every parcel, out of options and a seed alone.

Arrivals do not wait for answers: their times are drawn beforehand, as independent callers would
come (a Poisson process of the given rate, by its count). Whoever makes the plan again from the
same options has the same plan, so that the processes of a run share nothing else.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from pydantic import TypeAdapter

from loadtest import scenario
from loadtest.carriers import CARRIERS
from loadtest.scenario import Day, Merchant, Parcel
from loadtest.traffic.fates import BY_NAME, FATES, LOST_ANSWERS, TIME_OUTS, Fate, Trouble
from loadtest.traffic.scenarios import BURST_S, SCENARIOS, Scenario

RATE_MAX = 5_000.0
SECONDS_MAX = 4 * 3_600
ARRIVALS_MAX = 500_000
TOP_UP_MINOR = 2_000_000_000
ORDERS_FROM = 360_618_000_000
ANYWHERE = frozenset({"returned", "lost"})  # what an aggregator's rarer networks play, too
NETWORKS = {"jdl": "jd", "ldop": "jd"}  # of the others the company has the carrier's name
AGGREGATORS = ("kuaidi100",)
CARRYING = ("yto", "sto", "jt", "jdl", "ldop", "yunda")  # for them
DIGITS = re.compile(r"[0-9]+$")


class PlanError(ValueError):
    """Options that make no run, in words."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of. Rates are arrivals a second, shares are parts of 1."""

    seed: int = 7
    scenarios: tuple[tuple[str, float], ...] = (("day", 50.0),)
    seconds: float = 60.0
    warm_s: float = 5.0
    carriers: tuple[str, ...] = tuple(CARRIERS)
    merchants: int = 8
    time_outs: float = 0.02
    lost_answers: float = 0.02
    latency_ms: tuple[int, int] | None = (120, 700)  # median and p99 of the carriers' answers
    pace: float = 5.0  # business seconds a second while the load is on
    workers: int = 1
    fates: tuple[tuple[str, int], ...] = ()  # weights in the place of the usual

    def __post_init__(self) -> None:
        problem = next(self._problems(), "")
        if problem:
            raise PlanError(problem)

    def _problems(self) -> Iterator[str]:
        for what, known, given in (
            ("scenario", SCENARIOS, [name for name, _ in self.scenarios]),
            ("carrier", CARRIERS, self.carriers),
            ("fate", BY_NAME, [name for name, _ in self.fates]),
        ):
            for name in given:
                if name not in known:
                    yield f"there is no {what} {name}; there are {', '.join(known)}"
            if len(set(given)) < len(given):
                yield f"a {what} is named twice"
        if not self.scenarios or not self.carriers:
            yield "a run needs a scenario and a carrier"
        if set(self.carriers) & set(AGGREGATORS) and not set(self.carriers) & set(CARRYING):
            yield f"an aggregator carries nothing itself: name one of {', '.join(CARRYING)} too"
        if any(not 0 < rate <= RATE_MAX for _, rate in self.scenarios):
            yield f"a rate is above 0 and at most {RATE_MAX:g} a second"
        if not 1 <= self.seconds <= SECONDS_MAX or not 0 <= self.warm_s <= SECONDS_MAX:
            yield f"a run takes 1 to {SECONDS_MAX} seconds, and its warm-up as many or none"
        if min(self.time_outs, self.lost_answers) < 0 or self.time_outs + self.lost_answers > 1:
            yield "time-outs and lost answers are parts of 1, together too"
        if not 1 <= self.merchants <= 1_000 or not 1 <= self.workers <= 64:
            yield "merchants are 1 to 1000, workers 1 to 64"
        if not 0 < self.pace <= 1_000:
            yield "the pace is above 0 and at most 1000"
        if self.fates and not any(weight > 0 for _, weight in self.fates):
            yield "fates need one with a weight"
        if sum(rate for _, rate in self.scenarios) * (self.seconds + self.warm_s) > ARRIVALS_MAX:
            yield f"no more than {ARRIVALS_MAX} arrivals"

    @property
    def whole_s(self) -> float:
        return self.warm_s + self.seconds

    @property
    def stricken(self) -> str:
        """The carrier that the scenarios' weather strikes."""
        return self.carriers[0]

    @property
    def weather(self) -> tuple[Scenario, ...]:
        rows = (SCENARIOS[name] for name, _ in self.scenarios)
        return tuple(row for row in rows if row.weather is not None)


_OPTIONS = TypeAdapter(Options)


def dumped(options: Options) -> str:
    return _OPTIONS.dump_json(options).decode()


def loaded(text: str) -> Options:
    """Raises PlanError."""
    try:
        return _OPTIONS.validate_json(text)
    except ValueError as error:
        raise PlanError(f"no plan: {error}") from None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One caller who comes at a time: `at_s` counts from the first second of the warm-up."""

    at_s: float
    number: int
    scenario: Scenario
    fate: Fate | None = None  # readers have no parcel
    trouble: Trouble | None = None
    parcel: Parcel | None = None

    @property
    def visit(self) -> str:
        return self.scenario.visit


class Plan:
    """All arrivals of a run, in order of time."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._told = scenario.load()
        self._lent = [p for p in self._told.parcels if p.case == scenario.LENT and not p.also]
        self._lent = [p for p in self._lent if len(p.orders) == 1]
        self._networks = {NETWORKS.get(name, name) for name in options.carriers}

    @cached_property
    def arrivals(self) -> Sequence[Arrival]:
        number = count()
        found = []
        for name, rate in self.options.scenarios:
            chance = random.Random(f"{self.options.seed} {name}")
            row = SCENARIOS[name]
            found += [
                self._arrival(at_s, next(number), row, chance)
                for at_s in times(row, rate, self.options, chance)
            ]
        return sorted(found, key=lambda arrival: arrival.at_s)

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], Arrival]:
        return {one.parcel.key: one for one in self.arrivals if one.parcel is not None}

    @cached_property
    def day(self) -> Day:
        """The same as the demo has it: merchants, and parcels with what becomes of them."""
        services = tuple(name for name in self.options.carriers if name not in AGGREGATORS)
        merchants = tuple(
            Merchant(f"load-{number:03}", f"压测店铺 {number:03}", waybill_services=services)
            for number in range(self.options.merchants)
        )
        parcels = tuple(one.parcel for one in self.arrivals if one.parcel is not None)
        return replace(self._told, top_up=TOP_UP_MINOR, merchants=merchants, parcels=parcels)

    def share(self, worker: int) -> list[Arrival]:
        """What one worker (from 0) sees to."""
        return [one for one in self.arrivals if one.number % self.options.workers == worker]

    # -- chance ---------------------------------------------------------------------------

    def _arrival(self, at_s: float, number: int, row: Scenario, chance: random.Random) -> Arrival:
        if row.visit == "read":
            return Arrival(at_s, number, row)
        options = self.options
        carrier = chance.choice(options.carriers)
        trouble = self._trouble(number, chance)
        fate = self._fate(row, carrier, chance, troubled=trouble is not None)
        parcel = self._parcel(number, row, carrier, fate, trouble, chance)
        return Arrival(at_s, number, row, fate, trouble, parcel)

    def _trouble(self, number: int, chance: random.Random) -> Trouble | None:
        point = chance.random()
        if point < self.options.time_outs:
            return TIME_OUTS[number % len(TIME_OUTS)]
        if point < self.options.time_outs + self.options.lost_answers:
            return LOST_ANSWERS[number % len(LOST_ANSWERS)]
        return None

    def _fate(self, row: Scenario, carrier: str, chance: random.Random, *, troubled: bool) -> Fate:
        given = dict(self.options.fates) or dict(row.fates)
        weights = given or {fate.name: fate.weight for fate in FATES}
        fees = CARRIERS[carrier].fees
        fits = [
            fate
            for fate in FATES
            if weights.get(fate.name) and fate.open_to(carrier, fees)
            if fate.troubled or not troubled
        ]
        if not fits:
            fits = [BY_NAME["returned"]]
        return chance.choices(fits, [weights.get(fate.name, 1) for fate in fits])[0]

    def _parcel(
        self,
        number: int,
        row: Scenario,
        carrier: str,
        fate: Fate,
        trouble: Trouble | None,
        chance: random.Random,
    ) -> Parcel:
        like = chance.choice(self._numbering(carrier, fate))
        goods = chance.choice(self._lent)
        faults = [dict(trouble.fault)] if trouble else []
        if row.push_copies:
            copies = {"copies": row.push_copies}
            faults.append({"name": "push_duplicate", "times": 0, "params": copies})
        script = {"outcome": fate.outcome, "params": dict(fate.params), "faults": faults}
        return Parcel(
            case=fate.name,
            at_ms=0,
            merchant=f"load-{chance.randrange(self.options.merchants):03}",
            carrier=carrier,
            waybill=_numbered(like.waybill, number),
            status=chance.choice(fate.statuses),
            buyer=goods.buyer,
            orders=(replace(goods.orders[0], order_no=str(ORDERS_FROM + number)),),
            script=script,
            code=like.code,
            network=like.network,
        )

    def _numbering(self, carrier: str, fate: Fate) -> Sequence[Parcel]:
        """One parcel for each way in which this carrier's parcels are numbered."""
        found: dict[str, Parcel] = {}
        for parcel in self._lent:
            if parcel.carrier == carrier:
                found.setdefault(parcel.code, parcel)
        ways = list(found.values())
        if carrier in AGGREGATORS:  # merchants have a service of those who carry
            ways = [way for way in ways if way.network in self._networks]
        return ways if fate.name in ANYWHERE else ways[:1]


def _numbered(waybill: str, number: int) -> str:
    (digits,) = DIGITS.findall(waybill)
    return waybill.removesuffix(digits) + f"{int(digits) + number:0{len(digits)}}"


def times(row: Scenario, rate: float, options: Options, chance: random.Random) -> list[float]:
    """When callers come, in seconds from the first of the warm-up."""
    burst_s = min(BURST_S, options.seconds / 2) if row.burst > 1 else 0.0
    calm_s = options.seconds - burst_s
    begins, ends = options.warm_s + calm_s / 2, options.warm_s + calm_s / 2 + burst_s
    stretches = (
        (0.0, options.warm_s, 1.0),
        (options.warm_s, begins, 1.0),
        (begins, ends, row.burst),
        (ends, options.whole_s, 1.0),
    )
    return [
        chance.uniform(since_s, until_s)
        for since_s, until_s, times_denser in stretches
        for _ in range(round(rate * times_denser * (until_s - since_s)))
    ]
