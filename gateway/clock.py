"""The two clocks: business time for what is due, machine time for leases and time-outs."""

import itertools
import os
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """Wall-clock time, or the simulator's where a test setting makes the gateway follow it.

    Replicas count by the clock of the database they share: each batch anchors theirs to it, and
    between two of them only this machine's steady clock is used.
    """

    followed: bool = False
    _business_ms: int = field(default=0)
    _anchor_ns: int | None = field(default=None)  # shared time less steady time

    def machine_ms(self) -> int:
        if self._anchor_ns is not None:
            return (time.monotonic_ns() + self._anchor_ns) // 1_000_000
        return time.time_ns() // 1_000_000

    def anchor(self, shared_ms: int, asked_ns: int) -> None:
        """What the shared clock said after it was asked, at a time of the steady clock. However
        late the answer comes, this clock is never behind: a lapsed lease is seen as lapsed."""
        self._anchor_ns = shared_ms * 1_000_000 - asked_ns

    def now(self) -> int:
        return self._business_ms if self.followed else self.machine_ms()

    def follow(self, business_ms: int) -> None:
        """Business time as the simulator tells it; it never runs backwards."""
        self._business_ms = max(self._business_ms, business_ms)


_PROCESS = os.urandom(4).hex()  # drawn at each start: no two processes share their ids
_NUMBERS = itertools.count()


def new_id() -> str:
    """26 hex digits: milliseconds, the process, a number; ids of one process sort by time."""
    return f"{time.time_ns() // 1_000_000:012x}{_PROCESS}{next(_NUMBERS) & 0xFFFFFF:06x}"
