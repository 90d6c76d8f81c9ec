"""The audit: every rule of audit.sql over one reading of the ledger. It lists and changes nothing.

A rule that returns a row has been broken. All rules see the same moment: run them in one read
transaction, `await store.read(partial(audit, at=moment))`, or on a file with `audit_file`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.fees import DAY_MS, Policy
from gateway.domain.ledger import MOVES
from gateway.domain.parcel import FUTURE_SLACK_MS
from gateway.store.rows import APPEND_ONLY, NAME

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
    now, with leases and with what is old, is not judged."""

    now: int
    machine_ms: int = 0
    four_eyes_above_minor: int = Policy().four_eyes_above_minor
    retention_ms: int = Policy().retention_ms

    def parameters(self) -> dict[str, int]:
        return {
            "now": self.now,
            "machine_ms": self.machine_ms,
            "grace_ms": LEASE_GRACE_MS,
            "slack_ms": FUTURE_SLACK_MS,
            "four_eyes_above_minor": self.four_eyes_above_minor,
            "before": self.now - self.retention_ms - PURGE_GRACE_MS,
        }


def audit(db: sqlite3.Connection, at: Moment) -> list[Finding]:
    """The rules that do not hold. The caller has begun a read transaction."""
    parameters = at.parameters()
    findings = []
    for rule in RULES:
        rows = db.execute(_first(rule.sql), parameters).fetchall()
        if rows:
            found = tuple((str(key), str(fault)) for _, key, fault in rows)
            findings.append(Finding(rule.name, rule.title, rows[0][0], found))
    return findings


def audit_file(path: Path, at: Moment) -> list[Finding]:
    """The same on a file that no gateway need have open. Raises sqlite3.Error if it cannot."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        db.isolation_level = None
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("BEGIN")
        return audit(db, at)


def _first(sql: str) -> str:
    return f"SELECT COUNT(*) OVER (), id, fault FROM ({sql}) AS broken LIMIT {ROWS_MAX:d}"


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


def _append_only() -> Rule:
    """Driver's part: which triggers there are, only SQLite's own catalogue can say."""
    wanted = " UNION ALL ".join(
        f"SELECT '{table}' AS tbl, '{verb}' AS verb"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    )
    return Rule(
        "M8",
        "What is written once cannot be changed: every append-only table has its triggers",
        f"SELECT tbl AS id, 'rows can be changed by ' || verb AS fault FROM ({wanted}) AS wanted "
        "WHERE NOT EXISTS (SELECT 1 FROM sqlite_master m WHERE m.type = 'trigger' "
        "AND m.tbl_name = tbl AND m.sql LIKE '%BEFORE ' || verb || ' ON%RAISE(ABORT%')",
    )


def _order(rule: Rule) -> tuple[int, int]:
    return "MCIKPO".index(rule.name[0]), int(rule.name[1:])


RULES: tuple[Rule, ...] = tuple(sorted((*_portable(), _append_only()), key=_order))
