"""Quotes: the parcel's status, every unmet condition, and a price that is locked."""

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Status, Verdict
from gateway.domain.command import Env, No, Wants
from gateway.domain.eligibility import case_of, fee_minor, tracked, unmet
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Interception,
    Quote,
)
from gateway.domain.parcel import (
    Alias,
    OrderLine,
    Parcel,
    Person,
    ScanRow,
)
from gateway.domain.record import Record
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.domain.register import aliases, keep_reading, newest


class MakeQuote(Record, frozen=True):
    tenant: str
    merchant: str
    network: str
    waybill: str
    read: Answer | None  # a fresh tracking answer, if one was needed and came
    said: Answer | None = None  # whether the carrier would do it, if it can be asked and answered
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            merchants=(self.merchant,),
            waybills=(f"{self.network}/{self.waybill}",),
            of_parcel=frozenset({OrderLine, Alias, Person, ScanRow, Interception}),
        )


class Quoted(Record, frozen=True):
    parcel: Parcel
    status: Status
    quote: Quote | None
    unmet: tuple[Refusal, ...]


def make_quote(book: Book, command: MakeQuote, env: Env, terms: Terms) -> Quoted | No:
    parcel = newest(book, command.network, command.waybill)
    if parcel is None:
        returning = aliases(book, command.network, command.waybill)
        owners = [book.need(Parcel, alias.parcel) for alias in returning]
        mine = any((o.tenant, o.merchant) == (command.tenant, command.merchant) for o in owners)
        return Refusals((Refusal(Why.RETURN_LEG if mine else Why.WAYBILL_NOT_YOURS),))
    if (parcel.tenant, parcel.merchant) != (command.tenant, command.merchant):
        return Refusals((Refusal(Why.WAYBILL_NOT_YOURS),))
    if parcel.purged_at:  # nobody to send it back to: it has to be registered again
        return Refusals((Refusal(Why.WAYBILL_NOT_YOURS, field="waybill"),))
    if command.read is not None and command.read.verdict is Verdict.RECEIVED:
        parcel = keep_reading(book, parcel, command.read, env)
    status = status_now(parcel, terms, env.now)
    case = case_of(book, parcel, status, terms, command.said)
    if case is None:
        return Refusals((Refusal(Why.CARRIER_NOT_CONFIGURED),))
    if status is Status.UNKNOWN and tracked(case):
        return Refusal(Why.STATUS_PENDING)
    failing = unmet(case)
    fee = fee_minor(case)
    if failing or fee is None:
        return Quoted(parcel, status, None, failing)
    quote = book.put(
        Quote(
            id=env.new_id(),
            tenant=command.tenant,
            merchant=command.merchant,
            parcel=parcel.id,
            channel=parcel.channel,
            status=status,
            fee_minor=fee,
            cap_minor=case.contract.cap_minor,
            currency=case.contract.currency,
            created_at=env.now,
            expires_at=env.now + terms.policy.quote_valid_ms,
            used_by=None,
            account=parcel.account,
        )
    )
    return Quoted(parcel, status, quote, ())


def status_now(parcel: Parcel, terms: Terms, now: int) -> Status:
    """The status that counts; UNKNOWN where the last reading is too old to price from."""
    if terms.tracker(parcel.channel, parcel.account, parcel.network) is None:
        return parcel.declared
    fresh = parcel.read_at and now - parcel.read_at < terms.policy.status_fresh_ms
    return parcel.status if fresh else Status.UNKNOWN
