"""A gateway that serves, the simulator behind it, and a client: what these tests stand on."""

import asyncio
import io
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from google.type.money_pb2 import Money
from grpc_status import rpc_status

from gateway.assembly import Gateway
from gateway.config import Role, Settings, token_hash
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from gateway.rpc import errors
from gateway.rpc.auth import role_of
from gateway.rpc.server import FILES
from gateway.store.store import driver
from simulator.outcomes import Scenario
from simulator.running import Settings as SimulatorSettings
from simulator.running import running

Code = grpc.StatusCode


METHODS = [m for file in FILES for s in file.services_by_name.values() for m in s.methods]


TOKENS = {
    ("mall", "tenant"): "mall-tenant-token",
    ("mall", "treasury"): "mall-treasury-token",
    ("mall", "claims"): "mall-claims-token",
    ("mall", "operator"): "mall-operator-token",
    ("other", "all"): "other-tenant-token",
}


AGREEMENT = "auto-pay"
CHECKWORD = "check-word"
PHONE = "13800000000"
NAMES = ("仓库", "张三")
STREETS = ("一路1号", "二路2号")
ACCOUNT = {"carrier": "sf", "account": "PARTNER", "credentials": {"checkword": CHECKWORD}}


@dataclass(slots=True)
class Record:
    """All that gateways said beside their answers: log lines, errors, metrics."""

    lines: io.BytesIO = field(default_factory=io.BytesIO)
    said: list[bytes] = field(default_factory=list)

    def leaks(self) -> set[str]:
        """Which secrets and personal data of these tests are in it."""
        every = b"\n".join((self.lines.getvalue(), *self.said))
        secret = (CHECKWORD, PHONE, *NAMES, *STREETS, *TOKENS.values())
        forms = {word: (word.encode(), ascii(word)[1:-1].encode()) for word in secret}
        return {word for word, forms_ in forms.items() if any(form in every for form in forms_)}


RECORD = Record()


def path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@dataclass(slots=True)
class World:
    """A gateway that serves, the simulator behind it, and a client."""

    channel: grpc.aio.Channel
    control: str
    gateway: Gateway
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def raw(self, method: MethodDescriptor, body: bytes, token: str | None) -> bytes:
        try:
            return await self._raw(method, body, token)
        except grpc.aio.AioRpcError as error:
            trailers = error.trailing_metadata() or ()
            values = [v if isinstance(v, bytes) else v.encode() for _, v in trailers]
            RECORD.said += [(error.details() or "").encode(), *values]
            raise

    async def _raw(self, method: MethodDescriptor, body: bytes, token: str | None) -> bytes:
        metadata = () if token is None else (("authorization", token),)
        if method.server_streaming:
            many: Any = self.channel.unary_stream(path(method))
            answers = [answer async for answer in many(body, metadata=metadata, timeout=1.5)]
            return bytes(answers[0]) if answers else b""
        one: Any = self.channel.unary_unary(path(method))
        return bytes(await one(body, metadata=metadata, timeout=10))

    async def ask(self, request: Message, token: str = "mall-tenant-token") -> Any:
        method = next(m for m in METHODS if m.input_type is request.DESCRIPTOR)
        answer = await self.raw(method, request.SerializeToString(), f"Bearer {token}")
        return GetMessageClass(method.output_type).FromString(answer)

    async def ship(self, status: str = "in_transit", outcome: str = "returned") -> str:
        """A parcel at the carrier."""
        number = f"SF{next(self.numbers):013}"
        parcel: dict[str, Any] = {"carrier": "sf", "account": "PARTNER", "waybill": number}
        parcel |= {"status": status, "sender": {"phone": PHONE}}
        body = {"parcels": [{**parcel, "value_minor": 20_000, "script": {"outcome": outcome}}]}
        await self.post("parcels", body)
        return number

    async def post(self, what: str, body: Mapping[str, Any]) -> None:
        """Tells the simulator."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.control}/{what}", json=body) as response,
        ):
            assert response.status == 200, await response.text()

    async def idle(self) -> None:
        """Until nothing is due and no carrier is being asked."""
        request = operations.OperationServiceIdleRequest()
        request.wait.seconds = 8
        assert (await self.ask(request, "mall-operator-token")).idle

    async def log(self, key: str, token: str = "mall-tenant-token") -> list[Any]:
        request = intercepts.InterceptServiceListEventsRequest(interception_id=key, page_size=200)
        return list((await self.ask(request, token)).events)

    async def quote(self, waybill: str, token: str = "mall-tenant-token") -> Any:
        given = registration(waybill)
        request = intercepts.InterceptServiceQuoteRequest(merchant_id="m1", registration=given)
        return (await self.ask(request, token)).quote

    async def settled(
        self, quote_id: str, request_id: str, token: str = "mall-tenant-token"
    ) -> Any:
        """An interception that its carrier has decided, however slow the machine is."""
        row = (await self.create(quote_id, request_id, token)).interception
        async with asyncio.timeout(10):
            while row.state == intercepts.INTERCEPTION_STATE_DECIDING:
                await asyncio.sleep(0.02)
                asked = intercepts.InterceptServiceGetRequest(interception_id=row.id)
                row = (await self.ask(asked, token)).interception
        return row

    async def create(self, quote_id: str, request_id: str, token: str = "mall-tenant-token") -> Any:
        return await self.ask(
            intercepts.InterceptServiceCreateRequest(
                request_id=request_id, quote_id=quote_id, agreement_id=AGREEMENT
            ),
            token,
        )


def yuan(amount: int) -> Money:
    return Money(currency_code="CNY", units=amount)


def registration(waybill: str) -> types.ParcelRegistration:
    who = {"phone": PHONE, "province": "上海", "city": "上海", "district": "浦东"}
    line = types.OrderLine(line_no="1", title="shoes", category="shoes", quantity=1)
    line.paid_amount.CopyFrom(yuan(200))
    return types.ParcelRegistration(
        carrier="sf",
        waybill=waybill,
        orders=[types.Order(order_no=f"O-{waybill}", parcel_count=1, lines=[line])],
        sender=types.Contact(name=NAMES[0], street=STREETS[0], **who),
        receiver=types.Contact(name=NAMES[1], street=STREETS[1], **who),
    )


def settings(carriers: str, store: Path | str, **changes: Mapping[str, Any]) -> Settings:
    """Settings of one gateway; `changes` are laid over the sections they name."""
    listen = {"host": "127.0.0.1", "port": 0}
    tokens: dict[str, list[dict[str, Any]]] = {"mall": [], "other": []}
    every = [str(role) for role in Role]
    for (tenant, role), token in TOKENS.items():
        roles = every if role == "all" else [role]
        tokens[tenant].append({"name": role, "sha256": token_hash(token), "roles": roles})
    account = {
        "credentials": {"partner_id": "PARTNER", "checkword": CHECKWORD},
        "settings": {"monthly_card": "7550000001"},
    }
    bands = ("picked_up", "in_transit", "at_destination", "out_for_delivery")
    carrier = {
        "base_url": f"{carriers}/sf",
        "accounts": {"main": account},
        "contract": {"fees": dict.fromkeys(bands, 800)},
    }
    sections: dict[str, dict[str, Any]] = {
        "grpc": listen,
        "push": listen,
        "metrics": listen,
        "store": {"url": store if isinstance(store, str) else f"sqlite:///{store}"},
        "tenants": {
            name: {"tokens": given, "payment_agreements": [AGREEMENT], "per_second": 100_000}
            for name, given in tokens.items()
        },
        "carriers": {"sf": carrier},
        # A busy machine sheds nothing here: what is shed, and when, has tests of its own.
        "limits": {"lame_duck_ms": 0, "intake_wait_ms": 5_000, "late_ms": 60_000},
        "test": {"plaintext": True, "idle": True},
    }
    for name, change in changes.items():
        sections[name] = {**sections.get(name, {}), **change}
    return Settings.model_validate(sections)


@asynccontextmanager
async def serving(given: Settings) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway, and the address it answers at."""
    await driver(given.store.url.get_secret_value()).migrate()
    gateway = Gateway(given)
    started = await gateway.start()
    try:
        yield gateway, started["grpc"]
    finally:
        RECORD.said.append(await gateway.metrics.render())
        await gateway.stop()


@asynccontextmanager
async def living(
    store: Path | str, *, frozen: bool = False, **changes: Mapping[str, Any]
) -> AsyncIterator[World]:
    """A whole world: simulator, gateway, client, and a merchant of each tenant."""
    machine = SimulatorSettings(start_ms=time.time_ns() // 1_000_000, frozen=frozen)
    async with running(machine, Scenario()) as addresses:
        if frozen:
            changes["test"] = {"clock_url": f"{addresses.control}/clock"}
        given = settings(addresses.carriers, store, **changes)
        async with (
            serving(given) as (gateway, address),
            grpc.aio.insecure_channel(address) as channel,
        ):
            world = World(channel, addresses.control, gateway)
            await world.post("accounts", ACCOUNT)
            await merchant(world, "mall-tenant-token", "mall-treasury-token")
            await merchant(world, "other-tenant-token", "other-tenant-token")
            yield world


async def merchant(world: World, tenant: str, treasury: str) -> None:
    """A merchant that may do everything, with money."""
    given = merchants.Merchant(
        id="m1",
        type=merchants.MERCHANT_TYPE_POP_SOP,
        cancel_order_enabled=True,
        store_status=merchants.STORE_STATUS_OPERATING,
        service_contract_signed=True,
        wallet_open=True,
    )
    await world.ask(merchants.MerchantServiceUpsertRequest(merchant=given), tenant)
    service = merchants.WaybillService(carrier="sf", opened=True)
    await world.ask(
        merchants.MerchantServiceSetWaybillServiceRequest(
            merchant_id="m1", waybill_service=service
        ),
        tenant,
    )
    await world.ask(
        wallets.WalletServiceTopUpRequest(
            request_id=f"top-up-{tenant[:5]}",
            merchant_id="m1",
            amount=yuan(1_000),
            external_reference=f"bank-{tenant[:5]}",
        ),
        treasury,
    )


def told(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, Any]]:
    """The reason of an error and its details by type. Every error has exactly one reason."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert isinstance(status, status_pb2.Status)
    found: dict[str, Any] = {}
    for packed in status.details:
        name = packed.type_url.rsplit(".", 1)[-1]
        detail = getattr(details, name)()
        packed.Unpack(detail)
        found.setdefault(name, []).append(detail)
    (info,) = found["ErrorInfo"]
    assert info.domain == errors.DOMAIN
    return info.reason, found


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, dict[str, Any]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), *told(caught.value)


def token_for(method: MethodDescriptor) -> str:
    return f"Bearer {TOKENS['mall', str(role_of(method))]}"
