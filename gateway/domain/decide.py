"""Every command and the decision that answers it: one table, and the batch that runs it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gateway.domain import (
    claim,
    create,
    desk,
    doubt,
    due,
    merchant,
    payout,
    push,
    quote,
    reading,
    reconcile,
    register,
    reply,
    retention,
    subscribing,
)
from gateway.domain.book import Book
from gateway.domain.command import Command, Env
from gateway.domain.fees import Terms
from gateway.domain.refusal import Refusal, Refusals, Why

Decide = Callable[[Book, Any, Env, Terms], Any]

DECISIONS: dict[type[Any], Decide] = {
    merchant.UpsertMerchant: merchant.upsert_merchant,
    merchant.SignAgreement: merchant.sign_agreement,
    merchant.SetWaybillService: merchant.set_waybill_service,
    merchant.TopUp: merchant.top_up,
    register.RegisterParcel: register.register_parcel,
    register.RecordTrack: register.record_track,
    subscribing.TakeSubscriptions: subscribing.take_subscriptions,
    subscribing.Subscribed: subscribing.subscribed,
    quote.MakeQuote: quote.make_quote,
    create.CreateInterception: create.create,
    create.CancelInterception: create.cancel,
    due.LeaseDue: due.lease_due,
    due.Fumble: due.fumble,
    reply.Finish: reply.finish,
    reading.Observe: reading.observe,
    push.ReceivePush: push.receive_push,
    push.QuarantinePush: push.quarantine_push,
    claim.FileClaim: claim.file_claim,
    claim.DecideClaim: claim.decide_claim,
    payout.SettleOffline: payout.settle_offline,
    desk.FinishClaim: desk.finish_claim,
    reconcile.ReceivePart: reconcile.receive_part,
    reconcile.PostStatement: reconcile.post_statement,
    reconcile.JudgeStatement: reconcile.judge_statement,
    retention.PurgePersonal: retention.purge_personal,
}
UPKEEP: dict[type[Any], Decide] = {  # what no caller and no carrier brings about
    doubt.Doubt: doubt.doubt,
    doubt.DoubtClaims: doubt.doubt_claims,
    doubt.Outdate: doubt.outdate,
    doubt.Unread: doubt.unread,
    push.ApplyPush: push.apply_push,
}
ALL = DECISIONS | UPKEEP
# What spends, sends or promises by rows that may lack what happened after the backup. Facts are
# taken as ever: merchants, parcels, pushes, readings, and whatever a carrier answers.
HELD_BACK: frozenset[type[Any]] = frozenset(
    {
        merchant.TopUp,
        quote.MakeQuote,
        create.CreateInterception,
        create.CancelInterception,
        claim.FileClaim,
        claim.DecideClaim,
        payout.SettleOffline,
        reconcile.ReceivePart,
        reconcile.PostStatement,
        reconcile.JudgeStatement,
    }
)
# What sees to many rows at a time: a page of a statement, or of what is to be erased.
LONG: frozenset[type[Any]] = frozenset(
    {
        reconcile.ReceivePart,
        reconcile.PostStatement,
        reconcile.JudgeStatement,
        retention.PurgePersonal,
    }
)


def decide(book: Book, command: Command, env: Env, terms: Terms) -> Any:
    """One decision. A refusal, or an error, leaves the book as it was."""
    if env.safe and type(command) in HELD_BACK:
        return Refusal(Why.SAFE_MODE)
    try:
        result = ALL[type(command)](book, command, env, terms)
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
