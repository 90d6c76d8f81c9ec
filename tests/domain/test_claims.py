"""Claims: what a broken promise is worth, under the loss, the value and one cap per parcel."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import ADAPTERS
from gateway.domain.carrier import Answer, ClaimKind, Milestone, Reason, Verdict
from gateway.domain.claim import Award, Breakdown, Claim, ClaimState, Decided, Desk
from gateway.domain.desk import FinishClaim
from gateway.domain.fees import Payout, Policy
from gateway.domain.interception import Exceptional, ExceptionKind, JobKind
from gateway.domain.leasing import Work
from gateway.domain.ledger import TransferKind
from gateway.domain.parcel import Incident, OrderLine
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Why
from tests.domain.claims import filed, lost, returned, state, why
from tests.domain.stage import CARRIERS, DAY_MS, SHIRT, TOP_UP_MINOR, Stage, terms_of

M, S, W = Milestone, ClaimState, Why
CAP = 100_000
RICH = replace(SHIRT, order_no="order-2", title="coat", paid_minor=200_000)

# -- the least of four -----------------------------------------------------------------------

LEAST = """
loss value   cap granted -> award
 300  5000 100000    900 ->   300
9000  5000 100000   9000 ->  5000
9000  5000   4000   9000 ->  4000
9000  5000 100000    700 ->   700
"""


@pytest.mark.parametrize("row", LEAST.strip().splitlines()[1:])
def test_an_award_is_the_least_of_loss_value_cap_and_grant(row: str) -> None:
    given_, expected = row.split("->")
    loss, value, cap, granted = map(int, given_.split())
    stage = lost(lines=(replace(SHIRT, paid_minor=value),), cap_minor=cap)
    decided = stage.award(
        filed(stage, ClaimKind.LOST, loss, replace(SHIRT, paid_minor=value)), granted
    )
    assert decided.award.amount == int(expected)
    assert stage.moved(TransferKind.AWARD) == int(expected)
    assert Breakdown(loss, value, cap, granted).amount == int(expected)
    stage.audit()


def test_the_value_of_a_line_is_the_least_that_was_given() -> None:
    assert replace(SHIRT, paid_minor=900, declared_minor=700, list_minor=0).value_minor == 700
    assert replace(SHIRT, paid_minor=0, declared_minor=0, list_minor=0).value_minor == 0


@settings(
    max_examples=250,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_row_of_claims_and_decisions_passes_the_limits(data: st.DataObject) -> None:
    lines = tuple(
        replace(
            SHIRT,
            order_no=f"order-{n}",
            cancelled=True,
            paid_minor=data.draw(st.integers(1, 90_000)),
        )
        for n in range(3)
    )
    cap = data.draw(st.integers(1, CAP))
    stage = lost("zto", lines=lines, cap_minor=cap, payout=data.draw(st.sampled_from(Payout)))
    stage.look(Verdict.ACCEPTED, stage.scan(M.DAMAGED), stage.scan(M.LOST, stage.now + 1))
    claims: list[Claim] = []
    for _ in range(data.draw(st.integers(1, 12))):
        if not claims or data.draw(st.booleans()):
            kind = data.draw(st.sampled_from([ClaimKind.LOST, ClaimKind.DAMAGED]))
            line = data.draw(st.sampled_from(lines))
            result = stage.claim(kind, data.draw(st.integers(1, 150_000)), line)
            claims += [] if isinstance(result, Refusal) else [result.claim]
        else:
            claim = data.draw(st.sampled_from(claims))
            amount = data.draw(st.integers(0, 150_000))
            fields = {
                "request_id": f"decide-{data.draw(st.integers(1, 6))}",
                "decision_key": f"decision-{data.draw(st.integers(1, 6))}",
            }
            stage.award(claim, amount, **fields)
        within_limits(stage, lines, cap)
    stage.audit()


def within_limits(stage: Stage, lines: tuple[OrderLine, ...], cap: int) -> None:
    awards = stage.book.all(Award)
    assert all(award.amount > 0 for award in awards)
    assert sum(award.amount for award in awards) <= cap
    for line in lines:
        of_line = [a.amount for a in awards if a.order_no == line.order_no]
        assert sum(of_line) <= line.value_minor
    for claim in stage.book.all(Claim):
        assert sum(a.amount for a in awards if a.claim == claim.id) <= claim.loss_minor
    keys = [award.decision_key for award in awards]
    assert len(keys) == len(set(keys))
    assert stage.moved(TransferKind.AWARD) == sum(award.amount for award in awards)


# -- deciding --------------------------------------------------------------------------------


def test_a_partial_award_leaves_room_for_more() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    assert stage.award(claim, 3_000).claim.state is S.PARTLY_AWARDED
    assert stage.award(claim, 5_000).award.amount == 2_000
    assert state(stage, claim) is S.AWARDED
    assert why(stage.award(claim, 1)) == W.CLAIM_NOT_OPEN


def test_the_same_decision_twice_awards_once() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    said = {"request_id": "r", "decision_key": "part 1"}
    first: Decided = stage.award(claim, 3_000, **said)
    again: Decided = stage.award(claim, 3_000, **said)
    assert (first.replayed, again.replayed) == (False, True)
    assert stage.moved(TransferKind.AWARD) == 3_000
    assert why(stage.award(claim, 2_000, **said)) == W.REQUEST_ID_REUSED
    said["decision_key"] = "part 2"
    assert why(stage.award(claim, 3_000, **said)) == W.REQUEST_ID_REUSED
    assert stage.moved(TransferKind.AWARD) == 3_000


def test_the_name_of_a_decision_is_its_claims_own() -> None:
    stage = returned(M.DAMAGED)
    damaged = filed(stage, ClaimKind.DAMAGED, 1_000)
    shortage = filed(stage, ClaimKind.SHORTAGE, 2_000)
    for claim in (damaged, shortage):
        assert not stage.award(claim, 500, decision_key="part 1").replayed
    assert stage.moved(TransferKind.AWARD) == 1_000
    assert why(stage.award(damaged, 500, tenant="other")) == W.CLAIM_UNKNOWN


def test_two_officers_grant_the_whole_loss_and_one_award_stands() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 4_000)
    stage.award(claim, 4_000, actor="officer-1")
    assert why(stage.award(claim, 4_000, actor="officer-2")) == W.CLAIM_NOT_OPEN
    assert stage.moved(TransferKind.AWARD) == 4_000


def test_two_officers_grant_the_same_part_and_one_award_stands() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    first = stage.award(claim, 2_000, decision_key="part 1", actor="officer-1")
    # the second had not seen the first
    again = stage.award(claim, 2_000, decision_key="part 1", actor="officer-2")
    assert (again.replayed, again.award) == (True, first.award)
    assert stage.moved(TransferKind.AWARD) == 2_000
    assert not stage.award(claim, 2_000, decision_key="part 2", actor="officer-2").replayed
    assert stage.moved(TransferKind.AWARD) == 4_000


def test_a_decision_that_is_told_again_after_the_claim_has_ended_pays_once() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    stage.award(claim, 5_000, decision_key="all of it")
    assert stage.award(claim, 5_000, decision_key="all of it").replayed
    assert why(stage.award(claim, 5_000, decision_key="once more")) == W.CLAIM_NOT_OPEN
    assert stage.moved(TransferKind.AWARD) == 5_000


def test_whoever_filed_it_does_not_decide_a_large_one() -> None:
    stage = lost(lines=(RICH,))
    claim = filed(stage, ClaimKind.LOST, 90_000, RICH)
    assert why(stage.award(claim, 50_001, actor="merchant")) == W.CLAIM_SAME_ACTOR
    assert stage.award(claim, 50_001, actor="officer").award.amount == 50_001


def test_a_large_award_is_not_decided_alone_in_two_parts() -> None:
    stage = lost(lines=(RICH,))
    claim = filed(stage, ClaimKind.LOST, 90_000, RICH)
    stage.award(claim, 40_000, actor="merchant")
    assert why(stage.award(claim, 40_000, actor="merchant")) == W.CLAIM_SAME_ACTOR


def test_four_eyes_are_a_matter_of_policy() -> None:
    stage = Stage("sf", terms_of(Policy(four_eyes_above_minor=0)))
    stage.accepted()
    stage.look(None, stage.scan(M.LOST))
    claim = filed(stage, ClaimKind.LOST, 100)
    assert why(stage.award(claim, 100, actor="merchant")) == W.CLAIM_SAME_ACTOR


def test_a_grant_of_nothing_rejects() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    assert stage.award(claim, 0).claim.state is S.REJECTED
    assert not stage.book.all(Award)


# -- filing ----------------------------------------------------------------------------------


def test_one_claim_of_a_kind_and_line() -> None:
    stage = returned()
    stage.claim(ClaimKind.DAMAGED, 100)
    assert why(stage.claim(ClaimKind.DAMAGED, 200)) == W.CLAIM_EXISTS
    assert stage.claim(ClaimKind.SHORTAGE, 200).claim.state is S.UNDER_REVIEW


def test_filing_twice_with_one_key_is_one_claim() -> None:
    stage = returned()
    first = stage.claim(ClaimKind.DAMAGED, 100, request_id="r")
    again = stage.claim(ClaimKind.DAMAGED, 100, request_id="r")
    assert (again.replayed, again.claim.id) == (True, first.claim.id)
    assert why(stage.claim(ClaimKind.DAMAGED, 101, request_id="r")) == W.REQUEST_ID_REUSED


def test_a_claim_rests_on_something_that_happened() -> None:
    stage = Stage("sf")
    stage.accepted()
    for kind in ClaimKind:
        assert why(stage.claim(kind, 100)) == W.CLAIM_NO_EVENT
    assert why(returned().claim(ClaimKind.LOST, 100)) == W.CLAIM_NO_EVENT
    assert why(lost().claim(ClaimKind.RETURN_FAILED, 100)) == W.CLAIM_NO_EVENT


def test_a_refused_interception_has_nothing_to_claim() -> None:
    stage = Stage("sf")
    stage.create()
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    stage.look(None, stage.scan(M.LOST))
    assert why(stage.claim(ClaimKind.LOST, 100)) == W.CLAIM_NO_EVENT


def test_the_carrier_is_not_liable_for_a_sender_who_refuses() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.look(None, stage.scan(M.RETURNING, stage.now - 1), stage.scan(M.RETURN_REFUSED))
    assert stage.columns == "ACCEPTED RETURN_FAILED CAPTURED"
    assert why(stage.claim(ClaimKind.RETURN_FAILED, 100)) == W.CLAIM_NO_EVENT


def test_a_broken_promise_gives_the_fee_back_and_a_claim_beside_it() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.look(None, stage.scan(M.SIGNED))
    assert stage.available == TOP_UP_MINOR
    claim = filed(stage, ClaimKind.RETURN_FAILED, 5_000)
    assert stage.award(claim, 5_000).award.amount == 5_000
    stage.audit()


def test_the_window_closes_thirty_days_after_the_event() -> None:
    stage = lost()
    stage.wait(30 * DAY_MS)
    assert stage.claim(ClaimKind.LOST, 100).claim.state is S.UNDER_REVIEW
    stage = lost()
    stage.wait(30 * DAY_MS + 1)
    assert why(stage.claim(ClaimKind.LOST, 100)) == W.CLAIM_WINDOW_CLOSED


def test_a_line_that_is_not_in_the_box_and_another_currency_are_refused() -> None:
    stage = lost()
    assert why(stage.claim(ClaimKind.LOST, 1, replace(SHIRT, line_no="9"))) == W.CLAIM_LINE_UNKNOWN
    assert why(stage.claim(ClaimKind.LOST, 1, currency="USD")) == W.CURRENCY_DIFFERS
    assert why(stage.claim(ClaimKind.LOST, 1, tenant="other")) == W.INTERCEPTION_UNKNOWN


def test_damaged_and_lost_share_one_cap() -> None:
    lines = tuple(replace(RICH, order_no=order, cancelled=True) for order in ("order-2", "order-3"))
    stage = Stage("sf", terms_of(), lines)
    stage.accepted()
    damaged = stage.scan(M.DAMAGED, stage.now - 1)
    stage.look(None, damaged, stage.scan(M.LOST))
    first = filed(stage, ClaimKind.DAMAGED, 70_000, lines[0])
    second = filed(stage, ClaimKind.LOST, 70_000, lines[1])
    assert stage.award(first, 70_000).award.amount == 70_000
    assert stage.award(second, 70_000).award.amount == CAP - 70_000
    third = filed(stage, ClaimKind.LOST, 70_000, lines[0])
    assert why(stage.award(third, 70_000)) == W.CLAIM_CAP_REACHED
    assert {i.kind for i in stage.book.all(Incident)} == {"damaged", "lost"}


# -- lost, and found -------------------------------------------------------------------------


def test_found_before_the_award_voids_the_claim() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    stage.wait(DAY_MS)
    stage.look(None, stage.scan(M.FOUND, stage.now - 1), stage.scan(M.RETURNING))
    assert state(stage, claim) is S.VOID
    assert why(stage.award(claim, 5_000)) == W.CLAIM_NOT_OPEN
    assert "RECOVERY" not in stage.exceptions()


def test_found_after_the_award_is_for_a_person_and_takes_nothing_back() -> None:
    stage = lost(payout=Payout.WALLET)
    stage.award(filed(stage, ClaimKind.LOST, 5_000), 5_000)
    before = stage.available
    stage.wait(DAY_MS)
    stage.look(None, stage.scan(M.FOUND, stage.now - 1), stage.scan(M.RETURNING))
    assert "RECOVERY" in stage.exceptions()
    assert stage.available == before


def stale_on_the_way_back() -> tuple[Stage, Claim]:
    """Turned round, and then nothing for fifteen days: the merchant may file for its loss."""
    stage = Stage("sf")
    stage.accepted()
    stage.look(None, stage.scan(M.RETURNING))
    stage.wait(15 * DAY_MS)
    stage.look()
    assert stage.exceptions() == {"STALE"}
    return stage, filed(stage, ClaimKind.LOST, 5_000)


def test_a_parcel_that_went_silent_on_its_way_back_is_compensated() -> None:
    stage, claim = stale_on_the_way_back()
    assert stage.award(claim, 5_000).award.amount == 5_000


def test_an_award_for_a_silent_parcel_rests_on_an_incident() -> None:
    stage, claim = stale_on_the_way_back()
    stage.award(claim, 5_000)
    assert [i.kind for i in stage.book.of(Incident, claim.parcel)] == ["lost"]


def test_a_silent_parcel_that_never_turned_round_is_compensated() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.wait(15 * DAY_MS)
    stage.look()
    assert stage.award(filed(stage, ClaimKind.LOST, 5_000), 5_000).award.amount == 5_000


def test_a_silent_parcel_that_comes_back_after_the_award_is_for_a_person() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.wait(15 * DAY_MS)
    stage.look()
    stage.award(filed(stage, ClaimKind.LOST, 5_000), 5_000)
    stage.wait(DAY_MS)
    stage.look(None, stage.scan(M.RETURNING, stage.now - 1), stage.scan(M.RETURN_SIGNED))
    assert "RECOVERY" in stage.exceptions()


# -- filings whose answer does not come -------------------------------------------------------


def filing_at(desk: str) -> tuple[Stage, Claim]:
    """A loss at SF, whose claims are filed as this carrier takes them."""
    other = ADAPTERS[desk]
    sf = replace(ADAPTERS["sf"], claim=other.claim, claim_query=other.claim_query)
    stage = Stage("sf", replace(terms_of(), adapters={**CARRIERS, "sf": sf}))
    stage.accepted()
    stage.wait(DAY_MS)
    stage.look(Verdict.ACCEPTED, stage.scan(M.LOST))
    return stage, filed(stage, ClaimKind.LOST, 3_000)


def answered(stage: Stage, work: Work, claim: Claim, reference: str) -> Claim:
    answer = Answer(Verdict.RECEIVED, reference=reference)
    heard: Claim = stage.do(FinishClaim(work.job, work.gen, claim.id, answer))
    return heard


def open_of(stage: Stage, claim: Claim) -> set[str]:
    rows = stage.book.of(Exceptional, claim.id)
    return {row.kind for row in rows if row.closed_at is None}


def test_a_filing_that_may_have_gone_out_is_not_sent_twice_where_that_makes_two() -> None:
    stage, claim = filing_at("kuaidi100")
    (work,) = stage.lease(JobKind.CLAIM)
    stage.crash()
    assert stage.lease(JobKind.CLAIM) == []
    asked = stage.book.need(Claim, claim.id)
    assert (asked.state, asked.desk) == (S.UNDER_REVIEW, Desk.OPERATOR)
    assert open_of(stage, claim) == {ExceptionKind.GIVEN_UP}
    heard = answered(stage, work, claim, "WO-1")  # it had only been slow
    assert (heard.state, heard.reference) == (S.UNDER_REVIEW, "WO-1")
    assert open_of(stage, claim) == set()
    assert answered(stage, work, claim, "WO-2").reference == "WO-1"
    stage.audit()


def test_a_filing_that_may_have_gone_out_is_sent_again_where_that_is_one_and_the_same() -> None:
    stage, claim = filing_at("zto")
    (work,) = stage.lease(JobKind.CLAIM)
    stage.crash()
    (again,) = stage.lease(JobKind.CLAIM)
    heard = answered(stage, work, claim, "WO-1")
    assert (heard.state, heard.desk, heard.reference) == (S.UNDER_REVIEW, Desk.CARRIER, "WO-1")
    assert answered(stage, again, claim, "WO-1").reference == "WO-1"
    assert open_of(stage, claim) == set()
    stage.audit()
