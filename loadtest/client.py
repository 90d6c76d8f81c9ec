"""A platform's side of the protocol: typed calls over gRPC, each with the credential it needs.

A call that the gateway could not take now is repeated with the same message, and so with the same
request_id. Nothing else is repeated.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from gateway.pb.turnback.v1 import carrier_service_pb2 as carriers
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest.fleet import Tokens

Answer = TypeVar("Answer", bound=Message)
AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
TRIES_MAX = 60
PAUSE_S = 0.1
TIMEOUT_S = 20.0
FEN_IN_YUAN = 100
NANOS_IN_FEN = 10_000_000
OPTIONS: Sequence[tuple[str, str | int]] = (("grpc.max_receive_message_length", 16 * 2**20),)


@dataclass(frozen=True, slots=True)
class Method(Generic[Answer]):
    path: str
    answer: type[Answer]
    role: str = "platform"


CARRIERS = Method("CarrierService/List", carriers.CarrierServiceListResponse)
REGISTER = Method("ParcelService/BatchRegister", parcels.ParcelServiceBatchRegisterResponse)
PARCEL = Method("ParcelService/Get", parcels.ParcelServiceGetResponse)
QUOTE = Method("InterceptService/Quote", intercepts.InterceptServiceQuoteResponse)
BATCH_QUOTE = Method("InterceptService/BatchQuote", intercepts.InterceptServiceBatchQuoteResponse)
CREATE = Method("InterceptService/Create", intercepts.InterceptServiceCreateResponse)
CANCEL = Method("InterceptService/Cancel", intercepts.InterceptServiceCancelResponse)
GET = Method("InterceptService/Get", intercepts.InterceptServiceGetResponse)
LIST = Method("InterceptService/List", intercepts.InterceptServiceListResponse)
EVENTS = Method("InterceptService/ListEvents", intercepts.InterceptServiceListEventsResponse)
WATCH = Method("InterceptService/Watch", intercepts.InterceptServiceWatchResponse)
UPSERT = Method("MerchantService/Upsert", merchants.MerchantServiceUpsertResponse)
SIGN = Method("MerchantService/SignAgreement", merchants.MerchantServiceSignAgreementResponse)
WAYBILL_SERVICE = Method(
    "MerchantService/SetWaybillService", merchants.MerchantServiceSetWaybillServiceResponse
)
WALLET = Method("WalletService/Get", wallets.WalletServiceGetResponse)
TOP_UP = Method("WalletService/TopUp", wallets.WalletServiceTopUpResponse, "treasury")
ENTRIES = Method("WalletService/ListEntries", wallets.WalletServiceListEntriesResponse)
FILE = Method("ClaimService/File", claims.ClaimServiceFileResponse)
CLAIM = Method("ClaimService/Get", claims.ClaimServiceGetResponse)
CLAIMS = Method("ClaimService/List", claims.ClaimServiceListResponse)
DECIDE = Method(
    "OperationService/DecideClaim", operations.OperationServiceDecideClaimResponse, "claims"
)
SETTLE = Method(
    "OperationService/RecordOfflineSettlement",
    operations.OperationServiceRecordOfflineSettlementResponse,
    "claims",
)
EXCEPTIONS = Method(
    "OperationService/ListExceptions",
    operations.OperationServiceListExceptionsResponse,
    "operator",
)
IMPORT = Method(
    "OperationService/ImportStatement",
    operations.OperationServiceImportStatementResponse,
    "operator",
)
AUDIT = Method("OperationService/Audit", operations.OperationServiceAuditResponse, "operator")
IDLE = Method("OperationService/Idle", operations.OperationServiceIdleResponse, "operator")


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


@dataclass(slots=True)
class Client:
    """`async with Client(address, tokens) as client:`. Keeps how long every answer took."""

    address: str
    tokens: Tokens
    options: Sequence[tuple[str, str | int]] = OPTIONS
    tries: int = TRIES_MAX
    seconds: dict[str, list[float]] = field(default_factory=dict)
    _channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self.address, options=list(self.options))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._channel is not None:
            await self._channel.close()

    def _metadata(self, role: str) -> Sequence[tuple[str, str]]:
        token: str = getattr(self.tokens, role)
        return (("authorization", f"Bearer {token}"),)

    async def call(self, method: Method[Answer], request: Message) -> Answer:
        """Raises AioRpcError for every answer that is not OK, once it has been repeated in vain."""
        assert self._channel is not None
        ask = self._channel.unary_unary(
            f"/turnback.v1.{method.path}",
            request_serializer=_bytes,
            response_deserializer=method.answer.FromString,
        )
        for attempt in range(self.tries):
            began = time.perf_counter()
            try:
                answer: Answer = await ask(
                    request, metadata=self._metadata(method.role), timeout=TIMEOUT_S
                )
            except grpc.aio.AioRpcError as error:
                last = attempt == self.tries - 1
                if error.code() not in AGAIN or last:
                    raise
                await asyncio.sleep(PAUSE_S)
                continue
            finally:
                took = time.perf_counter() - began
                self.seconds.setdefault(method.path, []).append(took)
            return answer
        raise AssertionError("the last try answers or raises")

    def watch(
        self, request: intercepts.InterceptServiceWatchRequest
    ) -> "grpc.aio.UnaryStreamCall[Message, intercepts.InterceptServiceWatchResponse]":
        assert self._channel is not None
        ask = self._channel.unary_stream(
            f"/turnback.v1.{WATCH.path}",
            request_serializer=_bytes,
            response_deserializer=WATCH.answer.FromString,
        )
        return ask(request, metadata=self._metadata("platform"))

    def percentile(self, method: Method[Answer], hundredth: int) -> int:
        """Milliseconds, rounded up."""
        taken = sorted(self.seconds.get(method.path, ()))
        if not taken:
            return 0
        index = min(len(taken) - 1, len(taken) * hundredth // 100)
        return int(taken[index] * 1000) + 1


def yuan(minor: int) -> Money:
    units, fen = divmod(minor, FEN_IN_YUAN)
    return Money(currency_code="CNY", units=units, nanos=fen * NANOS_IN_FEN)


def fen(amount: Money) -> int:
    return amount.units * FEN_IN_YUAN + amount.nanos // NANOS_IN_FEN


def millis(time_stamp: Timestamp) -> int:
    return time_stamp.seconds * 1000 + time_stamp.nanos // 1_000_000


def stamp(ms: int) -> Timestamp:
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)
