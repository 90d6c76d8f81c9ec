"""The store: decisions are committed in batches, answers are read beside them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.clock import Clock
from gateway.domain.command import Command, Env
from gateway.domain.decide import LONG
from gateway.domain.due import LeaseDue
from gateway.domain.fees import Terms
from gateway.domain.interception import EventRow
from gateway.domain.record import Record
from gateway.failpoints import FailPoints
from gateway.store import postgres, sqlite
from gateway.store.audit import Finding, Moment
from gateway.store.batch import Done, decided
from gateway.store.driver import Begin, Conflict, Driver, SafeMode, StoreError, Table
from gateway.store.rows import Builder, builder
from gateway.store.wholeness import AT_ONCE
from gateway.store.writer import Contended, Outcome, Unavailable, Writer

TRIES_MAX = 5  # at a batch that others are in the way of; then its commands go one by one
PAUSE_S = 0.005  # after the first try; it doubles
STUCK_S = 5.0  # a commit that takes longer will not be waited for: the store is not well
MIB = 2**20
DRIVERS: Mapping[str, Callable[[str, float, int], Driver]] = {
    "sqlite": lambda url, _, check_mib: sqlite.Driver(url, check_mib * MIB),  # it answers, or fails
    "postgresql": lambda url, silent_s, _: postgres.Driver(url, silent_s),
    "postgres": lambda url, silent_s, _: postgres.Driver(url, silent_s),
}
T = TypeVar("T", bound=Record)


def driver(
    url: str, silent_s: float = postgres.SILENT_S, check_mib: int = AT_ONCE // MIB
) -> Driver:
    """The database behind a URL. One that is silent for so long is given up; a file of up to so
    many MiB is looked through before it is used. Raises StoreError where nothing reads such a
    URL."""
    made = DRIVERS.get(urlsplit(url).scheme)
    if made is None:
        raise StoreError("only sqlite:///<path> and postgresql://… are offered")
    return made(url, silent_s, check_mib)


class Store:
    """One database. Decisions of a batch run on one working snapshot, and are committed once."""

    def __init__(
        self,
        database: Driver,
        clock: Clock,
        terms: Terms,
        points: FailPoints | None = None,
        patience_s: float = 0.3,
    ) -> None:
        self._driver = database
        self._clock = clock
        self.terms = terms
        self._points = points or FailPoints()
        self.owner = clock.new_id()
        self._builders: dict[tuple[str, type[Any]], Builder] = {}
        self._writer = Writer(self._commit, patience_s)
        self._position = 0
        self._now_ms = 0  # machine time of the batch that is decided
        self._looked_ms = 0  # and of the last one that looked for leases that had run out
        self._moved = asyncio.Event()
        self.due: list[Callable[[int], None]] = []  # told when a job is due, business ms
        self.batches: list[Callable[[int], None]] = []  # told the size of each batch
        self.safe = False  # whether the last batch found the store in safe mode
        self._well = True
        self._began: float | None = None  # the commit that is under way

    # -- life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Open and check the database. Raises StoreError where it must not be used."""
        try:
            self._position = await self._driver.open(self.owner, self._clock, self._heard)
        except BaseException:
            await self._driver.close()
            raise
        self._writer.start()

    async def stop(self) -> None:
        await self._writer.stop()
        await self._driver.close()

    @property
    def replicas(self) -> int:
        """How many gateways share the store now, this one among them."""
        return self._driver.replicas

    @property
    def healthy(self) -> bool:
        """Whether it can be written, as far as is known: what could not be written makes it
        unwell, and only what was written makes it well again. One that is damaged stays so."""
        if self.damaged:
            return False
        if self._began is None:
            return self._well
        return self._well and asyncio.get_running_loop().time() - self._began < STUCK_S

    @property
    def damaged(self) -> bool:
        """Whether it has been found to be damaged, beside the work: it must be restored."""
        return self._driver.damaged

    @property
    def waiting(self) -> int:
        """Intake commands that wait for a commit."""
        return self._writer.waiting

    @property
    def late_s(self) -> float:
        """How long the one of them that came first has waited."""
        return self._writer.late_s

    # -- writing --------------------------------------------------------------------------

    async def run(self, command: Command, *, patient: bool = False) -> Any:
        """Decide and commit; the commit goes on if the caller is cancelled. `patient`: nobody
        waits for what comes of it, and it may share a commit that is a little later."""
        return await self._writer.submit(command, patient=patient)

    def _env(self, safe: bool) -> Env:
        clock = self._clock
        self.safe, self._now_ms = safe, clock.machine_ms()
        return Env(clock.now(), self._now_ms, clock.new_id, self.owner, safe)

    async def _commit(self, commands: Sequence[Command]) -> list[Outcome]:
        self._began = asyncio.get_running_loop().time()
        try:
            return await self._committed(commands)
        finally:
            self._began = None

    async def _committed(self, commands: Sequence[Command]) -> list[Outcome]:
        """One transaction for all; one for each where that fails."""
        alone = len(commands) == 1
        for attempt in range(TRIES_MAX):
            try:
                done = await self._transaction(commands)
            except Conflict as error:
                if attempt + 1 == TRIES_MAX and alone:
                    self._well = self._well and not _unwell(error.final)
                    return [(False, error.final)]
                await asyncio.sleep(PAUSE_S * 2**attempt)
            except Unavailable as error:
                self._well = False
                return [(False, error) for _ in commands]
            except Exception as error:
                if alone:
                    return [(False, error)]
                break
            else:
                return [(True, result) for result in done.results]
        return [outcome for command in commands for outcome in await self._committed([command])]

    async def _transaction(self, commands: Sequence[Command]) -> Done:
        names = [type(command).__name__ for command in commands]

        def before_commit() -> None:
            for name in names:
                self._points.hit(f"before_commit:{name}")

        begin = Begin(
            lambda safe: decided(commands, self._env(safe), self.terms, shared=self._driver.shared),
            before_commit,
            unwell=not self._well,
            long=any(type(command) in LONG for command in commands),
        )
        done, position = await self._driver.transact(begin)
        for name in names:
            self._points.hit(f"after_commit:{name}")
        self._well = self._well or begin.unwell or done.rows > 0
        self._heard(position)
        if any(isinstance(command, LeaseDue) for command in commands):
            self._looked_ms = self._now_ms
        if done.due is not None:
            for told in self.due:
                told(done.due)
        for listener in self.batches:
            listener(len(commands))
        return done

    def _heard(self, position: int) -> None:
        """Events up to the position are there to be read."""
        if position > self._position:
            self._position = position
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    async def scour(self) -> bool:
        """Leave no copy of what was erased. False while somebody reads from it."""
        return await self._driver.scour()

    # -- safe mode ------------------------------------------------------------------------

    async def safe_mode(self) -> SafeMode | None:
        """The restore that has not been reconciled yet, if there is one."""
        found = await self.rows(SafeMode, "safe_mode")
        self.safe = bool(found)
        return found[0] if found else None

    async def switch(self, mode: SafeMode | None) -> None:
        """Begin or end it; every gateway at this store notices with its next batch."""
        await self._driver.switch(mode)
        self.safe = mode is not None

    def told(self) -> str | None:
        """A word for the gateway that has the store: see Driver."""
        return self._driver.told()

    def tell(self, word: str | None) -> None:
        self._driver.tell(word)

    # -- reading --------------------------------------------------------------------------

    async def rows(self, kind: type[T], query: str, **params: Any) -> list[T]:
        """The rows of a named query, as records."""
        (table,) = await self._driver.fetch([(query, params)])
        return self._built(kind, query, table)

    async def several(self, *asked: tuple[type[Record], str, Mapping[str, Any]]) -> list[list[Any]]:
        """The rows of some named queries, as records of their kinds: one way to the database for
        all, where each on its own costs more to be asked than to be answered."""
        tables = await self._driver.fetch([(query, params) for _, query, params in asked])
        return [
            self._built(kind, query, table)
            for (kind, query, _), table in zip(asked, tables, strict=True)
        ]

    def _built(self, kind: type[T], query: str, table: Table) -> list[T]:
        if not table.rows:
            return []
        build = self._builders.get((query, kind))
        if build is None:
            build = self._builders[query, kind] = builder(kind, table.names)
        return [build(row) for row in table.rows]

    async def table(self, query: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query, as they are."""
        (table,) = await self._driver.fetch([(query, params)])
        return [dict(zip(table.names, row, strict=True)) for row in table.rows]

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
        query, of = "events_of_tenant", {}
        if interception:
            query, of = "events_of_interception", {"interception": interception}
        elif merchant:
            query, of = "events_of_merchant", {"merchant": merchant}
        return await self._events(query, {"tenant": tenant, "after": after, "limit": limit, **of})

    async def log(self, after: int, limit: int) -> list[tuple[int, EventRow]]:
        """Events of all tenants after a position, oldest first, each with its own."""
        return await self._events("events_of_all", {"after": after, "limit": limit})

    async def _events(self, query: str, params: Mapping[str, Any]) -> list[tuple[int, EventRow]]:
        (table,) = await self._driver.fetch([(query, params)])
        if not table.rows:
            return []
        at = table.names.index("position")
        built = self._built(EventRow, query, table)
        return [(row[at], event) for row, event in zip(table.rows, built, strict=True)]

    async def changed(self, after: int, timeout_s: float) -> int:
        """Wait until an event lies after the position, or for so long. The newest position."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while self._position <= after and (left := end - loop.time()) > 0:
            moved = self._moved
            try:
                async with asyncio.timeout(left):  # `wait_for` may take a cancellation for an end
                    await moved.wait()
            except TimeoutError:
                break
        return self._position

    async def newest(self) -> int:
        """The position of the newest event that is committed. `changed` says up to where this
        process has heard: of its own commit it hears a moment after others can read it, and of
        another gateway's when it is told."""
        (row,) = await self.table("newest_position")
        return int(row["position"])

    async def audit(self) -> list[Finding]:
        """The rules that do not hold now, all seen at one moment. Leases are judged as of the last
        look at them: a process that stood still has not forgotten them yet. Pushes are judged as
        of a while ago: it has not forgotten what it had no time to read."""
        moment = Moment(
            now=self._clock.now(),
            machine_ms=self._looked_ms or self._clock.machine_ms(),
            earlier=self._clock.earlier(),
            four_eyes_above_minor=self.terms.policy.four_eyes_above_minor,
            retention_ms=self.terms.policy.retention_ms,
        )
        return await self._driver.audit(moment)


def _unwell(error: Exception) -> bool:
    """Whether a batch that failed shows that the store cannot be written."""
    return isinstance(error, Unavailable) and not isinstance(error, Contended)
