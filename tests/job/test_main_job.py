"""The main job: what happens to the parcel, and to the money, over real gRPC and HTTP."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from tests.engines import ENGINES, engine
from tests.job.scene import DAY, FEE, MINUTE, PUSH_SECRET, Scene, me, minor, played

I = intercepts  # noqa: E741  (the enums' long names come from here)
HANG = {"name": "slow", "params": {"ms": 30_000}}


@pytest_asyncio.fixture(params=ENGINES)
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    with engine(request.param, tmp_path) as made:
        async with played(made.url) as scene:
            yield scene


async def code_of(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def named(interception: Any) -> tuple[str, str, str]:
    return (
        I.Decision.Name(interception.decision).removeprefix("DECISION_"),
        I.Movement.Name(interception.movement).removeprefix("MOVEMENT_"),
        I.MoneyState.Name(interception.money).removeprefix("MONEY_STATE_"),
    )


ENDS = [
    # carrier, outcome, faults, decision, movement, money
    ("sf", "returned", (), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("sf", "refused", (), "REFUSED", "NONE", "RELEASED"),
    ("sf", "refused_unlisted", (), "REFUSED", "NONE", "RELEASED"),
    ("sf", "accepted_by_push", (), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("sf", "lost", (), "ACCEPTED", "LOST", "CAPTURED"),
    ("sf", "damaged", (), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("sf", "delivered_anyway", (), "ACCEPTED", "RETURN_FAILED", "REFUNDED"),
    ("sf", "buyer_refused", (), "REFUSED", "NONE", "RELEASED"),
    ("sf", "intercepted_by_other", (), "REFUSED", "NONE", "RELEASED"),
    ("sf", "late_accept", (), "LATE_ACCEPTED", "RETURNED", "RELEASED"),
    ("sf", "returned", ("reset_after",), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("sf", "returned", ("html_502",), "REFUSED", "NONE", "RELEASED"),
    ("zto", "returned", (), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("zto", "refused", (), "REFUSED", "NONE", "RELEASED"),
    ("zto", "refused_unlisted", (), "REFUSED", "NONE", "RELEASED"),
    ("zto", "accepted_by_push", (), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("zto", "lost", (), "ACCEPTED", "LOST", "CAPTURED"),
    ("zto", "delivered_anyway", (), "ACCEPTED", "RETURN_FAILED", "REFUNDED"),
    ("zto", "buyer_refused", (), "REFUSED", "NONE", "RELEASED"),
    ("zto", "intercepted_by_other", (), "REFUSED", "NONE", "RELEASED"),
    ("zto", "intercepted_by_other", ("reset_after",), "REFUSED", "NONE", "RELEASED"),
    ("zto", "returned", ("reset_after",), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("zto", "returned", ("reset_before",), "ACCEPTED", "RETURNED", "CAPTURED"),
    ("zto", "lost_then_found", (), "ACCEPTED", "RETURNED", "CAPTURED"),
]


async def test_every_outcome_ends_as_the_carrier_made_it(scene: Scene) -> None:
    rows = []
    for carrier, outcome, faults, decision, movement, money in ENDS:
        waybill = await scene.ship(carrier, outcome, *faults)
        answer = await scene.stop(carrier, waybill)
        rows.append(
            (carrier, outcome, faults, (decision, movement, money), waybill, answer.interception.id)
        )
    await scene.rest()
    await scene.pass_time(30 * MINUTE, MINUTE)
    await scene.pass_time(12 * DAY)
    for carrier, outcome, faults, end, waybill, key in rows:
        found = await scene.get(key)
        truth = await scene.truth(waybill)
        assert named(found) == end, (carrier, outcome, faults)
        assert truth["effects"] <= 1
    charged = sum(FEE for row in rows if row[3][2] == "CAPTURED")
    assert await scene.wallet() == (1_000_000 - charged, 0)
    await scene.clean()


@pytest.mark.parametrize("carrier", ["sf", "zto"])
async def test_a_carrier_that_hangs_is_answered_for_within_a_second(
    scene: Scene, carrier: str
) -> None:
    took, keys = [], []
    for number in range(3):  # the machine is shared: noise only adds, so the best of three counts
        quote = await scene.quote(carrier, await scene.ship(carrier, "returned", HANG))
        order = scene.order(quote, f"hang-request-{number}")
        started = time.monotonic()
        answer = await scene.interceptions.Create(order, metadata=me(), timeout=5)
        took.append(time.monotonic() - started)
        keys.append(answer.interception.id)
        assert named(answer.interception) == ("SENDING", "NONE", "HELD")
        assert answer.refund_advice == I.REFUND_ADVICE_WAIT
    assert min(took) < 1
    await scene.rest()
    await scene.pass_time(10 * MINUTE, MINUTE)
    await scene.pass_time(6 * DAY)
    for key in keys:
        assert named(await scene.get(key)) == ("ACCEPTED", "RETURNED", "CAPTURED")
    await scene.clean()


async def test_fifty_callers_with_one_request_id_get_one_interception(scene: Scene) -> None:
    waybill = await scene.ship("sf", "returned")
    order = scene.order(await scene.quote("sf", waybill), "same-request")

    async def call() -> Any:
        return await scene.interceptions.Create(order, metadata=me(), timeout=5)

    answers = await asyncio.gather(*(call() for _ in range(50)))
    assert len({answer.interception.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert (await scene.truth(waybill))["requests_count"]["intercept"] == 1
    assert await scene.wallet() == (1_000_000 - FEE, 0)
    await scene.clean()


async def test_a_request_id_with_another_body_changes_nothing(scene: Scene) -> None:
    first = scene.order(await scene.quote("sf", await scene.ship("sf", "returned")), "one-key-two")
    other = scene.order(await scene.quote("sf", await scene.ship("sf", "returned")), "one-key-two")
    made = await scene.interceptions.Create(first, metadata=me())
    before = await scene.get(made.interception.id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scene.interceptions.Create(other, metadata=me())
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert (await scene.get(made.interception.id)).version == before.version


async def test_a_deadline_of_50_ms_leaves_all_or_nothing(scene: Scene) -> None:
    """The same request id tells which."""
    lost = made = 0
    for number in range(24):
        waybill = await scene.ship("sf", "returned", HANG if number % 2 else {"name": "slow"})
        order = scene.order(await scene.quote("sf", waybill), f"brief-call-{number}")
        ended = await code_of(scene.interceptions.Create(order, metadata=me(), timeout=0.05))
        assert ended in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED)
        lost += ended is grpc.StatusCode.DEADLINE_EXCEEDED
        again = await scene.interceptions.Create(order, metadata=me(), timeout=5)
        made += again.replayed
        assert again.interception.fee.units == FEE // 100
    assert lost > 0
    assert made > 0
    await scene.rest()
    await scene.pass_time(3 * DAY)
    await scene.pass_time(4 * DAY)
    available, held = await scene.wallet()
    assert (available, held) == (1_000_000 - 24 * FEE, 0)
    await scene.clean()


async def test_withdrawn_in_time_costs_nothing(scene: Scene) -> None:
    waybill = await scene.ship("zto", "returned", params={"turn_ms": 6 * 3_600_000})
    key = (await scene.stop("zto", waybill)).interception.id
    await scene.rest()
    await scene.pass_time(10 * MINUTE, MINUTE)
    assert named(await scene.get(key))[0] == "ACCEPTED"
    await scene.cancel(key)
    await scene.rest()
    found = await scene.get(key)
    assert named(found) == ("CANCELLED", "NONE", "REFUNDED")
    assert (await scene.truth(waybill))["cancel_acknowledged"]
    assert await scene.wallet() == (1_000_000, 0)
    await scene.clean()


async def test_a_lost_parcel_is_paid_once_and_never_above_value_or_cap(scene: Scene) -> None:
    waybill = await scene.ship("zto", "lost", value_minor=150_000)
    key = (await scene.stop("zto", waybill, 60_000, 90_000)).interception.id
    await scene.rest()
    await scene.pass_time(10 * MINUTE, MINUTE)
    await scene.pass_time(3 * DAY)
    filed = [
        await scene.file(key, waybill, claims.CLAIM_KIND_LOST, loss, line)
        for line, loss in (("1", 70_000), ("2", 80_000))
    ]
    await scene.pass_time(10 * DAY)
    awards = []
    for claim in filed:
        stub: Any = scene.channel.unary_unary(
            "/turnback.v1.ClaimService/Get",
            request_serializer=claims.ClaimServiceGetRequest.SerializeToString,
            response_deserializer=claims.ClaimServiceGetResponse.FromString,
        )
        found = (await stub(claims.ClaimServiceGetRequest(claim_id=claim.id), metadata=me())).claim
        awards.append(sum(minor(award.amount) for award in found.awards))
    assert awards[0] == 60_000  # its line is worth no more
    assert awards[1] == 40_000  # what the parcel's cap of 100 000 leaves
    await scene.clean()


async def test_a_storm_of_pushes_and_forged_ones_change_nothing(scene: Scene) -> None:
    faults = [{"name": "push_duplicate", "params": {"copies": 20}, "times": 0}]
    faults += [{"name": "push_reorder", "times": 0}, {"name": "push_bad_signature", "times": 0}]
    key = (await scene.stop("zto", await scene.ship("zto", "returned", *faults))).interception.id
    plain = (await scene.stop("zto", await scene.ship("zto", "returned"))).interception.id
    await scene.rest()
    await scene.pass_time(10 * MINUTE, MINUTE)
    await scene.pass_time(6 * DAY)
    assert named(await scene.get(key)) == named(await scene.get(plain))
    assert await scene.wallet() == (1_000_000 - 2 * FEE, 0)
    await scene.clean()


POISON = [
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"data":"\\ud800","data_digest":"x","msg_type":"Traces","company_id":"Z1"}',
    b'{"Body":{"WaybillRoute":[{"id":"1","mailno":"SF\\u0000","opCode":"80"}]}}',
    b'{"Body":{"WaybillRoute":[{"id":' + b"9" * 5_000 + b"}]}}",
    b'{"Body":{"WaybillRoute":[]},"Body":{}}',
    b'{"Body":NaN}',
    b'{"a":1e400}',
    b'content=<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><Request>&b;</Request>',
    b"content=" + b"<a>" * 100_000,
    b"content=<a/>&content=<b/>",
    b"\x1f\x8b\x08\x00truncated",
]


@pytest.mark.parametrize("carrier", ["sf", "zto"])
async def test_poison_pushes_are_refused_or_kept_apart(scene: Scene, carrier: str) -> None:
    url = f"{scene.push}/push/{carrier}/main/{PUSH_SECRET}{carrier}"
    for body in POISON:
        async with scene.http.post(url, data=body) as response:
            assert response.status < 500, body[:40]
            assert (await response.read()).find(body[:40] or b"\0") < 0
    async with scene.http.post(url, data=io.BytesIO(b"x" * 10_000_000)) as response:
        assert response.status == 413
    async with scene.http.post(url[:-4] + "XXXX", data=b"{}") as response:
        assert response.status == 404
    waybill = await scene.ship(carrier, "returned")
    assert (await scene.stop(carrier, waybill)).interception.id  # and the gateway goes on
    await scene.clean()


async def test_watch_resumed_by_its_cursor_misses_nothing(scene: Scene) -> None:
    seen: list[str] = []
    cursor = ""
    keys = []
    for _ in range(3):
        keys.append((await scene.stop("sf", await scene.ship("sf", "returned"))).interception.id)
        asked = intercepts.InterceptServiceWatchRequest(
            merchant_id="m1", cursor=cursor, from_start=not cursor
        )
        stream = scene.interceptions.Watch(asked, metadata=me(), timeout=3)
        async for said in stream:
            cursor = said.cursor or cursor
            if said.HasField("event"):
                seen.append(f"{said.event.interception_id}/{said.event.seq}")
            if len(seen) == 4 * len(keys):
                stream.cancel()
                break
    assert len(seen) == len(set(seen)) == 12
    for key in keys:
        assert [name for name in seen if name.startswith(key)] == [
            f"{key}/{n}" for n in range(1, 5)
        ]


async def test_watch_list_and_get_show_one_and_the_same(scene: Scene) -> None:
    """Whole: with what hangs on it, such as its orders, its way back and its claims."""
    waybill = await scene.ship("sf", "lost")
    key = (await scene.stop("sf", waybill)).interception.id
    await scene.rest()
    await scene.pass_time(12 * DAY)
    await scene.file(key, waybill, claims.CLAIM_KIND_LOST, 2_000)
    await scene.rest()
    got = await scene.get(key)
    assert (list(got.order_nos), got.request_id) == ([f"O-{waybill}"], f"stop-{waybill}")
    assert got.return_waybill
    assert len(got.claim_ids) == 1
    assert got.quoted_status
    listed = intercepts.InterceptServiceListRequest(waybill=waybill)
    assert [got] == (await scene.interceptions.List(listed, metadata=me())).interceptions
    asked = intercepts.InterceptServiceWatchRequest(interception_id=key, from_start=True)
    stream = scene.interceptions.Watch(asked, metadata=me(), timeout=10)
    told = [await stream.read() for _ in range(got.version)]
    stream.cancel()
    assert [each.event.seq for each in told] == [*range(1, got.version + 1)]
    assert all(each.interception == got for each in told)
    assert told[-1].event.at == got.updated_at


async def test_metrics_say_how_it_stands(scene: Scene) -> None:
    await scene.stop("sf", await scene.ship("sf", "returned"))
    await scene.gateway.vitals.refresh()
    async with scene.http.get(f"{scene.metrics}/metrics") as response:
        text = await response.text()
    for name in (
        "oldest_undecided_seconds",
        "held_minor",
        "breaker",
        "carrier_calls",
        "rpc_seconds",
    ):
        assert f"turnback_{name}" in text
    assert "19900000001" not in text
