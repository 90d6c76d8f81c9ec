"""A look into the ledger itself, for what no call tells: the same words for either engine."""

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg

SQLITE = "sqlite:///"


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query, read-only."""
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()
    server = await asyncpg.connect(url, server_settings={"default_transaction_read_only": "on"})
    try:
        return [tuple(row) for row in await server.fetch(sql)]
    finally:
        await server.close()
