"""The price: by where the parcel is, locked when quoted, paid from what is there."""

import pytest

from gateway.domain.carrier import Answer, Milestone, Status, Verdict
from gateway.domain.command import Replayed
from gateway.domain.interception import Quote
from gateway.domain.ledger import TransferKind
from gateway.domain.merchant import TopUp
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Refusals, Why
from tests.domain.stage import FEE_MINOR, MERCHANT, MINUTE_MS, TOP_UP_MINOR, Stage, terms_of

BANDS = {
    Status.PICKED_UP: 500,
    Status.IN_TRANSIT: 800,
    Status.AT_DESTINATION: 1_000,
    Status.OUT_FOR_DELIVERY: 1_500,
    Status.RETURNING: 9_900,  # outside the window: nobody can be asked to pay it
}
SEEN = {
    Milestone.PICKED_UP: 500,
    Milestone.IN_TRANSIT: 800,
    Milestone.AT_DESTINATION: 1_000,
    Milestone.OUT_FOR_DELIVERY: 1_500,
    Milestone.NOT_DELIVERED: 1_500,
    Milestone.ADDRESSEE_REFUSED: 1_500,
}


def quoted(stage: Stage) -> Quote:
    quote = stage.quote().quote
    assert quote is not None
    return quote


def whys(answer: object) -> list[Why]:
    assert isinstance(answer, Refusals), answer
    return [refusal.why for refusal in answer.unmet]


@pytest.mark.parametrize(("milestone", "fee"), SEEN.items())
def test_the_fee_is_the_band_of_where_the_parcel_is(milestone: Milestone, fee: int) -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    quote = stage.quote(milestone).quote
    assert quote is not None
    assert (quote.fee_minor, quote.cap_minor) == (fee, 100_000)


@pytest.mark.parametrize("declared", [Status.PICKED_UP, Status.IN_TRANSIT])
def test_without_tracking_the_callers_word_costs_the_dearest_band(declared: Status) -> None:
    stage = Stage("mute", terms_of(fees=BANDS))
    stage.register(declared)
    assert quoted(stage).fee_minor == 1_500


def test_without_tracking_a_declared_status_outside_the_window_is_refused() -> None:
    stage = Stage("mute", terms_of(fees=BANDS))
    stage.register(Status.DELIVERED)
    assert [refusal.why for refusal in stage.quote().unmet] == [Why.OUTSIDE_WINDOW]


def test_a_status_younger_than_fifteen_minutes_is_good_enough() -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    assert quoted(stage).fee_minor == 800
    stage.wait(15 * MINUTE_MS - 1)
    assert stage.do(stage.quoting(read=None)).quote.fee_minor == 800
    stage.wait(1)
    assert stage.do(stage.quoting(read=None)) == Refusal(Why.STATUS_PENDING)


def test_a_read_that_failed_does_not_make_an_old_status_fresh() -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    quoted(stage)
    stage.wait(60 * MINUTE_MS)
    failed = Answer(Verdict.UNKNOWN)
    assert stage.do(stage.quoting(read=failed)) == Refusal(Why.STATUS_PENDING)


def test_a_parcel_without_a_scan_has_not_been_picked_up() -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    nothing = Answer(Verdict.RECEIVED)
    answer = stage.do(stage.quoting(read=nothing))
    assert [(each.why, each.detail) for each in answer.unmet] == [
        (Why.OUTSIDE_WINDOW, Status.NOT_PICKED_UP)
    ]
    silent = Stage("sf", terms_of(fees=BANDS))
    silent.register()
    for verdict in set(Verdict) - {Verdict.RECEIVED}:
        assert silent.do(silent.quoting(read=Answer(verdict))) == Refusal(Why.STATUS_PENDING)


def test_the_price_is_locked_when_the_contract_changes_after_it() -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    quote = quoted(stage)
    stage.terms = terms_of(fees={status: fee * 2 for status, fee in BANDS.items()})
    created = stage.do(stage.creating(quote.id))
    assert created.interception.fee_minor == quote.fee_minor == 800
    assert stage.moved(TransferKind.HOLD) == 800


def test_the_price_is_locked_when_the_parcel_moves_after_it() -> None:
    stage = Stage("sf", terms_of(fees=BANDS))
    stage.register()
    quote = quoted(stage)
    stage.wait(MINUTE_MS)
    stage.quote(Milestone.OUT_FOR_DELIVERY)
    assert stage.do(stage.creating(quote.id)).interception.fee_minor == 800


def test_a_quote_is_good_for_ten_minutes_and_once() -> None:
    stage = Stage("sf")
    stage.register()
    quote = quoted(stage)
    stage.wait(10 * MINUTE_MS - 1)
    created = stage.do(stage.creating(quote.id))
    again = stage.do(stage.creating(quote.id))
    assert (again.replayed, again.interception) == (True, created.interception)
    other = stage.do(stage.creating(quote.id, request_id="another"))
    assert (other.why, other.subject) == (Why.QUOTE_USED, created.interception.id)
    stage.audit()


def test_an_expired_quote_a_missing_agreement_and_an_empty_wallet_are_told_at_once() -> None:
    stage = Stage("sf", terms_of(fees=dict.fromkeys(Status, TOP_UP_MINOR + 1)))
    stage.register()
    quote = quoted(stage)
    stage.wait(10 * MINUTE_MS)
    refused = stage.do(stage.creating(quote.id, agreement="nobody's"))
    assert whys(refused) == [Why.QUOTE_EXPIRED, Why.PAYMENT_NOT_AGREED, Why.BALANCE_LOW]
    assert stage.available == TOP_UP_MINOR


def test_a_refusal_does_not_use_up_the_request_id() -> None:
    stage = Stage("sf")
    stage.register()
    quote = quoted(stage)
    assert whys(stage.do(stage.creating(quote.id, agreement="nobody's")))
    assert not stage.do(stage.creating(quote.id)).replayed


def test_the_same_request_id_for_another_quote_is_refused() -> None:
    stage = Stage("sf")
    stage.register()
    first, second = quoted(stage), quoted(stage)
    created = stage.do(stage.creating(first.id))
    refused = stage.do(stage.creating(second.id))
    assert (refused.why, refused.subject) == (Why.REQUEST_ID_REUSED, created.interception.id)


def test_the_last_fen_is_enough_and_one_less_is_not() -> None:
    for fee, enough in ((TOP_UP_MINOR, True), (TOP_UP_MINOR + 1, False)):
        stage = Stage("sf", terms_of(fees=dict.fromkeys(Status, fee)))
        stage.register()
        answer = stage.do(stage.creating(quoted(stage).id))
        if enough:
            assert stage.available == 0
            assert answer.interception.money == "HELD"
        else:
            assert whys(answer) == [Why.BALANCE_LOW]


def test_every_refused_or_withdrawn_fee_comes_back_whole() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    assert stage.available == TOP_UP_MINOR - FEE_MINOR
    stage.withdraw()
    assert stage.available == TOP_UP_MINOR


def test_a_top_up_twice_with_one_key_is_one_top_up() -> None:
    stage = Stage("sf")
    same = TopUp("platform", "top-up", MERCHANT, TOP_UP_MINOR, "CNY", "bank-1", "treasury")
    assert isinstance(stage.do(same), Replayed)
    assert stage.do(replace(same, amount=1)).why == Why.REQUEST_ID_REUSED
    assert stage.available == TOP_UP_MINOR


def test_one_payment_outside_tops_up_once() -> None:
    stage = Stage("sf")
    again = TopUp("platform", "other-id", MERCHANT, TOP_UP_MINOR, "CNY", "bank-1", "treasury")
    assert isinstance(stage.do(again), Refusal)
    assert stage.available == TOP_UP_MINOR
