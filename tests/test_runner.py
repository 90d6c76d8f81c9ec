"""The client towards carriers, over real HTTP: what leaves, what never does, and tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from adapters import ADAPTERS
from gateway.clock import Clock
from gateway.domain.carrier import (
    Adapter,
    Answer,
    Call,
    Operation,
    Reason,
    Reply,
    Token,
    Tokens,
    Trace,
    Verdict,
)
from gateway.domain.record import replace
from gateway.runner import NOT_SENT, Endpoint, Http, Runner
from tests.dialects.bench import NOW

TRACE = Trace(("SF1",))
MINUTE_S = 60


@dataclass
class Carrier:
    """A carrier that lends tokens, and takes only the newest."""

    lent: int = 0
    broken: bool = False  # lends none
    valid_s: int = 10 * MINUTE_S
    asked: list[str] = field(default_factory=list)  # the tokens that came

    async def token(self, _: web.Request) -> web.Response:
        self.lent += not self.broken
        status = 500 if self.broken else 200
        return web.json_response({"text": f"t{self.lent}", "valid_s": self.valid_s}, status=status)

    async def track(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("token", ""))
        return web.json_response({"known": self.asked[-1] == f"t{self.lent}"})


def lent(reply: Reply) -> Token:
    told = reply.json()
    return Token(told["text"], told["valid_s"] * 1000)


def tracked(reply: Reply) -> Answer:
    if reply.json()["known"]:
        return Answer(Verdict.RECEIVED)
    return Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS)


def signed(call: Call, credentials: Any, _: Any) -> Call:
    return replace(call, headers={"token": credentials.get("access_token", "")})


READ: Operation[Trace] = Operation(lambda _: Call("POST", "/track", b""), tracked, repeatable=True)
LENDER: Adapter = replace(
    ADAPTERS["sf"],
    name="lender",
    sign=signed,
    track=READ,
    token=Tokens(lambda _: Call("POST", "/token", b""), lent),
)


@dataclass
class Place:
    carrier: Carrier
    endpoint: Endpoint
    runner: Runner
    seen: list[tuple[str, Answer]]

    async def track(self, permit: Callable[[], bool] = lambda: True) -> Answer:
        return await self.runner.perform(self.endpoint, "track", READ, TRACE, ("SF1",), permit)


@asynccontextmanager
async def placed(adapter: Adapter = LENDER) -> AsyncIterator[Place]:
    carrier, seen = Carrier(), list[tuple[str, Answer]]()
    app = web.Application()
    app.router.add_post("/token", carrier.token)
    app.router.add_post("/track", carrier.track)
    serving = web.AppRunner(app, access_log=None)
    await serving.setup()
    await web.TCPSite(serving, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{serving.addresses[0][1]}"
    clock = Clock(followed=True)
    clock.follow(NOW)
    http = Http()
    await http.start()
    runner = Runner(
        clock, lambda: "n", lambda _, name, told, __: seen.append((name, told)), http.send
    )
    try:
        yield Place(carrier, Endpoint(adapter, "main", url, {}, {}, 4, 20, 5.0, 1.0), runner, seen)
    finally:
        await http.stop()
        await serving.cleanup()


# -- leaving -----------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [replace(LENDER, token=None), LENDER], ids=["plain", "lent"])
async def test_nothing_leaves_once_the_permit_has_ended(adapter: Adapter) -> None:
    """Asked when the connection stands: a process that stood still before that sends nothing."""
    async with placed(adapter) as place:
        assert await place.track(permit=lambda: False) == NOT_SENT
        assert place.carrier.asked == []
        await place.track()
        assert len(place.carrier.asked) == 1  # the permit was of one call


# -- tokens ------------------------------------------------------------------------------------


async def test_a_token_is_fetched_once_however_many_need_it() -> None:
    async with placed() as place:
        answers = await asyncio.gather(*(place.track() for _ in range(20)))
        assert {answer.verdict for answer in answers} == {Verdict.RECEIVED}
        assert place.carrier.lent == 1
        assert [name for name, _ in place.seen].count("token") == 1


async def test_a_token_is_renewed_before_it_ends() -> None:
    async with placed() as place:
        place.carrier.valid_s = 0  # over as soon as it is lent
        await place.track()
        await place.track()
        assert place.carrier.asked == ["t1", "t2"]


async def test_a_token_that_is_refused_is_not_used_again() -> None:
    async with placed() as place:
        await place.track()
        place.carrier.lent += 1  # the one we hold has been revoked
        refused = await place.track()
        assert (refused.verdict, refused.reason) == (Verdict.BUSY, Reason.BAD_CREDENTIALS)
        assert (await place.track()).verdict is Verdict.RECEIVED
        assert place.carrier.asked == ["t1", "t1", "t3"]


async def test_without_a_token_nothing_was_asked_and_nothing_is_unknown() -> None:
    async with placed() as place:
        place.carrier.broken = True
        answer = await place.track()
        assert (answer.verdict, answer.reason) == (Verdict.BUSY, Reason.NO_ANSWER)
        assert place.carrier.asked == []
        place.carrier.broken = False
        assert (await place.track()).verdict is Verdict.RECEIVED


async def test_no_token_shows_in_a_repr() -> None:
    assert "s3cret" not in repr(Token("s3cret", 1)) + repr(Call("GET", "/x?token=s3cret", b""))
