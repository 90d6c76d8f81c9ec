"""The scenarios: what callers do, how fast, to which carriers, and what the carriers suffer.

A row each. Times are parts of the run: 0 is its beginning after the warm-up, 1 its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BURST_S = 30.0  # longest; half of the run where that is shorter
BURST = 10.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What one carrier suffers for a part of the run: a fault of all its answers."""

    begins: float
    ends: float
    fault: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    title: str
    visit: str = "day"  # what one arrival does, in `visits.VISITS`
    burst: float = 1.0  # arrivals are so much denser in the middle, for BURST_S
    fates: Mapping[str, int] = field(default_factory=dict)  # weights in the place of the usual
    push_copies: int = 0  # every push comes so often
    weather: Weather | None = None  # on the first of the carriers
    sure: bool = True  # the fee of each parcel follows from the seed alone


TABLE = (
    Scenario("day", "a merchant's day: register, quote, create, watch, claim"),
    Scenario("burst", "ten times as many for half a minute, after a sale", burst=BURST),
    Scenario("retries", "every Create is repeated, at once and later, by its id", visit="again"),
    Scenario(
        "slow",
        "one carrier takes a second and a half for every answer",
        weather=Weather(0.25, 0.75, {"name": "slow", "params": {"ms": 1_500}}),
    ),
    Scenario(
        "down",
        "one carrier is down, and comes back",
        weather=Weather(0.25, 0.6, {"name": "reset_before"}),
        sure=False,
    ),
    Scenario(
        "hang",
        "one carrier takes connections and never answers, for the second half",
        weather=Weather(0.5, 1.0, {"name": "timeout_before", "params": {"ms": 120_000}}),
        sure=False,
    ),
    Scenario("pushes", "every push comes twenty times", push_copies=20),
    Scenario(
        "claims",
        "a wave of claims: three in four parcels are lost or damaged",
        fates={"returned": 25, "lost": 30, "lost_granted_in_part": 8, "damaged": 30, "refused": 7},
    ),
    Scenario("readers", "lists, logs, parcels, wallets and Watch, and nothing new", visit="read"),
)
SCENARIOS: Mapping[str, Scenario] = {row.name: row for row in TABLE}
