"""Many interceptions out of a few: each row as a statement that writes it for a range of copies.

Ids, numbers and times are the only things that differ between copies. An id begins with the time it
was made at, as the gateway makes them; whatever else has to be unique gets the copy's number. The
same text is rewritten alike wherever it stands, so what refers to something still does. What
belongs to a merchant (its wallet, its contracts, its top-up) is copied once a merchant, and
balances and top-ups are as many times as large as the merchant has copies: so the books balance.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.growth.lives import Lives, Rows

MERCHANTS = 10
SPAN_MS = 30 * 86_400_000  # over which the copies are spread
MERCHANT = "shop-1"
TOKEN = re.compile(
    r"(?<![0-9a-f])(?P<id>[0-9a-f]{26})(?![0-9a-f])"
    r"|(?<![0-9a-f])(?P<digest>[0-9a-f]{64})(?![0-9a-f])"
    r"|(?P<merchant>shop-\d+)"
    r"|(?P<name>(?:order|request)-\d+|(?<![0-9A-Za-z])(?:SF\d{13}|\d{12})(?![0-9A-Za-z]))"
)
ID_MS = 12  # hex digits of an id that are a time
NEVER = 2**52  # what is due then is never due
EPOCH = 10**12  # times below it are no times
TIMES = re.compile(r"^(at|.*_at|.*_until|send_deadline|evidence_by)$")
FINGERPRINT = "fingerprint"  # of a request: nothing is unique about it
OWNED = frozenset({"merchant", "agreement", "waybill_service", "account"})


@dataclass(frozen=True, slots=True)
class Copy:
    """What differs in one copy."""

    number: int
    merchant: str
    shift: int  # of every business time
    digits: str
    hexed: str

    def row(self) -> tuple[int, str, int, str, str]:
        return self.number, self.merchant, self.shift, self.digits, self.hexed


COPY = (
    "CREATE TEMPORARY TABLE copy (n BIGINT PRIMARY KEY, merchant TEXT NOT NULL, "
    "shift BIGINT NOT NULL, digits TEXT NOT NULL, hexed TEXT NOT NULL)"
)


def copies(count: int) -> Iterator[Copy]:
    """The last one is as old as the lives themselves, the others are older. The first
    `MERCHANTS` stand for the merchants too."""
    for number in range(count):
        shift = (number + 1 - count) * (SPAN_MS // count)
        yield Copy(number, f"-{number % MERCHANTS}", shift, f"-{number:08}", f"{number:08x}")


@dataclass(frozen=True, slots=True)
class Statement:
    """Writes one row for the copies from :first up to :last."""

    table: str
    columns: Sequence[str]
    values: Sequence[str]  # as SQL, over the columns of `copy`
    given: Sequence[bytes]  # for the marks in the values
    each: str  # what is copied: "copy", "merchant" or "once"


def statements(lives: Lives, per_merchant: int) -> Iterator[Statement]:
    for table, rows in lives.tables.items():
        for row in rows.rows:
            yield _statement(table, rows, row, per_merchant)


def _statement(table: str, rows: Rows, row: Sequence[Any], per_merchant: int) -> Statement:
    named = dict(zip(rows.columns, row, strict=True))
    owned = table in OWNED or named.get("kind") == "top_up" or named.get("method") == "TopUp"
    each = "copy"
    if owned:
        each = "merchant" if any(MERCHANT in str(value) for value in row) else "once"
        each = "merchant" if named.get("method") == "TopUp" else each
        for column in ("balance", "amount"):
            if named.get(column) is not None:
                named[column] *= per_merchant
    given: list[bytes] = []
    values = [_value(name, value, given) for name, value in named.items()]
    return Statement(table, rows.columns, values, given, each)


def _value(column: str, value: Any, given: list[bytes]) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        given.append(value)
        return "{mark}"
    if isinstance(value, int):
        moves = TIMES.match(column) and EPOCH < value < NEVER
        return f"{value} + shift" if moves else str(value)
    return _quoted(value) if column == FINGERPRINT else rewritten(value)


def rewritten(text: str) -> str:
    """A text as SQL, with what differs in each copy in its place."""
    parts, end = [], 0
    for found in TOKEN.finditer(text):
        parts.append(_quoted(text[end : found.start()]))
        end = found.end()
        parts += PIECES[str(found.lastgroup)](found.group())
    parts.append(_quoted(text[end:]))
    return " || ".join(part for part in parts if part != "''") or "''"


def _id(text: str) -> list[str]:
    """The time it was made at is the number of the copy, so that ids sort as they were made."""
    return [_quoted(text[: ID_MS - 8]), "hexed", _quoted(text[ID_MS:])]


PIECES: Mapping[str, Callable[[str], list[str]]] = {
    "id": _id,
    "digest": lambda text: ["hexed", _quoted(text[8:])],
    "merchant": lambda text: [_quoted(text), "merchant"],
    "name": lambda text: [_quoted(text), "digits"],
}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def key_of(template: str, number: int) -> str:
    """The id that a copy has in the place of this one."""
    return f"{template[: ID_MS - 8]}{number:08x}{template[ID_MS:]}"
