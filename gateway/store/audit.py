"""The audit: every rule of audit.sql over one reading of the ledger. It lists and changes nothing.

A rule that returns a row has been broken. All rules see the same moment: a driver runs them in one
read transaction. A rule without a text is the driver's: only its own catalogue can say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.domain.fees import DAY_MS, Policy
from gateway.domain.ledger import MOVES
from gateway.domain.parcel import FUTURE_SLACK_MS
from gateway.store.rows import NAME

ROWS_MAX = 20  # of one rule; the count says how many there are
PURGE_GRACE_MS = DAY_MS  # the gateway looks every hour
LEASE_GRACE_MS = 60_000  # a lease this long past its end is held by nobody alive


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: how many rows break it, and the first of them as (id, fault)."""

    rule: str
    title: str
    count: int
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the audit looks. `machine_ms` 0 where no gateway is alive: what it should have done by
    now, with leases and with what is old, is not judged. `earlier` is the business time up to which
    a gateway has had the time to look; None for an onlooker, who knows of none but `now`."""

    now: int
    machine_ms: int = 0
    earlier: int | None = None
    four_eyes_above_minor: int = Policy().four_eyes_above_minor
    retention_ms: int = Policy().retention_ms

    def parameters(self) -> dict[str, int]:
        return {
            "now": self.now,
            "machine_ms": self.machine_ms,
            "earlier": self.now if self.earlier is None else self.earlier,
            "grace_ms": LEASE_GRACE_MS,
            "slack_ms": FUTURE_SLACK_MS,
            "four_eyes_above_minor": self.four_eyes_above_minor,
            "before": self.now - self.retention_ms - PURGE_GRACE_MS,
        }


def first(sql: str) -> str:
    """The rule's own query: how many rows break it, and the first of them."""
    return f"SELECT COUNT(*) OVER (), id, fault FROM ({sql}) AS broken LIMIT {ROWS_MAX:d}"


def finding(rule: Rule, rows: Sequence[Sequence[Any]]) -> Finding:
    """What a broken rule's `first` rows say."""
    found = tuple((str(key), str(fault)) for _, key, fault in rows)
    return Finding(rule.name, rule.title, rows[0][0], found)


def _portable() -> Iterator[Rule]:
    moves = ", ".join(f"('{kind}', '{a}', '{b}')" for kind, (a, b) in MOVES.items())
    text = (Path(__file__).parent / "audit.sql").read_text("utf-8").replace("{moves}", moves)
    name, title, body = "", "", list[str]()
    for line in text.splitlines():
        mark = NAME.match(line)
        if mark:
            name, title, body = mark[1], "", []
        elif name and line.startswith("--"):
            title = title or line.removeprefix("-- ")
        elif name:
            body.append(line)
            if line.endswith(";"):
                yield Rule(name, title, "\n".join(body).rstrip(";"))


GUARDS = Rule(
    "M8", "What is written once cannot be changed: every append-only table has its triggers", ""
)


def _order(rule: Rule) -> tuple[int, int]:
    return "MCIKPRO".index(rule.name[0]), int(rule.name[1:])


RULES: tuple[Rule, ...] = tuple(sorted((*_portable(), GUARDS), key=_order))
