"""The embedded store: SQLite, one connection that writes and checkpoints, readers query-only."""

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

from gateway.clock import Clock, new_id
from gateway.domain.book import Book
from gateway.domain.command import Command, Env
from gateway.domain.decide import decide
from gateway.domain.fees import Terms
from gateway.domain.interception import EventRow, Job, JobState, edges
from gateway.failpoints import FailPoints
from gateway.store import schema
from gateway.store.audit import Finding, Moment, audit
from gateway.store.loading import plan
from gateway.store.rows import APPEND_ONLY, TABLES, Builder, Query, builder, enums, queries
from gateway.store.writer import Outcome, Unavailable, Writer

DIALECT = {
    "int": "INTEGER",
    "bytes": "BLOB",
    "end": "STRICT",
    "position": "INTEGER PRIMARY KEY",  # events are never deleted: it only rises
}
READERS = 2
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged Create survives the loss of power
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 2000",
    "PRAGMA secure_delete = ON",  # what is erased is overwritten, not only given up
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 4000",
)
T = TypeVar("T")


for _kind in (*enums(), bool):  # bound as they are, and not by asking them how
    sqlite3.register_adapter(_kind, int if _kind is bool else attrgetter("_value_"))


class StoreError(Exception):
    """The file is not one we may use: locked, damaged, or of another version."""


class Store:
    """One SQLite file. Decisions are committed in batches; answers are read beside them."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        terms: Terms,
        points: FailPoints | None = None,
        patience_s: float = 0.3,
    ) -> None:
        self._path = path
        self._clock = clock
        self._terms = terms
        self._points = points or FailPoints()
        self.owner = new_id()
        self._queries = queries(_place)
        self._inserts, self._updates = _statements(self._queries)
        self._builders: dict[tuple[str, type[Any]], Builder] = {}
        self._db: sqlite3.Connection | None = None
        self._lock: IO[bytes] | None = None
        self._writer = Writer(self._commit, patience_s)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._open_readers: list[sqlite3.Connection] = []
        self._position = 0
        self._moved = asyncio.Event()
        self._soonest: list[int] = []
        self.due: list[Callable[[int], None]] = []  # told when a job is due, business ms
        self.batches: list[Callable[[int], None]] = []  # told the size of each batch
        self.healthy = True

    # -- life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Open and check the file. Raises StoreError where it must not be used."""
        await self._writer.on_thread(self._open)
        self._writer.committed.append(self._announce)
        self._writer.start()

    async def stop(self) -> None:
        await self._writer.stop()
        self._readers.shutdown(wait=True)
        while self._open_readers:
            self._open_readers.pop().close()
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._lock is not None:
            self._lock.close()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._path)
        if not self._path.exists():
            migrate(self._path)
        try:
            db = connect(self._path)
            if version(db) != schema.VERSION:
                raise StoreError(
                    f"{self._path} has schema {version(db)}, this program needs {schema.VERSION}: "
                    "run `turnback migrate`"
                )
            if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise StoreError(f"{self._path} is damaged: restore it from a backup")
            left = self._queries["expire_leases"]
            db.execute("BEGIN IMMEDIATE")
            db.execute(left.text, {"owner": self.owner, "now": self._clock.machine_ms()})
            db.execute("COMMIT")
            newest = self._queries["newest_position"]
            self._position = db.execute(newest.text).fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path} cannot be used: {error}") from error
        self._db = db

    @property
    def waiting(self) -> int:
        """Intake commands that wait for a commit."""
        return self._writer.waiting

    # -- writing --------------------------------------------------------------------------

    async def run(self, command: Command) -> Any:
        """Decide and commit; the commit goes on if the caller is cancelled."""
        return await self._writer.submit(command)

    async def scour(self) -> bool:
        """Leave no copy of what was erased in the log. False while somebody reads from it."""
        done: bool = await self._writer.on_thread(self._empty_log)
        return done

    def _empty_log(self) -> bool:
        db = self._connection()
        patience = db.execute("PRAGMA busy_timeout").fetchone()[0]
        db.execute("PRAGMA busy_timeout = 0")  # commits wait behind it
        try:
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        finally:
            db.execute(f"PRAGMA busy_timeout = {patience:d}")
        return not busy

    def env(self) -> Env:
        return Env(self._clock.now(), self._clock.machine_ms(), new_id, self.owner)

    def _commit(self, commands: list[Command]) -> list[Outcome]:
        """On the writing thread: one transaction, or one by one if that fails."""
        try:
            results = self._transaction(commands)
            self.healthy = True
            return [(True, result) for result in results]
        except sqlite3.OperationalError as error:  # disk full, locked, unreadable
            self.healthy = False
            return [(False, Unavailable(type(error).__name__)) for _ in commands]
        except Exception as error:
            if len(commands) == 1:
                return [(False, error)]
        return [outcome for command in commands for outcome in self._commit([command])]

    def _transaction(self, commands: list[Command]) -> list[Any]:
        db, env = self._connection(), self.env()
        db.execute("BEGIN IMMEDIATE")
        try:
            book = Book()
            steps = plan(book, [c.wants() for c in commands], env.now, env.machine_ms)
            self._load(db, steps)
            results = [decide(book, command, env, self._terms) for command in commands]
            self._write(db, book)
            for command in commands:
                self._points.hit(f"before_commit:{type(command).__name__}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        for command in commands:
            self._points.hit(f"after_commit:{type(command).__name__}")
        self._note(book, len(commands))
        return results

    def _load(self, db: sqlite3.Connection, steps: Any) -> None:
        try:
            name, params, kind = next(steps)
            while True:
                rows = self._select(db, self._queries[name], params, kind)
                name, params, kind = steps.send(rows)
        except StopIteration:
            return

    def _select(
        self, db: sqlite3.Connection, query: Query, params: dict[str, Any], kind: type[T]
    ) -> list[T]:
        for name in LISTED:
            if name in params:
                params = params | {name: orjson.dumps(params[name]).decode()}
        cursor = db.execute(query.text, params)
        rows = cursor.fetchall()
        if not rows:
            return []
        build = self._builders.get((query.name, kind))
        if build is None:
            names = [column[0] for column in cursor.description]
            build = self._builders[query.name, kind] = builder(kind, names)
        return list(map(build, rows))

    def _write(self, db: sqlite3.Connection, book: Book) -> None:
        changes = {kind: (fresh, known) for kind, fresh, known in book.changes()}
        for kind, _, _ in TABLES:
            fresh, known = changes.get(kind, ((), ()))
            # updates first: what is closed makes room for what is opened
            if known:
                text, values = self._updates[kind]
                done = db.executemany(text, map(values, known)).rowcount
                if done != len(known):
                    raise RuntimeError(f"{kind.__name__}: {done} of {len(known)} rows updated")
            if fresh:
                text, values = self._inserts[kind]
                db.executemany(text, map(values, fresh))

    def _note(self, book: Book, size: int) -> None:
        """What listeners on the event loop are told after the commit."""
        for kind, fresh, known in book.changes():
            if kind is EventRow:
                self._position += len(fresh)
            elif kind is Job:
                due = [j.due_at for j in (*fresh, *known) if j.state is JobState.WAIT]
                self._soonest += due
        for listener in self.batches:
            listener(size)

    def _announce(self) -> None:
        if self._soonest:
            soonest, self._soonest = min(self._soonest), []
            for listener in self.due:
                listener(soonest)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise Unavailable("the store is not open")
        return self._db

    # -- reading --------------------------------------------------------------------------

    async def rows(self, kind: type[T], name: str, **params: Any) -> list[T]:
        """The rows of a named query, as records."""
        return await self._read(lambda db: self._select(db, self._queries[name], params, kind))

    async def table(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query, as they are."""
        text = self._queries[name].text
        return await self._read(lambda db: _dicts(db.execute(text, params)))

    async def events(
        self,
        tenant: str,
        *,
        interception: str = "",
        merchant: str = "",
        after: int = 0,
        limit: int = 100,
    ) -> list[tuple[int, EventRow]]:
        """Events after a position, oldest first, each with its own."""
        name = "events_of_tenant"
        if interception:
            name = "events_of_interception"
        elif merchant:
            name = "events_of_merchant"
        params = {
            "tenant": tenant,
            "interception": interception,
            "merchant": merchant,
            "after": after,
            "limit": limit,
        }

        def read(db: sqlite3.Connection) -> list[tuple[int, EventRow]]:
            cursor = db.execute(self._queries[name].text, params)
            names = [column[0] for column in cursor.description]
            build, at = builder(EventRow, names), names.index("position")
            return [(row[at], build(row)) for row in cursor.fetchall()]

        return await self._read(read)

    async def changed(self, after: int, timeout_s: float) -> int:
        """Wait until an event lies after the position, or for so long. The newest position."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while self._position <= after and (left := end - loop.time()) > 0:
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), left)
            except TimeoutError:
                break
        return self._position

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One read transaction on a query-only connection: the audit's way in."""

        def inside(db: sqlite3.Connection) -> T:
            db.execute("BEGIN")
            try:
                return work(db)
            finally:
                db.execute("COMMIT")

        return await self._read(inside)

    async def audit(self) -> list[Finding]:
        """The rules that do not hold now, all seen at one moment."""
        moment = Moment(
            now=self._clock.now(),
            machine_ms=self._clock.machine_ms(),
            four_eyes_above_minor=self._terms.policy.four_eyes_above_minor,
            retention_ms=self._terms.policy.retention_ms,
        )
        return await self.read(partial(audit, at=moment))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            db = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = connect(self._path, query_only=True)
                self._open_readers.append(db)
            try:
                return work(db)
            except sqlite3.OperationalError as error:
                raise Unavailable(type(error).__name__) from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)


def _lock(path: Path) -> IO[bytes]:
    """Only one process may write the file; the lock goes with the process."""
    lock = path.with_name(path.name + ".lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreError(f"{path} is in use by another gateway") from None
    return lock


def connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in PRAGMAS:
        db.execute(pragma)
    if query_only:
        db.execute("PRAGMA query_only = ON")
    return db


def look(path: Path, name: str, **params: Any) -> list[dict[str, Any]]:
    """One named query on a file that a gateway may have open. Raises sqlite3.Error."""
    with closing(connect(path, query_only=True)) as db:
        return _dicts(db.execute(queries(_place)[name].text, params))


def version(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(path: Path) -> int:
    """Bring a file to this program's schema. One transaction: it is done, or it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = connect(path)
    try:
        found = version(db)
        if found not in (0, schema.VERSION):
            raise StoreError(f"{path} has schema {found}, newer than this program knows")
        if found == 0:
            db.execute("BEGIN IMMEDIATE")
            for statement in (*schema.statements(DIALECT), *_append_only()):
                db.execute(statement)
            db.executemany("INSERT INTO edge VALUES (?, ?, ?)", [tuple(e) for e in edges()])
            db.execute(f"PRAGMA user_version = {schema.VERSION:d}")
            db.execute("COMMIT")
        return schema.VERSION
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be migrated: {error}") from error
    finally:
        db.close()


def _append_only() -> list[str]:
    return [
        f"CREATE TRIGGER {table}_is_append_only_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]


def _place(name: str) -> str:
    """Lists of ids come as one JSON text."""
    return f"SELECT value FROM json_each(:{name})" if name in LISTED else f":{name}"


LISTED = ("keys", "kinds", "busy")
Bound = tuple[str, Callable[[Any], Sequence[Any]]]


def _statements(
    named: Mapping[str, Query],
) -> tuple[dict[type[Any], Bound], dict[type[Any], Bound]]:
    """Per kind of row: the insert, and the update where it may change."""
    inserts: dict[type[Any], Bound] = {}
    updates: dict[type[Any], Bound] = {}
    for kind, table, mutable in TABLES:
        insert = named[f"insert_{table}"]
        inserts[kind] = insert.positional, insert.values()
        if mutable:
            update = named[f"update_{table}"]
            updates[kind] = update.positional, update.values()
    return inserts, updates


def _dicts(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
