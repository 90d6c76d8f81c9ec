"""A gateway, a simulator and a crowd for one store, and floors beside them, ready to be measured.

The business clock stands still, so that what is measured is the operation itself, and not the
following up of what it created.
"""

import asyncio
import base64
import itertools
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from loadtest import client as wire
from loadtest.bench.floors.carriers import Known
from loadtest.bench.sides import Ask
from loadtest.carriers import Account
from loadtest.cases import Case, Kind, registering, shipped
from loadtest.cluster import Cluster
from loadtest.crowd import BATCH_MAX, Crowd
from loadtest.fleet import PAYMENT_AGREEMENT, Fleet, FleetError, Json
from loadtest.ledger import SQLITE, rows
from loadtest.simulation import Simulation

START_MS = 1_781_740_800_000
AT_ONCE = 16  # while work is prepared
READY_S = 30.0
TOP_UP = 500_000_000
CALL_S = 30.0
FLOOR = "floor"
SETTINGS: Json = {
    "limits": {
        "quote_read_ms": 10_000,
        "answer_within_ms": 10_000,
        "intake_wait_ms": 10_000,
        "lame_duck_ms": 0,  # nobody else is to be told that a gateway leaves
    },
    "tenants": {"mall": {"per_second": 100_000}},
}
WIDE: Json = {"limits": {"concurrency": 256, "per_second": 10_000, "timeout_ms": 10_000}}
CONTRACTS: Json = {"zto": {"promise_on": "reply"}, "sf": {}}  # both decide by their reply
TABLES = (
    *("interception", "request", "event", "transfer", "job", "attempt", "evidence"),
    *("quote", "account", "parcel", "scan", "inbox", "exception"),
)


class Sender(StrEnum):
    """The carriers whose reply decides, and that both sides can call."""

    ZTO = auto()
    SF = auto()


class Engine(StrEnum):
    """Where the rows go."""

    SQLITE = auto()
    POSTGRES = auto()


@dataclass(frozen=True, slots=True)
class Floor:
    """The floors' process."""

    pid: int
    grpc: str
    push: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that an operation is measured with."""

    engine: Engine
    carrier: str
    fleet: Fleet
    crowd: Crowd
    session: aiohttp.ClientSession
    cluster: Cluster | None = None
    floors: "itertools.count[int]" = field(default_factory=itertools.count)

    # -- what is asked for ----------------------------------------------------------------

    async def shipped(self, count: int) -> list[Case]:
        """Parcels that the carrier knows, and nobody else."""
        cases = [self.crowd.case(Kind(self.carrier)) for _ in range(count)]
        told = [{**shipped(case, self.fleet), "value_minor": 20_000} for case in cases]
        await self.crowd.simulation.ship(told)
        return cases

    async def registered(self, count: int) -> list[Case]:
        cases = await self.shipped(count)
        for start in range(0, count, BATCH_MAX):
            items = [registering(case) for case in cases[start : start + BATCH_MAX]]
            batch = parcels.ParcelServiceBatchRegisterRequest(items=items)
            answer = await self.crowd.ask(wire.REGISTER, batch)
            if not all(result.HasField("registered") for result in answer.results):
                raise FleetError(f"a parcel was not registered: {answer.results[0].error.message}")
        await self.idle()
        return cases

    async def quoted(self, count: int) -> list[pb.InterceptServiceCreateRequest]:
        """Requests for Create: shipped, registered and quoted before anything is measured."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> pb.InterceptServiceCreateRequest:
            async with gate:
                quote = (await self.crowd.ask(wire.QUOTE, self.quoting(case))).quote
                return creating(case, quote.id)

        return await asyncio.gather(*map(one, await self.registered(count)))

    def quoting(self, case: Case) -> pb.InterceptServiceQuoteRequest:
        key = parcels.ParcelKey(carrier=self.carrier, waybill=case.waybill)
        return pb.InterceptServiceQuoteRequest(merchant_id=case.merchant, parcel=key)

    async def bare(self, count: int) -> list[pb.InterceptServiceCreateRequest]:
        """Requests for the floor, which takes the waybill in the place of a quote."""
        return [creating(case, case.waybill) for case in await self.shipped(count)]

    async def idle(self) -> None:
        """Until the gateway has nothing left to do."""
        await self.crowd.idle()

    async def accepted(self, count: int) -> list[str]:
        """Interceptions that the carrier has promised."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(request: pb.InterceptServiceCreateRequest) -> str:
            async with gate:
                return promised(await self.crowd.ask(wire.CREATE, request)).id

        return await asyncio.gather(*map(one, await self.quoted(count)))

    # -- who is asked ---------------------------------------------------------------------

    @property
    def account(self) -> Account:
        (found,) = (each for each in self.fleet.accounts if each.carrier == self.carrier)
        return found

    @property
    def known(self) -> Known:
        """The same, as one needs it who has no gateway."""
        return Known(self.account.user, "".join(self.account.simulator_credentials.values()))

    @property
    def gateway(self) -> int:
        """Its process."""
        return self.fleet.pid("gateway")

    def caller(self, channel: grpc.aio.Channel, method: wire.Method[wire.Answer]) -> Any:
        """A call of a method, with the credential: to the floor too, for the size of it."""
        token = getattr(self.fleet.tokens, method.role)
        ask: Any = channel.unary_unary(
            f"/turnback.v1.{method.path}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.answer.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),)
        return lambda request: ask(request, metadata=metadata, timeout=CALL_S)

    def posting(self, url: str) -> Ask:
        """A push to a door; it must be acknowledged."""

        async def post(push: Any) -> None:
            async with self.session.post(url, data=push.body, headers=push.headers) as answer:
                said = await answer.read()
                if answer.status != 200 or b'"status":true' not in said:
                    raise FleetError(f"a push was answered {answer.status} {said[:200]!r}")

        return post

    @asynccontextmanager
    async def floor(self, answers: Mapping[str, Message]) -> AsyncIterator[Floor]:
        """The floors' process; it gives these answers to reads."""
        number = next(self.floors)
        url = f"{SQLITE}{self.fleet.directory / f'{FLOOR}_{number}.db'}"
        if self.cluster is not None:
            url = await self.cluster.create(f"{FLOOR}_{number}")
        written = {
            name: base64.b64encode(answer.SerializeToString()).decode()
            for name, answer in answers.items()
        }
        given = {
            "store": url,
            "carrier": self.carrier,
            "url": f"{self.fleet.carriers}/{self.carrier}",
            "user": self.known.user,
            "secret": self.known.secret,
            "answers": written,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtest.bench.floors.serve"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield await _ready(process, given)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        parts = [f"SELECT '{name}' AS name, COUNT(*) AS n FROM {name}" for name in TABLES]
        return dict(await rows(self.fleet.store_url, " UNION ALL ".join(parts)))


async def _ready(process: asyncio.subprocess.Process, given: Json) -> Floor:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(given).encode() + b"\n")
    process.stdin.close()
    async with asyncio.timeout(READY_S):
        line = await process.stdout.readline()
    if not line:
        raise FleetError("the floor did not start")
    told = json.loads(line)
    return Floor(process.pid, told["grpc"], told["push"])


def promised(answer: pb.InterceptServiceCreateResponse) -> pb.Interception:
    """What was created; raises where the carrier's reply was not its promise."""
    found = answer.interception
    if found.decision != pb.DECISION_ACCEPTED:
        raise FleetError(f"a Create was answered {pb.Decision.Name(found.decision)}")
    return found


def creating(case: Case, quote: str) -> pb.InterceptServiceCreateRequest:
    return pb.InterceptServiceCreateRequest(
        request_id=case.request_id,
        quote_id=quote,
        agreement_id=PAYMENT_AGREEMENT,
        cancel_ticket=case.order_no,
    )


@asynccontextmanager
async def staged(engine: Engine, carrier: str) -> AsyncIterator[Stage]:
    """`async with staged(engine, carrier) as stage:` with one merchant, who has the money."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnback-bench-"))
        cluster = None
        if engine is Engine.POSTGRES:
            cluster = await stack.enter_async_context(Cluster())
        fleet = Fleet(
            Path(place),
            start_ms=START_MS,
            settings=settings(carrier),
            store_url="" if cluster is None else cluster.url,
        )
        await stack.enter_async_context(fleet)
        simulation = await stack.enter_async_context(Simulation(fleet.control))
        crowd = Crowd(fleet, simulation, 7)
        stack.push_async_callback(crowd.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        crowd.replicas.up(0)
        await crowd.merchant(top_up=TOP_UP)
        yield Stage(engine, carrier, fleet, crowd, session, cluster)


def settings(carrier: str) -> Json:
    """Nothing is shed, and nothing is cut short: what is asked is done."""
    return SETTINGS | {"carriers": {carrier: WIDE | {"contract": CONTRACTS[carrier]}}}
