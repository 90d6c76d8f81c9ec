"""The end of a seed: what the ledger says against what really happened at the carriers.

Everything is read from the file and from the simulator's own memory; no rule is the gateway's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from adapters import ADAPTERS
from gateway.domain.carrier import Dedup
from simulator.truth import ClaimState, Facts, facts
from simulator.truth import judge as ruling
from simulator.world import Interception
from tests.simulation.auditor import Model
from tests.simulation.crowd import VALUES
from tests.simulation.terms import CAP_MINOR, TENANT

if TYPE_CHECKING:
    from tests.simulation.world import World

UNSETTLED = """
SELECT id, decision || ' ' || movement || ' ' || money || ' ' || cancel FROM interception
WHERE decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN') OR money = 'HELD'
    OR (decision IN ('ACCEPTED', 'LATE_ACCEPTED') AND movement IN ('NONE', 'RETURNING'))
    OR cancel IN ('ASKED', 'SENT')
UNION ALL SELECT id, 'push ' || status FROM inbox WHERE status = 'new'
UNION ALL SELECT id, 'claim ' || state FROM claim
    WHERE state IN ('FILED', 'UNDER_REVIEW') AND desk = 'carrier' AND instr(:silent, channel) = 0
UNION ALL SELECT id, 'leased' FROM job WHERE state = 'leased'
"""
UNTOLD = """
SELECT i.id, i.channel, i.waybill FROM interception i
JOIN exception e ON e.subject = i.id AND e.kind = 'NO_EVIDENCE' AND e.closed_at IS NULL
WHERE i.decision = 'UNKNOWN' AND i.path = 'cancelled_before_pickup'
"""
PROMISED = ("ACCEPTED", "LATE_ACCEPTED")
LOOK_MS = 25 * 3_600_000  # at a parcel that is lost the gateway looks once a day
DELAY_MS = 5 * 60_000
CRASHES = 5  # of one job in a row
HELD_ROWS = """
SELECT id, decision, movement, failure, money, cancel, reason, fee_minor, merchant, sent_at,
    path = 'cancelled_before_pickup', channel, waybill
FROM interception ORDER BY created_at, id
"""
Wrong = Iterator[tuple[str, str]]


def unsettled(world: "World") -> list[str]:
    left = given_up(world)
    found = world.auditor.rows(UNSETTLED, silent=" ".join(silent(world)))
    return [f"{key} is {what}" for key, what in found if key not in left]


def silent(world: "World") -> list[str]:
    """Who takes claims, and can never be asked what became of them."""
    return [name for name in world.deals if ADAPTERS[name].claim_query is None]


def given_up(world: "World") -> set[str]:
    """What a person was asked to look after: jobs whose holder went five times in a row, and orders
    that were cancelled while the answer was lost, of which no scan will ever tell."""
    rows = world.auditor.rows("SELECT subject FROM exception WHERE kind = 'GIVEN_UP'")
    return {row[0] for row in rows} | {
        key for key, *parcel in world.auditor.rows(UNTOLD) if _order_gone(world, *parcel)
    }


def _order_gone(world: "World", channel: str, waybill: str) -> bool:
    record = world.depot.records[world.parties[channel].network, waybill]
    return record.parcel.order_cancelled_ms is not None


def arrived(world: "World") -> bool:
    """Whether every parcel has come to the end of its way, and every reading was due since."""
    ends = [course[-1].at_ms for r in world.depot.records.values() if (course := r.course())]
    return max(ends, default=0) + LOOK_MS <= world.now


@dataclass(frozen=True, slots=True)
class Kept:
    """One interception as the ledger has it, beside its truth."""

    id: str
    decision: str
    movement: str
    failure: str
    money: str
    cancel: str
    reason: str
    fee: int
    merchant: str
    sent_at: int
    by_order: bool  # it is, or was to be, an order that is cancelled before it is picked up
    channel: str
    waybill: str
    entries: tuple[Interception, ...]  # what the carrier's journal has under its name
    truth: Facts
    order_cancelled_ms: int | None

    @property
    def entry(self) -> Interception | None:
        """The instruction that counts: the last that took effect, else the last."""
        taken = [entry for entry in self.entries if entry.effects]
        found = taken or list(self.entries)
        return found[-1] if found else None

    def accepted(self, now: int) -> bool:
        if self.by_order:
            return self.order_cancelled_ms is not None
        entry = self.entry
        return entry is not None and entry.accepted_ms is not None and entry.accepted_ms <= now


def heard(world: "World") -> bool:
    """Whether the stream has told every event there is."""
    [(newest,)] = world.auditor.rows("SELECT COALESCE(MAX(position), 0) FROM event")
    return int(world.auditor.cursor or 0) >= int(newest)


def judge(world: "World") -> None:
    found = list(kept(world))
    for rule in (*RULES,):
        for name, what in rule(world, found):
            world.wrong(name, what)


def kept(world: "World") -> Iterator[Kept]:
    for row in world.auditor.rows(HELD_ROWS):
        channel, waybill = row[-2:]
        record = world.depot.records[world.parties[channel].network, waybill]
        ours = {key for key, ic in world.auditor.made.items() if ic == row[0]}
        entries = [
            entry
            for place, entry in enumerate(record.journal)
            if not entry.by_other and (*record.parcel.key, place) in ours
        ]
        truth = (facts(record, world.now), record.parcel.order_cancelled_ms)
        fields: list[Any] = [*row, tuple(entries), *truth]
        yield Kept(*fields)


# -- decisions and money -------------------------------------------------------------------


def told(world: "World", one: Kept) -> bool:
    """Whether a push that names the parcel came after the carrier took back its no, and turned it
    round. Where all of those were lost on the way, nothing else would tell: a refused interception
    is not followed."""
    since = (one.entry.turned_ms or one.entry.accepted_ms) if one.entry else None
    sql = "SELECT COUNT(*) FROM inbox WHERE received_at >= :since AND instr(body, :waybill) > 0"
    [(pushes,)] = world.auditor.rows(sql, since=since or 0, waybill=one.waybill.encode())
    return bool(pushes)


def decided(world: "World", found: list[Kept]) -> Wrong:
    left = given_up(world)
    for one in found:
        accepted = one.accepted(world.now)
        if one.id in left or _delayed(world, one):
            continue
        if one.decision == "NEVER_SENT" and _unheard(world, one):
            continue
        promised = one.decision in PROMISED
        entry, truth, deal = one.entry, one.truth, world.deals[one.channel]
        kin = [other for other in found if other.waybill == one.waybill and other is not one]
        if (
            promised
            and not accepted
            and deal.promise_on != "reply"
            and not _instead(world, one, kin)
            and not _tied(world, one)
        ):
            yield "gt.promise", f"{one.id} is {one.decision}, and the carrier never accepted"
        if accepted and not promised:
            gone = entry is not None and entry.cancelled_ms is not None
            refused_first = entry is not None and entry.refused_ms is not None
            withdrawn = gone and (one.decision == "CANCELLED" or refused_first)
            delivered = one.reason == "DELIVERED" and truth.delivered_ms is not None
            unheard = _unheard(world, one) or (refused_first and not told(world, one))
            kept_by = [other for other in kin if other.decision in PROMISED]
            elsewhere = any(_instead(world, other, [one]) for other in kept_by)
            if not (withdrawn or delivered or unheard or elsewhere):
                yield "inv.C2", f"{one.id} is {one.decision} {one.reason}, the carrier accepted"
        late = entry is not None and entry.refused_ms is not None
        believed = world.jumped or one.waybill in world.broken
        if one.decision == "LATE_ACCEPTED" and not (late or believed):
            yield "inv.C3", f"{one.id} was given up, and the carrier had never refused it"


def _unheard(world: "World", one: Kept) -> bool:
    """Whether the bound of a carrier that can be asked did not hold: the carrier broke it, or a
    clock that was set forward over a restart let it seem over. What is given up by then is not
    followed, and no push may tell."""
    leapt = world.jumped and one.decision == "NEVER_SENT"
    return ADAPTERS[one.channel].query is not None and (one.waybill in world.broken or leapt)


def _delayed(world: "World", one: Kept) -> bool:
    """Whether the carrier was asked long after we had sent: business time leapt in between, or the
    carrier broke its bound, and somebody else's return falls between the two."""
    refused = one.entry is not None and not one.accepted(world.now)
    return refused and one.entry is not None and one.entry.asked_ms - one.sent_at > DELAY_MS


def _instead(world: "World", one: Kept, kin: list[Kept]) -> bool:
    """Whether a return may be laid to this one: its refusal did not reach us in time, and the
    return that an earlier one of the parcel led to, refused at first, states no cause."""
    return not _refused(world, one) and any(other.accepted(world.now) for other in kin)


def _tied(world: "World", one: Kept) -> bool:
    """Whether somebody else's interception turned the parcel round while our request was on its
    way, to the second, and the refusal did not reach us: a scan without a cause tells no two of
    them apart."""
    record = world.depot.records[world.parties[one.channel].network, one.waybill]
    others = (entry.turned_ms for entry in record.journal if entry.by_other)
    refused_ms = one.entry.refused_ms if one.entry is not None else None
    first, last = one.sent_at // 1000, (refused_ms or one.sent_at) // 1000
    tie = any(at is not None and first <= at // 1000 <= last for at in others)
    return tie and ADAPTERS[one.channel].query is None and not _refused(world, one)


def charged(world: "World", found: list[Kept]) -> Wrong:
    left = given_up(world)
    for one in found:
        allowed = set(_fees(world, one))
        kin = [other for other in found if other.waybill == one.waybill and other is not one]
        if _instead(world, one, kin) or _tied(world, one):
            allowed.add("CAPTURED")
        paid_by = [other for other in kin if other.by_order and other.decision in PROMISED]
        if one.by_order and one.decision not in PROMISED and paid_by:
            allowed.add("RELEASED")  # the order was cancelled by that one
        money = "NONE" if one.fee == 0 else one.money
        if one.id in left or _delayed(world, one):
            continue
        if one.decision == "NEVER_SENT" and _unheard(world, one):
            continue
        if one.fee and money not in allowed:
            what = f"{one.id} {one.decision}: fee {money}, the truth allows {sorted(allowed)}"
            yield "inv.C1", f"{what} {one.truth.fee} {_story(one)}"


def _fees(world: "World", one: Kept) -> Iterator[str]:
    """What may have become of the fee, by the truth and the deal."""
    entry, deal = one.entry, world.deals[one.channel]
    delivered = one.truth.delivered_ms is not None
    refunded = "REFUNDED" if deal.refunds_failed else "CAPTURED"
    if not one.accepted(world.now):
        yield "RELEASED"
        if deal.promise_on == "reply" and entry is not None and entry.receipt_only:
            yield refunded if not entry.cancelled_ms else "REFUNDED"
            yield from ("CAPTURED",) if one.movement == "RETURNED" or deal.keeps_on_cancel else ()
        return
    if entry is not None and entry.cancelled_ms is not None:
        yield "RELEASED"
        yield "CAPTURED" if deal.keeps_on_cancel else "REFUNDED"
        if one.failure == "DELIVERED":  # seen before the cancel was acknowledged: a person is told
            yield refunded
        return
    if entry is not None and entry.refused_ms is not None:
        yield "RELEASED"
        if not _refused(world, one):
            yield refunded if delivered else "CAPTURED"
        return
    if one.waybill in world.broken or (one.decision == "LATE_ACCEPTED" and world.jumped):
        yield "RELEASED"
    if delivered:
        yield refunded
        if one.reason == "DELIVERED":
            yield "RELEASED"
        return
    yield "CAPTURED"


def _refused(world: "World", one: Kept) -> bool:
    """Whether a refusal was the gateway's to go by: it came, and not only after an acceptance. One
    that waited for the store, while the parcel was seen on its way back, contradicts what is known.
    """
    before, _ = _refusals(world, one)
    return bool(before)


def _refusals(world: "World", one: Kept) -> tuple[int, int]:
    by_waybill = one.by_order or ADAPTERS[one.channel].dedup.value is Dedup.WAYBILL
    [(before, after)] = world.auditor.rows(REFUSALS, id=one.id, by_waybill=by_waybill)
    return before, after


REFUSALS = """
SELECT COALESCE(SUM(r.rowid < COALESCE(a.taken, r.rowid + 1)), 0),
    COALESCE(SUM(r.rowid > a.taken AND r.reason <> 'unlisted'), 0)
FROM evidence r LEFT JOIN (
    SELECT v.interception, MIN(e.rowid) AS taken FROM event v JOIN evidence e ON e.id = v.evidence
    WHERE v.col = 'decision' AND v.target = 'ACCEPTED' GROUP BY v.interception
) a ON a.interception = r.interception
WHERE r.interception = :id AND r.kind = 'reply' AND r.verdict = 'refused'
    AND NOT (:by_waybill AND EXISTS (
        SELECT 1 FROM attempt m JOIN attempt o ON o.interception = m.interception
        WHERE m.id = r.attempt AND o.kind = 'post' AND o.started_ms < m.started_ms
            AND o.outcome IN ('lost', 'answered')))
"""  # How many came before the acceptance that was believed, and how many clear ones after it.
# Where a carrier knows waybills only, or orders it cancels, the refusal of a repeat says nothing of
# what was sent before.


def _story(one: Kept) -> str:
    entry = one.entry
    if entry is None:
        return "never executed"
    return (
        f"{one.waybill} {entry.outcome} asked {entry.asked_ms} accepted {entry.accepted_ms} "
        f"refused {entry.refused_ms} cancelled {entry.cancelled_ms} "
        f"delivered {one.truth.delivered_ms}"
    )


def once(world: "World", found: list[Kept]) -> Wrong:
    for one in found:
        record = world.depot.records[world.parties[one.channel].network, one.waybill]
        twice = any(seen.fault == "executes_twice" for seen in record.seen)
        effects = sum(entry.effects for entry in one.entries)
        if effects > 1 and not twice:
            yield "inv.C4", f"{one.id}: {effects} effects at the carrier {_story(one)}"


def moved(world: "World", found: list[Kept]) -> Wrong:
    left = given_up(world)
    for one in found:
        promised = one.decision in PROMISED
        if not promised or not one.accepted(world.now) or one.id in left:
            continue
        entry, truth = one.entry, one.truth
        if entry is not None and entry.cancelled_ms is not None:
            continue
        right = "RETURNING" if truth.turned_ms is not None else "NONE"
        right = "NOT_SHIPPED" if one.by_order else right
        if truth.delivered_ms is not None:
            right = "RETURN_FAILED"
        elif truth.returned_ms is not None:
            right = "RETURNED"
        elif truth.lost_ms is not None and truth.found_ms is None:
            right = "LOST"
        if one.movement != right:
            yield "gt.movement", f"{one.id}: {one.movement}, the truth is {right} {_story(one)}"


# -- what clients were told ------------------------------------------------------------------


def known(world: "World", found: list[Kept]) -> Wrong:
    """Every acknowledged Create exists, with its fee; every other one is nobody's."""
    auditor, held = world.auditor, {one.id: one for one in found}
    for request, key in auditor.requests.items():
        model: Model = auditor.models[key]
        one = held.get(key)
        if one is None or (one.fee, one.merchant) != (model.fee, f"{TENANT}/{model.life.merchant}"):
            yield "inv.I3", f"{request} was acknowledged as {key}: {one}"
    for key in held.keys() - set(auditor.requests.values()):
        yield "inv.I7", f"{key} exists, and nobody was told of it"
    for key, model in auditor.models.items():
        columns, one = model.columns, held.get(key)
        shown = (columns["decision"], columns["movement"], columns["money"], columns["cancel"])
        if one and shown != (one.decision, one.movement, one.money, one.cancel):
            yield "gt.watch", f"{key}: the stream ended with {shown}"


def balances(world: "World", found: list[Kept]) -> Wrong:
    """Top-ups, less the fees that are due, and the awards that were paid into the wallet."""
    right: Counter[str] = Counter()
    awarded: Counter[str] = Counter()
    for merchant, wallet in world.auditor.wallets.items():
        right[f"{TENANT}/{merchant}"] += wallet.paid
    for one in found:
        right[one.merchant] -= one.fee if one.money in ("HELD", "CAPTURED") else 0
    paid = dict(world.auditor.rows(PAID))
    for award, merchant, channel, amount in world.auditor.rows(
        "SELECT w.id, c.merchant, c.channel, w.amount FROM award w JOIN claim c ON c.id = w.claim"
    ):
        if world.deals[channel].payout == "wallet":
            right[merchant] += amount
        if paid.get(award, 0) != amount:
            awarded[merchant] += amount
            yield "gt.payouts", f"{award}: {paid.get(award, 0)} paid of {amount}"
    shown: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for kind, owner, balance in world.auditor.rows(
        "SELECT kind, owner, balance FROM account WHERE balance IS NOT NULL"
    ):
        shown[owner][kind] = balance
    for merchant, available in right.items():
        has = shown[merchant].get("AVAILABLE", 0), shown[merchant].get("HELD", 0)
        held = sum(one.fee for one in found if one.merchant == merchant and one.money == "HELD")
        if has != (available, held):
            yield "gt.wallet", f"{merchant}: {has} instead of {available}"


PAID = """
SELECT award, SUM(amount) FROM transfer WHERE kind IN ('payout', 'settle_offline') GROUP BY award
"""


def awards(world: "World", found: list[Kept]) -> Wrong:
    """Every award is the least of its four limits, in the order in which they were made."""
    auditor = world.auditor
    of_claim: Counter[str] = Counter()
    of_line: Counter[tuple[str, str]] = Counter()
    of_parcel: Counter[str] = Counter()
    decisions: set[str] = set()
    for key, claim, parcel, line, amount, decision, channel, reference, loss in auditor.rows(
        "SELECT w.id, w.claim, w.parcel, w.line_no, w.amount, w.decision_key, c.channel, "
        "c.reference, c.loss_minor FROM award w JOIN claim c ON c.id = w.claim ORDER BY w.rowid"
    ):
        granted = _granted(world, claim, decision, channel, reference, of_claim[claim])
        left = min(
            loss - of_claim[claim],
            VALUES[int(line) - 1] - of_line[parcel, line],
            CAP_MINOR - of_parcel[parcel],
            granted,
        )
        if amount != left or amount <= 0:
            yield "inv.P1", f"{key}: {amount} awarded, {left} is due"
        if decision in decisions:
            yield "inv.P6", f"{decision} paid twice"
        if auditor.filings.get(claim, (None, loss))[1] != loss:
            yield "inv.P1", f"{claim}: the loss is {loss}, and not what was filed"
        told = auditor.awards.get(key)
        if told is not None and told != amount:
            yield "inv.P6", f"{key}: told {told}, and {amount} is kept"
        decisions.add(decision)
        of_claim[claim] += amount
        of_line[parcel, line] += amount
        of_parcel[parcel] += amount
    kept_awards = {row[0] for row in auditor.rows("SELECT id FROM award")}
    for key in auditor.awards.keys() - kept_awards:
        yield "inv.P2", f"{key} was told, and is not there"


def _granted(
    world: "World", claim: str, decision: str, channel: str, reference: str, before: int
) -> int:
    """What the desk said, or what the carrier really granted in all."""
    if decision.startswith("person:"):
        return world.auditor.grants.get((claim, decision.rsplit(":", 1)[1]), -1)
    record, filed = world.depot.claims[reference]
    state, granted = ruling(record, filed, world.now)
    return granted - before if state is not ClaimState.REJECTED else 0


def ruled(world: "World", found: list[Kept]) -> Wrong:
    """What a carrier grants is awarded, as far as the limits go."""
    got: Counter[str] = Counter()
    left = given_up(world)
    for claim, total in world.auditor.rows("SELECT claim, SUM(amount) FROM award GROUP BY claim"):
        got[claim] += total
    for key, reference, state in world.auditor.rows(
        "SELECT id, reference, state FROM claim WHERE desk = 'carrier' AND reference <> '' "
        "AND instr(:silent, channel) = 0",
        silent=" ".join(silent(world)),
    ):
        record, filed = world.depot.claims[reference]
        _, granted = ruling(record, filed, world.now)
        if granted > 0 and not got[key] and state not in ("VOID", "REJECTED") and key not in left:
            yield "gt.awards", f"{key}: {granted} granted, nothing awarded, {state}"


# -- pushes and exceptions -------------------------------------------------------------------


def pushes(world: "World", found: list[Kept]) -> Wrong:
    rows = world.auditor.rows("SELECT id, body FROM inbox")
    bodies = {sha256(body).hexdigest() for _, body in rows}
    kept, told = bodies | {key for key, _ in rows}, world.wire.told
    sent = [push for record in world.depot.records.values() for push in record.pushes]
    genuine = {body for key, _, push in sent if not push.forged for body in told[key]}
    for record in world.depot.records.values():
        for key, _, push in record.pushes:
            if push.forged and (push.acknowledged or told[key] & bodies - genuine):
                yield "inv.K4", f"{record.parcel.waybill}: the forged push {key} was taken"
            if push.acknowledged and not push.forged and not told[key] & kept:
                yield "inv.K1", f"{record.parcel.waybill}: push {key} was acknowledged, and is lost"


def exceptions(world: "World", found: list[Kept]) -> Wrong:
    """Nobody is called for nothing, and somebody for everything that went wrong."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for kind, subject, detail in world.auditor.rows("SELECT kind, subject, detail FROM exception"):
        told[subject].add(kind)
        often = world.kills + world.stalls >= CRASHES
        idle = kind == "GIVEN_UP" and not often and not detail.startswith("claim ")
        if idle or kind in ("QUARANTINED", "ACCOUNT_REJECTED"):
            yield "gt.exceptions", f"{kind} of {subject}: {detail}"
    for one in found:
        if one.decision == "LATE_ACCEPTED" and "LATE_ACCEPTANCE" not in told[one.id]:
            yield "inv.C2", f"{one.id} is accepted late, and nobody was told"
        _, after = _refusals(world, one)
        if one.decision == "ACCEPTED" and after and "CONTRADICTION" not in told[one.id]:
            yield "gt.exceptions", f"{one.id} is refused after its acceptance, and nobody was told"
        if one.failure in ("DELIVERED", "CARRIER") and "PROMISE_BROKEN" not in told[one.id]:
            yield "gt.exceptions", f"{one.id}: {one.failure}, and nobody was told"


RULES = (decided, charged, once, moved, known, balances, awards, ruled, pushes, exceptions)
