"""Rows that lists go through: by a seed, in any number, with values that are met more than once.

They stand as the gateway would write them as far as lists look; what they refer to beside that is
not there, so the references are off while they are written.
"""

import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from gateway.domain.interception import ExceptionKind
from gateway.domain.ledger import OF_MERCHANT, AccountKind, account_id
from gateway.store import schema
from gateway.store.sqlite import path_of
from gateway.store.store import driver
from tests.engines import Engine, now

START = 1_790_000_000_000
TENANTS = ("mall", "bazaar")
MERCHANTS = tuple(f"{tenant}/shop-{n}" for tenant in TENANTS for n in range(4))
CHANNELS = ("sf", "zto")
STANDS = (  # decision, movement, money, whether it is decided
    ("ACCEPTED", "RETURNED", "CAPTURED", 1),
    ("REFUSED", "NONE", "RELEASED", 1),
    ("ACCEPTED", "LOST", "REFUNDED", 1),
    ("PROCESSING", "NONE", "HELD", 0),
)
OPEN = 2  # of them; a parcel has one such interception at most
STATES = ("FILED", "AWARDED", "REJECTED")
KINDS = (ExceptionKind.STALE, ExceptionKind.FEE_DIFFERS, ExceptionKind.AWARD_UNPAID)
CASES = ("interception", "claim", "push", "billed", "owed", "unknown")  # what one is about
EMPTY = {"text": "", "int": 0, "bytes": b""}
Row = Mapping[str, Any]


@dataclass(slots=True)
class Rows:
    """All of them, table by table."""

    chance: random.Random
    values: int  # how many waybills, orders, tickets and times there are
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=schema.columns)

    def add(self, table: str, **given: Any) -> dict[str, Any]:
        rows = self.tables.setdefault(table, [])
        blank = {name: EMPTY[kind] for name, kind in self.columns[table].items()}
        row = {**blank, "id": f"{table}-{len(rows):06}", **given}
        rows.append(row)
        return row

    def some(self, of: str) -> str:
        return f"{of}{self.chance.randrange(self.values)}"

    def at(self) -> int:
        return START + self.chance.randrange(self.values)


def generated(seed: int, count: int, values: int) -> Rows:
    """So many parcels and what comes of them."""
    rows = Rows(random.Random(seed), values)
    for merchant in MERCHANTS:
        _merchant(rows, merchant)
    for number in range(3 + count // 20):
        key = f"{number:032x}"
        same: dict[str, Any] = {"sha256": key * 2, "number": f"S{number}", "step": "POSTED"}
        same |= {
            "currency": "CNY",
            "parts": 1,
            "arrived": 1,
            "period_to": 1,
            "posted_at": 1,
            "actor": "desk",
        }
        none = {"corrects": None, "corrected": None}
        rows.add("statement", id=key, channel=rows.chance.choice(CHANNELS), **same, **none)
    for _ in range(count):
        _parcel(rows)
    return rows


def _merchant(rows: Rows, merchant: str) -> None:
    same = {"kind": "POP", "store_status": "operating", "currency": "CNY"}
    rows.add("merchant", id=merchant, tenant=merchant.split("/")[0], **same)
    for kind in sorted(OF_MERCHANT):
        cached = None if kind is AccountKind.AWARDED else 0
        key = account_id(kind, merchant, "CNY")
        rows.add("account", id=key, kind=kind, owner=merchant, currency="CNY", balance=cached)


def _parcel(rows: Rows) -> None:
    chance, merchant = rows.chance, rows.chance.choice(MERCHANTS)
    number = len(rows.tables.get("parcel", ()))
    same = {"tenant": merchant.split("/")[0], "merchant": merchant, "currency": "CNY"}
    same |= {"channel": chance.choice(CHANNELS), "waybill": rows.some("W")}
    shown = {"declared": "in_transit", "status": "in_transit"}
    parcel = rows.add("parcel", network=f"n{number}", epoch=1, **same, **shown)
    if chance.random() < 0.3:  # the number of its way back may be another's
        rows.add("alias", parcel=parcel["id"], waybill=rows.some("W"))
    for line in range(chance.randrange(1, 3)):
        order = {"order_no": rows.some("O"), "line_no": str(line), "parcels": 1, "quantity": 1}
        rows.add("order_line", parcel=parcel["id"], **order)
    for attempt in range(chance.randrange(1, 3)):
        _interception(rows, {**same, "parcel": parcel["id"]}, attempt)


def _interception(rows: Rows, same: Row, attempt: int) -> None:
    chance = rows.chance
    decision, movement, money, decided = chance.choice(STANDS[: len(STANDS) - OPEN * bool(attempt)])
    ticket = rows.some("T") if chance.random() < 0.8 else ""
    key = f"i-{len(rows.tables.get('interception', ())):06}"
    stands = {"decision": decision, "movement": movement, "money": money, "decided_at": decided}
    times = {"created_at": rows.at(), "version": 1, "fee_minor": 800}
    stands["quoted_status"] = "in_transit"
    none = {"cancel": "NONE", "cancel_ticket": ticket, "quote": f"q-{key}"}
    row = rows.add("interception", id=key, **same, **stands, **times, **none)
    for kind in ("hold", "capture", "refund"):
        _transfer(rows, kind, row["merchant"], interception=key)
    if chance.random() < 0.3:
        _transfer(rows, "top_up", row["merchant"])
    if chance.random() < 0.4:
        _claim(rows, row)
    if chance.random() < 0.5:
        _exception(rows, row)


ENDS = {  # of a transfer's kind, where it is a merchant's own
    "hold": (AccountKind.AVAILABLE, AccountKind.HELD),
    "capture": (AccountKind.HELD, None),
    "refund": (None, AccountKind.AVAILABLE),
    "top_up": (None, AccountKind.AVAILABLE),
    "award": (None, AccountKind.AWARDED),
    "payout": (AccountKind.AWARDED, AccountKind.AVAILABLE),
}


def _transfer(rows: Rows, kind: str, merchant: str, **of: str) -> None:
    source, target = (
        account_id(end, merchant, "CNY") if end else "OUTSIDE::CNY" for end in ENDS[kind]
    )
    number = len(rows.tables.get("transfer", ()))
    same = {"kind": kind, "source": source, "target": target, "amount": 1, "currency": "CNY"}
    why = {"dedup": str(number), "actor": "desk", "cause": "test", "at": rows.at()}
    rows.add("transfer", **{"interception": None, "award": None, **of}, **same, **why)


def _claim(rows: Rows, row: Row) -> None:
    names = ("tenant", "merchant", "parcel", "channel", "currency")
    same = {name: row[name] for name in names} | {"interception": row["id"], "loss_minor": 1}
    what = {"kind": "lost", "state": rows.chance.choice(STATES), "desk": "carrier"}
    claim = rows.add("claim", filed_at=rows.at(), **same, **what)
    if claim["state"] == "AWARDED":
        told = {"parcel": row["parcel"], "amount": 1, "currency": "CNY", "channel": "wallet"}
        number = f"d{len(rows.tables.get('award', ()))}"
        made = rows.add("award", claim=claim["id"], decision_key=number, actor="desk", **told)
        for kind in ("award", "payout"):
            _transfer(rows, kind, row["merchant"], award=made["id"])


def _exception(rows: Rows, row: Row) -> None:
    """About the interception or its claim, or about a line, which may be of either or of none."""
    chance, about = rows.chance, rows.chance.choice(CASES)
    claims = rows.tables.get("claim", [])
    claim = claims[-1]["id"] if claims and claims[-1]["interception"] == row["id"] else None
    closed = rows.at() if chance.random() < 0.5 else None
    subject = {"interception": row["id"], "claim": claim, "push": "inbox-1"}.get(about)
    made = rows.add(
        "exception",
        subject=subject or "line-1",
        tenant="" if about == "push" else row["tenant"],
        kind=chance.choice(KINDS),
        opened_at=rows.at(),
        closed_at=closed,
        closed_by="facts" if closed else "",
    )
    if about in ("billed", "owed", "unknown"):
        of = {"billed": (row["id"], None), "owed": (None, claim), "unknown": (None, None)}[about]
        amounts = {"expected": 1, "actual": 2, "currency": "CNY", "waybill": rows.some("W")}
        statement = chance.choice(rows.tables["statement"])["id"]
        refers = {"interception": of[0], "claim": of[1], "award": None, "line_no": 1}
        rows.add("difference", id=made["id"], statement=statement, **refers, **amounts)


# -- into a store ---------------------------------------------------------------------------


def written(found: Engine, rows: Rows) -> None:
    now(_written(found, rows))


async def _written(found: Engine, rows: Rows) -> None:
    database = driver(found.url)
    await database.migrate()
    await database.close()
    if found.name == "sqlite":
        with closing(sqlite3.connect(path_of(found.url), isolation_level=None)) as db:
            db.execute("BEGIN")
            for table, names, values in _values(rows):
                marks = ", ".join("?" * len(names))
                db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)
            db.execute("COMMIT")
        return
    server = await asyncpg.connect(
        found.url, server_settings={"session_replication_role": "replica"}
    )
    try:
        for table, names, values in _values(rows):
            await server.copy_records_to_table(table, columns=names, records=values)
        await server.execute("VACUUM ANALYZE")
    finally:
        await server.close()


def _values(rows: Rows) -> Iterator[tuple[str, list[str], Sequence[tuple[Any, ...]]]]:
    for table, of in rows.tables.items():
        yield table, list(of[0]), [tuple(row.values()) for row in of]
