"""Migrations that are killed at one statement after the other, until one gets through.

`python -m tests.upkeep.killed <url>` tells, for each, at which statement it died and which version
it left. It is a program of its own, because it forks.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing

import asyncpg

from gateway.failpoints import STEP, FailPoints
from gateway.store import growth, schema
from gateway.store.sqlite import path_of
from gateway.store.store import driver

STATEMENTS_MAX = 500


def version(url: str) -> int:
    """As another program sees it."""
    if url.startswith("sqlite"):
        if not path_of(url).exists():
            return 0
        with closing(sqlite3.connect(path_of(url))) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    return asyncio.run(_of_server(url))


async def _of_server(url: str) -> int:
    db = await asyncpg.connect(url)
    try:
        return await growth.version(db)
    finally:
        await db.close()


def killed(url: str, ordinal: int) -> bool:
    """Whether the migration died at this statement."""
    child = os.fork()
    if child == 0:
        asyncio.run(driver(url).migrate(FailPoints(STEP, ordinal)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def main() -> None:
    url = sys.argv[1]
    deaths: list[tuple[int, int, int]] = []
    ordinal = 0
    for _ in range(STATEMENTS_MAX):
        ordinal, before = ordinal + 1, version(url)
        died = killed(url, ordinal)
        after = version(url)
        deaths.append((ordinal, before, after))
        if not died or after == schema.VERSION:
            break
        if before != after:  # it was killed after a commit: what is left begins anew
            ordinal = 0
    sys.stdout.write(json.dumps({"deaths": deaths, "version": version(url)}) + "\n")


if __name__ == "__main__":
    main()
