"""JD's older call, over real HTTP."""

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.simulator.desk import DAY_MS, START_MS, Desk, Json
from tests.simulator.test_jdl import MINUTE_MS, jd, parcel

METHOD = "jingdong.ldop.receive.order.intercept"
RESPONCE = "jingdong_ldop_receive_order_intercept_responce"  # their spelling
CHINA = timezone(timedelta(hours=8))


def wire_time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


async def account(desk: Desk, **options: Any) -> None:
    credentials = {"app_secret": "ls", "access_token": "lt"}
    body = {"carrier": "ldop", "account": "L1", "credentials": credentials, "options": options}
    assert (await desk.control("POST", "/accounts", body))[0] == 200


def form(waybill: str, at_ms: int = START_MS, secret: str = "ls", **changed: str) -> Json:
    params = {"vendorCode": "V1", "deliveryId": waybill, "interceptReason": "不要了"}
    fields = {"method": METHOD, "app_key": "L1", "access_token": "lt", "format": "json"}
    fields |= {"timestamp": wire_time(at_ms), "v": "2.0"}
    fields |= {"360buy_param_json": json.dumps(params, ensure_ascii=False), **changed}
    text = secret + "".join(f"{name}{fields[name]}" for name in sorted(fields)) + secret
    return {**fields, "sign": hashlib.md5(text.encode()).hexdigest().upper()}


async def post(desk: Desk, fields: Json) -> Json:
    url = f"{desk.carriers}/ldop/routerjson"
    async with desk.session.post(url, data=fields) as answer:
        assert answer.status == 200
        found = await answer.json(content_type=None)
    assert isinstance(found, dict)
    return found


async def stop(desk: Desk, waybill: str, at_ms: int = START_MS) -> int:
    answer = await post(desk, form(waybill, at_ms))
    assert answer[RESPONCE]["code"] == "0", answer
    told = answer[RESPONCE]["resultInfo"]
    assert told["deliveryId"] == waybill
    return int(told["stateCode"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"secret": "other"}, "23"),
        ({"access_token": "other"}, "19"),
        ({"app_key": "nobody"}, "21"),
        ({"timestamp": ""}, "24"),
        ({"timestamp": "1704067200000"}, "25"),
        ({"v": "1.0"}, "26"),
        ({"method": "jingdong.other"}, "26"),
        ({"360buy_param_json": "[]"}, "26"),
        ({"360buy_param_json": '{"deliveryId":"JDV1"}'}, "26"),
    ],
)
async def test_an_error_stands_in_an_envelope_of_its_own(
    desk: Desk, changed: Json, code: str
) -> None:
    await account(desk)
    answer = await post(desk, form(await parcel(desk, carrier="ldop"), **changed))
    assert set(answer) == {"error_response"}
    assert answer["error_response"]["code"] == code
    assert set(answer["error_response"]) == {"code", "zh_desc", "en_desc"}


@pytest.mark.parametrize(
    ("minutes", "timely"), [(-11, False), (-10, True), (0, True), (10, True), (11, False)]
)
async def test_a_request_is_no_older_or_newer_than_ten_minutes(
    desk: Desk, minutes: int, timely: bool
) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"}, carrier="ldop")
    answer = await post(desk, form(waybill, START_MS + minutes * MINUTE_MS))
    assert (RESPONCE in answer) is timely
    if not timely:
        assert answer["error_response"]["code"] == "25"
    assert (await desk.truth(waybill))["effects"] == int(timely)


async def test_done_is_100_and_done_before_is_108(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"}, carrier="ldop")
    assert [await stop(desk, waybill) for _ in range(3)] == [100, 108, 108]
    assert (await desk.truth(waybill))["effects"] == 1


async def test_before_pick_up_the_same_call_cancels_the_order(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, status="not_picked_up", carrier="ldop")
    assert [await stop(desk, waybill) for _ in range(2)] == [100, 108]
    truth = await desk.truth(waybill)
    assert (truth["order_cancelled_ms"], truth["effects"]) == (START_MS, 0)


async def test_what_is_not_decided_yet_is_asked_again(desk: Desk) -> None:
    await account(desk)
    script = {"outcome": "accepted_by_push", "params": {"after_ms": 5 * MINUTE_MS}}
    waybill = await parcel(desk, script, carrier="ldop")
    assert [await stop(desk, waybill) for _ in range(2)] == [101, 101]
    await desk.advance(6 * MINUTE_MS)
    assert await stop(desk, waybill, START_MS + 6 * MINUTE_MS) == 108
    assert (await desk.truth(waybill))["effects"] == 1


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ({"outcome": "refused"}, "in_transit", 103),
        ({"outcome": "refused_unlisted"}, "in_transit", 199),
        ({"outcome": "intercepted_by_other"}, "in_transit", 105),
        ({"outcome": "returned"}, "delivered", 104),
    ],
)
async def test_a_refusal_is_a_state_of_its_own(
    desk: Desk, script: Json, status: str, code: int
) -> None:
    await account(desk)
    assert await stop(desk, await parcel(desk, script, status, carrier="ldop")) == code


async def test_both_channels_see_one_parcel(desk: Desk) -> None:
    """What one channel did, the other finds done; where it is, only the newer one tells."""
    await account(desk, acts_for=["jdl/J1"])
    client = await jd(desk)
    waiting, moving = await parcel(desk, status="not_picked_up"), await parcel(desk)
    for waybill, status, code in ((waiting, "690", 2205), (moving, "480", 2203)):
        assert await stop(desk, waybill) == 100
        assert await client.status(waybill) == status
        assert (await client.stop(waybill))["code"] == code
        assert await stop(desk, waybill) == 108
    assert (await client.states(waiting))[-1] == "200010"
    await desk.advance(DAY_MS)
    assert (await client.states(moving))[-1] == "200020"
    assert desk.pushed(moving)


async def test_a_parcel_of_an_account_that_it_does_not_act_for_is_not_there(desk: Desk) -> None:
    await account(desk)
    await jd(desk)
    assert await stop(desk, await parcel(desk)) == 102
