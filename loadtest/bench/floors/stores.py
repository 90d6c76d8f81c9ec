"""Group commit by hand, on either engine: one plain table, no checks, no keys but its own.

Durable as the gateway's: SQLite in WAL mode with a sync for each commit, PostgreSQL with
`synchronous_commit` as the server has it, over the gateway's own driver (asyncpg), prepared
statements over whole sets of rows. Whoever comes during a commit shares the next one.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg

TEXT = "0" * 160  # the width of a row beside its key and its numbers
BATCH_MAX = 128
LINGER_S = 0.001  # under load
SEEDS = 4_096  # rows that are there from the start, as quotes and parcels are
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 4000",
)
Fresh = list[tuple[str, str, int, str]]  # id, subject, at, body
Known = list[tuple[int, str, str]]  # at, body, id


@dataclass(frozen=True, slots=True)
class Rows:
    """What one commit of an operation writes."""

    inserts: int
    updates: int
    shared: int  # changed once for the whole batch, as the accounts of a wallet are


# The rows of an interception where the carrier's reply is its promise, as the gateway writes them.
# Create: interception, request, two events, transfer, job, attempt; the quote changes, and the two
# accounts of the wallet. Finish: evidence, two events, transfer, the job that follows; then
# interception, attempt, job, and the account that holds. Push: it and its scan; it and its parcel.
HOLD = Rows(inserts=7, updates=1, shared=2)
SETTLE = Rows(inserts=5, updates=3, shared=1)
PUSH = Rows(inserts=2, updates=2, shared=0)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be written for one caller."""

    key: str
    rows: Rows
    known: Sequence[str]  # the rows that change
    future: "asyncio.Future[None]"


class Engine(Protocol):
    async def open(self, seeds: Fresh) -> None: ...

    async def commit(self, fresh: Fresh, known: Known) -> None: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Store:
    engine: Engine
    waiting: list[Work] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    number: "itertools.count[int]" = field(default_factory=itertools.count)

    async def hold(self, key: str) -> None:
        await self._write(key, HOLD, [self._seed()])

    async def settle(self, key: str) -> None:
        await self._write(key, SETTLE, [_id(key, HOLD, n) for n in range(SETTLE.updates)])

    async def push(self, key: str) -> None:
        await self._write(key, PUSH, [self._seed(), self._seed()])

    def _seed(self) -> str:
        return f"seed/{HOLD.shared + next(self.number) % (SEEDS - HOLD.shared)}"

    async def _write(self, key: str, rows: Rows, known: Sequence[str]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(Work(key, rows, known, future))
        self.wake.set()
        await future

    async def run(self) -> None:
        await self.engine.open([(f"seed/{n}", "seed", n, TEXT) for n in range(SEEDS)])
        size = 0
        while True:
            if not self.waiting:
                self.wake.clear()
                await self.wake.wait()
            if size > 1:
                await asyncio.sleep(LINGER_S)
            batch, self.waiting = self.waiting[:BATCH_MAX], self.waiting[BATCH_MAX:]
            size = len(batch)
            await self.engine.commit(*written(batch))
            for work in batch:
                if not work.future.done():
                    work.future.set_result(None)


def _id(key: str, rows: Rows, number: int) -> str:
    return f"{key}/{rows.inserts}/{number}"


def written(batch: Sequence[Work]) -> tuple[Fresh, Known]:
    """The rows of one transaction."""
    fresh = [
        (_id(work.key, work.rows, n), work.key, n, TEXT)
        for work in batch
        for n in range(work.rows.inserts)
    ]
    shared = max(work.rows.shared for work in batch)
    keys = dict.fromkeys(key for work in batch for key in work.known)
    known = [(1, TEXT, key) for key in (*keys, *(f"seed/{n}" for n in range(shared)))]
    return fresh, known


class Sqlite:
    """One file, one connection, one thread that writes."""

    TABLE = "CREATE TABLE row (id TEXT PRIMARY KEY, subject TEXT, at INTEGER, body TEXT) STRICT"
    INSERT = "INSERT INTO row VALUES (?, ?, ?, ?)"
    UPDATE = "UPDATE row SET at = ?, body = ? WHERE id = ?"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1)
        self._db: sqlite3.Connection | None = None

    async def open(self, seeds: Fresh) -> None:
        await self._on_thread(self._open, seeds)

    async def commit(self, fresh: Fresh, known: Known) -> None:
        await self._on_thread(self._commit, fresh, known)

    async def close(self) -> None:
        self._thread.shutdown()
        if self._db is not None:
            self._db.close()

    async def _on_thread(self, act: Callable[..., None], *given: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, act, *given)

    def _open(self, seeds: Fresh) -> None:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            db.execute(pragma)
        db.execute(self.TABLE)
        self._db = db
        self._commit(seeds, [])

    def _commit(self, fresh: Fresh, known: Known) -> None:
        assert self._db is not None
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(self.INSERT, fresh)
        self._db.executemany(self.UPDATE, known)
        self._db.execute("COMMIT")


class Postgres:
    """One connection; two statements over arrays between BEGIN and COMMIT."""

    TABLE = "CREATE TABLE row (id TEXT PRIMARY KEY, subject TEXT, at BIGINT, body TEXT)"
    INSERT = (
        "INSERT INTO row SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])"
    )
    UPDATE = (
        "UPDATE row SET at = given.at, body = given.body "
        "FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (at, body, id) "
        "WHERE row.id = given.id"
    )

    def __init__(self, url: str) -> None:
        self._url = url
        self._db: Any = None
        self._insert: Any = None
        self._update: Any = None

    async def open(self, seeds: Fresh) -> None:
        self._db = await asyncpg.connect(self._url)
        await self._db.execute(self.TABLE)
        self._insert = await self._db.prepare(self.INSERT)
        self._update = await self._db.prepare(self.UPDATE)
        await self.commit(seeds, [])

    async def commit(self, fresh: Fresh, known: Known) -> None:
        await self._db.execute("BEGIN")
        await self._insert.fetch(*zip(*fresh, strict=True))
        if known:
            await self._update.fetch(*zip(*known, strict=True))
        await self._db.execute("COMMIT")

    async def close(self) -> None:
        await self._db.close()


def engine(url: str) -> Engine:
    """By the same URLs as the gateway's own store."""
    if url.startswith("sqlite:///"):
        return Sqlite(Path(url.removeprefix("sqlite:///")))
    return Postgres(url)
