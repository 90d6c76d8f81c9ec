"""A trace of the model, played on the gateway's real decisions, compared after every step.

What happens in the store is done by the domain's own commands; what the network, the carrier and
the workers' memory do has no row, and only decides what a worker later commits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from adapters import ADAPTERS
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Cause,
    Fact,
    Grade,
    Milestone,
    Reason,
    Scan,
    Verdict,
)
from gateway.domain.due import LeaseDue, lane
from gateway.domain.interception import Decision, ExceptionKind, Job, JobKind, JobState
from gateway.domain.leasing import Work
from gateway.domain.lifecycle import follow
from gateway.domain.reading import Observe
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal
from tests.domain.stage import Stage, terms_of
from tests.model.parts import Carrier, Fate, Known, Look, Query, State, Step

QUERIED = {
    Known.NOTHING: Verdict.ABSENT,
    Known.RECEIVED: Verdict.RECEIVED,
    Known.ACCEPTED: Verdict.ACCEPTED,
    Known.FIRM: Verdict.ACCEPTED,
    Known.REFUSED: Verdict.MISSED,
    Known.CANCELLED: Verdict.CANCELLED,
}
REASONS = {
    Verdict.REFUSED: Reason.TOO_LATE,
    Verdict.UNKNOWN: Reason.NO_ANSWER,
    Verdict.BUSY: Reason.NOT_SENT,
}
SCANS = {
    Fate.DELIVERED: (Milestone.SIGNED, Cause.UNSTATED),
    Fate.RETURNING: (Milestone.RETURNING, Cause.INTERCEPTION),
    Fate.TURNED_OTHERWISE: (Milestone.RETURNING, Cause.ADDRESSEE_REFUSED),
}
CHANNEL = "zto"


def adapter_of(carrier: Carrier) -> Adapter:
    """A carrier of the registry with the abilities of the model's."""
    whole = ADAPTERS[CHANNEL]
    return replace(
        whole,
        dedup=Fact(carrier.dedup, Grade.ASSUMED),
        promise_on=Fact(carrier.promise, Grade.ASSUMED),
        tombstone=Fact(carrier.tombstone, Grade.ASSUMED),
        query=whole.query if carrier.query is not Query.NONE else None,
        track=whole.track if carrier.track else None,
        cancel=whole.cancel if carrier.cancel else None,
    )


def stage_of(carrier: Carrier) -> Stage:
    terms = terms_of()
    adapters = {**terms.adapters, CHANNEL: adapter_of(carrier)}
    stage = Stage(CHANNEL, replace(terms, adapters=adapters))
    stage.create(slot=False)
    return stage


@dataclass
class Played:
    """The real decisions, as far as a trace has come."""

    stage: Stage
    works: dict[int, Work] = field(default_factory=dict)  # what each worker has taken
    asked_ms: dict[int, int] = field(default_factory=dict)
    turned_at: int = 0

    def play(self, step: Step, before: State, after: State) -> None:
        self.stage.machine_ms += 1
        act = ACTS.get(step.name)
        if act is not None:
            act(self, step, before)
        self._compare(after)

    # -- what reaches the store ----------------------------------------------------------------

    def lease(self, step: Step, _: State) -> None:
        self._due(JobKind.SUBMIT)
        self.works[step.worker] = self._taken(JobKind.SUBMIT)

    def take_over(self, *_: object) -> None:
        self._run_out(JobKind.SUBMIT)

    def expire(self, *_: object) -> None:
        self._due(JobKind.SUBMIT)
        self._without_room()

    def commit(self, step: Step, _: State) -> None:
        told = Verdict(step.choice)
        verdict = Verdict.UNKNOWN if told is Verdict.BUSY else told
        answer = Answer(verdict, REASONS.get(told, Reason.NONE))
        self.stage.finish(answer, self.works[step.worker])

    def look(self, step: Step, _: State) -> None:
        stage = self.stage
        self._run_out(JobKind.FOLLOW)
        follow(stage.book, stage.ic, stage.now)
        stage.book.keep()
        self.works[step.worker] = self._taken(JobKind.FOLLOW)
        self.asked_ms[step.worker] = stage.env.machine_ms

    def observe(self, step: Step, before: State) -> None:
        look = before.workers[step.worker].told
        assert isinstance(look, Look)
        work = self.works[step.worker]
        asked = None if look.asked is None else Answer(QUERIED[look.asked])
        tracked = self.stage.adapter.track is not None
        read = Answer(Verdict.RECEIVED, scans=tuple(self._scans(look))) if tracked else None
        at = self.asked_ms[step.worker]
        self.stage.do(Observe(work.job, work.gen, work.subject, asked, read, at))

    def withdraw(self, *_: object) -> None:
        assert not isinstance(self.stage.withdraw(), Refusal)

    def lease_cancel(self, step: Step, _: State) -> None:
        self._run_out(JobKind.WITHDRAW)
        self._due(JobKind.WITHDRAW)
        self.works[step.worker] = self._taken(JobKind.WITHDRAW)

    def commit_cancel(self, step: Step, _: State) -> None:
        told = Verdict(step.choice)
        reason = Reason.NO_ANSWER if told is Verdict.UNKNOWN else Reason.NONE
        self.stage.finish(Answer(told, reason), self.works[step.worker])

    # -- time ------------------------------------------------------------------------------------

    def deadline(self, *_: object) -> None:
        self.stage.now = self.stage.ic.send_deadline

    def bound(self, *_: object) -> None:
        """As if the attempts had begun that much earlier."""
        stage = self.stage
        began = stage.env.machine_ms - stage.terms.in_flight_bound_ms(CHANNEL)
        for post in stage.posts():
            stage.book.put(replace(post, started_ms=began))
        stage.book.keep()

    def turn(self, *_: object) -> None:
        self.turned_at = self.stage.now

    # -- means -----------------------------------------------------------------------------------

    def _scans(self, look: Look) -> Iterable[Scan]:
        if look.fate in SCANS:
            milestone, cause = SCANS[look.fate]
            yield self.stage.scan(milestone, self.turned_at, cause=cause)

    def _due(self, kind: JobKind) -> None:
        """The delay has passed; that there is a job waiting is the gateway's own doing."""
        job = self.stage.job(kind)
        assert job.state is JobState.WAIT, f"nobody will {kind}: the job is {job.state}"
        self.stage.book.put(replace(job, due_at=self.stage.now))
        self.stage.book.keep()

    def _taken(self, kind: JobKind) -> Work:
        works: list[Work] = self.stage.do(LeaseDue((kind,), 100, {}))
        (work,) = works
        return work

    def _run_out(self, kind: JobKind) -> None:
        job = self.stage.book.get(Job, f"{kind}/{self.stage.key}")
        if job is None or job.state is not JobState.LEASED:
            return
        self.stage.book.put(replace(job, lease_until=self.stage.env.machine_ms, crashes=0))
        self.stage.book.keep()
        self._without_room((kind,))

    def _without_room(self, kinds: Sequence[JobKind] = (JobKind.SUBMIT,)) -> None:
        full = {lane(kind, CHANNEL, "main"): 0 for kind in JobKind}
        self.stage.do(LeaseDue(tuple(kinds), 100, full))

    def _compare(self, after: State) -> None:
        stage, ic = self.stage, self.stage.ic
        assert (ic.decision, ic.money, ic.cancel) == (after.decision, after.money, after.cancel)
        assert (ic.sent_at > 0) == after.sent
        assert [post.outcome for post in stage.posts()] == [post.row for post in after.posts]
        leased = stage.job_state(JobKind.SUBMIT) is JobState.LEASED
        assert leased == after.leased
        late = after.decision is Decision.LATE_ACCEPTED
        assert (ExceptionKind.LATE_ACCEPTANCE in stage.exceptions()) == late


ACTS: dict[str, Callable[[Played, Step, State], None]] = {
    "lease": Played.lease,
    "take_over": Played.take_over,
    "expire": Played.expire,
    "commit": Played.commit,
    "look": Played.look,
    "observe": Played.observe,
    "withdraw": Played.withdraw,
    "lease_cancel": Played.lease_cancel,
    "commit_cancel": Played.commit_cancel,
    "deadline": Played.deadline,
    "bound": Played.bound,
    "deliver": Played.turn,
    "turn": Played.turn,
    "turn_otherwise": Played.turn,
}
