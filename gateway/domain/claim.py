"""Claims: what a promise that was not kept is worth, under one cap per parcel.

An award is min(loss claimed, what the carrier grants, what is left of the line's value, what is
left of the parcel's cap). It is decided once per decision key, in one transaction with its entry.
"""

from enum import StrEnum, auto
from typing import ClassVar

from gateway.domain.book import Book
from gateway.domain.carrier import ClaimKind
from gateway.domain.command import Env, No, Replayed, Wants, fingerprint, repeated
from gateway.domain.fees import Payout, Terms
from gateway.domain.interception import (
    PROMISED,
    Exceptional,
    ExceptionKind,
    Interception,
    JobKind,
    Movement,
    Request,
)
from gateway.domain.ledger import Move, TransferKind, post
from gateway.domain.lifecycle import (
    schedule,
)
from gateway.domain.named import Named
from gateway.domain.parcel import (
    Incident,
    OrderLine,
    Parcel,
    Person,
    ScanRow,
    journey,
)
from gateway.domain.record import Hidden, Record, replace
from gateway.domain.refusal import Refusal, Why

CLAIMS_MAX = 100  # of one parcel


class ClaimState(Named):
    FILED = auto()
    UNDER_REVIEW = auto()
    PARTLY_AWARDED = auto()
    AWARDED = auto()
    REJECTED = auto()
    WITHDRAWN = auto()
    VOID = auto()  # found again before it was decided


class Desk(StrEnum):
    """Who has the claim."""

    CARRIER = auto()
    OPERATOR = auto()


LIVE = frozenset({ClaimState.FILED, ClaimState.UNDER_REVIEW, ClaimState.PARTLY_AWARDED})


class Claim(Record, frozen=True):
    PARENT: ClassVar[str] = "parcel"
    id: str
    tenant: str
    merchant: str
    interception: str
    parcel: str
    channel: str
    account: str
    kind: ClaimKind
    order_no: str
    line_no: str
    loss_minor: int
    granted_minor: int  # what the carrier grants in all; 0 until it says so
    currency: str
    description: str
    state: ClaimState
    desk: Desk
    reference: str  # the carrier's number of it
    reason: str
    filed_by: str
    filed_at: int
    decided_at: int
    version: int


class Proof(Record, frozen=True):
    """What the merchant supplies: where it is kept and its hash, or its text."""

    PARENT: ClassVar[str] = "claim"
    id: str  # claim/number
    claim: str
    kind: str
    uri: str
    text: Hidden[str]
    sha256: str
    supplied_at: int


class Award(Record, frozen=True):
    PARENT: ClassVar[str] = "claim"
    id: str
    claim: str
    parcel: str
    order_no: str
    line_no: str
    amount: int
    currency: str
    channel: Payout
    decision_key: str
    actor: str
    at: int


class Breakdown(Record, frozen=True):
    """The four limits of an award, in minor units; the award is the least of them."""

    loss: int
    value: int
    cap: int
    granted: int

    @property
    def amount(self) -> int:
        return max(0, min(self.loss, self.value, self.cap, self.granted))


FAMILY = frozenset({OrderLine, ScanRow, Person, Incident, Claim})


class FileClaim(Record, frozen=True):
    tenant: str
    request_id: str
    interception: str
    kind: ClaimKind
    order_no: str
    line_no: str
    loss_minor: int
    currency: str
    description: str
    actor: str
    proofs: tuple[Proof, ...] = ()  # ids and times are given here
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            interceptions=(self.interception,),
            of_parcel=FAMILY,
            of_interception=frozenset({Exceptional}),
        )


class Filed(Record, frozen=True):
    claim: Claim
    replayed: bool


def file_claim(book: Book, command: FileClaim, env: Env, terms: Terms) -> Filed | No:
    c = command
    key = f"{c.tenant}/{c.request_id}"
    mark = fingerprint(
        c.interception,
        c.kind,
        c.order_no,
        c.line_no,
        c.loss_minor,
        c.currency,
        c.description,
        *(part for p in c.proofs for part in (p.kind, p.uri, p.text, p.sha256)),
    )
    again = repeated(book.get(Request, key), "File", mark)
    if isinstance(again, Replayed):
        return Filed(book.need(Claim, again.subject), True)
    if again is not None:
        return again
    ic = book.get(Interception, c.interception)
    if ic is None or ic.tenant != c.tenant:
        return Refusal(Why.INTERCEPTION_UNKNOWN)
    refused = _unfit(book, c, ic, env, terms)
    if refused is not None:
        return refused
    adapter = terms.adapters[ic.channel]
    claim = book.put(
        Claim(
            id=env.new_id(),
            tenant=c.tenant,
            merchant=ic.merchant,
            interception=ic.id,
            parcel=ic.parcel,
            channel=ic.channel,
            account=ic.account,
            kind=c.kind,
            order_no=c.order_no,
            line_no=c.line_no,
            loss_minor=c.loss_minor,
            granted_minor=0,
            currency=c.currency,
            description=c.description,
            state=ClaimState.FILED if adapter.claim else ClaimState.UNDER_REVIEW,
            desk=Desk.CARRIER if adapter.claim else Desk.OPERATOR,
            reference="",
            reason="",
            filed_by=c.actor,
            filed_at=env.now,
            decided_at=0,
            version=1,
        )
    )
    _supplied(book, c, claim, env)
    if adapter.claim is not None:
        schedule(book, JobKind.CLAIM, claim.id, ic.channel, ic.account, env.now)
    book.put(Request(key, "File", mark, claim.id, env.now))
    return Filed(claim, False)


def _supplied(book: Book, c: FileClaim, claim: Claim, env: Env) -> None:
    """What the merchant says and shows: the proofs, and the damage as an incident of the parcel."""
    for number, proof in enumerate(c.proofs, 1):
        key = f"{claim.id}/{number}"
        book.put(replace(proof, id=key, claim=claim.id, supplied_at=env.now))
    if c.kind in (ClaimKind.DAMAGED, ClaimKind.SHORTAGE):
        key = f"{claim.parcel}/{c.kind}/merchant/{c.order_no}/{c.line_no}"
        if book.get(Incident, key) is None:
            book.put(Incident(key, claim.parcel, str(c.kind), "merchant", claim.id, env.now))


def _unfit(book: Book, c: FileClaim, ic: Interception, env: Env, terms: Terms) -> Refusal | None:
    """Refusals of a claim, in their order."""
    if c.currency != ic.currency:
        return Refusal(Why.CURRENCY_DIFFERS, field="loss")
    if not any(
        line.order_no == c.order_no and line.line_no == c.line_no
        for line in book.of(OrderLine, ic.parcel)
    ):
        return Refusal(Why.CLAIM_LINE_UNKNOWN, field="line_no")
    claims = book.of(Claim, ic.parcel)
    for other in claims:
        same = (other.interception, other.order_no, other.line_no, other.kind)
        if same == (ic.id, c.order_no, c.line_no, c.kind) and (
            other.state is not ClaimState.WITHDRAWN
        ):
            return Refusal(Why.CLAIM_EXISTS, subject=other.id)
    if len(claims) >= CLAIMS_MAX:
        return Refusal(Why.LIMIT_REACHED, detail=f"{CLAIMS_MAX} claims of a parcel")
    since = event_at(book, ic, c.kind)
    if since is None:
        return Refusal(Why.CLAIM_NO_EVENT, field="kind")
    closed = env.now > since + terms.contracts[ic.channel].claim_window_ms
    if closed or book.need(Parcel, ic.parcel).purged_at:
        return Refusal(Why.CLAIM_WINDOW_CLOSED)
    return None


def event_at(book: Book, ic: Interception, kind: ClaimKind) -> int | None:
    """When what the claim rests on happened; None where it did not."""
    if ic.decision not in PROMISED:
        return None
    parcel = book.need(Parcel, ic.parcel)
    here = journey(parcel, book.of(ScanRow, parcel.id))
    if kind is ClaimKind.RETURN_FAILED:
        liable = ic.movement is Movement.RETURN_FAILED and ic.failure != "SENDER_REFUSED"
        return (here.end_at or ic.decided_at) if liable else None
    if kind is ClaimKind.LOST:
        stale = book.get(Exceptional, f"{ExceptionKind.STALE}/{ic.id}")
        if stale is not None and stale.closed_at is None:
            return stale.opened_at
        return (here.end_at or ic.decided_at) if ic.movement is Movement.LOST else None
    if ic.movement is Movement.RETURNED:
        return here.end_at or ic.decided_at
    return here.damaged_at or None


def breakdown(book: Book, claim: Claim, granted: int) -> Breakdown:
    """The limits as they are now, all awards of the parcel counted."""
    ic = book.need(Interception, claim.interception)
    awards = [a for c in book.of(Claim, claim.parcel) for a in book.of(Award, c.id)]
    mine = sum(a.amount for a in awards if a.claim == claim.id)
    line = next(
        row
        for row in book.of(OrderLine, claim.parcel)
        if (row.order_no, row.line_no) == (claim.order_no, claim.line_no)
    )
    of_line = sum(
        a.amount for a in awards if (a.order_no, a.line_no) == (line.order_no, line.line_no)
    )
    return Breakdown(
        loss=claim.loss_minor - mine,
        value=line.value_minor - of_line,
        cap=ic.cap_minor - sum(a.amount for a in awards),
        granted=granted - mine,
    )


class DecideClaim(Record, frozen=True):
    """A person of the claims desk decides. `grant_minor` 0 rejects."""

    tenant: str
    request_id: str
    claim: str
    decision_key: str  # the decision's own name: told twice, it pays once
    grant_minor: int
    currency: str
    reason: str
    actor: str
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}", self.decision),
            claims=(self.claim,),
            of_parcel=FAMILY,
            of_interception=frozenset({Exceptional}),
            wallet=True,
        )

    @property
    def decision(self) -> str:
        """Its key among the requests; the spaces keep it apart from every caller's own."""
        return f"{self.tenant}/decision {self.claim} {self.decision_key}"


class Decided(Record, frozen=True):
    claim: Claim
    award: Award | None
    limits: Breakdown | None
    replayed: bool


def decide_claim(book: Book, command: DecideClaim, env: Env, terms: Terms) -> Decided | No:
    key = f"{command.tenant}/{command.request_id}"
    mark = fingerprint(command.claim, command.decision_key, command.grant_minor, command.currency)
    again = repeated(book.get(Request, key), "DecideClaim", mark)
    claim = book.get(Claim, command.claim)
    if isinstance(again, Replayed):
        return Decided(book.need(Claim, again.subject), None, None, True)
    if again is not None:
        return again
    if claim is None or claim.tenant != command.tenant:
        return Refusal(Why.CLAIM_UNKNOWN)
    decision = f"person:{claim.id}:{command.decision_key}"
    said = fingerprint(command.grant_minor, command.currency)
    before = repeated(book.get(Request, command.decision), "Decision", said)
    if isinstance(before, Replayed):  # two officers, one decision
        awards = [a for a in book.of(Award, claim.id) if a.decision_key == decision]
        return Decided(claim, awards[0] if awards else None, None, True)
    if before is not None:
        return Refusal(Why.DECISION_KEY_REUSED, field="decision_key")
    if claim.state not in LIVE:
        return Refusal(Why.CLAIM_NOT_OPEN)
    if command.currency and command.currency != claim.currency:
        return Refusal(Why.CURRENCY_DIFFERS, field="grant")
    # a person's decision is a part of its own: what was awarded before stands beside it
    granted = command.grant_minor + sum(award.amount for award in book.of(Award, claim.id))
    high = granted > terms.policy.four_eyes_above_minor
    if high and command.actor == claim.filed_by:
        return Refusal(Why.CLAIM_SAME_ACTOR)
    book.put(Request(key, "DecideClaim", mark, claim.id, env.now))
    book.put(Request(command.decision, "Decision", said, claim.id, env.now))
    if command.grant_minor == 0:
        return Decided(reject(book, claim, command.reason, env), None, None, False)
    result = grant(book, claim, granted, decision, command.actor, env, terms)
    return result if result is not None else Refusal(Why.CLAIM_CAP_REACHED)


def grant(
    book: Book, claim: Claim, granted: int, decision: str, actor: str, env: Env, terms: Terms
) -> Decided | None:
    """Award what the limits leave; void where the parcel was found. None: nothing is left."""
    ic = book.need(Interception, claim.interception)
    if claim.kind is ClaimKind.LOST and event_at(book, ic, claim.kind) is None:
        void = replace(claim, state=ClaimState.VOID, reason="FOUND", version=claim.version + 1)
        return Decided(book.put(void), None, None, False)
    limits = breakdown(book, claim, granted)
    if limits.amount <= 0:
        return None
    if claim.kind is ClaimKind.LOST and book.get(Incident, f"{claim.parcel}/lost/carrier") is None:
        key = f"{claim.parcel}/lost/{claim.id}"  # nothing heard of it for so long
        book.put(Incident(key, claim.parcel, "lost", "operator", claim.id, env.now))
    payout = terms.contracts[claim.channel].payout
    award = book.put(
        Award(
            id=env.new_id(),
            claim=claim.id,
            parcel=claim.parcel,
            order_no=claim.order_no,
            line_no=claim.line_no,
            amount=limits.amount,
            currency=claim.currency,
            channel=payout,
            decision_key=decision,
            actor=actor,
            at=env.now,
        )
    )
    entered(book, claim, award, TransferKind.AWARD, f"award:{award.id}", decision, actor, env)
    if payout is Payout.WALLET:
        dedup = f"payout:{award.id}:wallet"
        entered(book, claim, award, TransferKind.PAYOUT, dedup, decision, actor, env)
    # more may come while the loss is larger and neither value nor cap has run out
    rest = min(limits.loss, limits.value, limits.cap) - limits.amount
    claim = book.put(
        replace(
            claim,
            state=ClaimState.PARTLY_AWARDED if rest > 0 else ClaimState.AWARDED,
            granted_minor=granted,
            decided_at=env.now,
            version=claim.version + 1,
        )
    )
    return Decided(claim, award, limits, False)


def entered(
    book: Book,
    claim: Claim,
    award: Award,
    kind: TransferKind,
    dedup: str,
    cause: str,
    actor: str,
    env: Env,
) -> None:
    """Move an award's money, once per `dedup`."""
    move = Move(
        kind=kind,
        amount=award.amount,
        currency=award.currency,
        merchant=claim.merchant,
        channel=claim.channel,
        interception=claim.interception,
        award=award.id,
        dedup=dedup,
        actor=actor,
        cause=cause,
    )
    post(book, move, env.new_id(), env.now)


def reject(book: Book, claim: Claim, reason: str, env: Env) -> Claim:
    """Nothing, or nothing more: what was awarded before stands."""
    return book.put(
        replace(
            claim,
            state=ClaimState.AWARDED if book.of(Award, claim.id) else ClaimState.REJECTED,
            reason=reason[:200],
            decided_at=env.now,
            version=claim.version + 1,
        )
    )


def found(book: Book, ic: Interception, env: Env) -> bool:
    """A lost parcel turned up: open claims for its loss are void. Whether one was paid."""
    paid = False
    for claim in book.of(Claim, ic.parcel):
        if claim.interception != ic.id or claim.kind is not ClaimKind.LOST:
            continue
        paid = paid or bool(book.of(Award, claim.id))
        if claim.state in LIVE:
            book.put(
                replace(claim, state=ClaimState.VOID, reason="FOUND", version=claim.version + 1)
            )
    return paid
