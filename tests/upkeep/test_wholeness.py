"""Damage in a file that is too large to be looked through before it is served."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from structlog.testing import capture_logs

from gateway.assembly import Gateway
from gateway.clock import Clock
from gateway.config import StoreSettings, load
from gateway.domain.due import LeaseDue
from gateway.store.driver import StoreError
from gateway.store.sqlite import connect, migrate
from gateway.store.store import Store, driver
from gateway.store.wholeness import Wholeness
from gateway.store.writer import Unavailable
from gateway.vitals import LOOK_S
from tests.engines import Engine
from tests.ledgers import month, opened, terms
from tests.upkeep.test_migration import CONFIG, command

FILLING = (
    "INSERT INTO filling WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < 400000) SELECT i, hex(randomblob(60)) FROM n"
)
SOON_S = 20.0


async def lived(path: Path) -> None:
    desk = await opened(Engine("sqlite", f"sqlite:///{path}"))
    await month(desk)
    await desk.store.stop()


def harmed(path: Path, table: str) -> bytes:
    """The root page of a table becomes none of a tree. What the file was before."""
    with closing(connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(size,)] = db.execute("PRAGMA page_size").fetchall()
        found = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        [(page,)] = found.fetchall()
    before = path.read_bytes()
    start = (page - 1) * size
    path.write_bytes(before[:start] + bytes([before[start] ^ 0x10]) + before[start + 1 :])
    return before


async def started(path: Path) -> Store:
    """On a file that counts as large, however small it is."""
    store = Store(driver(f"sqlite:///{path}", check_mib=0), Clock(), terms())
    await store.start()
    return store


async def test_damage_ends_the_service_and_every_later_start(tmp_path: Path) -> None:
    """What was found is known when the file is opened again, until one that is whole is there."""
    path = tmp_path / "store.sqlite3"
    await lived(path)
    before = harmed(path, "proof")  # nothing reads it at a start
    store = await started(path)
    end = time.monotonic() + SOON_S
    while not store.damaged and time.monotonic() < end:  # noqa: ASYNC110, a thread finds it
        await asyncio.sleep(0.01)
    assert store.damaged
    assert not store.healthy
    with pytest.raises(Unavailable, match="damaged"):
        await store.table("inbox_count")
    with pytest.raises(Unavailable, match="damaged"):
        await store.run(LeaseDue((), 1, {}))
    await store.stop()
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            await started(path)
    path.write_bytes(before)
    store = await started(path)
    assert sorted(path.parent.glob("*.damaged")) == []
    assert await store.table("inbox_count")
    assert store.healthy
    await store.stop()


async def test_a_gateway_that_has_found_damage_says_so_and_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    migrate(path)
    harmed(path, "proof")
    settings = load(CONFIG)
    kept = StoreSettings(url=SecretStr(f"sqlite:///{path}"), check_mib=0)
    gateway = Gateway(settings.model_copy(update={"store": kept}))
    with capture_logs() as said:
        await gateway.store.start()
        gateway.vitals.start()
        async with TestClient(TestServer(gateway.health_app())) as client:
            found = await until_told(client)
        await gateway.vitals.stop()
    await gateway.store.stop()
    assert found == (503, "store\n")
    assert "the store is damaged: restore it from a backup" in [line["event"] for line in said]
    served = await asyncio.to_thread(command, "serve", f"sqlite:///{path}")
    assert served.returncode == 3
    assert "is damaged" in served.stderr


async def until_told(client: TestClient[Any, Any]) -> tuple[int, str]:
    """What is said once it is no longer that all is well, and some time after it."""
    end, found = time.monotonic() + SOON_S, (200, "")
    while found[0] == 200 and time.monotonic() < end:
        async with client.get("/readyz") as response:
            found = response.status, await response.text()
        await asyncio.sleep(2 * LOOK_S)
    return found


async def test_a_large_file_that_is_whole_is_served_and_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    await lived(path)
    found = Wholeness(path, 0)
    found.begin()
    assert found.wait(SOON_S)
    assert not found.damaged
    found.end()
    assert sorted(path.parent.glob("*.damaged")) == []


@pytest.mark.timeout(60)
def test_a_look_through_a_file_is_broken_off_when_the_gateway_ends(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    migrate(path)
    with closing(connect(path)) as db:
        db.execute("CREATE TABLE filling (id INTEGER PRIMARY KEY, text TEXT)")
        db.execute(FILLING)
        db.execute("CREATE INDEX filling_by_text ON filling (text)")
        begun = time.thread_time()
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        whole_s = time.thread_time() - begun
    found = Wholeness(path, 0)
    begun = time.process_time()
    found.begin()
    found.end()
    assert time.process_time() - begun < whole_s / 2
    assert not found.damaged
