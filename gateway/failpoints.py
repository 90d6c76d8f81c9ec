"""Named points at which a test may have the process killed, as if the power had gone, or stopped,
as if its machine stood still.

A test setting only: without one, `hit` compares a name with nothing and returns.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Every point there is; `before_commit:` and `after_commit:` exist for each command.
CALL_POINTS = ("before_socket", "after_reply", "before_push_acknowledged")
STEP = "migration_step"  # before each statement of a migration, its commit, and after that

SIGNALS = {"": signal.SIGKILL, "stop": signal.SIGSTOP}


def commit_points(commands: Iterable[type]) -> Iterator[str]:
    """Around the commit of each command."""
    for command in commands:
        yield f"before_commit:{command.__name__}"
        yield f"after_commit:{command.__name__}"


@dataclass(slots=True)
class FailPoints:
    """`name` with the ordinal of the hit at which the process dies, e.g. "before_socket#3", or
    stands still until it is woken: "before_socket#3!stop"."""

    name: str = ""
    ordinal: int = 1
    number: signal.Signals = signal.SIGKILL
    _hits: int = field(default=0)

    @classmethod
    def parse(cls, text: str) -> "FailPoints":
        where, _, how = text.partition("!")
        name, _, ordinal = where.partition("#")
        return cls(name, int(ordinal or 1), SIGNALS[how])

    def hit(self, name: str) -> None:
        if name != self.name:
            return
        self._hits += 1
        if self._hits == self.ordinal:
            os.kill(os.getpid(), self.number)
