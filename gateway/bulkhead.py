"""Bulkheads: how much of the gateway one carrier account may take, and when it is left alone."""

from dataclasses import dataclass, field
from enum import StrEnum, auto

FAILURES_TO_OPEN = 8  # in a row, without an answer between them
OPEN_MS = 5_000


class Breaker(StrEnum):
    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()  # one call tries


@dataclass(slots=True)
class Bulkhead:
    """Send slots of one carrier account: a bound, a rate, and a breaker. Machine time in ms.

    Bound and rate are the account's own, so replicas share them in equal parts. The breaker is each
    replica's: one whose own way out is broken must not close the carrier to all others.
    """

    concurrency: int
    per_second: int
    replicas: int = 1  # that share the account
    taken: int = 0
    failures: int = 0
    opened_at: int = 0
    state: Breaker = Breaker.CLOSED
    _tokens: float = field(default=-1.0)
    _filled_at: int = field(default=0)

    def take(self, now: int) -> bool:
        """A slot, if there is one now. Never waits."""
        if not self.open(now) or not self.free() or not self._token(now):
            return False
        if self.state is Breaker.OPEN:
            self.state = Breaker.HALF_OPEN
        self.taken += 1
        return True

    def open(self, now: int) -> bool:
        """Whether the breaker would let a call through."""
        if self.state is Breaker.CLOSED:
            return True
        return self.state is Breaker.OPEN and now - self.opened_at >= OPEN_MS

    def free(self) -> int:
        return max(0, self.share - self.taken)

    @property
    def share(self) -> int:
        """Calls at one time that are this replica's part."""
        return max(1, self.concurrency // self.replicas)

    def give(self) -> None:
        """The slot is free again. A probe that was never sent leaves the breaker as it was."""
        self.taken -= 1
        if self.state is Breaker.HALF_OPEN:
            self.state = Breaker.OPEN

    def heard(self, answered: bool, now: int) -> None:
        """An answer of any kind closes the breaker; silence in a row opens it."""
        if answered:
            self.failures, self.state = 0, Breaker.CLOSED
            return
        self.failures += 1
        if self.failures >= FAILURES_TO_OPEN or self.state is Breaker.HALF_OPEN:
            self.state, self.opened_at = Breaker.OPEN, now

    def _token(self, now: int) -> bool:
        rate = self.per_second / self.replicas
        full = max(1.0, rate)
        if self._tokens < 0:
            self._tokens, self._filled_at = full, now
        gained = (now - self._filled_at) * rate / 1000
        self._tokens = min(full, self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
