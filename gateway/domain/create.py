"""Interceptions are created and withdrawn here; the carrier is called elsewhere."""

from gateway.domain.book import Book
from gateway.domain.carrier import Adapter, Path, Promise, Status
from gateway.domain.command import Env, No, Replayed, Wants, fingerprint, repeated
from gateway.domain.eligibility import case_of, other_verb, unmet
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Cancel,
    Decision,
    Event,
    Exceptional,
    Interception,
    Job,
    JobKind,
    Money,
    Movement,
    Quote,
    Request,
)
from gateway.domain.leasing import Work, lease_post
from gateway.domain.ledger import available
from gateway.domain.lifecycle import begin, move, schedule, withdraw
from gateway.domain.parcel import (
    OrderLine,
    Parcel,
    Person,
)
from gateway.domain.record import Record, replace
from gateway.domain.refusal import Refusal, Refusals, Why


class CreateInterception(Record, frozen=True):
    tenant: str
    request_id: str
    merchant: str
    quote: str
    agreement: str
    cancel_ticket: str
    slot: bool  # a send slot of the carrier account has been taken for it
    actor: str
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            quotes=(self.quote,),
            of_parcel=frozenset({OrderLine, Person, Interception}),
            wallet=True,
        )


class Created(Record, frozen=True):
    interception: Interception
    replayed: bool
    work: Work | None


def create(book: Book, command: CreateInterception, env: Env, terms: Terms) -> Created | No:
    key = f"{command.tenant}/{command.request_id}"
    mark = fingerprint(command.merchant, command.quote, command.agreement, command.cancel_ticket)
    again = repeated(book.get(Request, key), "Create", mark)
    if isinstance(again, Replayed):
        return Created(book.need(Interception, again.subject), True, None)
    if again is not None:
        return again
    quote = book.get(Quote, command.quote)
    refused = _unusable(book, command, quote, env, terms)
    if refused is not None or quote is None:
        return refused or Refusal(Why.QUOTE_UNKNOWN)
    parcel = book.need(Parcel, quote.parcel)
    contract = terms.contracts[quote.channel]
    interception = Interception(
        id=env.new_id(),
        tenant=command.tenant,
        merchant=quote.merchant,
        parcel=parcel.id,
        quote=quote.id,
        channel=quote.channel,
        account=quote.account,
        waybill=parcel.waybill,
        fee_minor=quote.fee_minor,
        cap_minor=quote.cap_minor,
        currency=quote.currency,
        agreement=command.agreement,
        cancel_ticket=command.cancel_ticket,
        decision=Decision.SENDING if command.slot else Decision.QUEUED,
        movement=Movement.NONE,
        failure="",
        money=Money.HELD if quote.fee_minor else Money.NONE,
        cancel=Cancel.NONE,
        path=_path(terms.adapters[quote.channel], quote),
        reason="",
        carrier_code="",
        reference="",
        assumed=False,
        version=0,
        created_at=env.now,
        sent_at=env.now if command.slot else 0,
        decided_at=0,
        promised_at=0,
        send_deadline=env.now + contract.send_deadline_ms,
        evidence_by=env.now + contract.evidence_by_ms,
        request_id=command.request_id,
        network=parcel.network,
        quoted_status=quote.status,
        updated_at=env.now,
    )
    book.put(replace(quote, used_by=interception.id))
    book.put(Request(key, "Create", mark, interception.id, env.now))
    interception = begin(book, interception, command.actor, env)
    return Created(interception, False, _dispatch(book, interception, command.slot, env, terms))


def _path(adapter: Adapter, quote: Quote) -> str:
    """A carrier with one verb says afterwards which of the two it was."""
    cancels = other_verb(adapter, Status(quote.status))
    return Path.CANCELLED_BEFORE_PICKUP if cancels else ""


def _dispatch(
    book: Book, interception: Interception, slot: bool, env: Env, terms: Terms
) -> Work | None:
    """With a send slot the first attempt and its lease ride in the same commit."""
    ic = interception
    job = schedule(book, JobKind.SUBMIT, ic.id, ic.channel, ic.account, env.now)
    if not slot:
        return None
    return lease_post(book, ic, job, env, terms)


def _unusable(
    book: Book, command: CreateInterception, quote: Quote | None, env: Env, terms: Terms
) -> No | None:
    """Every reason why this quote cannot be used now, besides the carrier's."""
    if (
        quote is None
        or quote.tenant != command.tenant
        or (command.merchant and quote.merchant != command.merchant)
    ):
        return Refusal(Why.QUOTE_UNKNOWN, field="quote_id")
    if quote.used_by is not None:
        return Refusal(Why.QUOTE_USED, field="quote_id", subject=quote.used_by)
    parcel = book.need(Parcel, quote.parcel)
    if (parcel.channel, parcel.account) != (quote.channel, quote.account):
        return Refusal(Why.QUOTE_EXPIRED, field="quote_id")  # it has been registered over another
    case = case_of(book, parcel, Status(quote.status), terms)
    if case is None:
        return Refusal(Why.CARRIER_NOT_CONFIGURED)
    failing = list(unmet(case))
    for refusal in failing:
        if refusal.why is Why.INTERCEPT_OPEN:
            return refusal
    if env.now >= quote.expires_at or parcel.purged_at:
        failing.append(Refusal(Why.QUOTE_EXPIRED, field="quote_id"))
    if command.agreement not in terms.payment_agreements.get(command.tenant, frozenset()):
        failing.append(Refusal(Why.PAYMENT_NOT_AGREED, field="agreement_id"))
    if quote.fee_minor > available(book, quote.merchant, quote.currency):
        failing.append(Refusal(Why.BALANCE_LOW))
    return Refusals(tuple(failing)) if failing else None


class CancelInterception(Record, frozen=True):
    tenant: str
    request_id: str
    interception: str
    actor: str
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            interceptions=(self.interception,),
            of_parcel=frozenset({Person, OrderLine}),
            of_interception=frozenset({Job, Exceptional}),
            wallet=True,
        )


def cancel(book: Book, command: CancelInterception, env: Env, terms: Terms) -> Created | No:
    """Withdraw: while queued at once; later only where the carrier offers it, by evidence."""
    key = f"{command.tenant}/{command.request_id}"
    mark = fingerprint(command.interception)
    again = repeated(book.get(Request, key), "Cancel", mark)
    if isinstance(again, Replayed):
        return Created(book.need(Interception, again.subject), True, None)
    if again is not None:
        return again
    ic = book.get(Interception, command.interception)
    if ic is None or ic.tenant != command.tenant:
        return Refusal(Why.INTERCEPTION_UNKNOWN)
    if ic.cancel is Cancel.NONE:
        done = ic.decision in (Decision.REFUSED, Decision.NEVER_SENT, Decision.LATE_ACCEPTED)
        if done or ic.movement is not Movement.NONE:
            return Refusal(Why.CANCEL_TOO_LATE)
        offered = terms.adapters[ic.channel].cancel is not None and not ic.path
        if ic.decision is not Decision.QUEUED and not (offered or ic.promised_at):
            return Refusal(Why.CANCEL_NOT_OFFERED)
        ic = withdraw(book, ic, Cancel.ASKED, env, actor=command.actor)
        if ic.decision is Decision.QUEUED:
            ic = withdraw(book, ic, Cancel.DONE, env, cause="not sent yet", actor=command.actor)
            ic = move(book, ic, Event.WITHDRAW, env, terms, cause="WITHDRAWN", actor=command.actor)
        elif ic.decision is not Decision.SENDING:
            schedule(book, JobKind.WITHDRAW, ic.id, ic.channel, ic.account, env.now)
    book.put(Request(key, "Cancel", mark, ic.id, env.now))
    return Created(ic, False, None)


def refund_advice(interception: Interception, terms: Terms) -> str:
    """What the cancel-order ticket may do now: shortening that wait is why merchants call us."""
    if interception.decision in (Decision.ACCEPTED, Decision.LATE_ACCEPTED):
        return "SAFE_TO_REFUND"
    if interception.decision in (Decision.REFUSED, Decision.NEVER_SENT, Decision.CANCELLED):
        return "DO_NOT_REFUND"
    promise = terms.promise_on(interception.channel)
    return "SAFE_TO_REFUND" if promise is Promise.PAYMENT else "WAIT"
