"""Readings of an interception: what scans and query answers prove.

They are facts in a set. What they prove is a pure function of that set, applied only when the
reading is complete, so that order, repetition and delay cannot change how an interception ends.
"""

from collections.abc import Iterable

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Cause, Path, Reason, Status, Tier, Verdict
from gateway.domain.claim import Claim, found
from gateway.domain.command import Env, No, Wants
from gateway.domain.fees import DAY_MS, Terms, UnlistedNo
from gateway.domain.interception import (
    AT_CARRIER,
    MOVEMENTS,
    PROMISED,
    UNDECIDED,
    Attempt,
    AttemptKind,
    Cancel,
    Decision,
    Effect,
    Event,
    EvidenceKind,
    ExceptionKind,
    Interception,
    Job,
    JobKind,
    JobState,
    Money,
    Movement,
    Outcome,
    by_order,
)
from gateway.domain.lifecycle import (
    ASK_DELAYS_MS,
    FOLLOW_DELAY_MS,
    LOST_DELAY_MS,
    NEVER,
    at_rest,
    close_exception,
    delay,
    follow,
    move,
    note,
    open_exception,
    schedule,
    settle,
    shift,
    withdraw,
)
from gateway.domain.parcel import (
    Alias,
    End,
    Incident,
    Journey,
    Parcel,
    Person,
    ScanRow,
    journey,
)
from gateway.domain.record import Record, replace
from gateway.domain.register import keep_reading
from gateway.domain.reply import CHILDREN, by_reference, late, repeats, said_no, why

D, E, V = Decision, Event, Verdict
SILENT = frozenset({V.UNKNOWN, V.BUSY, V.REFUSED})  # a reading that told nothing
LOOKS_MAX = 120  # at a parcel whose interception has ended, unanswered: a month, some by pushes
UNREAD_LOOKS = 12  # of them until a person is told
QUIET_MS = DAY_MS  # pushes of one event may be hours apart; none is known to be later
READ_WITH = frozenset({Person, ScanRow, Alias, Interception, Incident, Claim})
OTHER_CAUSES = frozenset({"ALREADY_INTERCEPTED", "RETURNED_OTHERWISE", "DELIVERED"})


class Observe(Record, frozen=True):
    """One reading of an interception: what the query and the tracking said."""

    job: str
    gen: int
    interception: str
    asked: Answer | None  # None: the carrier has no query, or it was not needed
    read: Answer | None  # None: the carrier has no tracking
    asked_ms: int  # machine time when it was asked
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            interceptions=(self.interception,),
            of_parcel=READ_WITH,
            of_interception=CHILDREN,
            wallet=True,
        )


def observe(book: Book, command: Observe, env: Env, terms: Terms) -> Interception | No:
    ic = book.need(Interception, command.interception)
    job = book.need(Job, command.job)
    fenced = job.gen == command.gen and job.state is JobState.LEASED
    parcel = book.need(Parcel, ic.parcel)
    answers = [answer for answer in (command.asked, command.read) if answer is not None]
    whole = all(answer.verdict not in SILENT for answer in answers)
    if not answers:  # a carrier that only pushes: wait until it has been quiet
        scans = book.of(ScanRow, parcel.id)
        heard = [scan.arrived_at for scan in scans if scan.tier == Tier.T1]
        quiet_at = max(heard, default=0) + QUIET_MS
        whole = env.now >= quiet_at
    if command.asked is not None and command.asked_ms < _answered_ms(book, ic):
        whole = False  # asked before the carrier had ours: it may speak of another's
    if command.read is not None and command.read.verdict not in SILENT:
        parcel = keep_reading(book, parcel, command.read, env)
    elif command.read is None and command.asked is not None and whole:
        parcel = book.put(replace(parcel, read_at=env.now))  # a query is all there is to ask
    if any(answer.reason is Reason.WRONG_WAYBILL for answer in answers):
        open_exception(book, ExceptionKind.WRONG_WAYBILL, ic.id, ic.tenant, env)
    if whole and ic.decision is not D.SENDING:
        ic = conclude(book, ic, parcel, command.asked, env, terms, command.asked_ms)
    unheard = bool(answers) and not whole
    ic = overdue(book, ic, parcel, env, terms, unheard=unheard)
    if fenced:
        _rest(book, ic, job, env, unheard=unheard)
    if not answers and not whole:
        follow(book, ic, quiet_at)  # also where nothing else is awaited: a return may be late
    return ic


def _answered_ms(book: Book, ic: Interception) -> int:
    """When, in machine time, the last request that the carrier answered had its answer."""
    return max(
        (
            attempt.ended_ms or 0
            for attempt in book.of(Attempt, ic.id)
            if attempt.kind is AttemptKind.POST and attempt.outcome is Outcome.ANSWERED
        ),
        default=0,
    )


def conclude(
    book: Book,
    ic: Interception,
    parcel: Parcel,
    asked: Answer | None,
    env: Env,
    terms: Terms,
    asked_ms: int,
) -> Interception:
    """What the facts prove, applied to one interception."""
    here = journey(parcel, book.of(ScanRow, parcel.id))
    if ic.decision in UNDECIDED:
        ic = _decide(book, ic, here, asked, env, terms, asked_ms)
    newest = latest(book.of(Interception, parcel.id))
    alone = newest is not None and newest.id == ic.id
    if ic.decision in (D.REFUSED, D.NEVER_SENT) and alone and _ours(ic, here):
        evidence = _scan_evidence(book, ic, here, env)
        ic = late(book, ic, evidence, env, terms, None)
    if ic.decision in PROMISED:
        ic = _follow_up(book, ic, here, asked, env, terms)
    _incidents(book, parcel, here, env)
    return ic


def _decide(
    book: Book,
    ic: Interception,
    here: Journey,
    asked: Answer | None,
    env: Env,
    terms: Terms,
    asked_ms: int,
) -> Interception:
    verdict = asked.verdict if asked is not None else None
    known = ic.decision is D.PROCESSING  # the carrier has confirmed that it has ours
    if asked is not None and asked.reference and asked.reference == ic.reference:
        known = True
    sent = ic.sent_at > 0
    if verdict is V.ACCEPTED and known:
        evidence = _query_evidence(book, ic, asked, env)
        return move(book, ic, E.ACCEPT, env, terms, evidence=evidence, answer=asked)
    turned = sent and _ours(ic, here)  # and delivered after that: a promise that was broken
    if here.end is End.DELIVERED and not turned:
        evidence = _scan_evidence(book, ic, here, env)
        return move(book, ic, E.REFUSE, env, terms, cause="DELIVERED", evidence=evidence)
    if here.end is End.NOT_SHIPPED and sent and _cancelled(ic, here, terms):
        evidence, answer = _scan_evidence(book, ic, here, env), NOT_PICKED_UP
        return move(book, ic, E.ACCEPT, env, terms, evidence=evidence, answer=answer)
    if by_order(ic) and here.status not in (Status.UNKNOWN, Status.NOT_PICKED_UP):
        evidence = _scan_evidence(book, ic, here, env)  # picked up all the same
        return move(book, ic, E.REFUSE, env, terms, cause="TOO_LATE", evidence=evidence)
    if here.returning_at or here.end in (End.RETURNED, End.NOT_SHIPPED):
        if sent and not known and by_reference(ic, terms) and repeats(book, ic, env, terms):
            return ic  # the repeat tells whose interception it was
        evidence = _scan_evidence(book, ic, here, env)
        if turned:
            return move(book, ic, E.ACCEPT, env, terms, evidence=evidence)
        cause = "RETURNED_OTHERWISE"
        return move(book, ic, E.REFUSE, env, terms, cause=cause, evidence=evidence)
    if verdict is V.MISSED and known:
        evidence = _query_evidence(book, ic, asked, env)
        cause = why(asked) if asked else ""
        return move(book, ic, E.REFUSE, env, terms, cause=cause, evidence=evidence)
    if verdict is V.CANCELLED and known:
        return _query_cancelled(book, ic, asked, env, terms)
    if ic.decision is D.UNKNOWN:
        return _absent(book, ic, asked, env, terms, asked_ms)
    return ic


def _absent(
    book: Book, ic: Interception, asked: Answer | None, env: Env, terms: Terms, asked_ms: int
) -> Interception:
    """A look that shows nothing: proof after the in-flight bound, or behind an unlisted no."""
    hold = terms.contracts[ic.channel].unlisted_no is UnlistedNo.HOLD
    no = said_no(book, ic, terms)
    # an assumed receipt: the status of a parcel, which need not tell of an interception
    untold = asked is not None and asked.verdict is V.RECEIVED and asked.assumed
    nothing = asked is None or asked.verdict is V.ABSENT or untold
    if no is not None and nothing and not hold:
        answer = Answer(V.REFUSED, Reason.UNLISTED, code=no.code, assumed=True)
        return move(book, ic, E.REFUSE, env, terms, cause="UNLISTED", evidence=no.id, answer=answer)
    if asked is None or asked.verdict is not V.ABSENT:
        return ic
    posts = [a for a in book.of(Attempt, ic.id) if a.kind is AttemptKind.POST]
    last = max((a.started_ms for a in posts), default=0)
    live = any(a.ended_at is None for a in posts)
    if live or asked_ms < last + terms.in_flight_bound_ms(ic.channel):
        return ic
    evidence = _query_evidence(book, ic, asked, env)
    for attempt in posts:
        if attempt.outcome in (Outcome.LOST, Outcome.ANSWERED):
            book.put(replace(attempt, outcome=Outcome.ABSENT))
    if env.now >= ic.send_deadline:
        return move(book, ic, E.EXPIRE, env, terms, cause="NEVER_ARRIVED", evidence=evidence)
    ic = move(book, ic, E.ABSENT, env, terms, evidence=evidence)
    if ic.cancel in (Cancel.ASKED, Cancel.SENT):
        ic = withdraw(book, ic, Cancel.DONE, env, cause="never arrived", evidence=evidence)
        return move(book, ic, E.WITHDRAW, env, terms, cause="WITHDRAWN", evidence=evidence)
    schedule(book, JobKind.SUBMIT, ic.id, ic.channel, ic.account, env.now)
    return ic


def _query_cancelled(
    book: Book, ic: Interception, asked: Answer | None, env: Env, terms: Terms
) -> Interception:
    evidence = _query_evidence(book, ic, asked, env)
    if ic.cancel in (Cancel.ASKED, Cancel.SENT):
        ic = withdraw(book, ic, Cancel.DONE, env, evidence=evidence)
        return move(book, ic, E.CANCEL_ACK, env, terms, cause="WITHDRAWN", evidence=evidence)
    return move(book, ic, E.REFUSE, env, terms, cause="ALREADY_CANCELLED", evidence=evidence)


def latest(interceptions: Iterable[Interception]) -> Interception | None:
    """The one that evidence by waybill belongs to: of those that left, the open one or the newest.

    One that was refused because of another comes last: what the parcel does is not its doing, and
    nor is it the doing of one that waits to be sent.
    """
    ordered = sorted(
        interceptions,
        key=lambda ic: (
            ic.open and ic.sent_at > 0,
            ic.promised_at > 0,
            ic.sent_at > 0 and ic.reason not in OTHER_CAUSES,
            ic.sent_at > 0,
            ic.created_at,
            ic.id,
        ),
    )
    return ordered[-1] if ordered else None


def _ours(ic: Interception, here: Journey) -> bool:
    """Whether the return may be laid to this interception: it left before, and no other cause."""
    if not ic.sent_at or not here.returning_at or ic.reason in OTHER_CAUSES:
        return False
    if by_order(ic):
        return False  # an order that is cancelled sends nothing back
    if here.cause not in (Cause.INTERCEPTION, Cause.UNSTATED):
        return False
    return here.returning_at >= ic.sent_at - CLOCK_SLACK_MS


def _cancelled(ic: Interception, here: Journey, terms: Terms) -> bool:
    """Whether an order that never shipped is our doing: we asked before, by a verb that cancels."""
    one_verb = Status.NOT_PICKED_UP in terms.adapters[ic.channel].window.value
    return (one_verb or by_order(ic)) and here.end_at >= ic.sent_at - CLOCK_SLACK_MS


NOT_PICKED_UP = Answer(V.ACCEPTED, path=Path.CANCELLED_BEFORE_PICKUP)
CLOCK_SLACK_MS = 1_000  # carriers' scans have whole seconds


ENDED = {
    End.RETURNED: (Movement.RETURNED, ""),
    End.LOST: (Movement.LOST, ""),
    End.NOT_SHIPPED: (Movement.NOT_SHIPPED, ""),
    End.DELIVERED: (Movement.RETURN_FAILED, "DELIVERED"),
    End.SENDER_REFUSED: (Movement.RETURN_FAILED, "SENDER_REFUSED"),
}


def _follow_up(
    book: Book, ic: Interception, here: Journey, asked: Answer | None, env: Env, terms: Terms
) -> Interception:
    """The way back: movement follows the journey; a broken promise gives the fee back."""
    target, failure = ENDED.get(here.end, (Movement.NONE, ""))
    if here.end is End.OPEN and here.returning_at:
        target = Movement.RETURNING
    failed = asked is not None and asked.verdict is V.MISSED
    if target is Movement.NONE and failed and not here.returning_at:
        target, failure = Movement.RETURN_FAILED, "CARRIER"
    found_again = ic.movement is Movement.LOST and here.end is End.OPEN
    if target is ic.movement or (target is Movement.NONE and not found_again):
        return ic
    if target not in MOVEMENTS[ic.movement]:
        open_exception(
            book, ExceptionKind.CONTRADICTION, ic.id, ic.tenant, env, f"{ic.movement}-{target}"
        )
        return ic
    if failure == "CARRIER":
        evidence = _query_evidence(book, ic, asked, env)
    else:
        evidence = _scan_evidence(book, ic, here, env)
    if target is not Movement.LOST and found(book, ic, env):
        open_exception(book, ExceptionKind.RECOVERY, ic.id, ic.tenant, env, "found")
    if target is Movement.NOT_SHIPPED:  # a carrier with one verb tells only now which it was
        ic = book.put(replace(ic, path=Path.CANCELLED_BEFORE_PICKUP))
    cause = failure or str(target)
    ic = shift(book, ic, target, env, failure=failure, cause=cause, evidence=evidence)
    if failure in ("DELIVERED", "CARRIER"):
        open_exception(book, ExceptionKind.PROMISE_BROKEN, ic.id, ic.tenant, env, failure)
        refund = terms.contracts[ic.channel].refund_on_return_failed
        if refund and ic.money is Money.CAPTURED:
            ic = settle(book, ic, Effect.REFUND, failure, evidence, "system", env)
    over = not MOVEMENTS[ic.movement]  # whatever the carrier may still answer
    if ic.cancel is Cancel.ASKED or (ic.cancel is Cancel.SENT and over):
        ic = withdraw(book, ic, Cancel.DENIED, env, cause="too late", evidence=evidence)
    return ic


def _incidents(book: Book, parcel: Parcel, here: Journey, env: Env) -> None:
    """Damage and loss that a carrier's own scan tells are incidents, once each."""
    for kind, at in (
        ("damaged", here.damaged_at),
        ("lost", here.end_at if here.end is End.LOST else 0),
    ):
        key = f"{parcel.id}/{kind}/carrier"
        if at and book.get(Incident, key) is None:
            book.put(Incident(key, parcel.id, kind, "carrier", "scan", at))


def _query_evidence(book: Book, ic: Interception, asked: Answer | None, env: Env) -> str:
    if asked is None:
        raise ValueError("a query's evidence needs its answer")
    return note(book, ic, EvidenceKind.QUERY, asked, env)


def _scan_evidence(book: Book, ic: Interception, here: Journey, env: Env) -> str:
    told = Answer(
        V.ACCEPTED if here.returning_at else V.REFUSED,
        code=f"{here.end}:{here.cause}",
        reference=here.return_waybill,
    )
    return note(book, ic, EvidenceKind.TRACKING, told, env)


def overdue(
    book: Book, ic: Interception, parcel: Parcel, env: Env, terms: Terms, *, unheard: bool
) -> Interception:
    """A timer is not evidence: it only asks a person to look."""
    if ic.decision in AT_CARRIER and env.now >= ic.evidence_by:
        open_exception(book, ExceptionKind.NO_EVIDENCE, ic.id, ic.tenant, env, ic.decision)
    if ic.decision not in UNDECIDED and not unheard:
        close_exception(book, ExceptionKind.NO_EVIDENCE, ic.id, env)
    if ic.decision in PROMISED and ic.movement in (Movement.NONE, Movement.RETURNING):
        told = [scan.at for scan in book.of(ScanRow, parcel.id) if scan.tier == Tier.T1]
        last = max(told, default=ic.promised_at)
        quiet = env.now - max(last, ic.promised_at)
        if quiet >= terms.contracts[ic.channel].stale_after_ms:
            open_exception(book, ExceptionKind.STALE, ic.id, ic.tenant, env)
        else:
            close_exception(book, ExceptionKind.STALE, ic.id, env)
    return ic


def following(ic: Interception) -> bool:
    """Whether the carrier is still to be asked about this interception."""
    if ic.decision in AT_CARRIER:
        return True
    return ic.decision in PROMISED and ic.movement in (
        Movement.NONE,
        Movement.RETURNING,
        Movement.LOST,
    )


def _rest(book: Book, ic: Interception, job: Job, env: Env, *, unheard: bool) -> None:
    """When to ask again. A push that came during the reading asks at once.

    What was pushed of an interception that has ended may be its late acceptance: it is not let go
    because the carrier, or the store, was not there.
    """
    pulled = job.due_at if job.due_at < NEVER else None
    again = following(ic) or (unheard and job.attempts < LOOKS_MAX)
    if unheard and not following(ic) and job.attempts >= UNREAD_LOOKS:
        open_exception(book, ExceptionKind.NO_EVIDENCE, ic.id, ic.tenant, env, "unread")
    if not again and pulled is None:
        book.put(at_rest(job))
        return
    wait = delay(ASK_DELAYS_MS, job.attempts - 1)
    attempts = job.attempts
    if ic.decision in PROMISED and not unheard:
        wait = LOST_DELAY_MS if ic.movement is Movement.LOST else FOLLOW_DELAY_MS
        attempts = 0
    due = env.now + wait if pulled is None else pulled
    book.put(at_rest(job, JobState.WAIT, due, attempts))
