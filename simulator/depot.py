"""What a running simulator remembers: accounts, parcels, journals, requests. No I/O is here."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto

from simulator import decisions, world
from simulator.bodies import OptionsBody
from simulator.decisions import Ask
from simulator.outcomes import (
    Fault,
    FaultName,
    Operation,
    Outcome,
    Params,
    Reason,
    Scenario,
    Script,
    Subject,
    choose,
    draw,
    striking,
)
from simulator.world import Event, Interception, Mark, Parcel

JOURNAL_MAX = 200  # entries of one parcel; further refusals are answered and not kept
SEEN_MAX = 200  # requests of one parcel and operation kept in full; the count goes on
PARCELS_MAX = 1_000_000
LOG_MAX = 10_000
CLAIMS_MAX = 50
CARRIER_FAULTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Account:
    carrier: str
    name: str
    credentials: Mapping[str, str] = field(repr=False)
    push_url: str | None = field(repr=False)  # its path may be a secret
    options: OptionsBody
    network: str = ""  # the company that carries; empty: named like the carrier

    def reaches(self, owner: "Account") -> bool:
        """Whether it may ask about, and act on, this account's parcels."""
        own = (self.carrier, self.name) == (owner.carrier, owner.name)
        return own or f"{owner.carrier}/{owner.name}" in self.options.acts_for


class Loss(StrEnum):
    """What a claim says has happened; each dialect has names of its own for it."""

    LOST = auto()
    DAMAGED = auto()
    SHORTAGE = auto()


@dataclass(frozen=True, slots=True)
class Claim:
    business_no: str
    trace: str
    kind: Loss
    asked_minor: int
    opened_ms: int
    decided_ms: int


@dataclass(slots=True)
class Seen:
    """One request as it arrived."""

    nth: int
    operation: str
    waybill: str
    business_ms: int
    machine_ms: int
    reference: str
    executed: bool = False
    fault: str = ""
    code: str = ""


@dataclass(slots=True)
class Push:
    """One message to an account's address, with everything that became of it."""

    account: Account
    kind: str
    body: bytes
    content_type: str
    due_ms: int
    ids: tuple[str, ...]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    forged: bool = False
    attempts: int = 0
    copies: int = 1
    status: int = 0
    acknowledged: bool = False
    given_up: bool = False
    waiting: bool = False  # for a later attempt
    kept: bool = False  # its body may be wanted again after the acknowledgement


@dataclass(slots=True)
class Record:
    """A parcel with its history in this simulator."""

    parcel: Parcel
    account: Account
    script: Script | None
    watched_from_ms: int | None  # pushes begin after this time; None: nobody subscribed
    watched_until_ms: int | None = None  # and end before this one; None: they do not end
    journal: list[Interception] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    generation: int = 0
    announced: set[tuple[int, Event, str]] = field(default_factory=set)
    pushes: list[tuple[str, str, Push]] = field(default_factory=list)
    held_back: list[Push] = field(default_factory=list)

    def course(self) -> list[Mark]:
        return world.course(self.parcel, self.journal)

    def by_reference(self, reference: str) -> Interception | None:
        return self._last(lambda entry: entry.reference == reference)

    def by_external_no(self, number: str) -> Interception | None:
        return self._last(lambda entry: number in ("", entry.external_no, entry.reference))

    def by_business_no(self, number: str) -> Interception | None:
        return self._last(lambda entry: entry.business_no == number)

    def _last(self, fits: Callable[[Interception], bool]) -> Interception | None:
        """Ours, the latest; one that the carrier took before one that it refused at once."""
        ours = [entry for entry in self.journal if not entry.by_other and fits(entry)]
        taken = [entry for entry in ours if entry.effects or entry.receipt_only]
        found = taken or ours
        return found[-1] if found else None


@dataclass(slots=True)
class CarrierFault:
    """A fault of a whole carrier or account; it counts the requests it has met."""

    carrier: str
    account: str | None
    fault: Fault
    met: int = 0


def _unheard(record: Record) -> None:
    """Nobody listens for changes yet."""


def _unheard_claim(record: Record, claim: Claim) -> None:
    """Nobody listens for claims yet."""


class Depot:
    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scenario = scenario
        self.changed: Callable[[Record], None] = _unheard
        self.claimed: Callable[[Record, Claim], None] = _unheard_claim
        self._looks_at_status = scenario.looks_at_status
        self.accounts: dict[tuple[str, str], Account] = {}
        self.records: dict[tuple[str, str], Record] = {}
        self.claims: dict[str, tuple[Record, Claim]] = {}
        self.faults: list[CarrierFault] = []
        self.log: deque[tuple[str, str, Seen]] = deque(maxlen=LOG_MAX)
        self._returns: dict[tuple[str, str], Record] = {}
        self._orders: dict[tuple[str, str, str], Record] = {}

    def add(self, records: Sequence[Record]) -> None:
        """Take in these parcels, all or none."""
        fresh = {record.parcel.key: record for record in records}
        if len(fresh) != len(records) or not self.records.keys().isdisjoint(fresh):
            raise KeyError("a waybill exists already")
        if len(self.records) + len(fresh) > PARCELS_MAX:
            raise KeyError(f"no more than {PARCELS_MAX} parcels")
        self.records.update(fresh)
        for record in records:
            parcel = record.parcel
            if parcel.return_waybill != parcel.waybill:
                self._returns[parcel.key[0], parcel.return_waybill] = record
            if parcel.order_id:
                self._orders[parcel.carrier, parcel.account, parcel.order_id] = record

    def forget(self, accounts: bool) -> None:
        for memory in (self.records, self.claims, self._returns, self._orders):
            memory.clear()
        self.faults.clear()
        self.log.clear()
        if accounts:
            self.accounts.clear()

    def find(self, account: Account, waybill: str, network: str = "") -> Record | None:
        """The parcel that travels, or travelled, under this number, if the account reaches it."""
        key = (network or account.network or account.carrier, waybill)
        record = self.records.get(key) or self._returns.get(key)
        return record if record is not None and account.reaches(record.account) else None

    def find_order(self, account: Account, order_id: str) -> Record | None:
        return self._orders.get((account.carrier, account.name, order_id))

    def put_account(self, account: Account) -> None:
        """Its parcels stay, and follow its newest options."""
        known = self.accounts.get((account.carrier, account.name))
        self.accounts[account.carrier, account.name] = account
        if known is None:
            return
        for record in self.records.values():
            if record.account is known:
                record.account = account
                self.touch(record)

    # -- what a request meets -------------------------------------------------------------

    def arrive(
        self,
        account: Account,
        record: Record | None,
        operation: Operation,
        waybill: str,
        reference: str,
        now_ms: int,
        machine_ms: int,
    ) -> tuple[Seen, tuple[Fault, ...]]:
        """Write the request down and say which faults it meets."""
        nth = 1
        if record is not None:
            nth = record.counts.get(operation, 0) + 1
            record.counts[operation] = nth
        seen = Seen(nth, operation, waybill, now_ms, machine_ms, reference)
        self.log.append((account.carrier, account.name, seen))
        faults: list[Fault] = list(self._carrier_faults(account, operation))
        if record is not None:
            if nth <= SEEN_MAX:
                record.seen.append(seen)
            script = self.script_for(record, operation, nth, now_ms)
            faults += striking(script.faults, operation, nth)
        return seen, tuple(faults)

    def _carrier_faults(self, account: Account, operation: str) -> Iterator[Fault]:
        for entry in self.faults:
            if entry.carrier != account.carrier or entry.account not in (None, account.name):
                continue
            if entry.fault.operation not in (operation, "*"):
                continue
            entry.met += 1
            if entry.fault.strikes(operation, entry.met):
                yield entry.fault

    def may_replay(self, record: Record) -> bool:
        """Whether some fault could ask for an old push of this parcel again."""
        scripted = record.script is not None and bool(record.script.faults)
        return scripted or bool(self.faults or self.scenario.rules or self.scenario.faults)

    def carrier_push_faults(self, account: Account) -> tuple[Fault, ...]:
        return tuple(self._carrier_faults(account, Operation.PUSH))

    def script_for(self, record: Record, operation: str, attempt: int, now_ms: int) -> Script:
        parcel = record.parcel
        stand = world.status(record.course(), now_ms) if self._looks_at_status else ""
        subject = Subject(parcel.carrier, parcel.account, parcel.waybill, operation, attempt, stand)
        return choose(self.scenario, self.seed, subject, record.script)

    # -- what the carrier does ------------------------------------------------------------

    def intercept(
        self, record: Record, reference: str, external_no: str, now_ms: int, at_once: bool
    ) -> Interception:
        """Decide on a new instruction, write it into the journal, and return our entry."""
        parcel = record.parcel
        attempt = 1 + sum(not entry.by_other for entry in record.journal)
        number = draw(self.seed, parcel.carrier, parcel.waybill, "business", attempt)
        ask = Ask(
            reference,
            external_no,
            str(10**17 + number % 10**17),
            attempt,
            now_ms,
            record.account.options.window,
            at_once,
        )
        outcome, params = self.destiny(record, attempt, now_ms)
        entries = decisions.decide(parcel, record.journal, ask, outcome, params)
        if len(record.journal) < JOURNAL_MAX or entries[-1].effects:
            record.journal.extend(entries)
            self.touch(record)
        return entries[-1]

    def destiny(self, record: Record, attempt: int, now_ms: int) -> tuple[Outcome, Params]:
        script = self.script_for(record, Operation.INTERCEPT, attempt, now_ms)
        params = script.params
        for fault in script.faults:
            early = fault.name is FaultName.PUSH_BEFORE_REPLY
            if early and fault.strikes(Operation.INTERCEPT, attempt):
                params = params.joined({"turn_ms": 0, "after_ms": 0})
        assert script.outcome is not None
        return script.outcome, params

    def repeat(self, record: Record, entry: Interception) -> Interception:
        """The carrier does the same thing a second time."""
        if not entry.effects:
            return entry
        return self.amend(record, entry, replace(entry, effects=entry.effects + 1))

    def amend(self, record: Record, entry: Interception, amended: Interception) -> Interception:
        record.journal[record.journal.index(entry)] = amended
        self.touch(record)
        return amended

    def cancel(self, record: Record, entry: Interception, now_ms: int) -> bool:
        if not decisions.cancellable(entry, record.course(), now_ms):
            return False
        self.amend(record, entry, decisions.cancel(entry, now_ms))
        return True

    def cancel_order(self, record: Record, now_ms: int) -> Reason | None:
        parcel = record.parcel
        if parcel.order_cancelled_ms is not None:
            return Reason.TOO_LATE
        if world.status(record.course(), now_ms) is not world.Status.NOT_PICKED_UP:
            return Reason.TOO_LATE
        record.parcel = replace(parcel, order_cancelled_ms=now_ms)
        self.touch(record)
        return None

    def file_claim(
        self, record: Record, trace: str, kind: Loss, asked_minor: int, now_ms: int
    ) -> Claim | None:
        """The claim under this trace, new or as it was; None when the parcel has too many."""
        for claim in record.claims:
            if claim.trace == trace:
                return claim
        if len(record.claims) >= CLAIMS_MAX:
            return None
        parcel, ordinal = record.parcel, len(record.claims) + 1
        number = draw(self.seed, parcel.carrier, parcel.waybill, "claim", ordinal)
        params = self.script_for(record, Operation.CLAIM, ordinal, now_ms).params
        decided_ms = now_ms + params.number("claim_ms", 2 * world.DAY_MS)
        business_no = f"LP{10**15 + number % 10**15}"
        claim = Claim(business_no, trace, kind, asked_minor, now_ms, decided_ms)
        record.claims.append(claim)
        self.claims[business_no] = (record, claim)
        self.claimed(record, claim)
        return claim

    def subscribe(self, record: Record, now_ms: int, until_ms: int | None = None) -> None:
        """Announce what happens from now; one that ends can be prolonged, or begun again."""
        since_ms, ends_ms = record.watched_from_ms, record.watched_until_ms
        if record.account.options.push == "none" or (since_ms is not None and ends_ms is None):
            return
        if since_ms is None or (ends_ms is not None and ends_ms <= now_ms):
            record.watched_from_ms = now_ms
        record.watched_until_ms = until_ms
        self.touch(record)

    def touch(self, record: Record) -> None:
        record.generation += 1
        self.changed(record)
