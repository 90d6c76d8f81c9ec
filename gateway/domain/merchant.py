"""Merchants, what they signed, and the money they bring."""

from gateway.domain.book import Book
from gateway.domain.command import Env, No, Replayed, Wants, fingerprint, repeated
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Request,
)
from gateway.domain.ledger import Move, Transfer, TransferKind, moved, post
from gateway.domain.parcel import (
    LINES_MAX,
    Agreement,
    AgreementKind,
    Merchant,
    WaybillService,
)
from gateway.domain.record import Record, replace
from gateway.domain.refusal import Refusal, Why


class UpsertMerchant(Record, frozen=True):
    merchant: Merchant
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(merchants=(self.merchant.id,))


def upsert_merchant(book: Book, command: UpsertMerchant, env: Env, _: Terms) -> Merchant | No:
    found = book.get(Merchant, command.merchant.id)
    if found is not None and found.currency != command.merchant.currency:
        return Refusal(Why.CURRENCY_DIFFERS, field="wallet_currency")
    return book.put(replace(command.merchant, updated_at=env.now))


class SignAgreement(Record, frozen=True):
    merchant: str
    agreement: str
    agreement_version: str
    kind: AgreementKind
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(merchants=(self.merchant,))


def sign_agreement(book: Book, command: SignAgreement, env: Env, _: Terms) -> Agreement | No:
    if book.get(Merchant, command.merchant) is None:
        return Refusal(Why.MERCHANT_UNKNOWN)
    key = f"{command.merchant}/{command.agreement}"
    found = book.get(Agreement, key)
    if found is None and len(book.of(Agreement, command.merchant)) >= LINES_MAX:
        return Refusal(Why.LIMIT_REACHED, detail=f"{LINES_MAX} agreements")
    if found is not None and found.agreement_version == command.agreement_version:
        return found
    return book.put(
        Agreement(
            key,
            command.merchant,
            command.agreement,
            command.agreement_version,
            command.kind,
            env.now,
        )
    )


class SetWaybillService(Record, frozen=True):
    merchant: str
    network: str
    opened: bool
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(merchants=(self.merchant,))


def set_waybill_service(
    book: Book, command: SetWaybillService, env: Env, _: Terms
) -> WaybillService | No:
    if book.get(Merchant, command.merchant) is None:
        return Refusal(Why.MERCHANT_UNKNOWN)
    key = f"{command.merchant}/{command.network}"
    return book.put(WaybillService(key, command.merchant, command.network, command.opened))


class TopUp(Record, frozen=True):
    tenant: str
    request_id: str
    merchant: str
    amount: int
    currency: str
    reference: str  # of the payment outside; unique
    actor: str
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            merchants=(self.merchant,),
            transfers=(self._dedup,),
            wallet=True,
        )

    @property
    def _dedup(self) -> str:
        return f"top_up:{self.tenant}:{self.reference}"

    def decide(self, book: Book, env: Env) -> Transfer | Replayed | No:
        mark = fingerprint(self.merchant, self.amount, self.currency, self.reference)
        key = f"{self.tenant}/{self.request_id}"
        again = repeated(book.get(Request, key), "TopUp", mark)
        if again is not None:
            return again
        merchant = book.get(Merchant, self.merchant)
        if merchant is None:
            return Refusal(Why.MERCHANT_UNKNOWN)
        if not merchant.wallet_open:
            return Refusal(Why.WALLET_NOT_OPEN)
        if merchant.currency != self.currency:
            return Refusal(Why.CURRENCY_DIFFERS, field="amount")
        if moved(book, self._dedup) is not None:
            return Refusal(Why.REQUEST_ID_REUSED, field="external_reference")
        made = post(
            book,
            Move(
                kind=TransferKind.TOP_UP,
                amount=self.amount,
                currency=self.currency,
                merchant=self.merchant,
                dedup=self._dedup,
                actor=self.actor,
                cause=self.reference,
            ),
            env.new_id(),
            env.now,
        )
        book.put(Request(key, "TopUp", mark, made.id, env.now))
        return made


def top_up(book: Book, command: TopUp, env: Env, _: Terms) -> Transfer | Replayed | No:
    return command.decide(book, env)
