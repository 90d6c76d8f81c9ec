"""The verdict on a load run: the demo's rules where they fit, and those of money under load.

A rule yields what differs as (interception, sentence). What each parcel must come to was computed
from the seed before the first call, and the ledger is read entry by entry.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

from loadtest.evidence import Entry, Evidence, Rule
from loadtest.traffic import expected
from loadtest.traffic.expected import Span
from loadtest.traffic.plan import Arrival, Plan
from loadtest.verdict import RULES, Court, Differs

# A gateway under load may turn callers away; nobody asks for what is not eligible, or through two
# channels; what a carrier makes of a repeat it does not know as one is another matter each time.
LEFT_OUT = frozenset({"gt.answered", "gt.conditions", "gt.channels", "gt.covered"})
MOVES: Mapping[str, tuple[str, ...]] = {  # of a fee, by what the interception says of its money
    "NONE": (),
    "HELD": ("HOLD",),
    "CAPTURED": ("HOLD", "CAPTURE"),
    "RELEASED": ("HOLD", "RELEASE"),
    "REFUNDED": ("HOLD", "CAPTURE", "REFUND"),
}
FEE_KINDS = frozenset(kind for moves in MOVES.values() for kind in moves)
CHARGED = "CAPTURED"
PAID = frozenset({"PAYOUT", "SETTLE_OFFLINE"})
EXPLAINED = ("FAILED_PRECONDITION", "ALREADY_EXISTS")  # codes by which a Create may end
SUMS = ("interceptions", "held", "kept", "returned", "awards")


class Hearing:
    """The evidence beside the plan."""

    def __init__(self, evidence: Evidence, plan: Plan) -> None:
        self.court = Court.of(evidence)
        self.plan = plan
        self.entries: dict[str, list[Entry]] = defaultdict(list)
        for entry in evidence.entries:
            self.entries[entry.interception].append(entry)
        self.awards: Counter[tuple[str, str]] = Counter()
        for claim in evidence.claims:
            self.awards[claim.carrier, claim.waybill] += sum(a.amount for a in claim.awards)

    def created(self) -> Iterator[tuple[Arrival, str, str]]:
        """What was planned and is there: with the interception's id, and its money."""
        for key, case in self.court.cases.items():
            if case.last is not None and key in self.plan.by_key:
                yield self.plan.by_key[key], case.last.id, case.last.money


def ghosts(hearing: Hearing) -> Differs:
    known = {each for case in hearing.court.cases.values() for each in case.asked.created}
    for one in hearing.court.evidence.interceptions:
        if one.id not in known:
            yield one.id, f"{one.carrier} {one.waybill}: no client was told of it"


def refused(hearing: Hearing) -> Differs:
    for case in hearing.court.cases.values():
        asked = case.asked
        if asked.refused and asked.quoted and not asked.refused.startswith(EXPLAINED):
            yield "", f"{asked.carrier} {asked.waybill}: {asked.refused}"


def moved(hearing: Hearing) -> Differs:
    for case in hearing.court.cases.values():
        for one in case.ours:
            found = [entry for entry in hearing.entries[one.id] if entry.kind in FEE_KINDS]
            kinds = [entry.kind for entry in found]
            if sorted(kinds) != sorted(MOVES[one.money]):
                yield one.id, f"its fee is {one.money}, and the ledger has {', '.join(kinds)}"
            wrong = [entry.amount for entry in found if entry.amount != one.fee]
            if wrong:
                yield one.id, f"a fee of {one.fee}, and {wrong} was moved"


def fees(hearing: Hearing) -> Differs:
    for arrival, key, money in hearing.created():
        due = expected.of(arrival, hearing.plan)
        kept = due.fee_minor if money == CHARGED else 0
        if kept not in due.kept_minor:
            fate = arrival.fate.name if arrival.fate else ""
            yield key, f"{fate}: {kept} of the fee kept, {due.kept_minor} by the seed"


def awarded(hearing: Hearing) -> Differs:
    for arrival, key, _ in hearing.created():
        assert arrival.parcel is not None
        due = expected.of(arrival, hearing.plan).awards_minor
        got = hearing.awards[arrival.parcel.key]
        if got not in due:
            fate = arrival.fate.name if arrival.fate else ""
            yield key, f"{fate}: {got} awarded, {due} by the seed"


def paid(hearing: Hearing) -> Differs:
    for claim in hearing.court.evidence.claims:
        for award in claim.awards:
            found = [e for e in hearing.entries[claim.interception] if e.award == award.id]
            out = [entry.amount for entry in found if entry.kind in PAID]
            made = [entry.amount for entry in found if entry.kind == "AWARD"]
            if out != [award.amount] or made not in ([], [award.amount]):
                told = f"awarded {award.amount}, entries {made}, paid {out}"
                yield claim.interception, f"{claim.waybill}: {told}"


def covered(hearing: Hearing) -> Differs:
    """Where the carrier was told to stop it: what it made of that is what the seed said."""
    for case in hearing.court.cases.values():
        ours = [one["outcome"] for one in case.truth["interceptions"] if not one["by_other"]]
        if ours and case.asked.outcome not in ours:
            key = case.last.id if case.last else ""
            yield key, f"{case.asked.waybill}: {ours} instead of {case.asked.outcome}"


def sums(hearing: Hearing) -> Differs:
    """What the seed says of those that were created, against the ledger."""
    created = list(hearing.created())
    totals = expected.totals((arrival for arrival, _, _ in created), hearing.plan)
    moved: Counter[str] = Counter()
    for entry in hearing.court.evidence.entries:
        moved[entry.kind] += entry.amount
    got = {
        "interceptions": len(hearing.court.evidence.interceptions),
        "held": moved["HOLD"],
        "kept": moved["CAPTURE"] - moved["REFUND"],
        "returned": moved["RELEASE"] + moved["REFUND"],
        "awards": sum(hearing.awards.values()),
    }
    due = {
        "interceptions": Span(totals.interceptions, totals.interceptions),
        "held": Span(totals.held_minor, totals.held_minor),
        "kept": totals.kept_minor,
        "returned": totals.returned_minor,
        "awards": totals.awards_minor,
    }
    for name in SUMS:
        if got[name] not in due[name]:
            yield "", f"{name}: {got[name]}, the seed says {due[name]}"


Check = Callable[[Hearing], Differs]
LOAD_RULES: tuple[tuple[str, str, Check], ...] = (
    ("load.ghosts", "nothing exists that no client was told of", ghosts),
    ("load.refused", "a Create is refused only by what its caller can act on", refused),
    ("load.covered", "carriers did what the seed said", covered),
    ("load.entries", "a fee is held once, and kept or returned once, never both", moved),
    ("load.fees", "every fee is where the seed says it ends", fees),
    ("load.awards", "every loss and damage brings min(loss, value, cap), by the seed", awarded),
    ("load.paid", "every award is paid exactly once", paid),
    ("load.sums", "the ledger adds up to what the seed said before the run", sums),
)


def judge(evidence: Evidence, plan: Plan) -> list[Rule]:
    """The gateway's own rules, those against the truth, and those of load."""
    hearing = Hearing(evidence, plan)
    own = [Rule(f"own {rule.name}", rule.title, rule.violations) for rule in evidence.audit]
    shared = [
        Rule(name, title, tuple(check(hearing.court)))
        for name, title, check in RULES
        if name not in LEFT_OUT
    ]
    return own + shared + [Rule(name, title, tuple(of(hearing))) for name, title, of in LOAD_RULES]


def differences(rules: list[Rule]) -> int:
    return sum(len(rule.violations) for rule in rules)
