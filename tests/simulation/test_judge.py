"""What reached the gateway, and in which order, as the judge reads it from the ledger."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.sqlite import migrate
from tests.simulation.judge import REFUSALS

REPLY = "('no', 'one', 'reply', 1, NULL, NULL, 'refused', '{reason}', '', '', 0, 1)"
SEEN = "('yes', 'one', 'tracking', 1, NULL, NULL, 'accepted', 'none', '', '', 0, 1)"
TAKEN = """
INSERT INTO event (id, interception, tenant, seq, col, source, target, cause, evidence, actor, at)
VALUES ('one/1', 'one', 'mall', 1, 'decision', 'UNKNOWN', 'ACCEPTED', '', 'yes', 'system', 1)
"""


@pytest.mark.parametrize(
    ("order", "reason", "counted"),
    [
        ("", "too_late", (0, 0)),
        ("no", "too_late", (1, 0)),
        ("yes", "too_late", (0, 0)),
        ("no yes", "too_late", (1, 0)),
        ("yes no", "too_late", (0, 1)),
        ("yes no", "unlisted", (0, 0)),
    ],
)
def test_a_refusal_counts_by_when_it_came(
    tmp_path: Path, order: str, reason: str, counted: tuple[int, int]
) -> None:
    path = tmp_path / "turnback.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as db:
        for word in order.split():
            row = REPLY.format(reason=reason) if word == "no" else SEEN
            db.execute(f"INSERT INTO evidence VALUES {row}")
        if "yes" in order:
            db.execute(TAKEN)
        asked = {"id": "one", "by_waybill": False}
        assert db.execute(REFUSALS, asked).fetchall() == [counted]


@pytest.mark.parametrize(
    ("first", "by_waybill", "counted"),
    [("lost", False, 1), ("lost", True, 0), ("answered", True, 0), ("not_sent", True, 1)],
)
def test_a_repeat_that_is_refused_says_nothing_of_the_first_request(
    tmp_path: Path, first: str, by_waybill: bool, counted: int
) -> None:
    """To a carrier that knows waybills only; one that never left is no first request."""
    path = tmp_path / "turnback.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as db:
        for number, outcome in enumerate((first, "answered")):
            db.execute(
                "INSERT INTO attempt VALUES (?, 'one', 'post', 1, ?, ?, 9, 9, ?)",
                (f"post-{number}", number, number, outcome),
            )
        row = REPLY.format(reason="too_late").replace("NULL", "'post-1'", 1)
        db.execute(f"INSERT INTO evidence VALUES {row}")
        asked = {"id": "one", "by_waybill": by_waybill}
        assert db.execute(REFUSALS, asked).fetchall() == [(counted, 0)]
