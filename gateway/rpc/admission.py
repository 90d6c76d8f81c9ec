"""Who is turned away while the process runs late: who would begin something, the earliest first.

Work that is begun is dearer than work that is not: a parcel that is registered wants a quote, a
quote an interception, an interception weeks of readings. So the share that is turned away grows
from the first stage on, with how late calls are and for how long they have been. Whoever reads,
withdraws, watches or pushes is never turned away here.

How late they are is seen in two places: by calls of our own, and at the store, where a command
waits for its commit. Calls of a method wait in the library until they are taken, one after the
other, and neither the loop nor we can see how many; each method has a queue of its own, so ours
have to be calls of the methods that a flood begins with.
"""

import asyncio
import sys
import tempfile
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

BEAT_S = 0.05  # how often lateness is looked at while a call of our own is under way
PAUSE_S = 0.1  # between them: each costs what a caller's does
RISE = 1.0  # of the pressure in a second, per time that lateness is above what is allowed
AT_ONCE = 1.0  # of the pressure, the same: a flood that is only added up is answered in waves
ERROR_MAX = 3.0  # however late: the valve is not to close at one stroke for long
BEATS = 5  # the least lateness of so many counts: a halt passes, a flood stays
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
PROBED = ("ParcelService/Register", "InterceptService/Quote", "InterceptService/Create")
FULL = max(STAGES.values()) + 0.95  # a few are let in all the same: they show when it is over


@dataclass(slots=True)
class Valve:
    """How much of each stage is let in. Pure: lateness, time and chance are arguments."""

    late_s: float  # that is allowed
    pressure: float = 0.0  # 1: all of the first stage is turned away, 2: and of the second, ...
    risen: float = 0.0  # what has added up
    beats: deque[float] = field(default_factory=lambda: deque([0.0], BEATS))

    def beat(self, late_s: float, passed_s: float) -> None:
        """Calls are so late, and so much time has passed since the last beat."""
        self.beats.append(late_s)
        error = min(min(self.beats) / self.late_s - 1.0, ERROR_MAX)
        self.risen = min(FULL, max(0.0, self.risen + RISE * error * passed_s))
        self.pressure = min(FULL, max(0.0, self.risen + AT_ONCE * error))

    def turns_away(self, stage: int | None, chance: float) -> bool:
        """`chance` is uniform from 0 to 1."""
        return stage is not None and chance < self.pressure - stage


def own_address() -> str:
    """Where only this machine can call, and no port is taken."""
    if sys.platform == "linux":
        return f"unix-abstract:turnback-{uuid.uuid4().hex}"
    return f"unix:{tempfile.mkdtemp(prefix='turnback-')}/own"


async def listen(
    valve: Valve,
    call: Callable[[], Awaitable[object]],
    store_late_s: Callable[[], float],
    said: Callable[[], None],
) -> None:
    """Calls ourselves for ever, and tells the valve how long a round of calls takes, or the one
    before it took, or how late the store is: what is most. `said` is called every SAY_S."""
    time = asyncio.get_running_loop().time
    beat = say = time()
    before = 0.0
    while True:
        began, asked = time(), asyncio.ensure_future(call())
        try:
            answered = False
            while not answered:
                await asyncio.wait({asked}, timeout=BEAT_S)
                answered = asked.done()
                now = time()
                valve.beat(max(now - began, before, store_late_s()), now - beat)
                beat = now
                if now >= say:
                    say = now + SAY_S
                    said()
            asked.exception()
            before = now - began
        finally:
            asked.cancel()
        await asyncio.sleep(PAUSE_S)
