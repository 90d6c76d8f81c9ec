"""What the schema refuses by itself, whatever the code believes; and that it is the domain's own.

Every statement here is tried on a whole correct ledger and must not get through.
"""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from gateway.domain.interception import edges
from gateway.store.rows import APPEND_ONLY, TABLES, queries
from gateway.store.sqlite import connect, migrate
from tests.engines import ENGINES, Engine, Session, engine
from tests.ledgers import month, opened

FIELDS = {table: list(kind.__struct_fields__) for kind, table, _ in TABLES}
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


UNIQUE, CHECK, FOREIGN, TYPE, NULL, ONCE = "unique", "check", "foreign", "type", "null", "once"
SAID: dict[str, dict[str, tuple[type[Exception], str]]] = {  # how each engine refuses
    "sqlite": {
        UNIQUE: (sqlite3.IntegrityError, "UNIQUE constraint"),
        CHECK: (sqlite3.IntegrityError, "CHECK constraint"),
        FOREIGN: (sqlite3.IntegrityError, "FOREIGN KEY constraint"),
        TYPE: (sqlite3.IntegrityError, "cannot store"),
        NULL: (sqlite3.IntegrityError, "NOT NULL constraint"),
        ONCE: (sqlite3.IntegrityError, "append-only"),
    },
    "postgres": {
        UNIQUE: (asyncpg.UniqueViolationError, "unique constraint"),
        CHECK: (asyncpg.CheckViolationError, "check constraint"),
        FOREIGN: (asyncpg.ForeignKeyViolationError, "foreign key"),
        TYPE: (asyncpg.DataError, "invalid"),
        NULL: (asyncpg.NotNullViolationError, "not-null"),
        ONCE: (asyncpg.IntegrityConstraintViolationError, "append-only"),
    },
}
# PostgreSQL would round a fraction in a statement's text; the driver hands over whole numbers only,
# which tests/store/test_postgres.py sees.
ROUNDED = ("a transfer of half a fen", "a wallet of half a fen")
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
    R("a quoted status of no table", changed("quoted_status = 'FLYING'", "accepted"), CHECK),
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
    # statements
    R("one file, two statements", copied("statement", number="'new'", posted_at="0",
      step="'RECEIVING'", parts="2", id="substr(sha256, 1, 32)"), UNIQUE),
    R("a statement that is not its file", change("statement", "id = 'x'"), CHECK),
    R("two standing statements of one number",
      change("statement", "number = 'zto-2', channel = 'zto'"), UNIQUE),
    R("a period that ends before it begins", change("statement", "period_to = period_from"), CHECK),
    R("posted with lines that are not the total",
      change("statement", "total_minor = total_minor + 1"), CHECK),
    R("posted with parts that have not come", change("statement", "parts = parts + 1"), CHECK),
    R("posted at no time", change("statement", "posted_at = 0"), CHECK),
    R("a statement of too many parts", change("statement", "parts = 101, arrived = 101"), CHECK),
    R("a part of too many lines", copied("statement_part", "1 = 1", id="statement || '/2'",
      part="2", lines="1001"), CHECK),
    R("a line under another's number", copied("statement_line", line_no="line_no + 90"), CHECK),
    R("a line twice", copied("statement_line", id="id"), UNIQUE),
    R("a fee of less than nothing", copied("statement_line", "kind = 'FEE'",
      id="statement || '/99'", line_no="99", amount="-1"), CHECK),
    R("a line of nothing", copied("statement_line", "kind = 'OTHER'",
      id="statement || '/99'", line_no="99", amount="0"), CHECK),
    R("a match of no line", copied("line_match", transfer="NULL"), FOREIGN),
    R("a second match of a line", copied("line_match", id="id"), UNIQUE),
    R("withdrawn twice", copied("withdrawal", id="id", transfer="NULL"), UNIQUE),
    R("a difference without its exception", copied("difference"), FOREIGN),
    # parcels and merchants
    R("a parcel registered twice", copied("parcel"), UNIQUE),
    R("a line of goods that cost less than nothing",
      change("order_line", "paid_minor = -1"), CHECK),
    R("a third person of a parcel", change("person", "role = 'neighbour'"), CHECK),
    R("a scan of no milestone", change("scan", "milestone = 'vanished'"), CHECK),
    R("a merchant with a currency of two letters", change("merchant", "currency = 'CN'"), CHECK),
    R("a parcel without a tenant", change("parcel", "tenant = NULL"), NULL),
    # whatever is written once
    *(R(f"a change of {table}", f"UPDATE {table} SET {column} = {column}", ONCE)
      for table, column in [(table, "source" if table == "edge" else "id")
                            for table in APPEND_ONLY]),
    *(R(f"a deletion from {table}", f"DELETE FROM {table}", ONCE)
      for table in APPEND_ONLY),
)  # fmt: skip


class Ledger(NamedTuple):
    engine: Engine
    told: dict[str, str]


@pytest.fixture(scope="module", params=ENGINES)
def ledger(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Ledger]:
    with engine(request.param, tmp_path_factory.mktemp("schema")) as made:
        yield asyncio.run(_month(made))


async def _month(made: Engine) -> Ledger:
    desk = await opened(made)
    try:
        return Ledger(made, await month(desk))
    finally:
        await desk.store.stop()


@pytest.fixture
def db(ledger: Ledger) -> Iterator[Session]:
    """The ledger as the store opens it; what a test changes is taken back."""
    with ledger.engine.session() as opened_db:
        yield opened_db


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_the_schema_refuses(db: Session, ledger: Ledger, case: Refused) -> None:
    if ledger.engine.name == "postgres" and case.what in ROUNDED:
        case = case._replace(statement=case.statement.replace("0.5", "'0.5'::text"))
        refused: tuple[type[Exception], str] = (asyncpg.DatatypeMismatchError, "is of type")
    else:
        refused = SAID[ledger.engine.name][case.why]
    with pytest.raises(refused[0], match=refused[1]):
        db.execute(case.statement.format(**ledger.told))


@pytest.mark.parametrize(
    ("kind", "name", "of"),
    [("release", "processing", "hold"), ("refund", "returned", "capture")],
)
def test_the_first_of_its_kind_is_let_through(
    db: Session, ledger: Ledger, kind: str, name: str, of: str
) -> None:
    """The statements above fail for what is wrong with them, not for how they are written."""
    assert db.execute(transfer(kind, name, of=of).format(**ledger.told)) == 1


def test_a_withdrawn_claim_makes_room_for_another(db: Session) -> None:
    [case] = [case for case in REFUSED if case.what == "two open claims of a line"]
    db.execute("UPDATE claim SET state = 'WITHDRAWN'")
    assert db.execute(case.statement) == 1


def test_the_edges_are_those_of_the_tables(db: Session) -> None:
    stored = db.rows("SELECT col, source, target FROM edge")
    assert sorted(stored) == sorted((str(c), str(a), str(b)) for c, a, b in edges())


COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info('{table}') ORDER BY cid",
    "postgres": (
        "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' "
        "AND table_schema = 'public' ORDER BY ordinal_position"
    ),
}
MADE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


@pytest.mark.parametrize(("kind", "table", "mutable"), TABLES, ids=[t[1] for t in TABLES])
def test_rows_and_records_have_the_same_fields(
    db: Session, ledger: Ledger, kind: type[Any], table: str, mutable: bool
) -> None:
    names = list(kind.__struct_fields__)
    named = queries(lambda name: f":{name}")
    stored = [name for (name,) in db.rows(COLUMNS[ledger.engine.name].format(table=table))]
    assert [name for name in stored if name not in NUMBERED] == names
    insert = named[f"insert_{table}"]
    assert list(insert.parameters) == names
    assert re.findall(r"\w+", insert.text.split("(", 1)[1].split(")", 1)[0]) == names
    assert (f"update_{table}" in named) is mutable
    if mutable:
        update = named[f"update_{table}"]
        assert update.text.startswith(f"UPDATE {table} SET ")
        assert set(update.parameters) <= set(names)
        assert all(a == b for a, b in re.findall(r"(\w+) = :(\w+)", update.text))


def test_every_table_of_the_schema_is_known(db: Session, ledger: Ledger) -> None:
    stored = {name for (name,) in db.rows(MADE[ledger.engine.name])}
    ours = {table for _, table, _ in TABLES} | {"edge", "replica", "safe_mode"}
    assert stored - {"schema_version"} == ours
    assert set(APPEND_ONLY) <= stored
    assert {table for _, table, mutable in TABLES if mutable}.isdisjoint(APPEND_ONLY)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """What only SQLite has to be asked."""
    path = tmp_path / "new.sqlite3"
    migrate(path)
    with closing(connect(path)) as made:
        yield made


def test_every_table_of_sqlite_is_strict(file: sqlite3.Connection) -> None:
    for name, kind, strict in file.execute("SELECT name, type, strict FROM pragma_table_list"):
        if kind == "table" and not name.startswith("sqlite_"):
            assert strict == 1, name


def test_a_whole_ledger_of_sqlite_has_no_dangling_reference(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as made:
        asyncio.run(_month(made))
        assert made.table("PRAGMA foreign_key_check") == []
        assert made.table("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("name", ["events_of_all", "events_of_tenant", "events_of_merchant"])
def test_a_page_of_sqlites_log_is_read_along_it(file: sqlite3.Connection, name: str) -> None:
    """A Watch asks for a page after each commit: it must not gather and sort what came before."""
    query = queries(lambda parameter: f":{parameter}")[name]
    given = dict.fromkeys(query.parameters, 1)
    steps = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {query.text}", given)]
    assert steps[0] == "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"
    assert not any("TEMP B-TREE" in step for step in steps)
