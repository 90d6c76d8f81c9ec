"""The clients: merchants who quote, create, repeat, withdraw and claim; a desk that decides."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest.client import fen, yuan
from simulator.depot import Record
from tests.simulation.faults import CLIENT, strikes
from tests.simulation.gateway import Gone, Refused
from tests.simulation.terms import AGREEMENT, TOKENS

if TYPE_CHECKING:
    from tests.simulation.world import World

TRIES_MAX = 200  # of one call: some minutes of machine time
QUOTES_MAX = 12
CALL_S = 5.0
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SENDER = {"name": "林溪文具", "phone": "19900000001", "province": "浙江省", "city": "杭州市"}
SENDER |= {"district": "余杭区", "street": "文一西路1号"}
RECEIVER = {"name": "陈一", "phone": "19900000002", "province": "北京市", "city": "北京市"}
RECEIVER |= {"district": "朝阳区", "street": "建国路2号"}
VALUES = (20_000, 25_000)  # of the lines of a box; together above the cap
RICH, POOR = 5_000_000, 4_000
PHOTO = types.Proof(kind="photo", uri="https://evidence.example/photo.jpg", sha256="5f" * 32)
UNANSWERED = ("UNAVAILABLE", "ABORTED", "DEADLINE_EXCEEDED")


@dataclass(slots=True)
class Life:
    """One parcel and what its merchant asks of it."""

    number: int
    channel: str
    merchant: str
    waybill: str
    record: Record
    network: str
    code: str = ""  # what an aggregator calls the network
    creates: int = 0  # request ids used
    cancels: int = 0

    @property
    def order_no(self) -> str:
        return f"order-{self.number}"

    def registration(self) -> types.ParcelRegistration:
        lines = [
            types.OrderLine(
                line_no=str(n),
                title="茶具",
                category="home_storage",
                quantity=1,
                paid_amount=yuan(value),
                list_amount=yuan(value + 1000),
            )
            for n, value in enumerate(VALUES, 1)
        ]
        order = types.Order(order_no=self.order_no, parcel_count=1, lines=lines, cancelled=True)
        return types.ParcelRegistration(
            merchant_id=self.merchant,
            carrier=self.channel,
            waybill=self.waybill,
            channel_code=self.code,
            orders=[order],
            sender=types.Contact(**SENDER),
            receiver=types.Contact(**RECEIVER),
        )


@dataclass(slots=True)
class Crowd:
    world: "World"
    chance: Random
    merchants: list[str] = field(default_factory=list)
    lives: dict[tuple[str, str], Life] = field(default_factory=dict)
    at_work: int = 0
    calm: bool = False  # nobody misbehaves any more
    _numbers: int = 0
    _claimed: set[tuple[str, str]] = field(default_factory=set)
    _settled: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def next(self) -> int:
        self._numbers += 1
        return self._numbers

    def chosen(self, name: str) -> bool:
        if self.calm or not strikes(self.chance, CLIENT[name]):
            return False
        self.world.met(f"client.{name}")
        return True

    # -- calling --------------------------------------------------------------------------

    async def ask(self, name: str, request: Message, role: str = "tenant") -> Any:
        """One call, repeated as it is until it is answered. Raises Refused."""
        wait_s = 0.1
        for _ in range(TRIES_MAX):
            gateway = self.world.gateway
            timeout_s = CALL_S
            if self.chosen("gives_up"):
                timeout_s = self.chance.uniform(0.0, 0.3)
            try:
                if gateway is None:
                    raise Gone
                return await gateway.call(name, request, TOKENS[role], timeout_s)
            except Gone:
                pass
            except Refused as refused:
                if refused.code not in UNANSWERED:
                    self.world.auditor.refused(name, refused)
                    raise
            await asyncio.sleep(self.chance.uniform(0.5, 1.0) * wait_s)
            wait_s = min(2 * wait_s, 5.0)
        self.world.wrong("L1", f"{name} was never answered")
        raise Gone

    # -- merchants ------------------------------------------------------------------------

    async def open(self, amount: int) -> None:
        key = f"shop-{self.next()}"
        merchant = merchants.Merchant(
            id=key,
            type=merchants.MERCHANT_TYPE_POP_SOP,
            cancel_order_enabled=True,
            store_status=merchants.STORE_STATUS_OPERATING,
            service_contract_signed=True,
            wallet_open=True,
        )
        await self.ask(
            "MerchantService/Upsert", merchants.MerchantServiceUpsertRequest(merchant=merchant)
        )
        for channel in self.world.deals:
            code = self.world.parties[channel].code
            service = merchants.WaybillService(carrier=channel, opened=True, channel_code=code)
            opened = merchants.MerchantServiceSetWaybillServiceRequest(
                merchant_id=key, waybill_service=service
            )
            await self.ask("MerchantService/SetWaybillService", opened)
        self.merchants.append(key)
        await self.top_up(key, amount)

    async def top_up(self, merchant: str, amount: int) -> None:
        reference = f"bank-{self.next()}"
        request = wallets.WalletServiceTopUpRequest(
            request_id=f"top-up-{reference}",
            merchant_id=merchant,
            amount=yuan(amount),
            external_reference=reference,
        )
        self.world.auditor.topping_up(merchant, amount)
        await self.ask("WalletService/TopUp", request, "treasury")
        self.world.auditor.topped_up(merchant, amount)
        if not self.calm and self.chance.random() < 0.1:  # it changes nothing
            await self.ask("WalletService/TopUp", request, "treasury")

    async def look(self) -> None:
        """A wallet as its merchant sees it."""
        merchant = self.chance.choice(self.merchants)
        request = wallets.WalletServiceGetRequest(merchant_id=merchant)
        wallet = (await self.ask("WalletService/Get", request)).wallet
        self.world.auditor.saw(merchant, fen(wallet.available), fen(wallet.held))

    # -- the life of a parcel --------------------------------------------------------------

    async def live(self, life: Life) -> None:
        try:
            created = await self._intercept(life)
            if created and self.chosen("second_create"):
                await self._second(life)
            if created and self.chosen("withdraws"):
                await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.5, 3.0)))
                await self.withdraw(life, created)
        except (Refused, Gone):
            return

    async def _intercept(self, life: Life) -> str:
        """Quote and create, again while quotes expire. The interception's id, or "" for none."""
        for _ in range(QUOTES_MAX):
            quote = await self._quote(life)
            if quote is None:
                return ""
            life.creates += 1
            request = pb.InterceptServiceCreateRequest(
                request_id=f"create-{life.number}-{life.creates}",
                quote_id=quote.id,
                agreement_id=AGREEMENT,
                cancel_ticket=f"ticket-{life.number}",
            )
            if self.chance.random() < 0.1:
                await self.world.later(self.chance.choice((60_000, 300_000, 660_000)))
            asked = [self._create(life, quote, request)]
            if self.chosen("twins"):
                asked += [self._create(life, quote, request) for _ in range(2)]
            made = await asyncio.gather(*asked)
            if any(made):
                if self.chosen("other_body"):
                    await self._other(request)
                return next(key for key in made if key)
            if not self.world.auditor.expired(quote):
                return ""
        return ""

    async def _quote(self, life: Life) -> pb.Quote | None:
        request = pb.InterceptServiceQuoteRequest(
            merchant_id=life.merchant, registration=life.registration()
        )
        since = self.world.now
        quote: pb.Quote = (await self.ask("InterceptService/Quote", request)).quote
        self.world.auditor.quoted(life, quote, since)
        return quote if quote.id else None

    async def _create(
        self, life: Life, quote: pb.Quote, request: pb.InterceptServiceCreateRequest
    ) -> str:
        auditor = self.world.auditor
        auditor.creating(life, quote, request.request_id)
        try:
            answer = await self.ask("InterceptService/Create", request)
        except Refused as refused:
            auditor.create_refused(life, quote, request.request_id, refused)
            return ""
        auditor.created(life, quote, request.request_id, answer)
        return str(answer.interception.id)

    async def _other(self, request: pb.InterceptServiceCreateRequest) -> None:
        """The same request id with another body: refused, and nothing has changed."""
        other = pb.InterceptServiceCreateRequest()
        other.CopyFrom(request)
        other.cancel_ticket += "-x"
        await self._refused("InterceptService/Create", other, "REQUEST_ID_REUSED")

    async def _second(self, life: Life) -> None:
        """A parcel that is being intercepted is quoted again."""
        quote = await self._quote(life)
        if quote is not None:
            life.creates += 1
            request = pb.InterceptServiceCreateRequest(
                request_id=f"create-{life.number}-{life.creates}",
                quote_id=quote.id,
                agreement_id=AGREEMENT,
                cancel_ticket=f"ticket-{life.number}",
            )
            await self._create(life, quote, request)

    async def _refused(
        self, name: str, request: Message, *reasons: str, role: str = "tenant"
    ) -> None:
        try:
            await self.ask(name, request, role)
        except Refused as refused:
            if refused.reason in reasons:
                return
            self.world.wrong("reply", f"{name}: {refused}, expected {reasons}")
            return
        self.world.wrong("reply", f"{name} was answered OK, expected {reasons}")

    async def withdraw(self, life: Life, interception: str) -> None:
        life.cancels += 1
        request = pb.InterceptServiceCancelRequest(
            request_id=f"cancel-{life.number}-{life.cancels}", interception_id=interception
        )
        try:
            answer = await self.ask("InterceptService/Cancel", request)
        except Refused as refused:
            if refused.reason not in ("CANCEL_TOO_LATE", "CANCEL_NOT_OFFERED"):
                self.world.wrong("reply", f"Cancel: {refused}")
            return
        self.world.auditor.withdrawn(answer.interception)

    # -- claims ---------------------------------------------------------------------------

    async def claim(self, life: Life, interception: str, kind: str) -> None:
        """File for each line, and let whoever decides decide."""
        key = (interception, kind)
        if key in self._claimed:
            return
        self._claimed.add(key)
        try:
            for line_no, value in enumerate(VALUES, 1):
                loss = value if self.chance.random() < 0.5 else self.chance.randrange(1, value + 1)
                await self._file(life, interception, kind, str(line_no), loss)
        except (Refused, Gone):
            return

    async def _file(
        self, life: Life, interception: str, kind: str, line_no: str, loss: int
    ) -> None:
        by = self.chance.choice(("tenant", "second"))
        request = claims.ClaimServiceFileRequest(
            request_id=f"claim-{interception[-10:]}-{kind}-{line_no}",
            interception_id=interception,
            kind=f"CLAIM_KIND_{kind}",
            order_no=life.order_no,
            line_no=line_no,
            loss=yuan(loss),
            evidence=[PHOTO] if kind == "DAMAGED" else [],
        )
        try:
            claim = (await self.ask("ClaimService/File", request, by)).claim
        except Refused as refused:
            self.world.auditor.claim_refused(interception, kind, refused)
            return
        self.world.auditor.filed(claim, life, loss)
        if self.chance.random() < 0.15:
            again = claims.ClaimServiceFileRequest()
            again.CopyFrom(request)
            again.request_id += "-again"
            await self._refused("ClaimService/File", again, "CLAIM_EXISTS", role=by)
        if claim.reviewer == claims.CLAIM_REVIEWER_OPERATOR:
            self.world.spawn(self.desk(claim.id, loss, by))

    async def desk(self, claim_id: str, loss: int, by: str = "tenant") -> None:
        """People decide: in parts, twice, two at a time, too much, or not at all."""
        self.at_work += 1
        try:
            await self.world.later(self.chance.randrange(DAY_MS))
            for part in range(self.chance.choice((1, 1, 2))):
                grant = self.chance.choice((loss, 2 * loss, max(1, loss // 3), 0))
                await self._decide(claim_id, f"decision-{part}", grant, by)
        except (Refused, Gone):
            pass
        finally:
            self.at_work -= 1

    async def _decide(self, claim_id: str, key: str, grant: int, by: str) -> None:
        request = operations.OperationServiceDecideClaimRequest(
            request_id=f"decide-{claim_id[-12:]}-{key}", claim_id=claim_id
        )
        if grant:
            request.decision = operations.CLAIM_DECISION_AWARD
            request.granted.CopyFrom(yuan(grant))
            request.decision_key = key
        else:
            request.decision = operations.CLAIM_DECISION_REJECT
            request.note = "不予赔付"
        role = "second" if by == "second" and self.chance.random() < 0.5 else "claims"
        asked = [self._decision(request, role, grant, by)]
        if self.chance.random() < 0.3:  # two officers at once
            other = operations.OperationServiceDecideClaimRequest()
            other.CopyFrom(request)
            other.request_id += "-b"
            asked.append(self._decision(other, role, grant, by))
        await asyncio.gather(*asked)

    async def _decision(
        self, request: operations.OperationServiceDecideClaimRequest, role: str, grant: int, by: str
    ) -> None:
        auditor = self.world.auditor
        auditor.deciding(request.claim_id, request.decision_key, grant)
        try:
            answer = await self.ask("OperationService/DecideClaim", request, role)
        except Refused as refused:
            auditor.decision_refused(request.claim_id, refused, same=role == by)
            return
        if answer.HasField("award"):
            auditor.awarded(answer.claim, answer.award)
            if self.world.deals[answer.claim.carrier].payout == "offline":
                await self.settle(request.claim_id, answer.award.id, fen(answer.award.amount))

    async def settle_all(self) -> None:
        """In the end the carriers pay what they owe."""
        request = claims.ClaimServiceListRequest(page_size=200)
        while True:
            page = await self.ask("ClaimService/List", request)
            for claim in page.claims:
                for award in claim.awards:
                    if self.world.deals[claim.carrier].payout == "offline" and not award.paid:
                        await self.settle(claim.id, award.id, fen(award.amount))
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    async def settle(self, claim_id: str, award_id: str, amount: int) -> None:
        """The carrier has paid the merchant; told twice, and by two, it is one payment."""
        self._settled[award_id] += 1
        request = operations.OperationServiceRecordOfflineSettlementRequest(
            request_id=f"settle-{award_id[-12:]}-{self._settled[award_id]}",
            claim_id=claim_id,
            award_id=award_id,
            amount=yuan(amount),
            reference=f"paid-{award_id[-12:]}",
        )
        try:
            await self.ask("OperationService/RecordOfflineSettlement", request, "claims")
        except Refused as refused:
            if refused.reason != "CLAIM_NOT_OPEN":
                self.world.wrong("reply", f"RecordOfflineSettlement: {refused}")
