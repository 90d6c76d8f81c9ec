"""Rows to records and back: which table a kind of row lives in, and how its columns read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from pathlib import Path
from re import compile as regex
from types import NoneType
from typing import Any, get_origin, get_type_hints

import orjson

from gateway.domain import claim, interception, ledger, parcel, statement
from gateway.domain.record import Record

# Insertion order: whoever is referred to comes first. `mutable` rows may be updated.
TABLES: tuple[tuple[type[Any], str, bool], ...] = (
    (parcel.Merchant, "merchant", True),
    (parcel.Agreement, "agreement", True),
    (parcel.WaybillService, "waybill_service", True),
    (parcel.Parcel, "parcel", True),
    (parcel.OrderLine, "order_line", True),
    (parcel.Person, "person", True),
    (parcel.Alias, "alias", False),
    (parcel.Subscription, "subscription", True),
    (parcel.ScanRow, "scan", True),
    (parcel.Incident, "incident", False),
    (interception.Quote, "quote", True),
    (interception.Interception, "interception", True),
    (interception.Attempt, "attempt", True),
    (interception.Inbox, "inbox", True),
    (interception.Evidence, "evidence", False),
    (interception.Job, "job", True),
    (interception.Exceptional, "exception", True),
    (ledger.Account, "account", True),
    (claim.Claim, "claim", True),
    (claim.Proof, "proof", True),
    (claim.Award, "award", False),
    (ledger.Transfer, "transfer", False),
    (statement.Statement, "statement", True),
    (statement.StatementPart, "statement_part", False),
    (statement.StatementLine, "statement_line", False),
    (statement.LineMatch, "line_match", False),
    (statement.Withdrawal, "withdrawal", False),
    (statement.Difference, "difference", False),
    (interception.Request, "request", False),
    (interception.EventRow, "event", False),  # last: a shared store numbers them under one lock
)
TABLE_OF: Mapping[type[Any], str] = {kind: table for kind, table, _ in TABLES}
APPEND_ONLY = (
    *("event", "evidence", "transfer", "award", "incident", "request", "edge"),
    *("statement_part", "statement_line", "line_match", "withdrawal", "difference"),
)

# Parameters that take a list of ids: written `IN (:keys)`.
LISTED = {"keys", "kinds", "busy", "jobs"}
LISTED |= {"requests", "quotes", "interceptions", "claims", "awards", "waybills"}
LISTED |= {"marks", "numbers"}  # of statements

# Parameters that are numbers, wherever they stand.
NUMBERS = {"after", "before", "billed", "cursor_at", "limit", "now", "open", "since", "until"}

NAME = regex(r"^-- name: (\w+)$")
WAY = regex(r"^    -- by: (\w+)$")  # what queries.sql says of it stands there
AT_ONCE = "-- at once"  # and of this
GOES_ON = " " * 8  # how a further line of a condition begins
AND = "AND "
PARAMETER = regex(r"(?<!:):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Query:
    """A named statement, its parameters in the order of their places."""

    name: str
    body: str  # as it stands in queries.sql
    text: str  # with named parameters, for reading
    positional: str  # with a mark per parameter, for many rows
    parameters: tuple[str, ...]
    ways: tuple[str, ...]  # the parameters that it may be entered by; the first given one is it
    at_once: bool = False  # few rows, each found by its key, whatever else there is

    def values(self) -> Callable[[Any], tuple[Any, ...]]:
        """How a row's values are put in the statement's order."""
        if len(self.parameters) == 1:
            only = attrgetter(self.parameters[0])
            return lambda row: (only(row),)
        getter: Callable[[Any], tuple[Any, ...]] = attrgetter(*self.parameters)
        return getter


def queries(place: Callable[[str], str]) -> Mapping[str, Query]:
    """Read queries.sql; `place` writes a parameter in the driver's dialect."""
    text = (Path(__file__).parent / "queries.sql").read_text("utf-8")
    found: dict[str, list[str]] = {}
    at_once: set[str] = set()
    name = ""
    for line in text.splitlines():
        mark = NAME.match(line)
        if mark:
            name = mark[1]
            if name in found:
                raise ValueError(f"two queries are called {name}")
            found[name] = []
        elif line == AT_ONCE:
            at_once.add(name)
        elif name and not line.startswith("--"):
            found[name].append(line)
    made = {}
    for name, lines in found.items():
        parts = _parts(lines)
        ways = tuple(way for way, _ in parts if way)
        for way in ("", *ways):
            body = " ".join(_written(part, way) for part in parts).rstrip(";")
            parameters = tuple(PARAMETER.findall(body))
            named = PARAMETER.sub(lambda m: place(m[1]), body)
            positional = PARAMETER.sub("?", body)
            whole = _entered(name, way)
            quick = name in at_once
            made[whole] = Query(whole, body, named, positional, parameters, ways, quick)
    return made


Bound = tuple[str, Callable[[Any], Sequence[Any]]]


def per_kind(
    named: Mapping[str, Query],
) -> tuple[dict[type[Any], Bound], dict[type[Any], Bound]]:
    """Per kind of row: the insert, and the update where it may change."""
    inserts: dict[type[Any], Bound] = {}
    updates: dict[type[Any], Bound] = {}
    for kind, table, mutable in TABLES:
        insert = named[f"insert_{table}"]
        inserts[kind] = insert.positional, insert.values()
        if mutable:
            update = named[f"update_{table}"]
            updates[kind] = update.positional, update.values()
    return inserts, updates


def chosen(named: Mapping[str, Query], name: str, params: Mapping[str, Any]) -> Query:
    """The statement of this name for these parameters: entered by the first way that is given."""
    query = named[name]
    way = next((way for way in query.ways if params[way]), "")
    return named[_entered(name, way)]


def _entered(name: str, way: str) -> str:
    return f"{name} by {way}" if way else name


def _parts(lines: Iterable[str]) -> list[tuple[str, str]]:
    """A statement's text in order, each part with the way in that it is, or none."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        way, condition = parts[-1]
        if mark := WAY.match(line):
            parts.append((mark[1], []))
        elif way and condition and not line.startswith(GOES_ON):
            parts.append(("", [line]))
        else:
            condition.append(line)
    return [(way, " ".join(" ".join(text).split())) for way, text in parts]


def _written(part: tuple[str, str], entered: str) -> str:
    """A way in stands as it is where it is the one that is gone; else it is a filter."""
    way, text = part
    if not way or way == entered:
        return text
    if not text.startswith(AND):
        raise ValueError(f"a way in begins with {AND}, and not as {text}")
    absent = "0" if way in NUMBERS else "''"
    return f"{AND}(:{way} = {absent} OR {text.removeprefix(AND)})"


Builder = Callable[[Sequence[Any]], Any]
Reader = Callable[[Any], Any]


def builder(kind: type[Record], names: Sequence[str]) -> Builder:
    """How a tuple of columns becomes a record: enums and booleans are read back."""
    hints = get_type_hints(kind)
    wanted = kind.__struct_fields__
    order = [names.index(name) for name in wanted]
    readers = ((place, _reader(hints[name])) for place, name in enumerate(wanted))
    convert = [(place, read) for place, read in readers if read is not None]
    straight = order == list(range(len(names)))

    def build(row: Sequence[Any]) -> Any:
        values = list(row) if straight else [row[index] for index in order]
        for place, read in convert:
            values[place] = read(values[place])
        return kind(*values)

    return build


def _reader(hint: Any) -> Reader | None:
    if get_origin(hint) is tuple:
        return _members
    options = getattr(hint, "__args__", (hint,))
    for option in options:
        if option is bool:
            return bool
        if isinstance(option, type) and issubclass(option, Enum):
            members: dict[Any, Any] = {member.value: member for member in option}
            if NoneType in options:
                members[None] = None
            return members.__getitem__
    return None


def _members(text: str | None) -> tuple[Any, ...]:
    """A column that is a JSON array; one engine has none where the other has an empty one."""
    return tuple(orjson.loads(text)) if text else ()


def enums() -> set[type[Enum]]:
    """Every kind of name that a column holds."""
    hints = [hint for kind, _, _ in TABLES for hint in get_type_hints(kind).values()]
    options = [option for hint in hints for option in getattr(hint, "__args__", (hint,))]
    return {o for o in options if isinstance(o, type) and issubclass(o, Enum)}
