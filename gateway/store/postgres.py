"""PostgreSQL: one connection that writes, a few that read, one that listens; several replicas.

Every statement of a batch is over whole sets. Rows are locked in key order before they are read,
so a decision sees what it changes as it stands. No statement is ever cancelled: the server's own
time-outs end what hangs, and a connection that is given up is closed, which undoes its transaction.

Each replica counts its batches in a row of its own, inside them. Where the answer to a COMMIT is
lost, reading that row under a lock says whether the batch took place, whichever server is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import asyncpg
import structlog
from asyncpg.connect_utils import SessionAttribute

from gateway.clock import Clock, steady_ms
from gateway.domain.interception import EventRow
from gateway.failpoints import FailPoints
from gateway.store import growth, schema, sets
from gateway.store.audit import RULES, Finding, Moment, finding, first
from gateway.store.batch import Change, Done
from gateway.store.driver import Asked, Begin, Conflict, SafeMode, StoreError, Table
from gateway.store.lines import Read
from gateway.store.loading import Stale
from gateway.store.rows import TABLE_OF, Builder, builder
from gateway.store.writer import Contended, Unavailable

READERS = 3  # of each kind
CONNECT_S = 5.0
SILENT_S = 20.0  # above all of the server's time-outs: then a connection is given up
AUDIT_S = 130.0  # of one rule, above its time-out
RESOLVE_S = 30.0  # how long it is asked whether a commit took place
PAUSE_S = 0.25
CACHED = 400  # prepared statements of a connection: all there are
POLL_S = 1.0  # for events of other replicas, beside the notification
ALIVE_MS = 10_000  # a replica that has written in this time is counted: each looks twice a second
DEAD_MS = 86_400_000  # a replica that has written nothing for a day is forgotten
CHANNEL = "turnback"
SESSION = {
    "application_name": "turnback",
    "lock_timeout": "4s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "3s",  # a replica that stands still lets go of its rows
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "TimeZone": "UTC",
}
READING = {"default_transaction_read_only": "on", "jit": "off"}  # to compile takes longer too
PLANS = {  # of what is found by its key: made once, and not for tables as small as they were then
    True: READING | {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"},
    False: READING | {"plan_cache_mode": "force_custom_plan"},
}
# Of several servers that a URL names: the one that writes. Readings go there too, since whoever was
# told of a commit reads it next, and a standby may be a moment behind.
WRITES, LEADS = SessionAttribute("read-write"), SessionAttribute("primary")
WRITING = {"default_transaction_isolation": "read committed"}

BUSY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a server that does not, or not yet, write, too
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, or ended by an operator
    asyncpg.IdleInTransactionSessionTimeoutError,
)
FULL = (
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)
READ_ONLY = (asyncpg.ReadOnlySQLTransactionError,)  # it has become a standby
T = TypeVar("T")
log = structlog.get_logger("store")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Driver:
    """One PostgreSQL database."""

    shared = True
    damaged = False  # the server looks after its files itself

    def __init__(self, url: str, silent_s: float = SILENT_S) -> None:
        """A transaction or a reading that has not ended in `silent_s` never will."""
        self._url = url
        self._silent_s = silent_s
        self._statements = sets.Statements()
        self._builders: dict[tuple[str, type[Any]], Builder] = {}
        self.replicas = 1
        self._owner = ""
        self._clock: Clock | None = None
        self._moved: Callable[[int], None] = lambda _: None
        self._db: Connection | None = None
        self._batch = 0  # of this replica, the last that was committed
        self._position = 0
        self._readers: dict[bool, asyncpg.Pool[asyncpg.Record]] = {}  # by key, or whatever else
        self._listener: asyncio.Task[None] | None = None

    # -- life -----------------------------------------------------------------------------

    async def open(self, owner: str, clock: Clock, moved: Callable[[int], None]) -> int:
        self._owner, self._clock, self._moved = owner, clock, moved
        try:
            db = await self._connected()
            await self._check(db)
            self._position = await db.fetchval(self._statements.reading("newest_position", {}).text)
        except Unavailable as error:
            raise StoreError(f"the database cannot be reached: {error}") from None
        except asyncpg.PostgresError as error:
            raise StoreError(f"the database cannot be used: {type(error).__name__}") from error
        self._listener = asyncio.create_task(self._listen(), name="store-listener")
        return self._position

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        while self._readers:
            self._readers.popitem()[1].terminate()
        if self._db is not None:
            await self._leave(self._db)
            self._db = None

    async def _leave(self, db: Connection) -> None:
        try:
            await db.execute("DELETE FROM replica WHERE id = $1", self._owner, timeout=CONNECT_S)
            await db.close(timeout=CONNECT_S)
        except (*LOST, asyncpg.PostgresError, TimeoutError):
            db.terminate()

    async def _check(self, db: Connection) -> None:
        found = await growth.version(db)
        if found != schema.VERSION:
            raise StoreError(schema.strange(found))
        if await db.fetchval("SHOW synchronous_commit") == "off":
            raise StoreError(
                "synchronous_commit is off: an acknowledged interception could be lost"
            )

    async def _connect(self, *, writes: bool) -> Connection:
        """A new connection. Raises Unavailable."""
        try:
            db: Connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_S,
                statement_cache_size=CACHED,
                max_cached_statement_lifetime=0,
                server_settings=SESSION | (WRITING if writes else READING),
                target_session_attrs=WRITES if writes else LEADS,
            )
            with self._watched(db):
                await _decoding(db)
        except (*LOST, asyncpg.PostgresError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from error
        return db

    async def _connected(self) -> Connection:
        """The connection that writes, with a row for this replica's batches."""
        if self._db is not None and not self._db.is_closed():
            return self._db
        db = await self._connect(writes=True)
        try:
            with self._watched(db):
                if await growth.version(db) == schema.VERSION:
                    self._batch = await db.fetchval(sets.JOIN, self._owner) or 0
                    await db.execute(sets.FORGET, DEAD_MS)
                    asked_ms = steady_ms()
                    self._anchor(await db.fetchval(f"SELECT {sets.NOW_MS}"), asked_ms)
        except (*LOST, asyncpg.PostgresError) as error:
            db.terminate()
            raise Unavailable(type(error).__name__) from error
        self._db = db
        return db

    @contextmanager
    def _watched(self, db: Connection) -> Iterator[None]:
        """Give a connection up that does not answer: what is awaited of it fails then."""
        watch = asyncio.get_running_loop().call_later(self._silent_s, db.terminate)
        try:
            yield
        finally:
            watch.cancel()

    def _anchor(self, machine_ms: int, asked_ms: int) -> None:
        if self._clock is not None:
            self._clock.anchor(machine_ms, asked_ms)

    def _given_up(self) -> None:
        if self._db is not None:
            self._db.terminate()
            self._db = None

    # -- writing --------------------------------------------------------------------------

    async def transact(self, begin: Begin) -> tuple[Done, int]:
        db = await self._connected()
        number = self._batch + 1
        try:
            with self._watched(db):
                done, position = await self._carried_out(db, begin, number)
                begin.before_commit()
                await self._committed(db, number)
        except BaseException as error:
            closed = db.is_closed()
            await self._rolled_back(db)
            said = _said(error, closed=closed)
            if said is error:
                raise
            raise said from error
        self._batch = number
        self._position = max(self._position, position)
        return done, self._position

    async def _carried_out(self, db: Connection, begin: Begin, number: int) -> tuple[Done, int]:
        await db.execute("BEGIN")
        asked_ms = steady_ms()
        counted = await db.fetchrow(sets.COUNT, self._owner, number)
        if counted is None:
            self._given_up()  # the next connection writes it anew
            raise asyncpg.InterfaceError("this replica's row has gone")
        self._anchor(counted["seen_at"], asked_ms)
        if begin.unwell and await db.fetchval(sets.MAY_PROBE):
            await db.execute(sets.PROBE)
        steps, position = begin.steps(counted["safe"]), 0
        step = next(steps)
        while True:
            if isinstance(step, Read):
                answer = await self._read(db, step)
            else:
                position = max(position, await self._write(db, step))
                answer = []
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value, position

    async def _read(self, db: Connection, step: Read) -> list[Any]:
        query = self._statements.reading(step.query, step.params)
        records = await db.fetch(query.text, *query.values(step.params))
        if not records:
            return []
        build = self._builders.get((step.query, step.kind))
        if build is None:
            names = list(records[0].keys())
            build = self._builders[step.query, step.kind] = builder(step.kind, names)
        return [build(tuple(record)) for record in records]

    async def _write(self, db: Connection, change: Change) -> int:
        """The newest position where events were written, else 0."""
        rows = change.rows
        if change.kind is EventRow:
            values = self._statements.inserts[EventRow].arrays(rows)
            records = await db.fetch(self._statements.events, *values)
            newest = max(record[0] for record in records)
            await db.execute("SELECT pg_notify($1, $2)", CHANNEL, str(newest))
            return int(newest)
        statements = self._statements.updates if change.known else self._statements.inserts
        statement = statements[change.kind]
        arrays = statement.arrays(sorted(rows, key=_id))  # every writer in the same order
        done = int((await db.execute(statement.text, *arrays)).rsplit(" ", 1)[1])
        if done != len(rows):
            raise RuntimeError(f"{TABLE_OF[change.kind]}: {done} of {len(rows)} rows written")
        return 0

    async def _committed(self, db: Connection, number: int) -> None:
        """COMMIT; where its answer is lost, find out what became of it."""
        try:
            await db.execute("COMMIT")
        except LOST:
            self._given_up()
            if not await self._took_place(number):
                raise

    async def _took_place(self, number: int) -> bool:
        """Whether a batch was committed. Reading the row waits for a transaction that still has
        it. Raises Unavailable where nobody can tell: callers then repeat with the same id."""
        loop = asyncio.get_running_loop()
        end = loop.time() + RESOLVE_S
        while True:
            try:
                db = await self._connect(writes=True)
                try:
                    with self._watched(db):
                        found = await db.fetchval(sets.COUNTED, self._owner)
                finally:
                    db.terminate()
            except (Unavailable, *LOST, asyncpg.PostgresError) as error:
                if loop.time() > end:
                    raise Unavailable("nobody can tell whether it was committed") from error
                await asyncio.sleep(PAUSE_S)
            else:
                return found is not None and found >= number

    async def _rolled_back(self, db: Connection) -> None:
        if db.is_closed():
            self._given_up()
            return
        try:
            with self._watched(db):
                await db.execute("ROLLBACK")
        except (*LOST, asyncpg.PostgresError):
            self._given_up()

    # -- reading --------------------------------------------------------------------------

    async def fetch(self, asked: Sequence[Asked]) -> list[Table]:
        readings = [(self._statements.reading(query, params), params) for query, params in asked]

        async def read(db: Any) -> list[Table]:
            found = []
            for reading, params in readings:
                records = await db.fetch(reading.text, *reading.values(params))
                found.append(Table(list(records[0].keys()) if records else (), records))
            return found

        by_key = all(self._statements.by_key(query) for query, _ in asked)
        return await self._reading(read, self._silent_s, by_key=by_key)

    async def audit(self, at: Moment) -> list[Finding]:
        async def read(db: Any) -> list[Finding]:
            async with db.transaction(isolation="repeatable_read", readonly=True):
                return await audit(db, at)

        return await self._reading(read, AUDIT_S * len(RULES))

    async def _reading(
        self, read: Callable[[Any], Awaitable[T]], within_s: float, *, by_key: bool = False
    ) -> T:
        """Run it on a reading connection; once more on a new one where that had gone stale."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        for again in (True, False):
            try:
                pool = self._readers.get(by_key)
                if pool is None:
                    pool = self._readers.setdefault(by_key, await self._pool(by_key))
                async with pool.acquire(timeout=CONNECT_S) as db:
                    watch = loop.call_at(end, db.terminate)
                    try:
                        found: T = await read(db)
                        return found
                    finally:
                        watch.cancel()
            except (*LOST, *BUSY, *FULL, TimeoutError, asyncpg.QueryCanceledError) as error:
                if not again or loop.time() >= end:
                    raise Unavailable(type(error).__name__) from error
        raise Unavailable("not reached")

    async def _pool(self, by_key: bool) -> "asyncpg.Pool[asyncpg.Record]":
        return await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=READERS,
            timeout=CONNECT_S,
            init=_decoding,
            reset=_kept,
            statement_cache_size=CACHED,
            max_cached_statement_lifetime=0,
            server_settings=SESSION | PLANS[by_key],
            target_session_attrs=LEADS,
        )

    # -- other replicas -------------------------------------------------------------------

    async def _listen(self) -> None:
        """Tell of events that others committed: at once by a notification, else soon; and count
        who else is there."""
        while True:
            try:
                await self._told()
            except (Unavailable, *LOST, asyncpg.PostgresError):
                await asyncio.sleep(PAUSE_S)
            except Exception as error:  # whatever one look met, the next one is taken
                log.exception("other replicas not heard", error=type(error).__name__)
                await asyncio.sleep(POLL_S)

    async def _told(self) -> None:
        db = await self._connect(writes=False)
        loop = asyncio.get_running_loop()
        watch = loop.call_later(self._silent_s, db.terminate)
        try:
            await db.add_listener(CHANNEL, lambda *said: self._moved(int(said[-1])))
            text = self._statements.reading("newest_position", {}).text
            while True:
                self._moved(await db.fetchval(text))
                self.replicas = max(1, await db.fetchval(sets.ALIVE, ALIVE_MS))
                watch.cancel()
                await asyncio.sleep(POLL_S)
                watch = loop.call_later(self._silent_s, db.terminate)
        finally:
            watch.cancel()
            db.terminate()

    # -- the schema -----------------------------------------------------------------------

    async def scour(self) -> bool:
        return True  # vacuuming and the age of its log are the server's own business

    async def switch(self, mode: SafeMode | None) -> None:
        db = await self._connect(writes=True)
        try:
            async with db.transaction():
                await switch(db, mode)
        except (*LOST, *FULL, *READ_ONLY, *BUSY) as error:
            raise Unavailable(type(error).__name__) from error
        finally:
            db.terminate()

    async def others(self) -> int:
        db = await self._connect(writes=False)
        try:
            found: int = await db.fetchval(sets.OTHERS)
            return found
        finally:
            db.terminate()

    def told(self) -> str | None:
        return None  # any command may open this store itself

    def tell(self, word: str | None) -> None:
        """Nobody has to be told."""

    async def migrate(self, points: FailPoints | None = None) -> int:
        """A version at a time, each in one transaction: it is done, or it is not."""
        try:
            db = await self._connect(writes=True)
        except Unavailable as error:
            raise StoreError(f"the database cannot be reached: {error}") from None
        try:
            await growth.grow(db, points or FailPoints())
        except (*LOST, asyncpg.PostgresError) as error:
            said = str(error).splitlines()[0]
            raise StoreError(f"the database cannot be migrated: {said}") from error
        finally:
            db.terminate()
        return schema.VERSION


async def audit(db: Any, at: Moment) -> list[Finding]:
    """The rules that do not hold. The caller has begun a transaction that sees one moment."""
    parameters = at.parameters()
    findings = []
    await db.execute("SET LOCAL statement_timeout = '120s'")
    for rule in RULES:
        query = sets.written(first(rule.sql or sets.GUARDS))
        rows = await db.fetch(query.text, *query.values(parameters))
        if rows:
            findings.append(finding(rule, rows))
    return findings


async def switch(db: Connection, mode: SafeMode | None) -> None:
    """Begin or end safe mode. The caller has begun a transaction."""
    await db.execute("DELETE FROM safe_mode")
    if mode is not None:
        text = "INSERT INTO safe_mode (id, reason, since) VALUES ($1, $2, $3)"
        await db.execute(text, mode.id, mode.reason, mode.since)


async def _decoding(db: Any) -> None:
    """Sums of whole numbers are whole numbers, and come as such."""
    await db.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def _kept(_: Any) -> None:
    """Readers leave nothing behind that a reset would have to clear."""


def _id(row: Any) -> str:
    key: str = row.id
    return key


def _said(error: BaseException, *, closed: bool) -> BaseException:
    """What the store is told of a transaction that did not take place."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict(error)  # somebody else has just written it: the next try sees that
    if isinstance(error, (*BUSY, Stale, asyncpg.QueryCanceledError)):
        return Conflict(Contended(type(error).__name__))
    if isinstance(error, (*LOST, *READ_ONLY)) or closed:
        return Conflict(Unavailable(type(error).__name__))
    if isinstance(error, FULL):
        return Unavailable(type(error).__name__)
    return error
