"""What the store asks of a database engine: two implementations, SQLite and PostgreSQL.

StoreError     the database is not one we may use
  Busy         because another gateway has it
Unavailable    it cannot be used now (in writer.py)
Conflict       another writer was in the way: the batch has been rolled back, try it again
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.domain.record import Record
from gateway.failpoints import FailPoints
from gateway.store.audit import Finding, Moment
from gateway.store.batch import Done, Steps


class StoreError(Exception):
    """The store is not one we may use: locked, damaged, or of another version."""


class Busy(StoreError):
    """Another gateway has the store."""


class Conflict(Exception):
    """Another writer was in the way, and nothing was written. `final` is what it comes to where
    that does not end."""

    def __init__(self, final: Exception) -> None:
        super().__init__(type(final).__name__)
        self.final = final


class SafeMode(Record, frozen=True):
    """The store was restored: nothing is sent, spent or promised until somebody has looked."""

    id: str
    reason: str
    since: int  # business time


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they are, and the names of their columns."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


Asked = tuple[str, Mapping[str, Any]]  # a named query and its parameters


@dataclass(frozen=True, slots=True)
class Begin:
    """What a transaction does: the steps, begun once the driver knows the time and whether the
    store is in safe mode, and what is to happen right before the commit.

    `unwell`: the last one could not be written. This one has to show that there is room again,
    though it may have nothing to write itself. `long`: it has many rows to see to."""

    steps: Callable[[bool], Steps]
    before_commit: Callable[[], None]
    unwell: bool = False
    long: bool = False


class Driver(Protocol):
    """One database. Everything but `open`, `transact` and `close` works without a gateway."""

    @property
    def shared(self) -> bool:
        """Whether other writers may be at it at the same time."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether what it keeps has been found to be damaged: nothing is read or written then."""
        ...

    @property
    def replicas(self) -> int:
        """How many gateways have it open now, this one among them."""
        ...

    async def open(self, owner: str, clock: Clock, moved: Callable[[int], None]) -> int:
        """Make ready to write as `owner`. The newest position; `moved` is told of later ones
        that other writers bring. Raises StoreError where the store must not be used."""
        ...

    async def close(self) -> None: ...

    async def transact(self, begin: Begin) -> tuple[Done, int]:
        """One transaction, and the newest position after it. Raises Conflict, Unavailable, or
        what a decision or a constraint raised; nothing is written then."""
        ...

    async def fetch(self, asked: Sequence[Asked]) -> list[Table]:
        """The rows of some named queries, one after the other. Raises Unavailable."""
        ...

    async def audit(self, at: Moment) -> list[Finding]:
        """The rules that do not hold, all seen at one moment. Raises Unavailable."""
        ...

    async def scour(self) -> bool:
        """Leave no copy, as far as that is ours to do, of what was erased. False: try again."""
        ...

    async def migrate(self, points: FailPoints | None = None) -> int:
        """Bring the store to this program's schema. Raises StoreError."""
        ...

    async def switch(self, mode: SafeMode | None) -> None:
        """Begin or end safe mode. Raises Unavailable."""
        ...

    async def others(self) -> int:
        """How many other gateways are at the store; where none can be, 0."""
        ...

    def told(self) -> str | None:
        """What a command that could not open the store has left for the gateway that has it: to
        end safe mode, and why unread interceptions are let go. None where there is nothing."""
        ...

    def tell(self, word: str | None) -> None:
        """Leave such a word, or take it away. Raises Unavailable."""
        ...
