"""The schema's way from one version to the next: killed anywhere, begun twice, or unknown."""

import asyncio
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import schema
from gateway.store.audit import Finding, Moment
from gateway.store.sqlite import audit, connect, migrate
from gateway.store.store import driver
from tests.engines import ENGINES, Engine, engine, now
from tests.ledgers import month, opened
from tests.upkeep.place import PROGRAM

FIRST = Path(__file__).parent.parent / "golden" / "store" / "version-1.sql.gz"
# A server's store as version 3 left it, with the same month in it: `pg_dump --inserts`.
THIRD = FIRST.with_name("version-3-postgres.sql.gz")
CONFIG = Path(__file__).parent.parent.parent / "docs" / "turnback.toml"
MADE = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master "
    "WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name",
    "postgres": "SELECT relname, relkind::text, "
    "CASE WHEN relkind = 'i' THEN pg_get_indexdef(oid) ELSE '' END FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
}


def first(path: Path) -> Engine:
    """A store as the first release left it, with a month in it: dumped by `iterdump` then."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(gzip.decompress(FIRST.read_bytes()).decode("utf-8"))
    return Engine("sqlite", f"sqlite:///{path}")


def kills(url: str) -> tuple[list[tuple[int, int, int]], int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.upkeep.killed", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=CONFIG.parent.parent,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    return [tuple(death) for death in said["deaths"]], said["version"]


def command(name: str, url: str) -> subprocess.CompletedProcess[str]:
    free = {f"TURNBACK_{part}__PORT": "0" for part in ("GRPC", "PUSH", "METRICS")}
    return subprocess.run(
        [PROGRAM, name, "--config", CONFIG],
        env=os.environ | free | {"TURNBACK_STORE__URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", ENGINES)
def test_a_new_store_is_whole_or_not_there(name: str, tmp_path: Path) -> None:
    """Killed before every statement: a version between none and the newest is never seen."""
    with engine(name, tmp_path) as store:
        deaths, found = kills(store.url)
        assert len(deaths) > 80
        assert all(before == 0 for _, before, _ in deaths)
        assert all(after == 0 for _, _, after in deaths[:-1])
        assert deaths[-1][2] == found == schema.VERSION  # killed after its commit: it is done
        with engine(name, tmp_path / "fresh") as fresh:
            now(driver(fresh.url).migrate())
            assert store.table(MADE[name]) == fresh.table(MADE[name])


def test_a_store_of_the_first_release_is_taken_over(tmp_path: Path) -> None:
    old = first(tmp_path / "first.sqlite3")
    tables = [row[0] for row in old.table("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {
        table: ", ".join(row[1] for row in old.table(f"PRAGMA table_info({table})"))
        for table in tables
    }
    before = {table: old.table(f"SELECT * FROM {table} ORDER BY 1") for table in tables}
    assert old.table("PRAGMA user_version") == [(1,)]
    deaths, found = kills(old.url)
    assert found == schema.VERSION
    versions = [deaths[0][1], *(after for _, _, after in deaths)]
    assert [before for _, before, _ in deaths] == versions[:-1]
    assert versions == sorted(versions)  # each step whole, or not begun
    assert set(versions) == set(range(1, schema.VERSION + 1))
    assert len(deaths) >= 4  # each table, the version, the commit, and after it
    for table, rows in before.items():
        assert old.table(f"SELECT {columns[table]} FROM {table} ORDER BY 1") == rows, table
    with engine("sqlite", tmp_path / "fresh") as fresh:
        now(driver(fresh.url).migrate())
        assert sorted(old.table(MADE["sqlite"])) == sorted(fresh.table(MADE["sqlite"]))
    with closing(connect(tmp_path / "first.sqlite3")) as db:
        db.execute("BEGIN")
        [(newest,)] = db.execute("SELECT MAX(at) FROM event").fetchall()
        assert audit(db, Moment(now=newest)) == []


COLUMNS = (
    "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass "
    "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
TYPED = (
    "SELECT attrelid::regclass::text, attnum, attname::text, atttypid::regtype::text, attnotnull "
    "FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND attnum > 0 "
    "AND NOT attisdropped ORDER BY 1, 2"
)
CHECKED = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
)
GUARDED = (
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
)


def test_a_store_of_a_server_is_taken_over(tmp_path: Path) -> None:
    """Its checks are changed in place: old rows stay, new kinds are let in."""
    with engine("postgres", tmp_path) as old, engine("postgres", tmp_path / "x") as fresh:
        old.run(gzip.decompress(THIRD.read_bytes()).decode("utf-8"))
        tables = [row[0] for row in old.table(MADE["postgres"]) if row[1] == "r"]
        columns = {
            table: ", ".join(row[0] for row in old.table(COLUMNS.format(table=table)))
            for table in tables
        }
        before = {table: old.table(f"SELECT * FROM {table} ORDER BY 1") for table in tables}
        assert len(before["transfer"]) > 20
        deaths, found = kills(old.url)
        assert found == schema.VERSION
        assert {after for _, _, after in deaths} == set(range(3, schema.VERSION + 1))  # each whole
        assert len(deaths) > 20
        for table, rows in before.items():
            if table != "schema_version":
                assert old.table(f"SELECT {columns[table]} FROM {table} ORDER BY 1") == rows, table
        now(driver(fresh.url).migrate())
        for made in (MADE["postgres"], TYPED, CHECKED, GUARDED):
            assert sorted(old.table(made)) == sorted(fresh.table(made))
        [(newest,)] = old.table("SELECT MAX(at) FROM event")
        assert now(_audited(old.url, newest)) == []


async def _audited(url: str, newest: int) -> list[Finding]:
    database = driver(url)
    try:
        return await database.audit(Moment(now=newest))
    finally:
        await database.close()


@pytest.mark.parametrize("name", ENGINES)
async def test_programs_that_migrate_at_one_time_do_it_once(name: str, tmp_path: Path) -> None:
    with engine(name, tmp_path) as store:
        done = await asyncio.gather(
            *(asyncio.to_thread(command, "migrate", store.url) for _ in range(4))
        )
        assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
        with engine(name, tmp_path / "fresh") as fresh:
            await driver(fresh.url).migrate()
            assert store.table(MADE[name]) == fresh.table(MADE[name])


@pytest.mark.parametrize("name", ENGINES)
def test_a_schema_that_is_not_known_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    with engine(name, tmp_path) as store:
        now(driver(store.url).migrate())
        newer = schema.VERSION + 1
        if name == "sqlite":
            store.run(f"PRAGMA user_version = {newer}")
        else:
            store.run(f"UPDATE schema_version SET version = {newer}")
        for what in ("serve", "migrate"):
            done = command(what, store.url)
            assert (done.returncode, done.stdout) == (3, "")
            (line,) = done.stderr.strip().splitlines()
            said = f"schema {newer} is newer than this program knows ({schema.VERSION})"
            assert line.endswith(said)


def test_an_old_schema_is_not_served(tmp_path: Path) -> None:
    done = command("serve", first(tmp_path / "first.sqlite3").url)
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith(f"schema 1, this program needs {schema.VERSION}: run `turnback migrate`")


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (text TEXT)")
        db.commit()
    for what in ("serve", "migrate"):
        done = command(what, f"sqlite:///{path}")
        assert done.returncode == 3
        assert "holds something else" in done.stderr
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]


def test_a_start_that_was_killed_while_it_made_its_store_is_made_good(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
    with engine("sqlite", tmp_path / "x") as other:
        now(driver(other.url).migrate())
    store = Engine("sqlite", f"sqlite:///{path}")

    async def starts() -> None:
        desk = await opened(store)
        await desk.store.stop()

    now(starts())
    assert store.table("PRAGMA user_version") == [(schema.VERSION,)]


@pytest.mark.parametrize("harm", ["flipped", "shortened", "emptied", "overwritten"])
def test_a_damaged_file_is_not_served(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "store.sqlite3"

    async def lived() -> None:
        desk = await opened(Engine("sqlite", f"sqlite:///{path}"))
        await month(desk)
        await desk.store.stop()

    now(lived())
    whole = bytearray(path.read_bytes())
    page = 4096
    if harm == "flipped":  # the head of every tenth page: what a page of a tree is, and holds
        for start in range(page, len(whole), 10 * page):
            whole[start] ^= 0x10
    elif harm == "shortened":
        del whole[len(whole) // 2 :]
    elif harm == "emptied":
        whole[page : 3 * page] = bytes(2 * page)
    else:
        whole[:16] = b"nothing to see  "
    path.write_bytes(whole)
    done = command("serve", f"sqlite:///{path}")
    assert done.returncode == 3, done.stdout
    assert "Traceback" not in done.stderr
    assert "damaged" in done.stderr or "cannot be used" in done.stderr
    assert path.read_bytes() == bytes(whole)


def test_a_file_that_another_program_writes_is_not_served(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    migrate(path)
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = command("serve", f"sqlite:///{path}")
        other.execute("ROLLBACK")
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith("cannot be used: database is locked")


def test_migrating_what_is_new_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    assert migrate(path) == migrate(path) == schema.VERSION
