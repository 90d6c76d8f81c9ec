"""The audit against what really happened: one function a rule, each pure over the evidence.

A rule yields what differs as (interception, sentence); silence is agreement. The fee is expected
from the carrier's truth, never from the gateway's own word.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtest.carriers import CARRIERS
from loadtest.evidence import Asked, Claim, Evidence, Filing, Interception, Rule
from loadtest.fleet import CAP_MINOR

Json = dict[str, Any]
Differs = Iterator[tuple[str, str]]
UNDECIDED = frozenset({"QUEUED", "SENDING", "PROCESSING", "UNKNOWN"})
PROMISED = frozenset({"ACCEPTED", "LATE_ACCEPTED"})
ON_THE_WAY = frozenset({"NONE", "RETURNING"})
CHARGED = "charged"
BEFORE_PICKUP = "CANCELLED_BEFORE_PICKUP"
NOTE = "NOTE"  # something was learnt, and no column changed


@dataclass(slots=True)
class Case:
    """One parcel from all three sides."""

    asked: Asked
    truth: Json
    ours: tuple[Interception, ...]

    @property
    def last(self) -> Interception | None:
        return self.ours[0] if self.ours else None


@dataclass(slots=True)
class Court:
    evidence: Evidence
    cases: dict[tuple[str, str], Case] = field(default_factory=dict)
    by_id: dict[str, Interception] = field(default_factory=dict)

    @classmethod
    def of(cls, evidence: Evidence) -> "Court":
        truths = {(line["carrier"], line["waybill"]): line for line in evidence.truth}
        ours: dict[tuple[str, str], list[Interception]] = {}
        for one in evidence.interceptions:
            ours.setdefault((one.carrier, one.waybill), []).append(one)
        cases = {
            asked.key: Case(asked, truths.get(asked.key, {}), tuple(ours.get(asked.key, ())))
            for asked in evidence.asked
        }
        return cls(evidence, cases, {one.id: one for one in evidence.interceptions})

    def settled(self) -> Iterator[tuple[Interception, Json]]:
        """Every interception with the truth of its parcel."""
        for case in self.cases.values():
            for one in case.ours:
                yield one, case.truth

    def can(self, carrier: str, operation: str) -> bool:
        return operation in self.evidence.offers[carrier]

    def kinds_of(self, interception: str) -> set[str]:
        return {e.kind for e in self.evidence.exceptions if e.interception == interception}


def untold(court: Court, one: Interception, truth: Json) -> bool:
    """The order was cancelled and the answer was lost; asked again, the carrier has but one word
    for cancelled and for confirmed, and no scan will ever follow. A person has it."""
    asked = one.decision == "UNKNOWN" and truth["order_cancelled_ms"] is not None
    return asked and one.exceptions > 0 and "NO_EVIDENCE" in court.kinds_of(one.id)


# -- money and decision against the carrier's truth ---------------------------------------


def stopped_ms(truth: Json) -> int | None:
    """When the carrier took the interception, or cancelled the order it had not picked up."""
    found: int | None = truth["accepted_ms"]
    return truth["order_cancelled_ms"] if found is None else found


def due(truth: Json, asked: Asked) -> int:
    """The fee that the carrier earned: for where the parcel was, by contract."""
    earned = truth["fee"] == CHARGED or truth["order_cancelled_ms"] is not None
    return CARRIERS[asked.carrier].fees[asked.status] if earned else 0


def requests(truth: Json) -> list[Json]:
    """Each by which the carrier was told to stop the parcel, in order of time."""
    seen = (*truth["requests"].get("intercept", ()), *truth["requests"].get("cancel_order", ()))
    return sorted(seen, key=lambda request: request["business_ms"])


def captured(court: Court) -> Differs:
    for case in court.cases.values():
        for one in case.ours:
            if (one.money == "CAPTURED") != (due(case.truth, case.asked) > 0):
                yield one.id, f"money {one.money}, the truth says {case.truth['fee']}"


def accepted(court: Court) -> Differs:
    for one, truth in court.settled():
        if stopped_ms(truth) is None or one.decision in PROMISED:
            late = one.decision == "LATE_ACCEPTED"
            if late and "LATE_ACCEPTANCE" not in court.kinds_of(one.id):
                yield one.id, "accepted late, and no exception says so"
            continue
        acknowledged = one.decision == "CANCELLED" and truth["cancel_acknowledged"]
        otherwise = truth["return_cause"] not in (None, "interception")
        delivered = truth["delivered_to_buyer_ms"] is not None and one.reason == "DELIVERED"
        if not (acknowledged or delivered or otherwise or untold(court, one, truth)):
            yield one.id, f"the carrier accepted, and the decision is {one.decision}"


def promised(court: Court) -> Differs:
    for one, truth in court.settled():
        if one.decision in PROMISED and stopped_ms(truth) is None:
            yield one.id, f"decision {one.decision}, and the carrier never accepted"


def released(court: Court) -> Differs:
    for one, truth in court.settled():
        if one.money != "RELEASED" or one.decision == "LATE_ACCEPTED":
            continue
        reasons = (
            truth["refused_ms"] is not None,
            truth["cancelled_ms"] is not None,
            truth["delivered_to_buyer_ms"] is not None,
            truth["return_cause"] not in (None, "interception"),
            not any(request["executed"] for request in requests(truth)),
        )
        if not any(reasons):
            yield one.id, "released, and nothing that really happened allows it"


def once(court: Court) -> Differs:
    for case in court.cases.values():
        twice = "executes_twice" in case.truth["faults"]
        for entry in case.truth["interceptions"]:
            if entry["effects"] > 1 and not twice:
                yield _id(case), f"{entry['effects']} effects of one interception"
        count = case.truth["requests_count"].get("intercept", 0)
        if twice and count > 1:
            yield _id(case), f"{count} requests to a carrier that executes each"


def written_first(court: Court) -> Differs:
    for case in court.cases.values():
        asked = requests(case.truth)
        sent = [s.at_ms for one in case.ours for s in one.log if s.target == "SENDING"]
        for request in asked:
            if not sent or min(sent) > request["business_ms"]:
                yield _id(case), "the carrier saw a request before the log did"
        if case.ours and not asked and any(one.decision in PROMISED for one in case.ours):
            yield _id(case), "promised without any request"


def moved(court: Court) -> Differs:
    for one, truth in court.settled():
        if one.decision not in PROMISED:
            continue
        expected = expected_movement(truth)
        if one.movement != expected:
            yield one.id, f"movement {one.movement}, the truth says {expected}"


def expected_movement(truth: Json) -> str:
    if truth["order_cancelled_ms"] is not None:
        return "NOT_SHIPPED"
    if truth["delivered_to_buyer_ms"] is not None:
        return "RETURN_FAILED"
    if truth["returned_ms"] is not None:
        return "RETURNED"
    if truth["lost_ms"] is not None and truth["found_ms"] is None:
        return "LOST"
    return "NONE" if truth["turned_ms"] is None else "RETURNING"


def unshipped(court: Court) -> Differs:
    for one, truth in court.settled():
        cancelled = truth["order_cancelled_ms"] is not None
        if (one.path == BEFORE_PICKUP) != cancelled and not untold(court, one, truth):
            yield one.id, f"path {one.path}, order cancelled: {cancelled}"


# -- what clients were told ---------------------------------------------------------------


def kept(court: Court) -> Differs:
    for case in court.cases.values():
        for created in case.asked.created[:1]:
            one = court.by_id.get(created)
            if one is None:
                yield created, "answered OK, and it does not exist"
            elif not one.fee == case.asked.created_fee == case.asked.quoted_fee:
                fees = (case.asked.quoted_fee, case.asked.created_fee, one.fee)
                yield created, f"quoted, created and kept fees differ: {fees}"


def repeated(court: Court) -> Differs:
    for case in court.cases.values():
        if len(set(case.asked.created)) > 1:
            yield case.asked.created[0], f"one request_id, several: {case.asked.created}"
        if len(case.ours) > 1 or (case.ours and not case.asked.created):
            yield _id(case), f"{len(case.ours)} interceptions of one request"


def answered(court: Court) -> Differs:
    for case in court.cases.values():
        if case.asked.refused:
            yield "", f"{case.asked.waybill}: Create refused: {case.asked.refused}"
        elif not case.asked.quoted:
            yield "", f"{case.asked.waybill}: never quoted"


def conditions(court: Court) -> Differs:
    for case in court.cases.values():
        asked = case.asked
        if sorted(asked.unmet) != sorted(asked.expected_unmet):
            yield _id(case), f"{asked.waybill}: {asked.unmet}, expected {asked.expected_unmet}"
        if any(not chinese or not english for chinese, english in asked.words):
            yield _id(case), f"{asked.waybill}: a condition without words"


def priced(court: Court) -> Differs:
    for case in court.cases.values():
        expected = CARRIERS[case.asked.carrier].fees.get(case.asked.status)
        priced_now = case.asked.quoted and not case.asked.unmet
        if priced_now and case.asked.quoted_fee != expected:
            yield _id(case), f"quoted {case.asked.quoted_fee}, the contract says {expected}"


def elsewhere(court: Court) -> Differs:
    """A parcel is one parcel, whichever channel leads to it."""
    for case in court.cases.values():
        asked = case.asked
        if asked.also and asked.also_unmet != ("INTERCEPT_OPEN",):
            yield _id(case), f"{asked.waybill} by {asked.also}: {asked.also_unmet}"


def covered(court: Court) -> Differs:
    for case in court.cases.values():
        wanted, got = case.asked.outcome, case.truth["outcome"]
        if wanted != got and not case.asked.unmet:
            yield _id(case), f"{case.asked.waybill}: {got} instead of {wanted}"


# -- wallets and claims -------------------------------------------------------------------


def balances(court: Court) -> Differs:
    expected = expected_wallets(court)
    for wallet in court.evidence.wallets:
        available = expected[wallet.merchant]
        if wallet.available != available:
            yield "", f"{wallet.merchant}: available {wallet.available}, expected {available}"
        if wallet.held or wallet.awarded:
            yield "", f"{wallet.merchant}: held {wallet.held}, awarded {wallet.awarded}"


def expected_wallets(court: Court) -> Mapping[str, int]:
    """Top-ups less the fees of what was really accepted, and the awards paid to the wallet."""
    available = {w.merchant: court.evidence.top_up for w in court.evidence.wallets}
    for case in court.cases.values():
        available[case.asked.merchant] -= due(case.truth, case.asked)
    for claim, amount in expected_awards(court).items():
        filing = next(f for f in court.evidence.filings if f.claim == claim)
        if CARRIERS[filing.carrier].payout == "wallet":
            merchant = court.cases[filing.carrier, filing.waybill].asked.merchant
            available[merchant] += amount
    return available


def expected_awards(court: Court) -> dict[str, int]:
    """Claim to min(loss, value, granted, what is left of the cap), first decided, first served."""
    claims = {claim.id: claim for claim in court.evidence.claims}
    spent: Counter[tuple[str, str]] = Counter()
    awards = {}
    for filing in sorted(court.evidence.filings, key=lambda f: _decided(claims.get(f.claim))):
        key = (filing.carrier, filing.waybill)
        granted = expected_grant(court.cases[key].truth, filing, claims.get(filing.claim))
        left = CAP_MINOR - spent[key]
        awards[filing.claim] = max(0, min(filing.loss, filing.value, granted, left))
        spent[key] += awards[filing.claim]
    return awards


def _decided(claim: Claim | None) -> tuple[int, str]:
    times = [award.at_ms for award in claim.awards] if claim else []
    return (min(times), claim.id) if times and claim else (2**62, "")


def expected_grant(truth: Json, filing: Filing, claim: Claim | None) -> int:
    if filing.granted is not None:
        return filing.granted if filing.due else 0
    number = claim.reference if claim else ""
    granted = (each["granted_minor"] for each in truth["claims"] if each["biz_no"] == number)
    return next(granted, None) or 0


def awarded(court: Court) -> Differs:
    claims = {claim.id: claim for claim in court.evidence.claims}
    for claim_id, amount in expected_awards(court).items():
        claim = claims.get(claim_id)
        if claim is None:
            yield "", f"claim {claim_id} was filed, and is not there"
            continue
        got = [award.amount for award in claim.awards]
        if got != ([amount] if amount else []):
            yield claim.interception, f"{claim.waybill} {claim.kind}: awards {got}, due {amount}"
        keys = [award.key for award in claim.awards]
        if len(keys) != len(set(keys)):
            yield claim.interception, f"{claim.waybill}: one decision awarded twice"


def paid_out(court: Court) -> Differs:
    for claim in court.evidence.claims:
        for award in claim.awards:
            way = CARRIERS[claim.carrier].payout
            if award.paid != award.amount or award.channel.lower() != way:
                told = f"{award.paid} of {award.amount} by {award.channel}"
                yield claim.interception, f"{claim.waybill}: paid {told}"


def capped(court: Court) -> Differs:
    totals: Counter[tuple[str, str]] = Counter()
    for claim in court.evidence.claims:
        totals[claim.carrier, claim.waybill] += sum(award.amount for award in claim.awards)
    for (carrier, waybill), total in totals.items():
        most = min(CAP_MINOR, court.cases[carrier, waybill].truth["value_minor"])
        if total > most:
            yield "", f"{waybill}: {total} awarded, at most {most}"


def claimed(court: Court) -> Differs:
    """Whatever the truth calls claimable could be filed for; the client filed for all of it. Where
    a carrier cannot be asked, one may hear no more than that the buyer has the parcel."""
    filed = {(filing.carrier, filing.waybill, filing.kind) for filing in court.evidence.filings}
    for one, truth in court.settled():
        kind = str(truth["claimable"]).upper()
        unheard = one.reason == "DELIVERED" and not court.can(one.carrier, "QUERY")
        if kind != "NONE" and not unheard and (one.carrier, one.waybill, kind) not in filed:
            yield one.id, f"{kind.lower()}, and no claim was taken"


# -- pushes, events, rest -----------------------------------------------------------------


def pushes_kept(court: Court) -> Differs:
    for carrier in court.evidence.offers:
        told = len(_messages(court, carrier))
        kept_count = court.evidence.pushes.get(f"{carrier} new", 0)
        if told != kept_count:
            yield "", f"{carrier}: {told} acknowledged, {kept_count} kept"


def subscribed(court: Court) -> Differs:
    for case in court.cases.values():
        unwatched = case.truth["watched_ms"] is None
        known = case.asked.quoted and court.can(case.asked.carrier, "SUBSCRIBE")
        if known and unwatched:
            yield _id(case), f"{case.asked.waybill}: nobody asked to be told about it"


def forged_refused(court: Court) -> Differs:
    for case in court.cases.values():
        for push in case.truth["pushes"]:
            if push["forged"] and push["acknowledged"]:
                yield _id(case), f"{case.asked.waybill}: a forged push was acknowledged"


def pushes_acknowledged(court: Court) -> Differs:
    for case in court.cases.values():
        for push in case.truth["pushes"]:
            sent = push["attempts"] and not push["forged"]
            if sent and not push["acknowledged"]:
                yield _id(case), f"{case.asked.waybill}: a genuine push got {push['status']}"


def _messages(court: Court, carrier: str) -> set[str]:
    """Acknowledged; one may have told several things."""
    return {
        push["message"]
        for case in court.cases.values()
        if case.asked.carrier == carrier
        for push in case.truth["pushes"]
        if push["acknowledged"] and not push["forged"]
    }


def watched(court: Court) -> Differs:
    heard = Counter((step.interception, step.seq) for step in court.evidence.watched)
    for end, times in court.evidence.watch_faults.items():
        yield "", f"the stream ended {times} times in {end}"
    twice = [key for key, count in heard.items() if count > 1]
    for interception, seq in twice:
        yield interception, f"event {seq} came more than once"
    for one in court.evidence.interceptions:
        steps = (step.seq for step in one.log if step.column != NOTE)
        missing = [seq for seq in steps if (one.id, seq) not in heard]
        if missing:
            yield one.id, f"events {missing} never came"


def logged(court: Court) -> Differs:
    for one in court.evidence.interceptions:
        seqs = [step.seq for step in one.log if step.column != NOTE]
        if seqs != list(range(1, len(seqs) + 1)):
            yield one.id, f"its log has gaps: {seqs}"
        for step in one.log:
            left = step.column == "DECISION" and step.source in ("PROCESSING", "UNKNOWN")
            if left and not step.evidence:
                yield one.id, f"left {step.source} without evidence"
        folded = {step.column: step.target for step in one.log}
        shown = {"DECISION": one.decision, "MONEY": one.money}
        for column, value in shown.items():
            if folded.get(column) != value:
                yield one.id, f"{column} is {value}, its log ends in {folded.get(column)}"


def ended(court: Court) -> Differs:
    for one, _ in court.settled():
        open_ended = one.decision in UNDECIDED or one.money == "HELD"
        open_ended |= one.decision in PROMISED and one.movement in ON_THE_WAY
        if open_ended and not one.exceptions:
            yield one.id, f"{one.decision}/{one.movement}/{one.money} in the end, and nobody told"


def _id(case: Case) -> str:
    return case.last.id if case.last else ""


Check = Callable[[Court], Differs]
RULES: tuple[tuple[str, str, Check], ...] = (
    ("inv.C1", "the fee is kept exactly where the carrier accepted and the promise held", captured),
    ("inv.C2", "what the carrier accepted is accepted here, or withdrawn, or late", accepted),
    ("gt.promise", "nothing is promised that the carrier did not accept", promised),
    ("inv.C3", "a fee is released only for a cause that really happened", released),
    ("inv.C4", "one interception has at most one effect at the carrier", once),
    ("inv.C5", "every request the carrier saw was written down before", written_first),
    ("gt.movement", "a promised parcel is where the carrier's truth has it", moved),
    ("gt.path", "what was not picked up is cancelled, and nothing else", unshipped),
    ("inv.I3", "every Create answered OK exists, with the fee that was quoted", kept),
    ("inv.I2", "one request_id made one interception", repeated),
    ("gt.answered", "every parcel was quoted, and every eligible one taken", answered),
    ("gt.conditions", "every unmet condition was named, in Chinese and English", conditions),
    ("gt.price", "the fee is the contract's for where the parcel was", priced),
    ("gt.channels", "a parcel under way by one channel is so by all", elsewhere),
    ("gt.covered", "every outcome of the day really happened", covered),
    ("gt.wallet", "balances are what the truth alone says", balances),
    ("gt.claimed", "whatever is claimable was taken as a claim", claimed),
    ("gt.awards", "awards are min(loss, value, cap left, granted), once", awarded),
    ("gt.payouts", "every award is paid in full, the contract's way", paid_out),
    ("inv.P1", "no parcel brings more than its cap or its value", capped),
    ("inv.K1", "every push that was acknowledged is kept", pushes_kept),
    ("gt.subscribed", "pushes were asked for wherever a carrier wants to be asked", subscribed),
    ("gt.pushes", "every genuine push was acknowledged", pushes_acknowledged),
    ("inv.K4", "no forged push was taken", forged_refused),
    ("gt.watch", "Watch told every event exactly once, over every resumption", watched),
    ("gt.log", "every log is without gaps, and explains the state", logged),
    ("inv.L2", "nothing is undecided in the end without an exception", ended),
)


def judge(evidence: Evidence) -> list[Rule]:
    """The gateway's own rules first, then those against the truth."""
    court = Court.of(evidence)
    own = [Rule(f"own {rule.name}", rule.title, rule.violations) for rule in evidence.audit]
    return own + [Rule(name, title, tuple(check(court))) for name, title, check in RULES]
