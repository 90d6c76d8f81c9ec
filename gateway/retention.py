"""Erasing what is personal and old: found beside the work, erased in small commits between it."""

from gateway.domain.retention import BATCH_MAX, Purged, PurgePersonal
from gateway.store.store import Store

FOUND_MAX = 1_000  # ids looked up at once

PARCELS, PUSHES = "parcels_to_purge", "pushes_to_purge"  # queries: ids, the oldest first


async def purge(store: Store, now: int, retention_ms: int) -> Purged:
    """Erase all that is old enough. Raises Unavailable; what was erased stays so."""
    done = Purged(0, 0)
    while True:
        wanted = {"before": now - retention_ms, "limit": FOUND_MAX}
        parcels = [row["id"] for row in await store.table(PARCELS, **wanted)]
        pushes = [row["id"] for row in await store.table(PUSHES, **wanted)]
        erased = Purged(0, 0)
        for start in range(0, max(len(parcels), len(pushes)), BATCH_MAX):
            end = start + BATCH_MAX
            command = PurgePersonal(tuple(parcels[start:end]), tuple(pushes[start:end]))
            erased += await store.run(command)
        done += erased
        if not erased or max(len(parcels), len(pushes)) < FOUND_MAX:
            return done
