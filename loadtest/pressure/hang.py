"""One carrier takes connections and never answers: what the others' callers notice of it.

Each round is a load run of its own, with its verdict: for its first half all carriers answer, for
the second half the first one hangs. What is compared is how long calls about the others took.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from loadtest import client as wire
from loadtest.place import directory
from loadtest.pressure import figures
from loadtest.pressure.figures import Aim, in_cores
from loadtest.traffic.pages import OTHERS
from loadtest.traffic.plan import Arrival, Options, Plan, PlanError
from loadtest.traffic.road import MACHINE, Sample, per_second
from loadtest.traffic.run import Announce, Place, Result, run
from loadtest.traffic.scenarios import SCENARIOS

SCENARIO = "hang"
METHODS = (wire.QUOTE.path, wire.CREATE.path)
SLOWER = 1.5
LEAST = 100  # calls in each half: of fewer a p99 says little
ROUNDS_MAX = 50
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Half:
    """How long calls about the other carriers took, in ms, by method; and the cores in use."""

    took_ms: Mapping[str, Sequence[float]]
    cores: Mapping[str, float] = field(default_factory=dict)

    def p99_ms(self, method: str) -> float:
        return figures.percentile(self.took_ms[method], 99)


@dataclass(frozen=True, slots=True)
class Round:
    """One run: before the hang, and while it lasted."""

    before: Half
    during: Half
    result: Result

    def ratio(self, method: str) -> float:
        return figures.ratio(self.before.took_ms[method], self.during.took_ms[method])

    def __str__(self) -> str:
        parts = [
            f"{method.split('/')[1]} p99 {self.before.p99_ms(method):.0f} ms, then "
            f"{self.during.p99_ms(method):.0f} ms ({self.ratio(method):.2f} times)"
            for method in METHODS
        ]
        for half, cores in (("before", self.before.cores), ("during", self.during.cores)):
            parts.append(f"cores {half}: {in_cores(cores)}")
        return "; ".join(parts)


@dataclass(slots=True)
class Hang:
    """All rounds, and what is asked of their medians."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def aims(self) -> list[Aim]:
        medians = {m: statistics.median(one.ratio(m) for one in self.rounds) for m in METHODS}
        return [
            Aim(f"p99 of {method}, others' calls, times that before,", medians[method], SLOWER)
            for method in METHODS
        ]

    @property
    def differences(self) -> int:
        return sum(one.result.differences for one in self.rounds)


def options_of(base: Options, rate: float) -> Options:
    """Raises PlanError where nobody would be left to compare, or too few."""
    if len(base.carriers) < 2:
        raise PlanError("one carrier hangs, and another is compared: name two")
    others = rate * base.seconds / 2 * (len(base.carriers) - 1) / len(base.carriers)
    if others < LEAST:
        raise PlanError(f"a half has {others:.0f} calls about others; it takes {LEAST}")
    return replace(base, scenarios=((SCENARIO, rate),), time_outs=0.0, lost_answers=0.0)


def hang(options: Options, rounds: int, keep: Path | None, say: Say) -> Hang:
    """One run after the other, each with a seed of its own."""
    found = Hang()
    for number in range(rounds):
        seeded = replace(options, seed=options.seed + number)
        with directory(keep and keep / f"round-{number + 1}") as here:
            result = run(seeded, Place(here), Announce())
        one = round_of(result)
        found.rounds.append(one)
        say(f"round {number + 1}: {one}; verdict: {result.differences or 'clean'}")
    return found


def round_of(result: Result) -> Round:
    plan = Plan(result.options)
    halves: tuple[dict[str, list[float]], dict[str, list[float]]] = (
        {method: [] for method in METHODS},
        {method: [] for method in METHODS},
    )
    for key, arrival in plan.by_key.items():
        half = half_of(arrival, result.options)
        line = result.told.visits.get(key, {})
        if half is None:
            continue
        for method in METHODS:
            halves[half][method] += line.get("took_ms", {}).get(method, [])
    options = result.options
    ends_s = (options.warm_s, options.warm_s + begins() * options.seconds, options.whole_s)
    before, during = (
        Half(took_ms, cores(result.samples, since_s, until_s))
        for took_ms, (since_s, until_s) in zip(halves, pairwise(ends_s), strict=True)
    )
    return Round(before, during, result)


def cores(samples: Sequence[Sample], since_s: float, until_s: float) -> dict[str, float]:
    """Those that each process used then, and all others of the machine."""
    then = [sample for sample in samples if since_s <= sample.at_s < until_s]
    names = dict.fromkeys(name for sample in then for name in sample.cpu_us)
    used = {name: per_second(then, name, since_s) for name in names}
    whole = used.pop(MACHINE, None)
    others = {} if whole is None else {OTHERS: max(0.0, whole - sum(used.values()))}
    return used | others


def begins() -> float:
    """The part of a round after which the carrier hangs."""
    weather = SCENARIOS[SCENARIO].weather
    assert weather is not None
    return weather.begins


def half_of(arrival: Arrival, options: Options) -> int | None:
    """0 before the hang, 1 while it lasts; None of the warm-up and of the carrier that hangs."""
    assert arrival.parcel is not None
    since_s = arrival.at_s - options.warm_s
    if arrival.parcel.carrier == options.stricken or since_s < 0:
        return None
    return int(since_s >= begins() * options.seconds)
