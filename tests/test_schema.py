"""What the schema refuses by itself, whatever the code believes; and that it is the domain's own.

Every statement here is tried on a whole correct ledger and must not get through.
"""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.domain.interception import edges
from gateway.store.rows import APPEND_ONLY, TABLES, queries
from gateway.store.sqlite import StoreError, connect, migrate, version
from tests.ledgers import month, opened

FIELDS = {table: [field.name for field in fields(kind)] for kind, table, _ in TABLES}
NUMBERED = {"position"}  # columns that the database numbers by itself


class Refused(NamedTuple):
    """A statement that must fail, and the words of the failure. Braces name interceptions."""

    what: str
    statement: str
    why: str


def copied(table: str, where: str = "1 = 1", **changes: str) -> str:
    """A row of the table once more under another id, changed in the columns named."""
    changes = {"id": "id || 'x'"} | changes
    values = ", ".join(changes.get(name, name) for name in FIELDS[table])
    into = ", ".join(FIELDS[table])
    return f"INSERT INTO {table} ({into}) SELECT {values} FROM {table} WHERE {where} LIMIT 1"


def transfer(kind: str, name: str, of: str = "hold", **changes: str) -> str:
    """A further transfer of an interception under a key of its own, shaped like its `of`."""
    changes = {"kind": f"'{kind}'", "dedup": "dedup || 'x'"} | changes
    return copied("transfer", f"interception = '{{{name}}}' AND kind = '{of}'", **changes)


def event(column: str, source: str, target: str, name: str, evidence: str = "NULL") -> str:
    return (
        "INSERT INTO event (id, interception, tenant, seq, col, source, target, cause, evidence, "
        f"actor, at) VALUES ('e', '{{{name}}}', 't', 99, '{column}', '{source}', '{target}', '', "
        f"{evidence}, 'x', 1)"
    )


def change(table: str, values: str, where: str = "1 = 1") -> str:
    return f"UPDATE {table} SET {values} WHERE {where}"


def changed(values: str, name: str) -> str:
    return change("interception", values, f"id = '{{{name}}}'")


UNIQUE, CHECK, FOREIGN = "UNIQUE constraint", "CHECK constraint", "FOREIGN KEY constraint"
TYPE, NULL = "cannot store", "NOT NULL constraint"
R = Refused
REFUSED = (
    # money
    R("a second hold", transfer("hold", "processing"), UNIQUE),
    R("a second settlement", transfer("capture", "returned", of="capture"), UNIQUE),
    R("a capture after the release", transfer("capture", "refused"), UNIQUE),
    R("a release after the capture", transfer("release", "returned"), UNIQUE),
    R("a second refund", transfer("refund", "cancelled", of="refund"), UNIQUE),
    R("a transfer under a used key", transfer("hold", "returned", dedup="dedup"), UNIQUE),
    R("a transfer of nothing", transfer("top_up", "returned", amount="0"), CHECK),
    R("a transfer of less than nothing", transfer("top_up", "returned", amount="-1"), CHECK),
    R("a transfer of half a fen", transfer("top_up", "returned", amount="0.5"), TYPE),
    R("a transfer of text", transfer("top_up", "returned", amount="'8 yuan'"), TYPE),
    R("a transfer to itself", transfer("top_up", "returned", target="source"), CHECK),
    R("a transfer of an unknown kind", transfer("gift", "returned"), CHECK),
    R("a transfer without an actor", transfer("top_up", "returned", actor="''"), CHECK),
    R("a transfer without a cause", transfer("top_up", "returned", cause="''"), CHECK),
    R("a hold of no interception", transfer("hold", "returned", interception="NULL"), CHECK),
    R("a pay-out without an award", transfer("payout", "returned"), CHECK),
    R("a transfer from an account nobody has",
      transfer("top_up", "returned", source="'nobody'"), FOREIGN),
    R("a wallet below zero", change("account", "balance = -1", "kind = 'AVAILABLE'"), CHECK),
    R("a held account below zero", change("account", "balance = -1", "kind = 'HELD'"), CHECK),
    R("a wallet of half a fen", change("account", "balance = 0.5", "kind = 'HELD'"), TYPE),
    R("a wallet without a balance",
      change("account", "balance = NULL", "kind = 'AVAILABLE'"), CHECK),
    R("a cached balance of a carrier",
      change("account", "balance = 0", "kind = 'FEES_PAYABLE'"), CHECK),
    # interceptions
    R("no fee, and money on hold", changed("fee_minor = 0", "processing"), CHECK),
    R("a fee, and no money", changed("money = 'NONE'", "processing"), CHECK),
    R("a fee below zero", changed("fee_minor = -1", "processing"), CHECK),
    R("undecided and captured", changed("money = 'CAPTURED'", "processing"), CHECK),
    R("accepted and on hold", changed("money = 'HELD'", "accepted"), CHECK),
    R("accepted and released", changed("money = 'RELEASED'", "accepted"), CHECK),
    R("refused and captured", changed("money = 'CAPTURED'", "refused"), CHECK),
    R("never sent and captured", changed("money = 'CAPTURED'", "busy"), CHECK),
    R("late and charged", changed("money = 'CAPTURED'", "late"), CHECK),
    R("undecided since a time", changed("decided_at = 1", "unknown"), CHECK),
    R("decided at no time", changed("decided_at = 0", "refused"), CHECK),
    R("refused and on its way back", changed("movement = 'RETURNING'", "refused"), CHECK),
    R("failed for no cause", changed("failure = ''", "failed"), CHECK),
    R("a cause of no failure", changed("failure = 'CARRIER'", "returned"), CHECK),
    R("a decision of no table", changed("decision = 'PERHAPS'", "processing"), CHECK),
    R("a movement of no table", changed("movement = 'FLYING'", "accepted"), CHECK),
    R("two open interceptions of a parcel", changed(
      "parcel = (SELECT parcel FROM interception WHERE id = '{accepted}')", "sending"), UNIQUE),
    R("a quote used twice", changed(
      "quote = (SELECT quote FROM interception WHERE id = '{accepted}')", "sending"), UNIQUE),
    R("a quote used by one that another used", change(
      "quote", "used_by = '{accepted}'", "used_by = '{sending}'"), UNIQUE),
    R("a quote that ends before it begins", change("quote", "expires_at = created_at"), CHECK),
    R("an interception of no parcel", changed("parcel = 'none'", "sending"), FOREIGN),
    # events
    R("a step that is no edge", event("decision", "REFUSED", "ACCEPTED", "refused"), FOREIGN),
    R("a step out of a terminal movement",
      event("movement", "RETURNED", "LOST", "returned"), FOREIGN),
    R("a capture after the release, as an event",
      event("money", "RELEASED", "CAPTURED", "refused"), FOREIGN),
    R("PROCESSING left without evidence",
      event("decision", "PROCESSING", "ACCEPTED", "processing"), CHECK),
    R("UNKNOWN left without evidence",
      event("decision", "UNKNOWN", "REFUSED", "unknown"), CHECK),
    R("UNKNOWN left on evidence nobody has",
      event("decision", "UNKNOWN", "REFUSED", "unknown", "'hearsay'"), FOREIGN),
    R("a second first event", event("decision", "", "QUEUED", "queued").replace("99", "1"),
      UNIQUE),
    R("event zero", event("decision", "", "QUEUED", "queued").replace("99", "0"), CHECK),
    R("an event of nothing", event("decision", "", "QUEUED", "queued").replace("{queued}", "none"),
      FOREIGN),
    # attempts, evidence, jobs
    R("two attempts under way", copied("attempt", "ended_at IS NULL", gen="gen + 1"), UNIQUE),
    R("an attempt that ended in no way",
      change("attempt", "outcome = NULL", "ended_at IS NOT NULL"), CHECK),
    R("an attempt under way that has an outcome",
      change("attempt", "outcome = 'answered'", "ended_at IS NULL"), CHECK),
    R("an attempt of no lease", change("attempt", "gen = 0"), CHECK),
    R("two replies of one attempt", copied("evidence", "attempt IS NOT NULL"), UNIQUE),
    R("evidence of a fourth tier", copied("evidence", tier="4", attempt="NULL"), CHECK),
    R("evidence of a push nobody got",
      copied("evidence", inbox="'none'", attempt="NULL"), FOREIGN),
    R("two jobs of a kind for one subject", copied("job"), UNIQUE),
    R("a lease that nobody holds", change("job", "owner = ''", "state = 'leased'"), CHECK),
    R("a holder of no lease", change("job", "owner = 'x'", "state = 'wait'"), CHECK),
    R("a job of no kind", change("job", "kind = 'hope'"), CHECK),
    # pushes
    R("the same push again", copied("inbox", id="id"), UNIQUE),
    R("applied at no time", change("inbox", "applied_at = NULL", "status = 'applied'"), CHECK),
    R("applied without being verified",
      change("inbox", "verified = 0", "status = 'applied'"), CHECK),
    R("a push of no digest", change("inbox", "sha256 = ''"), CHECK),
    # claims, awards, exceptions, requests
    R("two open claims of a line", copied("claim"), UNIQUE),
    R("a claim for nothing", change("claim", "loss_minor = 0"), CHECK),
    R("one decision, two awards", copied("award"), UNIQUE),
    R("an award of nothing", copied("award", amount="0", decision_key="'new'"), CHECK),
    R("an award nobody made", copied("award", actor="''", decision_key="'new'"), CHECK),
    R("an award of no claim", copied("award", claim="'none'", decision_key="'new'"), FOREIGN),
    R("an award entered twice", transfer("award", "lost", of="award"), UNIQUE),
    R("an exception closed by nobody", change("exception", "closed_at = 1"), CHECK),
    R("a request id used twice", copied("request", id="id"), UNIQUE),
    R("a request without a fingerprint",
      copied("request", fingerprint="''"), CHECK),
    # parcels and merchants
    R("a parcel registered twice", copied("parcel"), UNIQUE),
    R("a line of goods that cost less than nothing",
      change("order_line", "paid_minor = -1"), CHECK),
    R("a third person of a parcel", change("person", "role = 'neighbour'"), CHECK),
    R("a scan of no milestone", change("scan", "milestone = 'vanished'"), CHECK),
    R("a merchant with a currency of two letters", change("merchant", "currency = 'CN'"), CHECK),
    R("a parcel without a tenant", change("parcel", "tenant = NULL"), NULL),
    # whatever is written once
    *(R(f"a change of {table}", f"UPDATE {table} SET {column} = {column}", "append-only")
      for table, column in [(table, "source" if table == "edge" else "id")
                            for table in APPEND_ONLY]),
    *(R(f"a deletion from {table}", f"DELETE FROM {table}", "append-only")
      for table in APPEND_ONLY),
)  # fmt: skip


class Ledger(NamedTuple):
    path: Path
    told: dict[str, str]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return asyncio.run(_month(tmp_path_factory.mktemp("schema") / "ledger.sqlite3"))


async def _month(path: Path) -> Ledger:
    desk = await opened(path)
    try:
        return Ledger(path, await month(desk))
    finally:
        await desk.store.stop()


@pytest.fixture
def db(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """The ledger as the store opens it; what a test changes is taken back."""
    with closing(connect(ledger.path)) as opened_db:
        opened_db.execute("BEGIN")
        yield opened_db
        opened_db.execute("ROLLBACK")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_the_schema_refuses(db: sqlite3.Connection, ledger: Ledger, case: Refused) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=case.why):
        db.execute(case.statement.format(**ledger.told))


@pytest.mark.parametrize(
    ("kind", "name", "of"),
    [("release", "processing", "hold"), ("refund", "returned", "capture")],
)
def test_the_first_of_its_kind_is_let_through(
    db: sqlite3.Connection, ledger: Ledger, kind: str, name: str, of: str
) -> None:
    """The statements above fail for what is wrong with them, not for how they are written."""
    assert db.execute(transfer(kind, name, of=of).format(**ledger.told)).rowcount == 1


def test_a_withdrawn_claim_makes_room_for_another(db: sqlite3.Connection) -> None:
    [case] = [case for case in REFUSED if case.what == "two open claims of a line"]
    db.execute("UPDATE claim SET state = 'WITHDRAWN'")
    assert db.execute(case.statement).rowcount == 1


def test_the_edges_are_those_of_the_tables(db: sqlite3.Connection) -> None:
    stored = db.execute("SELECT col, source, target FROM edge").fetchall()
    assert sorted(stored) == sorted((str(c), str(a), str(b)) for c, a, b in edges())


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    named = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    return [name for name in named if name not in NUMBERED]


@pytest.mark.parametrize(("kind", "table", "mutable"), TABLES, ids=[t[1] for t in TABLES])
def test_rows_and_records_have_the_same_fields(
    db: sqlite3.Connection, kind: type, table: str, mutable: bool
) -> None:
    names = [field.name for field in fields(kind)]
    named = queries(lambda name: f":{name}")
    assert columns(db, table) == names
    insert = named[f"insert_{table}"]
    assert list(insert.parameters) == names
    assert re.findall(r"\w+", insert.text.split("(", 1)[1].split(")", 1)[0]) == names
    assert (f"update_{table}" in named) is mutable
    if mutable:
        update = named[f"update_{table}"]
        assert update.text.startswith(f"UPDATE {table} SET ")
        assert set(update.parameters) <= set(names)
        assert all(a == b for a, b in re.findall(r"(\w+) = :(\w+)", update.text))


def test_every_table_of_the_schema_is_known(db: sqlite3.Connection) -> None:
    stored = {
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    }
    assert stored == {table for _, table, _ in TABLES} | {"edge"}
    assert set(APPEND_ONLY) <= stored
    assert {table for _, table, mutable in TABLES if mutable}.isdisjoint(APPEND_ONLY)


def test_every_table_is_strict(db: sqlite3.Connection) -> None:
    for name, kind, strict in db.execute("SELECT name, type, strict FROM pragma_table_list"):
        if kind == "table" and not name.startswith("sqlite_"):
            assert strict == 1, name


def test_a_whole_ledger_has_no_dangling_reference(db: sqlite3.Connection) -> None:
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    first = migrate(path)
    before = path.read_bytes()
    assert migrate(path) == first
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    newer = migrate(path) + 1
    with closing(connect(path)) as changed_db:
        changed_db.execute(f"PRAGMA user_version = {newer:d}")
    with pytest.raises(StoreError, match="newer"):
        migrate(path)
    with closing(connect(path)) as kept:
        assert version(kept) == newer


@pytest.mark.parametrize("name", ["events_of_tenant", "events_of_merchant"])
def test_a_page_of_the_log_is_read_along_it(tmp_path: Path, name: str) -> None:
    """A Watch asks for a page after each commit: it must not gather and sort what came before."""
    query = queries(lambda parameter: f":{parameter}")[name]
    migrate(tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as db:
        given = dict.fromkeys(query.parameters, 1)
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query.text}", given)]
    assert steps[0] == "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"
    assert not any("TEMP B-TREE" in step for step in steps)
