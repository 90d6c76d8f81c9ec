"""Copies of a PostgreSQL store, by PostgreSQL's own programs: pg_dump and pg_restore.

They are for small installations, and for moving house. A platform's own physical backups, with
which it can go back to any moment, are better where there are any; after one of those
`turnback restored` says that the store was restored.

The version of the schema is written last, with safe mode, in one transaction: until then no gateway
opens what has been restored.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from gateway.store import schema
from gateway.store.driver import SafeMode, StoreError
from gateway.store.files import named, new_file
from gateway.store.postgres import switch

FIRST = 2  # version of the schema: there was no PostgreSQL before it
MARK = "schema_version"
FULL = 64  # lines of a program's complaint, at most one of them shown
OURS = (
    "SELECT COUNT(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') "
    "AND relnamespace = current_schema()::regnamespace"
)


def backup(url: str, target: Path, tools: Path | None) -> int:
    program = _program("pg_dump", tools)
    server, found = asyncio.run(_state(url))
    if found == 0:
        raise StoreError("there is nothing to back up: the database has no schema of ours")
    if found > schema.VERSION:
        raise StoreError(schema.strange(found))
    if (major := _major(program)) < server:
        raise StoreError(
            f"{program} is of version {major}, the server of {server}: give --pg-bin the directory "
            "of programs at least as new as the server"
        )
    part = new_file(target)
    try:
        _run(
            [program, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}"],
            url,
        )
        if _version_in(part, tools) != found:
            raise StoreError("the copy does not read as it was written")
        named(part, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return found


@contextmanager
def restoring(
    url: str,
    source: Path,
    tools: Path | None,
    begin: Callable[[int], SafeMode],
    *,
    force: bool,
) -> Iterator[str]:
    if force:
        raise StoreError("--force is not for PostgreSQL: restore into a new, empty database")
    program = _program("pg_restore", tools)
    found = _version_in(source, tools)
    if not FIRST <= found <= schema.VERSION:
        raise StoreError(f"{source}: {schema.strange(found)}")
    if asyncio.run(_tables(url)):
        raise StoreError("the database is not empty: restore into a new one")
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        listed = _run([program, "--list", str(source)]).splitlines()
        chosen.write("\n".join(line for line in listed if not _marks(line)) + "\n")
        chosen.flush()
        given = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        _run([program, *given, f"--use-list={chosen.name}", str(source)], url, option="--dbname=")
    asyncio.run(_begun(url, found, begin))
    yield url


def _marks(line: str) -> bool:
    """Whether an entry of the list is the rows that say which schema this is."""
    return "TABLE DATA" in line and f" {MARK} " in line


def _version_in(copy: Path, tools: Path | None) -> int:
    program = _program("pg_restore", tools)
    given = ["--data-only", f"--table={MARK}", "--file=-", str(copy)]
    rows = re.search(r"^COPY .*\n(\d+)\n\\\.$", _run([program, *given]), re.MULTILINE)
    if rows is None:
        raise StoreError(f"{copy} is no backup of a store")
    return int(rows[1])


async def _state(url: str) -> tuple[int, int]:
    """The server's major version, and the schema's."""
    db = await _connected(url)
    try:
        if await db.fetchval("SELECT to_regclass($1)", MARK) is None:
            return db.get_server_version().major, 0
        found = await db.fetchval(f"SELECT version FROM {MARK}") or 0
        return db.get_server_version().major, int(found)
    finally:
        await db.close()


async def _tables(url: str) -> int:
    db = await _connected(url)
    try:
        return int(await db.fetchval(OURS))
    finally:
        await db.close()


async def _begun(url: str, found: int, begin: Callable[[int], SafeMode]) -> None:
    db = await _connected(url)
    try:
        await db.execute("ANALYZE")
        newest = await db.fetchval("SELECT COALESCE(MAX(at), 0) FROM event")
        async with db.transaction():
            await switch(db, begin(newest))
            await db.execute(f"INSERT INTO {MARK} VALUES ($1)", found)
    except asyncpg.PostgresError as error:
        raise StoreError(f"the database cannot be restored: {error}") from error
    finally:
        await db.close()


async def _connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        db: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            url, timeout=10, server_settings={"application_name": "turnback"}
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise StoreError(f"the database cannot be reached: {type(error).__name__}") from error
    return db


def _program(name: str, tools: Path | None) -> str:
    found = shutil.which(name, path=str(tools) if tools else None)
    if found is None:
        where = f"in {tools}" if tools else "on the PATH"
        raise StoreError(
            f"{name} is not {where}: install PostgreSQL's client programs, or give --pg-bin; or "
            "use the backups of the platform that runs the database"
        )
    return found


def _major(program: str) -> int:
    said = re.search(r"(\d+)(?:\.\d+|devel|beta|rc)", _run([program, "--version"]))
    if said is None:
        raise StoreError(f"{program} does not tell its version")
    return int(said[1])


def _run(command: Sequence[str], url: str = "", option: str = "--dbname=") -> str:
    """Run it; the password goes by the environment, where nobody else reads it."""
    plain, password = _parted(url)
    env = os.environ | ({"PGPASSWORD": password} if password else {})
    given = [*command[:1], *([f"{option}{plain}"] if url else []), *command[1:]]
    try:
        done = subprocess.run(given, env=env, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StoreError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines()[-FULL:] if line.strip()]
        wrong = next((line for line in lines if "error" in line.lower()), "")
        said = wrong or (lines[-1] if lines else f"exit code {done.returncode}")
        raise StoreError(said if not password else said.replace(password, "***"))
    return done.stdout


def _parted(url: str) -> tuple[str, str]:
    """A URL without its password, and the password."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    name, _, secret = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    with suppress(StopIteration):
        secret = next(value for key, value in query if key == "password")
    kept = urlencode([pair for pair in query if pair[0] != "password"], safe="/,:")
    plain = parts._replace(netloc=f"{name}{at}{hosts}", query=kept)
    return urlunsplit(plain), unquote(secret)
