"""A stage for the domain: a book, a clock that is a number, ids that count, and an auditor.

It plays one merchant's day without store, worker or carrier: every command goes through `decide`
as it would in a batch, and what the carrier says is handed in as a value.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters import ADAPTERS
from gateway.domain.book import Book
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Cause,
    ClaimKind,
    Dedup,
    Delivery,
    Fact,
    Grade,
    Milestone,
    Reason,
    Scan,
    Status,
    Tier,
    Verdict,
)
from gateway.domain.claim import Award, Claim, DecideClaim, FileClaim
from gateway.domain.command import Env
from gateway.domain.create import CancelInterception, Created, CreateInterception
from gateway.domain.decide import decide
from gateway.domain.due import LeaseDue, lane
from gateway.domain.fees import LEASE_MS, Contract, Policy, Terms
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Column,
    EventRow,
    Exceptional,
    Inbox,
    InboxStatus,
    Interception,
    Job,
    JobKind,
    JobState,
    Money,
)
from gateway.domain.leasing import Work
from gateway.domain.ledger import Account, Transfer, TransferKind, available, wallet_ids
from gateway.domain.lifecycle import follow
from gateway.domain.merchant import SetWaybillService, TopUp, UpsertMerchant
from gateway.domain.parcel import Alias, Merchant, OrderLine, Parcel, Person, ScanRow, StoreStatus
from gateway.domain.push import ApplyPush, ReceivePush
from gateway.domain.quote import MakeQuote, Quoted
from gateway.domain.reading import Observe
from gateway.domain.record import replace
from gateway.domain.register import RegisterParcel
from gateway.domain.reply import Finish

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MERCHANT = "platform/shop"
FEE_MINOR = 800
TOP_UP_MINOR = 100_000
FEES = dict.fromkeys(Status, FEE_MINOR)
WAYBILLS = {"sf": "SF1040275268927", "zto": "75312345678901", "mute": "75312345678901"}
BACK = {"sf": "SF1999999999999", "zto": "75399999999999", "mute": "75399999999999"}

MUTE: Adapter = replace(  # a carrier that neither tracks nor answers queries: signed pushes only
    ADAPTERS["zto"],
    name="mute",
    network="mute",
    dedup=Fact(Dedup.NONE, Grade.ASSUMED),
    track=None,
    query=None,
    cancel=None,
    claim=None,
    claim_query=None,
)
CARRIERS: Mapping[str, Adapter] = {**ADAPTERS, "mute": MUTE}

MERCHANT_ROW = Merchant(
    id=MERCHANT,
    tenant="platform",
    kind="pop_sop",
    cross_border=False,
    cancel_order=True,
    store_status=StoreStatus.OPERATING,
    contract_signed=True,
    wallet_open=True,
    currency="CNY",
    updated_at=0,
)
SHIRT = OrderLine("", "", "order-1", "1", 1, False, "shirt", "apparel", 1, 5_000, 0, 0)


def person(role: str, name: str, city: str) -> Person:
    return Person("", "", role, name, "13800001234", "省", city, "区", "街道1号")


PEOPLE = (person("sender", "张三", "杭州市"), person("receiver", "李四", "北京市"))


def terms_of(policy: Policy | None = None, **contract: Any) -> Terms:
    """The terms with every carrier; keywords override fields of all contracts."""
    fields: dict[str, Any] = {"fees": FEES, **contract}
    return Terms(
        CARRIERS,
        {name: Contract(channel=name, **fields) for name in CARRIERS},
        policy or Policy(),
        {(name, "main"): {} for name in CARRIERS},
        {"platform": frozenset({"password-free"})},
    )


@dataclass
class Stage:
    """Everything one parcel needs, and what the tests ask of it."""

    channel: str = "sf"
    terms: Terms = field(default_factory=terms_of)
    lines: tuple[OrderLine, ...] = (SHIRT,)
    book: Book = field(default_factory=Book)
    now: int = START_MS
    machine_ms: int = 0
    ids: int = 0
    work: Work | None = None  # the post that is under way
    number: int = 0
    key: str = ""  # the interception the tests speak of

    def __post_init__(self) -> None:
        self.do(UpsertMerchant(MERCHANT_ROW))
        self.do(SetWaybillService(MERCHANT, self.adapter.network, True))
        self.do(TopUp("platform", "top-up", MERCHANT, TOP_UP_MINOR, "CNY", "bank-1", "treasury"))

    # -- the machine -----------------------------------------------------------------------

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids:05d}"

    @property
    def env(self) -> Env:
        return Env(self.now, self.now + self.machine_ms, self.new_id, "here")

    def do(self, command: Any) -> Any:
        return decide(self.book, command, self.env, self.terms)

    def wait(self, ms: int) -> None:
        self.now += ms

    # -- the merchant ----------------------------------------------------------------------

    def register(self, declared: Status = Status.IN_TRANSIT) -> Parcel:
        parcel: Parcel = self.do(self.registering(declared))
        return parcel

    def registering(self, declared: Status = Status.IN_TRANSIT) -> RegisterParcel:
        adapter = self.adapter
        return RegisterParcel(
            "platform",
            MERCHANT,
            adapter.name,
            adapter.network,
            "main",
            self.waybill,
            declared,
            self.lines,
            PEOPLE,
        )

    def quote(self, status: Milestone = Milestone.IN_TRANSIT) -> Quoted:
        """A quote, priced from a fresh reading where the carrier has tracking."""
        read = Answer(Verdict.RECEIVED, scans=(self.scan(status, self.now - HOUR_MS),))
        tracked = self.adapter.track is not None
        quoted: Quoted = self.do(self.quoting(read=read if tracked else None))
        return quoted

    def quoting(self, **fields: Any) -> MakeQuote:
        network = self.adapter.network
        asked = MakeQuote("platform", MERCHANT, network, self.waybill, None)
        return replace(asked, **fields)

    def creating(self, quote: str, *, slot: bool = True, **fields: Any) -> CreateInterception:
        asked = CreateInterception(
            tenant="platform",
            request_id="create",
            merchant=MERCHANT,
            quote=quote,
            agreement="password-free",
            cancel_ticket="ticket",
            slot=slot,
            actor="merchant",
        )
        return replace(asked, **fields)

    def create(self, *, slot: bool = True) -> Interception:
        """Register, quote and pay: the interception, with its first attempt under way."""
        self.register()
        return self.create_again(slot=slot)

    def create_again(self, *, slot: bool = True) -> Interception:
        quote = self.quote().quote
        assert quote is not None
        self.number += 1
        command = self.creating(quote.id, slot=slot, request_id=f"create-{self.number}")
        created: Created = self.do(command)
        self.key, self.work = created.interception.id, created.work
        return created.interception

    def withdraw(self) -> Any:
        self.number += 1
        return self.do(
            CancelInterception("platform", f"withdraw-{self.number}", self.key, "merchant")
        )

    # -- the carrier -----------------------------------------------------------------------

    def lease(self, *kinds: JobKind) -> list[Work]:
        works: list[Work] = self.do(LeaseDue(tuple(kinds), 100, {}))
        for work in works:
            if work.kind is JobKind.SUBMIT:
                self.work = work
        return works

    def crash(self) -> None:
        """The holder of every lease is gone, and its leases have run out."""
        self.machine_ms += 60_000

    def recover(self) -> None:
        """Leases that ran out are noticed while the account has no free slot."""
        full = {lane(kind, self.channel, "main"): 0 for kind in JobKind}
        self.do(LeaseDue(tuple(JobKind), 100, full))

    def finish(self, answer: Answer, work: Work | None = None) -> Interception:
        """The reply to the post, or cancel, that is under way."""
        work = work or self.work
        assert work is not None
        done: Interception = self.do(Finish(work.job, work.gen, work.subject, work.attempt, answer))
        return done

    def reply(
        self, verdict: Verdict, reason: Reason = Reason.NONE, reference: str = "cus-1"
    ) -> Interception:
        named = verdict in (Verdict.ACCEPTED, Verdict.RECEIVED)
        return self.finish(Answer(verdict, reason, reference=reference if named else ""))

    def accepted(self) -> Interception:
        """Created, and promised by the carrier, whatever its word is worth."""
        self.create()
        ic = self.reply(Verdict.ACCEPTED)
        if ic.decision.value == "PROCESSING":
            ic = self.look(Verdict.ACCEPTED)
        return ic

    def look(self, asked: Verdict | None = None, *scans: Scan) -> Interception:
        """One reading: pulled now, leased, and answered with these."""
        follow(self.book, self.ic, self.now)
        self.book.keep()
        work = next(w for w in self.lease(JobKind.FOLLOW) if w.subject == self.key)
        answer = Answer(asked) if asked is not None and self.adapter.query else None
        return self.observed(work, answer, scans)

    def observed(self, work: Work, asked: Answer | None, scans: Iterable[Scan]) -> Interception:
        read = Answer(Verdict.RECEIVED, scans=tuple(scans)) if self.adapter.track else None
        asked = asked if self.adapter.query is not None else None
        return self.observe(work, asked, read)

    def observe(self, work: Work, asked: Answer | None, read: Answer | None) -> Interception:
        seen: Interception = self.do(
            Observe(work.job, work.gen, work.subject, asked, read, work.lease_until - LEASE_MS)
        )
        return seen

    def push(self, tier: Tier, *scans: Scan, event: str = "") -> InboxStatus:
        """A verified push of these scans: received, kept, applied."""
        waybills = tuple(dict.fromkeys(scan.waybill for scan in scans))
        delivery = Delivery(event or self.new_id(), waybills, scans)
        row = Inbox(
            id=f"{self.channel}/main/{delivery.event_key}",
            channel=self.channel,
            account="main",
            tier=int(tier),
            verified=True,
            body=b"",
            content_type="",
            sha256="",
            received_at=0,
            applied_at=None,
            status=InboxStatus.NEW,
        )
        self.do(ReceivePush(row))
        status: InboxStatus = self.do(ApplyPush(row.id, self.adapter.network, delivery))
        return status

    def scan(
        self,
        milestone: Milestone,
        at: int | None = None,
        *,
        cause: Cause = Cause.UNSTATED,
        back: str = "",
        waybill: str = "",
        signer: str = "",
    ) -> Scan:
        return Scan(
            waybill or self.waybill,
            milestone,
            milestone.upper(),
            self.now if at is None else at,
            signer=signer,
            return_waybill=back,
            cause=cause,
        )

    # -- claims ----------------------------------------------------------------------------

    def claim(self, kind: ClaimKind, loss: int, line: OrderLine = SHIRT, **fields: Any) -> Any:
        self.number += 1
        command = FileClaim(
            "platform",
            f"claim-{self.number}",
            self.key,
            kind,
            line.order_no,
            line.line_no,
            loss,
            "CNY",
            "it arrived broken",
            "merchant",
        )
        return self.do(replace(command, **fields))

    def award(self, claim: Claim, amount: int, **fields: Any) -> Any:
        self.number += 1
        command = DecideClaim(
            "platform",
            f"decide-{self.number}",
            claim.id,
            f"decision-{self.number}",
            amount,
            "CNY",
            "seen",
            "officer",
        )
        return self.do(replace(command, **fields))

    # -- what there is ---------------------------------------------------------------------

    @property
    def adapter(self) -> Adapter:
        return self.terms.adapters[self.channel]

    @property
    def waybill(self) -> str:
        return WAYBILLS[self.channel]

    @property
    def back(self) -> str:
        return BACK[self.channel]

    @property
    def ic(self) -> Interception:
        return self.book.need(Interception, self.key)

    @property
    def columns(self) -> str:
        return f"{self.ic.decision} {self.ic.movement} {self.ic.money}"

    @property
    def known(self) -> tuple[str, ...]:
        """The waybills that a tracking request names."""
        return (self.waybill, *(a.waybill for a in self.book.of(Alias, self.ic.parcel)))

    def job(self, kind: JobKind) -> Job:
        return self.book.need(Job, f"{kind}/{self.key}")

    def job_state(self, kind: JobKind) -> JobState | None:
        job = self.book.get(Job, f"{kind}/{self.key}")
        return job.state if job is not None else None

    def scan_rows(self) -> list[ScanRow]:
        return self.book.of(ScanRow, self.ic.parcel)

    def posts(self) -> list[Attempt]:
        attempts = self.book.of(Attempt, self.key)
        return [attempt for attempt in attempts if attempt.kind is AttemptKind.POST]

    def exceptions(self) -> set[str]:
        return {str(e.kind) for e in self.book.all(Exceptional) if e.closed_at is None}

    def moved(self, kind: TransferKind) -> int:
        transfers = self.book.all(Transfer)
        return sum(transfer.amount for transfer in transfers if transfer.kind is kind)

    @property
    def net(self) -> int:
        """What the merchant has been charged for interceptions."""
        return self.moved(TransferKind.CAPTURE) - self.moved(TransferKind.REFUND)

    @property
    def available(self) -> int:
        return available(self.book, MERCHANT, "CNY")

    # -- the auditor -----------------------------------------------------------------------

    def audit(self) -> None:
        """The rules that hold after every command, recomputed from the rows."""
        for interception in self.book.all(Interception):
            self._audit_events(interception)
            self._audit_fee(interception)
            posts = self.book.of(Attempt, interception.id)
            live = [a for a in posts if a.ended_at is None and a.kind is AttemptKind.POST]
            assert len(live) <= 1, "one live post of an interception"
            self._audit_care(interception)
        open_ones = Counter(ic.parcel for ic in self.book.all(Interception) if ic.open)
        assert all(count == 1 for count in open_ones.values()), "one open interception of a parcel"
        self._audit_ledger()
        keys = [award.decision_key for award in self.book.all(Award)]
        assert len(keys) == len(set(keys)), "one award of a decision"

    def _audit_events(self, interception: Interception) -> None:
        events = self.book.of(EventRow, interception.id)
        assert [event.seq for event in events] == list(range(1, interception.version + 1))
        now = {
            Column.DECISION: "",
            Column.MONEY: "",
            Column.MOVEMENT: "NONE",
            Column.CANCEL: "NONE",
        }
        for event in events:
            assert event.source == now[event.col], "an event starts where the one before ended"
            if event.col is Column.DECISION and event.source in ("PROCESSING", "UNKNOWN"):
                assert event.evidence, "what the carrier may have is left with evidence only"
            now[event.col] = event.target
        for column, value in now.items():
            assert getattr(interception, column) == value, "columns are the fold of events"

    def _audit_fee(self, interception: Interception) -> None:
        moves = Counter(
            str(t.kind) for t in self.book.all(Transfer) if t.interception == interception.id
        )
        expected = {
            Money.NONE: {},
            Money.HELD: {"hold": 1},
            Money.CAPTURED: {"hold": 1, "capture": 1},
            Money.RELEASED: {"hold": 1, "release": 1},
            Money.REFUNDED: {"hold": 1, "capture": 1, "refund": 1},
        }[interception.money]
        fee = {kind: n for kind, n in moves.items() if kind in FEE_MOVES}
        assert fee == expected, "the money column says what the ledger did"

    def _audit_care(self, interception: Interception) -> None:
        undecided = interception.state.value == "DECIDING"
        promised = interception.decision.value in ("ACCEPTED", "LATE_ACCEPTED")
        under_way = promised and interception.movement.value in ("NONE", "RETURNING")
        if not (undecided or under_way or interception.money is Money.HELD):
            return
        jobs = self.book.of(Job, interception.id)
        live = any(job.state in (JobState.WAIT, JobState.LEASED) for job in jobs)
        seen = any(e.closed_at is None for e in self.book.of(Exceptional, interception.id))
        assert live or seen, "a job or a person looks after it"

    def _audit_ledger(self) -> None:
        transfers = self.book.all(Transfer)
        keys = [transfer.dedup for transfer in transfers]
        assert len(keys) == len(set(keys)), "one cause moves money once"
        balances: Counter[str] = Counter()
        for transfer in transfers:
            balances[transfer.source] -= transfer.amount
            balances[transfer.target] += transfer.amount
        assert sum(balances.values()) == 0
        for account in self.book.all(Account):
            if account.balance is not None:
                assert account.balance == balances[account.id] >= 0
        held = sum(ic.fee_minor for ic in self.book.all(Interception) if ic.money is Money.HELD)
        assert balances[wallet_ids(MERCHANT, "CNY")[1]] == held


FEE_MOVES = ("hold", "capture", "release", "refund")
