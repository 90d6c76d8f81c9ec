"""A truthful carrier: what happens to one parcel, and what it answers when asked at any time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from gateway.domain.carrier import Answer, Cause, Milestone, Reason, Scan, Tier, Verdict
from gateway.domain.interception import Interception, Job, JobKind, JobState
from gateway.domain.leasing import Work
from gateway.domain.lifecycle import NEVER, follow
from gateway.domain.reading import QUIET_MS
from tests.domain.stage import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Stage

M, V = Milestone, Verdict
SECOND_MS = 1_000
STEPS_MAX = 400  # of one run: a day of asking and some twenty pushes


@dataclass(frozen=True, slots=True)
class Happening:
    """One scan of the truth: how long after the one before, and what."""

    milestone: Milestone
    gap_ms: int = HOUR_MS
    cause: Cause = Cause.UNSTATED
    on_return: bool = False  # under the return waybill, where the carrier gives one


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one truthful carrier did with one request and its parcel."""

    name: str
    reply: Answer
    happenings: tuple[Happening, ...]
    states: tuple[tuple[int, Verdict], ...] = ()  # what a query says from when on, after the send
    lost_replies: int = 0
    reply_after_ms: int = 300
    withdrawn_at: int = 0  # when the merchant changes his mind; 0 never

    def scans(self, stage: Stage) -> tuple[Scan, ...]:
        """Every scan of this history, in the order of their event times."""
        at, scans = START_MS, []
        numbered = stage.channel == "sf"
        for one in self.happenings:
            at += one.gap_ms
            turning = one.milestone is M.RETURNING
            scans.append(
                stage.scan(
                    one.milestone,
                    at,
                    cause=one.cause,
                    back=stage.back if numbered and turning else "",
                    waybill=stage.back if numbered and one.on_return else "",
                )
            )
        return tuple(scans)


@dataclass(frozen=True, slots=True)
class Delivery:
    """When one push of one scan arrives."""

    at: int
    scan: int  # its place in the history


@dataclass
class Carrier:
    """Plays a history against a stage: pushes as they arrive, every job as it falls due."""

    stage: Stage
    history: History
    tier: Tier
    scans: tuple[Scan, ...] = ()
    sent: int = 0
    withdrawn: bool = False
    replies: list[tuple[int, Work]] = field(default_factory=list)

    def run(self, deliveries: Sequence[Delivery]) -> Interception:
        stage = self.stage
        self.scans = self.history.scans(stage)
        stage.create()
        self._send(stage.work)
        waiting = sorted(deliveries, key=lambda each: (each.at, each.scan), reverse=True)
        end = max([d.at for d in deliveries] + [s.at_ms or 0 for s in self.scans])
        askable = stage.adapter.track is not None or stage.adapter.query is not None
        end += HOUR_MS if askable else QUIET_MS
        for _ in range(STEPS_MAX):
            push_at = waiting[-1].at if waiting else NEVER
            reply_at = self.replies[0][0] if self.replies else NEVER
            due = min(self._due(), push_at, reply_at, self._withdrawal())
            if due > end:
                break
            stage.now = max(stage.now, due)
            stage.machine_ms += 1
            if reply_at == due:
                self._reply(self.replies.pop(0)[1])
            elif self._withdrawal() == due:
                self.withdrawn = True
                stage.withdraw()
            elif push_at == due:
                one = waiting.pop()
                stage.push(self.tier, self.scans[one.scan], event=f"event-{one.scan}")
            else:
                self._work()
        stage.now = end
        self._last_reading()
        stage.audit()
        return stage.ic

    def _due(self) -> int:
        return min((job.due_at for job in self._jobs()), default=NEVER)

    def _jobs(self) -> list[Job]:
        jobs = self.stage.book.of(Job, self.stage.key)
        return [job for job in jobs if job.state is JobState.WAIT]

    def _withdrawal(self) -> int:
        if self.withdrawn or not self.history.withdrawn_at:
            return NEVER
        return START_MS + self.history.withdrawn_at

    def _send(self, work: Work | None) -> None:
        assert work is not None
        self.replies.append((self.stage.now + self.history.reply_after_ms, work))

    def _reply(self, work: Work) -> None:
        self.sent += 1
        lost = self.sent <= self.history.lost_replies
        silence = Answer(V.UNKNOWN, Reason.NO_ANSWER)
        self.stage.finish(silence if lost else self.history.reply, work)

    def _work(self) -> None:
        for work in self.stage.lease(JobKind.SUBMIT, JobKind.FOLLOW, JobKind.WITHDRAW):
            match work.kind:
                case JobKind.SUBMIT:
                    self._send(work)
                case JobKind.WITHDRAW:
                    turned = any(s.milestone is M.RETURNING for s in self._told())
                    said = V.TOO_LATE if turned else V.CANCELLED
                    self.stage.finish(Answer(said), work)
                case _:
                    self._read(work)

    def _read(self, work: Work) -> None:
        stage, query = self.stage, self.stage.adapter.query
        known = stage.known
        seen = tuple(scan for scan in self._told() if scan.waybill in known)
        answer = Answer(self._state()) if query is not None else None
        stage.observed(work, answer, seen)

    def _told(self) -> tuple[Scan, ...]:
        """The complete record up to now: what a truthful carrier answers when tracked."""
        return tuple(scan for scan in self.scans if (scan.at_ms or 0) <= self.stage.now)

    def _state(self) -> Verdict:
        if self.withdrawn and self.stage.ic.cancel.value in ("SENT", "DONE"):
            return V.CANCELLED
        said = V.RECEIVED
        for since, verdict in self.history.states:
            if self.stage.now >= START_MS + since:
                said = verdict
        return said

    def _last_reading(self) -> None:
        """As often as a reading finds another number to track."""
        for _ in range(3):
            follow(self.stage.book, self.stage.ic, self.stage.now)
            self.stage.book.keep()
            self._work()


# -- the histories ---------------------------------------------------------------------------

ACCEPTED = Answer(V.ACCEPTED, reference="cus-1")
RECEIVED = Answer(V.RECEIVED, reference="center-1")
SILENT = Answer(V.UNKNOWN, Reason.NO_ANSWER)


def refusal(reason: Reason) -> Answer:
    return Answer(V.REFUSED, reason, code="no")


def gaps(low: int = 30 * MINUTE_MS, high: int = 8 * HOUR_MS) -> st.SearchStrategy[int]:
    """Time between scans; whole seconds, as carriers write them."""
    return st.integers(low // SECOND_MS, high // SECOND_MS).map(lambda s: s * SECOND_MS)


ON = st.sampled_from([(), (M.IN_TRANSIT,), (M.IN_TRANSIT, M.AT_DESTINATION)])
OURS = st.sampled_from([Cause.INTERCEPTION, Cause.UNSTATED])


@st.composite
def path(draw: st.DrawFn, *steps: Milestone, back: bool = False) -> tuple[Happening, ...]:
    return tuple(Happening(step, draw(gaps()), on_return=back) for step in steps)


@st.composite
def way_back(
    draw: st.DrawFn, cause: Cause, *between: Milestone, ends: bool = True
) -> tuple[Happening, ...]:
    """Turned round, something on the way, and signed for at the sender's."""
    turned = Happening(M.RETURNING, draw(gaps()), cause)
    leg = draw(path(*draw(ON), *between, back=True))
    signed = draw(st.sampled_from([M.SIGNED, M.RETURN_SIGNED]))
    return (turned, *leg, *(draw(path(signed, back=True)) if ends else ()))


@st.composite
def returned(draw: st.DrawFn) -> History:
    first = draw(path(*draw(ON)))
    return promise("returned", draw, (*first, *draw(way_back(draw(OURS)))))


@st.composite
def damaged(draw: st.DrawFn) -> History:
    return promise("damaged", draw, draw(way_back(draw(OURS), M.DAMAGED)))


@st.composite
def lost(draw: st.DrawFn) -> History:
    before = draw(st.booleans())
    if before:
        return promise("lost", draw, draw(path(M.IN_TRANSIT, M.LOST)))
    turned = draw(way_back(draw(OURS), M.LOST, ends=False))
    return promise("lost on the way back", draw, turned)


@st.composite
def found(draw: st.DrawFn) -> History:
    before = draw(st.booleans())
    if before:
        first = draw(path(M.LOST, M.FOUND))
        return promise("lost, found", draw, (*first, *draw(way_back(draw(OURS)))))
    turned = draw(way_back(draw(OURS), M.LOST, M.FOUND))
    return promise("lost and found on the way back", draw, turned)


@st.composite
def delivered_anyway(draw: st.DrawFn) -> History:
    scans = draw(path(*draw(ON), M.OUT_FOR_DELIVERY, M.SIGNED))
    return promise("accepted, delivered anyway", draw, scans)


@st.composite
def not_shipped(draw: st.DrawFn) -> History:
    return promise("stopped before pick-up", draw, draw(path(M.CANCELLED)))


@st.composite
def withdrawn(draw: st.DrawFn) -> History:
    scans = (Happening(M.IN_TRANSIT, 5 * HOUR_MS), *draw(path(M.OUT_FOR_DELIVERY, M.SIGNED)))
    # after the promise: a query has said ACCEPTED by then
    return promise("withdrawn", draw, scans, withdrawn_at=3 * HOUR_MS, lost_replies=0)


@st.composite
def refused(draw: st.DrawFn) -> History:
    reason = draw(st.sampled_from([Reason.TOO_LATE, Reason.NOT_ALLOWED, Reason.UNLISTED]))
    scans = draw(path(*draw(ON), M.OUT_FOR_DELIVERY, M.SIGNED))
    return no("refused, delivered", draw, refusal(reason), scans)


@st.composite
def delivered_before(draw: st.DrawFn) -> History:
    scans = (Happening(M.SIGNED, -draw(gaps(MINUTE_MS, 20 * MINUTE_MS))),)
    return no("delivered before", draw, refusal(Reason.DELIVERED), scans)


@st.composite
def buyer_refused(draw: st.DrawFn) -> History:
    """The addressee turned it away before the carrier got to our request."""
    stated = draw(st.sampled_from([Cause.ADDRESSEE_REFUSED, Cause.UNSTATED]))
    scans = draw(path(M.OUT_FOR_DELIVERY, M.ADDRESSEE_REFUSED))
    scans += draw(way_back(stated))
    reply = draw(st.sampled_from([RECEIVED, refusal(Reason.TOO_LATE)]))
    missed = sum(each.gap_ms for each in scans)
    return no("buyer refused, returned", draw, reply, scans, states=((missed, V.MISSED),))


@st.composite
def another_ones(draw: st.DrawFn) -> History:
    """Somebody else had it intercepted before us."""
    reply = refusal(Reason.ALREADY_INTERCEPTED)
    early = Happening(M.IN_TRANSIT, -2 * HOUR_MS)
    turned = draw(way_back(Cause.INTERCEPTION))
    return no("somebody else's interception", draw, reply, (early, *turned))


@st.composite
def never_arrived(draw: st.DrawFn) -> History:
    """The request was lost on its way, and every repeat of it."""
    scans = (Happening(M.IN_TRANSIT, 6 * HOUR_MS), *draw(path(M.OUT_FOR_DELIVERY, M.SIGNED)))
    name, states = "never arrived", ((0, V.ABSENT),)
    return History(name=name, reply=SILENT, happenings=scans, states=states, lost_replies=99)


def promise(
    name: str,
    draw: st.DrawFn,
    happenings: tuple[Happening, ...],
    *,
    withdrawn_at: int = 0,
    lost_replies: int | None = None,
) -> History:
    """The carrier took it: its reply says so, or is lost; a query says so some minutes later."""
    took = draw(gaps(SECOND_MS, 20 * MINUTE_MS))
    lose = draw(st.integers(0, 2)) if lost_replies is None else lost_replies
    return History(
        name=name,
        reply=draw(st.sampled_from([ACCEPTED, RECEIVED])) if not withdrawn_at else ACCEPTED,
        happenings=happenings,
        states=((took, V.ACCEPTED),),
        lost_replies=lose,
        reply_after_ms=draw(st.integers(50, 9_900)),
        withdrawn_at=withdrawn_at,
    )


def no(
    name: str,
    draw: st.DrawFn,
    reply: Answer,
    happenings: tuple[Happening, ...],
    states: tuple[tuple[int, Verdict], ...] = ((0, V.ABSENT),),
) -> History:
    return History(
        name=name,
        reply=reply,
        happenings=happenings,
        states=states,
        lost_replies=draw(st.integers(0, 2)),
        reply_after_ms=draw(st.integers(50, 9_900)),
    )


HISTORIES: dict[str, Callable[[], st.SearchStrategy[History]]] = {
    "returned": returned,
    "damaged": damaged,
    "lost": lost,
    "found": found,
    "delivered_anyway": delivered_anyway,
    "not_shipped": not_shipped,
    "withdrawn": withdrawn,
    "refused": refused,
    "delivered_before": delivered_before,
    "buyer_refused": buyer_refused,
    "another_ones": another_ones,
    "never_arrived": never_arrived,
}


@st.composite
def disorder(draw: st.DrawFn, history: History) -> tuple[Delivery, ...]:
    """Each push once or more, each time with a delay of its own: any order can come of it."""
    at, deliveries = START_MS, []
    for place, one in enumerate(history.happenings):
        at += one.gap_ms
        delays = draw(st.lists(gaps(0, 2 * DAY_MS), min_size=1, max_size=3))
        deliveries += [Delivery(max(at, START_MS) + delay, place) for delay in delays]
    return tuple(deliveries)


def in_order(history: History) -> tuple[Delivery, ...]:
    """Each push once, as its scan happens."""
    at, deliveries = START_MS, []
    for place, one in enumerate(history.happenings):
        at += one.gap_ms
        deliveries.append(Delivery(max(at, START_MS) + SECOND_MS, place))
    return tuple(deliveries)
