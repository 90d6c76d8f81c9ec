"""The schema's text: schema.sql with the lists of values and the edges of the domain's tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from re import Match
from re import compile as regex

from gateway.domain import carrier, claim, fees, interception, ledger, parcel, statement

COLUMN = regex(r"    (\w+) (TEXT|\{\w+\})")
LIST = regex(r"(\w+) (NOT )?IN \(([^()]+)\)")
VERSION = 6  # of the schema; `serve` refuses any other
TABLE = regex(r"CREATE (?:TABLE (\w+)|(?:UNIQUE )?INDEX \w+\s+ON (\w+)|VIEW (\w+))")
Filled = Mapping[str, str]  # new columns of a table, by what they hold in a row that was there: old


@dataclass(frozen=True, slots=True)
class Step:
    """What a version of the schema brought."""

    tables: frozenset[str] = frozenset()
    remade: Mapping[str, Filled] = field(default_factory=dict)  # without a column: new kinds
    indexes: frozenset[str] = frozenset()  # that tables which were there have been given
    dropped: frozenset[str] = frozenset()  # indexes that nothing asks any more


STEPS: Mapping[int, Step] = {
    2: Step(tables=frozenset({"replica", "safe_mode"})),
    3: Step(tables=frozenset({"subscription"})),
    4: Step(
        tables=frozenset(
            {
                *("statement", "statement_part", "statement_line", "line_match"),
                *("withdrawal", "difference"),
            }
        ),
        remade={"exception": {}, "transfer": {}},
        indexes=frozenset(
            {
                *("interception_by_reference", "claim_by_reference"),  # for statements
                *("parcel_by_waybill", "order_line_by_order", "interception_by_ticket"),  # lists
                *("claim_by_merchant", "exception_by_time", "exception_open", "transfer_of_award"),
            }
        ),
    ),
    5: Step(
        remade={
            "alias": {
                "network": "(SELECT p.network FROM parcel p WHERE p.id = old.parcel)",
                "at": "COALESCE((SELECT MIN(s.arrived_at) FROM scan s WHERE s.parcel = old.parcel "
                "AND s.return_waybill = old.waybill), 0)",
            },
            "quote": {"account": "(SELECT p.account FROM parcel p WHERE p.id = old.parcel)"},
            "interception": {
                "request_id": "COALESCE((SELECT substr(r.id, length(old.tenant) + 2) "
                "FROM request r WHERE r.subject = old.id AND r.method = 'Create' "
                "ORDER BY r.at, r.id LIMIT 1), '')",
                "network": "(SELECT p.network FROM parcel p WHERE p.id = old.parcel)",
                "quoted_status": "(SELECT q.status FROM quote q WHERE q.id = old.quote)",
                "updated_at": "COALESCE((SELECT e.at FROM event e "
                "WHERE e.interception = old.id AND e.seq = old.version), old.created_at)",
            },
        },
        indexes=frozenset({"one_alias", "alias_number"}),
        dropped=frozenset({"request_of_subject", "alias_of_parcel"}),
    ),
    6: Step(
        indexes=frozenset(
            {
                "order_line_of_parcel",  # with what lists show of it
                *("parcel_kept", "inbox_kept"),  # for erasing
            }
        )
    ),
}
GUARDED = regex(r" ON (\w+) ")
INDEX = regex(r"CREATE (?:UNIQUE )?INDEX (\w+)\s+ON")
# How a table is changed, by the statements that make it now.
Remake = Callable[[str, list[str], Filled], Iterator[str]]

LISTS: dict[str, Iterable[Enum]] = {
    "store_status": parcel.StoreStatus,
    "agreement_kind": parcel.AgreementKind,
    "status": carrier.Status,
    "milestone": carrier.Milestone,
    "signer": parcel.Signer,
    "cause": carrier.Cause,
    "decision": interception.Decision,
    "movement": interception.Movement,
    "money": interception.Money,
    "cancel": interception.Cancel,
    "undecided": interception.UNDECIDED,
    "open_decision": interception.UNDECIDED | {interception.Decision.ACCEPTED},
    "open_movement": interception.OPEN_MOVEMENTS,
    "evidence_kind": interception.EvidenceKind,
    "attempt_kind": interception.AttemptKind,
    "outcome": interception.Outcome,
    "job_kind": interception.JobKind,
    "job_state": interception.JobState,
    "inbox_status": interception.InboxStatus,
    "exception_kind": interception.ExceptionKind,
    "account_kind": ledger.AccountKind,
    "transfer_kind": ledger.TransferKind,
    "claim_kind": carrier.ClaimKind,
    "claim_state": claim.ClaimState,
    "desk": claim.Desk,
    "payout": fees.Payout,
    "statement_step": statement.Step,
    "line_kind": statement.LineKind,
    "match_state": statement.MatchState,
}
BOUNDS = {"parts_max": str(statement.PARTS_MAX), "lines_max": str(statement.LINES_MAX)}


def statements(dialect: Mapping[str, str]) -> Iterator[str]:
    """The CREATE statements, one by one, in the words of a driver's dialect."""
    text = (Path(__file__).parent / "schema.sql").read_text("utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    words = {name: _quoted(values) for name, values in LISTS.items()} | BOUNDS | dict(dialect)
    for word, filled in words.items():
        text = text.replace("{" + word + "}", filled)
    text = chained(text)
    for part in text.split(";\n"):
        if part.strip():
            yield part.strip().rstrip(";")


def after(version: int) -> int:
    """The version that the next step leads to: a new store is made whole."""
    return version + 1 if version else VERSION


def remade(version: int) -> Iterable[str]:
    """The tables that the next step makes anew, where the engine can do no less."""
    return STEPS[after(version)].remade if version else ()


def steps(
    version: int, dialect: Mapping[str, str], guards: Iterable[str], remake: Remake
) -> Iterator[str]:
    """The statements that lead from a version to the next one. 0 is a store without any."""
    made = list(statements(dialect))
    if version == 0:
        yield from made
        yield from guards
        return
    step = STEPS[after(version)]
    fresh = {text for text in made if _index(text) in step.indexes}
    for table, filled in step.remade.items():
        now = [text for text in made if table in _tables(text) and text not in fresh]
        yield from remake(table, now, filled)
    for index in sorted(step.dropped):
        yield f"DROP INDEX IF EXISTS {index}"
    for text in made:
        if text in fresh:
            yield f"DROP INDEX IF EXISTS {_index(text)}"  # one that has other columns now
        if step.tables & _tables(text) or text in fresh:
            yield text
    for guard in guards:
        guarded = GUARDED.search(guard)
        if guarded and guarded[1] in step.tables:
            yield guard


def _tables(text: str) -> set[str | None]:
    """What a statement makes, or makes an index of."""
    found = TABLE.match(text)
    return set(found.groups()) - {None} if found else set()


def _index(text: str) -> str:
    found = INDEX.match(text)
    return found[1] if found else ""


def strange(version: int) -> str:
    """What is said of a store of another version."""
    if version > VERSION:
        return f"schema {version} is newer than this program knows ({VERSION})"
    return f"schema {version}, this program needs {VERSION}: run `turnback migrate`"


def columns() -> Mapping[str, Mapping[str, str]]:
    """Per table the dialect's word for each column's type: int, bytes, position or text."""
    found: dict[str, dict[str, str]] = {}
    table = ""
    for line in (Path(__file__).parent / "schema.sql").read_text("utf-8").splitlines():
        if made := TABLE.match(line):
            table = made[1] or ""
        elif table and (column := COLUMN.match(line)):
            found.setdefault(table, {})[column[1]] = column[2].strip("{}").lower()
    return found


def chained(text: str) -> str:
    """Lists of values as comparisons: SQLite builds a table of every list anew for each row."""
    return LIST.sub(_chain, text)


def _chain(found: Match[str]) -> str:
    column, without, values = found.groups()
    sign, link = ("<>", " AND ") if without else ("=", " OR ")
    chain = link.join(f"{column} {sign} {value.strip()}" for value in values.split(","))
    return f"({chain})"


def _quoted(values: Iterable[Enum]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(str(value.value) for value in values))
