"""The moves of an interception: one place where columns change, with their money and their log.

Every change of a column goes through `move`, so that it is in a table, has an event, and its
money is moved in the same decision.
"""

from typing import Any

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Order, Path, Tier
from gateway.domain.command import Env
from gateway.domain.fees import DAY_MS, HOUR_MS, MINUTE_MS, OnCancel, Terms
from gateway.domain.interception import (
    CANCELS,
    MONEY,
    MOVEMENTS,
    PROMISED,
    SETTLED,
    UNDECIDED,
    Cancel,
    Column,
    Decision,
    Effect,
    Event,
    EventRow,
    Evidence,
    EvidenceKind,
    Exceptional,
    ExceptionKind,
    IllegalTransition,
    Interception,
    Job,
    JobKind,
    JobState,
    Money,
    Movement,
    step,
)
from gateway.domain.ledger import Move, TransferKind, post
from gateway.domain.parcel import OrderLine, Parcel, Person
from gateway.domain.record import replace

SYSTEM = "system"
NEVER = 2**62  # a job that is due only when something pulls it
CRASHES_MAX = 5  # of our own code on one job before a person looks
SEND_DELAYS_MS = tuple(s * 1000 for s in (1, 2, 5, 10, 30, 60, 120, 300))
ASK_DELAYS_MS = tuple(m * MINUTE_MS for m in (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240, 360))
FOLLOW_DELAY_MS = 12 * HOUR_MS
LOST_DELAY_MS = DAY_MS


# without our having stopped it: there is nothing left to withdraw
ENDED_UNSTOPPED = frozenset({Decision.REFUSED, Decision.NEVER_SENT})


def delay(delays: tuple[float, ...], attempts: int) -> int:
    """A pure function of the attempt number: the one retry mechanism there is."""
    return int(delays[min(attempts, len(delays) - 1)])


def write(
    book: Book,
    interception: Interception,
    column: Column,
    target: Any,
    *,
    source: Any = None,
    cause: str = "",
    evidence: str | None = None,
    actor: str = SYSTEM,
    now: int,
    **fields: Any,
) -> Interception:
    """One event and the column it changes. Only `move` and `begin` call it."""
    seq = interception.version + 1
    before = getattr(interception, column) if source is None else source
    book.put(
        EventRow(
            id=f"{interception.id}/{seq}",
            interception=interception.id,
            tenant=interception.tenant,
            seq=seq,
            col=column,
            source=before,
            target=target,
            cause=cause,
            evidence=evidence,
            actor=actor,
            at=now,
        )
    )
    changed: Any = {column.value: target, "version": seq, "updated_at": now, **fields}
    return book.put(replace(interception, **changed))


def begin(book: Book, interception: Interception, actor: str, env: Env) -> Interception:
    """The first events of a new interception, and the hold of its fee."""
    decision, money = interception.decision, interception.money
    at = env.now
    interception = write(
        book, interception, Column.DECISION, decision, source="", actor=actor, now=at
    )
    if money is Money.HELD:
        _transfer(book, interception, TransferKind.HOLD, "create", actor, env)
    return write(book, interception, Column.MONEY, money, source="", actor=actor, now=at)


def move(
    book: Book,
    interception: Interception,
    event: Event,
    env: Env,
    terms: Terms,
    *,
    cause: str = "",
    evidence: str | None = None,
    actor: str = SYSTEM,
    answer: Answer | None = None,
) -> Interception:
    """Apply one event to the decision, with its money. Raises IllegalTransition."""
    target, effects = step(interception.decision, event)
    fields: dict[str, Any] = {}
    if target not in UNDECIDED:
        fields["decided_at"] = interception.decided_at or env.now
        fields["reason"] = "" if target in PROMISED else cause
    if target in PROMISED:
        path = answer.path if answer else None
        fields |= {"promised_at": env.now, "path": path or interception.path or Path.INTERCEPTED}
    if answer is not None:
        fields |= {
            "carrier_code": answer.code[:64] or interception.carrier_code,
            "reference": answer.reference[:128] or interception.reference,
            "assumed": interception.assumed or answer.assumed,
        }
    interception = write(
        book,
        interception,
        Column.DECISION,
        target,
        cause=cause or str(event),
        evidence=evidence,
        actor=actor,
        now=env.now,
        **fields,
    )
    if target in ENDED_UNSTOPPED and interception.cancel in (Cancel.ASKED, Cancel.SENT):
        interception = withdraw(
            book, interception, Cancel.DENIED, env, cause="already ended", evidence=evidence
        )
    keep = terms.contracts[interception.channel].fee_on_cancel is OnCancel.KEEP
    for effect in effects:
        if effect is Effect.REFUND and keep:
            continue
        interception = settle(book, interception, effect, cause or event, evidence, actor, env)
    if target in PROMISED and interception.path == Path.CANCELLED_BEFORE_PICKUP:
        kept = Movement.NOT_SHIPPED  # that is all there is to see of it
        interception = shift(
            book, interception, kept, env, cause=interception.path, evidence=evidence
        )
    return interception


def settle(
    book: Book,
    interception: Interception,
    effect: Effect,
    cause: str,
    evidence: str | None,
    actor: str,
    env: Env,
) -> Interception:
    """Move the fee as the decision says; nothing to do where the fee is zero."""
    if interception.money is Money.NONE:
        return interception
    target = SETTLED[effect]
    if target not in MONEY[interception.money]:
        raise IllegalTransition(f"{effect} of {interception.money}")
    _transfer(book, interception, TransferKind(effect), cause, actor, env)
    return write(
        book,
        interception,
        Column.MONEY,
        target,
        cause=cause,
        evidence=evidence,
        actor=actor,
        now=env.now,
    )


def _transfer(
    book: Book, ic: Interception, kind: TransferKind, cause: str, actor: str, env: Env
) -> None:
    move_ = Move(
        kind=kind,
        amount=ic.fee_minor,
        currency=ic.currency,
        merchant=ic.merchant,
        channel=ic.channel,
        interception=ic.id,
        dedup=f"{kind}:{ic.id}",
        actor=actor,
        cause=cause,
    )
    post(book, move_, env.new_id(), env.now)


def shift(
    book: Book,
    interception: Interception,
    target: Movement,
    env: Env,
    *,
    failure: str = "",
    cause: str,
    evidence: str | None,
) -> Interception:
    if target not in MOVEMENTS[interception.movement]:
        raise IllegalTransition(f"{interception.movement} to {target}")
    return write(
        book,
        interception,
        Column.MOVEMENT,
        target,
        cause=cause,
        evidence=evidence,
        now=env.now,
        failure=failure,
    )


def withdraw(
    book: Book,
    interception: Interception,
    target: Cancel,
    env: Env,
    *,
    cause: str = "",
    evidence: str | None = None,
    actor: str = SYSTEM,
) -> Interception:
    if target not in CANCELS[interception.cancel]:
        raise IllegalTransition(f"{interception.cancel} to {target}")
    return write(
        book,
        interception,
        Column.CANCEL,
        target,
        cause=cause,
        evidence=evidence,
        actor=actor,
        now=env.now,
    )


def note(
    book: Book,
    interception: Interception,
    kind: EvidenceKind,
    answer: Answer,
    env: Env,
    *,
    attempt: str | None = None,
    inbox: str | None = None,
    tier: Tier = Tier.T1,
    key: str = "",
) -> str:
    """Keep what was said, and by whom. Returns the id of the evidence row."""
    row = Evidence(
        id=key or env.new_id(),
        interception=interception.id,
        kind=kind,
        tier=int(tier),
        attempt=attempt,
        inbox=inbox,
        verdict=answer.verdict,
        reason=answer.reason,
        code=answer.code[:64],
        reference=answer.reference[:128],
        assumed=answer.assumed,
        at=env.now,
    )
    return book.put(row).id


def schedule(book: Book, kind: JobKind, subject: str, channel: str, account: str, due: int) -> Job:
    """A job that is due at `due`: a new one, or the one there is, awake again.

    A job at work is only told to run again: its lease is not touched.
    """
    found = book.get(Job, f"{kind}/{subject}")
    if found is None:
        return book.put(
            Job(
                f"{kind}/{subject}",
                subject,
                kind,
                channel,
                account,
                JobState.WAIT,
                0,
                "",
                0,
                due,
                0,
                0,
            )
        )
    if found.state is JobState.LEASED:
        return book.put(replace(found, due_at=min(found.due_at, due)))
    if found.state is JobState.WAIT:
        return book.put(replace(found, due_at=min(found.due_at, due)))
    return book.put(replace(found, state=JobState.WAIT, due_at=due, attempts=0))


def at_rest(job: Job, state: JobState = JobState.DONE, due: int = NEVER, attempts: int = 0) -> Job:
    """A job whose holder has ended it: free, and forgiven its crashes."""
    return replace(
        job, state=state, due_at=due, owner="", lease_until=0, attempts=attempts, crashes=0
    )


def follow(book: Book, interception: Interception, due: int) -> Job:
    ic = interception
    return schedule(book, JobKind.FOLLOW, ic.id, ic.channel, ic.account, due)


def open_exception(
    book: Book, kind: ExceptionKind, subject: str, tenant: str, env: Env, detail: str = ""
) -> None:
    """At most one open exception of a kind per subject."""
    key = f"{kind}/{subject}"
    found = book.get(Exceptional, key)
    if found is None or found.closed_at is not None:
        book.put(Exceptional(key, subject, tenant, kind, detail[:200], env.now, None, "", ""))


def close_exception(book: Book, kind: ExceptionKind, subject: str, env: Env) -> None:
    """The facts have answered what a person was asked to look at."""
    found = book.get(Exceptional, f"{kind}/{subject}")
    if found is not None and found.closed_at is None:
        book.put(
            replace(found, closed_at=env.now, closed_by=SYSTEM, resolution="settled by evidence")
        )


def order_for(book: Book, interception: Interception, terms: Terms) -> Order:
    """The carrier's question about this interception."""
    people = {person.role: person.contact() for person in book.of(Person, interception.parcel)}
    lines = book.of(OrderLine, interception.parcel)
    return Order(
        key=interception.id,
        waybill=interception.waybill,
        network=book.need(Parcel, interception.parcel).network,
        reference=interception.reference,
        order_no=lines[0].order_no if lines else "",
        sender=people.get("sender"),
        receiver=people.get("receiver"),
        settings=terms.accounts.get((interception.channel, interception.account), {}),
    )


def askable(book: Book, interception: Interception, terms: Terms) -> bool:
    """Whether the carrier, or the network's own channel, can be asked how it stands."""
    adapter = terms.adapters[interception.channel]
    if adapter.track is not None or adapter.query is not None:
        return True
    parcel = book.need(Parcel, interception.parcel)
    channel, account = interception.channel, interception.account
    return terms.tracker(channel, account, parcel.network) is not None


def open_decision(interception: Interception) -> bool:
    return interception.decision in UNDECIDED or interception.decision is Decision.ACCEPTED
