"""What is measured: each operation is a row, with its floor and its goal.

Every floor is a process of its own in the same run: `loadtest/bench/floors/serve.py` says what
each includes.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest import client as wire
from loadtest.bench.floors.carriers import Asked, push_zto
from loadtest.bench.sides import Ask, Measured, Side
from loadtest.bench.stage import Engine, Floor, Sender, Stage, promised
from loadtest.bench.watching import Listened, Streamed, heard, newest, opening
from loadtest.client import Method
from loadtest.fleet import FleetError

PAGE = 50  # interceptions of a List
KNOWN = 64  # interceptions that reads are about
WATCHERS = 8
SAMPLED = 8  # Creates whose events show how large one is
SCANNED = "2026-06-18 07:30:00"  # half an hour before the business clock stands still
Both = tuple[Measured, Measured]
Prepare = Callable[[Stage, int], AbstractAsyncContextManager[Both]]


class Name(StrEnum):
    """What can be measured."""

    QUOTE = auto()
    CREATE = auto()
    PUSH = auto()
    GET = auto()
    LIST = auto()
    WATCH = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the benchmark."""

    name: Name
    per: str  # what one of it is
    count: int  # in a measured round
    engines: Sequence[Engine]
    prepare: Prepare  # of a stage and of so many operations of each side: both sides
    floor: str
    goal: float | None = None  # times the floor
    carriers: Sequence[Sender] = tuple(Sender)


@asynccontextmanager
async def both(
    stage: Stage, answers: dict[str, Message]
) -> AsyncIterator[tuple[Floor, grpc.aio.Channel, grpc.aio.Channel]]:
    """The floor, and a connection to the gateway and to it."""
    async with (
        stage.floor(answers) as floor,
        grpc.aio.insecure_channel(stage.fleet.grpc, options=wire.OPTIONS) as own,
        grpc.aio.insecure_channel(floor.grpc, options=wire.OPTIONS) as bare,
    ):
        yield floor, own, bare


def accepting(call: Any) -> Ask:
    async def ask(request: Any) -> None:
        promised(await call(request))

    return ask


def reading(call: Any, good: Callable[[Any], bool]) -> Ask:
    async def ask(request: Any) -> None:
        answer = await call(request)
        if not good(answer):
            raise FleetError(f"an answer is not the one wanted: {answer}")

    return ask


@asynccontextmanager
async def create(stage: Stage, total: int) -> AsyncIterator[Both]:
    async with both(stage, {}) as (floor, own, bare):
        asks = [accepting(stage.caller(channel, wire.CREATE)) for channel in (own, bare)]
        quoted, plain = iter(await stage.quoted(total)), iter(await stage.bare(total))
        yield (
            Side("the gateway", stage.gateway, asks[0], quoted, stage.idle),
            Side("the floor", floor.pid, asks[1], plain),
        )


@asynccontextmanager
async def read(
    stage: Stage,
    method: Method[wire.Answer],
    work: Iterator[Any],
    sample: Any,
    good: Callable[[Any], bool],
) -> AsyncIterator[Both]:
    """The gateway's answer to the sample is what the floor answers to all."""
    answer: Any = await stage.crowd.ask(method, sample)
    async with both(stage, {method.path.split("/")[1]: answer}) as (floor, own, bare):
        asks = [reading(stage.caller(channel, method), good) for channel in (own, bare)]
        yield (
            Side("the gateway", stage.gateway, asks[0], work, stage.idle),
            Side("the floor", floor.pid, asks[1], itertools.repeat(sample)),
        )


@asynccontextmanager
async def get(stage: Stage, total: int) -> AsyncIterator[Both]:
    known = await stage.accepted(KNOWN)
    requests = [pb.InterceptServiceGetRequest(interception_id=key) for key in known]

    def good(answer: pb.InterceptServiceGetResponse) -> bool:
        return answer.interception.decision == pb.DECISION_ACCEPTED

    async with read(stage, wire.GET, itertools.cycle(requests), requests[0], good) as sides:
        yield sides


@asynccontextmanager
async def list_(stage: Stage, total: int) -> AsyncIterator[Both]:
    await stage.accepted(KNOWN)
    request = pb.InterceptServiceListRequest(merchant_id=stage.crowd.merchants[0], page_size=PAGE)

    def good(answer: pb.InterceptServiceListResponse) -> bool:
        return len(answer.interceptions) == PAGE

    async with read(stage, wire.LIST, itertools.repeat(request), request, good) as sides:
        yield sides


@asynccontextmanager
async def quote(stage: Stage, total: int) -> AsyncIterator[Both]:
    """Each of a parcel of its own: the carrier is asked where it is."""
    requests = [stage.quoting(case) for case in await stage.registered(total + 1)]

    def good(answer: pb.InterceptServiceQuoteResponse) -> bool:
        return bool(answer.quote.id)

    async with read(stage, wire.QUOTE, iter(requests[1:]), requests[0], good) as sides:
        yield sides


@asynccontextmanager
async def push(stage: Stage, total: int) -> AsyncIterator[Both]:
    """A scan of a parcel on its way, signed by ZTO: taken in, and applied."""
    account = stage.account
    door = f"{stage.fleet.push}/push/{account.carrier}/{account.name}/{account.push_secret}"

    def pushes(waybills: Sequence[str]) -> Iterator[Asked]:
        for number, waybill in enumerate(waybills):
            yield push_zto(stage.known, f"event-{number}", waybill, SCANNED)

    own = list(pushes([case.waybill for case in await stage.registered(total)]))
    async with both(stage, {}) as (floor, _, _):
        yield (
            Side("the gateway", stage.gateway, stage.posting(door), iter(own), stage.idle),
            Side("the floor", floor.pid, stage.posting(floor.push), iter(own)),
        )


@asynccontextmanager
async def watch(stage: Stage, total: int) -> AsyncIterator[Both]:
    before = await newest(stage)
    await stage.accepted(SAMPLED)
    count = await newest(stage) - before
    token = stage.fleet.tokens.platform
    async with grpc.aio.insecure_channel(stage.fleet.grpc) as channel:
        told = await heard(opening(channel, token)(str(before)), count)
    events = sorted(told, key=lambda event: event.ByteSize())
    async with both(stage, {"Watch": events[len(events) // 2]}) as (floor, own, bare):
        ask, work = accepting(stage.caller(own, wire.CREATE)), await stage.quoted(2 * total)
        creates = Side("the gateway", stage.gateway, ask, iter(work), stage.idle)
        yield (
            Listened(stage, creates, opening(own, token), WATCHERS),
            Streamed(floor.pid, opening(bare, token), WATCHERS, count // SAMPLED),
        )


SQLITE, POSTGRES = Engine.SQLITE, Engine.POSTGRES
ECHO = "a bare gRPC handler that parses the request and sends the same answer"
OPERATIONS: tuple[Operation, ...] = (
    Operation(Name.QUOTE, "Quote", 500, (SQLITE,), quote, ECHO),
    Operation(
        Name.CREATE,
        "Create",
        500,
        (SQLITE, POSTGRES),
        create,
        "a bare gRPC handler, group commit, POST to the carrier, group commit, as many rows",
        1.25,
    ),
    Operation(
        Name.PUSH,
        Name.PUSH,
        500,
        (SQLITE,),
        push,
        "a bare HTTP handler with one group commit, nothing parsed, as many rows",
        1.5,
        (Sender.ZTO,),
    ),
    Operation(Name.GET, "Get", 1_000, (SQLITE,), get, ECHO, 1.3),
    Operation(Name.LIST, f"List of {PAGE}", 200, (SQLITE,), list_, ECHO),
    Operation(
        Name.WATCH,
        "Watch, per event and watcher",
        200,
        (SQLITE,),
        watch,
        f"a bare gRPC stream that writes as many bytes, made once, to each of {WATCHERS} watchers",
    ),
)
