"""The carrier's claims desk: filing a claim with it, and asking what it grants."""

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Case, Verdict
from gateway.domain.claim import FAMILY, LIVE, Claim, ClaimState, Desk, grant, reject
from gateway.domain.command import Env, No, Wants
from gateway.domain.fees import DAY_MS, Terms
from gateway.domain.interception import (
    Exceptional,
    ExceptionKind,
    Job,
    JobKind,
    JobState,
)
from gateway.domain.leasing import Work, finished, lease
from gateway.domain.lifecycle import (
    ASK_DELAYS_MS,
    SEND_DELAYS_MS,
    at_rest,
    close_exception,
    delay,
    open_exception,
    schedule,
)
from gateway.domain.parcel import (
    Parcel,
    Person,
)
from gateway.domain.record import Record, replace
from gateway.domain.reply import why

TAKEN = (Verdict.RECEIVED, Verdict.ACCEPTED, Verdict.DUPLICATE)  # the carrier has it
CLAIM_ATTEMPTS_MAX = 12  # then a person files it through the carrier's complaint channels


def lease_filing(book: Book, job: Job, env: Env, terms: Terms) -> Work | None:
    return _lease(book, job, env, terms, {ClaimState.FILED})


def lease_asking(book: Book, job: Job, env: Env, terms: Terms) -> Work | None:
    return _lease(book, job, env, terms, {ClaimState.UNDER_REVIEW, ClaimState.PARTLY_AWARDED})


def _lease(book: Book, job: Job, env: Env, terms: Terms, states: set[ClaimState]) -> Work | None:
    claim = book.need(Claim, job.subject)
    if claim.state not in states or claim.desk is not Desk.CARRIER:
        finished(book, job)
        return None
    job = lease(book, job, env, terms)
    people = {person.role: person.contact() for person in book.of(Person, claim.parcel)}
    parcel = book.need(Parcel, claim.parcel)
    case = Case(
        key=claim.id,
        waybill=parcel.waybill,
        kind=claim.kind,
        amount_minor=claim.loss_minor,
        network=parcel.network,
        description=claim.description,
        reference=claim.reference,
        sender=people.get("sender"),
        settings=terms.accounts.get((job.channel, job.account), {}),
    )
    return Work(
        job.id, job.gen, job.kind, job.channel, job.account, claim.id, job.lease_until, case=case
    )


class FinishClaim(Record, frozen=True):
    """What the carrier says of a claim: of its filing, or of its decision."""

    job: str
    gen: int
    claim: str
    answer: Answer
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            claims=(self.claim,),
            of_parcel=FAMILY,
            of_interception=frozenset({Exceptional}),
            wallet=True,
        )


def finish_claim(book: Book, command: FinishClaim, env: Env, terms: Terms) -> Claim | No:
    claim = book.need(Claim, command.claim)
    job = book.need(Job, command.job)
    if job.gen != command.gen or job.state is not JobState.LEASED:
        return _late(book, claim, job, command.answer, env, terms)
    finished(book, job)
    if claim.state not in LIVE:
        return claim
    if job.kind is JobKind.CLAIM:
        return _filed(book, claim, job, command.answer, env, terms)
    return _answered(book, claim, job, command.answer, env, terms)


def _late(book: Book, claim: Claim, job: Job, answer: Answer, env: Env, terms: Terms) -> Claim:
    """An answer that was given up for lost. Of a filing it says that the carrier has it, and what
    it calls it: nobody need ask any more, nor file again."""
    asked = claim.state is ClaimState.UNDER_REVIEW and claim.desk is Desk.OPERATOR
    waits = (claim.state is ClaimState.FILED or asked) and not claim.reference
    if not (job.kind is JobKind.CLAIM and waits and answer.reference and answer.verdict in TAKEN):
        return claim
    close_exception(book, ExceptionKind.GIVEN_UP, claim.id, env)
    return _taken(book, claim, answer, env, terms)


def _taken(book: Book, claim: Claim, answer: Answer, env: Env, terms: Terms) -> Claim:
    """The carrier has the claim."""
    tells = terms.adapters[claim.channel].claim_query is not None  # else only people hear more
    claim = replace(
        claim,
        state=ClaimState.UNDER_REVIEW,
        desk=Desk.CARRIER if tells else Desk.OPERATOR,
        reference=answer.reference[:128] or claim.reference,
        version=claim.version + 1,
    )
    if tells:
        _ask_later(book, claim, JobKind.CLAIM_FOLLOW, env.now + delay(ASK_DELAYS_MS, 8), 0)
    return book.put(claim)


def _filed(book: Book, claim: Claim, job: Job, answer: Answer, env: Env, terms: Terms) -> Claim:
    adapter = terms.adapters[claim.channel]
    if answer.verdict in TAKEN:
        return _taken(book, claim, answer, env, terms)
    unsafe = answer.verdict is Verdict.UNKNOWN and not (
        adapter.claim is not None and adapter.claim.repeatable
    )
    if answer.verdict is Verdict.REFUSED or unsafe or job.attempts >= CLAIM_ATTEMPTS_MAX:
        return _to_operator(book, claim, answer, env)
    due = env.now + delay(SEND_DELAYS_MS, job.attempts - 1)
    _ask_later(book, claim, JobKind.CLAIM, due, job.attempts)
    return claim


def _answered(book: Book, claim: Claim, job: Job, answer: Answer, env: Env, terms: Terms) -> Claim:
    if answer.verdict is Verdict.ACCEPTED and answer.grant_minor is not None:
        if answer.grant_minor <= 0:
            return reject(book, claim, "CARRIER_GRANTED_NOTHING", env)
        decision = f"carrier:{claim.channel}:{claim.reference}:{answer.grant_minor}"
        result = grant(
            book, claim, answer.grant_minor, decision, f"carrier:{claim.channel}", env, terms
        )
        if result is not None:
            claim = result.claim
        elif claim.state is ClaimState.UNDER_REVIEW:
            return reject(book, claim, "CAP_REACHED", env)
        if claim.state is ClaimState.PARTLY_AWARDED:
            return _more_to_come(book, claim, env, terms)
        return claim
    if answer.verdict in (Verdict.REFUSED, Verdict.MISSED):
        return reject(book, claim, why(answer), env)
    if claim.state is ClaimState.PARTLY_AWARDED:
        return _more_to_come(book, claim, env, terms)
    due = env.now + delay(ASK_DELAYS_MS, 8 + job.attempts)
    _ask_later(book, claim, JobKind.CLAIM_FOLLOW, due, job.attempts)
    return claim


def _more_to_come(book: Book, claim: Claim, env: Env, terms: Terms) -> Claim:
    """A carrier may grant the rest later; when the window is over, what it gave was all."""
    if env.now < claim.filed_at + terms.contracts[claim.channel].claim_window_ms:
        _ask_later(book, claim, JobKind.CLAIM_FOLLOW, env.now + DAY_MS, 0)
        return claim
    done = replace(claim, state=ClaimState.AWARDED, version=claim.version + 1)
    return book.put(done)


def _ask_later(book: Book, claim: Claim, kind: JobKind, due: int, attempts: int) -> None:
    job = schedule(book, kind, claim.id, claim.channel, claim.account, due)
    book.put(replace(job, attempts=attempts))


def unheard(book: Book, job: Job, env: Env, terms: Terms) -> Job:
    """Whoever filed has gone: the filing may have gone out. Where a carrier would take a second
    one for another claim, a person asks it."""
    claim = book.need(Claim, job.subject)
    operation = terms.adapters[claim.channel].claim
    waits = claim.state is ClaimState.FILED and claim.desk is Desk.CARRIER
    if not waits or operation is None or operation.repeatable:
        return job
    _to_operator(book, claim, Answer(Verdict.UNKNOWN), env)
    return book.put(at_rest(job))


def refile(book: Book, claim: Claim, env: Env, terms: Terms) -> None:
    """After a restore: a filing that may have gone out is repeated where that is safe, else a
    person asks the carrier."""
    job = book.get(Job, f"{JobKind.CLAIM}/{claim.id}")
    if job is None:
        return
    operation = terms.adapters[claim.channel].claim
    waits = claim.state is ClaimState.FILED and claim.desk is Desk.CARRIER
    if waits and operation is not None and operation.repeatable:
        again = at_rest(job, JobState.WAIT, env.now, job.attempts)
        book.put(replace(again, gen=job.gen + 1))
        return
    book.put(replace(at_rest(job), gen=job.gen + 1))
    if waits:
        _to_operator(book, claim, Answer(Verdict.UNKNOWN), env)


def _to_operator(book: Book, claim: Claim, answer: Answer, env: Env) -> Claim:
    open_exception(
        book, ExceptionKind.GIVEN_UP, claim.id, claim.tenant, env, f"claim {answer.reason}"
    )
    return book.put(
        replace(
            claim,
            state=ClaimState.UNDER_REVIEW,
            desk=Desk.OPERATOR,
            reason=why(answer),
            version=claim.version + 1,
        )
    )
