"""Statements on either store: parts in any order, crashes between any two commits, corrections,
credits and late payments, and what is judged when."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.carrier import Answer, ClaimKind, Milestone, Reason, Verdict
from gateway.domain.fees import DAY_MS
from gateway.domain.interception import ExceptionKind
from gateway.domain.reconcile import JudgeStatement, Line, PostStatement, Received
from gateway.domain.refusal import Refusal, Why
from gateway.domain.statement import CHUNK, LineKind, Statement, Step
from gateway.statements import networks, post, resume
from gateway.store.driver import SafeMode
from gateway.store.store import Store, driver
from tests.engines import ENGINES, Engine, engine
from tests.ledgers import START, Desk, line, opened, terms, total

FEE, CREDIT, CLAIM, OTHER = LineKind
M, V = Milestone, Verdict
SEEN = {  # all that an import leaves behind, but for ids that count
    "statement": "id, number, step, cursor, sum_minor, corrects, corrected, judged_to",
    "statement_line": "id, kind, amount, currency",
    "line_match": "id, state, interception, claim, award, settles, carried",
    "withdrawal": "id, statement",
    "transfer": "kind, source, target, amount, dedup",
    "difference": "id, line_no, interception, claim, expected, actual",
    "exception": "id, closed_at, resolution",
}


@pytest.fixture(params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, tmp_path) as new:
        yield new


@pytest.fixture
async def desk(made: Engine) -> AsyncIterator[Desk]:
    ready = await opened(made)
    yield ready
    assert await ready.store.audit() == []
    await ready.store.stop()


def seen(made: Engine) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: made.table(f"SELECT {what} FROM {table} ORDER BY {what.split(',')[0]}, 2")
        for table, what in SEEN.items()
    }


async def captured(desk: Desk, channel: str = "sf") -> str:
    key = await desk.create(channel)
    await desk.answer(key, V.RECEIVED if channel == "zto" else V.ACCEPTED)
    if channel == "zto":
        await desk.see(key, asked=Answer(V.ACCEPTED))
    return key


def kinds(desk: Desk, *, closed: bool = False) -> list[str]:
    rows = desk.engine.table(
        "SELECT x.kind FROM difference d JOIN exception x ON x.id = d.id "
        f"WHERE x.closed_at IS {'NOT ' * closed}NULL ORDER BY x.kind"
    )
    return [kind for (kind,) in rows]


def balance(desk: Desk, account: str) -> int:
    [(found,)] = desk.engine.table(
        "SELECT COALESCE(SUM(amount), 0) FROM entry WHERE account = ?", account
    )
    return int(found)


def others(first: int, last: int) -> list[Line]:
    return [line(number, OTHER, f"storage {number}", 7) for number in range(first, last + 1)]


# -- parts ----------------------------------------------------------------------------------


async def test_parts_come_in_any_order_and_are_posted_with_the_last(desk: Desk) -> None:
    key = await captured(desk)
    parts = {1: [line(1, FEE, key, 800)], 2: others(2, 5), 3: others(6, 6)}
    whole = total([each for lines in parts.values() for each in lines])
    at = desk.clock.now() + 1
    for part in (3, 1, 3, 2):
        found = await desk.part("sf", "S", part, 3, parts[part], whole, period_to=at)
        if part != 2:
            assert isinstance(found, Received)
            assert found.statement.step is Step.RECEIVING
            assert desk.engine.table("SELECT 1 FROM line_match") == []
    assert found.step is Step.POSTED
    states = desk.engine.table("SELECT state, COUNT(*) FROM line_match GROUP BY state ORDER BY 1")
    assert states == [("MATCHED", 1), ("UNMATCHED", 5)]
    before = seen(desk.engine)
    again = await desk.part("sf", "S", 2, 3, parts[2], whole, period_to=at)
    assert again.step is Step.POSTED
    assert seen(desk.engine) == before


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"period_to": START + 5}, "sha256"),
        ({"number": "T"}, "sha256"),
        ({"total_minor": 1}, "sha256"),
        ({"currency": "USD"}, "sha256"),
        ({"parts": 4}, "sha256"),
        ({"lines": others(3, 4)}, "lines.line_no"),  # a number of the first part
        ({"part": 1, "lines": others(8, 9)}, "lines"),  # the first part, with other lines
    ],
)
async def test_parts_that_disagree_are_refused(
    desk: Desk, changed: dict[str, Any], field: str
) -> None:
    same: dict[str, Any] = {"sha256": "5" * 64, "period_to": START}
    await desk.part("sf", "S", 1, 3, others(1, 3), 70, **same)
    before = seen(desk.engine)
    told: dict[str, Any] = {
        "number": "S",
        "part": 2,
        "parts": 3,
        "lines": others(4, 5),
        "total_minor": 70,
    }
    refused = await desk.part("sf", **told | same | changed)
    assert isinstance(refused, Refusal)
    assert (refused.why, refused.field) == (Why.STATEMENT_PARTS, field)
    assert seen(desk.engine) == before


@pytest.mark.parametrize("off", [-1, 1])
async def test_lines_that_are_not_the_total_leave_nothing(desk: Desk, off: int) -> None:
    lines = others(1, 3)
    refused = await desk.part("sf", "S", 1, 1, lines, total(lines) + off)
    assert isinstance(refused, Refusal)
    assert refused.why is Why.STATEMENT_TOTAL
    assert desk.engine.table("SELECT id FROM statement") == []
    mixed = [*lines, line(4, OTHER, "in dollars", 900, currency="USD")]
    posted = await desk.part("sf", "S", 1, 1, mixed, total(lines))  # dollars are no part of it
    assert posted.step is Step.POSTED


async def test_a_number_is_one_file(desk: Desk) -> None:
    await desk.bill("sf", "S", *others(1, 2))
    other = await desk.bill("sf", "S", *others(1, 3), sha256="5" * 64)
    assert (other.why, other.field) == (Why.INVALID_FIELD, "statement_no")
    assert (await desk.bill("zto", "S", *others(1, 2))).step is Step.POSTED


async def test_an_account_that_nobody_configured_is_refused(desk: Desk) -> None:
    refused = await desk.bill("sf", "S", *others(1, 2), account="elsewhere")
    assert refused.why is Why.CARRIER_NOT_CONFIGURED


# -- crashes --------------------------------------------------------------------------------


async def prepared(made: Engine) -> tuple[Desk, list[Line], str]:
    """Two that are billed, two that are not, and lines for three commits."""
    desk = await opened(made)
    keys = [await captured(desk) for _ in range(4)]
    lines = [line(1, FEE, keys[0], 800), line(2, FEE, keys[1], 900), *others(3, 2 * CHUNK + 20)]
    desk.later(3 * DAY_MS)
    return desk, lines, keys[-1]


async def test_a_crash_between_any_two_commits_changes_nothing(
    made: Engine, tmp_path: Path
) -> None:
    desk, lines, _ = await prepared(made)
    await desk.bill("sf", "S", *lines)
    whole = seen(made)
    assert len(whole["difference"]) == 1 + 2 * CHUNK + 18 + 2
    assert await desk.store.audit() == []
    await desk.store.stop()
    steps = []
    for crash in range(6):
        (tmp_path / str(crash)).mkdir()
        with engine(made.name, tmp_path / str(crash)) as other:
            desk, lines, unbilled = await prepared(other)
            left = await desk.bill_until(crash, "S", lines)
            if crash == 5:  # one of the two is missed, and then it crashes
                missed = JudgeStatement(left.id, ExceptionKind.FEE_NOT_BILLED, (unbilled,))
                await desk.store.run(missed)
            await desk.store.stop()
            store = Store(driver(other.url), desk.clock, terms())
            await store.start()
            assert await store.audit() == []
            assert await resume(store) == 1
            assert seen(other) == whole, crash
            assert await store.audit() == []
            await store.stop()
        steps.append((left.step, left.cursor))
    assert steps == [
        (Step.ARRIVED, 0),
        (Step.MATCHING, 0),
        (Step.MATCHING, CHUNK),
        (Step.MATCHING, 2 * CHUNK),
        (Step.JUDGING, 0),
        (Step.JUDGING, 0),
    ]


async def test_what_is_not_judged_to_its_end_is_not_posted(made: Engine) -> None:
    desk, lines, unbilled = await prepared(made)
    left = await desk.bill_until(0, "S", lines)
    ended = await post(desk.store, left.id, pages=1)  # one page is full of news: there may be more
    assert isinstance(ended, Statement)
    assert ended.step is Step.JUDGING
    assert await resume(desk.store) == 1
    missed = [about for kind, _, about in await desk.differences() if kind == "FEE_NOT_BILLED"]
    assert len(missed) == len(set(missed)) == 2
    assert unbilled in missed
    assert await desk.store.audit() == []
    await desk.store.stop()


async def test_a_statement_that_cannot_be_posted_keeps_no_other_waiting(desk: Desk) -> None:
    """Its row has been tampered with: it says that it corrects one, and not which."""
    key = await captured(desk)
    broken = await desk.bill_until(0, "A", [line(1, FEE, "nobody", 800)])
    desk.later(1_000)
    good = await desk.bill_until(0, "B", [line(1, FEE, key, 800)])
    desk.engine.run(f"UPDATE statement SET step = 'WITHDRAWING' WHERE id = '{broken.id}'")
    assert await resume(desk.store) == 1
    [(step,)] = desk.engine.table("SELECT step FROM statement WHERE id = ?", good.id)
    assert step == "POSTED"
    desk.engine.run(f"UPDATE statement SET step = 'ARRIVED' WHERE id = '{broken.id}'")
    assert await resume(desk.store) == 1


async def test_two_gateways_post_one_statement_at_once(tmp_path: Path) -> None:
    with engine("postgres", tmp_path) as made:
        desk, lines, _ = await prepared(made)
        beside = Store(driver(made.url), desk.clock, terms(), patience_s=30)
        await beside.start()
        left = await desk.bill_until(0, "S", lines)
        ends = await asyncio.gather(*(post(store, left.id) for store in (desk.store, beside) * 3))
        assert {isinstance(end, Statement) and end.step for end in ends} == {Step.POSTED}
        assert made.table("SELECT COUNT(*) FROM line_match") == [(len(lines),)]
        assert await beside.audit() == []
        await beside.stop()
        await desk.store.stop()


async def test_nothing_is_posted_in_safe_mode(desk: Desk) -> None:
    await desk.store.switch(SafeMode("store", "restored", 1))
    refused = await desk.bill("sf", "S", *others(1, 2))
    assert refused.why is Why.SAFE_MODE
    await desk.store.switch(None)
    assert (await desk.bill("sf", "S", *others(1, 2))).step is Step.POSTED


# -- what is judged -------------------------------------------------------------------------


async def test_a_fee_that_is_not_billed_is_missed_by_a_later_statement(desk: Desk) -> None:
    old = await captured(desk)
    desk.later(2 * DAY_MS)
    await desk.bill("sf", "1", *others(1, 1), period_from=desk.clock.now() - 1)
    assert kinds(desk).count("FEE_NOT_BILLED") == 0  # older than any statement of the account
    fresh = await captured(desk)
    await desk.bill("sf", "2", *others(1, 1))
    assert kinds(desk).count("FEE_NOT_BILLED") == 1  # the first period reaches back to it
    desk.later(2 * DAY_MS)
    await desk.bill("sf", "3", *others(1, 1))
    assert kinds(desk).count("FEE_NOT_BILLED") == 2
    await desk.bill("sf", "4", line(1, FEE, fresh, 800), line(2, FEE, old, 800))
    assert kinds(desk).count("FEE_NOT_BILLED") == 0
    assert kinds(desk, closed=True) == ["FEE_NOT_BILLED"] * 2


async def test_a_refund_is_credited_or_missed(desk: Desk) -> None:
    keys = [await captured(desk), await captured(desk)]
    for key in keys:
        await desk.see(key, M.SIGNED)
    desk.later(DAY_MS // 2)
    await desk.bill("sf", "1", *(line(n, FEE, key, 800) for n, key in enumerate(keys, 1)))
    desk.later(2 * DAY_MS)
    await desk.bill("sf", "2", line(1, CREDIT, keys[0], 800))
    assert kinds(desk) == ["REFUND_NOT_CREDITED"]
    await desk.bill("sf", "3", line(1, CREDIT, keys[1], 800))
    assert kinds(desk) == []
    assert balance(desk, "FEES_PAYABLE:sf:CNY") == 0


async def test_an_award_is_paid_in_part_and_then_the_rest(desk: Desk) -> None:
    """The receivable stays open for what is missing, and the merchant does not wait for it."""
    key = await captured(desk, "zto")
    await desk.see(key, M.DAMAGED, M.RETURN_SIGNED)
    claim = (await desk.claim(key, ClaimKind.DAMAGED)).claim.id
    award = (await desk.decide(claim, 3000)).award.id
    desk.later(2 * DAY_MS)
    await desk.bill("zto", "1", line(1, FEE, key, 800))
    assert kinds(desk) == ["AWARD_UNPAID"]
    wallet = balance(desk, "AVAILABLE:t/shop:CNY")
    await desk.bill("zto", "2", line(1, CLAIM, award, 2000))
    assert kinds(desk) == ["AWARD_UNDERPAID"]
    assert balance(desk, "CLAIMS_RECEIVABLE:zto:CNY") == -1000
    await desk.bill("zto", "3", line(1, CLAIM, claim, 1000))
    assert kinds(desk) == []
    assert balance(desk, "CLAIMS_RECEIVABLE:zto:CNY") == 0
    await desk.bill("zto", "4", line(1, CLAIM, claim, 1000))
    assert kinds(desk) == ["PAYMENT_WITHOUT_AWARD"]
    assert balance(desk, "SUSPENSE::CNY") == 1000
    assert balance(desk, "AVAILABLE:t/shop:CNY") == wallet


async def test_what_the_carrier_paid_to_the_merchant_posts_nothing(desk: Desk) -> None:
    key = await captured(desk)
    await desk.see(key, M.SIGNED)
    claim = (await desk.claim(key, ClaimKind.RETURN_FAILED)).claim.id
    award = (await desk.decide(claim, 3000)).award.id
    await desk.paid_offline(award)
    await desk.bill("sf", "1", line(1, FEE, key, 800), line(2, CLAIM, claim, 3000))
    assert desk.engine.table("SELECT transfer FROM line_match WHERE claim = ?", claim) == [(None,)]
    assert kinds(desk) == []


# -- lines ----------------------------------------------------------------------------------


async def test_a_bill_is_the_answer_of_a_carrier_that_gave_none(desk: Desk) -> None:
    """Evidence moves money: an unknown that is billed was accepted; what never left was not."""
    unknown, unsent = await desk.create("sf"), await desk.create("sf", slot=False)
    await desk.answer(unknown, V.UNKNOWN, Reason.NO_ANSWER)
    desk.later(DAY_MS)
    lines = [line(n, FEE, "", 800, waybill=desk.waybills[key])
             for n, key in enumerate((unknown, unsent), 1)]  # fmt: skip
    await desk.bill("sf", "1", *lines)
    accepted, queued = await desk.get(unknown), await desk.get(unsent)
    assert (accepted.decision, accepted.money) == ("ACCEPTED", "CAPTURED")
    assert (queued.decision, queued.money) == ("QUEUED", "HELD")
    assert kinds(desk) == ["FEE_BILLED_THOUGH_REFUSED"]
    [(kind, tier)] = desk.engine.table(
        "SELECT v.kind, v.tier FROM event e JOIN evidence v ON v.id = e.evidence "
        "WHERE e.interception = ? AND e.target = 'ACCEPTED'",
        unknown,
    )
    assert (kind, tier) == ("statement", 1)


async def test_what_was_sent_after_the_period_is_not_what_was_billed(desk: Desk) -> None:
    unknown = await desk.create("sf")
    await desk.answer(unknown, V.UNKNOWN, Reason.NO_ANSWER)
    await desk.bill("sf", "1", line(1, FEE, unknown, 800), period_to=START - 1)
    assert (await desk.get(unknown)).decision == "UNKNOWN"
    assert kinds(desk) == ["FEE_UNKNOWN_WAYBILL"]


async def test_wrong_bills_are_closed_by_their_credits(desk: Desk) -> None:
    key, no = await captured(desk), await desk.create("sf")
    await desk.answer(no, V.REFUSED, Reason.TOO_LATE)
    desk.later(1000)
    await desk.bill(
        "sf", "1", line(1, FEE, key, 800), line(2, FEE, key, 800), line(3, FEE, no, 800)
    )
    assert kinds(desk) == ["FEE_BILLED_THOUGH_REFUSED", "FEE_BILLED_TWICE"]
    assert balance(desk, "SUSPENSE::CNY") == -1600
    await desk.bill("sf", "2", line(1, CREDIT, no, 800), line(2, CREDIT, key, 800))
    assert kinds(desk) == []
    assert balance(desk, "SUSPENSE::CNY") == 0
    await desk.bill("sf", "3", line(1, CREDIT, key, 800))  # and now what the merchant has paid
    assert kinds(desk) == ["FEE_DIFFERS"]
    assert balance(desk, "FEES_PAYABLE:sf:CNY") == 800


@pytest.mark.parametrize(("amount", "told"), [(750, 0), (850, 0), (749, 1), (851, 1)])
async def test_a_difference_up_to_the_tolerance_calls_nobody(
    made: Engine, amount: int, told: int
) -> None:
    desk = await opened(made, fee_tolerance_minor=50)
    key = await captured(desk)
    desk.later(1000)
    await desk.bill("sf", "1", line(1, FEE, key, amount))
    assert kinds(desk) == ["FEE_DIFFERS"] * told
    assert balance(desk, "FEES_PAYABLE:sf:CNY") == 800 - amount
    assert await desk.store.audit() == []
    await desk.store.stop()


async def test_a_parcel_that_is_free_may_not_be_billed(desk: Desk) -> None:
    key = await desk.create("sf", at=M.AT_DESTINATION)
    await desk.answer(key, V.ACCEPTED)
    desk.later(1000)
    await desk.bill("sf", "1", line(1, FEE, key, 800))
    assert kinds(desk) == ["FEE_DIFFERS"]


# -- corrections ----------------------------------------------------------------------------


async def test_a_correction_posts_the_differences(desk: Desk) -> None:
    one, two, three = [await captured(desk) for _ in range(3)]
    desk.later(1000)
    await desk.bill(
        "sf", "1", line(1, FEE, one, 800), line(2, FEE, two, 900), line(3, FEE, three, 800)
    )
    entries = "SELECT kind, amount FROM transfer WHERE kind LIKE 'statement%' ORDER BY at, id"
    before = desk.engine.table(entries)
    corrected = await desk.bill(
        "sf", "1", line(1, FEE, two, 800), line(2, FEE, one, 800), corrects="1"
    )
    assert corrected.step is Step.POSTED
    fresh = desk.engine.table(entries)[len(before) :]
    assert fresh == [
        ("statement_credit", 900),  # the wrong one and the third go back,
        ("statement_credit", 800),
        ("statement_fee", 800),  # and what stands in their place comes
    ]
    assert kinds(desk) == []
    assert kinds(desk, closed=True) == ["FEE_DIFFERS"]
    desk.later(2 * DAY_MS)
    last = await desk.bill("sf", "1", line(1, FEE, one, 800), corrects="1", sha256="6" * 64)
    assert last.step is Step.POSTED
    assert balance(desk, "FEES_PAYABLE:sf:CNY") == 1600  # two and three are captured, not billed
    await desk.bill("sf", "2", *others(1, 1))
    assert kinds(desk).count("FEE_NOT_BILLED") == 2


async def test_the_correction_of_a_correction_takes_back_what_that_one_kept(desk: Desk) -> None:
    one, two = [await captured(desk) for _ in range(2)]
    desk.later(1000)
    kept = line(1, FEE, one, 800)
    await desk.bill("sf", "1", kept, line(2, FEE, two, 800))
    await desk.bill("sf", "2", kept, corrects="1")
    await desk.bill("sf", "3", *others(1, 1), corrects="2")
    assert balance(desk, "FEES_PAYABLE:sf:CNY") == 1600
    assert desk.engine.table("SELECT COUNT(*) FROM withdrawal") == [(2,)]


async def test_a_credit_that_is_withdrawn_opens_again_what_it_had_closed(desk: Desk) -> None:
    key = await captured(desk)
    desk.later(1000)
    await desk.bill("sf", "1", line(1, FEE, key, 800), line(2, FEE, key, 800))
    await desk.bill("sf", "2", line(1, CREDIT, key, 800), line(2, CREDIT, key, 800))
    await desk.bill("sf", "3", line(1, FEE, key, 800))  # of the bills none stands: a new one does
    assert kinds(desk) == ["FEE_DIFFERS"]
    await desk.bill("sf", "4", *others(1, 1), corrects="2")
    assert kinds(desk) == ["FEE_BILLED_TWICE", "FEE_BILLED_TWICE", "FEE_UNKNOWN_WAYBILL"]


async def test_a_fee_that_is_withdrawn_leaves_no_credit_behind_unseen(desk: Desk) -> None:
    key = await captured(desk)
    await desk.see(key, M.SIGNED)
    desk.later(1000)
    await desk.bill("sf", "1", line(1, FEE, key, 800))
    await desk.bill("sf", "2", line(1, CREDIT, key, 800))
    assert kinds(desk) == []
    await desk.bill("sf", "3", *others(1, 1), corrects="1")
    assert "FEE_DIFFERS" in kinds(desk)


async def test_only_the_newest_can_be_corrected(desk: Desk) -> None:
    await desk.bill("sf", "1", *others(1, 1))
    await desk.bill("sf", "2", *others(1, 2), corrects="1")
    for number in ("1", "nothing"):
        refused = await desk.bill("sf", "3", *others(1, 3), corrects=number)
        assert (refused.why, refused.field) == (Why.INVALID_FIELD, "corrects_statement_no")
    assert (await desk.bill("sf", "3", *others(1, 3), corrects="2")).step is Step.POSTED


async def test_posting_what_is_posted_is_nothing(desk: Desk) -> None:
    done = await desk.bill("sf", "1", *others(1, 2))
    before = seen(desk.engine)
    of = networks(desk.store.terms.adapters, desk.store.terms)
    assert await desk.store.run(PostStatement(done.id, of)) == done
    assert await post(desk.store, done.id) == done
    assert seen(desk.engine) == before
