"""Backups taken while the store is written, and what is refused instead of being half done."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.domain.merchant import TopUp
from gateway.store import schema
from gateway.store.copies import copier
from gateway.store.driver import StoreError
from gateway.store.files import checked
from gateway.upkeep import Settled, backup, mode, settle
from tests.engines import ENGINES, Engine, engine, now, tools
from tests.ledgers import SHOP, TENANT, Desk, month, opened, terms

COUNTED = ("interception", "event", "transfer", "attempt", "job", "parcel", "claim", "inbox")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, tmp_path) as made:
        yield made


def bin_of(store: Engine) -> Path | None:
    return tools() if store.name == "postgres" else None


def restored(target: Engine, source: Path, *, force: bool = False) -> Settled:
    clock = Clock(followed=True)
    begin = mode("a test", clock)
    given: Any = (target.url, source, bin_of(target), begin)
    with copier(target.url).restoring(*given, force=force) as url:
        return now(settle(url, clock, terms()))


def counts(store: Engine) -> dict[str, int]:
    return {table: store.table(f"SELECT COUNT(*) FROM {table}")[0][0] for table in COUNTED}


def test_a_month_comes_back_whole(store: Engine, tmp_path: Path) -> None:
    async def lived() -> None:
        desk = await opened(store)
        await month(desk)
        await desk.store.stop()

    now(lived())
    copy = tmp_path / "copy"
    assert backup(store.url, copy, bin_of(store)) == schema.VERSION
    assert copy.stat().st_mode & 0o777 == 0o600
    with engine(store.name, tmp_path / "new") as target:
        settled = restored(target, copy)
        assert settled.findings == []
        assert settled.doubted == len(
            store.table(
                "SELECT id FROM interception WHERE decision IN ('QUEUED', 'SENDING', 'UNKNOWN')"
            )
        )
        left, came = counts(store), counts(target)
        for table in ("interception", "transfer", "parcel", "claim", "inbox"):
            assert came[table] == left[table], table
        assert came["attempt"] > left["attempt"]
        assert target.table("SELECT id, reason FROM safe_mode") == [("store", "a test")]
        assert store.table("SELECT id FROM safe_mode") == []
        held = "SELECT owner, balance FROM account WHERE kind = 'HELD'"
        assert target.table(held) == store.table(held)
        waits = "SELECT COUNT(*) FROM interception WHERE decision IN ('QUEUED', 'SENDING')"
        assert target.table(waits) == [(0,)]
        sends = "SELECT COUNT(*) FROM job WHERE state = 'leased' AND kind NOT LIKE '%follow'"
        assert target.table(sends) == [(0,)]


async def test_a_backup_is_one_moment_of_a_store_that_is_written(
    store: Engine, tmp_path: Path
) -> None:
    desk = await opened(store)
    ended, count = asyncio.Event(), 0

    async def paying() -> None:
        nonlocal count
        while not ended.is_set():
            count += 1
            key = f"more-{count}"
            await desk.store.run(TopUp(TENANT, key, SHOP, 100, "CNY", key, "treasurer"))

    writer = asyncio.create_task(paying())
    copy = tmp_path / "copy"
    try:
        for number in range(3):
            copy = tmp_path / f"copy-{number}"
            await asyncio.to_thread(backup, store.url, copy, bin_of(store))
    finally:
        ended.set()
        await writer
        await desk.store.stop()
    with engine(store.name, tmp_path / "new") as target:
        assert await asyncio.to_thread(lambda: restored(target, copy).findings) == []
        [(paid,)] = target.table("SELECT COUNT(*) FROM transfer WHERE kind = 'top_up'")
        assert 1 < paid <= count + 1


def test_nothing_is_replaced_by_a_backup(store: Engine, tmp_path: Path) -> None:
    async def made() -> None:
        await (await opened(store)).store.stop()

    now(made())
    copy = tmp_path / "copy"
    copy.write_text("mine")
    with pytest.raises(StoreError, match="never replaces anything"):
        backup(store.url, copy, bin_of(store))
    assert copy.read_text() == "mine"
    backup(store.url, tmp_path / "second", bin_of(store))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".part")) == []


def test_a_store_that_has_something_is_not_restored_over(store: Engine, tmp_path: Path) -> None:
    async def made() -> Desk:
        desk = await opened(store)
        await desk.create()
        await desk.store.stop()
        return desk

    now(made())
    copy = tmp_path / "copy"
    backup(store.url, copy, bin_of(store))
    before = counts(store)
    with pytest.raises(StoreError, match=r"exists: move it away|is not empty"):
        restored(store, copy)
    assert counts(store) == before
    assert store.table("SELECT COUNT(*) FROM safe_mode") == [(0,)]


@pytest.mark.parametrize("what", ["empty", "half", "garbage"])
def test_what_is_no_backup_is_refused(store: Engine, tmp_path: Path, what: str) -> None:
    async def made() -> None:
        await (await opened(store)).store.stop()

    now(made())
    copy = tmp_path / "copy"
    backup(store.url, copy, bin_of(store))
    whole = copy.read_bytes()
    bodies = {"empty": b"", "half": whole[: len(whole) // 2], "garbage": b"nothing" * 9_000}
    copy.write_bytes(bodies[what])
    with engine(store.name, tmp_path / "new") as target:
        with pytest.raises(StoreError):
            restored(target, copy)
        if target.name == "sqlite":
            assert not (tmp_path / "new" / "store.sqlite3").exists()
        else:
            query = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert target.table(query) == [(0,)]


async def test_a_store_in_use_is_not_restored_over(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as store:
        desk = await opened(store)
        copy = tmp_path / "copy"
        try:
            backup(store.url, copy, None)
            with pytest.raises(StoreError, match="in use by another gateway"):
                restored(store, copy, force=True)
        finally:
            await desk.store.stop()


def test_by_force_the_old_store_is_kept_beside_the_new(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as store:

        async def made(more: bool) -> None:
            desk = await opened(store)
            if more:
                await desk.create()
            await desk.store.stop()

        now(made(False))
        copy = tmp_path / "copy"
        backup(store.url, copy, None)
        (tmp_path / "store.sqlite3").unlink()
        now(made(True))
        assert restored(store, copy, force=True).findings == []
        assert counts(store)["interception"] == 0
        (aside,) = [p for p in tmp_path.iterdir() if p.name.startswith("store.sqlite3.before-")]
        assert counts(Engine("sqlite", f"sqlite:///{aside}"))["interception"] == 1
        left = {p.name for p in tmp_path.iterdir()} - {aside.name}
        assert left <= {"copy", "store.sqlite3", "store.sqlite3.lock"} | {
            f"store.sqlite3{end}" for end in ("-wal", "-shm")
        }


def test_a_copy_of_the_files_of_a_store_in_use_is_no_backup(tmp_path: Path) -> None:
    """`cp` of a database without its journal loses what is in the journal."""
    with engine("sqlite", tmp_path) as store:

        async def copied() -> None:
            desk = await opened(store)
            try:
                for end in ("", "-wal"):
                    shutil.copy(f"{tmp_path}/store.sqlite3{end}", f"{tmp_path}/copy{end}")
            finally:
                await desk.store.stop()

        now(copied())
        with pytest.raises(StoreError, match="a store in use, not a backup"):
            checked(tmp_path / "copy")


def test_a_backup_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    with engine("sqlite", tmp_path) as store:

        async def made() -> None:
            await (await opened(store)).store.stop()

        now(made())
        copy = tmp_path / "copy"
        backup(store.url, copy, None)
        with closing(sqlite3.connect(copy)) as db:
            db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        with pytest.raises(StoreError, match="newer than this program knows"):
            checked(copy)


def test_programs_that_are_missing_are_named(tmp_path: Path) -> None:
    with engine("postgres", tmp_path) as store:

        async def made() -> None:
            await (await opened(store)).store.stop()

        now(made())
        empty = tmp_path / "bin"
        empty.mkdir()
        with pytest.raises(StoreError, match=r"pg_dump is not in .*: install PostgreSQL's client"):
            backup(store.url, tmp_path / "copy", empty)
        old = empty / "pg_dump"
        old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
        old.chmod(0o755)
        with pytest.raises(StoreError, match="is of version 9, the server of"):
            backup(store.url, tmp_path / "copy", empty)
        assert not (tmp_path / "copy").exists()


def test_a_postgres_restore_that_broke_off_is_opened_by_nobody(tmp_path: Path) -> None:
    """Tables and rows are there, and the schema's version, which comes last, is not."""
    with engine("postgres", tmp_path) as store, engine("postgres", tmp_path) as target:

        async def made() -> None:
            await (await opened(store)).store.stop()

        now(made())
        copy = tmp_path / "copy"
        backup(store.url, copy, tools())

        def dies(_: int) -> Any:
            raise KeyboardInterrupt

        with (
            pytest.raises(KeyboardInterrupt),
            copier(target.url).restoring(target.url, copy, tools(), dies, force=False),
        ):
            raise AssertionError("not reached")
        assert counts(target) == counts(store)
        with pytest.raises(StoreError, match="schema 0"):
            now(settle(target.url, Clock(), terms()))


def test_a_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    """What other users of the machine see of a program is its arguments."""
    said = tmp_path / "said"
    program = tmp_path / "pg_restore"
    program.write_text(f'#!/bin/sh\necho "$@ / $PGPASSWORD" > {said}; exit 1\n')
    program.chmod(0o755)
    from gateway.store.dump import _run  # noqa: PLC0415

    url = "postgresql://me:s%21cret@db.example.com:5432/turnback?sslmode=require"
    with pytest.raises(StoreError):
        _run([str(program), "copy"], url)
    arguments, password = said.read_text().strip().split(" / ")
    assert arguments == "--dbname=postgresql://me@db.example.com:5432/turnback?sslmode=require copy"
    assert password == "s!cret"
    assert "PGPASSWORD" not in os.environ
