"""An interception: four orthogonal columns, and the tables that say how each may move.

What is not in a table does not exist. The schema's `edge` table, the README's diagram and the
audit's rule C9 are made from these tables.
"""

from collections.abc import Iterator
from enum import StrEnum, auto
from typing import ClassVar

from gateway.domain.carrier import Path, Verdict
from gateway.domain.named import Named
from gateway.domain.record import Record


class IllegalTransition(Exception):
    """A transition that no table has: our bug, or evidence that contradicts what was decided."""


class Decision(Named):
    QUEUED = auto()
    SENDING = auto()
    PROCESSING = auto()  # the carrier has it
    UNKNOWN = auto()  # the carrier may have it
    ACCEPTED = auto()
    REFUSED = auto()
    CANCELLED = auto()
    NEVER_SENT = auto()
    LATE_ACCEPTED = auto()


class Movement(Named):
    NONE = auto()
    RETURNING = auto()
    RETURNED = auto()
    LOST = auto()
    RETURN_FAILED = auto()
    NOT_SHIPPED = auto()


class Money(Named):
    NONE = auto()  # the fee is zero
    HELD = auto()
    CAPTURED = auto()
    RELEASED = auto()
    REFUNDED = auto()


class Cancel(Named):
    NONE = auto()
    ASKED = auto()
    SENT = auto()
    DENIED = auto()
    DONE = auto()


class State(Named):
    """One word for people, derived from the columns."""

    DECIDING = auto()
    ACCEPTED = auto()
    RETURNING = auto()
    RETURNED = auto()
    LOST = auto()
    FAILED = auto()
    CANCELLED = auto()
    LATE = auto()


class Column(StrEnum):
    DECISION = auto()
    MOVEMENT = auto()
    MONEY = auto()
    CANCEL = auto()


class Event(StrEnum):
    """What happens to a decision."""

    SEND = auto()
    NOT_SENT = auto()  # no byte left, or the carrier says it did nothing
    RECEIPT = auto()
    LOSE = auto()  # sent, and no answer that can be read
    ACCEPT = auto()
    REFUSE = auto()
    ABSENT = auto()  # a query after the in-flight bound: the carrier has nothing
    EXPIRE = auto()  # past the send deadline with nothing sent
    WITHDRAW = auto()
    CANCEL_ACK = auto()
    LATE = auto()  # acceptance after the fee went back


class Effect(StrEnum):
    CAPTURE = auto()
    RELEASE = auto()
    REFUND = auto()  # or keep: the contract's `fee_on_cancel` decides


D, E, F = Decision, Event, Effect

DECISIONS: dict[tuple[Decision, Event], tuple[Decision, tuple[Effect, ...]]] = {
    (D.QUEUED, E.SEND): (D.SENDING, ()),
    (D.QUEUED, E.RECEIPT): (D.PROCESSING, ()),  # a reply of an attempt given up for lost
    (D.QUEUED, E.ACCEPT): (D.ACCEPTED, (F.CAPTURE,)),  # the same
    (D.QUEUED, E.REFUSE): (D.REFUSED, (F.RELEASE,)),  # delivered, or turned round, before it left
    (D.QUEUED, E.EXPIRE): (D.NEVER_SENT, (F.RELEASE,)),
    (D.QUEUED, E.WITHDRAW): (D.CANCELLED, (F.RELEASE,)),
    (D.SENDING, E.NOT_SENT): (D.QUEUED, ()),
    (D.SENDING, E.RECEIPT): (D.PROCESSING, ()),
    (D.SENDING, E.LOSE): (D.UNKNOWN, ()),
    (D.SENDING, E.ACCEPT): (D.ACCEPTED, (F.CAPTURE,)),
    (D.SENDING, E.REFUSE): (D.REFUSED, (F.RELEASE,)),
    (D.PROCESSING, E.ACCEPT): (D.ACCEPTED, (F.CAPTURE,)),
    (D.PROCESSING, E.REFUSE): (D.REFUSED, (F.RELEASE,)),
    (D.PROCESSING, E.CANCEL_ACK): (D.CANCELLED, (F.RELEASE,)),
    (D.UNKNOWN, E.RECEIPT): (D.PROCESSING, ()),
    (D.UNKNOWN, E.ACCEPT): (D.ACCEPTED, (F.CAPTURE,)),
    (D.UNKNOWN, E.REFUSE): (D.REFUSED, (F.RELEASE,)),
    (D.UNKNOWN, E.CANCEL_ACK): (D.CANCELLED, (F.RELEASE,)),
    (D.UNKNOWN, E.ABSENT): (D.QUEUED, ()),
    (D.UNKNOWN, E.EXPIRE): (D.NEVER_SENT, (F.RELEASE,)),  # absent, and past the send deadline
    (D.ACCEPTED, E.CANCEL_ACK): (D.CANCELLED, (F.REFUND,)),
    (D.REFUSED, E.LATE): (D.LATE_ACCEPTED, ()),
    (D.NEVER_SENT, E.LATE): (D.LATE_ACCEPTED, ()),
}

M = Movement
MOVEMENTS: dict[Movement, frozenset[Movement]] = {
    M.NONE: frozenset({M.RETURNING, M.RETURNED, M.LOST, M.RETURN_FAILED, M.NOT_SHIPPED}),
    M.RETURNING: frozenset({M.RETURNED, M.LOST, M.RETURN_FAILED}),
    M.LOST: frozenset({M.NONE, M.RETURNING, M.RETURNED, M.RETURN_FAILED}),  # found
    M.RETURNED: frozenset(),
    M.RETURN_FAILED: frozenset(),
    M.NOT_SHIPPED: frozenset(),
}

MONEY: dict[Money, frozenset[Money]] = {
    Money.NONE: frozenset(),
    Money.HELD: frozenset({Money.CAPTURED, Money.RELEASED}),
    Money.CAPTURED: frozenset({Money.REFUNDED}),
    Money.RELEASED: frozenset(),
    Money.REFUNDED: frozenset(),
}

CANCELS: dict[Cancel, frozenset[Cancel]] = {
    Cancel.NONE: frozenset({Cancel.ASKED}),
    Cancel.ASKED: frozenset({Cancel.SENT, Cancel.DENIED, Cancel.DONE}),
    Cancel.SENT: frozenset({Cancel.ASKED, Cancel.DENIED, Cancel.DONE}),
    Cancel.DENIED: frozenset(),
    Cancel.DONE: frozenset(),
}

SETTLED = {F.CAPTURE: Money.CAPTURED, F.RELEASE: Money.RELEASED, F.REFUND: Money.REFUNDED}
UNDECIDED = frozenset({D.QUEUED, D.SENDING, D.PROCESSING, D.UNKNOWN})
AT_CARRIER = frozenset({D.PROCESSING, D.UNKNOWN})  # left only with evidence
PROMISED = frozenset({D.ACCEPTED, D.LATE_ACCEPTED})
OPEN_MOVEMENTS = frozenset({M.NONE, M.RETURNING, M.LOST})
MOVING = frozenset({M.NONE, M.RETURNING})
INITIAL = {
    Column.DECISION: frozenset({D.QUEUED, D.SENDING}),
    Column.MONEY: frozenset({Money.NONE, Money.HELD}),
    Column.MOVEMENT: frozenset({M.NONE}),
    Column.CANCEL: frozenset({Cancel.NONE}),
}


def step(decision: Decision, event: Event) -> tuple[Decision, tuple[Effect, ...]]:
    try:
        return DECISIONS[decision, event]
    except KeyError:
        raise IllegalTransition(f"{event} in {decision}") from None


def edges() -> Iterator[tuple[Column, str, str]]:
    """Every edge of every column, for the schema and the diagram; '' is before the beginning."""
    for column in (Column.DECISION, Column.MONEY):
        for value in sorted(INITIAL[column]):
            yield column, "", value
    pairs = {(source, target) for (source, _), (target, _) in DECISIONS.items()}
    yield from ((Column.DECISION, source, target) for source, target in sorted(pairs))
    yield from ((Column.MOVEMENT, a, b) for a in MOVEMENTS for b in sorted(MOVEMENTS[a]))
    yield from ((Column.MONEY, c, d) for c in MONEY for d in sorted(MONEY[c]))
    yield from ((Column.CANCEL, e, f) for e in CANCELS for f in sorted(CANCELS[e]))


class Interception(Record, frozen=True):
    PARENT: ClassVar[str] = "parcel"
    id: str
    tenant: str
    merchant: str
    parcel: str
    quote: str
    channel: str
    account: str
    waybill: str
    fee_minor: int
    cap_minor: int
    currency: str
    agreement: str  # the payment agreement that authorised the hold
    cancel_ticket: str
    decision: Decision
    movement: Movement
    failure: str  # why RETURN_FAILED: DELIVERED, CARRIER or SENDER_REFUSED
    money: Money
    cancel: Cancel
    path: str  # Path of the acceptance, or ""
    reason: str  # why REFUSED, NEVER_SENT or CANCELLED
    carrier_code: str
    reference: str  # what the carrier calls it
    assumed: bool  # decided on an answer the carrier's documents do not list
    version: int  # number of its last event
    created_at: int
    sent_at: int  # start of the first attempt that may have left; 0 never
    decided_at: int  # 0 while undecided
    promised_at: int  # when ACCEPTED; 0 never
    send_deadline: int
    evidence_by: int
    request_id: str  # the caller's, of its Create
    network: str  # its parcel's
    quoted_status: str  # the parcel's, as its quote saw it
    updated_at: int  # time of its last event

    @property
    def open(self) -> bool:
        """Whether it keeps the parcel from being intercepted again."""
        live = self.decision in UNDECIDED or self.decision is D.ACCEPTED
        return live and self.movement in OPEN_MOVEMENTS

    @property
    def state(self) -> State:
        return derived(self.decision, self.movement)


def derived(decision: Decision, movement: Movement) -> State:
    if decision in UNDECIDED:
        return State.DECIDING
    if decision in (D.REFUSED, D.NEVER_SENT):
        return State.FAILED
    if decision is D.CANCELLED:
        return State.CANCELLED
    if movement is M.NONE:
        return State.ACCEPTED if decision is D.ACCEPTED else State.LATE
    return {
        M.RETURNING: State.RETURNING,
        M.RETURNED: State.RETURNED,
        M.LOST: State.LOST,
        M.RETURN_FAILED: State.FAILED,
        M.NOT_SHIPPED: State.RETURNED,
    }[movement]


class EventRow(Record, frozen=True):
    """One step of one column; the interception is the fold of its events."""

    PARENT: ClassVar[str] = "interception"
    id: str  # interception/seq
    interception: str
    tenant: str
    seq: int
    col: Column
    source: str
    target: str
    cause: str
    evidence: str | None
    actor: str
    at: int


class EvidenceKind(StrEnum):
    REPLY = auto()  # of the carrier to our request
    QUERY = auto()
    TRACKING = auto()
    PUSH = auto()
    CANCEL = auto()
    PERSON = auto()
    STATEMENT = auto()
    CLAIM_ANSWER = auto()


class Evidence(Record, frozen=True):
    PARENT: ClassVar[str] = "interception"
    id: str
    interception: str
    kind: EvidenceKind
    tier: int
    attempt: str | None
    inbox: str | None
    verdict: Verdict
    reason: str
    code: str
    reference: str
    assumed: bool
    at: int


class AttemptKind(StrEnum):
    POST = auto()
    CANCEL = auto()


class Outcome(StrEnum):
    NOT_SENT = auto()  # no byte left
    BUSY = auto()  # the carrier says it did nothing
    ANSWERED = auto()
    LOST = auto()  # may have executed
    ABSENT = auto()  # lost, and a query after the bound shows nothing


class Attempt(Record, frozen=True):
    """Write-ahead: committed before the socket opens."""

    PARENT: ClassVar[str] = "interception"
    id: str
    interception: str
    kind: AttemptKind
    gen: int
    started_at: int
    started_ms: int  # the same in machine time: the in-flight bound counts from it
    ended_at: int | None
    ended_ms: int | None  # machine time
    outcome: Outcome | None


class JobKind(StrEnum):
    SUBMIT = auto()  # send the interception
    FOLLOW = auto()  # ask how it stands: query and track
    WITHDRAW = auto()  # send the cancel
    CLAIM = auto()  # file the claim with the carrier
    CLAIM_FOLLOW = auto()  # ask for the carrier's decision


class JobState(StrEnum):
    WAIT = auto()
    LEASED = auto()
    DONE = auto()
    DEAD = auto()  # given up, with an exception


class Job(Record, frozen=True):
    PARENT: ClassVar[str] = "subject"
    id: str  # kind/subject
    subject: str  # interception or claim
    kind: JobKind
    channel: str
    account: str
    state: JobState
    gen: int
    owner: str  # which process holds the lease
    lease_until: int  # machine time
    due_at: int  # business time
    attempts: int  # without an end in between; the delay is a function of it
    crashes: int  # leases that ran out, or broke our own code


class Quote(Record, frozen=True):
    PARENT: ClassVar[str] = "parcel"
    id: str
    tenant: str
    merchant: str
    parcel: str
    channel: str
    status: str
    fee_minor: int
    cap_minor: int
    currency: str
    created_at: int
    expires_at: int
    used_by: str | None
    account: str


class Request(Record, frozen=True):
    """An idempotency key that has been used: same id and fingerprint, same subject."""

    PARENT: ClassVar[str] = ""
    id: str  # tenant/request_id
    method: str
    fingerprint: str
    subject: str
    at: int


class ExceptionKind(Named):
    """What a person has to look at."""

    NO_EVIDENCE = auto()  # past evidence_by and still unknown; or ended, and long not read
    LATE_ACCEPTANCE = auto()
    PROMISE_BROKEN = auto()  # accepted, and delivered all the same
    CONTRADICTION = auto()
    STALE = auto()  # no scan for 15 days
    RECOVERY = auto()  # found after its loss was paid
    QUARANTINED = auto()  # a push that could not be read
    WRONG_WAYBILL = auto()  # an answer about another parcel
    ACCOUNT_REJECTED = auto()  # the carrier does not take our credentials
    GIVEN_UP = auto()  # a job used up its attempts
    # differences on a statement
    FEE_UNKNOWN_WAYBILL = auto()
    FEE_NOT_BILLED = auto()
    FEE_DIFFERS = auto()
    FEE_BILLED_TWICE = auto()
    WRONG_CURRENCY = auto()
    FOREIGN_REFERENCE = auto()
    FEE_BILLED_THOUGH_REFUSED = auto()
    REFUND_NOT_CREDITED = auto()
    LATE_ACCEPTANCE_BILLED = auto()
    AWARD_UNDERPAID = auto()
    AWARD_UNPAID = auto()
    PAYMENT_WITHOUT_AWARD = auto()


class Exceptional(Record, frozen=True):
    """An exception: opened by the system, closed by a person or by the facts."""

    PARENT: ClassVar[str] = "subject"
    id: str
    subject: str  # interception, parcel, claim, inbox row or line of a statement
    tenant: str
    kind: ExceptionKind
    detail: str
    opened_at: int
    closed_at: int | None
    closed_by: str
    resolution: str


class InboxStatus(StrEnum):
    NEW = auto()
    APPLIED = auto()
    UNMATCHED = auto()  # of a parcel that nobody registered
    QUARANTINED = auto()


class Inbox(Record, frozen=True):
    """A push as it came, committed before it is acknowledged."""

    PARENT: ClassVar[str] = ""
    id: str  # channel/account/event key
    channel: str
    account: str
    tier: int
    verified: bool
    body: bytes
    content_type: str
    sha256: str
    received_at: int
    applied_at: int | None
    status: InboxStatus


def by_order(interception: Interception) -> bool:
    """Whether the carrier was asked to cancel an order that it had not picked up. Once it has
    promised, `path` says how the parcel was stopped; before that, how it is to be."""
    return interception.path == Path.CANCELLED_BEFORE_PICKUP
