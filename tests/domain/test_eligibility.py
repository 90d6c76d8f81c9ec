"""Who may intercept what, and when: each condition alone, all at once, in one fixed order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.domain.carrier import Milestone, Reason, Status, Verdict
from gateway.domain.eligibility import case_of, unmet
from gateway.domain.fees import CrossBorder, Merged, Policy
from gateway.domain.interception import Interception
from gateway.domain.merchant import SetWaybillService, SignAgreement, UpsertMerchant
from gateway.domain.parcel import AgreementKind, Merchant, OrderLine, Parcel, StoreStatus
from gateway.domain.record import replace
from gateway.domain.refusal import TEXTS, Kind, Refusal, Refusals, Why
from tests.domain.stage import DAY_MS, MERCHANT, MERCHANT_ROW, SHIRT, Stage, terms_of

W = Why
AGREEMENTS = {"interception-service": "2", "logistics-interception": "1"}
POLICY = Policy(agreements=AGREEMENTS)
EXCLUDED = sorted(POLICY.excluded_categories)


@dataclass
class Shop:
    """A merchant and a parcel that meet every condition, until a test spoils one."""

    merchant: dict[str, Any] = field(default_factory=dict)
    lines: tuple[OrderLine, ...] = (SHIRT,)
    status: Status = Status.IN_TRANSIT
    agreements: dict[str, str] = field(default_factory=lambda: dict(AGREEMENTS))
    kind: AgreementKind = AgreementKind.SERVICE
    opened: bool = True
    policy: Policy = POLICY
    contract: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Stage], object] = lambda stage: None
    channel: str = "sf"

    def refusals(self) -> tuple[Refusal, ...]:
        stage = Stage(self.channel, terms_of(Policy()), self.lines)
        stage.register()
        self.before(stage)
        stage.terms = terms_of(self.policy, **self.contract)
        stage.do(UpsertMerchant(replace(MERCHANT_ROW, **self.merchant)))
        stage.do(SetWaybillService(MERCHANT, stage.adapter.network, self.opened))
        for agreement, version in self.agreements.items():
            stage.do(SignAgreement(MERCHANT, agreement, version, self.kind))
        parcel = stage.book.all(Parcel)[0]
        case = case_of(stage.book, parcel, self.status, stage.terms)
        assert case is not None
        return unmet(case)

    def whys(self) -> list[Why]:
        return [refusal.why for refusal in self.refusals()]


def line(**fields: Any) -> tuple[OrderLine, ...]:
    return (replace(SHIRT, **fields),)


def box(*cancelled: str) -> tuple[OrderLine, ...]:
    """Two orders in one box, of which these are cancelled."""
    lines = (SHIRT, *line(order_no="order-2"))
    return tuple(replace(each, cancelled=each.order_no in cancelled) for each in lines)


def opened(stage: Stage) -> Interception:
    return stage.create_again()


def stopped(stage: Stage) -> Interception:
    stage.create_again()
    stage.reply(Verdict.ACCEPTED)
    return stage.look(None, stage.scan(Milestone.RETURNING, stage.now), stage.scan(Milestone.LOST))


def brought_back(stage: Stage) -> Interception:
    stage.create_again()
    stage.reply(Verdict.ACCEPTED)
    stage.wait(DAY_MS)
    signed = stage.scan(Milestone.RETURN_SIGNED)
    return stage.look(None, stage.scan(Milestone.RETURNING, stage.now - 1), signed)


ALONE: list[tuple[Shop, list[Why]]] = [
    (Shop(), []),
    (Shop(before=opened), [W.INTERCEPT_OPEN]),
    (Shop(before=stopped), [W.INTERCEPT_OPEN]),
    (Shop(before=brought_back), [W.REINTERCEPT_NOT_OFFERED]),
    (Shop(merchant={"kind": "pop_fbp"}), [W.MERCHANT_NOT_POP_SOP]),
    (Shop(merchant={"cancel_order": False}), [W.CANCEL_ORDER_OFF]),
    (Shop(merchant={"wallet_open": False}), [W.WALLET_NOT_OPEN]),
    (Shop(contract={"currency": "USD"}), [W.CURRENCY_DIFFERS]),
    (Shop(agreements={"interception-service": "2"}), [W.AGREEMENT_UNSIGNED]),
    (Shop(agreements={}), [W.AGREEMENT_UNSIGNED] * 2),
    (Shop(agreements={**AGREEMENTS, "interception-service": "1"}), [W.AGREEMENT_UNSIGNED]),
    (Shop(kind=AgreementKind.PAYMENT), [W.AGREEMENT_UNSIGNED] * 2),
    (Shop(merchant={"cross_border": True}), [W.CROSS_BORDER]),
    (Shop(opened=False), [W.WAYBILL_SERVICE_OFF]),
    (Shop(lines=line(parcels=2)), [W.ORDER_SPLIT]),
    (Shop(merchant={"store_status": StoreStatus.SUSPENDED}), [W.STORE_NOT_OPERATING]),
    (Shop(merchant={"store_status": StoreStatus.CLOSED}), [W.STORE_NOT_OPERATING]),
    (Shop(merchant={"contract_signed": False}), [W.CONTRACT_UNSIGNED]),
    *[(Shop(lines=line(category=name)), [W.CATEGORY_EXCLUDED]) for name in EXCLUDED],
    (Shop(lines=line(paid_minor=0)), [W.VALUE_MISSING]),
    (Shop(lines=()), [W.VALUE_MISSING]),
    (Shop(lines=box()), [W.OTHER_ORDER_OPEN]),
    (Shop(lines=box("order-1")), [W.OTHER_ORDER_OPEN]),
    (Shop(lines=box("order-1", "order-2")), []),
    (Shop(status=Status.UNKNOWN), [W.STATUS_PENDING]),
    (Shop(contract={"fees": {Status.PICKED_UP: 1}}), [W.FEE_NOT_SET]),
    *[
        (Shop(status=status), [W.OUTSIDE_WINDOW])
        for status in (Status.DELIVERED, Status.RETURNING, Status.ENDED)
    ],
    (Shop(status=Status.NOT_PICKED_UP), []),  # the order is cancelled: the contract has a fee
    (
        Shop(status=Status.NOT_PICKED_UP, contract={"fees": {Status.PICKED_UP: 1}}),
        [W.OUTSIDE_WINDOW],
    ),
]


@pytest.mark.parametrize(("shop", "expected"), ALONE, ids=lambda value: str(value)[:60])
def test_each_condition_alone(shop: Shop, expected: list[Why]) -> None:
    assert shop.whys() == expected


EVERYTHING = Shop(
    merchant={
        "kind": "other",
        "cross_border": True,
        "cancel_order": False,
        "store_status": StoreStatus.CLOSED,
        "contract_signed": False,
        "wallet_open": False,
    },
    lines=(
        *line(parcels=2, category="tea", paid_minor=0, cancelled=True),
        *line(order_no="order-2"),
    ),
    status=Status.DELIVERED,
    agreements={},
    opened=False,
    contract={"currency": "USD", "fees": {}},
)
ORDER = [
    W.MERCHANT_NOT_POP_SOP,
    W.CANCEL_ORDER_OFF,
    W.WALLET_NOT_OPEN,
    W.CURRENCY_DIFFERS,
    W.AGREEMENT_UNSIGNED,
    W.AGREEMENT_UNSIGNED,
    W.CROSS_BORDER,
    W.WAYBILL_SERVICE_OFF,
    W.ORDER_SPLIT,
    W.STORE_NOT_OPERATING,
    W.CONTRACT_UNSIGNED,
    W.CATEGORY_EXCLUDED,
    W.VALUE_MISSING,
    W.OTHER_ORDER_OPEN,
    W.OUTSIDE_WINDOW,
]


def test_all_unmet_conditions_are_told_at_once_in_a_fixed_order() -> None:
    assert EVERYTHING.whys() == ORDER


def test_refusals_say_which_one_without_repeating_what_was_sent() -> None:
    by_why = {refusal.why: refusal for refusal in EVERYTHING.refusals()}
    assert by_why[W.ORDER_SPLIT].detail == "order-1"
    assert by_why[W.CATEGORY_EXCLUDED].detail == "tea"
    assert by_why[W.WAYBILL_SERVICE_OFF].detail == "sf"
    assert by_why[W.OUTSIDE_WINDOW].detail == "delivered"
    found = Shop(agreements={}).refusals()
    assert [refusal.detail for refusal in found] == [f"{a} {v}" for a, v in AGREEMENTS.items()]


@pytest.mark.parametrize(
    ("rule", "opened", "expected"),
    [
        (CrossBorder.REFUSE, True, [W.CROSS_BORDER]),
        (CrossBorder.REFUSE, False, [W.CROSS_BORDER, W.WAYBILL_SERVICE_OFF]),
        (CrossBorder.EXEMPT_FROM_WAYBILL, False, []),
        (CrossBorder.ALLOW, True, []),
        (CrossBorder.ALLOW, False, [W.WAYBILL_SERVICE_OFF]),
    ],
)
def test_cross_border_can_be_read_three_ways(
    rule: CrossBorder, opened: bool, expected: list[Why]
) -> None:
    policy = replace(POLICY, cross_border=rule)
    shop = Shop(merchant={"cross_border": True}, opened=opened, policy=policy)
    assert shop.whys() == expected


def test_orders_in_one_box_go_together_or_by_policy() -> None:
    assert Shop(lines=box("order-1"), policy=replace(POLICY, merged=Merged.ALLOW)).whys() == []


def test_an_order_may_be_cancelled_after_its_parcel_was_registered() -> None:
    stage = Stage("sf", terms_of(), box("order-1"))
    first = stage.register()
    assert [refusal.why for refusal in stage.quote().unmet] == [W.OTHER_ORDER_OPEN]
    stage.lines = box("order-1", "order-2")
    assert stage.register().id == first.id
    quote = stage.quote().quote
    assert quote is not None
    stage.lines = box("order-2")  # and taken up again, before the quote is used
    stage.register()
    refused = stage.do(stage.creating(quote.id))
    assert [refusal.why for refusal in refused.unmet] == [W.OTHER_ORDER_OPEN]
    stage.lines = box("order-1", "order-2")[:1]
    assert stage.do(stage.registering()).why == W.WAYBILL_REGISTERED


def test_a_carrier_that_stops_a_parcel_twice_may_be_asked_again() -> None:
    def back_at_zto(stage: Stage) -> Interception:
        stage.create_again()
        stage.reply(Verdict.RECEIVED)
        stage.look(Verdict.ACCEPTED)
        return stage.look(Verdict.ACCEPTED, stage.scan(Milestone.SIGNED))

    assert Shop(before=back_at_zto, channel="zto").whys() == []


def test_a_refused_interception_leaves_the_parcel_free() -> None:
    def refused(stage: Stage) -> Interception:
        stage.create_again()
        return stage.reply(Verdict.REFUSED, Reason.TOO_LATE)

    assert Shop(before=refused).whys() == []


def test_a_tenth_version_is_newer_than_a_ninth() -> None:
    nine = replace(POLICY, agreements={"interception-service": "9"})
    assert Shop(policy=nine, agreements={"interception-service": "10"}).whys() == []
    ten = replace(POLICY, agreements={"interception-service": "2026.10"})
    older = Shop(policy=ten, agreements={"interception-service": "2026.9"})
    assert older.whys() == [W.AGREEMENT_UNSIGNED]


# -- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_words_in_both_languages_and_a_class(why: Why) -> None:
    text = TEXTS[why]
    assert any("\u4e00" <= character <= "\u9fff" for character in text.zh)
    assert text.en.isascii()
    assert text.en[0].isupper()
    assert text.kind in Kind


def test_no_words_without_a_reason_and_none_said_twice() -> None:
    assert set(TEXTS) == set(Why)
    assert len({text.zh for text in TEXTS.values()}) == len(TEXTS)
    assert len({text.en for text in TEXTS.values()}) == len(TEXTS)


def test_the_order_of_the_reasons_is_the_order_in_which_they_are_told() -> None:
    told = [why for why in Why if why in ORDER]
    assert told == [why for why in dict.fromkeys(ORDER) if why is not W.CURRENCY_DIFFERS] + [
        W.CURRENCY_DIFFERS
    ]


# -- at the door -----------------------------------------------------------------------------


def test_a_waybill_of_somebody_else_says_no_more_than_that() -> None:
    stage = Stage("sf")
    stage.register()
    other: Merchant = replace(MERCHANT_ROW, id="other/shop", tenant="other")
    stage.do(UpsertMerchant(other))
    foreign = stage.do(stage.quoting(tenant="other", merchant="other/shop"))
    nobody = stage.do(stage.quoting(waybill="SF0000000000000"))
    assert foreign == nobody == Refusals((Refusal(W.WAYBILL_NOT_YOURS),))


def test_the_number_of_a_return_leg_is_not_intercepted() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.look(None, stage.scan(Milestone.RETURNING, back=stage.back))
    assert stage.do(stage.quoting(waybill=stage.back)) == Refusals((Refusal(W.RETURN_LEG),))


def test_a_carrier_without_a_contract_is_not_configured() -> None:
    stage = Stage("sf")
    stage.register()
    stage.terms = replace(stage.terms, contracts={})
    answer: object = stage.quote()
    assert answer == Refusals((Refusal(W.CARRIER_NOT_CONFIGURED),))
