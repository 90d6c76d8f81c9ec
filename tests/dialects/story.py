"""A parcel's whole life as a gateway sees it: submitted, asked after, tracked, told."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.domain.carrier import (
    Answer,
    Cause,
    ClaimKind,
    Milestone,
    Order,
    Path,
    Promise,
    Push,
    Scan,
    Verdict,
)
from gateway.domain.record import replace
from simulator import world
from simulator.depot import Record
from simulator.dialect import Announcement
from simulator.outcomes import Outcome
from simulator.truth import ClaimState, Facts, facts, judge
from simulator.world import DAY_MS, Event, Mark, ReturnNumber
from tests.dialects.bench import Bench, numbers
from tests.dialects.checks import Make, Wrong, effects, told

M, V = Milestone, Verdict
ON_THE_WAY = {M.IN_TRANSIT, M.RETURNING, M.PICKED_UP, M.AT_DESTINATION, M.ORDERED}
READS: dict[Event, set[Milestone]] = {  # what a scan of this event may be read as
    Event.PICKED_UP: {M.PICKED_UP},
    Event.DEPARTED: {M.IN_TRANSIT},
    Event.ARRIVED: {M.IN_TRANSIT},
    Event.AT_OUTLET: {M.AT_DESTINATION, M.IN_TRANSIT},
    Event.OUT_FOR_DELIVERY: {M.OUT_FOR_DELIVERY},
    Event.SIGNED: {M.SIGNED},
    Event.ADDRESSEE_REFUSED: {M.ADDRESSEE_REFUSED, M.NOT_DELIVERED},
    Event.RETURN_STARTED: {M.RETURNING},
    Event.RETURN_PICKED_UP: ON_THE_WAY,
    Event.RETURN_DEPARTED: ON_THE_WAY,
    Event.RETURN_ARRIVED: ON_THE_WAY,
    Event.RETURN_AT_OUTLET: ON_THE_WAY,
    Event.RETURN_OUT_FOR_DELIVERY: {M.OUT_FOR_DELIVERY, M.RETURNING, M.IN_TRANSIT},
    Event.RETURN_SIGNED: {M.RETURN_SIGNED, M.SIGNED},
    Event.LOST: {M.LOST},
    Event.FOUND: {M.FOUND},
    Event.DAMAGED: {M.DAMAGED},
}
DECISIVE = {  # without these the money goes wrong
    *(Event.SIGNED, Event.RETURN_STARTED, Event.RETURN_SIGNED, Event.LOST, Event.FOUND),
    *(Event.DAMAGED, Event.ADDRESSEE_REFUSED),
}
NEVER_TAKEN = {
    *(Outcome.REFUSED, Outcome.REFUSED_UNLISTED),
    *(Outcome.BUYER_REFUSED, Outcome.INTERCEPTED_BY_OTHER),
}
PLAYED = (
    *(Outcome.RETURNED, Outcome.REFUSED, Outcome.REFUSED_UNLISTED, Outcome.LOST, Outcome.DAMAGED),
    *(Outcome.DELIVERED_ANYWAY, Outcome.BUYER_REFUSED, Outcome.INTERCEPTED_BY_OTHER),
    *(Outcome.ACCEPTED_BY_PUSH, Outcome.LOST_THEN_FOUND, Outcome.TURNED_THEN_DELIVERED),
    *(Outcome.DAMAGED_AFTER_RETURN, Outcome.LOST_THEN_DELIVERED, Outcome.LATE_ACCEPT),
    Outcome.LOST_THEN_TURNED,
)


@dataclass(slots=True)
class Story:
    bench: Bench
    record: Record
    submitted: Answer
    asked: list[tuple[int, Answer]] = field(default_factory=list)  # queries
    tracked: dict[str, tuple[Scan, ...]] = field(default_factory=dict)  # by number, the newest
    pushed: list[tuple[Mark, tuple[Scan, ...]]] = field(default_factory=list)
    trackable: bool = False
    wrong: list[str] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return facts(self.record, self.bench.now)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The parcel's own, and what answers and scans have named as that of its way back."""
        back = [answer.return_waybill for _, answer in self.asked]
        back += [scan.return_waybill for scan in self.scans()]
        own = (self.record.parcel.waybill, self.submitted.return_waybill, *back)
        return tuple(dict.fromkeys(number for number in own if number))

    def scans(self) -> Iterator[Scan]:
        for scans in self.tracked.values():
            yield from scans
        for _, scans in self.pushed:
            yield from scans


def lived(make: Make, outcome: Outcome, number: ReturnNumber | None = None) -> Story:
    """Everything that can be seen of a parcel until nothing more happens to it."""
    bench = make()
    record = bench.ship(outcome, number=number)
    order: Order = bench.question("intercept", record.parcel.waybill)
    story = Story(bench, record, bench.ask("intercept", order))
    order = replace(order, reference=story.submitted.reference or order.reference)
    start = bench.now
    _look(story, order)
    due = sorted({mark.at_ms for mark in record.course() if mark.at_ms > start})
    for at_ms in due:
        bench.now = at_ms
        for mark in record.course():
            if mark.at_ms == at_ms and mark.event in bench.dialect.announces:
                _hear(story, mark)
        _look(story, order)
    bench.now += DAY_MS
    _look(story, order)
    return story


def _look(story: Story, order: Order) -> None:
    bench = story.bench
    if bench.adapter.query is not None:
        question = bench.question("query", order.waybill, key=order.key, reference=order.reference)
        answer = bench.ask("query", question)
        story.asked.append((bench.now, answer))
        if answer.verdict in (V.REFUSED, V.BUSY):
            story.wrong.append(f"a query says {told(answer)}")
    tracker = bench.tracker()
    if tracker is None:
        return
    story.trackable, tracker.now = True, bench.now
    known: tuple[str, ...] = ()
    while known != story.numbers:  # a scan may name the number to look under next
        known = story.numbers
        for trace in tracker.spread(known):
            try:
                answer = tracker.ask("track", trace)
            except ValueError:
                story.wrong.append(f"{trace.waybills} cannot be tracked")
                return
            if answer.verdict is not V.RECEIVED:
                story.wrong.append(f"tracking {trace.waybills} says {told(answer)}")
            for waybill in numbers(trace):
                mine = tuple(scan for scan in answer.scans if scan.waybill == waybill)
                story.tracked[waybill] = mine


def _hear(story: Story, mark: Mark) -> None:
    bench, port = story.bench, story.bench.adapter.push
    if port is None:
        return
    sent = bench.push(Announcement(f"{mark.event}-{mark.at_ms}", story.record, mark))
    delivery = port.decode(Push({"content-type": sent.content_type, **_headers(sent)}, sent.body))
    story.pushed.append((mark, delivery.scans))
    if mark.waybill not in delivery.waybills and story.record.parcel.waybill not in (
        delivery.waybills
    ):
        story.wrong.append(f"a push about {mark.waybill} is read as about {delivery.waybills}")


def _headers(sent: object) -> dict[str, str]:
    return {name.lower(): text for name, text in getattr(sent, "headers", {}).items()}


# --- 3. what is seen is what happened ------------------------------------------------------------


def a_life_is_seen_as_it_was(make: Make, outcome: Outcome) -> Wrong:
    story = lived(make, outcome)
    yield from story.wrong
    yield from _decided(story, outcome)
    yield from _scanned(story)
    yield from _told(story)
    yield from _led_back(story)


def _decided(story: Story, outcome: Outcome) -> Wrong:
    """The decision: never an acceptance that was none, and none that stays hidden."""
    adapter, found, answer = story.bench.adapter, story.facts, story.submitted
    promised = answer.verdict is V.ACCEPTED
    if promised and adapter.promise_on.value is not Promise.REPLY:
        yield f"the answer to the request is a promise: {told(answer)}"
    taken = found.accepted_ms is not None and outcome is not Outcome.LATE_ACCEPT
    if promised and not taken:
        yield f"{outcome} is promised: {told(answer)}"
    early = [a for at, a in story.asked if a.verdict is V.ACCEPTED and not _accepted(story, at)]
    if early and outcome is not Outcome.INTERCEPTED_BY_OTHER:
        yield f"a query accepts what the carrier has not accepted: {told(early[0])}"
    if outcome in (Outcome.REFUSED, Outcome.REFUSED_UNLISTED, Outcome.INTERCEPTED_BY_OTHER):
        no = answer.verdict is V.REFUSED or any(a.verdict is V.MISSED for _, a in story.asked)
        yes = answer.verdict is V.RECEIVED and found.delivered_ms is not None
        duplicate = answer.verdict is V.DUPLICATE and outcome is Outcome.INTERCEPTED_BY_OTHER
        if not (no or yes or duplicate):
            yield f"{outcome} is answered {told(answer)}, and nothing says no later"
    turned = [scan for scan in story.scans() if scan.milestone is M.RETURNING]
    ours = [scan for scan in turned if scan.cause is Cause.INTERCEPTION]
    other = outcome is Outcome.INTERCEPTED_BY_OTHER and not says_whose(story)
    if ours and outcome in NEVER_TAKEN and not other:
        yield f"a return that is not ours is said to be: {ours[0]}"
    others = [s for s in turned if s.cause not in (Cause.INTERCEPTION, Cause.UNSTATED)]
    if others and taken:
        yield f"our return is said to be another's: {others[0]}"
    asked = any(a.verdict is V.ACCEPTED for _, a in story.asked)
    if taken and found.turned_ms is not None and not (promised or asked or turned):
        yield "it was accepted, and nothing ever shows it"
    if taken and effects(story.record) != 1:
        yield f"{effects(story.record)} effects"


def says_whose(story: Story) -> bool:
    """Whether this carrier writes a return that we asked for otherwise than somebody else's."""
    tracker = story.bench.tracker() or story.bench
    started = [m for m in story.record.course() if m.event is Event.RETURN_STARTED]
    if not started or Event.RETURN_STARTED not in tracker.dialect.announces:
        return True
    causes = (world.Cause.INTERCEPTION, world.Cause.OTHER_INTERCEPTION)
    told_ = {
        tracker.push(
            Announcement("id", story.record, dataclasses.replace(started[0], cause=cause))
        ).body
        for cause in causes
    }
    return len(told_) > 1


def _accepted(story: Story, at_ms: int) -> bool:
    entries = [e for e in story.record.journal if e.accepted_ms is not None and not e.by_other]
    return any((entry.accepted_ms or 0) <= at_ms for entry in entries)


def _scanned(story: Story) -> Wrong:
    """Tracking shows what happened, when, and under which number; nothing else."""
    if not story.trackable:
        return
    shown = world.scans(story.record.course(), story.bench.now)
    scans = [scan for scans in story.tracked.values() for scan in scans]
    yield from _truthful(scans, shown, "tracking")
    for mark in shown:
        if mark.event in DECISIVE and not any(_fits(scan, mark) for scan in scans):
            yield f"tracking never shows {mark.event} of {mark.waybill}: {_milestones(scans)}"


def _told(story: Story) -> Wrong:
    """So do pushes, where nothing can be tracked they must show all of it."""
    shown = world.scans(story.record.course(), story.bench.now)
    scans = [scan for _, scans in story.pushed for scan in scans]
    yield from _truthful(scans, shown, "a push")
    for mark, told_ in story.pushed:
        known = mark.event in DECISIVE and mark.event not in world.NOTICES
        if known and told_ and not any(_fits(scan, mark) for scan in told_):
            yield f"the push of {mark.event} is read as {_milestones(told_)}"


def _truthful(scans: list[Scan], shown: list[Mark], where: str) -> Wrong:
    for scan in scans:
        if scan.at_ms is None:
            yield f"{where} gives {scan.code} no time"
        elif scan.milestone is M.ORDERED and scan.at_ms <= shown[0].at_ms:
            continue  # an order is no parcel yet
        elif not any(_fits(scan, mark) for mark in shown):
            near = [m for m in shown if m.at_ms // 1000 == scan.at_ms // 1000]
            happened = ", ".join(f"{m.event} of {m.waybill}" for m in near) or "nothing"
            yield f"{where}: {scan.milestone} ({scan.code}) of {scan.waybill}; then was {happened}"


def _fits(scan: Scan, mark: Mark) -> bool:
    if scan.at_ms is None or scan.at_ms // 1000 != mark.at_ms // 1000:
        return False
    return scan.waybill == mark.waybill and scan.milestone in READS[mark.event]


def _milestones(scans: object) -> str:
    assert isinstance(scans, list | tuple)
    return ", ".join(f"{scan.milestone} ({scan.code})" for scan in scans) or "nothing"


def _led_back(story: Story) -> Wrong:
    """A return under a new number is found, and only one number is."""
    parcel, turned = story.record.parcel, story.facts.turned_ms is not None
    if not turned or parcel.return_waybill == parcel.waybill:
        strange = [number for number in story.numbers if number != parcel.waybill]
        if strange:
            yield f"the number of a way back that there is not: {strange}"
        return
    if not story.trackable and not any(scans for _, scans in story.pushed):
        return  # nobody tells of scans at all
    if parcel.return_waybill not in story.numbers:
        yield f"the new number {parcel.return_waybill} is never named"
    elif len(story.numbers) > 2:
        yield f"more numbers than there are: {story.numbers}"


def a_return_may_keep_its_number_or_not(make: Make, number: ReturnNumber) -> Wrong:
    """Whichever the carrier usually does. The unusual one may stay hidden; it tells no untruth."""
    story = lived(make, Outcome.RETURNED, number)
    yield from story.wrong
    yield from _decided(story, Outcome.RETURNED)
    if shows(story, number):
        yield from _scanned(story)
        yield from _told(story)
        yield from _led_back(story)


def shows(story: Story, number: ReturnNumber) -> bool:
    """Whether the carrier's words can say which number the way back has."""
    usual = number is story.bench.dialect.return_number
    return usual or number is ReturnNumber.SAME or len(story.numbers) > 1


# --- 3. withdrawn, cancelled before pick-up, priced, claimed -------------------------------------


def a_cancel_counts_until_the_parcel_is_turned(make: Make) -> Wrong:
    if make().adapter.cancel is None:
        return
    for turned in (False, True):
        bench = make()
        record = bench.ship()
        order: Order = bench.question("intercept", record.parcel.waybill)
        submitted = bench.ask("intercept", order)
        question = bench.question("cancel", order.waybill, key=order.key)
        question = replace(question, reference=submitted.reference or question.reference)
        course = record.course()
        back = next(mark.at_ms for mark in course if mark.event is Event.RETURN_STARTED)
        bench.now = back + 1 if turned else (bench.now + back) // 2
        answer = bench.ask("cancel", question)
        gone = record.journal[-1].cancelled_ms is not None
        if gone is turned:
            yield f"turned={turned}: cancelled={gone} by {told(answer)}"
        said = answer.verdict is V.CANCELLED
        waits = answer.verdict is V.RECEIVED
        if said is not gone and not waits:
            yield f"turned={turned}: cancelled={gone}, and the answer is {told(answer)}"
        again = bench.ask("cancel", question)
        if (again.verdict is V.CANCELLED) is not gone and not waits:
            yield f"turned={turned}: cancelled={gone}, and the second answer is {told(again)}"


def an_order_is_cancelled_before_pick_up_only(make: Make) -> Wrong:
    if make().adapter.cancel_order is None:
        return
    for status in (world.Status.NOT_PICKED_UP, world.Status.IN_TRANSIT, world.Status.DELIVERED):
        bench = make()
        record = bench.ship(status=status)
        answer = bench.ask("cancel_order", bench.question("cancel_order", record.parcel.waybill))
        gone = record.parcel.order_cancelled_ms is not None
        early = status is world.Status.NOT_PICKED_UP
        if gone is not early:
            yield f"{status}: cancelled={gone}"
        if early:
            if (answer.verdict, answer.path) != (V.ACCEPTED, Path.CANCELLED_BEFORE_PICKUP):
                yield f"{status}: {told(answer)} {answer.path}"
        elif answer.verdict not in (V.REFUSED, V.TOO_LATE):
            yield f"{status}: {told(answer)}"


def a_price_is_told_only_where_the_carrier_would(make: Make) -> Wrong:
    if make().adapter.quote is None:
        return
    for status in (world.Status.IN_TRANSIT, world.Status.DELIVERED):
        bench = make()
        record = bench.ship(status=status)
        answer = bench.ask("quote", bench.question("quote", record.parcel.waybill))
        would = status is world.Status.IN_TRANSIT
        if (answer.verdict in (V.RECEIVED, V.ACCEPTED)) is not would:
            yield f"{status}: {told(answer)}"
        priced = answer.fee_minor == record.account.options.fee_minor
        if would and answer.fee_minor is not None and not priced:
            yield f"{answer.fee_minor} {answer.currency}, not {record.account.options.fee_minor}"
        if record.journal:
            yield "asking for a price intercepted the parcel"


def a_claim_is_decided_as_the_carrier_does(make: Make, decision: str) -> Wrong:
    bench = make()
    if bench.adapter.claim is None:
        return
    record = bench.ship(Outcome.LOST, claim=decision)
    bench.ask("intercept", bench.question("intercept", record.parcel.waybill))
    bench.now += 10 * DAY_MS
    question = bench.question("claim", record.parcel.waybill, kind=ClaimKind.LOST)
    filed, again = bench.ask("claim", question), bench.ask("claim", question)
    if filed.verdict not in (V.RECEIVED, V.ACCEPTED) or not record.claims:
        yield f"a claim is answered {told(filed)}"
        return
    if bench.operation("claim").repeatable and len(record.claims) != 1:
        yield f"a claim that came twice is {len(record.claims)} claims"
    if again.verdict not in (V.RECEIVED, V.ACCEPTED, V.DUPLICATE):
        yield f"a claim that came twice is answered {told(again)}"
    if record.claims[0].asked_minor != question.amount_minor:
        yield f"{question.amount_minor} claimed, {record.claims[0].asked_minor} heard"
    if bench.adapter.claim_query is None:
        return
    asking = bench.question("claim_query", record.parcel.waybill, reference=filed.reference)
    early = bench.ask("claim_query", asking)
    if early.verdict not in (V.RECEIVED, V.UNKNOWN) or early.grant_minor is not None:
        yield f"before it is decided: {told(early)} {early.grant_minor}"
    bench.now += 10 * DAY_MS
    late = bench.ask("claim_query", asking)
    state, granted = judge(record, record.claims[0], bench.now)
    right = V.REFUSED if state is ClaimState.REJECTED else V.ACCEPTED
    if late.verdict is not right or (late.grant_minor or 0) != granted:
        yield f"{state} with {granted}, read as {told(late)} with {late.grant_minor}"
