"""What can become of a parcel in a load run, how often, and what it then costs and brings.

Two tables. A fate is what the carrier does; a trouble is what happens to its answer. Times in the
parameters are short, in ms of business time, so that whole lives pass while the load is on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from loadtest.carriers import AT_DESTINATION, IN_TRANSIT, NOT_PICKED_UP, PICKED_UP
from loadtest.carriers import OUT_FOR_DELIVERY as AT_THE_DOOR
from loadtest.scenario import DAY_MS, MINUTE_MS

SOON: Mapping[str, int] = {
    "turn_ms": 2 * MINUTE_MS,
    "return_ms": 8 * MINUTE_MS,
    "lost_ms": 4 * MINUTE_MS,
    "damaged_ms": 4 * MINUTE_MS,
    "deliver_ms": 5 * MINUTE_MS,
}
CAREFUL = ("sf", "zto")  # whose words reach as far as the demo's rarest cases


class Fee(StrEnum):
    """Where the fee is in the end."""

    KEPT = auto()
    BACK = auto()
    EITHER = auto()  # depends on when things happen, not on the seed alone


class Claim(StrEnum):
    """Whether the carrier owes for the goods."""

    NONE = auto()
    DUE = auto()
    EITHER = auto()  # where the gateway can hear of it in time


@dataclass(frozen=True, slots=True)
class Fate:
    name: str
    weight: int
    outcome: str
    fee: Fee
    statuses: tuple[str, ...]  # where the parcel may be when its order is cancelled
    params: Mapping[str, Any] = field(default_factory=dict)
    claim: Claim = Claim.NONE
    only: tuple[str, ...] = ()  # carriers; empty: all
    troubled: bool = False  # whether its answers may be lost and still end the same

    def open_to(self, carrier: str, fees: Mapping[str, int]) -> bool:
        here = not self.only or carrier in self.only
        return here and all(status in fees for status in self.statuses)


FATES = (
    Fate(
        "returned",
        620,
        "returned",
        Fee.KEPT,
        (IN_TRANSIT, PICKED_UP, AT_DESTINATION),
        SOON,
        troubled=True,
    ),
    Fate(
        "refused",
        100,
        "refused",
        Fee.BACK,
        (AT_DESTINATION, IN_TRANSIT),
        {"code": "too_late"},
        troubled=True,
    ),
    Fate("refused_unlisted", 15, "refused_unlisted", Fee.BACK, (IN_TRANSIT,)),
    Fate(
        "accepted_later",
        70,
        "accepted_by_push",
        Fee.KEPT,
        (PICKED_UP, IN_TRANSIT),
        {**SOON, "after_ms": 2 * MINUTE_MS},
        troubled=True,
    ),
    Fate("lost", 30, "lost", Fee.KEPT, (IN_TRANSIT,), SOON, Claim.DUE, troubled=True),
    Fate(
        "lost_granted_in_part",
        10,
        "lost",
        Fee.KEPT,
        (IN_TRANSIT,),
        {**SOON, "claim": "partial"},
        Claim.DUE,
    ),
    Fate("damaged", 30, "damaged", Fee.KEPT, (IN_TRANSIT,), SOON, Claim.DUE, troubled=True),
    Fate(
        "damaged_granted_in_part",
        10,
        "damaged",
        Fee.KEPT,
        (IN_TRANSIT,),
        {**SOON, "claim": "partial"},
        Claim.DUE,
    ),
    Fate(
        "damaged_on_arrival",
        10,
        "damaged_after_return",
        Fee.KEPT,
        (IN_TRANSIT,),
        SOON,
        Claim.DUE,
        CAREFUL,
    ),
    Fate(
        "delivered_anyway",
        20,
        "delivered_anyway",
        Fee.BACK,
        (AT_THE_DOOR,),
        SOON,
        Claim.EITHER,
    ),
    Fate(
        "turned_then_delivered",
        10,
        "turned_then_delivered",
        Fee.BACK,
        (PICKED_UP,),
        SOON,
        Claim.EITHER,
    ),
    Fate("buyer_refused", 20, "buyer_refused", Fee.BACK, (AT_DESTINATION,)),
    Fate("intercepted_by_other", 15, "intercepted_by_other", Fee.BACK, (IN_TRANSIT,)),
    Fate(
        "lost_then_found",
        5,
        "lost_then_found",
        Fee.KEPT,
        (IN_TRANSIT,),
        {**SOON, "found_ms": 3 * DAY_MS},
        Claim.EITHER,
        CAREFUL,
    ),
    Fate("late_accepted", 5, "late_accept", Fee.BACK, (PICKED_UP,), only=CAREFUL),
    Fate("not_picked_up", 20, "returned", Fee.KEPT, (NOT_PICKED_UP,)),
)
BY_NAME: Mapping[str, Fate] = {fate.name: fate for fate in FATES}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of the answer to the first request to intercept."""

    name: str
    fault: Mapping[str, Any]
    executed: bool  # the carrier did what it was asked, and only its word is missing


HOLD_MS = 2_500  # longer than the gateway waits for a carrier
TIME_OUTS = (
    Trouble("timed_out", {"name": "timeout_after", "params": {"ms": HOLD_MS}}, True),
    Trouble("never_arrived", {"name": "timeout_before", "params": {"ms": HOLD_MS}}, False),
)
LOST_ANSWERS = (Trouble("answer_lost", {"name": "reset_after"}, True),)
