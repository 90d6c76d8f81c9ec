"""What one line of a statement is: pure, from the line and what of ours it may be about.

A line gets one state and one entry, and at most one exception of one kind. Evidence moves money:
a fee that is billed for what the carrier was asked, and has not answered, is its acceptance.
"""

from collections.abc import Callable, Mapping, Sequence

from gateway.domain.claim import Award, Claim
from gateway.domain.fees import Payout
from gateway.domain.interception import (
    UNDECIDED,
    Decision,
    ExceptionKind,
    Interception,
    Money,
)
from gateway.domain.ledger import TransferKind
from gateway.domain.record import Record
from gateway.domain.statement import LineKind, LineMatch, MatchState, Statement, StatementLine

X, S, K = ExceptionKind, MatchState, TransferKind


class Stands(Record, frozen=True):
    """A line that has been matched before, and that no correction has withdrawn."""

    line: StatementLine
    match: LineMatch
    credited: bool  # another line gives it back

    @property
    def bill(self) -> bool:
        """A fee that is ours to pay."""
        return self.line.kind is LineKind.FEE and self.match.state is not S.UNMATCHED

    @property
    def suspended(self) -> bool:
        return self.line.kind is LineKind.FEE and self.match.state is S.UNMATCHED


class Ours(Record, frozen=True):
    """An interception a line may be about, the numbers of its parcel, and what was billed."""

    interception: Interception
    numbers: frozenset[str]
    stands: Sequence[Stands] = ()

    @property
    def bills(self) -> list[Stands]:
        return [one for one in self.stands if one.bill and not one.credited]


class Due(Record, frozen=True):
    """A claim a line may pay: its awards, and what of each is open."""

    claim: Claim
    numbers: frozenset[str]
    awards: Sequence[Award]
    open: Mapping[str, int]  # by award


class Known(Record, frozen=True):
    """All that a line may be about, whoever's it is."""

    interceptions: Sequence[Ours] = ()
    claims: Sequence[Due] = ()


class Verdict(Record, frozen=True, kw_only=True):
    """What a line is: its entry, and the exception where a person has to look."""

    state: MatchState = S.MATCHED
    move: TransferKind | None = None
    kind: ExceptionKind | None = None
    interception: Interception | None = None
    claim: Claim | None = None
    award: Award | None = None
    settles: str | None = None
    expected: int | None = None
    accept: bool = False  # the interception was undecided: this is the carrier's yes
    stranger: bool = False  # what it names is another account's
    closes: tuple[tuple[ExceptionKind, str], ...] = ()  # and of which line


def judge(line: StatementLine, statement: Statement, known: Known, tolerance: int) -> Verdict:
    """The one verdict on a line."""
    return JUDGES[line.kind](line, statement, known, tolerance)


def suspended(line: StatementLine, kind: ExceptionKind, **of: object) -> Verdict:
    """Nobody's, for all we know: it lies in SUSPENSE, and a person is told."""
    move = K.STATEMENT_UNMATCHED if line.owed > 0 else K.STATEMENT_UNMATCHED_CREDIT
    return Verdict(state=S.UNMATCHED, move=move, kind=kind, **of)  # type: ignore[arg-type]


# -- fees -----------------------------------------------------------------------------------


def _fee(line: StatementLine, statement: Statement, known: Known, tolerance: int) -> Verdict:
    found = _interception(line, statement, known)
    if isinstance(found, Verdict):
        return found
    ic = found.interception
    of = {"interception": ic}
    if found.bills:
        return suspended(line, X.FEE_BILLED_TWICE, expected=0, **of)
    accept = ic.decision in UNDECIDED and 0 < ic.sent_at < statement.period_to
    if ic.decision is Decision.LATE_ACCEPTED:
        kind, expected = X.LATE_ACCEPTANCE_BILLED, 0
    elif accept or ic.promised_at:
        kind, expected = X.FEE_DIFFERS, ic.fee_minor
    else:
        return suspended(line, X.FEE_BILLED_THOUGH_REFUSED, expected=0, **of)
    if abs(line.amount - expected) <= tolerance:
        return Verdict(move=K.STATEMENT_FEE, interception=ic, expected=expected, accept=accept)
    return Verdict(
        state=S.DIFFERING,
        move=K.STATEMENT_FEE,
        kind=kind,
        interception=ic,
        expected=expected,
        accept=accept,
    )


def _credit(line: StatementLine, statement: Statement, known: Known, tolerance: int) -> Verdict:
    """A charge given back: one that was not ours to pay, or that of a fee we have refunded."""
    found = _interception(line, statement, known)
    if isinstance(found, Verdict):
        return found
    ic = found.interception
    wrong = [one for one in found.stands if one.suspended and not one.credited]
    wrong = [one for one in wrong if one.line.currency == line.currency]
    bills = found.bills
    refunded = ic.money is Money.REFUNDED
    for one in (*bills, *wrong) if refunded else (*wrong, *bills):
        kind: ExceptionKind | None = None
        if abs(line.amount - one.line.amount) > tolerance:
            kind, expected = X.FEE_DIFFERS, one.line.amount
        elif one.bill and ic.money is Money.CAPTURED:
            kind, expected = X.FEE_DIFFERS, 0  # the merchant has paid it, and the carrier has not
        else:
            expected = one.line.amount
        return Verdict(
            state=S.DIFFERING if kind else S.MATCHED,
            move=K.STATEMENT_CREDIT if one.bill else K.STATEMENT_UNMATCHED_CREDIT,
            kind=kind,
            interception=ic,
            settles=one.line.id,
            expected=expected,
            closes=() if kind else tuple((each, one.line.id) for each in MENDED),
        )
    return suspended(line, X.FEE_DIFFERS, interception=ic, expected=0)


# A charge that is given back whole leaves nothing of these to look at.
MENDED = (
    X.FEE_BILLED_TWICE,
    X.FEE_BILLED_THOUGH_REFUSED,
    X.LATE_ACCEPTANCE_BILLED,
    X.FEE_DIFFERS,
)


def _interception(line: StatementLine, statement: Statement, known: Known) -> Ours | Verdict:
    """The interception of this account that a line is about; else what is wrong with it."""
    named = [one for one in known.interceptions if line.reference in _names(one.interception)]
    by_number = [one for one in known.interceptions if line.waybill in one.numbers]
    # a reference that nobody knows says nothing against the waybill
    found = [one for one in named if not line.waybill or line.waybill in one.numbers]
    found = found or ([] if named else by_number)
    mine = [one for one in found if _is_of(one.interception, statement)]
    before = [one for one in mine if one.interception.created_at < statement.period_to]
    if before:
        best = max(before, key=_likely)
        ic = best.interception
        if line.currency != ic.currency or line.currency != statement.currency:
            return suspended(line, X.WRONG_CURRENCY, interception=ic, expected=ic.fee_minor)
        return best
    late = {one.interception.id for one in mine}  # begun after the period: not what was billed
    others = [one.interception for one in (*named, *by_number)]
    others = [ic for ic in others if ic.id not in late]
    if others:
        return suspended(line, X.FOREIGN_REFERENCE, interception=others[0], stranger=True)
    return suspended(line, X.FEE_UNKNOWN_WAYBILL)


def _names(ic: Interception) -> tuple[str, ...]:
    return (ic.id, ic.reference) if ic.reference else (ic.id,)


def _is_of(row: Interception | Claim, statement: Statement) -> bool:
    return (row.channel, row.account) == (statement.channel, statement.account)


def _likely(one: Ours) -> tuple[bool, bool, bool, bool, int, str]:
    """Of several interceptions of one parcel: the one that was paid for and not billed yet, then
    one accepted late, one that may have been accepted, one that was billed; the newest of those."""
    ic = one.interception
    paid = ic.promised_at > 0 and ic.money in (Money.CAPTURED, Money.REFUNDED, Money.NONE)
    return (
        paid and not one.bills,
        ic.decision is Decision.LATE_ACCEPTED and not one.bills,
        ic.decision in UNDECIDED and ic.sent_at > 0,
        bool(one.bills),
        ic.created_at,
        ic.id,
    )


# -- claims ---------------------------------------------------------------------------------


def _claim(line: StatementLine, statement: Statement, known: Known, tolerance: int) -> Verdict:
    found = _due(line, statement, known)
    if isinstance(found, Verdict):
        return found
    claim = found.claim
    ready = [award for award in found.awards if found.open[award.id] > 0]
    named = [award for award in ready if award.id == line.reference]
    ready = named or ready
    if not ready:
        return suspended(line, X.PAYMENT_WITHOUT_AWARD, claim=claim, expected=0)
    if line.currency != claim.currency or line.currency != statement.currency:
        return suspended(line, X.WRONG_CURRENCY, claim=claim, expected=found.open[ready[0].id])
    whole = sum(found.open[award.id] for award in ready)
    exact = [award for award in ready if found.open[award.id] == line.amount]
    if not exact and line.amount == whole and len({award.channel for award in ready}) == 1:
        move = K.STATEMENT_CLAIM if ready[0].channel is Payout.WALLET else None
        return Verdict(move=move, claim=claim, expected=whole)
    award = (exact or ready)[0]
    due = found.open[award.id]
    kind = None
    if abs(line.amount - due) > tolerance:
        kind = X.AWARD_UNDERPAID if line.amount < due else X.PAYMENT_WITHOUT_AWARD
    return Verdict(
        state=S.DIFFERING if kind else S.MATCHED,
        # what the carrier paid to the merchant has been settled between them
        move=K.STATEMENT_CLAIM if award.channel is Payout.WALLET else None,
        kind=kind,
        claim=claim,
        award=award,
        expected=due,
    )


def _due(line: StatementLine, statement: Statement, known: Known) -> Due | Verdict:
    """The claim of this account that a line pays; else what is wrong with it."""
    named = [one for one in known.claims if line.reference in _titles(one)]
    by_number = [one for one in known.claims if line.waybill in one.numbers]
    found = [one for one in named if not line.waybill or line.waybill in one.numbers]
    found = found or ([] if named else by_number)
    mine = [one for one in found if _is_of(one.claim, statement)]
    if mine:
        return max(mine, key=lambda one: (_fits(one, line), one.claim.filed_at, one.claim.id))
    others = [one.claim for one in (*named, *by_number)]
    if others:
        return suspended(line, X.FOREIGN_REFERENCE, claim=others[0], stranger=True)
    return suspended(line, X.PAYMENT_WITHOUT_AWARD)


def _titles(one: Due) -> tuple[str, ...]:
    own = (one.claim.id, *(award.id for award in one.awards))
    return (*own, one.claim.reference) if one.claim.reference else own


def _fits(one: Due, line: StatementLine) -> int:
    """How well a payment fits a claim: 2 exactly, 1 something is open, 0 nothing is."""
    left = [amount for amount in one.open.values() if amount > 0]
    return 2 if line.amount in (*left, sum(left)) else 1 if left else 0


def _other(line: StatementLine, *_: object) -> Verdict:
    """What belongs to no interception and no claim is for a person, whichever way it goes."""
    kind = X.FEE_UNKNOWN_WAYBILL if line.amount > 0 else X.PAYMENT_WITHOUT_AWARD
    return suspended(line, kind)


JUDGES: Mapping[LineKind, Callable[[StatementLine, Statement, Known, int], Verdict]] = {
    LineKind.FEE: _fee,
    LineKind.FEE_CREDIT: _credit,
    LineKind.CLAIM: _claim,
    LineKind.OTHER: _other,
}
