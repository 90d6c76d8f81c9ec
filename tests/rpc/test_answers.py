"""What is answered: the error contract, and what is true of money and movement."""

import asyncio
from typing import Any

import pytest
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from tests.rpc.world import (
    AGREEMENT,
    METHODS,
    Code,
    World,
    path,
    refusal,
    registration,
    yuan,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_create_answers_what_is_true_and_repeats_itself(world: World) -> None:
    number = await world.ship()
    quote = await world.quote(number)
    assert quote.actions[0].fee == yuan(8)
    assert quote.cap == quote.cap_remaining == yuan(1_000)
    assert quote.value == yuan(200)
    first = await world.create(quote.id, "create-once-1")
    assert not first.replayed
    assert list(first.interception.order_nos) == [f"O-{number}"]
    row = await world.settled(quote.id, "create-once-1")
    assert row.decision == intercepts.DECISION_ACCEPTED
    assert row.money == intercepts.MONEY_STATE_CAPTURED
    assert row.refund_advice == intercepts.REFUND_ADVICE_SAFE_TO_REFUND
    assert row.request_id == "create-once-1"
    assert list(row.order_nos) == [f"O-{number}"]
    again = await world.create(quote.id, "create-once-1")
    assert again.replayed
    assert again.interception.id == row.id
    shown = await world.ask(intercepts.InterceptServiceGetRequest(request_id="create-once-1"))
    assert shown.interception == again.interception


async def test_a_quote_says_when_its_status_was_true(world: World) -> None:
    """The time of the scan behind it, not of the reading."""
    number = await world.ship()
    quote = await world.quote(number)
    key = parcels.ParcelKey(carrier="sf", waybill=number)
    parcel = (await world.ask(parcels.ParcelServiceGetRequest(waybill=key))).parcel
    assert quote.status == parcel.status == types.LOGISTICS_STATUS_IN_TRANSIT
    assert quote.status_at == parcel.status_at == parcel.scans[-1].event_time
    assert quote.status_at.ToMilliseconds() < quote.created_at.ToMilliseconds()


async def test_an_order_of_the_box_may_be_cancelled_later(world: World) -> None:
    number = await world.ship()
    given = registration(number)
    given.orders.add().CopyFrom(given.orders[0])
    given.orders[1].order_no = "O-second"
    given.orders[0].cancelled = True
    ask = intercepts.InterceptServiceQuoteRequest(merchant_id="m1", registration=given)
    (no,) = (await world.ask(ask)).quote.actions
    assert [condition.reason for condition in no.unmet] == ["OTHER_ORDER_OPEN"]
    assert not no.HasField("fee")
    given.orders[1].cancelled = True
    given.merchant_id = "m1"
    again = await world.ask(parcels.ParcelServiceRegisterRequest(parcel=given))
    assert again.replayed
    assert [order.cancelled for order in again.parcel.orders] == [True, True]
    by_number = intercepts.InterceptServiceQuoteRequest(
        merchant_id="m1", parcel=parcels.ParcelKey(carrier="sf", waybill=number)
    )
    assert (await world.ask(by_number)).quote.actions[0].eligible


async def test_create_refuses_by_the_contract(world: World) -> None:
    quote = await world.quote(await world.ship())
    other = await world.quote(await world.ship())
    row = (await world.create(quote.id, "contract-1")).interception
    code, reason, _ = await refusal(world.create(other.id, "contract-1"))
    assert (code, reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    code, reason, _ = await refusal(world.create(quote.id, "contract-2"))
    assert (code, reason) == (Code.FAILED_PRECONDITION, "QUOTE_USED")
    again = await world.quote(row.waybill)
    assert [c.reason for c in again.actions[0].unmet] == ["INTERCEPT_OPEN"]
    assert again.actions[0].unmet[0].subject == row.id
    code, reason, _ = await refusal(world.create("f" * 26, "contract-3"))
    assert (code, reason) == (Code.FAILED_PRECONDITION, "QUOTE_UNKNOWN")
    request = intercepts.InterceptServiceCreateRequest(
        request_id="contract-4", quote_id=other.id, agreement_id="unsigned"
    )
    code, reason, _ = await refusal(world.ask(request))
    assert (code, reason) == (Code.FAILED_PRECONDITION, "PAYMENT_NOT_AGREED")
    request = intercepts.InterceptServiceCreateRequest(
        request_id="contract-5", quote_id=other.id, payment_token="t"
    )
    code, reason, _ = await refusal(world.ask(request))
    assert (code, reason) == (Code.UNIMPLEMENTED, "NOT_OFFERED")


async def test_fifty_equal_creates_are_one(world: World) -> None:
    quote = await world.quote(await world.ship())
    answers = await asyncio.gather(*(world.create(quote.id, "fifty-times-1") for _ in range(50)))
    assert len({answer.interception.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_a_client_that_goes_away_leaves_nothing_half_done(world: World) -> None:
    stub: Any = world.channel.unary_unary("/turnback.v1.InterceptService/Create")
    quotes = [await world.quote(await world.ship()) for _ in range(10)]
    for number, quote in enumerate(quotes):
        request = intercepts.InterceptServiceCreateRequest(
            request_id=f"gone-{number:04}", quote_id=quote.id, agreement_id=AGREEMENT
        )
        call = stub(
            request.SerializeToString(), metadata=(("authorization", "Bearer mall-tenant-token"),)
        )
        await asyncio.sleep(number * 0.001)
        call.cancel()
    for number, quote in enumerate(quotes):
        answer = await world.create(quote.id, f"gone-{number:04}")
        assert answer.interception.quote_id == quote.id
    for _ in range(100):
        listed = await world.ask(
            intercepts.InterceptServiceListRequest(
                decisions=[intercepts.DECISION_SENDING, intercepts.DECISION_UNKNOWN]
            )
        )
        if not listed.interceptions:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a call that was taken was never made")


async def test_the_log_is_whole_and_in_order(world: World) -> None:
    quote = await world.quote(await world.ship())
    row = await world.settled(quote.id, "the-log-0001")
    request = intercepts.InterceptServiceListEventsRequest(interception_id=row.id, page_size=3)
    events = []
    for _ in range(20):
        page = await world.ask(request)
        events += page.events
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert [e.at.ToNanoseconds() for e in events] == sorted(e.at.ToNanoseconds() for e in events)
    numbered = [e.seq for e in events if e.column != intercepts.EVENT_COLUMN_NOTE]
    assert numbered == list(range(1, row.version + 1))
    causes = [e.cause for e in events]
    assert {"REQUEST_SENT", "LEDGER_HOLD", "LEDGER_CAPTURE"} <= set(causes)
    accepted = next(e for e in events if e.to_value == "ACCEPTED")
    assert accepted.evidence.kind == types.EVIDENCE_KIND_REPLY
    assert accepted.evidence.tier == types.EVIDENCE_TIER_T1


async def test_watch_goes_on_from_its_cursor(world: World) -> None:
    method = next(m for m in METHODS if m.name == "Watch")
    call: Any = world.channel.unary_stream(path(method))

    async def watch(request: Message, count: int) -> list[Any]:
        metadata = (("authorization", "Bearer mall-tenant-token"),)
        stream = call(request.SerializeToString(), metadata=metadata)
        found = []
        async with asyncio.timeout(10):
            async for raw in stream:
                found.append(intercepts.InterceptServiceWatchResponse.FromString(raw))
                if len(found) == count:
                    break
        stream.cancel()
        return found

    quote = await world.quote(await world.ship())
    row = await world.settled(quote.id, "watched-0001")
    start = intercepts.InterceptServiceWatchRequest(interception_id=row.id, from_start=True)
    found = await watch(start, row.version)
    assert [r.event.seq for r in found] == list(range(1, row.version + 1))
    rest = intercepts.InterceptServiceWatchRequest(interception_id=row.id, cursor=found[1].cursor)
    assert [r.event.seq for r in await watch(rest, row.version - 2)] == list(
        range(3, row.version + 1)
    )
    code, reason, _ = await refusal(
        world.ask(intercepts.InterceptServiceWatchRequest(cursor="99999999"))
    )
    assert (code, reason) == (Code.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_lists_filter_by_everything_given(world: World) -> None:
    quote = await world.quote(await world.ship())
    request = intercepts.InterceptServiceCreateRequest(
        request_id="filter-0001",
        quote_id=quote.id,
        agreement_id=AGREEMENT,
        cancel_ticket="ticket-77",
    )
    await world.ask(request)
    asked = intercepts.InterceptServiceGetRequest(request_id="filter-0001")
    row = (await world.ask(asked)).interception
    for _ in range(200):
        if row.decision == intercepts.DECISION_ACCEPTED:
            break
        await asyncio.sleep(0.02)
        row = (await world.ask(asked)).interception
    found = intercepts.InterceptServiceListRequest(
        merchant_id="m1",
        carrier="sf",
        states=[intercepts.INTERCEPTION_STATE_ACCEPTED, intercepts.INTERCEPTION_STATE_LOST],
        decisions=[intercepts.DECISION_ACCEPTED],
        money_states=[intercepts.MONEY_STATE_CAPTURED],
        waybill=row.waybill,
        order_no=row.order_nos[0],
        cancel_ticket="ticket-77",
        created_from=row.created_at,
    )
    assert [i.id for i in (await world.ask(found)).interceptions] == [row.id]
    for name, value in (
        ("merchant_id", "m2"),
        ("carrier", "zto"),
        ("waybill", "SF0"),
        ("order_no", "O"),
        ("cancel_ticket", "t"),
    ):
        narrow = intercepts.InterceptServiceListRequest()
        narrow.CopyFrom(found)
        setattr(narrow, name, value if name != "waybill" else "SF000")
        assert not (await world.ask(narrow)).interceptions, name
    strange = intercepts.InterceptServiceListRequest(cancel_ticket="ticket-77")
    assert not (await world.ask(strange, "other-tenant-token")).interceptions


async def test_the_wallet_tells_where_every_fen_is(world: World) -> None:
    before = (await world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))).wallet
    quote = await world.quote(await world.ship())
    row = await world.settled(quote.id, "wallet-0001")
    after = (await world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))).wallet
    assert before.available.units - after.available.units == 8
    request = wallets.WalletServiceListEntriesRequest(merchant_id="m1", interception_id=row.id)
    entries = (await world.ask(request)).entries
    assert {e.kind for e in entries} == {wallets.ENTRY_KIND_HOLD, wallets.ENTRY_KIND_CAPTURE}
    request.kinds.append(wallets.ENTRY_KIND_HOLD)
    (hold,) = (await world.ask(request)).entries
    assert (hold.source, hold.target) == (wallets.ACCOUNT_AVAILABLE, wallets.ACCOUNT_HELD)


async def test_money_that_came_in_is_booked_once(world: World) -> None:
    request = wallets.WalletServiceTopUpRequest(
        request_id="booked-once-1", merchant_id="m1", amount=yuan(3), external_reference="bank-77"
    )
    token = "mall-treasury-token"
    first, second = [await world.ask(request, token) for _ in range(2)]
    assert (first.replayed, second.replayed) == (False, True)
    assert first.entry == second.entry
    request.request_id = "booked-once-2"
    code, reason, _ = await refusal(world.ask(request, token))
    assert (code, reason) == (Code.ALREADY_EXISTS, "EXTERNAL_REFERENCE_REUSED")
    request.merchant_id = "nobody"
    code, reason, _ = await refusal(world.ask(request, token))
    assert (code, reason) == (Code.NOT_FOUND, "MERCHANT_UNKNOWN")


async def test_the_audit_is_clean_and_says_so(world: World) -> None:
    answer = await world.ask(operations.OperationServiceAuditRequest(), "mall-operator-token")
    assert answer.clean, [rule for rule in answer.rules if rule.violation_count]
    assert len(answer.rules) > 10
    some = operations.OperationServiceAuditRequest(rules=["inv.M1"])
    assert [r.name for r in (await world.ask(some, "mall-operator-token")).rules] == ["inv.M1"]
    strange = operations.OperationServiceAuditRequest(rules=["inv.X"])
    code, _, _ = await refusal(world.ask(strange, "mall-operator-token"))
    assert code is Code.INVALID_ARGUMENT


async def test_idle_is_for_tests(world: World) -> None:
    request = operations.OperationServiceIdleRequest()
    request.wait.seconds = 5
    assert (await world.ask(request, "mall-operator-token")).idle
