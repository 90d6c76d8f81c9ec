"""How a PostgreSQL database comes to this program's schema: a version at a time, each whole."""

from typing import Any

from gateway.domain.interception import edges
from gateway.failpoints import STEP, FailPoints
from gateway.store import schema, sets
from gateway.store.driver import StoreError

OLDEST = 13  # major version of the server


async def version(db: Any) -> int:
    if await db.fetchval("SELECT to_regclass('schema_version')") is None:
        return 0
    return await db.fetchval("SELECT version FROM schema_version") or 0


async def grow(db: Any, points: FailPoints) -> None:
    """Raises StoreError where the server, or the schema, is not one we know."""
    await db.execute("SET statement_timeout = 0; SET lock_timeout = '60s'")
    major = db.get_server_version().major
    if major < OLDEST:
        raise StoreError(f"PostgreSQL {major} is too old: {OLDEST} or newer is needed")
    while (found := await version(db)) != schema.VERSION:
        if found > schema.VERSION:
            raise StoreError(schema.strange(found))
        await _step(db, found, points)


async def _step(db: Any, found: int, points: FailPoints) -> None:
    """One version's step. Only one program migrates at a time."""
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock(hashtext('turnback migrate'))")
        if await version(db) != found:
            return
        for statement in sets.statements(found):
            points.hit(STEP)
            await db.execute(statement)
        if found == 0:
            rows = [tuple(str(part) for part in edge) for edge in edges()]
            await db.executemany("INSERT INTO edge VALUES ($1, $2, $3)", rows)
        await db.execute("DELETE FROM schema_version")
        points.hit(STEP)
        await db.execute("INSERT INTO schema_version VALUES ($1)", schema.after(found))
        points.hit(STEP)
    points.hit(STEP)
