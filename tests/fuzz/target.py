"""A gateway and a simulator as processes of their own, with credentials that every run shares."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import grpc
import grpc.aio

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchants
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest.carriers import Account
from loadtest.fleet import AGREEMENTS, Fleet, Tokens
from tests.fuzz.pushing import credentials
from tests.rpc.world import AGREEMENT, CHECKWORD, TOKENS, World, merchant, yuan

START_MS = 1_790_000_000_000
DAY_MS = 86_400_000
SF, ZTO = "sf-main", "zto-main"
SECRETS = {"sf": "q8Jx2mVb7TzR4kLw9NcYd1Hs", "zto": "Zk9xT2pQw8rLm4Vb7YcN1sDf"}
OUTCOMES = ("returned", "lost", "damaged_after_return", "refused", "delivered_anyway")
FRESH = 6
SETTINGS = {
    "limits": {"heartbeat_s": 1},
    "tenants": {"mall": {"per_second": 1_000_000, "payment_agreements": [AGREEMENT]}},
}


def accounts() -> tuple[Account, ...]:
    sf = {"partner_id": "PARTNER", "checkword": CHECKWORD}
    zto = credentials("zto")
    theirs = {"app_secret": zto["app_secret"]}
    return (
        Account("sf", SF, "PARTNER", sf, {"checkword": CHECKWORD}, SECRETS["sf"]),
        Account("zto", ZTO, zto["app_key"], zto, theirs, SECRETS["zto"]),
    )


@dataclass(slots=True)
class Target:
    """What is fuzzed, and real ids of what is in it, by the names of fields."""

    fleet: Fleet
    world: World
    known: dict[str, list[str]] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.fleet.pid("gateway")

    async def refresh(self) -> None:
        """The merchant is good again, and there are parcels on their way with quotes unused."""
        await merchant(self.world, TOKENS["mall", "tenant"], TOKENS["mall", "treasury"])
        numbers = [await self.world.ship() for _ in range(FRESH)]
        quotes = [(await self.world.quote(number)).id for number in numbers]
        assert all(quotes), "a good merchant's parcel on its way can be quoted"
        live = (await self.world.create(quotes[0], f"live-{quotes[0]}")).interception.id
        self.known["interception_id"] = [live, *self.known["interception_id"][: len(OUTCOMES)]]
        self.known["quote_id"] = [*quotes, *self.known["quote_id"]][: FRESH + len(OUTCOMES)]
        self.known["waybill"] = [*numbers, *self.known["waybill"]][: FRESH + len(OUTCOMES)]

    async def ready(self) -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.fleet.metrics}/readyz") as response,
        ):
            return response.status == 200

    async def audit(self) -> list[str]:
        """The rules of the gateway's own audit that do not hold."""
        request = operations.OperationServiceAuditRequest()
        answer = await self.world.ask(request, TOKENS["mall", "operator"])
        return [] if answer.clean else [rule.name for rule in answer.rules if rule.violation_count]

    def failures(self) -> int:
        """Tracebacks and incidents that the gateway logged."""
        log = self.fleet.log_file("gateway").read_bytes()
        return log.count(b"Traceback") + log.count(b'"event":"incident"')

    def last_failure(self) -> bytes:
        log = self.fleet.log_file("gateway").read_bytes()
        return log[max(log.rfind(b"Traceback"), log.rfind(b'"event":"incident"')) :][:2_000]


@asynccontextmanager
async def target() -> AsyncIterator[Target]:
    with tempfile.TemporaryDirectory(prefix="turnback-fuzz-") as folder:
        fleet = Fleet(Path(folder), start_ms=START_MS, settings=SETTINGS)
        fleet.accounts = accounts()
        order = ("tenant", "treasury", "claims", "operator")
        fleet.tokens = Tokens(*(TOKENS["mall", role] for role in order))
        async with fleet, grpc.aio.insecure_channel(fleet.grpc) as channel:
            world = World(channel, fleet.control, cast(Any, None))
            found = Target(fleet, world)
            await peopled(found)
            yield found


async def peopled(found: Target) -> None:
    """A merchant with money, parcels, quotes, interceptions and a claim in many states."""
    world, known = found.world, found.known
    await merchant(world, TOKENS["mall", "tenant"], TOKENS["mall", "treasury"])
    for name, version in AGREEMENTS.items():
        await world.ask(
            merchants.MerchantServiceSignAgreementRequest(
                request_id=f"sign-{name}"[:64], merchant_id="m1", agreement_id=name, version=version
            )
        )
    await world.ask(
        wallets.WalletServiceTopUpRequest(
            request_id="fuzz-top-up",
            merchant_id="m1",
            amount=yuan(10_000_000),
            external_reference="bank-fuzz",
        ),
        TOKENS["mall", "treasury"],
    )
    numbers = [await world.ship(outcome=outcome) for outcome in OUTCOMES]
    quotes = [await world.quote(number) for number in numbers]
    made = [
        (await world.create(quote.id, f"fuzz-create-{n}")).interception
        for n, quote in enumerate(quotes)
    ]
    for _ in range(8):
        await world.idle()
        await world.post("clock", {"advance_ms": DAY_MS})
    await world.idle()
    lost = OUTCOMES.index("lost")
    operator = TOKENS["mall", "operator"]
    cases = await world.ask(operations.OperationServiceListExceptionsRequest(), operator)
    known |= {
        "waybill": numbers,
        "quote_id": [quote.id for quote in quotes],
        "interception_id": [row.id for row in made],
        "order_no": [f"O-{number}" for number in numbers],
        "claim_id": [await claimed(world, numbers[lost], made[lost].id)],
        "exception_id": [case.id for case in cases.exceptions],
        "parcel_id": [row.parcel_id for row in made],
    }
    await found.refresh()


async def claimed(world: World, waybill: str, interception: str) -> str:
    request = claims.ClaimServiceFileRequest(
        request_id="fuzz-claim-1",
        interception_id=interception,
        kind=claims.CLAIM_KIND_LOST,
        order_no=f"O-{waybill}",
        line_no="1",
        loss=yuan(100),
    )
    return str((await world.ask(request)).claim.id)
