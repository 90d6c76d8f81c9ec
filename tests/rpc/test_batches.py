"""Batches: up to fifty at a time, each on its own, in the order of the request."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from tests.rpc.world import AGREEMENT, Code, World, living, refusal, registration

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOST = 50


def asked(waybill: str, merchant: str = "m1") -> intercepts.InterceptServiceQuoteRequest:
    given = registration(waybill)
    return intercepts.InterceptServiceQuoteRequest(merchant_id=merchant, registration=given)


def create(request_id: str, quote_id: str) -> intercepts.InterceptServiceCreateRequest:
    return intercepts.InterceptServiceCreateRequest(
        request_id=request_id, quote_id=quote_id, agreement_id=AGREEMENT
    )


async def quoted(world: World, items: list[Any]) -> list[Any]:
    request = intercepts.InterceptServiceBatchQuoteRequest(items=items)
    return list((await world.ask(request)).results)


async def created(world: World, items: list[Any]) -> list[Any]:
    request = intercepts.InterceptServiceBatchCreateRequest(items=items)
    return list((await world.ask(request)).results)


async def wallet(world: World) -> tuple[int, int]:
    found = (await world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))).wallet
    return found.available.units, found.held.units


async def test_fifty_are_quoted_and_created_each_with_its_own_answer(tmp_path: Path) -> None:
    async with living(tmp_path / "turnback.db") as world:
        numbers = [await world.ship() for _ in range(MOST)]
        quotes = [result.quote for result in await quoted(world, [*map(asked, numbers)])]
        assert [quote.waybill for quote in quotes] == numbers
        assert all(quote.actions[0].eligible for quote in quotes)
        before = await wallet(world)
        items = [create(f"batch-{n:04}", quote.id) for n, quote in enumerate(quotes)]
        first = [result.created for result in await created(world, items)]
        assert [one.interception.waybill for one in first] == numbers
        assert not any(one.replayed for one in first)
        await world.idle()
        assert await wallet(world) == (before[0] - 8 * MOST, 0)  # eight yuan each, and captured
        again = [result.created for result in await created(world, items)]
        assert all(one.replayed for one in again)
        ids = [one.interception.id for one in first]
        assert [one.interception.id for one in again] == ids
        assert len(set(ids)) == MOST
        assert await wallet(world) == (before[0] - 8 * MOST, 0)
        audit = await world.ask(operations.OperationServiceAuditRequest(), "mall-operator-token")
        assert audit.clean


async def test_one_that_fails_takes_no_other_with_it(world: World) -> None:
    quotes = [await world.quote(await world.ship()) for _ in range(3)]
    before = await wallet(world)
    items = [
        create("good-batch-1", quotes[0].id),
        create("none-batch-1", "no-such-quote"),
        create("good-batch-1", quotes[1].id),  # the id of the first, with another body
        create("used-batch-1", quotes[0].id),  # a quote is used once
        create("good-batch-2", quotes[2].id),
    ]
    results = await created(world, items)
    assert [result.WhichOneof("result") for result in results[::4]] == ["created", "created"]
    codes = [result.error.code for result in results[1:4]]
    assert results[1].error.message.startswith("QUOTE_UNKNOWN")
    # the first and the third race for their id, the first and the fourth for their quote: they
    # are committed in the order of the request
    assert codes[1] == code_pb2.ALREADY_EXISTS
    assert codes[2] == code_pb2.FAILED_PRECONDITION
    assert all(result.error.message and result.error.details for result in results[1:4])
    await world.idle()
    assert await wallet(world) == (before[0] - 16, before[1])


async def test_the_same_item_twice_is_one_interception(world: World) -> None:
    quote = await world.quote(await world.ship())
    results = await created(world, [create("twice-batch", quote.id)] * 5)
    assert len({result.created.interception.id for result in results}) == 1
    assert sorted(result.created.replayed for result in results) == [False, *[True] * 4]


@pytest.mark.parametrize("count", [0, MOST + 1])
@pytest.mark.parametrize(
    "kind",
    [intercepts.InterceptServiceBatchQuoteRequest, intercepts.InterceptServiceBatchCreateRequest],
)
async def test_a_batch_has_one_to_fifty(world: World, kind: Any, count: int) -> None:
    quote, make = asked("SF0000000000001"), create("edge-batch", "q")
    item = quote if kind is intercepts.InterceptServiceBatchQuoteRequest else make
    code, reason, found = await refusal(world.ask(kind(items=[item] * count)))
    assert (code, reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    (fault,) = found["BadRequest"][0].field_violations
    assert fault.field == "items"


async def test_a_wrong_field_of_one_item_is_named_with_its_place(world: World) -> None:
    items = [create("right-batch", "q"), create("short", "q")]
    request = intercepts.InterceptServiceBatchCreateRequest(items=items)
    _, _, found = await refusal(world.ask(request))
    assert [v.field for v in found["BadRequest"][0].field_violations] == ["items[1].request_id"]


async def test_one_that_breaks_the_gateway_leaves_the_others_their_answers(tmp_path: Path) -> None:
    """As a row would that no version of ours has written."""
    path = tmp_path / "turnback.db"
    async with living(path) as world:
        asks = [asked(await world.ship()) for _ in range(3)]
        quotes = [result.quote.id for result in await quoted(world, asks)]
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            db.execute("UPDATE quote SET status = 'nowhere' WHERE id = ?", (quotes[1],))
        items = [create(f"broken-{n:04}", quote) for n, quote in enumerate(quotes)]
        first, broken, last = await created(world, items)
        assert first.created.interception.id
        assert last.created.interception.id
        assert broken.error.code == code_pb2.INTERNAL
        assert "nowhere" not in str(broken.error)
