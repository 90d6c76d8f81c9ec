"""What one interception costs a PostgreSQL server: processor, log and room, as it counts them."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from gateway.domain.carrier import Answer, Verdict
from gateway.domain.create import Created
from gateway.domain.reply import Finish
from gateway.store.store import Store, driver
from tests.engines import Engine
from tests.ledgers import terms
from tests.store.test_store import Stand, at

AT_ONCE = 128  # callers
HEALTHY_SHARE = 0.6  # of a server's processors that may be spent before answers wait


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one interception: registered, quoted, created, answered by its carrier."""

    interceptions: int
    gateway_us: float  # loading, deciding, writing: without gRPC and HTTP
    server_us: float
    log_bytes: float
    stored_bytes: float
    batch: float  # commands to a commit


async def cost(made: Engine, interceptions: int) -> Cost:
    clock = at()
    stand = Stand(clock)
    await driver(made.url).migrate()
    store = Store(driver(made.url), clock, terms(), patience_s=30)
    await store.start()
    await stand.shop(store, 2**40)
    sizes: list[int] = []
    store.batches.append(sizes.append)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            quote = await stand.quote(store)
            created = await store.run(stand.create(quote, f"c{number}", slot=True))
            assert isinstance(created, Created)
            assert created.work is not None
            work = created.work
            yes = Answer(Verdict.ACCEPTED, reference=f"r{number}")
            await store.run(Finish(work.job, work.gen, work.subject, work.attempt, yes))

    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))  # plans and caches
    before = _measured(made)
    spent = time.process_time()
    await asyncio.gather(*(one(AT_ONCE + number) for number in range(interceptions)))
    spent = time.process_time() - spent
    server_s, log, stored = (b - a for a, b in zip(before, _measured(made), strict=True))
    await store.stop()
    return Cost(
        interceptions,
        spent / interceptions * 1e6,
        server_s / interceptions * 1e6,
        log / interceptions,
        stored / interceptions,
        sum(sizes) / len(sizes),
    )


def _measured(made: Engine) -> tuple[float, int, int]:
    """The server's processor seconds, bytes of its log, bytes of the database."""
    [(pid,)] = made.table("SELECT pg_backend_pid()")
    parent = made.table("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    family = psutil.Process(parent[0][0]).parent()
    processes = [family, *family.children(recursive=True)] if family else []
    [(log,)] = made.table("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    [(stored,)] = made.table("SELECT pg_database_size(current_database())")
    return _seconds(p for p in processes if p.pid != pid), log, stored


def _seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
