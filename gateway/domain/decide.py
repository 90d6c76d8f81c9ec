"""Every command and the decision that answers it: one table, and the batch that runs it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gateway.domain import (
    claim,
    create,
    desk,
    due,
    merchant,
    payout,
    push,
    quote,
    reading,
    register,
    reply,
    retention,
)
from gateway.domain.book import Book
from gateway.domain.command import Command, Env
from gateway.domain.fees import Terms
from gateway.domain.refusal import Refusal, Refusals

Decide = Callable[[Book, Any, Env, Terms], Any]

DECISIONS: dict[type[Any], Decide] = {
    merchant.UpsertMerchant: merchant.upsert_merchant,
    merchant.SignAgreement: merchant.sign_agreement,
    merchant.SetWaybillService: merchant.set_waybill_service,
    merchant.TopUp: merchant.top_up,
    register.RegisterParcel: register.register_parcel,
    register.RecordTrack: register.record_track,
    quote.MakeQuote: quote.make_quote,
    create.CreateInterception: create.create,
    create.CancelInterception: create.cancel,
    due.LeaseDue: due.lease_due,
    due.Fumble: due.fumble,
    reply.Finish: reply.finish,
    reading.Observe: reading.observe,
    push.ReceivePush: push.receive_push,
    push.ApplyPush: push.apply_push,
    push.QuarantinePush: push.quarantine_push,
    claim.FileClaim: claim.file_claim,
    claim.DecideClaim: claim.decide_claim,
    payout.SettleOffline: payout.settle_offline,
    desk.FinishClaim: desk.finish_claim,
    retention.PurgePersonal: retention.purge_personal,
}


def decide(book: Book, command: Command, env: Env, terms: Terms) -> Any:
    """One decision. A refusal, or an error, leaves the book as it was."""
    try:
        result = DECISIONS[type(command)](book, command, env, terms)
    except BaseException:
        book.undo()
        raise
    if isinstance(result, Refusal | Refusals):
        book.undo()
    else:
        book.keep()
    return result


def decide_batch(book: Book, commands: Iterable[Command], env: Env, terms: Terms) -> Iterator[Any]:
    """Decisions of a batch, one after the other, each seeing the ones before."""
    for command in commands:
        yield decide(book, command, env, terms)
