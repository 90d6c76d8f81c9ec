"""Awards: how they are paid out, and what the carrier's own desk grants."""

import pytest

from gateway.domain.carrier import Answer, ClaimKind, Verdict
from gateway.domain.claim import Award, Claim, ClaimState, Desk
from gateway.domain.desk import FinishClaim
from gateway.domain.fees import Payout
from gateway.domain.interception import JobKind
from gateway.domain.ledger import TransferKind
from gateway.domain.payout import SettleOffline
from gateway.domain.record import replace
from gateway.domain.refusal import Why
from tests.domain.claims import filed, lost, state, why
from tests.domain.stage import DAY_MS, FEE_MINOR, TOP_UP_MINOR, Stage

S, W = ClaimState, Why

# -- paying out ------------------------------------------------------------------------------


def test_an_award_by_the_carrier_waits_for_its_settlement_which_counts_nothing_more() -> None:
    stage = lost()
    claim = filed(stage, ClaimKind.LOST, 5_000)
    award = stage.award(claim, 3_000).award
    assert stage.available == TOP_UP_MINOR - FEE_MINOR
    settle = SettleOffline("platform", "s1", award.id, "bank-9", "claims")
    assert stage.do(settle) == award
    assert stage.do(settle) == award
    assert stage.moved(TransferKind.SETTLE_OFFLINE) == 3_000
    assert stage.award(claim, 5_000).award.amount == 2_000
    stage.audit()


def test_an_award_to_the_wallet_is_there_at_once() -> None:
    stage = lost(payout=Payout.WALLET)
    award = stage.award(filed(stage, ClaimKind.LOST, 3_000), 3_000).award
    assert stage.available == TOP_UP_MINOR - FEE_MINOR + 3_000
    assert award.channel is Payout.WALLET
    stage.audit()


@pytest.mark.parametrize("payout", Payout)
def test_an_award_is_paid_out_once(payout: Payout) -> None:
    stage = lost(payout=payout)
    award = stage.award(filed(stage, ClaimKind.LOST, 3_000), 3_000).award
    settle = SettleOffline("platform", "s1", award.id, "bank-9", "claims")
    if payout is Payout.OFFLINE:
        stage.do(settle)
    assert why(stage.do(replace(settle, request_id="s2"))) == W.CLAIM_NOT_OPEN


# -- the carrier's desk ----------------------------------------------------------------------


def at_the_desk() -> tuple[Stage, Claim]:
    """Filed with a carrier that takes claims over its interface, and received there."""
    stage = lost("zto")
    claim = filed(stage, ClaimKind.LOST, 5_000)
    (work,) = stage.lease(JobKind.CLAIM)
    assert work.case is not None
    assert work.case.key == claim.id
    stage.do(FinishClaim(work.job, work.gen, claim.id, Answer(Verdict.RECEIVED, reference="biz-1")))
    assert state(stage, claim) is S.UNDER_REVIEW
    stage.wait(DAY_MS)
    return stage, claim


def test_what_the_carrier_grants_is_awarded_once() -> None:
    stage, claim = at_the_desk()
    (work,) = stage.lease(JobKind.CLAIM_FOLLOW)
    granted = Answer(Verdict.ACCEPTED, reference="biz-1", grant_minor=5_000)
    told = FinishClaim(work.job, work.gen, claim.id, granted)
    stage.do(told)
    stage.do(told)
    assert [award.amount for award in stage.book.all(Award)] == [5_000]
    assert state(stage, claim) is S.AWARDED
    stage.audit()


def test_a_claim_that_a_carrier_cannot_be_asked_about_lies_with_a_person() -> None:
    stage = lost("zto")
    silent = replace(stage.adapter, claim_query=None)
    stage.terms = replace(stage.terms, adapters={**stage.terms.adapters, "zto": silent})
    claim = filed(stage, ClaimKind.LOST, 5_000)
    assert claim.desk is Desk.CARRIER
    (work,) = stage.lease(JobKind.CLAIM)
    answer = Answer(Verdict.RECEIVED, reference="biz-1")
    stage.do(FinishClaim(work.job, work.gen, claim.id, answer))
    found = stage.book.need(Claim, claim.id)
    assert (found.state, found.desk) == (S.UNDER_REVIEW, Desk.OPERATOR)
    assert found.reference == "biz-1"
    stage.wait(DAY_MS)
    assert not stage.lease(JobKind.CLAIM_FOLLOW)
    assert stage.award(claim, 3_000).award.amount == 3_000
    stage.audit()


def test_a_carrier_that_grants_more_later_is_heard() -> None:
    stage, claim = at_the_desk()
    for total in (3_000, 5_000):
        (work,) = stage.lease(JobKind.CLAIM_FOLLOW)
        granted = Answer(Verdict.ACCEPTED, reference="biz-1", grant_minor=total)
        stage.do(FinishClaim(work.job, work.gen, claim.id, granted))
        stage.wait(DAY_MS)
    assert [award.amount for award in stage.book.all(Award)] == [3_000, 2_000]
    assert state(stage, claim) is S.AWARDED
    assert not stage.lease(JobKind.CLAIM_FOLLOW)


def test_what_a_carrier_has_granted_by_the_end_of_the_window_was_all() -> None:
    stage, claim = at_the_desk()
    days = 0
    while works := stage.lease(JobKind.CLAIM_FOLLOW):
        granted = Answer(Verdict.ACCEPTED, reference="biz-1", grant_minor=3_000)
        stage.do(FinishClaim(works[0].job, works[0].gen, claim.id, granted))
        assert not stage.lease(JobKind.CLAIM_FOLLOW), "not before tomorrow"
        stage.wait(DAY_MS)
        days += 1
        assert state(stage, claim) is (S.PARTLY_AWARDED if days < 30 else S.AWARDED), days
    assert days == 30
    assert [award.amount for award in stage.book.all(Award)] == [3_000]
    stage.audit()


@pytest.mark.parametrize(
    "answer", [Answer(Verdict.REFUSED), Answer(Verdict.ACCEPTED, grant_minor=0)]
)
def test_what_the_carrier_rejects_is_rejected(answer: Answer) -> None:
    stage, claim = at_the_desk()
    (work,) = stage.lease(JobKind.CLAIM_FOLLOW)
    stage.do(FinishClaim(work.job, work.gen, claim.id, answer))
    assert state(stage, claim) is S.REJECTED
    assert not stage.book.all(Award)


def test_a_filing_that_the_carrier_refuses_goes_to_our_own_desk() -> None:
    stage = lost("zto")
    claim = filed(stage, ClaimKind.LOST, 5_000)
    (work,) = stage.lease(JobKind.CLAIM)
    stage.do(FinishClaim(work.job, work.gen, claim.id, Answer(Verdict.REFUSED)))
    assert state(stage, claim) is S.UNDER_REVIEW
    assert "GIVEN_UP" in stage.exceptions()
    assert stage.award(claim, 5_000).award.amount == 5_000


def test_a_filing_that_the_carrier_was_too_busy_for_is_sent_again() -> None:
    stage = lost("zto")
    claim = filed(stage, ClaimKind.LOST, 5_000)
    for _ in range(3):
        (work,) = stage.lease(JobKind.CLAIM)
        stage.do(FinishClaim(work.job, work.gen, claim.id, Answer(Verdict.BUSY)))
        assert not stage.lease(JobKind.CLAIM)
        stage.wait(60_000)
    assert stage.lease(JobKind.CLAIM)
    assert state(stage, claim) is S.FILED
