"""The table: which protocol with which carrier, in which world, and what must come of it.

SAFE    no property is broken in any interleaving, while the carrier keeps its two promises
LATE    a promise of the carrier's is broken, and money went back too soon: each such state leads
        to LATE_ACCEPTED with an exception, or to somebody who looks
UNSAFE  a property is broken; the trace that shows it is as short as any
UNSEEN  money went back too soon, and there is a state from which nobody can learn of it
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum, auto

from gateway.domain.carrier import Dedup, Promise
from gateway.domain.interception import Decision
from gateway.domain.named import Named
from tests.model.parts import Carrier, Protocol, Query, Resend, World
from tests.model.search import DOES, RELEASED, TWICE, Report, Search
from tests.model.world import Model

D = Decision
PLAIN = frozenset({D.ACCEPTED, D.REFUSED, D.NEVER_SENT})


class Verdict(Named):
    SAFE = auto()
    LATE = auto()
    UNSAFE = auto()
    UNSEEN = auto()


class Ends(StrEnum):
    """How an interception comes to its end, where every fair run does."""

    ALONE = auto()
    OR_A_PERSON = auto()


SOUND = Protocol()
NEAR = World()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    protocol: str
    carrier: str
    able: Carrier
    how: Protocol = SOUND
    world: World = NEAR
    wide: bool = False  # has too many states to be looked at as far as the others
    verdict: Verdict = Verdict.SAFE
    fault: str = ""  # the property whose breach is shown
    settles: Ends = Ends.ALONE
    ends: frozenset[Decision] = field(default=PLAIN)  # decisions that must be reached, and no other

    def bounds(self, *, deep: bool) -> World:
        if not deep:
            return self.world
        if self.wide:
            return replace(self.world, posts_max=self.world.posts_max + 1, crashes_max=1)
        return replace(self.world, posts_max=3, crashes_max=2, readings_max=2)

    @property
    def name(self) -> str:
        return f"{self.protocol} / {self.carrier}"


RECOGNISES = Carrier(dedup=Dedup.REFERENCE, says_duplicate=False)
BY_WAYBILL = Carrier(dedup=Dedup.WAYBILL, track=True)
ASKED = Carrier(query=Query.OURS)
TRACKED = Carrier(track=True)
MUTE = Carrier()
ZTO = Carrier(dedup=Dedup.REFERENCE, query=Query.WAYBILL, track=True, promise=Promise.EVIDENCE)
AGAIN_BY_WAYBILL = Protocol(resend_by=frozenset({Dedup.WAYBILL}))
STILL = World(crashes_max=0)
LATE_ENDS = PLAIN | {D.LATE_ACCEPTED}
WITHDRAWN = PLAIN | {D.CANCELLED}

SAFE = (
    Case(
        protocol="send again",
        carrier="recognises our reference",
        able=RECOGNISES,
        settles=Ends.OR_A_PERSON,
    ),
    Case(
        protocol="send again, query, track",
        carrier="as ZTO",
        able=ZTO,
        world=STILL,
        wide=True,
    ),
    Case(
        protocol="send again, track",
        carrier="recognises the waybill",
        able=BY_WAYBILL,
        how=AGAIN_BY_WAYBILL,
        world=STILL,
        wide=True,
        ends=LATE_ENDS,
    ),
    Case(
        protocol="cancel",
        carrier="a cancel leaves a tombstone",
        able=Carrier(cancel=True, tombstone=True),
        how=Protocol(too_late_accepts=True),
        world=World(merchant_withdraws=True),
        wide=True,
        ends=WITHDRAWN,
    ),
    Case(protocol="query after the bound", carrier="its answer bears our reference", able=ASKED),
    Case(
        protocol="query after the bound, track",
        carrier="its answer names the waybill",
        able=Carrier(query=Query.WAYBILL, track=True),
        world=STILL,
        wide=True,
        ends=LATE_ENDS,
    ),
    Case(protocol="track", carrier="tracks, as SF", able=TRACKED, ends=LATE_ENDS),
    Case(protocol="wait", carrier="none of these", able=MUTE, settles=Ends.OR_A_PERSON),
    Case(
        protocol="track, withdraw",
        carrier="tracks and cancels, as SF",
        able=Carrier(track=True, cancel=True),
        world=World(merchant_withdraws=True, crashes_max=0),
        wide=True,
        ends=LATE_ENDS | WITHDRAWN,
    ),
    Case(
        protocol="send again, query, withdraw",
        carrier="recognises us, cancels",
        able=Carrier(dedup=Dedup.REFERENCE, query=Query.WAYBILL, cancel=True),
        world=World(merchant_withdraws=True, crashes_max=0),
        wide=True,
        settles=Ends.OR_A_PERSON,
        ends=WITHDRAWN,
    ),
)

BROKEN_PROMISES = (
    Case(
        protocol="send again, query, track",
        carrier="recognises us; a request outlives the bound",
        able=Carrier(dedup=Dedup.REFERENCE, query=Query.WAYBILL, track=True),
        world=World(bound_holds=False, crashes_max=0),
        wide=True,
        verdict=Verdict.LATE,
        ends=LATE_ENDS,
    ),
    Case(
        protocol="send again, track",
        carrier="recognises us; accepts what it refused",
        able=Carrier(dedup=Dedup.REFERENCE, says_duplicate=False, track=True),
        world=World(refusals_stand=False, crashes_max=0),
        wide=True,
        verdict=Verdict.LATE,
        ends=LATE_ENDS,
    ),
    Case(
        protocol="query after the bound",
        carrier="a request outlives the bound",
        able=ASKED,
        world=World(bound_holds=False),
        verdict=Verdict.UNSAFE,
        fault=TWICE,
        ends=LATE_ENDS,
    ),
    Case(
        protocol="query after the bound, withdraw",
        carrier="recognises us; a request outlives the bound",
        able=Carrier(dedup=Dedup.REFERENCE, query=Query.OURS, track=True, cancel=True),
        world=World(bound_holds=False, merchant_withdraws=True, posts_max=1, crashes_max=0),
        wide=True,
        verdict=Verdict.UNSEEN,
        ends=LATE_ENDS | WITHDRAWN,
    ),
)

UNSAFE = (
    Case(
        protocol="refund on time-out",
        carrier="none of these",
        able=MUTE,
        how=Protocol(refund_on_time_out=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="the query says not found, so refund",
        carrier="its answer bears our reference",
        able=ASKED,
        how=Protocol(refund_when_absent=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="asked before the bound, believed after",
        carrier="its answer bears our reference",
        able=ASKED,
        how=Protocol(bound_at_ask=False),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="the cancel says no such order, so refund",
        carrier="cancels, no tombstone",
        able=Carrier(cancel=True),
        how=Protocol(refund_when_cancel_absent=True),
        world=World(merchant_withdraws=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="send again all the same",
        carrier="none of these",
        able=MUTE,
        how=Protocol(resend=Resend.ALWAYS),
        verdict=Verdict.UNSAFE,
        fault=TWICE,
    ),
    Case(
        protocol="our repeat read as another's interception",
        carrier="recognises the waybill",
        able=BY_WAYBILL,
        how=Protocol(resend_by=frozenset({Dedup.WAYBILL}), duplicate_refuses=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="a repeat that did not leave, believed",
        carrier="recognises our reference",
        able=RECOGNISES,
        how=Protocol(unsent_repeat_believed=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="the lease is not checked before the socket",
        carrier="its answer bears our reference",
        able=ASKED,
        how=Protocol(lease_checked=False),
        verdict=Verdict.UNSAFE,
        fault=TWICE,
    ),
    Case(
        protocol="writes are not fenced by generation",
        carrier="its answer bears our reference",
        able=ASKED,
        how=Protocol(fenced=False),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
    Case(
        protocol="the attempt is not written ahead",
        carrier="none of these",
        able=MUTE,
        how=Protocol(written_ahead=False),
        verdict=Verdict.UNSAFE,
        fault=TWICE,
    ),
    Case(
        protocol="a timer taken for evidence",
        carrier="none of these",
        able=MUTE,
        how=Protocol(refund_when_overdue=True),
        verdict=Verdict.UNSAFE,
        fault=DOES,
    ),
)
CASES = (*SAFE, *BROKEN_PROMISES, *UNSAFE)


def explore(case: Case, *, deep: bool = False) -> Report:
    """Everything, or as far as the fault that the case is there to show."""
    model = Model(case.able, case.how, case.bounds(deep=deep))
    return Search(model, stop_at=case.fault if case.verdict is Verdict.UNSAFE else "").run()


def judge(case: Case, report: Report) -> Verdict:
    promises_kept = case.world.bound_holds and case.world.refusals_stand
    if report.faults and (promises_kept or not report.faults.keys() <= RELEASED):
        return Verdict.UNSAFE
    if report.traps:
        return Verdict.UNSEEN
    return Verdict.LATE if report.faults else Verdict.SAFE


def surprises(case: Case, report: Report) -> list[str]:
    """What the search found otherwise than the case says."""
    found = judge(case, report)
    if found is not case.verdict:
        return [f"{found}, not {case.verdict}"]
    if case.verdict is Verdict.UNSAFE:
        return [] if case.fault in report.faults else [f"not found: {case.fault}"]
    said = []
    if report.ends != case.ends:
        said.append(f"ends {sorted(report.ends)}, not {sorted(case.ends)}")
    if case.verdict is not Verdict.UNSEEN and report.alone != (case.settles is Ends.ALONE):
        said.append("settles alone" if report.alone else "needs a person")
    return said
