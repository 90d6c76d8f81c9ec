"""Who is turned away while the process runs late: who would begin something, the earliest first.

Work that is begun is dearer than work that is not: a parcel that is registered wants a quote, a
quote an interception, an interception weeks of readings. So the share that is turned away grows
from the first stage on, with how late the event loop is and for how long it has been. Whoever
reads, withdraws, watches or pushes is never turned away here.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BEAT_S = 0.025  # how often lateness is measured
RISE = 1.0  # of the pressure in a second, per time that lateness is above what is allowed
ERROR_MAX = 3.0  # one long halt is not taken for a flood
SAY_S = 1.0
STAGES: Mapping[str, int] = {
    "ParcelService/Register": 0,
    "ParcelService/BatchRegister": 0,
    "InterceptService/Quote": 1,
    "InterceptService/BatchQuote": 1,
    "InterceptService/Create": 2,
    "InterceptService/BatchCreate": 2,
    "ClaimService/File": 2,
}
FULL = max(STAGES.values()) + 0.95  # a few are let in all the same: they show when it is over


@dataclass(slots=True)
class Valve:
    """How much of each stage is let in. Pure: lateness, time and chance are arguments."""

    late_s: float  # that is allowed
    pressure: float = 0.0  # 1: all of the first stage is turned away, 2: and of the second, ...

    def beat(self, late_s: float) -> None:
        """The loop came so much later to a beat than it should have."""
        error = min(late_s / self.late_s - 1.0, ERROR_MAX)
        change = RISE * error * (BEAT_S + late_s)
        self.pressure = min(FULL, max(0.0, self.pressure + change))

    def turns_away(self, stage: int | None, chance: float) -> bool:
        """`chance` is uniform from 0 to 1."""
        return stage is not None and chance < self.pressure - stage


async def listen(valve: Valve, said: Callable[[], None]) -> None:
    """Measures how late this loop is, for ever; `said` is called every SAY_S."""
    time = asyncio.get_running_loop().time
    say = time() + SAY_S
    while True:
        due = time() + BEAT_S
        await asyncio.sleep(BEAT_S)
        now = time()
        valve.beat(now - due)
        if now >= say:
            say = now + SAY_S
            said()
