"""Calls that never stop, to any number of gateways, by a client with the published service config.

It keeps what such a client would see as failures, and when each of those calls began, so that a
restart can be judged: what was under way must end well, and with another gateway beside it nothing
may fail at all. A call that failed is repeated as it is until it is answered; at the end every
interception that was acknowledged must be there once, and the Watch must have told it whole.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import grpc
import grpc.aio
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest.cases import Kind, registration, shipped
from loadtest.client import Client, Method
from loadtest.crowd import Crowd
from loadtest.fleet import PAYMENT_AGREEMENT, FleetError
from loadtest.watch import Watcher

SERVICE_CONFIG = Path(__file__).parent.parent / "proto/turnback/v1/service_config.json"
CALLERS = 8
KINDS = (Kind("sf"), Kind("zto"))
TRIES_MAX = 600  # of one call, over a restart
PAUSE_S = 0.1
WAIT_S = 60.0  # for calls to be answered, and for the Watch to tell the last of them
PAGE = 200


def options() -> tuple[tuple[str, str | int], ...]:
    """What a client sets to do as the published service config says."""
    return (
        *wire.OPTIONS,
        ("grpc.service_config", SERVICE_CONFIG.read_text("utf-8")),
        ("grpc.service_config_disable_resolution", 1),  # ours, whatever the name service says
        ("grpc.initial_reconnect_backoff_ms", 200),  # one that is back is soon used again
        ("grpc.max_reconnect_backoff_ms", 1_000),
    )


def target(addresses: Sequence[str]) -> str:
    """All gateways as one name, as a headless service would give them."""
    return "ipv4:" + ",".join(addresses)


@dataclass(frozen=True, slots=True)
class Failed:
    """An answer that is not OK, after the repeats that the service config makes."""

    path: str
    began: float  # on the event loop's clock
    code: grpc.StatusCode
    said: str


class Steady:
    """`async with Steady(crowd, addresses) as steady:` and calls go on until it is left.

    The crowd gives merchants, parcels and tokens; the addresses are those of gateways on one store.
    """

    def __init__(self, crowd: Crowd, addresses: Sequence[str], callers: int = CALLERS) -> None:
        self.answered = 0
        self.failed: list[Failed] = []
        self.created: dict[str, str] = {}  # waybill -> interception
        self._crowd = crowd
        self._callers = callers
        self._client = Client(target(addresses), crowd.fleet.tokens, options(), tries=1)
        self._watcher = Watcher(self._client)
        self._tasks: list[asyncio.Task[None]] = []
        self._going = True
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._watcher.start()
        self._tasks = [asyncio.create_task(self._call_on()) for _ in range(self._callers)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._going = False
        if error is not None:
            for task in self._tasks:
                task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        while error is None and not set(self.created.values()) <= set(self._watcher.newest):
            if not await self._watcher.heard(len(self._watcher.steps) + 1, WAIT_S):
                break
        await self._watcher.stop()
        await self._client.__aexit__(kind, error, trace)
        broken = [each for each in ends if isinstance(each, Exception)]
        if broken and error is None:
            raise broken[0]

    async def more(self, calls: int) -> None:
        """Until so many more calls have been answered. Raises TimeoutError if they never are."""
        wanted = self.answered + calls
        async with asyncio.timeout(WAIT_S):
            while self.answered < wanted:
                self._news.clear()
                await self._news.wait()

    async def reaches(self, metrics: Sequence[str]) -> None:
        """Until each of the gateways, named by the addresses of their metrics, has had calls from
        now on: only then may the next one leave. Raises TimeoutError if one never has."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(WAIT_S):
            for address in metrics:
                wanted = await _calls(session, address) + self._callers
                while await _calls(session, address) < wanted:
                    await self.more(1)

    async def _call_on(self) -> None:
        turn = 0
        while self._going:
            await self._intercept(KINDS[turn % len(KINDS)])
            turn += 1

    async def _intercept(self, kind: Kind) -> None:
        """One interception from quote to list, each call as soon as the one before is answered."""
        case = self._crowd.case(kind)
        await self._crowd.simulation.ship([shipped(case, self._crowd.fleet)])
        asked = pb.InterceptServiceQuoteRequest(
            merchant_id=case.merchant, registration=registration(case)
        )
        quote = (await self._ask(wire.QUOTE, asked)).quote
        if not quote.id:
            unmet = [each.reason for action in quote.actions for each in action.unmet]
            raise FleetError(f"{case.waybill}: no quote: {unmet}")
        request = pb.InterceptServiceCreateRequest(
            request_id=case.request_id,
            quote_id=quote.id,
            agreement_id=PAYMENT_AGREEMENT,
            cancel_ticket=f"ticket-{case.order_no}",
        )
        created = (await self._ask(wire.CREATE, request)).interception
        self.created[case.waybill] = created.id
        await self._ask(wire.GET, pb.InterceptServiceGetRequest(interception_id=created.id))
        await self._ask(wire.LIST, pb.InterceptServiceListRequest(waybill=case.waybill))
        await self._ask(wire.WALLET, wallets.WalletServiceGetRequest(merchant_id=case.merchant))

    async def _ask(self, method: Method[wire.Answer], request: Message) -> wire.Answer:
        clock = asyncio.get_running_loop().time
        for _ in range(TRIES_MAX):
            began = clock()
            try:
                answer = await self._client.call(method, request)
            except grpc.aio.AioRpcError as error:
                self.failed.append(Failed(method.path, began, error.code(), error.details() or ""))
                await asyncio.sleep(PAUSE_S)
            else:
                self.answered += 1
                self._news.set()
                return answer
        raise FleetError(f"{method.path} was not answered: {self.failed[-1]}")

    # -- at the end -----------------------------------------------------------------------

    async def faults(self, addresses: Sequence[str]) -> list[str]:
        """What is wrong with what was acknowledged, asked of gateways that are up."""
        found: list[str] = []
        held: dict[str, list[str]] = defaultdict(list)
        async with Client(target(addresses), self._crowd.fleet.tokens) as client:
            async for each in _all(client):
                held[each.waybill].append(each.id)
        for waybill, key in self.created.items():
            if held[waybill] != [key]:
                found.append(f"{waybill}: acknowledged as {key}, held as {held[waybill]}")
        told: dict[str, list[int]] = defaultdict(list)
        for step in self._watcher.steps:
            told[step.interception].append(step.seq)
        found += [
            f"{key}: the Watch told {told[key]}"
            for key in self.created.values()
            if not told[key] or told[key] != list(range(1, len(told[key]) + 1))
        ]
        return found


async def _calls(session: aiohttp.ClientSession, metrics: str) -> float:
    """How many calls a gateway has answered well."""
    async with session.get(f"{metrics}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    told = [line for line in lines if line.startswith("turnback_rpc_total{") and '"OK"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in told)


async def _all(client: Client) -> AsyncIterator[pb.Interception]:
    request = pb.InterceptServiceListRequest(page_size=PAGE)
    while True:
        page = await client.call(wire.LIST, request)
        for each in page.interceptions:
            yield each
        request.page_token = page.next_page_token
        if not request.page_token:
            return
