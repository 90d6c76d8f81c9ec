"""What a store must do whatever its engine: batches, races, order, and one ledger for one history.

Where an engine can be shared, these tests open it twice: whatever a second replica could break, it
has its chance to.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.clock import Clock, new_id, steady_ms
from gateway.domain.carrier import Answer, Delivery, Milestone, Reason, Scan, Status, Verdict
from gateway.domain.create import Created, CreateInterception
from gateway.domain.due import LeaseDue
from gateway.domain.fees import DAY_MS, LEASE_MS
from gateway.domain.interception import Inbox, InboxStatus, Interception, Job, JobKind
from gateway.domain.merchant import TopUp
from gateway.domain.parcel import OrderLine
from gateway.domain.push import ApplyPush, ReceivePush
from gateway.domain.quote import MakeQuote
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.domain.register import RegisterParcel
from gateway.domain.reply import Finish
from gateway.store import sets
from gateway.store.rows import TABLES
from gateway.store.store import Store, driver
from tests.engines import ENGINES, Engine, copied, engine
from tests.ledgers import KINDS, PEOPLE, SHOP, START, TENANT, Desk, month, opened, terms

FEE = 800
MACHINE_TIME = {"started_ms", "ended_ms", "lease_until"}  # what the machine's own clock says
LINE = OrderLine("", "", "o1", "1", 1, False, "shirt", "apparel", 1, 5000, 6000, 0)


@pytest.fixture(params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, tmp_path) as new:
        yield new


@pytest.fixture
async def desk(made: Engine) -> AsyncIterator[Desk]:
    ready = await opened(made)
    yield ready
    await ready.store.stop()


@asynccontextmanager
async def replicas(made: Engine, clock: Clock, **changes: Any) -> AsyncIterator[list[Store]]:
    """As many stores as the engine lets be open at once, two at most."""
    await driver(made.url).migrate()
    stores = [
        Store(driver(made.url), clock, terms(**changes), patience_s=30)
        for _ in range(2 if driver(made.url).shared else 1)
    ]
    for store in stores:
        await store.start()
    try:
        yield stores
    finally:
        for store in stores:
            await store.stop()


@dataclass(slots=True)
class Stand:
    """A shop's own steps, for tests that need many parcels quickly."""

    clock: Clock
    numbers: int = 0

    async def shop(self, store: Store, money: int) -> None:
        await Desk(Engine("", ""), store, self.clock).opened(money)

    async def quote(self, store: Store) -> str:
        self.numbers += 1
        waybill = f"SF{self.numbers:013d}"
        register = RegisterParcel(
            TENANT, SHOP, "sf", "sf", "a", waybill, Status.UNKNOWN, (LINE,), PEOPLE
        )
        await store.run(register)
        seen = Scan(waybill, Milestone.PICKED_UP, "50", self.clock.now())
        read = Answer(Verdict.RECEIVED, scans=(seen,))
        quoted = await store.run(MakeQuote(TENANT, SHOP, "sf", waybill, read))
        key: str = quoted.quote.id
        return key

    def create(self, quote: str, request: str, *, slot: bool = False) -> CreateInterception:
        return CreateInterception(TENANT, request, SHOP, quote, "pa", "", slot, "clerk")


def at(now: int = START) -> Clock:
    clock = Clock(followed=True)
    clock.follow(now)
    return clock


# -- one history, one ledger ----------------------------------------------------------------


def rows(made: Engine) -> dict[str, list[dict[str, Any]]]:
    """All there is, but for what the machine's own clock says."""
    found = {}
    for kind, table, _ in TABLES:
        names = [name for name in kind.__struct_fields__ if name not in MACHINE_TIME]
        values = made.table(f"SELECT {', '.join(names)} FROM {table} ORDER BY id")
        found[table] = [dict(zip(names, row, strict=True)) for row in values]
    return found


async def _ledger(made: Engine) -> dict[str, list[dict[str, Any]]]:
    desk = await opened(made)
    await month(desk)
    await desk.store.stop()
    return rows(made)


async def test_one_history_makes_one_ledger_in_sqlite_and_postgres(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as file, engine("postgres", tmp_path) as server:
        ours, theirs = await _ledger(file), await _ledger(server)
    for table in ours:
        assert ours[table] == theirs[table], table
    assert len(ours["event"]) > 100


# -- races ----------------------------------------------------------------------------------


@pytest.mark.parametrize("run", range(5))
async def test_a_balance_for_ten_makes_ten_of_a_hundred(made: Engine, run: int) -> None:
    """However they are spread over replicas and batches. `python -m tests.store races` does fifty
    such runs."""
    await race(made, run)


async def race(made: Engine, run: int, creates: int = 100, paid: int = 10) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], (paid + 1) * FEE + run % FEE)
        await stores[0].run(stand.create(await stand.quote(stores[0]), "first"))  # all accounts
        quotes = [await stand.quote(stores[n % len(stores)]) for n in range(creates)]
        answers = await asyncio.gather(
            *(
                stores[(n + run) % len(stores)].run(stand.create(quote, f"c{n}"))
                for n, quote in enumerate(quotes)
            )
        )
        made_ = [answer for answer in answers if isinstance(answer, Created)]
        refused = [answer for answer in answers if isinstance(answer, Refusals)]
        assert (len(made_), len(refused)) == (paid, creates - paid)
        assert {unmet.why for no in refused for unmet in no.unmet} == {Why.BALANCE_LOW}
        assert await stores[0].audit() == []


async def test_fifty_at_once_with_one_request_id_make_one(made: Engine) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        quote = await stand.quote(stores[0])
        command = stand.create(quote, "the same")
        answers = await asyncio.gather(*(stores[n % len(stores)].run(command) for n in range(50)))
        assert len({answer.interception.id for answer in answers}) == 1
        assert Counter(answer.replayed for answer in answers) == {True: 49, False: 1}
        assert await stores[0].audit() == []


async def test_one_quote_is_used_by_one_of_fifty(made: Engine) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        quote = await stand.quote(stores[0])
        answers = await asyncio.gather(
            *(stores[n % len(stores)].run(stand.create(quote, f"c{n}")) for n in range(50))
        )
        assert sum(isinstance(answer, Created) for answer in answers) == 1
        others = {no.why for no in answers if isinstance(no, Refusal)}
        assert others <= {Why.QUOTE_USED, Why.INTERCEPT_OPEN}
        assert await stores[0].audit() == []


async def test_one_parcel_registered_by_all_at_once_is_one(made: Engine) -> None:
    clock = at()
    async with replicas(made, clock) as stores:
        await Stand(clock).shop(stores[0], 100_000)
        command = RegisterParcel(
            TENANT, SHOP, "sf", "sf", "a", "SF1", Status.UNKNOWN, (LINE,), PEOPLE
        )
        answers = await asyncio.gather(*(stores[n % len(stores)].run(command) for n in range(20)))
        assert len({answer.id for answer in answers}) == 1


async def test_one_push_on_every_replica_is_kept_and_applied_once(made: Engine) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        await stores[0].run(stand.create(await stand.quote(stores[0]), "c1"))
        row = Inbox("sf/a/k", "sf", "a", 3, True, b"body", "", "0" * 64, 0, None, InboxStatus.NEW)
        kept = await asyncio.gather(*(store.run(ReceivePush(row)) for store in stores * 8))
        assert Counter(kept) == {True: 1, False: len(kept) - 1}
        scan = Scan("SF0000000000001", Milestone.IN_TRANSIT, "30", clock.now())
        apply = ApplyPush("sf/a/k", "sf", Delivery("sf/a/k", (scan.waybill,), (scan,)))
        said = await asyncio.gather(*(store.run(apply) for store in stores * 8))
        assert set(said) == {InboxStatus.APPLIED}
        assert made.table("SELECT COUNT(*) FROM scan WHERE code = '30'") == [(1,)]
        assert await stores[0].audit() == []


async def test_a_due_job_is_leased_once(made: Engine) -> None:
    """Replicas that look at the same moment share the work, and wait for nobody."""
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        for n in range(40):
            await stores[0].run(stand.create(await stand.quote(stores[0]), f"c{n}"))
        taken: Counter[str] = Counter()
        for _ in range(20):
            works = await asyncio.gather(*(s.run(LeaseDue(KINDS, 8, {})) for s in stores))
            taken.update(work.job for some in works for work in some)
        assert len(taken) == 40
        assert set(taken.values()) == {1}
        attempts = made.table("SELECT COUNT(*), COUNT(DISTINCT interception) FROM attempt")
        assert attempts == [(40, 40)]
        assert await stores[0].audit() == []


async def test_a_reading_is_leased_once(made: Engine) -> None:
    """Of readings there is no attempt whose index would tell: the lock alone keeps them single."""
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        for n in range(30):
            answer = await stores[0].run(
                stand.create(await stand.quote(stores[0]), f"c{n}", slot=True)
            )
            work = answer.work
            silence = Answer(Verdict.UNKNOWN, Reason.NO_ANSWER)
            await stores[0].run(Finish(work.job, work.gen, work.subject, work.attempt, silence))
        clock.follow(START + DAY_MS)
        taken: Counter[str] = Counter()
        for _ in range(4):
            works = await asyncio.gather(
                *(s.run(LeaseDue((JobKind.FOLLOW,), 30, {})) for s in stores)
            )
            taken.update(work.job for some in works for work in some)
        assert len(taken) == 30
        assert set(taken.values()) == {1}


async def test_in_postgres_a_job_of_a_parcel_that_somebody_is_at_is_left_to_him() -> None:
    clock = at()
    stand = Stand(clock)
    with engine("postgres", Path()) as made:
        async with replicas(made, clock) as stores:
            await stand.shop(stores[0], 100_000)
            for n in range(3):
                await stores[0].run(stand.create(await stand.quote(stores[0]), f"c{n}"))
            held = await asyncpg.connect(made.url)
            await held.execute("BEGIN")
            lock = "SELECT id FROM parcel WHERE waybill = $1 FOR NO KEY UPDATE"
            await held.execute(lock, "SF0000000000002")
            async with asyncio.timeout(5):
                taken = await stores[1].run(LeaseDue((JobKind.SUBMIT,), 30, {}))
            found = {work.order.waybill for work in taken}
            assert found == {"SF0000000000001", "SF0000000000003"}
            await held.execute("ROLLBACK")
            await held.close()
            (left,) = await stores[1].run(LeaseDue((JobKind.SUBMIT,), 30, {}))
            assert left.order.waybill == "SF0000000000002"


async def test_batches_over_the_same_wallet_and_parcels_never_fail(made: Engine) -> None:
    """In whatever order two replicas take them up: nothing is refused for a deadlock."""
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 10_000_000)
        created = []
        for n in range(60):
            answer = await stores[0].run(stand.create(await stand.quote(stores[0]), f"c{n}"))
            created.append(answer.interception.id)
        works = await stores[0].run(LeaseDue((JobKind.SUBMIT,), 100, {}))

        async def finish(store: Store, order: list[Any]) -> None:
            await asyncio.gather(
                *(
                    store.run(Finish(w.job, w.gen, w.subject, w.attempt, Answer(Verdict.ACCEPTED)))
                    for w in order
                ),
                *(
                    store.run(TopUp(TENANT, f"{store.owner}{n}", SHOP, 100, "CNY",
                                    f"{store.owner}{n}", "treasurer"))
                    for n in range(30)
                ),
            )  # fmt: skip

        orders = [works, list(reversed(works))]
        await asyncio.gather(
            *(finish(store, order) for store, order in zip(stores, orders, strict=False))
        )
        stands = made.table("SELECT DISTINCT decision, money FROM interception")
        assert stands == [("ACCEPTED", "CAPTURED")]
        assert await stores[0].audit() == []


# -- order ----------------------------------------------------------------------------------


async def test_a_reader_of_events_misses_none_while_others_write(made: Engine) -> None:
    """A cursor that has passed a position finds nothing before it later, on any replica."""
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 10_000_000)
        quotes = [await stand.quote(stores[0]) for _ in range(120)]
        done = asyncio.Event()

        async def read(store: Store) -> list[int]:
            seen: list[int] = []
            last = False
            while True:
                last = last or done.is_set()
                after = seen[-1] if seen else 0
                page = await store.events(TENANT, after=after, limit=7)
                seen += [position for position, _ in page]
                if page:
                    continue
                if last:
                    return seen
                await store.changed(after, 0.05)
                last = done.is_set()

        readers = [asyncio.create_task(read(store)) for store in stores]
        await asyncio.gather(
            *(
                stores[n % len(stores)].run(stand.create(quote, f"c{n}"))
                for n, quote in enumerate(quotes)
            )
        )
        done.set()
        every = [row[0] for row in made.table("SELECT position FROM event ORDER BY position")]
        for reader in readers:
            assert await reader == every


async def test_in_postgres_positions_are_taken_in_the_order_of_commits() -> None:
    """Whoever takes positions has those behind it wait until its own can be read: no reader's
    cursor passes over events that are still to come."""
    clock = at()
    stand = Stand(clock)
    with engine("postgres", Path()) as made:
        async with replicas(made, clock) as stores:
            await stand.shop(stores[0], 100_000)
            quote = await stand.quote(stores[0])
            before = await stores[1].changed(-1, 0)
            taking = sets.EVENTS.split("(SELECT ")[1].split(")) ")[0] + ")"
            held = await asyncpg.connect(made.url)
            await held.execute("BEGIN")
            await held.execute(f"SELECT {taking}")
            create = asyncio.create_task(stores[0].run(stand.create(quote, "c1")))
            assert await stores[1].changed(before, 0.5) == before
            assert not create.done()
            await held.execute("COMMIT")
            await held.close()
            assert isinstance(await create, Created)
            assert await stores[1].changed(before, 5) > before


async def test_a_change_is_told_to_every_replica(made: Engine) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        await stand.shop(stores[0], 100_000)
        quote = await stand.quote(stores[0])
        before = await stores[-1].changed(-1, 0)
        waiting = asyncio.create_task(stores[-1].changed(before, 5))
        await stores[0].run(stand.create(quote, "c1"))
        assert await waiting > before


async def test_replicas_count_each_other(made: Engine) -> None:
    async with replicas(made, at()) as stores, asyncio.timeout(10):
        for store in stores:
            while store.replicas != len(stores):
                await store.changed(2**62, 0.05)


# -- leases and failures ----------------------------------------------------------------------


async def test_a_lease_that_ran_out_is_taken_over_and_its_holder_is_fenced(made: Engine) -> None:
    clock = at()
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        first, second = stores[0], stores[-1]
        await stand.shop(first, 100_000)
        made_ = await first.run(stand.create(await stand.quote(first), "c1", slot=True))
        work = made_.work
        made.run(f"UPDATE job SET lease_until = lease_until - {2 * LEASE_MS}")
        await second.run(LeaseDue((JobKind.SUBMIT,), 8, {}))
        jobs = await first.rows(Job, "job_of", keys=[work.subject])
        [job] = [job for job in jobs if job.id == work.job]
        assert job.owner == ""
        [ic] = await first.rows(Interception, "interception", id=work.subject)
        assert ic.decision == "UNKNOWN"
        late = Finish(work.job, work.gen, work.subject, work.attempt, Answer(Verdict.ACCEPTED))
        ended = await first.run(late)  # a reply is evidence whoever brings it
        assert (ended.decision, ended.money) == ("ACCEPTED", "CAPTURED")
        assert await first.audit() == []


async def test_leases_that_ran_out_while_the_process_stood_still_are_not_forgotten_yet(
    made: Engine,
) -> None:
    """The audit blames whoever looks and does not see; not who wakes up and has not looked."""
    steady = [steady_ms()]
    clock = Clock(followed=True, steady_ms=lambda: steady[0])
    clock.follow(START)
    stand = Stand(clock)
    async with replicas(made, clock) as stores:
        store = stores[0]
        await stand.shop(store, 100_000)
        await store.run(stand.create(await stand.quote(store), "c1", slot=True))
        look = LeaseDue((), 8, {})
        await store.run(look)
        steady[0] += LEASE_MS + 61_000  # it stands still
        assert await store.audit() == []
        made.run("UPDATE job SET lease_until = lease_until - 90000 WHERE state = 'leased'")
        await store.run(look)
        assert [finding.rule for finding in await store.audit()] == ["O2"]


async def test_a_push_that_time_leapt_over_is_not_forgotten_before_anybody_could_look(
    made: Engine,
) -> None:
    steady = [steady_ms()]
    clock = Clock(followed=True, steady_ms=lambda: steady[0])
    clock.follow(START)
    async with replicas(made, clock) as stores:
        steady[0] += 61_000
        key = await Desk(made, stores[0], clock).receive("sf", b"{}")
        clock.follow(START + 2 * DAY_MS)
        assert await stores[0].audit() == []
        steady[0] += 61_000
        (finding,) = await stores[0].audit()
        assert (finding.rule, finding.rows) == ("K6", ((key, "new for more than a day"),))


async def test_a_no_that_nobody_listed_is_looked_into(desk: Desk) -> None:
    ic = await desk.create("sf")
    told = await desk.answer(ic, Verdict.REFUSED, Reason.UNLISTED, code="9999")
    assert (told.decision, told.money) == ("UNKNOWN", "HELD")
    seen = await desk.see(ic)
    assert (seen.decision, seen.reason) == ("REFUSED", "UNLISTED")


async def test_one_command_that_breaks_does_not_break_its_batch(made: Engine) -> None:
    clock = at()
    async with replicas(made, clock) as stores:
        stand = Stand(clock)
        await stand.shop(stores[0], 100_000)
        quotes = [await stand.quote(stores[0]) for _ in range(3)]
        broken = Finish("submit/nobody", 1, "nobody", "nothing", Answer(Verdict.ACCEPTED))
        answers = await asyncio.gather(
            *(stores[0].run(stand.create(quote, quote)) for quote in quotes),
            stores[0].run(broken),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers[:3]] == [Created] * 3
        assert isinstance(answers[3], KeyError)


async def test_what_is_written_is_whole_minor_units(made: Engine) -> None:
    """Neither engine takes half a fen for a whole one."""
    clock = at()
    async with replicas(made, clock) as stores:
        await Stand(clock).shop(stores[0], 100_000)
        before = rows(made)
        half: Any = 0.5
        with pytest.raises(ValueError, match="whole number"):
            await stores[0].run(TopUp(TENANT, "t", SHOP, half, "CNY", "r", "x"))
        merchant = (await stores[0].table("merchant", id=SHOP))[0]
        assert merchant["currency"] == "CNY"
        assert rows(made) == before


async def test_a_copy_of_a_store_goes_on_where_it_stopped(made: Engine, tmp_path: Path) -> None:
    desk = await opened(made)
    told = await month(desk)
    await desk.store.stop()
    with copied(made, tmp_path) as other:
        store = Store(driver(other.url), desk.clock, terms())
        await store.start()
        [found] = await store.rows(Interception, "interception", id=told["returned"])
        assert found.movement == "RETURNED"
        assert await store.changed(-1, 0) > 0
        await store.stop()


def test_ids_of_two_processes_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
