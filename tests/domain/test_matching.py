"""What a line of a statement is taken for: one row for each kind of line, and for each doubt."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.carrier import ClaimKind
from gateway.domain.claim import Award, Claim, ClaimState, Desk
from gateway.domain.fees import Payout
from gateway.domain.interception import Cancel, Decision, Interception, Money, Movement
from gateway.domain.matching import Due, Known, Ours, Stands, Verdict, judge
from gateway.domain.record import replace
from gateway.domain.statement import LineKind, LineMatch, MatchState, Statement, StatementLine, Step

D, M, S = Decision, Money, MatchState
START, END = 1_000, 2_000
STATEMENT = Statement(
    "s", "t", "zto", "a", "0" * 64, "1", START, END, 0, "CNY", 0, 1, None, None, "x", END, 1, 9,
    Step.MATCHING, 0, 0, 0, 0,
)  # fmt: skip


def ic(key: str, decision: Decision, money: Money, **of: Any) -> Interception:
    promised = 1_100 if decision in (D.ACCEPTED, D.LATE_ACCEPTED) else 0
    row = Interception(
        key, "t", "t/m", "p", "q", "zto", "a", "W1", 800, 0, "CNY", "pa", "", decision,
        Movement.NONE, "", money, Cancel.NONE, "", "", "", f"r-{key}", False, 1, 1_000, 1_050, 0,
        promised, 0, 0, f"c-{key}", "zto", "in_transit", 1_050,
    )  # fmt: skip
    return replace(row, **of)


CAPTURED = ic("captured", D.ACCEPTED, M.CAPTURED)
REFUNDED = ic("refunded", D.ACCEPTED, M.REFUNDED)
REFUSED = ic("refused", D.REFUSED, M.RELEASED)
LATE = ic("late", D.LATE_ACCEPTED, M.RELEASED)
UNKNOWN = ic("unknown", D.UNKNOWN, M.HELD)
QUEUED = ic("queued", D.QUEUED, M.HELD, sent_at=0)
FREE = ic("free", D.ACCEPTED, M.NONE, fee_minor=0)
ELSEWHERE = ic("elsewhere", D.ACCEPTED, M.CAPTURED, account="b")
OTHERS = ic("others", D.ACCEPTED, M.CAPTURED, channel="sf")
LATER = ic("later", D.ACCEPTED, M.CAPTURED, created_at=END)


def line(kind: LineKind, **of: Any) -> StatementLine:
    row = StatementLine("s/9", "s", 1, 9, kind, "", "W1", 800, "CNY", 0, "")
    return replace(row, **of)


def before(kind: LineKind, state: MatchState = S.MATCHED, *, credited: bool = False) -> Stands:
    match = LineMatch("s/1", "s", state, "x", None, None, None, None, "t")
    return Stands(line(kind, id="s/1"), match, credited)


def told(found: Verdict) -> str:
    about = found.interception.id if found.interception else "–"
    move = (found.move or "–").removeprefix("statement_") if found.move else "–"
    return f"{found.state} {move} {found.kind or '–'} {about}"


FEE, CREDIT, CLAIM, OTHER = LineKind
BILLED, TWICE = before(FEE), before(FEE, S.UNMATCHED)
CASES: list[tuple[str, StatementLine, list[Ours], str]] = []


def case(said: str, given: StatementLine, *known: Interception, expected: str, **of: Any) -> None:
    stands = of.get("stands", ())
    CASES.append((said, given, [Ours(row, frozenset({row.waybill}), stands) for row in known],
                  expected))  # fmt: skip


# fees, by what became of the interception
case("captured", line(FEE), CAPTURED, expected="MATCHED fee – captured")
case("refunded", line(FEE), REFUNDED, expected="MATCHED fee – refunded")
case("a fen more", line(FEE, amount=802), CAPTURED, expected="DIFFERING fee FEE_DIFFERS captured")
case("a fen less", line(FEE, amount=798), CAPTURED, expected="DIFFERING fee FEE_DIFFERS captured")
case("within the tolerance", line(FEE, amount=801), CAPTURED, expected="MATCHED fee – captured")
case("for nothing", line(FEE), FREE, expected="DIFFERING fee FEE_DIFFERS free")
case(
    "refused", line(FEE), REFUSED, expected="UNMATCHED unmatched FEE_BILLED_THOUGH_REFUSED refused"
)
case("accepted late", line(FEE), LATE, expected="DIFFERING fee LATE_ACCEPTANCE_BILLED late")
case("late, within the tolerance", line(FEE, amount=1), LATE, expected="MATCHED fee – late")
case("unknown", line(FEE), UNKNOWN, expected="MATCHED fee – unknown")
case(
    "never left", line(FEE), QUEUED, expected="UNMATCHED unmatched FEE_BILLED_THOUGH_REFUSED queued"
)
case(
    "again",
    line(FEE),
    CAPTURED,
    stands=(BILLED,),
    expected="UNMATCHED unmatched FEE_BILLED_TWICE captured",
)
case(
    "again, after a credit",
    line(FEE),
    CAPTURED,
    stands=(replace(BILLED, credited=True),),
    expected="MATCHED fee – captured",
)
case(
    "first, after a bill that was not ours",
    line(FEE),
    CAPTURED,
    stands=(TWICE,),
    expected="MATCHED fee – captured",
)
# whose it is
case("of nobody", line(FEE), expected="UNMATCHED unmatched FEE_UNKNOWN_WAYBILL –")
case("of a later one", line(FEE), LATER, expected="UNMATCHED unmatched FEE_UNKNOWN_WAYBILL –")
case(
    "of another account",
    line(FEE),
    ELSEWHERE,
    expected="UNMATCHED unmatched FOREIGN_REFERENCE elsewhere",
)
case(
    "of another carrier", line(FEE), OTHERS, expected="UNMATCHED unmatched FOREIGN_REFERENCE others"
)
case("ours before another's", line(FEE), OTHERS, CAPTURED, expected="MATCHED fee – captured")
case(
    "by our id alone",
    line(FEE, waybill="", reference="captured"),
    CAPTURED,
    expected="MATCHED fee – captured",
)
case(
    "by the carrier's reference",
    line(FEE, reference="r-captured"),
    REFUSED,
    CAPTURED,
    expected="MATCHED fee – captured",
)
case(
    "a reference nobody knows",
    line(FEE, reference="Z-1"),
    CAPTURED,
    expected="MATCHED fee – captured",
)
case(
    "a reference of another parcel",
    line(FEE, waybill="W2", reference="captured"),
    CAPTURED,
    ic("two", D.ACCEPTED, M.CAPTURED, waybill="W2"),
    expected="UNMATCHED unmatched FOREIGN_REFERENCE captured",
)
case(
    "of two, the one that was paid for",
    line(FEE),
    REFUSED,
    CAPTURED,
    UNKNOWN,
    expected="MATCHED fee – captured",
)
case(
    "of two, the late one before the refused",
    line(FEE),
    REFUSED,
    LATE,
    expected="DIFFERING fee LATE_ACCEPTANCE_BILLED late",
)
case(
    "of two, the unknown before the refused",
    line(FEE),
    REFUSED,
    UNKNOWN,
    expected="MATCHED fee – unknown",
)
case(
    "in dollars",
    line(FEE, currency="USD"),
    CAPTURED,
    expected="UNMATCHED unmatched WRONG_CURRENCY captured",
)
case(
    "in the wallet's currency, not the statement's",
    line(FEE, currency="USD"),
    replace(CAPTURED, currency="USD"),
    expected="UNMATCHED unmatched WRONG_CURRENCY captured",
)
# credits
case("of a refund", line(CREDIT), REFUNDED, stands=(BILLED,), expected="MATCHED credit – refunded")
case(
    "of a refund, too little",
    line(CREDIT, amount=700),
    REFUNDED,
    stands=(BILLED,),
    expected="DIFFERING credit FEE_DIFFERS refunded",
)
case(
    "of what was not ours",
    line(CREDIT),
    REFUSED,
    stands=(TWICE,),
    expected="MATCHED unmatched_credit – refused",
)
case(
    "of what the merchant has paid",
    line(CREDIT),
    CAPTURED,
    stands=(BILLED,),
    expected="DIFFERING credit FEE_DIFFERS captured",
)
case(
    "of the double first",
    line(CREDIT),
    CAPTURED,
    stands=(BILLED, TWICE),
    expected="MATCHED unmatched_credit – captured",
)
case(
    "of the bill first, where it was refunded",
    line(CREDIT),
    REFUNDED,
    stands=(TWICE, BILLED),
    expected="MATCHED credit – refunded",
)
case(
    "of nothing", line(CREDIT), CAPTURED, expected="UNMATCHED unmatched_credit FEE_DIFFERS captured"
)
case(
    "of what was credited",
    line(CREDIT),
    REFUNDED,
    stands=(replace(BILLED, credited=True),),
    expected="UNMATCHED unmatched_credit FEE_DIFFERS refunded",
)
case("of nobody's", line(CREDIT), expected="UNMATCHED unmatched_credit FEE_UNKNOWN_WAYBILL –")
# what belongs to nothing
case("a charge", line(OTHER), CAPTURED, expected="UNMATCHED unmatched FEE_UNKNOWN_WAYBILL –")
case(
    "a payment",
    line(OTHER, amount=-1),
    CAPTURED,
    expected="UNMATCHED unmatched_credit PAYMENT_WITHOUT_AWARD –",
)


@pytest.mark.parametrize(("said", "given", "known", "expected"), CASES, ids=[c[0] for c in CASES])
def test_a_line_is_taken_for_one_thing(
    said: str, given: StatementLine, known: list[Ours], expected: str
) -> None:
    for order in (known, known[::-1]):  # whatever order they come in
        assert told(judge(given, STATEMENT, Known(order), 1)) == expected


def claim(key: str = "c", **of: Any) -> Claim:
    row = Claim(
        key, "t", "t/m", "i", "p", "zto", "a", ClaimKind.LOST, "o", "1", 5000, 0, "CNY", "",
        ClaimState.AWARDED, Desk.CARRIER, f"n-{key}", "", "x", 1, 1, 1,
    )  # fmt: skip
    return replace(row, **of)


def award(key: str, amount: int, channel: Payout = Payout.WALLET) -> Award:
    return Award(key, "c", "p", "o", "1", amount, "CNY", channel, key, "x", 1)


def due(*awards: Award, of: Claim | None = None, paid: int = 0) -> Due:
    left = {one.id: one.amount for one in awards}
    if awards:
        left[awards[0].id] -= paid
    return Due(of or claim(), frozenset({"W1"}), awards, left)


ONE, TWO = award("w1", 3000), award("w2", 2000)
OUT = award("w3", 3000, Payout.OFFLINE)
PAID: list[tuple[str, int, Callable[[], list[Due]], str]] = [
    ("exactly", 3000, lambda: [due(ONE)], "MATCHED claim – w1"),
    ("the second of two", 2000, lambda: [due(ONE, TWO)], "MATCHED claim – w2"),
    ("both at once", 5000, lambda: [due(ONE, TWO)], "MATCHED claim – –"),
    ("the rest", 1000, lambda: [due(ONE, paid=2000)], "MATCHED claim – w1"),
    ("too little", 2998, lambda: [due(ONE)], "DIFFERING claim AWARD_UNDERPAID w1"),
    ("within the tolerance", 2999, lambda: [due(ONE)], "MATCHED claim – w1"),
    ("too much", 3002, lambda: [due(ONE)], "DIFFERING claim PAYMENT_WITHOUT_AWARD w1"),
    ("again", 3000, lambda: [due(ONE, paid=3000)],
     "UNMATCHED unmatched_credit PAYMENT_WITHOUT_AWARD –"),
    ("nothing awarded", 3000, lambda: [due()],
     "UNMATCHED unmatched_credit PAYMENT_WITHOUT_AWARD –"),
    ("nobody's", 3000, list, "UNMATCHED unmatched_credit PAYMENT_WITHOUT_AWARD –"),
    ("off-line", 3000, lambda: [due(OUT)], "MATCHED – – w3"),
    ("off-line, too little", 100, lambda: [due(OUT)], "DIFFERING – AWARD_UNDERPAID w3"),
    ("of another account", 3000, lambda: [due(ONE, of=claim(account="b"))],
     "UNMATCHED unmatched_credit FOREIGN_REFERENCE –"),
    ("the claim it fits", 2000, lambda: [due(ONE), due(TWO, of=claim("d"))],
     "MATCHED claim – w2"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "amount", "known", "expected"), PAID, ids=[p[0] for p in PAID])
def test_a_payment_is_taken_for_one_thing(
    said: str, amount: int, known: Callable[[], list[Due]], expected: str
) -> None:
    for order in (known(), known()[::-1]):
        found = judge(line(CLAIM, amount=amount), STATEMENT, Known(claims=order), 1)
        move = found.move.removeprefix("statement_") if found.move else "–"
        told = f"{found.state} {move} {found.kind or '–'} {found.award.id if found.award else '–'}"
        assert told == expected
    mine = line(CLAIM, amount=amount, currency="USD")
    if expected.startswith(("MATCHED", "DIFFERING")):
        assert judge(mine, STATEMENT, Known(claims=known()), 1).kind == "WRONG_CURRENCY"


def test_what_was_unknown_is_accepted_and_nothing_else_is() -> None:
    for row, expected in ((UNKNOWN, True), (CAPTURED, False), (REFUSED, False), (QUEUED, False)):
        found = judge(line(FEE), STATEMENT, Known([Ours(row, frozenset({"W1"}))]), 1)
        assert found.accept is expected
    early = replace(STATEMENT, period_to=1_040)  # it ended before the request was sent
    assert not judge(line(FEE), early, Known([Ours(UNKNOWN, frozenset({"W1"}))]), 1).accept
