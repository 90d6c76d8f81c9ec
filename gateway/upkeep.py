"""What an operator does to a store: back it up, restore it, and let a restored one go again.

A restored store is in safe mode: it takes facts, and sends nothing. It lacks what happened after
the backup, so each open interception of it is doubted, then read at its carrier, and only then let
go.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.domain.command import Command
from gateway.domain.doubt import PAGE, Doubt, DoubtClaims, Outdate, Unread
from gateway.domain.fees import Terms
from gateway.store.audit import Finding
from gateway.store.copies import copier
from gateway.store.driver import Busy, Driver, SafeMode, StoreError
from gateway.store.store import Store, driver

STORE = "store"  # the one key of the table of safe mode
SHOWN_MAX = 20  # unread interceptions named one by one
REASON_MAX = 200
ASKED_S = 15.0  # how long the gateway that has the store may take to end safe mode
GONE_S = 5.0  # what gateways that have just been stopped leave behind goes by itself
LOOK_S = 0.2

log = structlog.get_logger("upkeep")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a restored store was found to hold."""

    doubted: int  # interceptions that may have been sent since the backup
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Left:
    """What is not reconciled yet."""

    mode: SafeMode
    unread: int
    first: list[dict[str, Any]]  # of the unread
    undecided: Mapping[str, int]
    exceptions: Mapping[str, int]


def backup(url: str, target: Path, tools: Path | None) -> int:
    """Copy a store, beside whoever writes it. Its schema. Raises StoreError."""
    return copier(url).backup(url, target, tools)


def mode(reason: str, clock: Clock) -> Callable[[int], SafeMode]:
    """Safe mode from now on; by a clock that follows another, from after the newest event."""

    def begin(newest: int) -> SafeMode:
        if clock.followed:
            clock.follow(newest + 1)
        return SafeMode(STORE, reason[:REASON_MAX], clock.now())

    return begin


async def settle(url: str, clock: Clock, terms: Terms) -> Settled:
    """Doubt what is open in a store that is in safe mode, and audit it."""
    store = Store(driver(url), clock, terms)
    await store.start()
    try:
        return Settled(await doubt(store, terms), await store.audit())
    finally:
        await store.stop()


async def restored(url: str, clock: Clock, terms: Terms, reason: str) -> Settled:
    """Say that a store was restored by other means. Raises StoreError while it is in use."""
    database = driver(url)
    loop = asyncio.get_running_loop()
    until = loop.time() + GONE_S
    while others := await database.others():
        if loop.time() > until:
            said = f"the store is in use, by {others} connections: stop every gateway first"
            raise StoreError(said)
        await asyncio.sleep(LOOK_S)
    store = Store(database, clock, terms)
    await store.start()
    try:
        newest = (await store.table("newest_event_at"))[0]["at"]
        await store.switch(mode(reason, clock)(newest))
        return Settled(await doubt(store, terms), await store.audit())
    finally:
        await store.stop()


async def doubt(store: Store, terms: Terms) -> int:
    """Doubt whatever is open in a store that is in safe mode. Doing it again changes nothing."""
    found = await store.safe_mode()
    if found is None:
        return 0
    since = found.since
    taken_at = (await store.table("taken_at", since=since))[0]["at"]
    doubted = sum(await _pages(store, "doubtful", lambda ids: Doubt(ids, since, taken_at)))
    await _pages(store, "claims_being_filed", lambda ids: DoubtClaims(ids))
    await _pages(store, "quotes_open", lambda ids: Outdate(quotes=ids), now=since)
    fresh = since - terms.policy.status_fresh_ms
    stale = {"since": fresh, "until": since}
    await _pages(store, "parcels_read", lambda ids: Outdate(parcels=ids), **stale)
    return doubted


async def end(store: Store, terms: Terms, accept: str) -> int:
    """End safe mode. How many interceptions keep it from ending: none where they are accepted."""
    await doubt(store, terms)
    found = await store.safe_mode()
    if found is None:
        return 0
    unread = (await store.table("unread_count", since=found.since))[0]["n"]
    if unread and not accept:
        return int(unread)
    await _pages(store, "unread", lambda ids: Unread(ids, accept), since=found.since)
    await store.switch(None)
    log.warning("safe mode ended", reason=found.reason, unread=unread, accepted=accept)
    return 0


async def resume(
    url: str, clock: Clock, terms: Terms, accept: str, say: Callable[[str], None]
) -> bool:
    """End safe mode from outside: by the gateway that has the store, or in its place."""
    database = driver(url)
    try:
        found = await left(database)
        if found is None:
            say("the store is not in safe mode")
            return True
        for line in told(found):
            say(line)
        if found.unread and not accept:
            say(f"{found.unread} interceptions have not been read since the restore: start the")
            say("gateway and wait, or give --accept and a reason to let them go unread")
            return False
        if clock.followed:
            clock.follow(found.mode.since)
        await _ended(database, Store(driver(url), clock, terms), terms, accept)
    finally:
        await database.close()
    say("safe mode has ended: what was waiting is sent")
    return True


async def _ended(database: Driver, store: Store, terms: Terms, accept: str) -> None:
    try:
        await store.start()
    except Busy:
        await _asked(database, accept)
        return
    try:
        if await end(store, terms, accept):
            raise StoreError("more interceptions have come to be unread: try again")
    finally:
        await store.stop()


async def _asked(database: Driver, accept: str) -> None:
    """Have the gateway that holds the store end it."""
    database.tell(accept)
    loop = asyncio.get_running_loop()
    until = loop.time() + ASKED_S
    while await _dicts(database, "safe_mode"):
        if loop.time() > until:
            database.tell(None)
            raise StoreError("the gateway that has the store did not end safe mode: see its log")
        await asyncio.sleep(LOOK_S)


def told(found: Left) -> Iterator[str]:
    """What is left, in lines."""
    since = datetime.fromtimestamp(found.mode.since / 1000, UTC).isoformat(timespec="seconds")
    yield f"safe mode since {since}: {found.mode.reason}"
    for title, counts in (("undecided", found.undecided), ("open exceptions", found.exceptions)):
        named = ", ".join(f"{count} {name}" for name, count in counts.items())
        yield f"{title}: {named or 'none'}"
    for row in found.first:
        stands = f"{row['decision']}/{row['movement']}"
        yield f"not read: {row['id']} {row['channel']} {row['waybill']} {stands}"
    if found.unread > len(found.first):
        yield f"not read: {found.unread - len(found.first)} more"


async def left(database: Driver) -> Left | None:
    """What is not reconciled; None where the store is not in safe mode. Beside a gateway."""
    modes = await _dicts(database, "safe_mode")
    if not modes:
        return None
    found = SafeMode(**modes[0])
    since = {"since": found.since}
    return Left(
        mode=found,
        unread=(await _dicts(database, "unread_count", **since))[0]["n"],
        first=await _dicts(database, "unread", last="", limit=SHOWN_MAX, **since),
        undecided={r["decision"]: r["n"] for r in await _dicts(database, "undecided_by_decision")},
        exceptions={r["kind"]: r["n"] for r in await _dicts(database, "open_exceptions_by_kind")},
    )


async def _dicts(database: Driver, query: str, **params: Any) -> list[dict[str, Any]]:
    (table,) = await database.fetch([(query, params)])
    return [dict(zip(table.names, row, strict=True)) for row in table.rows]


async def _pages(
    store: Store, query: str, command: Callable[[tuple[str, ...]], Command], **params: Any
) -> list[int]:
    """Run a command on every page of a query's ids, each after the last one of the page before."""
    results: list[int] = []
    last = ""
    while True:
        rows = await store.table(query, last=last, limit=PAGE, **params)
        if not rows:
            return results
        ids = tuple(row["id"] for row in rows)
        results.append(await store.run(command(ids)) or 0)
        last = ids[-1]
