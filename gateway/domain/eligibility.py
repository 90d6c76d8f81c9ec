"""Who may intercept what, and when: every unmet condition at once, in a fixed order."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from gateway.domain.book import Book
from gateway.domain.carrier import Adapter, Answer, Status, Verdict
from gateway.domain.fees import Contract, CrossBorder, Merged, Terms
from gateway.domain.interception import Interception
from gateway.domain.parcel import (
    Agreement,
    AgreementKind,
    Merchant,
    OrderLine,
    Parcel,
    StoreStatus,
    WaybillService,
)
from gateway.domain.record import Record
from gateway.domain.refusal import Refusal, Why


class Case(Record, frozen=True):
    """All that the conditions look at."""

    merchant: Merchant
    parcel: Parcel
    status: Status
    lines: tuple[OrderLine, ...]
    agreements: tuple[Agreement, ...]
    services: tuple[WaybillService, ...]
    interceptions: tuple[Interception, ...]
    contract: Contract
    terms: Terms
    said: Answer | None = None  # what the carrier answered when it was asked beforehand


def case_of(
    book: Book, parcel: Parcel, status: Status, terms: Terms, said: Answer | None = None
) -> Case | None:
    """None where the carrier or the merchant is not configured."""
    merchant = book.get(Merchant, parcel.merchant)
    contract = terms.contracts.get(parcel.channel)
    if merchant is None or contract is None:
        return None
    if (parcel.channel, parcel.account) not in terms.accounts:
        return None  # it was once: there is nobody to send an interception with
    return Case(
        merchant,
        parcel,
        status,
        tuple(book.of(OrderLine, parcel.id)),
        tuple(book.of(Agreement, merchant.id)),
        tuple(book.of(WaybillService, merchant.id)),
        tuple(book.of(Interception, parcel.id)),
        contract,
        terms,
        said,
    )


def unmet(case: Case) -> tuple[Refusal, ...]:
    return tuple(refusal for condition in CONDITIONS for refusal in condition(case))


def tracked(case: Case) -> bool:
    """Whether somebody can be asked where the parcel is."""
    parcel = case.parcel
    return case.terms.tracker(parcel.channel, parcel.account, parcel.network) is not None


def fee_minor(case: Case) -> int | None:
    """The fee of the contract for where the parcel is; None where the contract has none.

    A channel without tracking pays the dearest band of its window: the caller's word alone
    must not make it cheaper.
    """
    adapter = case.terms.adapters[case.parcel.channel]
    if not tracked(case):
        window = [case.contract.fees.get(status) for status in adapter.window.value]
        return max((fee for fee in window if fee is not None), default=None)
    return case.contract.fees.get(case.status)


Condition = Callable[[Case], Iterator[Refusal]]


def _open(case: Case) -> Iterator[Refusal]:
    for interception in case.interceptions:
        if interception.open:
            yield Refusal(Why.INTERCEPT_OPEN, subject=interception.id)


def _again(case: Case) -> Iterator[Refusal]:
    adapter = case.terms.adapters[case.parcel.channel]
    stopped = any(i.promised_at for i in case.interceptions)
    if stopped and not adapter.reintercept.value and not any(i.open for i in case.interceptions):
        yield Refusal(Why.REINTERCEPT_NOT_OFFERED)


def _merchant(case: Case) -> Iterator[Refusal]:
    merchant, policy = case.merchant, case.terms.policy
    for bad, why in (
        (merchant.kind != policy.merchant_kind, Why.MERCHANT_NOT_POP_SOP),
        (not merchant.cancel_order, Why.CANCEL_ORDER_OFF),
        (not merchant.wallet_open, Why.WALLET_NOT_OPEN),
    ):
        if bad:
            yield Refusal(why)
    if merchant.currency != case.contract.currency:
        yield Refusal(Why.CURRENCY_DIFFERS)


def _agreements(case: Case) -> Iterator[Refusal]:
    signed = {
        a.agreement: a.agreement_version for a in case.agreements if a.kind is AgreementKind.SERVICE
    }
    for agreement, version in case.terms.policy.agreements.items():
        if _parts(signed.get(agreement, "")) < _parts(version):
            yield Refusal(Why.AGREEMENT_UNSIGNED, detail=f"{agreement} {version}")


@lru_cache(maxsize=256)  # the same few versions in every quote and every Create
def _parts(version: str) -> tuple[tuple[int, str], ...]:
    """A version as numbers and words, so that 10 is more than 9."""
    return tuple(
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part)
        for part in re.split(r"([0-9]+)", version)
        if part
    )


def _borders(case: Case) -> Iterator[Refusal]:
    rule = case.terms.policy.cross_border
    if case.merchant.cross_border and rule is CrossBorder.REFUSE:
        yield Refusal(Why.CROSS_BORDER)
    exempt = case.merchant.cross_border and rule is CrossBorder.EXEMPT_FROM_WAYBILL
    opened = {service.network for service in case.services if service.opened}
    if case.parcel.network not in opened and not exempt:
        yield Refusal(Why.WAYBILL_SERVICE_OFF, detail=case.parcel.network)


def _box(case: Case) -> Iterator[Refusal]:
    for order in sorted({line.order_no for line in case.lines if line.parcels > 1}):
        yield Refusal(Why.ORDER_SPLIT, detail=order)
    if case.merchant.store_status is not StoreStatus.OPERATING:
        yield Refusal(Why.STORE_NOT_OPERATING)
    if not case.merchant.contract_signed:
        yield Refusal(Why.CONTRACT_UNSIGNED)
    excluded = {line.category for line in case.lines} & case.terms.policy.excluded_categories
    for category in sorted(excluded):
        yield Refusal(Why.CATEGORY_EXCLUDED, detail=category)
    if not case.lines or any(line.value_minor <= 0 for line in case.lines):
        yield Refusal(Why.VALUE_MISSING)
    orders = {line.order_no for line in case.lines}
    if (
        case.terms.policy.merged is Merged.REFUSE_IF_OTHER_ORDER_OPEN
        and len(orders) > 1
        and any(not line.cancelled for line in case.lines)
    ):
        yield Refusal(Why.OTHER_ORDER_OPEN)


def _window(case: Case) -> Iterator[Refusal]:
    adapter = case.terms.adapters[case.parcel.channel]
    if case.status is Status.UNKNOWN:
        yield Refusal(Why.STATUS_PENDING if tracked(case) else Why.STATUS_UNDECLARED)
    elif case.status not in adapter.window.value and not cancels_order(case):
        yield Refusal(Why.OUTSIDE_WINDOW, detail=case.status)
    elif fee_minor(case) is None:
        yield Refusal(Why.FEE_NOT_SET, detail=case.status)


def cancels_order(case: Case) -> bool:
    """Whether what is stopped is an order that was not picked up, by a verb of its own. Offered
    where the contract has a fee for it, be it nothing."""
    fee = case.contract.fees.get(Status.NOT_PICKED_UP)
    return fee is not None and other_verb(case.terms.adapters[case.parcel.channel], case.status)


def other_verb(adapter: Adapter, status: Status) -> bool:
    """Whether the carrier has two verbs, and this status is for the other one."""
    one_verb = Status.NOT_PICKED_UP in adapter.window.value
    two_verbs = adapter.cancel_order is not None and not one_verb
    return two_verbs and status is Status.NOT_PICKED_UP


def _carrier(case: Case) -> Iterator[Refusal]:
    """A carrier that does not know says nothing; only a no counts."""
    if case.said is not None and case.said.verdict is Verdict.REFUSED:
        yield Refusal(Why.CARRIER_DECLINES, detail=case.said.reason.upper())


CONDITIONS: tuple[Condition, ...] = (
    _open,
    _again,
    _merchant,
    _agreements,
    _borders,
    _box,
    _window,
    _carrier,
)
