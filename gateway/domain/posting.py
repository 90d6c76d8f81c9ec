"""The entries of a statement's lines, with the exceptions that they open and close."""

from collections import defaultdict
from typing import Any

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Verdict
from gateway.domain.claim import Award, Claim
from gateway.domain.command import Env
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Event,
    EvidenceKind,
    Exceptional,
    ExceptionKind,
    Interception,
)
from gateway.domain.ledger import MOVES, Move, Transfer, TransferKind, post
from gateway.domain.lifecycle import (
    ASK_DELAYS_MS,
    SYSTEM,
    close_exception,
    delay,
    follow,
    move,
    note,
)
from gateway.domain.matching import MENDED, Due, Known, Ours, Stands, judge
from gateway.domain.matching import Verdict as Found
from gateway.domain.parcel import Alias, Parcel
from gateway.domain.record import replace
from gateway.domain.statement import (
    Difference,
    LineKind,
    LineMatch,
    MatchState,
    Statement,
    StatementLine,
    Withdrawal,
)

X = ExceptionKind
FAMILY = frozenset({Alias, Claim})
# The way back of each entry of a statement.
BACK = {
    TransferKind.STATEMENT_FEE: TransferKind.STATEMENT_CREDIT,
    TransferKind.STATEMENT_CREDIT: TransferKind.STATEMENT_FEE,
    TransferKind.STATEMENT_CLAIM: TransferKind.STATEMENT_CLAIM_BACK,
    TransferKind.STATEMENT_UNMATCHED: TransferKind.STATEMENT_UNMATCHED_CREDIT,
    TransferKind.STATEMENT_UNMATCHED_CREDIT: TransferKind.STATEMENT_UNMATCHED,
}
NOTES = {
    X.FEE_UNKNOWN_WAYBILL: "a charge for nothing of ours",
    X.FEE_DIFFERS: "another amount than ours",
    X.FEE_BILLED_TWICE: "billed before",
    X.WRONG_CURRENCY: "in another currency than ours",
    X.FOREIGN_REFERENCE: "reference and waybill are not of one interception of this account",
    X.FEE_BILLED_THOUGH_REFUSED: "billed, and not accepted as far as is known",
    X.LATE_ACCEPTANCE_BILLED: "accepted after the fee went back to the merchant",
    X.AWARD_UNDERPAID: "less than was awarded",
    X.PAYMENT_WITHOUT_AWARD: "more than is awarded and open",
}


# -- what a line may be about ---------------------------------------------------------------


class Shelf:
    """What the lines of a chunk may be about, by the names they may use. Rows are read anew for
    each line: the lines before it have changed them."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._numbers: dict[str, frozenset[str]] = {}  # of a parcel
        self._fees: defaultdict[str, set[str]] = defaultdict(set)  # name -> interceptions
        self._claims: defaultdict[str, set[str]] = defaultdict(set)
        self._stands: defaultdict[str, list[LineMatch]] = defaultdict(list)
        self._credited: set[str] = set()
        for ic in book.all(Interception):
            for name in (ic.id, ic.reference, *self.numbers(ic.parcel)):
                self._fees[name].add(ic.id)
        for claim in book.all(Claim):
            awards = [award.id for award in book.of(Award, claim.id)]
            for name in (claim.id, claim.reference, *awards, *self.numbers(claim.parcel)):
                self._claims[name].add(claim.id)
        gone = {row.id for row in book.all(Withdrawal)}
        for row in book.all(LineMatch):
            if row.id not in gone:
                self.add(row)

    def add(self, row: LineMatch) -> None:
        if row.carried is None:
            for about in (row.interception, row.claim):
                if about is not None:
                    self._stands[about].append(row)
            if row.settles is not None:
                self._credited.add(row.settles)

    def numbers(self, parcel: str) -> frozenset[str]:
        found = self._numbers.get(parcel)
        if found is None:
            own = self._book.get(Parcel, parcel)
            aliases = {alias.waybill for alias in self._book.of(Alias, parcel)}
            found = self._numbers[parcel] = frozenset(aliases | ({own.waybill} if own else set()))
        return found

    def known(self, line: StatementLine) -> Known:
        """All of ours that the line may name."""
        names = [name for name in (line.reference, line.waybill) if name]
        if line.kind is LineKind.CLAIM:
            keys = sorted({key for name in names for key in self._claims.get(name, ())})
            return Known(claims=[self._due(self._book.need(Claim, key)) for key in keys])
        keys = sorted({key for name in names for key in self._fees.get(name, ())})
        return Known([self._ours(self._book.need(Interception, key)) for key in keys])

    def _ours(self, ic: Interception) -> Ours:
        rows = self._stands.get(ic.id, ())
        lines = ((self._book.need(StatementLine, row.id), row) for row in rows)
        stands = [Stands(line, row, row.id in self._credited) for line, row in lines]
        return Ours(ic, self.numbers(ic.parcel), stands)

    def _due(self, claim: Claim) -> Due:
        awards = sorted(self._book.of(Award, claim.id), key=lambda award: (award.at, award.id))
        left = {award.id: award.amount for award in awards}
        whole = 0
        for row in self._stands.get(claim.id, ()):
            amount = self._book.need(StatementLine, row.id).amount
            if row.state is MatchState.UNMATCHED:
                continue
            if row.award is None:
                whole += amount
            else:
                left[row.award] -= amount
        for award in awards:  # what was paid for all of them pays the oldest first
            part = min(whole, max(0, left[award.id]))
            left[award.id] -= part
            whole -= part
        return Due(claim, self.numbers(claim.parcel), awards, left)


# -- entries and exceptions -----------------------------------------------------------------


def match_line(
    book: Book,
    shelf: Shelf,
    s: Statement,
    line: StatementLine,
    repeats: str | None,
    env: Env,
    terms: Terms,
) -> None:
    """Match one line and post what it says. `repeats`: the line of the corrected statement that
    says the same, and stands."""
    if repeats is not None:
        old = book.need(LineMatch, repeats)
        book.put(replace(old, id=line.id, statement=s.id, carried=old.carried or old.id))
        return
    tolerance = terms.contracts[s.channel].fee_tolerance_minor
    found = judge(line, s, shelf.known(line), tolerance)
    ic = found.interception
    if ic is not None and found.accept:
        _accepted(book, ic, line, env, terms)
    transfer = _posted(book, s, line.id, line, found.move, found, env) if found.move else None
    mine = not found.stranger
    row = book.put(
        LineMatch(
            id=line.id,
            statement=s.id,
            state=found.state,
            interception=ic.id if ic and mine else None,
            claim=found.claim.id if found.claim and mine else None,
            award=found.award.id if found.award else None,
            settles=found.settles,
            carried=None,
            transfer=transfer.id if transfer else None,
        )
    )
    shelf.add(row)
    if found.kind is not None:
        _differs(book, s, line, found, env)
    for kind, of in found.closes:
        close_exception(book, kind, of, env)
    _mended(book, line, found, env)


def _accepted(book: Book, ic: Interception, line: StatementLine, env: Env, terms: Terms) -> None:
    """Billed by the carrier, which had not answered: that is its answer."""
    answer = Answer(Verdict.ACCEPTED, reference=line.reference if line.reference != ic.id else "")
    key = f"statement/{line.id}"
    evidence = note(book, ic, EvidenceKind.STATEMENT, answer, env, key=key)
    ic = move(book, ic, Event.ACCEPT, env, terms, evidence=evidence, answer=answer)
    close_exception(book, X.NO_EVIDENCE, ic.id, env)
    follow(book, ic, env.now + delay(ASK_DELAYS_MS, 0))


def _posted(
    book: Book,
    s: Statement,
    cause: str,
    line: StatementLine,
    kind: TransferKind,
    found: Found | LineMatch,
    env: Env,
) -> Transfer:
    """One entry; `cause` names the line, and is its reference outside."""
    return post(
        book,
        Move(
            kind=kind,
            amount=abs(line.amount),
            currency=line.currency,
            merchant="",
            channel=s.channel,
            interception=_id(found.interception) if _of_carrier(kind) else None,
            award=_id(found.award) if _of_carrier(kind) else None,
            dedup=f"statement:{cause}",
            actor=s.actor,
            cause=cause,
        ),
        env.new_id(),
        env.now,
    )


def _id(row: Any) -> str | None:
    return row if row is None or isinstance(row, str) else str(row.id)


def _of_carrier(kind: TransferKind) -> bool:
    return "SUSPENSE" not in MOVES[kind]


def _differs(book: Book, s: Statement, line: StatementLine, found: Found, env: Env) -> None:
    assert found.kind is not None
    key = f"{found.kind}/{line.id}"
    detail = NOTES[found.kind]
    book.put(Exceptional(key, line.id, s.tenant, found.kind, detail, env.now, None, "", ""))
    row = found.interception or found.claim
    shown = row if row is not None and row.tenant == s.tenant else None
    shown = row if not found.stranger else shown  # another tenant's is none of this one's business
    book.put(
        Difference(
            id=key,
            statement=s.id,
            line_no=line.line_no,
            waybill=line.waybill,
            interception=shown.id if isinstance(shown, Interception) else None,
            claim=shown.id if isinstance(shown, Claim) else None,
            award=found.award.id if found.award else None,
            expected=found.expected,
            actual=line.amount,
            currency=line.currency,
        )
    )


def _mended(book: Book, line: StatementLine, found: Found, env: Env) -> None:
    """What was missed until now has come with this line."""
    missed: list[tuple[ExceptionKind, str | None]] = []
    if found.interception is not None and not found.stranger:
        came = X.FEE_NOT_BILLED if line.kind is LineKind.FEE else X.REFUND_NOT_CREDITED
        missed.append((came, found.interception.id))
    if found.claim is not None and found.state is not MatchState.UNMATCHED:
        missed.append((X.AWARD_UNPAID, found.claim.id))
        if found.state is MatchState.MATCHED:
            missed.append((X.AWARD_UNDERPAID, found.claim.id))
    for row in book.all(Difference):
        for kind, about in missed:
            of_award = found.award is None or row.award in (None, found.award.id)
            mine = about in (row.interception, row.claim) and of_award
            if mine and row.id.startswith(f"{kind}/"):
                close(book, row.id, env)


def close(book: Book, key: str, env: Env, resolution: str = "settled by evidence") -> None:
    found = book.get(Exceptional, key)
    if found is not None and found.closed_at is None:
        book.put(replace(found, closed_at=env.now, closed_by=SYSTEM, resolution=resolution))


def withdraw_line(book: Book, s: Statement, line: StatementLine, env: Env) -> None:
    """The correction does not repeat it: its entry is taken back by another one."""
    match = book.need(LineMatch, line.id)
    root = match.carried or match.id
    transfer = None
    if match.transfer is not None:
        kind = book.need(Transfer, match.transfer).kind
        cause = f"{s.id}/withdraws/{line.line_no}"
        transfer = _posted(book, s, cause, line, BACK[kind], match, env)
    book.put(Withdrawal(root, s.id, transfer.id if transfer else None))
    for row in list(book.all(Exceptional)):
        if row.subject == root:
            close(book, row.id, env, f"corrected by {s.number}"[:200])
    if match.interception is not None:
        _left(book, s, replace(match, id=root), line, env)


def _left(book: Book, s: Statement, gone: LineMatch, line: StatementLine, env: Env) -> None:
    """What a withdrawn line leaves behind: a fee that was given back stands again, perhaps beside
    another; or the credit of a fee stands alone."""
    ic = book.need(Interception, gone.interception or "")
    rows = [row for row in book.all(LineMatch) if row.interception == ic.id and not row.carried]
    rows = [row for row in rows if book.get(Withdrawal, row.id) is None]
    if gone.settles is not None:
        for case in list(book.all(Exceptional)):
            if case.subject == gone.settles and case.kind in MENDED and case.closed_by == SYSTEM:
                book.put(replace(case, closed_at=None, closed_by="", resolution=""))
        credited = {row.settles for row in rows if row.settles}
        bills = [row for row in rows if row.state is not MatchState.UNMATCHED]
        bills = [row for row in bills if row.id not in credited and row.settles is None]
        if len(bills) > 1:
            note = "a credit was withdrawn, and two fees stand"
            _tell(book, s, X.FEE_BILLED_TWICE, ic, line, note, env)
    elif any(row.settles == gone.id for row in rows):
        note = "a fee was withdrawn, and its credit stands"
        _tell(book, s, X.FEE_DIFFERS, ic, line, note, env)


def _tell(
    book: Book,
    s: Statement,
    kind: ExceptionKind,
    ic: Interception,
    line: StatementLine,
    detail: str,
    env: Env,
) -> None:
    subject = f"{s.id}/withdraws/{line.line_no}"
    unsaid(book, s, kind, subject, detail, ic, env, actual=line.amount, currency=line.currency)


def unsaid(
    book: Book,
    s: Statement,
    kind: ExceptionKind,
    subject: str,
    detail: str,
    ic: Interception,
    env: Env,
    *,
    award: Award | None = None,
    expected: int | None = None,
    actual: int | None = None,
    currency: str = "",
) -> None:
    """An exception about what no line of this statement says. `currency`: of the amounts, where it
    is not the interception's."""
    key = f"{kind}/{subject}"
    book.put(Exceptional(key, subject, s.tenant, kind, detail, env.now, None, "", ""))
    book.put(
        Difference(
            id=key,
            statement=s.id,
            line_no=0,
            waybill=ic.waybill,
            interception=ic.id,
            claim=award.claim if award else None,
            award=award.id if award else None,
            expected=expected,
            actual=actual,
            currency=currency or (award.currency if award else ic.currency),
        )
    )
