"""The clients of a crash run: they know only what they were answered, and repeat what was not.

Each act leads to certain commands of the gateway. A call that dies with the gateway is repeated as
it is, with the same request_id, until it is answered.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.pb.turnback.v1 import carrier_service_pb2 as carriers
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest.cases import (
    BROKEN,
    KINDS,
    LINE_VALUE,
    LINES,
    LOST,
    MINUTE_MS,
    POISON,
    SLOW,
    STAND_IN,
    WAYBILLS,
    WITHDRAWN,
    Case,
    Kind,
    registering,
    shipped,
)
from loadtest.client import Method, fen, millis, yuan
from loadtest.fleet import AGREEMENTS, PAYMENT_AGREEMENT, USUAL, Fleet, FleetError
from loadtest.replicas import Replicas
from loadtest.simulation import Simulation

OTHER, FEE = operations.STATEMENT_LINE_KIND_OTHER, operations.STATEMENT_LINE_KIND_FEE
BATCH_MAX = 100  # registrations of one call
STEP_MS = 40 * MINUTE_MS
STEPS_MAX = 160  # of the clock until all is settled
TRIES_MAX = 600  # of one call, over all restarts
PAUSE_S = 0.05
UNAVAILABLE: int = grpc.StatusCode.UNAVAILABLE.value[0]
CALL_S = 15.0
FAILOVER_S = 4.0  # then another replica is asked the same
IDLE_S = 5
RESTS_S = 120.0
ACTS_MAX = 8  # how often a point's own act is done before the point counts as not reached
UNANSWERED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
)
TOP_UP = 2_000_000
UNDECIDED = (pb.DECISION_QUEUED, pb.DECISION_SENDING, pb.DECISION_PROCESSING, pb.DECISION_UNKNOWN)
PROMISED = (pb.DECISION_ACCEPTED, pb.DECISION_LATE_ACCEPTED)
UNDER_WAY = (pb.MOVEMENT_NONE, pb.MOVEMENT_RETURNING)


class Crowd:
    """All clients of the run, and the clock that they live by."""

    def __init__(self, fleet: Fleet, simulation: Simulation, seed: int) -> None:
        self.fleet = fleet
        self.simulation = simulation
        self.chance = random.Random(seed)
        self.cases: list[Case] = []
        self.merchants: list[str] = []
        self.top_ups: Counter[str] = Counter()
        self.settlements: dict[str, int] = {}  # claim -> minor units the carrier paid off-line
        self.violations: list[tuple[str, str]] = []  # (point, what)
        self.replicas = Replicas(fleet, self.chance)
        self.point = ""
        self.channels: tuple[str, ...] = USUAL
        self.share = 1  # interceptions that each act begins with
        self._numbers = 0
        self._lines: dict[str, list[tuple[Case, str]]] = {carrier: [] for carrier in LOST}
        self._takers: frozenset[str] | None = None
        self._filed: list[claims.Claim] = []
        self._decided: list[claims.Claim] = []

    async def close(self) -> None:
        await self.replicas.close()

    def wrong(self, what: str, point: str = "") -> None:
        self.violations.append((point or self.point, what))

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    async def ask(self, method: Method[wire.Answer], request: Any) -> wire.Answer:
        """One call, repeated as it is until it is answered: over as many restarts as there are,
        and by any replica."""
        last = -1
        for _ in range(TRIES_MAX):
            last = await self.replicas.choose(but=last)
            answer = await self._tried(last, method, request)
            if answer is not None:
                return answer
            await asyncio.sleep(PAUSE_S)
        raise FleetError(f"{method.path} was not answered{self.fleet.tail('gateway')}")

    async def _tried(
        self, replica: int, method: Method[wire.Answer], request: Any
    ) -> wire.Answer | None:
        """What one replica answers; None where the same call is to be made again."""
        token = getattr(self.fleet.tokens, method.role)
        call: Any = self.replicas.channel(replica).unary_unary(
            f"/turnback.v1.{method.path}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.answer.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),)
        within = CALL_S if self.fleet.replicas == 1 or method is wire.IDLE else FAILOVER_S
        try:
            answer: wire.Answer = await call(request, metadata=metadata, timeout=within)
        except grpc.aio.AioRpcError as error:
            if error.code() not in UNANSWERED:
                raise
            return None
        return answer

    # -- acts: what leads to the points -----------------------------------------------------

    async def merchant(self, top_up: int = TOP_UP) -> None:
        """A new merchant with everything it needs."""
        key = f"shop-{self._next()}"
        record = merchants.Merchant(
            id=key,
            type=merchants.MERCHANT_TYPE_POP_SOP,
            cancel_order_enabled=True,
            store_status=merchants.STORE_STATUS_OPERATING,
            service_contract_signed=True,
            wallet_open=True,
        )
        await self.ask(wire.UPSERT, merchants.MerchantServiceUpsertRequest(merchant=record))
        for agreement, version in AGREEMENTS.items():
            signed = merchants.MerchantServiceSignAgreementRequest(
                request_id=f"sign-{key}-{agreement}",
                merchant_id=key,
                agreement_id=agreement,
                version=version,
            )
            await self.ask(wire.SIGN, signed)
        for channel in self.channels:
            service = merchants.WaybillService(carrier=channel, opened=True)
            opened = merchants.MerchantServiceSetWaybillServiceRequest(
                merchant_id=key, waybill_service=service
            )
            await self.ask(wire.WAYBILL_SERVICE, opened)
        paid = wallets.WalletServiceTopUpRequest(
            request_id=f"top-up-{key}",
            merchant_id=key,
            amount=yuan(top_up),
            external_reference=f"bank-{key}",
        )
        await self.ask(wire.TOP_UP, paid)
        self.top_ups[key] += top_up
        self.merchants.append(key)

    async def cohort(self, count: int = 0, kinds: Sequence[Kind] = KINDS) -> list[Case]:
        """Some interceptions at one time."""
        chosen = [kinds[(len(self.cases) + i) % len(kinds)] for i in range(count or self.share)]
        made = [self.case(kind) for kind in chosen]
        self.cases += made
        await self.simulation.ship([shipped(case, self.fleet) for case in made])
        await asyncio.gather(*(self.intercept(case) for case in made))
        return made

    def case(self, kind: Kind) -> Case:
        number = self._next()
        waybill = WAYBILLS[kind.carrier].format(number)
        merchant = self.chance.choice(self.merchants)
        return Case(kind, merchant, waybill, f"order-{number}", f"request-{number:08}")

    async def register(self, case: Case) -> bool:
        batch = parcels.ParcelServiceBatchRegisterRequest(items=[registering(case)])
        for _ in range(TRIES_MAX):  # an item of a batch has a status of its own
            result = (await self.ask(wire.REGISTER, batch)).results[0]
            if result.error.code != UNAVAILABLE:
                break
            await asyncio.sleep(PAUSE_S)
        if result.error.code:
            self.wrong(f"{case.waybill}: not registered: {result.error.message}")
        return not result.error.code

    async def intercept(self, case: Case) -> None:
        if not await self.register(case):
            return
        for _ in range(ACTS_MAX):
            if await self._create(case):
                break
        if case.kind.withdraw:
            await self._withdraw(case)

    async def forget(self, count: int) -> None:
        """Parcels that nobody will speak of again."""
        items = [registering(self.case(KINDS[0])) for _ in range(count)]
        for start in range(0, count, BATCH_MAX):
            part = items[start : start + BATCH_MAX]
            batch = parcels.ParcelServiceBatchRegisterRequest(items=part)
            answer = await self.ask(wire.REGISTER, batch)
            if not all(result.HasField("registered") for result in answer.results):
                self.wrong("a parcel is not registered")

    async def _create(self, case: Case) -> bool:
        """Quote and create. False where the quote had expired and nothing was created."""
        key = parcels.ParcelKey(carrier=case.kind.channel, waybill=case.waybill)
        asked = pb.InterceptServiceQuoteRequest(merchant_id=case.merchant, parcel=key)
        quote = (await self.ask(wire.QUOTE, asked)).quote
        if not quote.id:
            unmet = [each.reason for action in quote.actions for each in action.unmet]
            self.wrong(f"{case.waybill}: no quote: {unmet}")
            return True
        case.fee = fen(quote.actions[0].fee)
        request = pb.InterceptServiceCreateRequest(
            request_id=case.request_id,
            quote_id=quote.id,
            agreement_id=PAYMENT_AGREEMENT,
            cancel_ticket=f"ticket-{case.order_no}",
        )
        try:
            for _ in range(2):  # the second time as a client would that never saw the answer
                created = (await self.ask(wire.CREATE, request)).interception
                case.answers.add((created.id, fen(created.fee)))
                case.point = case.point or self.point
        except grpc.aio.AioRpcError as error:
            if not case.answers and "QUOTE_EXPIRED" in (error.details() or ""):
                case.request_id += "x"
                return False
            self.wrong(f"{case.waybill}: Create: {error.code().name} {error.details()}")
        return True

    async def _withdraw(self, case: Case) -> None:
        request = pb.InterceptServiceCancelRequest(
            request_id=f"cancel-{case.request_id}", interception_id=case.interception
        )
        try:
            await self.ask(wire.CANCEL, request)
        except grpc.aio.AioRpcError as error:
            if "CANCEL_" not in (error.details() or ""):
                self.wrong(f"{case.waybill}: Cancel: {error.code().name} {error.details()}")

    async def idle(self) -> operations.OperationServiceIdleResponse:
        """Until every replica that is up says that nothing is left to do."""
        request = operations.OperationServiceIdleRequest(wait=Duration(seconds=IDLE_S))
        answer: operations.OperationServiceIdleResponse | None = None
        loop = asyncio.get_running_loop()
        end = loop.time() + RESTS_S
        while loop.time() < end:
            await self.replicas.choose()
            asked = [self._tried(each, wire.IDLE, request) for each in self.replicas.here()]
            answers = [each for each in await asyncio.gather(*asked) if each is not None]
            if answers and all(each.idle for each in answers):
                return answers[0]
            answer = next((each for each in answers if not each.idle), answer)
            if len(answers) < len(asked) or not asked:
                await asyncio.sleep(PAUSE_S)
        raise FleetError(f"the gateway never rests: {answer}".replace("\n", " "))

    async def step(self, least_ms: int = STEP_MS) -> None:
        """Let the gateway rest, then let business time go on."""
        answer = await self.idle()
        due = millis(answer.next_due_at) - millis(answer.now)
        most = 8 * least_ms
        await self.simulation.move(advance_ms=min(max(due, least_ms), most))
        await self.idle()

    async def one(self) -> None:
        await self.cohort(1)

    async def life(self) -> None:
        await self.cohort(max(2, self.share))
        for _ in range(3):
            await self.step(5 * MINUTE_MS)

    async def withdrawal(self) -> None:
        await self.cohort(1, WITHDRAWN)

    async def slow_quote(self) -> None:
        await self.cohort(1, (SLOW,))
        await self.step(MINUTE_MS)

    async def poison(self) -> None:
        """No step of the clock: it would wait for the leases that such a job leaves."""
        await self.cohort(1, (POISON,))

    async def senseless_push(self) -> None:
        """A push that breaks what should apply it. The gateway rests when it is set apart."""
        self._numbers += 1
        account = next(a for a in self.fleet.accounts if a.carrier == STAND_IN)
        replica = await self.replicas.choose()
        url = f"{self.fleet.addresses(replica).push}/push/{BROKEN}/{account.name}"
        body = f"{self.point} {self._numbers}".encode()
        async with aiohttp.ClientSession() as session:
            with suppress(aiohttp.ClientError):
                async with session.post(url, data=body):
                    pass
        await self.idle()

    # -- claims -----------------------------------------------------------------------------

    async def _lost(self, carrier: str) -> tuple[Case, str]:
        """A line of a lost parcel that nobody has claimed yet."""
        if not self._lines[carrier]:
            (case,) = await self.cohort(1, (LOST[carrier],))
            for _ in range(STEPS_MAX):
                key = pb.InterceptServiceGetRequest(interception_id=case.interception)
                found = (await self.ask(wire.GET, key)).interception
                if found.movement == pb.MOVEMENT_LOST:
                    break
                if found.decision not in (*UNDECIDED, *PROMISED):
                    return await self._lost(carrier)  # never sent: not lost either
                await self.step()
            self._lines[carrier] += [(case, line) for line in LINES]
        return self._lines[carrier].pop()

    async def takers(self) -> frozenset[str]:
        """Carriers that claims are filed with; where it is another's, a person decides."""
        if self._takers is None:
            told = await self.ask(wire.CARRIERS, carriers.CarrierServiceListRequest())
            self._takers = frozenset(
                one.name
                for one in told.carriers
                if any(each.operation == carriers.OPERATION_CLAIM for each in one.capabilities)
            )
        return self._takers

    async def file(self, carrier: str = "") -> claims.Claim:
        carrier = carrier or self.chance.choice(tuple(LOST))
        case, line = await self._lost(carrier)
        request = claims.ClaimServiceFileRequest(
            request_id=f"claim-{case.request_id}-{line}",
            interception_id=case.interception,
            kind=claims.CLAIM_KIND_LOST,
            order_no=case.order_no,
            line_no=line,
            loss=yuan(LINE_VALUE - self.chance.randrange(5_000)),
        )
        claim = (await self.ask(wire.FILE, request)).claim
        if claim.reviewer == claims.CLAIM_REVIEWER_OPERATOR:
            self._filed.append(claim)
        return claim

    async def file_any(self) -> None:
        await self.file()

    async def file_with_carrier(self) -> None:
        await self.file(min(await self.takers() & LOST.keys()))
        for _ in range(3):
            await self.step()

    async def decide(self) -> claims.Claim:
        others = LOST.keys() - await self.takers()
        claim = self._filed.pop() if self._filed else await self.file(min(others))
        self._filed = [each for each in self._filed if each.id != claim.id]
        request = operations.OperationServiceDecideClaimRequest(
            request_id=f"decide-{claim.id}",
            claim_id=claim.id,
            decision=operations.CLAIM_DECISION_AWARD,
            granted=claim.loss,
            decision_key=f"desk-{claim.id}",
        )
        answer = await self.ask(wire.DECIDE, request)
        self._decided.append(answer.claim)
        return answer.claim

    async def decide_any(self) -> None:
        await self.decide()

    async def settle(self) -> None:
        claim = self._decided.pop() if self._decided else await self.decide()
        self._decided = [each for each in self._decided if each.id != claim.id]
        request = operations.OperationServiceRecordOfflineSettlementRequest(
            request_id=f"settle-{claim.id}",
            claim_id=claim.id,
            award_id=claim.awards[0].id,
            amount=claim.awards[0].amount,
            reference=f"paid-{claim.id}",
        )
        await self.ask(wire.SETTLE, request)
        self.settlements[claim.id] = fen(claim.awards[0].amount)

    async def statement(self) -> None:
        """A carrier's statement in two parts: storage, and a fee for a stranger's parcel."""
        number = self._next()
        lines = [
            operations.StatementLine(line_no=1, kind=OTHER, reference="storage", amount=yuan(3)),
            operations.StatementLine(line_no=2, kind=FEE, waybill=f"X{number:012}", amount=yuan(8)),
        ]
        for part, line in enumerate(lines, 1):
            request = operations.OperationServiceImportStatementRequest(
                request_id=f"statement-{number}-{part}",
                carrier=USUAL[0],
                sha256=hashlib.sha256(f"statement {number}".encode()).hexdigest(),
                statement_no=f"S-{number}",
                period_from=Timestamp(seconds=number),
                period_to=Timestamp(seconds=number + 1),
                total=yuan(11),
                lines=[line],
                part=part,
                parts=len(lines),
            )
            answer = await self.ask(wire.IMPORT, request)
        if not answer.posted or (answer.unmatched_count, answer.exception_count) != (2, 2):
            self.wrong(f"statement {number}: not posted whole")
