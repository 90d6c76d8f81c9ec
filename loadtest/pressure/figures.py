"""What is read out of the answers of a run under pressure, and what is asked of it. Pure.

Times of answers are seconds since the first call of the run; how long an answer took counts from
when its call was due, whether or not the generator had time for it then.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OK = "OK"
SHED = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})  # what a call may be refused with
WINDOW_S = 1.0
STAYS = 3  # windows in a row that make it normal again: one alone may be luck


@dataclass(frozen=True, slots=True)
class Answer:
    """The one answer to one call."""

    due_s: float
    took_ms: float
    late_ms: float  # how late it was sent
    code: str
    retry: bool = False  # RetryInfo was there
    reason: str = ""

    @property
    def ended_s(self) -> float:
        return self.due_s + self.took_ms / 1000


@dataclass(frozen=True, slots=True)
class Window:
    """The calls that were due in one second."""

    since_s: float
    calls: int
    refused: int
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure and its bound: the most it may be, or the least."""

    name: str
    value: float
    bound: float
    unit: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def __str__(self) -> str:
        side = "at least" if self.least else "at most"
        return f"{self.name} {self.value:.4g}{self.unit}, {side} {self.bound:.4g}{self.unit}"


def percentile(values: Iterable[float], hundredth: int) -> float:
    """The least of the values that covers so many of a hundred; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * hundredth / 100) - 1)]


def between(answers: Iterable[Answer], since_s: float, until_s: float) -> list[Answer]:
    """Those to calls that were due then."""
    return [each for each in answers if since_s <= each.due_s < until_s]


def windows(answers: Sequence[Answer], since_s: float, until_s: float) -> list[Window]:
    """Each whole second of that time in which calls were due."""
    found: list[list[Answer]] = [[] for _ in range(int((until_s - since_s) / WINDOW_S))]
    for each in between(answers, since_s, until_s):
        place = int((each.due_s - since_s) / WINDOW_S)
        if place < len(found):
            found[place].append(each)
    return [
        Window(
            since_s + place * WINDOW_S,
            len(those),
            sum(each.code != OK for each in those),
            percentile((each.took_ms for each in those), 99),
        )
        for place, those in enumerate(found)
        if those
    ]


def normal_ms(calm: Sequence[Window]) -> float:
    """p99 of an unloaded second: the median of several, since one may be luck."""
    return statistics.median(window.p99_ms for window in calm) if calm else 0.0


def recovery_s(after: Sequence[Window], limit_ms: float) -> float:
    """From the end of the overload until a second is as it was before and STAYS so: nobody refused,
    and p99 within the limit. Infinite where that did not come."""
    good = [not window.refused and window.p99_ms <= limit_ms for window in after]
    for place in range(len(good) - STAYS + 1):
        if all(good[place : place + STAYS]):
            return after[place].since_s - after[0].since_s
    return math.inf


def goodput(answers: Iterable[Answer], since_s: float, until_s: float) -> float:
    """Answers a second that were OK and came in that time."""
    came = sum(each.code == OK and since_s <= each.ended_s < until_s for each in answers)
    return came / (until_s - since_s)


def codes(answers: Iterable[Answer]) -> dict[str, int]:
    """How many of each code and reason, the most frequent first."""
    counted = Counter(f"{each.code} {each.reason}".rstrip() for each in answers)
    return dict(counted.most_common())


def unannounced(answers: Iterable[Answer]) -> int:
    """Refused without a word on when to come again."""
    return sum(each.code in SHED and not each.retry for each in answers)


def unforeseen(answers: Iterable[Answer]) -> int:
    """Neither OK nor refused as the error contract says for load."""
    return sum(each.code != OK and each.code not in SHED for each in answers)


def ratio(before: Iterable[float], during: Iterable[float]) -> float:
    """p99 of the one time over p99 of the other; infinite where there is nothing to compare."""
    first, second = percentile(before, 99), percentile(during, 99)
    return second / first if first and second else math.inf


def in_cores(used: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in used.items()) or "not known here"
