"""What the run shows while it runs: a live table on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts

REFRESHES = 4  # a second
LINE_S = 2.0  # between two plain lines
STATES = ("DECIDING", "ACCEPTED", "RETURNING", "RETURNED", "LOST", "FAILED", "CANCELLED", "LATE")
DECISIONS = (
    "QUEUED",
    "SENDING",
    "PROCESSING",
    "UNKNOWN",
    "ACCEPTED",
    "REFUSED",
    "CANCELLED",
    "NEVER_SENT",
    "LATE_ACCEPTED",
)


@dataclass(frozen=True, slots=True)
class Count:
    """Interceptions by state and by decision, for each carrier."""

    states: Mapping[str, Counter[str]]
    decisions: Mapping[str, Counter[str]]

    @classmethod
    def of(cls, newest: Mapping[str, intercepts.Interception]) -> "Count":
        states: dict[str, Counter[str]] = {}
        decisions: dict[str, Counter[str]] = {}
        for one in list(newest.values()):
            state = intercepts.InterceptionState.Name(one.state)
            decision = intercepts.Decision.Name(one.decision)
            states.setdefault(one.carrier, Counter())[
                state.removeprefix("INTERCEPTION_STATE_")
            ] += 1
            decisions.setdefault(one.carrier, Counter())[decision.removeprefix("DECISION_")] += 1
        return cls(states, decisions)


class Board:
    """`with Board(console, total_ms) as board: board.show(...)`"""

    def __init__(self, console: Console, total_ms: int) -> None:
        self._console = console
        self._plain = not console.is_terminal
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("setting up", total=total_ms)
        self._count = Count({}, {})
        self._line_at = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._plain:
            self._live = Live(
                get_renderable=self._picture,
                console=self._console,
                refresh_per_second=REFRESHES,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._console.print(self._picture())
        elif kind is None:
            self._console.print(self._tables())

    def show(self, what: str, passed_ms: int, count: Count, *, now: bool = False) -> None:
        self._count = count
        self._progress.update(self._task, description=what, completed=passed_ms)
        if not self._plain:
            return
        machine = time.monotonic()
        if now or machine - self._line_at >= LINE_S:
            self._line_at = machine
            self._console.print(f"{what}  {_words(count)}", soft_wrap=True, highlight=False)

    def _picture(self) -> Group:
        return Group(self._progress, self._tables())

    def _tables(self) -> Columns:
        return Columns(
            (
                _table("decision", DECISIONS, self._count.decisions),
                _table("state", STATES, self._count.states),
            )
        )


def _table(title: str, names: tuple[str, ...], counts: Mapping[str, Counter[str]]) -> Table:
    """A row for each name, a column for each carrier."""
    table = Table(pad_edge=False)
    table.add_column(title)
    carriers = sorted(counts)
    for carrier in carriers:
        table.add_column(carrier, justify="right", min_width=4)
    for name in names:
        numbers = (str(counts[carrier][name] or "·") for carrier in carriers)
        table.add_row(name.replace("_", " ").lower(), *numbers)
    return table


def _words(count: Count) -> str:
    """All carriers together: ten of them fill no line."""
    states: Counter[str] = sum(count.states.values(), Counter())
    return " ".join(f"{state.lower()} {states[state]}" for state in STATES if states[state])
