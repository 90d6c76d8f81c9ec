"""Copies written into an empty store, a range of them at a time, on either engine.

Nothing waits for the disk and no reference is looked up while they are: a load that is broken off
is thrown away. Each range goes through all tables, so that the rows of one interception lie as near
to each other as they would.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from loadtest.fleet import FleetError
from loadtest.growth.lives import Lives
from loadtest.growth.multiply import COPY, MERCHANTS, Statement, copies, statements
from loadtest.ledger import SQLITE

RANGE = 200  # copies
BYTES = {"sqlite": 14_000, "postgres": 19_000}  # of one interception with all its rows and indexes
SPARE = 1.3  # times the space that is needed: the log, sorting, and room to measure
GIGABYTE = 10**9
LOADING = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -262144",
)


def room(place: Path, sizes: Sequence[int], engine: str) -> None:
    """Raises FleetError where the stores would not fit on the disk."""
    needed = sum(sizes) * BYTES[engine] * SPARE
    free = shutil.disk_usage(place).free
    if needed > free:
        raise FleetError(
            f"{sum(sizes):,} interceptions on {engine} need about {needed / GIGABYTE:.1f} GB, and "
            f"{place} has {free / GIGABYTE:.1f} GB free: give smaller --size, or set TMPDIR"
        )


def insert(statement: Statement, marks: Sequence[str], first: str, last: str) -> str:
    """As SQL, in the words of an engine: its marks for what is given, first, last."""
    values = ", ".join(statement.values)
    for mark in marks:
        values = values.replace("{mark}", mark, 1)
    return (
        f"INSERT INTO {statement.table} ({', '.join(statement.columns)}) SELECT {values} "
        f"FROM copy WHERE n >= {first} AND n < {last} ORDER BY n"
    )


def ranges(statement: Statement, first: int, last: int) -> tuple[int, int]:
    """Which of these copies it is written for."""
    most = {"copy": last, "merchant": min(last, MERCHANTS), "once": min(last, 1)}
    return first, max(first, most[statement.each])


async def load(url: str, lives: Lives, count: int) -> None:
    """So many interceptions, made of the lives."""
    number, left = divmod(count, lives.count)
    if left or number % MERCHANTS:
        raise FleetError(f"a size is a multiple of {lives.count * MERCHANTS}, and not {count}")
    made = list(statements(lives, number // MERCHANTS))
    if url.startswith(SQLITE):
        _sqlite(url.removeprefix(SQLITE), made, number)
    else:
        await _postgres(url, made, number)


def _sqlite(path: str, made: Sequence[Statement], number: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, cached_statements=2_000)) as db:
        for pragma in LOADING:
            db.execute(pragma)
        db.execute(COPY)
        db.executemany("INSERT INTO copy VALUES (?, ?, ?, ?, ?)", [c.row() for c in copies(number)])
        texts = [insert(each, ["?"] * len(each.given), "?", "?") for each in made]
        for first in range(0, number, RANGE):
            db.execute("BEGIN IMMEDIATE")
            for text, each in zip(texts, made, strict=True):
                start, end = ranges(each, first, min(first + RANGE, number))
                if start < end:
                    db.execute(text, (*each.given, start, end))
            db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


async def _postgres(url: str, made: Sequence[Statement], number: int) -> None:
    db: Any = await asyncpg.connect(
        url,
        statement_cache_size=2_000,
        max_cached_statement_lifetime=0,
        server_settings={"session_replication_role": "replica", "synchronous_commit": "off"},
    )
    try:
        await db.execute(COPY)
        await db.copy_records_to_table("copy", records=[c.row() for c in copies(number)])
        await db.execute("ANALYZE copy")
        texts = []
        for each in made:
            marks = [f"${place}::bytea" for place in range(1, len(each.given) + 1)]
            last = len(marks) + 1
            texts.append(insert(each, marks, f"${last}::bigint", f"${last + 1}::bigint"))
        for first in range(0, number, RANGE):
            async with db.transaction():
                for text, each in zip(texts, made, strict=True):
                    start, end = ranges(each, first, min(first + RANGE, number))
                    if start < end:
                        await db.execute(text, *each.given, start, end)
        await db.execute("VACUUM ANALYZE")
        await db.execute("CHECKPOINT")
    finally:
        await db.close()
