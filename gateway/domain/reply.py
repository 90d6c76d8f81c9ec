"""Replies to what we sent: applied whoever brings them, each at most once."""

from gateway.domain.book import Book
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Dedup,
    Promise,
    Reason,
    Verdict,
)
from gateway.domain.command import Env, No, Wants
from gateway.domain.fees import Terms, UnlistedNo
from gateway.domain.interception import (
    AT_CARRIER,
    PROMISED,
    UNDECIDED,
    Attempt,
    AttemptKind,
    Cancel,
    Decision,
    Event,
    Evidence,
    EvidenceKind,
    Exceptional,
    ExceptionKind,
    Interception,
    Job,
    JobKind,
    JobState,
    Movement,
    Outcome,
    by_order,
)
from gateway.domain.lifecycle import (
    ASK_DELAYS_MS,
    SEND_DELAYS_MS,
    askable,
    at_rest,
    delay,
    follow,
    move,
    note,
    open_exception,
    schedule,
    withdraw,
)
from gateway.domain.record import Record, replace

D, E, V = Decision, Event, Verdict
CANCEL_ATTEMPTS_MAX = 10
# A cancel is asked for until it is answered, or the parcel has come to its end: ever more seldom.
CANCEL_DELAYS_MS = (*SEND_DELAYS_MS, *SEND_DELAYS_MS[-1:] * 2, *ASK_DELAYS_MS[8:])
MAYBE_SENT: frozenset[Outcome | None] = frozenset({Outcome.LOST, Outcome.ANSWERED, None})
LIVE: frozenset[Outcome | None] = frozenset({None})
LEFT = MAYBE_SENT | {Outcome.ABSENT}  # a carrier that outlives its bound may still carry it out
CHILDREN = frozenset({Job, Attempt, Evidence, Exceptional})


class Finish(Record, frozen=True):
    """What came of one POST or CANCEL attempt."""

    job: str
    gen: int
    interception: str
    attempt: str
    answer: Answer
    family: bool = True  # False spares a read, where `by_family` says that nothing hangs on it
    evidence: bool = True

    def wants(self) -> Wants:
        family = frozenset({Interception}) if self.family else frozenset()
        return Wants(
            interceptions=(self.interception,),
            of_parcel=family,
            of_interception=CHILDREN,
            wallet=True,
        )


def finish(book: Book, command: Finish, env: Env, terms: Terms) -> Interception | No:
    ic = book.need(Interception, command.interception)
    attempt = book.need(Attempt, command.attempt)
    job = book.need(Job, command.job)
    fenced = job.gen == command.gen and job.state is JobState.LEASED
    if fenced:
        job = book.put(at_rest(job, attempts=job.attempts))
    answer = command.answer
    if attempt.ended_at is None:
        outcome = _outcome(answer)
        book.put(replace(attempt, ended_at=env.now, ended_ms=env.machine_ms, outcome=outcome))
    if answer.reason is Reason.BAD_CREDENTIALS:
        open_exception(
            book, ExceptionKind.ACCOUNT_REJECTED, ic.id, ic.tenant, env, detail=ic.channel
        )
    if answer.reason is Reason.WRONG_WAYBILL:
        open_exception(book, ExceptionKind.WRONG_WAYBILL, ic.id, ic.tenant, env)
    if attempt.kind is AttemptKind.CANCEL:
        live = attempt.ended_at is None
        return _cancelled(book, ic, command, job, env, terms, live=live)
    ic = posted(book, ic, attempt, answer, env, terms)
    return _after_post(book, ic, job, env, terms)


def why(answer: Answer) -> str:
    """The reason in one word; a verdict that has none speaks for itself."""
    return (answer.verdict if answer.reason is Reason.NONE else answer.reason).upper()


def _outcome(answer: Answer) -> Outcome:
    if answer.reason is Reason.NOT_SENT:
        return Outcome.NOT_SENT
    if answer.verdict is V.BUSY:
        return Outcome.BUSY
    return Outcome.LOST if answer.verdict in (V.UNKNOWN, V.ABSENT) else Outcome.ANSWERED


def posted(
    book: Book, ic: Interception, attempt: Attempt, answer: Answer, env: Env, terms: Terms
) -> Interception:
    """Apply the reply to an interception request, by the table for where the decision stands."""
    key = f"{EvidenceKind.REPLY}/{attempt.id}"
    if book.get(Evidence, key) is not None:
        return ic
    evidence = note(book, ic, EvidenceKind.REPLY, answer, env, attempt=attempt.id, key=key)
    event, cause = _meaning(book, ic, attempt, answer, terms)
    if event is None:
        return ic
    live = attempt.ended_at is None
    if event in (E.NOT_SENT, E.LOSE) and not (live and ic.decision is D.SENDING):
        return ic  # a repeat that did not get through: what is known stays known
    if event is E.REFUSE and ic.decision in UNDECIDED and _others(book, ic, attempt, LIVE):
        return ic  # a later request is on its way: what comes of it must not come to nobody's
    if event is E.ACCEPT and ic.decision in (D.REFUSED, D.NEVER_SENT):
        return late(book, ic, evidence, env, terms, answer)
    if event is E.ACCEPT and ic.decision in PROMISED:
        return _reference(book, ic, answer)
    if event is E.RECEIPT and ic.decision not in (D.QUEUED, D.SENDING, D.UNKNOWN):
        return _reference(book, ic, answer)
    if event is E.REFUSE and ic.decision not in UNDECIDED:
        if ic.decision in PROMISED:
            open_exception(book, ExceptionKind.CONTRADICTION, ic.id, ic.tenant, env, "reply")
        return ic
    if ic.decision in (D.CANCELLED, D.REFUSED, D.NEVER_SENT):
        return ic
    if event is E.NOT_SENT and not _others(book, ic, attempt, LEFT):
        ic = book.put(replace(ic, sent_at=0))
    return move(book, ic, event, env, terms, cause=cause, evidence=evidence, answer=answer)


def _reference(book: Book, ic: Interception, answer: Answer) -> Interception:
    if not answer.reference or ic.reference:
        return ic
    return book.put(replace(ic, reference=answer.reference[:128]))


def _meaning(
    book: Book, ic: Interception, attempt: Attempt, answer: Answer, terms: Terms
) -> tuple[Event | None, str]:
    """Verdict of the reply -> event. What is not listed here is a lost answer."""
    adapter, contract = terms.adapters[ic.channel], terms.contracts[ic.channel]
    override = contract.promise_on is Promise.REPLY
    promises = terms.promise_on(ic.channel) is Promise.REPLY
    reason = why(answer)
    match answer.verdict:
        case V.ACCEPTED if by_order(ic):
            return E.ACCEPT, ""  # an order is cancelled by that word: nothing else shows it
        case V.ACCEPTED:
            return (E.ACCEPT if promises else E.RECEIPT), ""
        case V.RECEIVED:
            return (E.ACCEPT if override and not answer.assumed else E.RECEIPT), ""
        case V.REFUSED | V.DUPLICATE if _repeated(book, ic, attempt, adapter):
            # by the waybill alone: "you have one" is ours, and any other no may be its doing
            has_one = answer.reason is Reason.ALREADY_INTERCEPTED
            ours = has_one or answer.verdict is V.DUPLICATE
            return (E.RECEIPT, "DUPLICATE") if ours else (E.LOSE, reason)
        case V.REFUSED if answer.reason is Reason.UNLISTED:
            return _unlisted(book, terms, ic)
        case V.REFUSED | V.MISSED:
            return E.REFUSE, reason
        case V.DUPLICATE:
            ours = by_reference(ic, terms) or _sent_before(book, ic, attempt)
            return (E.RECEIPT, "DUPLICATE") if ours else (E.REFUSE, "ALREADY_INTERCEPTED")
        case V.BUSY:
            return E.NOT_SENT, reason
        case _ if answer.reason is Reason.NOT_SENT:
            return E.NOT_SENT, reason
        case _:
            return E.LOSE, reason


def _unlisted(book: Book, terms: Terms, ic: Interception) -> tuple[Event, str]:
    """A clear no with a code nobody listed: believed after a look, or as the contract says."""
    hold = terms.contracts[ic.channel].unlisted_no is UnlistedNo.HOLD
    if hold or askable(book, ic, terms):
        return E.LOSE, "UNLISTED"
    return E.REFUSE, "UNLISTED"


def _repeated(book: Book, ic: Interception, attempt: Attempt, adapter: Adapter) -> bool:
    """Whether it is a repeat towards a carrier that knows requests by their waybill only, or by
    the order they cancel."""
    known = adapter.dedup.value is Dedup.WAYBILL or by_order(ic)
    return known and _sent_before(book, ic, attempt)


def _sent_before(book: Book, ic: Interception, attempt: Attempt) -> bool:
    """Whether an earlier attempt of ours may have left, and nothing says it never arrived."""
    return _others(book, ic, attempt, MAYBE_SENT)


def _others(
    book: Book, ic: Interception, attempt: Attempt, outcomes: frozenset[Outcome | None]
) -> bool:
    return any(
        other.kind is AttemptKind.POST and other.id != attempt.id and other.outcome in outcomes
        for other in book.of(Attempt, ic.id)
    )


def _after_post(book: Book, ic: Interception, job: Job, env: Env, terms: Terms) -> Interception:
    """What happens next: send again, ask how it stands, or nothing more."""
    unknown = ic.decision is D.UNKNOWN
    resend = ic.decision is D.QUEUED or (unknown and repeats(book, ic, env, terms))
    if resend and job.state is not JobState.LEASED:
        due = env.now + delay(SEND_DELAYS_MS, job.attempts - 1)
        again = schedule(book, JobKind.SUBMIT, ic.id, ic.channel, ic.account, due)
        book.put(replace(again, attempts=job.attempts))
    if ic.decision is D.QUEUED and ic.cancel is Cancel.ASKED:
        ic = withdraw(book, ic, Cancel.DONE, env, cause="not sent")
        return move(book, ic, E.WITHDRAW, env, terms, cause="WITHDRAWN")
    if ic.decision in AT_CARRIER or ic.decision in PROMISED:
        first = delay(ASK_DELAYS_MS, 0)
        unlisted = ic.decision is D.UNKNOWN and said_no(book, ic, terms)
        follow(book, ic, env.now if unlisted else env.now + first)
    if ic.cancel is Cancel.ASKED and ic.decision is not D.SENDING:  # else when that has ended
        if ic.decision in AT_CARRIER or ic.decision in PROMISED:
            schedule(book, JobKind.WITHDRAW, ic.id, ic.channel, ic.account, env.now)
        else:
            ic = withdraw(book, ic, Cancel.DENIED, env, cause="already ended")
    return ic


def repeats(book: Book, ic: Interception, env: Env, terms: Terms) -> bool:
    """Whether the same request may be sent again to learn the fate of the first.

    A carrier that recognises the waybill alone says "you have one" of any: it is asked again only
    where nothing else of ours was ever sent for the parcel.
    """
    if env.now >= ic.send_deadline:
        return False
    if ic.cancel is not Cancel.NONE and not by_reference(ic, terms):
        return False  # it might arrive after the cancel
    if by_order(ic):
        cancel_order = terms.adapters[ic.channel].cancel_order
        return cancel_order is not None and cancel_order.repeatable
    if terms.adapters[ic.channel].dedup.value is Dedup.WAYBILL:
        others = (it for it in book.of(Interception, ic.parcel) if it.id != ic.id)
        return not any(it.sent_at for it in others)
    return by_reference(ic, terms)


def by_family(adapter: Adapter) -> bool:
    """Whether answers of this carrier are judged with the parcel and its other interceptions: it
    knows requests by their waybill alone, or can be asked nothing, and perhaps its network can."""
    asked = adapter.track is not None or adapter.query is not None
    return adapter.dedup.value is Dedup.WAYBILL or not asked


def by_reference(ic: Interception, terms: Terms) -> bool:
    """Whether the carrier knows this very request again, and so says whose interception it has."""
    adapter = terms.adapters[ic.channel]
    return adapter.dedup.value is Dedup.REFERENCE and not by_order(ic)


def said_no(book: Book, ic: Interception, terms: Terms) -> Evidence | None:
    """The unlisted refusal that is the last word of the carrier, if there is one.

    Of a repeat it is a word only where the carrier knows the request again.
    """
    replies = [e for e in book.of(Evidence, ic.id) if e.kind is EvidenceKind.REPLY]
    last = max(replies, key=lambda e: (e.at, e.id), default=None)
    if last is None or last.reason != Reason.UNLISTED:
        return None
    attempt = book.get(Attempt, last.attempt or "")
    repeated = attempt is not None and _others(book, ic, attempt, MAYBE_SENT)
    return None if repeated and not by_reference(ic, terms) else last


def _cancelled(
    book: Book,
    ic: Interception,
    command: Finish,
    job: Job,
    env: Env,
    terms: Terms,
    *,
    live: bool,
) -> Interception:
    """The reply to a cancel: an acknowledgement releases, too late stands, the rest waits.

    What the carrier says counts whoever brings it; that it said nothing counts only of the
    attempt that is under way.
    """
    answer = command.answer
    key = f"{EvidenceKind.CANCEL}/{command.attempt}"
    if book.get(Evidence, key) is not None or ic.cancel not in (Cancel.ASKED, Cancel.SENT):
        return ic
    evidence = note(book, ic, EvidenceKind.CANCEL, answer, env, attempt=command.attempt, key=key)
    operation = terms.adapters[ic.channel].cancel
    match answer.verdict:
        case V.CANCELLED if ic.movement is Movement.NONE:
            ic = withdraw(book, ic, Cancel.DONE, env, evidence=evidence)
            if ic.decision in AT_CARRIER or ic.decision is D.ACCEPTED:
                ic = move(book, ic, E.CANCEL_ACK, env, terms, cause="WITHDRAWN", evidence=evidence)
        case V.TOO_LATE | V.REFUSED | V.CANCELLED:
            ic = withdraw(
                book, ic, Cancel.DENIED, env, cause=answer.reason.upper(), evidence=evidence
            )
        case V.ABSENT if job.attempts >= CANCEL_ATTEMPTS_MAX:
            # no such order may mean not yet: it is no answer, but there must be an end of asking
            ic = withdraw(book, ic, Cancel.DENIED, env, cause="ABSENT", evidence=evidence)
        case _ if not live or ic.cancel is not Cancel.SENT:
            pass  # another attempt is under way, or will be
        case _ if answer.verdict is V.BUSY or (operation is not None and operation.repeatable):
            ic = withdraw(book, ic, Cancel.ASKED, env, cause=answer.reason.upper())
            due = env.now + delay(CANCEL_DELAYS_MS, job.attempts - 1)
            again = schedule(book, JobKind.WITHDRAW, ic.id, ic.channel, ic.account, due)
            book.put(replace(again, attempts=job.attempts))
        case _:
            pass  # SENT: tracking or a query shows what became of it
    return ic


def late(
    book: Book,
    ic: Interception,
    evidence: str,
    env: Env,
    terms: Terms,
    answer: Answer | None,
) -> Interception:
    """Accepted after the fee went back: followed like any other, and not charged again."""
    ic = move(book, ic, E.LATE, env, terms, evidence=evidence, answer=answer)
    open_exception(book, ExceptionKind.LATE_ACCEPTANCE, ic.id, ic.tenant, env, ic.channel)
    follow(book, ic, env.now + delay(ASK_DELAYS_MS, 0))
    return ic
