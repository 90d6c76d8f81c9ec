"""A real ledger for tests: the store on a real file, driven command by command on virtual time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from adapters import ADAPTERS
from gateway.clock import Clock
from gateway.domain.carrier import (
    Answer,
    ClaimKind,
    Delivery,
    Milestone,
    Reason,
    Scan,
    Status,
    Verdict,
)
from gateway.domain.claim import DecideClaim, FileClaim
from gateway.domain.create import CancelInterception, CreateInterception
from gateway.domain.desk import FinishClaim
from gateway.domain.due import LeaseDue
from gateway.domain.fees import DAY_MS, HOUR_MS, MINUTE_MS, Contract, Payout, Policy, Terms
from gateway.domain.interception import (
    Exceptional,
    Inbox,
    InboxStatus,
    Interception,
    JobKind,
)
from gateway.domain.leasing import Work
from gateway.domain.merchant import SetWaybillService, TopUp, UpsertMerchant
from gateway.domain.parcel import Merchant, OrderLine, Person, StoreStatus
from gateway.domain.payout import SettleOffline
from gateway.domain.push import ApplyPush, ReceivePush
from gateway.domain.quote import MakeQuote
from gateway.domain.reading import Observe
from gateway.domain.reconcile import (
    Header,
    Line,
    PostStatement,
    Received,
    ReceivePart,
)
from gateway.domain.record import replace
from gateway.domain.register import RegisterParcel
from gateway.domain.reply import Finish
from gateway.domain.statement import SIGN, Difference, LineKind, Statement, Step
from gateway.statements import networks, post
from gateway.store.store import Store, driver
from tests.engines import Engine

M, V = Milestone, Verdict
START = 1_790_000_000_000
TENANT, SHOP = "t", "t/shop"
FREE = Status.AT_DESTINATION  # where the contracts of these tests ask no fee
FEES = dict.fromkeys(Status, 800) | {FREE: 0}
DAYS: dict[str, Any] = {"billed_within_ms": DAY_MS, "paid_within_ms": DAY_MS}
KINDS = tuple(JobKind)
PEOPLE = (
    Person("", "", "sender", "张三", "13800000000", "浙江省", "杭州市", "西湖区", "文三路1号"),
    Person("", "", "receiver", "李四", "13900000000", "北京市", "北京市", "朝阳区", "建国路2号"),
)


def terms(**changes: Any) -> Terms:
    """SF pays awards off-line, ZTO into the wallet; `changes` are of both contracts."""
    contracts = {
        "sf": Contract(channel="sf", fees=FEES, **DAYS | changes),
        "zto": Contract(channel="zto", fees=FEES, payout=Payout.WALLET, **DAYS | changes),
    }
    accounts: Mapping[tuple[str, str], Mapping[str, str]] = {("sf", "a"): {}, ("zto", "a"): {}}
    return Terms(ADAPTERS, contracts, Policy(), accounts, {TENANT: frozenset({"pa"})})


@dataclass(slots=True)
class Desk:
    """Whoever stands around a gateway: merchant, carrier, clerk and clock."""

    engine: Engine
    store: Store
    clock: Clock
    works: dict[str, Work] = field(default_factory=dict)
    numbers: int = 0
    channels: dict[str, str] = field(default_factory=dict)  # interception -> channel
    waybills: dict[str, str] = field(default_factory=dict)  # interception -> waybill

    # -- merchant -------------------------------------------------------------------------

    async def opened(self, amount: int = 100_000) -> None:
        shop = Merchant(
            SHOP, TENANT, "pop_sop", False, True, StoreStatus.OPERATING, True, True, "CNY", 0
        )
        await self.store.run(UpsertMerchant(shop))
        for network in ("sf", "zto"):
            await self.store.run(SetWaybillService(SHOP, network, True))
        await self.store.run(TopUp(TENANT, self._key(), SHOP, amount, "CNY", "bank-1", "treasurer"))

    async def parcel(self, channel: str) -> str:
        self.numbers += 1
        waybill = f"SF{self.numbers:013d}" if channel == "sf" else f"7{self.numbers:013d}"
        line = OrderLine(
            "", "", f"o{self.numbers}", "1", 1, False, "shirt", "apparel", 1, 5000, 6000, 0
        )
        await self.store.run(
            RegisterParcel(
                TENANT, SHOP, channel, channel, "a", waybill, Status.UNKNOWN, (line,), PEOPLE
            )
        )
        return waybill

    async def create(
        self,
        channel: str = "sf",
        *,
        waybill: str = "",
        slot: bool = True,
        at: Milestone = M.PICKED_UP,
    ) -> str:
        """Register, quote and create. Returns the interception's id."""
        waybill = waybill or await self.parcel(channel)
        read = Answer(V.RECEIVED, scans=(self.scan(waybill, at),))
        quoted = await self.store.run(MakeQuote(TENANT, SHOP, channel, waybill, read))
        created = await self.store.run(
            CreateInterception(
                TENANT, self._key(), SHOP, quoted.quote.id, "pa", "tk", slot, "clerk"
            )
        )
        if created.work is not None:
            self.works[created.work.job] = created.work
        ic: str = created.interception.id
        self.channels[ic], self.waybills[ic] = channel, waybill
        return ic

    async def cancel(self, ic: str) -> Any:
        return await self.store.run(CancelInterception(TENANT, self._key(), ic, "clerk"))

    async def claim(self, ic: str, kind: ClaimKind, loss: int = 3000) -> Any:
        rows = self.engine.table(
            "SELECT order_no FROM order_line WHERE parcel = "
            "(SELECT parcel FROM interception WHERE id = ?)",
            ic,
        )
        order = rows[0][0]
        return await self.store.run(
            FileClaim(TENANT, self._key(), ic, kind, order, "1", loss, "CNY", "", "clerk")
        )

    # -- carrier --------------------------------------------------------------------------

    async def answer(
        self, ic: str, verdict: Verdict, reason: Reason = Reason.NONE, **of: Any
    ) -> Any:
        """The carrier answers the request that is under way."""
        return await self._finish(JobKind.SUBMIT, ic, Answer(verdict, reason, **of))

    async def answer_cancel(self, ic: str, verdict: Verdict) -> Any:
        return await self._finish(JobKind.WITHDRAW, ic, Answer(verdict))

    async def _finish(self, kind: JobKind, ic: str, answer: Answer) -> Any:
        work = await self.work(kind, ic)
        return await self.store.run(Finish(work.job, work.gen, ic, work.attempt, answer))

    def machine_ms(self) -> int:
        """Machine time, had it passed like business time."""
        return self.clock.machine_ms() + self.clock.now() - START

    async def see(
        self, ic: str, *milestones: Milestone, asked: Answer | None = None, **of: Any
    ) -> Any:
        """A reading: the scans of the parcel, and what the query said."""
        work = await self.work(JobKind.FOLLOW, ic)
        self.later(MINUTE_MS)
        scans = tuple(self.scan(self.waybills[ic], each, **of) for each in milestones)
        read = Answer(V.RECEIVED, scans=scans)
        return await self.store.run(Observe(work.job, work.gen, ic, asked, read, self.machine_ms()))

    async def answer_claim(self, claim: str, kind: JobKind, answer: Answer) -> Any:
        work = await self.work(kind, claim)
        return await self.store.run(FinishClaim(work.job, work.gen, claim, answer))

    async def push(self, channel: str, waybill: str, *milestones: Milestone, tier: int = 1) -> str:
        scans = tuple(self.scan(waybill, each) for each in milestones)
        key = await self.receive(channel, f"{waybill} {milestones}".encode(), tier=tier)
        await self.store.run(ApplyPush(key, channel, Delivery(key, (waybill,), scans)))
        return key

    async def receive(
        self, channel: str, body: bytes, *, tier: int = 1, status: InboxStatus = InboxStatus.NEW
    ) -> str:
        digest = sha256(body).hexdigest()
        row = Inbox(
            f"{channel}/a/{digest}", channel, "a", tier, True, body, "", digest, 0, None, status
        )
        await self.store.run(ReceivePush(row))
        return row.id

    def scan(self, waybill: str, milestone: Milestone, **of: Any) -> Scan:
        return Scan(waybill, milestone, milestone.name, self.clock.now(), **of)

    async def bill(
        self, channel: str, number: str, *lines: Line, corrects: str = "", **of: Any
    ) -> Any:
        """The carrier's statement of all there was so far, in one part; posted, or refused."""
        return await self.part(channel, number, 1, 1, lines, total(lines), corrects, **of)

    async def part(
        self,
        channel: str,
        number: str,
        part: int,
        parts: int,
        lines: Sequence[Line],
        total_minor: int,
        corrects: str = "",
        **of: Any,
    ) -> Any:
        received = await self.store.run(
            self.received(channel, number, part, parts, lines, total_minor, corrects, **of)
        )
        if not isinstance(received, Received) or received.statement.step is Step.RECEIVING:
            return received
        return await post(self.store, received.statement.id)

    async def bill_until(self, commits: int, number: str, lines: Sequence[Line]) -> Statement:
        """A statement that is left after so many commits of its posting."""
        command = self.received("sf", number, 1, 1, lines, total(lines))
        found: Statement = (await self.store.run(command)).statement
        of = networks(self.store.terms.adapters, self.store.terms)
        for _ in range(commits):
            found = await self.store.run(PostStatement(found.id, of))
        return found

    def received(
        self,
        channel: str,
        number: str,
        part: int,
        parts: int,
        lines: Sequence[Line],
        total_minor: int,
        corrects: str = "",
        **of: Any,
    ) -> ReceivePart:
        header = Header(
            channel=channel,
            account="a",
            sha256=sha256(f"{channel} {number} {corrects}".encode()).hexdigest(),
            number=number,
            period_from=START - DAY_MS,
            period_to=self.clock.now(),
            total_minor=total_minor,
            currency="CNY",
            parts=parts,
            corrects=corrects,
        )
        header = replace(header, **of)
        return ReceivePart(TENANT, self._key(), header, part, tuple(lines), "operator")

    async def differences(self, statement: str = "") -> list[tuple[str, int, str]]:
        """Kind, line and interception of each exception, in order."""
        rows = await self.store.rows(Difference, "differences")
        return sorted(
            (row.id.split("/")[0], row.line_no, row.interception or "")
            for row in rows
            if statement in ("", row.statement)
        )

    # -- clerk and clock ------------------------------------------------------------------

    async def decide(self, claim: str, grant: int, actor: str = "officer") -> Any:
        return await self.store.run(
            DecideClaim(TENANT, key := self._key(), claim, key, grant, "CNY", "", actor)
        )

    async def claim_of(self, ic: str) -> str:
        [(found,)] = self.engine.table("SELECT id FROM claim WHERE interception = ?", ic)
        key: str = found
        return key

    async def paid_offline(self, award: str) -> Any:
        return await self.store.run(
            SettleOffline(TENANT, self._key(), award, "carrier's transfer 17", "officer")
        )

    async def work(self, kind: JobKind, subject: str) -> Work:
        """The lease of a job: the one in hand, or taken up when it is due."""
        job = f"{kind}/{subject}"
        if job not in self.works:
            [(due,)] = self.engine.table("SELECT due_at FROM job WHERE id = ?", job)
            self.clock.follow(min(due, self.clock.now() + 2 * DAY_MS))
            await self.lease(kind)
        return self.works.pop(job)

    async def lease(self, *kinds: JobKind) -> None:
        for work in await self.store.run(LeaseDue(kinds or KINDS, 100, {})):
            self.works[work.job] = work

    def later(self, ms: int) -> None:
        self.clock.follow(self.clock.now() + ms)

    async def get(self, ic: str) -> Interception:
        [row] = await self.store.rows(Interception, "load_interception", keys=[ic])
        return row

    async def exceptions(self, subject: str) -> set[str]:
        rows = await self.store.rows(Exceptional, "exception_of", keys=[subject])
        return {row.kind for row in rows}

    def _key(self) -> str:
        self.numbers += 1
        return f"request-{self.numbers}"


async def opened(
    engine: Engine, *, at: int = START, policy: Policy | None = None, **changes: Any
) -> Desk:
    """A store on a new database with one funded merchant. The caller stops it."""
    clock = Clock(followed=True, new_id=Numbers())  # ids that count can be compared
    clock.follow(at)
    await driver(engine.url).migrate()
    of = replace(terms(**changes), policy=policy or Policy())
    desk = Desk(engine, Store(driver(engine.url), clock, of, patience_s=60), clock)
    await desk.store.start()
    await desk.opened()
    return desk


@dataclass(slots=True)
class Numbers:
    """Ids that count."""

    last: int = 0

    def __call__(self) -> str:
        self.last += 1
        return f"{self.last:026x}"


# -- a merchant's month: every way an interception can go -----------------------------------


async def month(desk: Desk) -> dict[str, str]:
    """Every outcome once. Returns the interceptions by what became of them."""
    told = await _early(desk)
    told |= await _accepted(desk)
    told |= await _claims(desk)
    told |= await _pushed(desk)
    told |= await _billed(desk, told)
    desk.later(HOUR_MS)
    told["queued"] = await desk.create("zto", slot=False)
    told["sending"] = await desk.create("sf")
    return told


async def _early(desk: Desk) -> dict[str, str]:
    """Those that end before the parcel turns round, and two nobody knows the end of."""
    told = {"refused": await desk.create("sf")}
    await desk.answer(told["refused"], V.REFUSED, Reason.TOO_LATE)
    told["withdrawn"] = await desk.create("zto", slot=False)
    await desk.cancel(told["withdrawn"])
    told["free"] = await desk.create("sf", at=M.AT_DESTINATION)
    await desk.answer(told["free"], V.REFUSED, Reason.NOT_ALLOWED)
    told["busy"] = await desk.create("sf")
    await desk.answer(told["busy"], V.BUSY, Reason.RATE_LIMITED)
    told["absent"] = await desk.create("zto")
    await desk.answer(told["absent"], V.UNKNOWN, Reason.NO_ANSWER)
    told["unknown"] = await desk.create("sf")
    await desk.answer(told["unknown"], V.UNKNOWN, Reason.NO_ANSWER)
    told["late"] = await desk.create("zto")
    await desk.answer(told["late"], V.UNKNOWN, Reason.NO_ANSWER)
    desk.later(HOUR_MS)  # past every send deadline and in-flight bound
    await desk.lease(JobKind.SUBMIT)
    for name in ("absent", "late"):
        await desk.see(told[name], asked=Answer(V.ABSENT))
    desk.later(DAY_MS)
    work = f"{JobKind.SUBMIT}/{told['late']}"
    of_late = "SELECT id FROM attempt WHERE interception = ?"
    [(attempt,)] = desk.engine.table(of_late, told["late"])
    await desk.store.run(Finish(work, 1, told["late"], attempt, Answer(V.RECEIVED)))
    await desk.push("zto", desk.waybills[told["late"]], M.RETURNING)
    await desk.see(told["late"])
    return told


async def _accepted(desk: Desk) -> dict[str, str]:
    """Those the carrier stopped: back, under way, given up again, or delivered all the same."""
    told = {}
    for name in ("returned", "returning", "cancelled", "too_late", "delivered", "accepted"):
        told[name] = await desk.create("sf")
        await desk.answer(told[name], V.ACCEPTED, reference=f"cus-{name}")
    await desk.see(told["returned"], M.RETURNING)
    await desk.see(told["returned"], M.RETURN_SIGNED)
    await desk.see(told["returning"], M.RETURNING)
    for name, verdict in (("cancelled", V.CANCELLED), ("too_late", V.TOO_LATE)):
        await desk.cancel(told[name])
        await desk.answer_cancel(told[name], verdict)
    await desk.see(told["delivered"], M.SIGNED)
    told["again"] = first = await desk.create("zto")
    await desk.answer(first, V.RECEIVED)
    await desk.see(first, asked=Answer(V.MISSED, Reason.TOO_LATE))
    told["processing"] = await desk.create("zto", waybill=desk.waybills[first])
    await desk.answer(told["processing"], V.RECEIVED)
    return told


async def _claims(desk: Desk) -> dict[str, str]:
    """Lost, damaged, found again: claims, awards and their pay-outs."""
    told = {}
    for name in ("lost", "found", "damaged"):
        told[name] = await desk.create("zto")
        await desk.answer(told[name], V.RECEIVED)
        await desk.see(told[name], asked=Answer(V.ACCEPTED, reference=f"z-{name}"))
        await desk.see(told[name], M.RETURNING)
    for name in ("lost", "found"):
        await desk.see(told[name], M.LOST)
        claim = (await desk.claim(told[name], ClaimKind.LOST)).claim.id
        filed = Answer(V.RECEIVED, reference=f"claim-{name}")
        await desk.answer_claim(claim, JobKind.CLAIM, filed)
        desk.later(DAY_MS)
        granted = Answer(V.ACCEPTED, grant_minor=2500, reference=f"claim-{name}")
        await desk.answer_claim(claim, JobKind.CLAIM_FOLLOW, granted)
    desk.later(DAY_MS)
    await desk.see(told["found"], M.FOUND)
    await desk.see(told["damaged"], M.DAMAGED, M.RETURN_SIGNED)
    claim = (await desk.claim(told["damaged"], ClaimKind.DAMAGED)).claim.id
    await desk.decide(claim, 1000)
    await desk.decide(claim, 500)
    told["failed"] = await desk.create("sf")
    await desk.answer(told["failed"], V.ACCEPTED, reference="cus-failed")
    await desk.see(told["failed"], M.SIGNED)
    claim = (await desk.claim(told["failed"], ClaimKind.RETURN_FAILED)).claim.id
    award = (await desk.decide(claim, 3000)).award.id
    await desk.paid_offline(award)
    return told


async def _pushed(desk: Desk) -> dict[str, str]:
    """Pushes that come first, of strangers, twice, or unreadable."""
    told = {"pushed": await desk.create("zto")}
    await desk.answer(told["pushed"], V.RECEIVED)
    for _ in range(2):
        await desk.push("zto", desk.waybills[told["pushed"]], M.IN_TRANSIT, tier=2)
    await desk.push("sf", "SF9999999999999", M.IN_TRANSIT, tier=3)
    await desk.receive("sf", b"\xff", tier=3, status=InboxStatus.QUARANTINED)
    return told


def total(lines: Iterable[Line], currency: str = "CNY") -> int:
    return sum(SIGN[line.kind] * line.amount for line in lines if line.currency == currency)


def line(number: int, kind: LineKind, reference: str, amount: int, **of: Any) -> Line:
    given: dict[str, Any] = {"waybill": "", "currency": "CNY", "at": 0} | of
    return Line(number, kind, reference, amount=amount, **given)


async def _billed(desk: Desk, told: dict[str, str]) -> dict[str, str]:
    """Statements of both carriers, right and wrong, and one that is corrected."""
    billed = await desk.create("sf")
    await desk.answer(billed, V.UNKNOWN, Reason.NO_ANSWER)
    desk.later(3 * DAY_MS)
    fee, credit, paid = LineKind.FEE, LineKind.FEE_CREDIT, LineKind.CLAIM
    await desk.bill(
        "sf",
        "sf-1",
        line(1, fee, told["returned"], 800),
        line(2, fee, "cus-returning", 900, waybill=desk.waybills[told["returning"]]),
        line(3, fee, "", 800, waybill=desk.waybills[told["delivered"]]),
        line(4, fee, "", 800, waybill=desk.waybills[told["failed"]]),
        line(5, credit, told["failed"], 800),
        line(6, fee, told["refused"], 800),
        line(7, fee, "", 800, waybill="SF9999999999998"),
        line(8, fee, told["lost"], 800),
        line(9, fee, "", 800, waybill=desk.waybills[billed]),
        line(10, LineKind.OTHER, "storage", -50),
        line(11, paid, await desk.claim_of(told["failed"]), 3000),
    )
    lost, found, damaged = [
        await desk.claim_of(told[name]) for name in ("lost", "found", "damaged")
    ]
    lines = [
        line(1, fee, told["late"], 800),
        line(2, fee, told["lost"], 800),
        line(3, fee, told["lost"], 800),
        line(4, paid, lost, 2500),
        line(5, paid, found, 2000),
        line(6, paid, damaged, 1500),
        line(7, paid, "nobody", 100),
        line(8, fee, told["found"], 800, currency="USD"),
    ]
    await desk.bill("zto", "zto-1", *lines)
    lines[1] = line(2, fee, told["lost"], 850)
    lines[6] = line(7, fee, told["damaged"], 800)
    await desk.bill("zto", "zto-2", *lines, corrects="zto-1")
    return {"billed": billed}
