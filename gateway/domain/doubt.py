"""After a restore: whatever may have been sent since the backup is taken for sent, once each.

A backup knows what was to be done, and not what has been done since. So every request that was
waiting, under way or unanswered in it gets an attempt that is lost, and goes the way of every lost
answer: it is settled by evidence, and never sent again blindly. What was promised on rows that may
be out of date, a price or a status, is taken back.
"""

from gateway.domain.book import Book
from gateway.domain.claim import Claim
from gateway.domain.command import Env, Wants
from gateway.domain.desk import refile
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Cancel,
    Decision,
    Event,
    Exceptional,
    ExceptionKind,
    Interception,
    Job,
    JobKind,
    JobState,
    Outcome,
    Quote,
)
from gateway.domain.lifecycle import at_rest, follow, move, open_exception, schedule, withdraw
from gateway.domain.parcel import Parcel
from gateway.domain.reading import following
from gateway.domain.record import Record, replace
from gateway.domain.reply import CHILDREN

CAUSE = "RESTORED"
PAGE = 100  # rows of one command
DOUBTFUL = frozenset({Decision.QUEUED, Decision.SENDING, Decision.UNKNOWN})


class Doubt(Record, frozen=True):
    """Open interceptions of a restored store. Doing it twice is doing it once."""

    interceptions: tuple[str, ...]
    since: int  # when safe mode began
    taken_at: int  # the newest event of the backup: what was sent later is not in it
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(interceptions=self.interceptions, of_interception=CHILDREN)


def doubt(book: Book, command: Doubt, env: Env, terms: Terms) -> int:
    """How many of them may have been sent."""
    doubted = 0
    for key in command.interceptions:
        ic = book.get(Interception, key)
        if ic is None:
            continue
        if ic.decision in DOUBTFUL:
            ic = _sent(book, ic, command, env, terms)
            doubted += 1
        if ic.cancel in (Cancel.ASKED, Cancel.SENT):
            ic = _withdrawn(book, ic, command, env, terms)
        if following(ic):
            follow(book, ic, env.now)
    return doubted


def _sent(book: Book, ic: Interception, command: Doubt, env: Env, terms: Terms) -> Interception:
    if not _lost(book, ic, AttemptKind.POST, JobKind.SUBMIT, command, env):
        return ic
    if ic.decision is Decision.QUEUED:
        ic = move(book, ic, Event.SEND, env, terms, cause=CAUSE)
    ic = book.put(replace(ic, sent_at=ic.sent_at or command.taken_at))
    if ic.decision is Decision.SENDING:
        ic = move(book, ic, Event.LOSE, env, terms, cause=CAUSE)
    return ic


def _withdrawn(
    book: Book, ic: Interception, command: Doubt, env: Env, terms: Terms
) -> Interception:
    if terms.adapters[ic.channel].cancel is None:
        return ic  # it will be denied when its job is taken up
    if not _lost(book, ic, AttemptKind.CANCEL, JobKind.WITHDRAW, command, env):
        return ic
    if ic.cancel is Cancel.ASKED:
        ic = withdraw(book, ic, Cancel.SENT, env, cause=CAUSE)
    return ic


def _lost(
    book: Book, ic: Interception, kind: AttemptKind, job: JobKind, command: Doubt, env: Env
) -> bool:
    """One lost attempt more, behind a generation of its own. False where it is there already.

    It may have left at any time from the backup until now: the first counts for whose a scan is,
    the last for when a query can prove that nothing arrived.
    """
    key = f"{ic.id}/restored/{kind}/{command.since}"
    if book.get(Attempt, key) is not None:
        return False
    for attempt in book.of(Attempt, ic.id):
        if attempt.kind is kind and attempt.ended_at is None:
            ended = {"ended_at": env.now, "ended_ms": env.machine_ms}
            book.put(replace(attempt, **ended, outcome=Outcome.LOST))
    found = schedule(book, job, ic.id, ic.channel, ic.account, env.now)
    free = at_rest(found, JobState.WAIT, env.now, found.attempts)
    held = book.put(replace(free, gen=found.gen + 1))
    started = max(command.taken_at, ic.created_at)
    book.put(
        Attempt(
            key,
            ic.id,
            kind,
            held.gen,
            started,
            env.machine_ms,
            max(env.now, started),
            env.machine_ms,
            Outcome.LOST,
        )
    )
    return True


class DoubtClaims(Record, frozen=True):
    """Claims that were about to be filed with a carrier, or may have been."""

    claims: tuple[str, ...]
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            claims=self.claims,
            of_parcel=frozenset({Claim}),
            of_interception=frozenset({Job, Exceptional}),
        )


def doubt_claims(book: Book, command: DoubtClaims, env: Env, terms: Terms) -> int:
    found = [claim for key in command.claims if (claim := book.get(Claim, key)) is not None]
    for claim in found:
        refile(book, claim, env, terms)
    return len(found)


class Outdate(Record, frozen=True):
    """Prices and readings from before the restore: a quote may have been used since, and a
    parcel may have been stopped."""

    quotes: tuple[str, ...] = ()
    parcels: tuple[str, ...] = ()
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(quotes=self.quotes, parcels=self.parcels)


def outdate(book: Book, command: Outdate, env: Env, _: Terms) -> None:
    for key in command.quotes:
        quote = book.get(Quote, key)
        if quote is not None and quote.used_by is None and quote.expires_at > env.now:
            book.put(replace(quote, expires_at=max(env.now, quote.created_at + 1)))
    for key in command.parcels:
        parcel = book.get(Parcel, key)
        if parcel is not None:
            book.put(replace(parcel, read_at=0))


class Unread(Record, frozen=True):
    """Interceptions that nobody has read since the restore, and that are let go all the same."""

    interceptions: tuple[str, ...]
    reason: str
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(interceptions=self.interceptions, of_interception=frozenset({Exceptional}))


def unread(book: Book, command: Unread, env: Env, _: Terms) -> None:
    """A person has taken it on: each stays open to be looked at until evidence settles it."""
    for key in command.interceptions:
        ic = book.get(Interception, key)
        if ic is not None:
            detail = f"not read since the restore: {command.reason}"
            open_exception(book, ExceptionKind.NO_EVIDENCE, ic.id, ic.tenant, env, detail)
