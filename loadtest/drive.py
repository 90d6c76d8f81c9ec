"""The merchants' platform through the day: ship, quote, pay, intercept, withdraw, claim.

Every call goes over the wire with a request_id of its own, and at most `CONCURRENCY` at a time.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest import gather, telling
from loadtest.carriers import Account
from loadtest.client import Client, yuan
from loadtest.evidence import Asked
from loadtest.fleet import AGREEMENTS
from loadtest.scenario import MINUTE_MS, Day, Merchant, Parcel
from loadtest.simulation import Simulation
from loadtest.watch import Watcher

CONCURRENCY = 32
REGISTER_MAX = 100  # parcels in one call
REPEAT_EVERY = 20  # every so many Creates are sent a second time, with the same request_id
REST_TRIES = 20
REST_WAIT_S = 3
STORE_STATUS = {
    True: merchants.STORE_STATUS_OPERATING,
    False: merchants.STORE_STATUS_SUSPENDED,
}
Action = Callable[[], Awaitable[None]]


class Restless(Exception):
    """The gateway did not come to rest at one business time."""


class Driver:
    """One day's work. `asked` is the client's own log, by (carrier, waybill)."""

    def __init__(
        self,
        day: Day,
        client: Client,
        simulation: Simulation,
        accounts: Mapping[str, Account],
        watcher: Watcher,
    ) -> None:
        self.day = day
        self.client = client
        self.simulation = simulation
        self.accounts = accounts
        self.watcher = watcher
        self.now_ms = day.starts_ms
        self.pushes = 0
        self.asked: dict[tuple[str, str], Asked] = {}
        self.replayed = 0
        self.offers: Mapping[str, tuple[str, ...]] = {}  # what each carrier can be asked
        self._gate = asyncio.Semaphore(CONCURRENCY)
        self._due: list[tuple[int, int, Action]] = []
        self._serial = itertools.count()

    # -- set-up ---------------------------------------------------------------------------

    async def set_up(self) -> None:
        self.offers = await gather.offers(self.client)
        for merchant in self.day.merchants:
            await self._open(merchant)

    async def _open(self, merchant: Merchant) -> None:
        call = self.client.call
        shown = merchants.Merchant(
            id=merchant.id,
            title=merchant.title,
            type=merchants.MERCHANT_TYPE_POP_SOP,
            cross_border=merchant.cross_border,
            cancel_order_enabled=merchant.cancel_order,
            store_status=STORE_STATUS[merchant.operating],
            service_contract_signed=merchant.contract_signed,
            wallet_open=True,
            wallet_currency="CNY",
        )
        await call(wire.UPSERT, merchants.MerchantServiceUpsertRequest(merchant=shown))
        signatures = dict(AGREEMENTS) if merchant.agreements else {}
        for agreement, version in signatures.items():
            signature = merchants.MerchantServiceSignAgreementRequest(
                request_id=f"sign/{merchant.id}/{agreement}"[:64],
                merchant_id=merchant.id,
                agreement_id=agreement,
                version=version,
                kind=merchants.AGREEMENT_KIND_SERVICE,
                signatory="店长",
            )
            await call(wire.SIGN, signature)
        for carrier in merchant.waybill_services:
            service = merchants.WaybillService(carrier=carrier, opened=True)
            request = merchants.MerchantServiceSetWaybillServiceRequest(
                merchant_id=merchant.id, waybill_service=service
            )
            await call(wire.WAYBILL_SERVICE, request)
        top_up = wallets.WalletServiceTopUpRequest(
            request_id=f"top-up/{merchant.id}",
            merchant_id=merchant.id,
            amount=yuan(self.day.top_up),
            external_reference=f"BANK-20260618-{merchant.id}",
        )
        await call(wire.TOP_UP, top_up)

    # -- a wave of cancelled orders -------------------------------------------------------

    async def ship(self, shipped: tuple[Parcel, ...]) -> None:
        """The carriers have these parcels, and the gateway knows them."""
        await self.simulation.ship(
            [
                telling.at_carrier(parcel, self.accounts[parcel.carrier], self.day.return_to)
                for parcel in shipped
            ]
        )
        items = [
            parcels.ParcelServiceRegisterRequest(
                request_id=f"register/{parcel.waybill}",
                parcel=self._registration(parcel, later=False),
            )
            for parcel in shipped
        ]
        for start in range(0, len(items), REGISTER_MAX):
            batch = parcels.ParcelServiceBatchRegisterRequest(
                items=items[start : start + REGISTER_MAX]
            )
            answer = await self.client.call(wire.REGISTER, batch)
            for result in answer.results:
                if result.HasField("error"):
                    raise RuntimeError(f"a parcel was not registered: {result.error.message}")

    def _registration(self, parcel: Parcel, *, later: bool) -> types.ParcelRegistration:
        account = self.accounts[parcel.carrier].name
        return telling.registration(parcel, account, self.day.return_to, later=later)

    async def intercept(self, wanted: tuple[Parcel, ...]) -> None:
        await asyncio.gather(*(self._one(number, p) for number, p in enumerate(wanted)))

    async def _one(self, number: int, parcel: Parcel) -> None:
        async with self._gate:
            quote = await self._quote(parcel)
            asked = self.asked[parcel.key]
            if asked.unmet:
                return
            request = telling.creation(parcel, quote.id)
            try:
                answer = await self.client.call(wire.CREATE, request)
                again = number % REPEAT_EVERY == 0
                second = await self.client.call(wire.CREATE, request) if again else None
            except grpc.aio.AioRpcError as error:
                self.asked[parcel.key] = replace(asked, refused=f"{error.code()} {error.details()}")
                return
        answers = [answer] if second is None else [answer, second]
        self.replayed += sum(each.replayed for each in answers)
        self.asked[parcel.key] = replace(
            asked,
            request_id=request.request_id,
            created=tuple(each.interception.id for each in answers),
            created_fee=wire.fen(answer.interception.fee),
        )
        if parcel.withdraw_min:
            self.later(self.now_ms + parcel.withdraw_min * MINUTE_MS, self._withdrawal(answer))
        if parcel.also:
            await self._elsewhere(parcel)

    async def _elsewhere(self, parcel: Parcel) -> None:
        """What another channel says that reaches the same parcel."""
        key = parcels.ParcelKey(carrier=parcel.also, waybill=parcel.waybill)
        request = intercepts.InterceptServiceQuoteRequest(merchant_id=parcel.merchant, parcel=key)
        (action,) = (await self.client.call(wire.QUOTE, request)).quote.actions
        self.asked[parcel.key] = replace(
            self.asked[parcel.key],
            also=parcel.also,
            also_unmet=tuple(condition.reason for condition in action.unmet),
        )

    async def _quote(self, parcel: Parcel) -> intercepts.Quote:
        asked = Asked(
            carrier=parcel.carrier,
            waybill=parcel.waybill,
            status=parcel.status,
            merchant=parcel.merchant,
            case=parcel.case,
            outcome=parcel.outcome,
            expected_unmet=parcel.unmet,
        )
        request = intercepts.InterceptServiceQuoteRequest(merchant_id=parcel.merchant)
        if len(parcel.orders) > 1:  # which of the orders in the box are cancelled is news
            request.registration.CopyFrom(self._registration(parcel, later=True))
        else:
            request.parcel.carrier, request.parcel.waybill = parcel.key
            request.parcel.channel_code = parcel.code
        quote = (await self.client.call(wire.QUOTE, request)).quote
        action = quote.actions[0]
        words = tuple(
            (
                next((m.message for m in c.messages if m.locale.startswith("zh")), ""),
                next((m.message for m in c.messages if m.locale.startswith("en")), ""),
            )
            for c in action.unmet
        )
        self.asked[parcel.key] = replace(
            asked,
            quoted=True,
            unmet=tuple(condition.reason for condition in action.unmet),
            words=words,
            quoted_fee=wire.fen(action.fee) if action.HasField("fee") else None,
        )
        return quote

    def _withdrawal(self, answer: intercepts.InterceptServiceCreateResponse) -> Action:
        async def withdraw() -> None:
            request = intercepts.InterceptServiceCancelRequest(
                request_id=f"withdraw/{answer.interception.waybill}",
                interception_id=answer.interception.id,
                reason="买家改变主意",
            )
            try:
                await self.client.call(wire.CANCEL, request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise

        return withdraw

    # -- time -----------------------------------------------------------------------------

    def later(self, due_ms: int, action: Action) -> None:
        heapq.heappush(self._due, (due_ms, next(self._serial), action))

    @property
    def next_due_ms(self) -> int | None:
        return self._due[0][0] if self._due else None

    async def rest(self) -> operations.OperationServiceIdleResponse:
        """Wait until nothing is left to do at this business time."""
        request = operations.OperationServiceIdleRequest(wait=Duration(seconds=REST_WAIT_S))
        answer = operations.OperationServiceIdleResponse()
        for _ in range(REST_TRIES):
            answer = await self.client.call(wire.IDLE, request)
            if answer.idle and wire.millis(answer.now) >= self.now_ms:
                return answer
            if answer.idle:
                await asyncio.sleep(0.002)  # its clock follows in a moment
        raise Restless(
            f"the gateway did not come to rest: {answer.in_flight_count} in flight, "
            f"{answer.due_count} due"
        )

    async def move_to(self, target_ms: int) -> None:
        """Let business time pass, and do what the client has planned for then."""
        moment = await self.simulation.move(set_ms=target_ms)
        self.now_ms = moment.now_ms
        self.pushes += moment.pushes_sent
        await self.rest()
        acted = False
        while self._due and self._due[0][0] <= self.now_ms:
            await heapq.heappop(self._due)[2]()
            acted = True
        if acted:
            await self.rest()
