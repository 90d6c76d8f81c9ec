"""The schema's text: schema.sql with the lists of values and the edges of the domain's tables."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from re import Match
from re import compile as regex

from gateway.domain import carrier, claim, fees, interception, ledger, parcel

LIST = regex(r"(\w+) (NOT )?IN \(([^()]+)\)")
VERSION = 1  # of the schema; `serve` refuses any other

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
}


def statements(dialect: Mapping[str, str]) -> Iterator[str]:
    """The CREATE statements, one by one, in the words of a driver's dialect."""
    text = (Path(__file__).parent / "schema.sql").read_text("utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    words = {name: _quoted(values) for name, values in LISTS.items()} | dict(dialect)
    for word, filled in words.items():
        text = text.replace("{" + word + "}", filled)
    text = chained(text)
    for statement in text.split(";\n"):
        if statement.strip():
            yield statement.strip().rstrip(";")


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
