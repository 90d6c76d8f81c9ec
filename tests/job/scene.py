"""A scene: gateway and simulator in one process, real gRPC and HTTP between them, virtual time."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import grpc.aio
from google.type.money_pb2 import Money

from gateway.assembly import Gateway
from gateway.config import Settings, token_hash
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import claim_service_pb2_grpc as claims_grpc
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import intercept_service_pb2_grpc as intercepts_grpc
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import merchant_service_pb2_grpc as merchants_grpc
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import operation_service_pb2_grpc as operations_grpc
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from gateway.pb.turnback.v1 import wallet_service_pb2_grpc as wallets_grpc
from gateway.store.store import driver
from simulator.outcomes import Scenario
from simulator.running import Settings as SimulatorSettings
from simulator.running import running

START = 1_790_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FEE = 800
PUSH_SECRET = "q8Jx2mVb7TzR4kLw9NcYd1Hs"
TOKEN, POWERS = "scene-tenant-token", "scene-powers-token"
SENDER = {"name": "林溪文具", "phone": "19900000001", "province": "浙江省", "city": "杭州市"}
SENDER |= {"district": "余杭区", "street": "文一西路1号"}
RECEIVER = {"name": "陈一", "phone": "19900000002", "province": "北京市", "city": "北京市"}
RECEIVER |= {"district": "朝阳区", "street": "建国路2号"}
ACCOUNTS = {"sf": ("P1", {"checkword": "cw"}), "zto": ("Z1", {"app_secret": "secret"})}
NAMES = {"sf": {"partner_id": "P1"}, "zto": {"app_key": "Z1"}}


def stub(kind: Any, channel: grpc.aio.Channel) -> Any:
    """Generated stubs have no types."""
    return kind(channel)


def money(minor: int) -> Money:
    return Money(currency_code="CNY", units=minor // 100, nanos=minor % 100 * 10_000_000)


def minor(amount: Money) -> int:
    return amount.units * 100 + amount.nanos // 10_000_000


def me(token: str = TOKEN) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def settings(carriers: str, clock_url: str, store: str, **changes: Any) -> Settings:
    listen = {"host": "127.0.0.1", "port": 0}
    bands = ("picked_up", "in_transit", "at_destination", "out_for_delivery")
    contract = {"fees": dict.fromkeys(bands, FEE), **changes}
    given = {
        name: {
            "base_url": f"{carriers}/{name}",
            "accounts": {
                "main": {"credentials": NAMES[name] | secrets, "push_secret": PUSH_SECRET + name}
            },
            "contract": contract,
            "limits": {"concurrency": 128, "per_second": 5_000, "timeout_ms": 2_000},
        }
        for name, (_, secrets) in ACCOUNTS.items()
    }
    return Settings.model_validate(
        {
            "grpc": listen,
            "push": listen,
            "metrics": listen,
            "store": {"url": store},
            "tenants": {
                "mall": {
                    "tokens": [
                        {"name": "shop", "sha256": token_hash(TOKEN)},
                        {
                            "name": "desk",
                            "sha256": token_hash(POWERS),
                            "roles": ["treasury", "claims", "operator"],
                        },
                    ],
                    "payment_agreements": ["pay"],
                    "per_second": 100_000,
                }
            },
            "carriers": given,
            # A busy machine sheds nothing here: what is shed, and when, has tests of its own.
            "limits": {"lame_duck_ms": 0, "intake_wait_ms": 5_000, "late_ms": 60_000},
            "test": {"clock_url": clock_url, "idle": True, "plaintext": True},
        }
    )


@dataclass(slots=True)
class Scene:
    """What a test says to the carriers' world and to the gateway."""

    gateway: Gateway
    channel: grpc.aio.Channel
    http: aiohttp.ClientSession
    control: str
    push: str
    metrics: str
    address: str  # of the gateway's gRPC
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def interceptions(self) -> Any:
        return stub(intercepts_grpc.InterceptServiceStub, self.channel)

    async def tell(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, self.control + path, json=body) as response:
            text = await response.text()
            assert response.status == 200, text
            return [json.loads(line) for line in text.splitlines()]

    async def ship(self, carrier: str, outcome: str, *faults: Any, **parcel: Any) -> str:
        """A parcel on its way, with what will happen to it. Faults are names or objects."""
        number = next(self.numbers)
        waybill = f"SF{number:013d}" if carrier == "sf" else f"7{number:013d}"
        script: dict[str, Any] = {"outcome": outcome}
        script["faults"] = [f if isinstance(f, dict) else {"name": f} for f in faults]
        script["params"] = parcel.pop("params", {})
        body: dict[str, Any] = {
            "carrier": carrier,
            "account": ACCOUNTS[carrier][0],
            "waybill": waybill,
        }
        body |= {"sender": SENDER, "receiver": RECEIVER, "value_minor": 50_000}
        body |= {"status": "in_transit", **parcel, "script": script}
        await self.tell("POST", "/parcels", {"parcels": [body]})
        return waybill

    async def quote(self, carrier: str, waybill: str, *values: int) -> Any:
        lines = [
            types.OrderLine(
                line_no=str(number),
                title="羊毛围巾",
                category="apparel",
                quantity=1,
                paid_amount=money(value),
            )
            for number, value in enumerate(values or (50_000,), 1)
        ]
        given = types.ParcelRegistration(
            merchant_id="m1",
            carrier=carrier,
            waybill=waybill,
            account="main",
            orders=[types.Order(order_no=f"O-{waybill}", parcel_count=1, lines=lines)],
            sender=types.Contact(**SENDER),
            receiver=types.Contact(**RECEIVER),
        )
        asked = intercepts.InterceptServiceQuoteRequest(merchant_id="m1", registration=given)
        return (await self.interceptions.Quote(asked, metadata=me(), timeout=5)).quote

    def order(self, quote: Any, request_id: str) -> Any:
        return intercepts.InterceptServiceCreateRequest(
            request_id=request_id, quote_id=quote.id, agreement_id="pay", cancel_ticket="ticket"
        )

    async def stop(self, carrier: str, waybill: str, *values: int) -> Any:
        """Quote and create; what Create answers."""
        order = self.order(await self.quote(carrier, waybill, *values), f"stop-{waybill}")
        return await self.interceptions.Create(order, metadata=me(), timeout=5)

    async def get(self, key: str) -> Any:
        asked = intercepts.InterceptServiceGetRequest(interception_id=key)
        return (await self.interceptions.Get(asked, metadata=me())).interception

    async def cancel(self, key: str) -> Any:
        asked = intercepts.InterceptServiceCancelRequest(
            request_id=f"withdraw-{key}", interception_id=key
        )
        return (await self.interceptions.Cancel(asked, metadata=me())).interception

    async def rest(self) -> None:
        """Until nothing is left to do at this business time."""
        service: Any = stub(operations_grpc.OperationServiceStub, self.channel)
        now = (await self.tell("GET", "/clock"))[0]["now_ms"]
        for _ in range(200):
            asked = operations.OperationServiceIdleRequest()
            asked.wait.seconds = 5
            idle = await service.Idle(asked, metadata=me(POWERS))
            if idle.idle and idle.now.ToMilliseconds() >= now:
                return
        raise AssertionError("the gateway does not come to rest")

    async def pass_time(self, total: int, step: int = 6 * HOUR) -> None:
        left = total
        while left > 0:
            await self.tell("POST", "/clock", {"advance_ms": min(step, left)})
            await self.rest()
            left -= step

    async def truth(self, waybill: str) -> Any:
        return (await self.tell("GET", f"/truth?waybill={waybill}"))[0]

    async def wallet(self) -> tuple[int, int]:
        """Available and held."""
        service: Any = stub(wallets_grpc.WalletServiceStub, self.channel)
        asked = wallets.WalletServiceGetRequest(merchant_id="m1")
        found = (await service.Get(asked, metadata=me())).wallet
        return minor(found.available), minor(found.held)

    async def file(self, ic: str, waybill: str, kind: Any, loss: int, line: str = "1") -> Any:
        service: Any = stub(claims_grpc.ClaimServiceStub, self.channel)
        asked = claims.ClaimServiceFileRequest(
            request_id=f"claim-{ic}-{kind}-{line}",
            interception_id=ic,
            kind=kind,
            order_no=f"O-{waybill}",
            line_no=line,
            loss=money(loss),
            description="as it came back",
        )
        return (await service.File(asked, metadata=me())).claim

    async def clean(self) -> None:
        """The gateway's own audit is silent."""
        broken = {finding.rule: finding.rows for finding in await self.gateway.store.audit()}
        assert broken == {}


async def _merchant(scene: Scene) -> None:
    service: Any = stub(merchants_grpc.MerchantServiceStub, scene.channel)
    shop = merchants.Merchant(
        id="m1",
        type=merchants.MERCHANT_TYPE_POP_SOP,
        cancel_order_enabled=True,
        store_status=merchants.STORE_STATUS_OPERATING,
        service_contract_signed=True,
        wallet_open=True,
        wallet_currency="CNY",
    )
    await service.Upsert(merchants.MerchantServiceUpsertRequest(merchant=shop), metadata=me())
    for carrier in ACCOUNTS:
        waybills = merchants.WaybillService(carrier=carrier, opened=True)
        asked = merchants.MerchantServiceSetWaybillServiceRequest(
            merchant_id="m1", waybill_service=waybills
        )
        await service.SetWaybillService(asked, metadata=me())
    purse: Any = stub(wallets_grpc.WalletServiceStub, scene.channel)
    top_up = wallets.WalletServiceTopUpRequest(
        request_id="top-up-1",
        merchant_id="m1",
        amount=money(1_000_000),
        external_reference="bank",
    )
    await purse.TopUp(top_up, metadata=me(POWERS))


@asynccontextmanager
async def played(store: str, **contract: Any) -> AsyncIterator[Scene]:
    """A scene with one merchant and 10 000 yuan, on a store of its own."""
    await driver(store).migrate()
    machine = SimulatorSettings(seed=7, start_ms=START, frozen=True)
    async with running(machine, Scenario()) as addresses, aiohttp.ClientSession() as http:
        clock = f"{addresses.control}/clock"
        gateway = Gateway(settings(addresses.carriers, clock, store, **contract))
        try:
            ready = await gateway.start()
            for carrier, (account, secrets) in ACCOUNTS.items():
                push = f"{ready['push']}/push/{carrier}/main/{PUSH_SECRET}{carrier}"
                body: dict[str, Any] = {
                    "carrier": carrier,
                    "account": account,
                    "credentials": secrets,
                }
                async with http.post(
                    f"{addresses.control}/accounts", json=body | {"push_url": push}
                ) as response:
                    assert response.status == 200, await response.text()
            async with grpc.aio.insecure_channel(ready["grpc"]) as channel:
                scene = Scene(
                    gateway,
                    channel,
                    http,
                    addresses.control,
                    ready["push"],
                    ready["metrics"],
                    ready["grpc"],
                )
                await _merchant(scene)
                yield scene
        finally:
            await gateway.stop()
