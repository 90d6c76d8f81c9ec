"""Time and chance: business time for what is due, machine time for leases, and ids."""

import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_PROCESS = os.urandom(4).hex()  # drawn at each start: no two processes share their ids
_NUMBERS = itertools.count()
_WHILE_MS = 60_000  # in which whoever looks every second has looked, however slow the store


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def new_id() -> str:
    """26 hex digits: milliseconds, the process, a number; ids of one process sort by time."""
    return f"{wall_ms():012x}{_PROCESS}{next(_NUMBERS) & 0xFFFFFF:06x}"


@dataclass(slots=True)
class Clock:
    """Wall-clock time, or the simulator's where a test setting makes the gateway follow it.

    Machine time begins with the wall's and goes on steadily: a step of the wall's clock ends no
    lease, and stops no carrier's account for as long as it went back. Replicas count by the clock
    of the database they share: each batch anchors theirs to it, and business time with it.
    """

    followed: bool = False
    wall_ms: Callable[[], int] = wall_ms
    steady_ms: Callable[[], int] = steady_ms
    new_id: Callable[[], str] = new_id
    _business_ms: int = field(default=0)
    _began_ms: int = field(init=False)
    _shared: bool = field(default=False)
    _born_ms: int = field(init=False)  # by the steady clock
    _leaps: deque[tuple[int, int]] = field(default_factory=deque)  # when, and from what time

    def __post_init__(self) -> None:
        self._born_ms = self.steady_ms()
        self._began_ms = self.wall_ms() - self._born_ms

    def machine_ms(self) -> int:
        return self._began_ms + self.steady_ms()

    def now(self) -> int:
        if self.followed:
            return self._business_ms
        return self.machine_ms() if self._shared else self.wall_ms()

    def earlier(self) -> int:
        """What business time it was a while ago, by the steady clock; 0 where this process is
        younger. A process is to blame for what is old only if it was old then: business time
        may leap over days, in a restart or as the simulator tells it, and nobody could look."""
        then = self.steady_ms() - _WHILE_MS
        if self._born_ms > then:
            return 0
        if not self.followed:
            return self.now() - _WHILE_MS
        return next((before for at, before in self._leaps if at > then), self._business_ms)

    def anchor(self, shared_ms: int, asked_ms: int) -> None:
        """What the shared clock said after it was asked, at a time of the steady clock. However
        late the answer comes, this clock is never behind: a lapsed lease is seen as lapsed."""
        self._began_ms, self._shared = shared_ms - asked_ms, True

    def follow(self, business_ms: int) -> None:
        """Business time as the simulator tells it; it never runs backwards."""
        if business_ms <= self._business_ms:
            return
        at = self.steady_ms()
        while self._leaps and self._leaps[0][0] <= at - _WHILE_MS:
            self._leaps.popleft()
        self._leaps.append((at, self._business_ms))
        self._business_ms = business_ms
