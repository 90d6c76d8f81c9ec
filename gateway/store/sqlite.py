"""The embedded engine: SQLite, one connection that writes and checkpoints, readers query-only.

What is found by its key is read, decided and written where the event loop runs, for to change the
thread costs many times what such a statement does: the library lets the interpreter go for each
row, and somebody else takes it. What waits for the disk, and what may take long, has a thread: a
commit, a list, the audit.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

from gateway.clock import Clock
from gateway.domain.interception import edges
from gateway.failpoints import STEP, FailPoints
from gateway.store import schema
from gateway.store.audit import RULES, Finding, Moment, finding, first
from gateway.store.batch import Change, Done
from gateway.store.driver import Asked, Begin, Busy, SafeMode, StoreError, Table
from gateway.store.lines import Read
from gateway.store.rows import (
    APPEND_ONLY,
    LISTED,
    Builder,
    builder,
    chosen,
    enums,
    per_kind,
    queries,
)
from gateway.store.wholeness import AT_ONCE, Wholeness
from gateway.store.writer import Unavailable

DIALECT = {
    "int": "INTEGER",
    "bytes": "BLOB",
    "end": "STRICT",
    "position": "INTEGER PRIMARY KEY",  # events are never deleted: it only rises
}
READERS = 2
PATIENCE_MS = 2_000  # with a program that is not ours and writes the file
DAMAGED = "the store is damaged"
ROOM = 2**20  # bytes free before a full disk counts as mended: some batches of the largest kind
PROBE = (
    "INSERT INTO replica (id, batch, seen_at) VALUES (?, 0, 0) "
    "ON CONFLICT (id) DO UPDATE SET batch = replica.batch + 1"
)
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged Create survives the loss of power
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {PATIENCE_MS:d}",
    "PRAGMA secure_delete = ON",  # what is erased is overwritten, not only given up
    "PRAGMA wal_autocheckpoint = 4000",
)
MIGRATING = (  # so that a table that is made anew is still the one that others refer to
    "PRAGMA foreign_keys = OFF",
    "PRAGMA legacy_alter_table = ON",
)
CACHE_KIB = {"writes": 32 * 1024, "reads": 48 * 1024}  # the upper pages of a million's trees
GUARD = (  # what M8 looks for: the triggers that refuse a change
    "SELECT '{table}' AS id, 'rows can be changed by {verb}' AS fault WHERE NOT EXISTS ("
    "SELECT 1 FROM sqlite_master m WHERE m.type = 'trigger' AND m.tbl_name = '{table}' "
    "AND m.sql LIKE '%BEFORE {verb} ON%RAISE(ABORT%')"
)
GUARDS = " UNION ALL ".join(
    GUARD.format(table=table, verb=verb) for table in APPEND_ONLY for verb in ("UPDATE", "DELETE")
)
T = TypeVar("T")


for _kind in (*enums(), bool):  # bound as they are, and not by asking them how
    sqlite3.register_adapter(_kind, int if _kind is bool else attrgetter("_value_"))


class Driver:
    """One SQLite file. One thread commits, others read what may take long."""

    shared = False  # the lock file keeps every other writer out
    replicas = 1

    def __init__(self, url: str, at_once: int = AT_ONCE) -> None:
        """A file of up to so many bytes is looked through for damage before it is used."""
        self._path = path_of(url)
        self._wholeness = Wholeness(self._path, at_once)
        self._queries = queries(place)
        self._inserts, self._updates = per_kind(self._queries)
        self._builders: dict[tuple[str, type[Any]], Builder] = {}
        self._db: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()  # of that connection
        self._lock: IO[bytes] | None = None
        self._position = 0
        self._owner = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._open_readers: list[sqlite3.Connection] = []

    @property
    def damaged(self) -> bool:
        return self._wholeness.damaged

    # -- life -----------------------------------------------------------------------------

    async def open(self, owner: str, clock: Clock, moved: Callable[[int], None]) -> int:
        self._position = await self._aside(self._open, owner, clock)
        return self._position

    async def close(self) -> None:
        self._wholeness.end()
        self._thread.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        while self._open_readers:
            self._open_readers.pop().close()
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._lock is not None:
            self._lock.close()

    def _open(self, owner: str, clock: Clock) -> int:
        self._owner, self._lock = owner, lock(self._path)
        if _empty(self._path):
            migrate(self._path)
        try:
            db = self._db = connect(self._path)
            if version(db) == 0 and _tables(db):
                raise StoreError(f"{self._path} holds something else: no store of ours")
            if version(db) != schema.VERSION:
                raise StoreError(f"{self._path}: {schema.strange(version(db))}")
            self._wholeness.begin()
            left = self._queries["expire_leases"]
            db.execute("BEGIN IMMEDIATE")
            db.execute(left.text, {"owner": owner, "now": clock.machine_ms()})
            db.execute("COMMIT")
            newest: int = db.execute(self._queries["newest_position"].text).fetchone()[0]
            _patience(db, 0)  # the event loop is not to stand still
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path} cannot be used: {error}") from error
        return newest

    # -- writing --------------------------------------------------------------------------

    async def transact(self, begin: Begin) -> tuple[Done, int]:
        async with self._turn:
            db = self._db
            if db is None or self.damaged:
                raise Unavailable(DAMAGED if self.damaged else "the store is not open")
            try:
                if not _begun(db):
                    await self._aside(_begin, db)
                if begin.long:
                    done = await self._aside(self._carried_out, db, begin)
                else:
                    done = self._carried_out(db, begin)
                await self._aside(_end, db, begin)
            except BaseException as error:
                # behind what the thread may still be at: statements that come after a rollback
                # would be transactions of their own, and half of a batch would stay
                await self._aside(_undo, db)
                if isinstance(error, sqlite3.OperationalError):  # disk full, locked, unreadable
                    raise Unavailable(type(error).__name__) from error
                raise
            self._position += done.events
            return done, self._position

    async def _aside(self, act: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *given)

    def _probe(self, db: sqlite3.Connection) -> None:
        """Write something, and see that there is room for more: a batch that only looks would
        commit on a full disk."""
        db.execute(PROBE, (self._owner,))
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < ROOM:
            raise sqlite3.OperationalError("database or disk is full")

    def _carried_out(self, db: sqlite3.Connection, begin: Begin) -> Done:
        if begin.unwell:
            self._probe(db)
        steps = begin.steps(db.execute("SELECT EXISTS (SELECT 1 FROM safe_mode)").fetchone()[0] > 0)
        answer: Sequence[Any] = ()
        step = next(steps)
        while True:
            answer = self._read(db, step) if isinstance(step, Read) else self._write(db, step)
            try:
                step = steps.send(answer)
            except StopIteration as end:
                done: Done = end.value
                return done

    def _read(self, db: sqlite3.Connection, step: Read) -> list[Any]:
        query = self._queries[step.query]
        cursor = db.execute(query.text, _bound(step.params))
        rows = cursor.fetchall()
        if not rows:
            return []
        build = self._builders.get((query.name, step.kind))
        if build is None:
            names = [column[0] for column in cursor.description]
            build = self._builders[query.name, step.kind] = builder(step.kind, names)
        return list(map(build, rows))

    def _write(self, db: sqlite3.Connection, change: Change) -> tuple[()]:
        text, values = (self._updates if change.known else self._inserts)[change.kind]
        done = db.executemany(text, map(values, change.rows)).rowcount
        if change.known and done != len(change.rows):
            raise RuntimeError(f"{change.kind.__name__}: {done} of {len(change.rows)} updated")
        return ()

    # -- reading --------------------------------------------------------------------------

    async def fetch(self, asked: Sequence[Asked]) -> list[Table]:
        named = [(chosen(self._queries, name, params), params) for name, params in asked]

        def read() -> list[Table]:
            db = getattr(self._local, "db", None)  # of this thread
            if db is None:
                db = self._local.db = connect(self._path, query_only=True)
                self._open_readers.append(db)
            return [_table(db, query.text, params) for query, params in named]

        return await self._reading(read, at_once=all(query.at_once for query, _ in named))

    async def audit(self, at: Moment) -> list[Finding]:
        def read() -> list[Finding]:
            with closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
            ) as db:
                db.isolation_level = None
                db.execute("PRAGMA busy_timeout = 2000")
                db.execute("BEGIN")
                return audit(db, at)

        return await self._reading(read, at_once=False)

    async def _reading(self, read: Callable[[], T], *, at_once: bool) -> T:
        if self.damaged:
            raise Unavailable(DAMAGED)
        if not self._path.exists():  # moved away while it is open: somebody should notice
            raise Unavailable("there is no store")
        try:
            if at_once:
                return read()
            return await asyncio.get_running_loop().run_in_executor(self._readers, read)
        except sqlite3.OperationalError as error:
            raise Unavailable(type(error).__name__) from error

    async def scour(self) -> bool:
        async with self._turn:
            return await self._aside(self._empty_log)

    def _empty_log(self) -> bool:
        db = self._db
        if db is None:
            return False
        try:
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        return not busy

    async def migrate(self, points: FailPoints | None = None) -> int:
        return await self._aside(migrate, self._path, points)

    # -- safe mode ------------------------------------------------------------------------

    async def switch(self, mode: SafeMode | None) -> None:
        async with self._turn:
            if self._db is None:
                raise Unavailable("the store is not open")
            await self._aside(switch, self._db, mode)

    async def others(self) -> int:
        return 0

    @property
    def _word(self) -> Path:
        return self._path.with_name(self._path.name + ".resume")

    def told(self) -> str | None:
        try:
            return self._word.read_text("utf-8")
        except OSError:
            return None

    def tell(self, word: str | None) -> None:
        try:
            if word is None:
                self._word.unlink(missing_ok=True)
            else:
                part = self._word.with_name(self._word.name + ".part")
                part.write_text(word, "utf-8")
                part.replace(self._word)
        except OSError as error:
            raise Unavailable(type(error).__name__) from error


def _patience(db: sqlite3.Connection, ms: int) -> None:
    db.execute(f"PRAGMA busy_timeout = {ms:d}")


def _begun(db: sqlite3.Connection) -> bool:
    """Begin a transaction, unless another program is writing."""
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def _begin(db: sqlite3.Connection) -> None:
    """The same, with patience."""
    before = db.execute("PRAGMA busy_timeout").fetchone()[0]
    _patience(db, PATIENCE_MS)
    try:
        db.execute("BEGIN IMMEDIATE")
    finally:
        _patience(db, before)


def _end(db: sqlite3.Connection, begin: Begin) -> None:
    begin.before_commit()
    db.execute("COMMIT")


def _undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")


def audit(db: sqlite3.Connection, at: Moment) -> list[Finding]:
    """The rules that do not hold. The caller has begun a read transaction."""
    parameters = at.parameters()
    findings = []
    for rule in RULES:
        rows = db.execute(first(rule.sql or GUARDS), parameters).fetchall()
        if rows:
            findings.append(finding(rule, rows))
    return findings


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def switch(db: sqlite3.Connection, mode: SafeMode | None) -> None:
    """Begin or end safe mode, in a transaction of its own."""
    try:
        _begin(db)
        db.execute("DELETE FROM safe_mode")
        if mode is not None:
            values = (mode.id, mode.reason, mode.since)
            db.execute("INSERT INTO safe_mode (id, reason, since) VALUES (?, ?, ?)", values)
        db.execute("COMMIT")
    except sqlite3.Error as error:
        _undo(db)
        if isinstance(error, sqlite3.OperationalError):
            raise Unavailable(type(error).__name__) from error
        raise


def lock(path: Path) -> IO[bytes]:
    """Only one process may write the file; the lock goes with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = path.with_name(path.name + ".lock").open("wb")
    except OSError as error:
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise StoreError(f"{path.absolute()} cannot be used: {reason}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise Busy(f"{path} is in use by another gateway") from None
    return held


def connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    for pragma in PRAGMAS:
        db.execute(pragma)
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB['reads' if query_only else 'writes']}")
    if query_only:
        db.execute("PRAGMA query_only = ON")
    return db


def version(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def _empty(path: Path) -> bool:
    """Whether there is no store yet, or one whose making was broken off: that left nothing."""
    if not path.exists():
        return True
    try:
        with closing(sqlite3.connect(path)) as db:
            return version(db) == 0 and not _tables(db)
    except sqlite3.DatabaseError:
        return False


def _tables(db: sqlite3.Connection) -> int:
    found: int = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    return found


def migrate(path: Path, points: FailPoints | None = None) -> int:
    """Bring a file to this program's schema, a version at a time. Each is one transaction: it is
    done, or it is not."""
    points = points or FailPoints()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(connect(path)) as db:
            for pragma in MIGRATING:
                db.execute(pragma)
            while (found := version(db)) != schema.VERSION:
                if found > schema.VERSION:
                    raise StoreError(f"{path}: {schema.strange(found)}")
                db.execute("BEGIN IMMEDIATE")
                if version(db) == found:
                    if found == 0 and _tables(db):
                        raise StoreError(f"{path} holds something else: no store of ours")
                    for statement in schema.steps(found, DIALECT, _append_only(), _remade):
                        points.hit(STEP)
                        db.execute(statement)
                    for table in schema.remade(found):
                        if db.execute(f"PRAGMA foreign_key_check({table})").fetchone():
                            raise sqlite3.IntegrityError(f"{table} refers to what is not there")
                    if found == 0:
                        db.executemany("INSERT INTO edge VALUES (?, ?, ?)", [*edges()])
                    points.hit(STEP)
                    db.execute(f"PRAGMA user_version = {schema.after(found):d}")
                points.hit(STEP)
                db.execute("COMMIT")
                points.hit(STEP)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be migrated: {error}") from error
    return schema.VERSION


def _remade(table: str, made: list[str], filled: schema.Filled) -> Iterator[str]:
    """A table's checks cannot be changed: it is made anew, and its rows are moved over."""
    yield f"ALTER TABLE {table} RENAME TO {table}_before"
    yield made[0]
    values = ", ".join(("old.*", *filled.values()))
    yield f"INSERT INTO {table} SELECT {values} FROM {table}_before AS old"
    yield f"DROP TABLE {table}_before"
    yield from made[1:]
    yield from (guard for guard in _append_only() if f" ON {table} " in guard)


def _append_only() -> list[str]:
    return [
        f"CREATE TRIGGER {table}_is_append_only_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]


def place(name: str) -> str:
    """Lists of ids come as one JSON text."""
    return f"SELECT value FROM json_each(:{name})" if name in LISTED else f":{name}"


def _bound(params: Mapping[str, Any]) -> Mapping[str, Any]:
    if LISTED.isdisjoint(params):
        return params
    return {
        name: orjson.dumps(value).decode() if name in LISTED else value
        for name, value in params.items()
    }


def _table(db: sqlite3.Connection, text: str, params: Mapping[str, Any]) -> Table:
    cursor = db.execute(text, _bound(params))
    return Table([column[0] for column in cursor.description], cursor.fetchall())
