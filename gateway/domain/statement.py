"""A carrier's statement: what it says we owe each other for a period, and the rows that keep it.

Everything but the statement's own progress is written once. A line that a correction takes back
gets a withdrawal beside it; what stands is what has none.
"""

from collections.abc import Iterable
from enum import auto
from typing import ClassVar

from gateway.domain.named import Named
from gateway.domain.record import Record

LINES_MAX = 1_000  # of a part
PARTS_MAX = 100
AMOUNT_MAX = 10**12  # minor units, of a line and of the whole
CHUNK = 100  # lines, or findings, of one commit


class LineKind(Named):
    FEE = auto()  # the carrier charges for an interception
    FEE_CREDIT = auto()  # it gives a charge back
    CLAIM = auto()  # it pays a claim
    OTHER = auto()


# What a line adds to what the carrier wants from us.
SIGN = {LineKind.FEE: 1, LineKind.FEE_CREDIT: -1, LineKind.CLAIM: -1, LineKind.OTHER: 1}


class Step(Named):
    """How far a statement has come. Each commit takes it a chunk further; a crash loses nothing."""

    RECEIVING = auto()  # parts are missing
    ARRIVED = auto()  # all are there, and make the total
    WITHDRAWING = auto()  # a correction takes back what it does not repeat
    MATCHING = auto()
    JUDGING = auto()  # what it should have said, and does not
    POSTED = auto()


class MatchState(Named):
    MATCHED = auto()
    DIFFERING = auto()  # ours, and posted as such; not as it should be
    UNMATCHED = auto()  # in SUSPENSE until somebody knows


class Statement(Record, frozen=True):
    PARENT: ClassVar[str] = ""
    id: str  # the first half of the file's hash: the same file is the same statement
    tenant: str  # whose operator brought it
    channel: str
    account: str
    sha256: str
    number: str  # the carrier's
    period_from: int
    period_to: int
    total_minor: int  # in `currency`; lines in another one are not part of it
    currency: str
    sum_minor: int  # of the lines that have come
    parts: int
    corrects: str | None  # the statement in whose place this one comes
    corrected: str | None  # the one that has come in its place
    actor: str
    received_at: int
    arrived: int  # parts
    last_line: int  # the highest number of a line so far
    step: Step
    cursor: int  # the last line that this step has done
    judged_to: int  # what was captured, or awarded, before it has to have been billed, or paid
    awards_to: int
    posted_at: int  # 0: not yet

    @property
    def key(self) -> str:
        return number_key(self.channel, self.account, self.number)


def statement_id(sha256: str) -> str:
    return sha256[:32]


def number_key(channel: str, account: str, number: str) -> str:
    """What a statement is found by; neither of the first two holds a '/'."""
    return f"{channel}/{account}/{number}"


class StatementPart(Record, frozen=True):
    PARENT: ClassVar[str] = "statement"
    id: str  # statement/part
    statement: str
    part: int
    lines: int
    fingerprint: str
    at: int


class StatementLine(Record, frozen=True):
    PARENT: ClassVar[str] = "statement"
    id: str  # statement/number
    statement: str
    part: int
    line_no: int
    kind: LineKind
    reference: str
    waybill: str
    amount: int
    currency: str
    at: int  # 0: the carrier does not say
    mark: str  # lines of one mark say the same

    @property
    def owed(self) -> int:
        """What it adds to what the carrier wants from us."""
        return SIGN[self.kind] * self.amount


class LineMatch(Record, frozen=True):
    """What a line turned out to be: one row for each line of a posted statement."""

    PARENT: ClassVar[str] = "statement"
    id: str  # of the line
    statement: str
    state: MatchState
    interception: str | None
    claim: str | None
    award: str | None  # None with a claim: all of its awards
    settles: str | None  # a credit: the line that it gives back
    carried: str | None  # a correction repeats this line, which stands
    transfer: str | None


class Withdrawal(Record, frozen=True):
    """A line that a correction does not repeat: it counts no more."""

    PARENT: ClassVar[str] = "statement"
    id: str  # of the line
    statement: str  # the correction
    transfer: str | None


class Difference(Record, frozen=True):
    """What an exception of a statement is about."""

    PARENT: ClassVar[str] = "statement"
    id: str  # of the exception
    statement: str
    line_no: int  # 0: what no line says
    waybill: str
    interception: str | None
    claim: str | None
    award: str | None
    expected: int | None
    actual: int | None
    currency: str


def total(lines: Iterable[StatementLine], currency: str) -> int:
    """What the carrier wants from us, of the lines in this currency."""
    return sum(line.owed for line in lines if line.currency == currency)
