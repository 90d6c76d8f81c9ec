"""What a run leaves behind: the client's own log, the gateway's word, and the carriers' truth.

Plain values only, so that a run can be written to a file, read again, and judged again.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an interception's log."""

    cursor: str
    interception: str
    seq: int
    column: str
    source: str
    target: str
    evidence: str
    actor: str
    cause: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Interception:
    """As the gateway shows it at the end, with its whole log."""

    id: str
    request_id: str
    merchant: str
    carrier: str
    waybill: str
    decision: str
    movement: str
    failure: str
    money: str
    cancel: str
    fee: int
    cap: int
    path: str
    reason: str
    exceptions: int
    version: int
    log: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Award:
    id: str
    amount: int
    key: str
    at_ms: int
    channel: str
    paid: int


@dataclass(frozen=True, slots=True)
class Claim:
    id: str
    interception: str
    carrier: str
    waybill: str
    kind: str
    order_no: str
    line_no: str
    loss: int
    state: str
    reference: str
    limit: str
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True)
class Wallet:
    merchant: str
    available: int
    held: int
    awarded: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asked for one parcel, and was told at once."""

    carrier: str
    waybill: str
    status: str
    merchant: str
    case: str
    outcome: str
    expected_unmet: tuple[str, ...]
    quoted: bool = False
    unmet: tuple[str, ...] = ()
    words: tuple[tuple[str, str], ...] = ()  # Chinese and English, one pair a condition
    quoted_fee: int | None = None
    request_id: str = ""
    created: tuple[str, ...] = ()  # ids of every OK answer to this request_id
    created_fee: int = 0
    refused: str = ""  # why Create was not OK
    also: str = ""  # a second channel that was asked while it was under way
    also_unmet: tuple[str, ...] = ()  # and what was said there

    @property
    def key(self) -> tuple[str, str]:
        return self.carrier, self.waybill


@dataclass(frozen=True, slots=True)
class Filing:
    """A claim the client filed. `granted` is what the desk was told; None: the carrier decides."""

    claim: str
    carrier: str
    waybill: str
    kind: str
    loss: int
    value: int
    due: bool | None = None  # the truth called for it when the desk decided
    granted: int | None = None


@dataclass(frozen=True, slots=True)
class Exceptional:
    kind: str
    interception: str
    waybill: str
    note: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction of the ledger, as far as it concerns a merchant's wallet."""

    id: str
    merchant: str
    kind: str
    amount: int
    interception: str
    claim: str
    award: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of an audit. `violations` says what differs, with the interception concerned."""

    name: str
    title: str
    violations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    seed: int
    top_up: int
    asked: tuple[Asked, ...]
    filings: tuple[Filing, ...]
    interceptions: tuple[Interception, ...]
    watched: tuple[Step, ...]
    watch_resumed: int
    claims: tuple[Claim, ...]
    wallets: tuple[Wallet, ...]
    exceptions: tuple[Exceptional, ...]
    audit: tuple[Rule, ...]  # the gateway's own
    pushes: dict[str, int]  # "carrier outcome" -> count, as the gateway counted
    offers: dict[str, tuple[str, ...]]  # carrier -> the operations that the gateway says it has
    truth: tuple[Json, ...] = field(default=())
    entries: tuple[Entry, ...] = field(default=())  # where a run has read them
    watch_faults: dict[str, int] = field(default_factory=dict)  # how Watch ended and should not


_ADAPTER = TypeAdapter(Evidence)


def write(evidence: Evidence, path: Path) -> None:
    path.write_bytes(_ADAPTER.dump_json(evidence))


def read(path: Path) -> Evidence:
    return _ADAPTER.validate_json(path.read_bytes())
