"""Off-line settlements: the carrier has paid the merchant, and we record it."""

from gateway.domain.book import Book
from gateway.domain.claim import FAMILY, Award, Claim, entered
from gateway.domain.command import Env, No, Replayed, Wants, fingerprint, repeated
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Request,
)
from gateway.domain.ledger import TransferKind, moved
from gateway.domain.record import Record
from gateway.domain.refusal import Refusal, Why


class SettleOffline(Record, frozen=True):
    """The carrier has paid the merchant for a decided award; the receivable is closed."""

    tenant: str
    request_id: str
    award: str
    reference: str  # of the payment between carrier and merchant
    actor: str
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            awards=(self.award,),
            transfers=(f"payout:{self.award}:wallet", f"payout:{self.award}:offline"),
            of_parcel=FAMILY,
            wallet=True,
        )


def settle_offline(book: Book, command: SettleOffline, env: Env, _: Terms) -> Award | No:
    key = f"{command.tenant}/{command.request_id}"
    mark = fingerprint(command.award, command.reference)
    again = repeated(book.get(Request, key), "SettleOffline", mark)
    award = book.get(Award, command.award)
    if isinstance(again, Replayed):
        return book.need(Award, again.subject)
    if again is not None:
        return again
    if award is None or book.need(Claim, award.claim).tenant != command.tenant:
        return Refusal(Why.CLAIM_UNKNOWN, field="award_id")
    paid = [moved(book, f"payout:{award.id}:{how}") for how in ("wallet", "offline")]
    if any(paid):
        return Refusal(Why.CLAIM_NOT_OPEN, field="award_id")
    claim = book.need(Claim, award.claim)
    dedup = f"payout:{award.id}:offline"
    kind = TransferKind.SETTLE_OFFLINE
    entered(book, claim, award, kind, dedup, command.reference, command.actor, env)
    book.put(Request(key, "SettleOffline", mark, award.id, env.now))
    return award
