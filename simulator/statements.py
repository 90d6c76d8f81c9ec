"""What a carrier bills for a period, out of what really happened; and bills that are wrong.

Right, a statement has a fee for each time our instruction was carried out, a credit where the
promise was not kept, and a payment for each claim granted. Twelve kinds of mistake can be put in;
which line gets one follows from the seed alone, and what was put in is told beside the lines.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum, auto

from simulator.depot import Record
from simulator.mistakes import Mistake, Order
from simulator.truth import ClaimState, Fee, facts, judge
from simulator.world import Interception

COLUMNS = ("line_no", "kind", "reference", "waybill", "amount", "currency", "at")
LINES_MAX = 100_000
FOREIGN = {"CNY": "USD"}  # the currency of a line in the wrong one


class LineKind(StrEnum):
    FEE = auto()
    FEE_CREDIT = auto()
    CLAIM = auto()


@dataclass(frozen=True, slots=True)
class Line:
    kind: LineKind
    reference: str
    waybill: str
    amount_minor: int
    currency: str
    at_ms: int

    @property
    def owed(self) -> int:
        return self.amount_minor if self.kind is LineKind.FEE else -self.amount_minor


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mistake as it stands in the statement. `line_no` 0: the line that is not there."""

    kind: Mistake
    waybill: str
    line_no: int


@dataclass(frozen=True, slots=True)
class Made:
    lines: Sequence[Line]
    wrong: Sequence[Wrong]
    currency: str

    @property
    def total_minor(self) -> int:
        return sum(line.owed for line in self.lines if line.currency == self.currency)

    def text(self) -> str:
        """The file: one row for each line, amounts in whole units with their fraction."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, line in enumerate(self.lines, 1):
            whole, part = divmod(line.amount_minor, 100)
            at = datetime.fromtimestamp(line.at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            amount = f"{whole}.{part:02}"
            kind = line.kind.upper()
            writer.writerow((number, kind, line.reference, line.waybill, amount, line.currency, at))
        return out.getvalue()


class CannotBeWrong(Exception):
    """Nothing happened that such a mistake could be made about."""


def statement(records: Iterable[Record], order: Order, now_ms: int) -> Made:
    """The statement of an account. Raises CannotBeWrong; ValueError where it is too long."""
    every = list(records)
    mine = [one for one in every if _of(one, order)]
    draft = Draft(order, [line for one in mine for line in _lines(one, order, now_ms)])
    draft.natural()
    for mistake in order.mistakes:
        MISTAKES[mistake](draft, mistake, every, now_ms)
    return draft.made()


def _of(record: Record, order: Order) -> bool:
    return (record.parcel.carrier, record.parcel.account) == (order.carrier, order.account)


def _lines(record: Record, order: Order, now_ms: int) -> list[Line]:
    """What happened to one parcel in the period, as its carrier bills it."""
    made: list[Line] = []

    def add(kind: LineKind, reference: str, amount: int, at_ms: int | None) -> None:
        if at_ms is not None and order.from_ms <= at_ms < order.to_ms and at_ms <= now_ms:
            waybill = record.parcel.waybill
            made.append(Line(kind, reference, waybill, amount, order.currency, at_ms))

    found = facts(record, now_ms)
    for entry in record.journal:
        if _charged(entry, now_ms):
            for _ in range(entry.effects):
                add(LineKind.FEE, entry.reference, order.fee_minor, entry.accepted_ms)
    if found.fee is Fee.REFUNDED and found.entry is not None:
        at_ms = found.delivered_ms or found.entry.cancelled_ms
        add(LineKind.FEE_CREDIT, found.entry.reference, order.fee_minor, at_ms)
    for claim in record.claims:
        state, granted = judge(record, claim, now_ms)
        if state in (ClaimState.APPROVED, ClaimState.PARTIAL):
            add(LineKind.CLAIM, claim.business_no, granted, claim.decided_ms)
    return made


def _charged(entry: Interception, now_ms: int) -> bool:
    accepted = entry.accepted_ms is not None and entry.accepted_ms <= now_ms
    return accepted and not entry.by_other and entry.refused_ms is None


@dataclass(slots=True)
class Draft:
    """Lines on their way to a statement: each mistake takes one that none has been made about."""

    order: Order
    lines: list[Line]
    wrong: list[tuple[Mistake, str, Line | None]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)  # waybills

    def natural(self) -> None:
        """What the carrier did twice it bills twice: wrong without anybody's help."""
        seen: set[tuple[str, str]] = set()
        for line in self.lines:
            if line.kind is LineKind.FEE:
                key = (line.reference, line.waybill)
                if key in seen:
                    self.note(Mistake.FEE_BILLED_TWICE, line.waybill, line)
                seen.add(key)

    def pick(self, mistake: Mistake, waybills: Iterable[str]) -> str:
        """One of these, by the seed, that no other mistake is about."""
        free = [one for one in dict.fromkeys(waybills) if one not in self.touched]
        if not free:
            raise CannotBeWrong(f"{mistake}: nothing happened that it could be about")
        found = min(free, key=lambda one: _chance(self.order, mistake, one))
        self.touched.add(found)
        return found

    def of(self, kind: LineKind, waybill: str) -> Line:
        return next(one for one in self.lines if (one.kind, one.waybill) == (kind, waybill))

    def having(self, kind: LineKind, *without: LineKind) -> list[str]:
        """Waybills with a line of this kind, and none of those."""
        out = {one.waybill for one in self.lines if one.kind in without}
        return [one.waybill for one in self.lines if one.kind is kind and one.waybill not in out]

    def change(self, mistake: Mistake, line: Line, changed: Line) -> None:
        self.lines[self.lines.index(line)] = changed
        self.note(mistake, line.waybill, changed)

    def add(self, mistake: Mistake, line: Line) -> None:
        self.lines.append(line)
        self.note(mistake, line.waybill, line)

    def drop(self, mistake: Mistake, line: Line) -> None:
        self.lines.remove(line)
        self.note(mistake, line.waybill, None)

    def note(self, mistake: Mistake, waybill: str, line: Line | None) -> None:
        self.touched.add(waybill)
        self.wrong.append((mistake, waybill, line))

    def fee(self, reference: str, waybill: str) -> Line:
        order = self.order
        at_ms = order.to_ms - 1
        return Line(LineKind.FEE, reference, waybill, order.fee_minor, order.currency, at_ms)

    def made(self) -> Made:
        if len(self.lines) > LINES_MAX:
            raise ValueError(f"more than {LINES_MAX} lines")
        numbers = {id(line): number for number, line in enumerate(self.lines, 1)}
        wrong = [
            Wrong(kind, waybill, numbers[id(line)] if line is not None else 0)
            for kind, waybill, line in self.wrong
        ]
        return Made(self.lines, wrong, self.order.currency)


def _chance(order: Order, *of: object) -> bytes:
    text = "/".join(str(part) for part in (order.seed, order.carrier, order.account, *of))
    return hashlib.sha256(text.encode()).digest()


# -- the twelve -----------------------------------------------------------------------------


def _unknown(draft: Draft, mistake: Mistake, every: Sequence[Record], now_ms: int) -> None:
    known = {one.parcel.waybill for one in every}
    like = next(iter(known), "0" * 13)
    for n in range(1000):
        digits = str(int.from_bytes(_chance(draft.order, mistake, n)[:8], "big"))[:9].zfill(9)
        waybill = like[:-9] + digits
        if waybill not in known | draft.touched:
            draft.add(mistake, draft.fee("", waybill))
            return


def _not_billed(draft: Draft, mistake: Mistake, *_: object) -> None:
    draft.drop(mistake, _plain(draft, mistake))


def _plain(draft: Draft, mistake: Mistake) -> Line:
    plain = draft.having(LineKind.FEE, LineKind.FEE_CREDIT, LineKind.CLAIM)
    return draft.of(LineKind.FEE, draft.pick(mistake, plain))


def _differs(draft: Draft, mistake: Mistake, *_: object) -> None:
    line = _plain(draft, mistake)
    draft.change(mistake, line, replace(line, amount_minor=line.amount_minor + 150))


def _twice(draft: Draft, mistake: Mistake, *_: object) -> None:
    draft.add(mistake, replace(_plain(draft, mistake)))


def _currency(draft: Draft, mistake: Mistake, *_: object) -> None:
    line = _plain(draft, mistake)
    draft.change(mistake, line, replace(line, currency=FOREIGN.get(line.currency, "CNY")))


def _foreign(draft: Draft, mistake: Mistake, every: Sequence[Record], now_ms: int) -> None:
    others = [one for one in every if not _of(one, draft.order)]
    taken = [one for one in others if any(_charged(entry, now_ms) for entry in one.journal)]
    waybill = draft.pick(mistake, (one.parcel.waybill for one in taken))
    draft.add(mistake, draft.fee("", waybill))


def _refused(draft: Draft, mistake: Mistake, every: Sequence[Record], now_ms: int) -> None:
    draft.add(mistake, _billed(draft, mistake, every, now_ms, late=False))


def _late(draft: Draft, mistake: Mistake, every: Sequence[Record], now_ms: int) -> None:
    draft.add(mistake, _billed(draft, mistake, every, now_ms, late=True))


def _billed(
    draft: Draft, mistake: Mistake, every: Sequence[Record], now_ms: int, *, late: bool
) -> Line:
    """A fee for what was refused; `late`: and accepted afterwards."""
    found: dict[str, str] = {}
    for one in every:
        entry = facts(one, now_ms).entry
        if not _of(one, draft.order) or entry is None or entry.refused_ms is None:
            continue
        accepted = entry.accepted_ms is not None and entry.accepted_ms <= now_ms
        if entry.refused_ms <= now_ms and accepted is late:
            found[one.parcel.waybill] = entry.reference
    waybill = draft.pick(mistake, found)
    return draft.fee(found[waybill], waybill)


def _uncredited(draft: Draft, mistake: Mistake, *_: object) -> None:
    waybill = draft.pick(mistake, draft.having(LineKind.FEE_CREDIT, LineKind.CLAIM))
    draft.drop(mistake, draft.of(LineKind.FEE_CREDIT, waybill))


def _underpaid(draft: Draft, mistake: Mistake, *_: object) -> None:
    line = draft.of(LineKind.CLAIM, draft.pick(mistake, draft.having(LineKind.CLAIM)))
    draft.change(mistake, line, replace(line, amount_minor=line.amount_minor // 2 + 1))


def _unpaid(draft: Draft, mistake: Mistake, *_: object) -> None:
    draft.drop(mistake, draft.of(LineKind.CLAIM, draft.pick(mistake, draft.having(LineKind.CLAIM))))


def _unawarded(draft: Draft, mistake: Mistake, *_: object) -> None:
    line = _plain(draft, mistake)
    draft.add(mistake, replace(line, kind=LineKind.CLAIM, amount_minor=12_345))


MISTAKES: Mapping[Mistake, Callable[[Draft, Mistake, Sequence[Record], int], None]] = {
    Mistake.FEE_UNKNOWN_WAYBILL: _unknown,
    Mistake.FEE_NOT_BILLED: _not_billed,
    Mistake.FEE_DIFFERS: _differs,
    Mistake.FEE_BILLED_TWICE: _twice,
    Mistake.WRONG_CURRENCY: _currency,
    Mistake.FOREIGN_REFERENCE: _foreign,
    Mistake.FEE_BILLED_THOUGH_REFUSED: _refused,
    Mistake.REFUND_NOT_CREDITED: _uncredited,
    Mistake.LATE_ACCEPTANCE_BILLED: _late,
    Mistake.AWARD_UNDERPAID: _underpaid,
    Mistake.AWARD_UNPAID: _unpaid,
    Mistake.PAYMENT_WITHOUT_AWARD: _unawarded,
}
