"""Due jobs: which work is taken up now, and what a holder that has gone leaves behind."""

from collections.abc import Callable, Mapping

from gateway.domain import desk
from gateway.domain.book import Book
from gateway.domain.carrier import Dedup
from gateway.domain.claim import Claim
from gateway.domain.command import Due, Env, Wants
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    AT_CARRIER,
    PROMISED,
    Attempt,
    AttemptKind,
    Cancel,
    Decision,
    Event,
    ExceptionKind,
    IllegalTransition,
    Interception,
    Job,
    JobKind,
    JobState,
    Movement,
    Outcome,
)
from gateway.domain.leasing import Work, attempted, finished, lease, lease_post, work_of
from gateway.domain.lifecycle import (
    CRASHES_MAX,
    SEND_DELAYS_MS,
    at_rest,
    delay,
    follow,
    move,
    open_exception,
    order_for,
    schedule,
    withdraw,
)
from gateway.domain.parcel import (
    Alias,
    OrderLine,
    Person,
)
from gateway.domain.record import Record, replace
from gateway.domain.reply import CHILDREN, MAYBE_SENT, repeats


class Fumble(Record, frozen=True):
    """Our own code failed on a job. After some attempts a person looks; others go on."""

    job: str
    gen: int
    detail: str  # the class of the error, never its text
    evidence: bool = True

    def wants(self) -> Wants:
        subject = self.job.split("/", 1)[1]
        return Wants(
            interceptions=(subject,),
            claims=(subject,),
            of_parcel=frozenset({Claim}),
            of_interception=CHILDREN,
        )


def fumble(book: Book, command: Fumble, env: Env, terms: Terms) -> Job | None:
    job = book.get(Job, command.job)
    if job is None or job.gen != command.gen or job.state is not JobState.LEASED:
        return None
    if job.crashes + 1 < CRASHES_MAX:  # the lease runs out, and counts this as a crash
        wait = delay(SEND_DELAYS_MS, job.crashes)
        return book.put(replace(job, lease_until=env.machine_ms + wait))
    return give_up(book, recover(book, job, env, terms), env, command.detail)


class LeaseDue(Record, frozen=True):
    """Take the jobs whose time has come, and those whose holder has gone."""

    kinds: tuple[str, ...]
    limit: int
    room: Mapping[str, int]  # by lane; a lane that is not named has room for all
    evidence: bool = True

    def wants(self) -> Wants:
        busy = tuple(lane for lane, room in self.room.items() if room <= 0)
        return Wants(
            due=Due(self.limit, self.kinds, busy),
            of_parcel=frozenset({Person, OrderLine, Alias, Interception}),
            of_interception=CHILDREN,
            wallet=True,
        )


SENDS = frozenset({JobKind.SUBMIT, JobKind.WITHDRAW})
EFFECTS = SENDS | {JobKind.CLAIM}  # what changes something at a carrier; the others only ask


def lane(kind: JobKind, channel: str, account: str) -> str:
    """Which share of a carrier account a job takes: sends and reads have one each."""
    return f"{'send' if kind in SENDS else 'read'} {channel}/{account}"


def lease_due(book: Book, command: LeaseDue, env: Env, terms: Terms) -> list[Work]:
    """A job that breaks the decision is taken back alone, and counted: the others go on."""
    works = []
    room = dict(command.room)
    for job in book.all(Job):
        gone = job.state is JobState.LEASED and job.lease_until <= env.machine_ms
        ready = job.state is JobState.WAIT and job.due_at <= env.now
        if job.kind not in command.kinds or not (gone or ready):
            continue
        mark, where = book.mark(), lane(job.kind, job.channel, job.account)
        try:
            work = _leased(book, job, env, terms, room.get(where, 1) > 0, gone=gone)
        except (IllegalTransition, LookupError, ValueError) as error:
            book.undo(mark)
            _broken(book, job, env, type(error).__name__)
            continue
        if work is not None:
            works.append(work)
            if where in room:
                room[where] -= 1
    return works


def _leased(book: Book, job: Job, env: Env, terms: Terms, room: bool, *, gone: bool) -> Work | None:
    if gone:
        job = recover(book, job, env, terms)
    if job.state is not JobState.WAIT or (env.safe and job.kind in EFFECTS):
        return None
    if job.crashes >= CRASHES_MAX and gone:
        give_up(book, job, env, "lease")
        return None
    if not room:
        _expired(book, job, env, terms)
        return None
    return LEASES[job.kind](book, job, env, terms)


def _expired(book: Book, job: Job, env: Env, terms: Terms) -> bool:
    """What was never sent and is past its deadline ends, though there were no room to send it."""
    ic = book.get(Interception, job.subject)
    if (
        job.kind is not JobKind.SUBMIT
        or ic is None
        or ic.decision is not Decision.QUEUED
        or env.now < ic.send_deadline
    ):
        return False
    move(book, ic, Event.EXPIRE, env, terms, cause="SEND_DEADLINE")
    finished(book, job)
    return True


def _broken(book: Book, job: Job, env: Env, detail: str) -> None:
    if job.crashes + 1 >= CRASHES_MAX:
        give_up(book, job, env, detail)
        return
    due = env.now + delay(SEND_DELAYS_MS, job.crashes + 3)
    free = at_rest(job, JobState.WAIT, due, job.attempts)
    book.put(replace(free, crashes=job.crashes + 1))


def recover(book: Book, job: Job, env: Env, terms: Terms) -> Job:
    """The holder has gone: an attempt it left open may have been sent."""
    for attempt in book.of(Attempt, job.subject):
        if attempt.ended_at is None and attempt.kind == ATTEMPT_OF.get(job.kind):
            book.put(
                replace(attempt, ended_at=env.now, ended_ms=env.machine_ms, outcome=Outcome.LOST)
            )
    crashes = job.crashes + 1
    waiting = replace(job, state=JobState.WAIT, owner="", lease_until=0, due_at=env.now)
    job = book.put(replace(waiting, crashes=crashes))
    if job.kind is JobKind.CLAIM:
        return desk.unheard(book, job, env, terms)
    ic = book.get(Interception, job.subject)
    if ic is None:
        return job
    if job.kind is JobKind.SUBMIT and ic.decision is Decision.SENDING:
        ic = move(book, ic, Event.LOSE, env, terms, cause="LEASE_ENDED")
        follow(book, ic, env.now)
        if ic.cancel is Cancel.ASKED:
            schedule(book, JobKind.WITHDRAW, ic.id, ic.channel, ic.account, env.now)
    return job


ATTEMPT_OF = {JobKind.SUBMIT: AttemptKind.POST, JobKind.WITHDRAW: AttemptKind.CANCEL}


def _submit(book: Book, job: Job, env: Env, terms: Terms) -> Work | None:
    ic = book.need(Interception, job.subject)
    if _expired(book, job, env, terms):
        return None
    if ic.decision is Decision.QUEUED:
        ic = move(book, ic, Event.SEND, env, terms)
        ic = book.put(replace(ic, sent_at=ic.sent_at or env.now))
        return lease_post(book, ic, job, env, terms)
    if ic.decision is Decision.UNKNOWN and repeats(book, ic, env, terms):
        return lease_post(book, ic, job, env, terms)
    finished(book, job)
    return None


def _follow(book: Book, job: Job, env: Env, terms: Terms) -> Work | None:
    ic = book.need(Interception, job.subject)
    order = order_for(book, ic, terms)
    numbers = [alias.waybill for alias in book.of(Alias, ic.parcel)]
    undecided = ic.decision in AT_CARRIER
    return replace(
        work_of(lease(book, job, env, terms), order=order),
        waybills=(ic.waybill, *numbers),
        ask=undecided or (ic.decision in PROMISED and ic.movement is Movement.NONE),
    )


def _withdraw(book: Book, job: Job, env: Env, terms: Terms) -> Work | None:
    ic = book.need(Interception, job.subject)
    adapter = terms.adapters[ic.channel]
    if ic.cancel is not Cancel.ASKED and ic.cancel is not Cancel.SENT:
        finished(book, job)
        return None
    if ic.cancel is Cancel.SENT and (adapter.cancel is None or not adapter.cancel.repeatable):
        finished(book, job)
        return None
    if adapter.cancel is None or (adapter.cancel_needs_reference and not ic.reference):
        if ic.cancel is Cancel.ASKED:
            withdraw(book, ic, Cancel.DENIED, env, cause="CANCEL_NOT_OFFERED")
        finished(book, job)
        return None
    wait_ms = _under_way_ms(book, ic, env, terms)
    if wait_ms > 0:
        book.put(at_rest(job, JobState.WAIT, env.now + wait_ms, job.attempts))
        return None
    if ic.cancel is Cancel.ASKED:
        ic = withdraw(book, ic, Cancel.SENT, env)
    job = lease(book, job, env, terms)
    attempt = book.put(attempted(ic, AttemptKind.CANCEL, job, env))
    return work_of(job, attempt.id, order_for(book, ic, terms), "cancel")


def _under_way_ms(book: Book, ic: Interception, env: Env, terms: Terms) -> int:
    """How long a repeat may still be on its way to a carrier that knows requests by their waybill
    only: arriving after the cancel, it would be an interception of its own."""
    if terms.adapters[ic.channel].dedup.value is not Dedup.WAYBILL:
        return 0
    posts = [a for a in book.of(Attempt, ic.id) if a.kind is AttemptKind.POST]
    maybe = [a for a in posts if a.outcome in MAYBE_SENT]
    if len(maybe) < 2:
        return 0
    lost = (a.started_ms for a in maybe if a.outcome is not Outcome.ANSWERED)
    return max(lost, default=0) + terms.in_flight_bound_ms(ic.channel) - env.machine_ms


def give_up(book: Book, job: Job, env: Env, detail: str) -> Job:
    subject = book.get(Interception, job.subject) or book.get(Claim, job.subject)
    tenant = subject.tenant if subject is not None else ""
    open_exception(book, ExceptionKind.GIVEN_UP, job.subject, tenant, env, f"{job.kind} {detail}")
    return book.put(replace(job, state=JobState.DEAD, owner="", lease_until=0))


LEASES: dict[JobKind, Callable[[Book, Job, Env, Terms], Work | None]] = {
    JobKind.SUBMIT: _submit,
    JobKind.FOLLOW: _follow,
    JobKind.WITHDRAW: _withdraw,
    JobKind.CLAIM: desk.lease_filing,
    JobKind.CLAIM_FOLLOW: desk.lease_asking,
}
