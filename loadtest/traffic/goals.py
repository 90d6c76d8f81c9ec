"""Goals of speed: what a run has to reach beside being right, and what it reached."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
FORM = re.compile(r"(?:([A-Za-z]+/[A-Za-z]+):)?(p50|p99|errors|late|unserved)=([0-9.]+)")
LATE, UNSERVED = "late", "unserved"  # of the run, not of a method
USAGE = "[Service/Method:]p50|p99|errors=NUMBER, late=NUMBER or unserved=NUMBER"
GENERATOR, CALLERS = "generator", "callers"
PARTS = frozenset({"errors", UNSERVED})  # of 1; the others are in ms
DEFAULTS = {"p50": 500.0, "p99": 1_000.0, "errors": 0.001, LATE: 250.0, UNSERVED: 0.001}


class GoalError(ValueError):
    """What was given is no goal."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method as Locust counted it; times in ms, as fine as Locust keeps them."""

    name: str
    calls: int
    failures: int
    times: Mapping[int, int] = field(repr=False)  # ms -> answers that took so long

    @classmethod
    def of(cls, row: Json) -> "Row":
        times = {int(float(ms)): int(count) for ms, count in row["response_times"].items()}
        return cls(row["name"], row["num_requests"], row["num_failures"], times)

    def percentile(self, hundredth: int) -> int:
        rank = math.ceil(sum(self.times.values()) * hundredth / 100)
        for ms, count in sorted(self.times.items()):
            rank -= count
            if rank <= 0:
                return ms
        return 0

    @property
    def errors(self) -> float:
        return self.failures / self.calls if self.calls else 0.0

    def value(self, what: str) -> float:
        return self.errors if what == "errors" else float(self.percentile(int(what[1:])))


@dataclass(frozen=True, slots=True)
class Goal:
    """At most so many ms, or so large a part of the calls; of one method, or of each."""

    what: str
    most: float
    method: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    goal: Goal
    name: str
    value: float

    @property
    def met(self) -> bool:
        return self.value <= self.goal.most

    def __str__(self) -> str:
        unit = "" if self.goal.what in PARTS else " ms"
        return f"{self.name} {self.goal.what} {self.value:g}{unit}, at most {self.goal.most:g}"


def parsed(texts: Sequence[str]) -> list[Goal]:
    """The defaults, and over them what is given: `p99=900`, `InterceptService/Create:p50=300`.

    Raises GoalError.
    """
    goals = {("", what): most for what, most in DEFAULTS.items()}
    for text in texts:
        found = FORM.fullmatch(text)
        if found is None:
            raise GoalError(f"{text} is no goal: {USAGE}")
        method, what, number = found.groups()
        if method and what in (LATE, UNSERVED):
            raise GoalError(f"{text}: {what} is of the whole run")
        try:
            goals[method or "", what] = float(number)
        except ValueError:
            raise GoalError(f"{text}: {number} is no number") from None
    return [Goal(what, most, method) for (method, what), most in goals.items()]


def reached(
    goals: Sequence[Goal], rows: Sequence[Row], late_p99_ms: float, unserved: float
) -> list[Reached]:
    """Every goal with every method it is about. A method's own goal stands in for that of all.

    `late_p99_ms`: how long callers waited for the generator; `unserved`: the part of them that
    left without an answer to what they came for.
    """
    whole = {
        LATE: (GENERATOR, round(late_p99_ms, 1)),
        UNSERVED: (CALLERS, round(unserved, 4)),
    }
    own = {(goal.method, goal.what) for goal in goals if goal.method}
    found = []
    for goal in goals:
        if goal.what in whole:
            found.append(Reached(goal, *whole[goal.what]))
            continue
        for row in rows:
            general = not goal.method and (row.name, goal.what) not in own
            if row.calls and (general or goal.method == row.name):
                found.append(Reached(goal, row.name, row.value(goal.what)))
    return found
