"""What the model speaks of: a carrier's abilities, a protocol, a world, and one state of it all.

One interception, two workers, one carrier. Time is not a number here: a lease may run out at any
step, a worker may stop between any two steps for as long as it likes, a deadline passes when it
passes. What the gateway writes is atomic, because it is one transaction; nothing else is.
"""

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import NamedTuple

from gateway.domain.carrier import Dedup, Promise, Verdict
from gateway.domain.interception import Cancel, Decision, Money, Outcome


class Query(StrEnum):
    """What a carrier's answer to a query can be believed for."""

    NONE = auto()  # there is no query
    WAYBILL = auto()  # it speaks of the parcel: ours only once our request is known to be there
    OURS = auto()  # it bears our reference


@dataclass(frozen=True, slots=True)
class Carrier:
    """What the carrier can do."""

    dedup: Dedup = Dedup.NONE
    query: Query = Query.NONE
    track: bool = False
    cancel: bool = False
    tombstone: bool = False  # a cancel makes a request that comes later a dead letter
    promise: Promise = Promise.REPLY
    says_duplicate: bool = True  # to a repeat; else it gives the first answer again


class Resend(StrEnum):
    """When the same request is sent again to learn the fate of the first."""

    NEVER = auto()
    ALLOWED = auto()  # where the carrier recognises repeats as the protocol wants it
    ALWAYS = auto()


@dataclass(frozen=True, slots=True)
class Protocol:
    """How we behave. The defaults are the safe ones; each other value is a way to lose money."""

    resend: Resend = Resend.ALLOWED
    resend_by: frozenset[Dedup] = frozenset({Dedup.REFERENCE})
    too_late_accepts: bool = False  # a cancel answered "too late" is an acceptance
    lease_checked: bool = True  # right before the socket opens
    fenced: bool = True  # a write of the row of a job or attempt needs its own generation
    written_ahead: bool = True  # the attempt is committed before the socket opens
    bound_at_ask: bool = True  # "none" counts when it was asked after the bound, not when it came
    refund_on_time_out: bool = False
    refund_when_absent: bool = False  # "the query says not found" before the bound
    refund_when_cancel_absent: bool = False  # "the cancel says no such order"
    refund_when_overdue: bool = False  # a timer taken for evidence
    duplicate_refuses: bool = False  # our own repeat read as somebody else's interception
    unsent_repeat_believed: bool = False  # a repeat that did not leave says nothing of the first


@dataclass(frozen=True, slots=True)
class World:
    """What we rely on, and how far we look. The first two are promises of the carrier."""

    bound_holds: bool = True  # after the in-flight bound no request can arrive, nor leave a worker
    refusals_stand: bool = True  # what was refused once is not accepted later
    merchant_withdraws: bool = False
    posts_max: int = 2
    crashes_max: int = 1
    readings_max: int = 1  # at one time


class Request(StrEnum):
    """Where a request of ours is."""

    HERE = auto()  # it has not left
    UNDER_WAY = auto()  # on the wire, or in a queue of the carrier's
    TAKEN = auto()  # received, and not decided
    ENDED = auto()  # lost, answered, or cancelled


class Known(StrEnum):
    """What the carrier knows of our interception."""

    NOTHING = auto()
    RECEIVED = auto()
    ACCEPTED = auto()
    FIRM = auto()  # accepted, and told us that it is too late to withdraw
    REFUSED = auto()
    CANCELLED = auto()


class Fate(StrEnum):
    """What becomes of the parcel."""

    OPEN = auto()
    DELIVERED = auto()
    RETURNING = auto()  # because of our interception
    TURNED_OTHERWISE = auto()  # for another cause, which the carrier states


class Phase(StrEnum):
    """Where a worker is; it may stop at each for as long as it likes."""

    IDLE = auto()
    LEASED = auto()  # the attempt is written, the lease not yet looked at
    CHECKED = auto()  # the lease was good; the socket is not open
    WAITING = auto()  # the request has left
    ANSWERED = auto()  # it holds what came of it, not committed
    LOOKED = auto()  # it holds what query and tracking said
    CANCELLING = auto()
    CANCELLED = auto()  # it holds the answer to a cancel


class Post(NamedTuple):
    """One attempt: our row, the request, and a reply on its way to the worker that waits."""

    row: Outcome | None
    request: Request
    reply: Verdict | None


class Look(NamedTuple):
    """What one reading brought, and what was so when it was asked."""

    asked: Known | None
    fate: Fate
    after_bound: bool
    posts: int
    answered: int


class Worker(NamedTuple):
    phase: Phase
    post: int
    told: Verdict | Look | None


class State(NamedTuple):
    """Our rows, the two workers, the network, the carrier, the parcel, and what time it is."""

    decision: Decision
    money: Money
    cancel: Cancel
    moved: bool  # an accepted one: how the parcel went has been written
    sent: bool  # a request of ours may have left
    leased: bool  # the job that sends
    posts: tuple[Post, ...]
    workers: tuple[Worker, Worker]
    known: Known
    effects: int  # interceptions that the carrier began
    tombstone: bool
    fate: Fate
    deadline: bool  # the send deadline has passed
    bound: bool  # the in-flight bound has passed since the last attempt began
    crashes: int


class Step(NamedTuple):
    """One thing that happens, for the successor function and for whoever reads a trace."""

    name: str
    worker: int = -1
    post: int = -1
    choice: str = ""


class IllegalStep(Exception):
    """The protocol did what its own tables do not have."""


IDLE = Worker(Phase.IDLE, -1, None)
START = State(
    decision=Decision.QUEUED,
    money=Money.HELD,
    cancel=Cancel.NONE,
    moved=False,
    sent=False,
    leased=False,
    posts=(),
    workers=(IDLE, IDLE),
    known=Known.NOTHING,
    effects=0,
    tombstone=False,
    fate=Fate.OPEN,
    deadline=False,
    bound=False,
    crashes=0,
)
