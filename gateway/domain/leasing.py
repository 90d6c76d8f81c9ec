"""Leased work: a job, its fencing generation, and the attempt written before the call."""

from gateway.domain.book import Book
from gateway.domain.carrier import Case, Order
from gateway.domain.command import Env
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Interception,
    Job,
    JobKind,
    JobState,
    by_order,
)
from gateway.domain.lifecycle import NEVER, at_rest, order_for
from gateway.domain.record import Record, replace


class Work(Record, frozen=True):
    """A call to a carrier that has been leased, with the attempt written before it."""

    job: str
    gen: int
    kind: JobKind
    channel: str
    account: str
    subject: str
    lease_until: int
    attempt: str = ""
    order: Order | None = None
    verb: str = ""  # the operation of the carrier that a send is
    case: Case | None = None
    waybills: tuple[str, ...] = ()  # to be tracked: the parcel's own and its return's
    ask: bool = False  # whether a query can still tell something


def lease_post(book: Book, ic: Interception, job: Job, env: Env, terms: Terms) -> Work:
    """Write the attempt, then let it be sent: never the other way round."""
    job = lease(book, job, env, terms)
    attempt = book.put(attempted(ic, AttemptKind.POST, job, env))
    order = order_for(book, ic, terms)
    return work_of(job, attempt.id, order, "cancel_order" if by_order(ic) else "intercept")


def attempted(ic: Interception, kind: AttemptKind, job: Job, env: Env) -> Attempt:
    return Attempt(
        env.new_id(),
        ic.id,
        kind,
        job.gen,
        env.now,
        env.machine_ms,
        ended_at=None,
        ended_ms=None,
        outcome=None,
    )


def lease(book: Book, job: Job, env: Env, terms: Terms) -> Job:
    return book.put(
        replace(
            job,
            state=JobState.LEASED,
            gen=job.gen + 1,
            owner=env.owner,
            lease_until=env.machine_ms + terms.lease_ms,
            due_at=NEVER,
            attempts=job.attempts + 1,
        )
    )


def work_of(job: Job, attempt: str = "", order: Order | None = None, verb: str = "") -> Work:
    return Work(
        job.id,
        job.gen,
        job.kind,
        job.channel,
        job.account,
        job.subject,
        job.lease_until,
        attempt,
        order,
        verb,
    )


def finished(book: Book, job: Job) -> None:
    book.put(at_rest(job))
