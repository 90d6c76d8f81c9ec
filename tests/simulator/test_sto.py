"""STO's wire protocol, over real HTTP."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from simulator.dialects.sto import acknowledged, digest
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk, Json

SERVICES = {
    "INTERCEPT_CREATE_STANDARD": "reverse-center",
    "INTERCEPT_DEL_STANDARD": "reverse-center",
    "STO_TRACE_QUERY_COMMON": "sto_trace_query",
    "STO_TRACE_PLATFORM_SUBSCRIBE": "sto_trace_platform",
}


def sealed(text: str) -> str:
    return base64.b64encode(hashlib.md5(text.encode()).digest()).decode()


def form(api: str, message: object, **change: str) -> dict[str, str]:
    content = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    fields = {"content": content, "data_digest": sealed(content + "secret"), "api_name": api}
    fields |= {"from_appkey": "S1", "from_code": "S1"}
    return fields | {"to_appkey": SERVICES[api], "to_code": SERVICES[api]} | change


async def post(desk: Desk, fields: dict[str, str]) -> tuple[str, bytes]:
    url = f"{desk.carriers}/sto/gateway/link.do"
    async with desk.session.post(url, data=fields) as answer:
        assert answer.status == 200
        return answer.content_type, await answer.read()


async def ask(desk: Desk, api: str, message: object, **change: str) -> Any:
    kind, body = await post(desk, form(api, message, **change))
    assert kind == "application/json"
    return json.loads(body)


async def intercept(desk: Desk, waybill: str) -> Any:
    message = {"waybillNo": waybill, "interceptForAct": "DEFAULT"}
    return await ask(desk, "INTERCEPT_CREATE_STANDARD", message)


async def cancel(desk: Desk, waybill: str) -> Any:
    return await ask(desk, "INTERCEPT_DEL_STANDARD", {"waybillNo": waybill})


async def parcel(
    desk: Desk, script: object = None, options: dict[str, str] | None = None, **fields: object
) -> str:
    account: Json = {
        "carrier": "sto",
        "account": "S1",
        "credentials": {"app_secret": "secret"},
        "push_url": f"{desk.inbox_url}/sto/secret",
        "options": options or {},
    }
    assert (await desk.control("POST", "/accounts", account))[0] == 200
    desk.serial += 1
    waybill = f"{777 * 10**12 + desk.serial}"
    body: Json = {"carrier": "sto", "account": "S1", "waybill": waybill, "order_id": f"O{waybill}"}
    body |= {"status": "in_transit", "sender": SENDER, "receiver": RECEIVER, "script": script}
    status, answer = await desk.control("POST", "/parcels", {"parcels": [{**body, **fields}]})
    assert status == 200, answer
    return waybill


def test_the_known_digest() -> None:
    assert digest('{"waybillNo":"777000000000001"}', "secret") == "ezj1dlOYx9nSQDykq1nF/Q=="


async def test_yes_and_no_are_texts(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    found = await intercept(desk, waybill)
    assert (found["success"], found["errorCode"], found["data"]) == ("true", "", None)
    found = await intercept(desk, waybill)
    assert (found["success"], found["errorCode"]) == ("false", "R005")


async def test_an_account_may_be_answered_in_xml(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"}, {"reply_format": "xml"})
    query = {"waybillNoList": [waybill], "order": "asc"}
    kind, body = await post(desk, form("STO_TRACE_QUERY_COMMON", query))
    document = ElementTree.fromstring(body)
    assert (kind, document.tag, document.findtext("success")) == ("text/xml", "response", "true")
    assert json.loads(document.findtext("data", ""))[waybill][0]["scanType"] == "收件"
    kind, body = await post(desk, form("STO_TRACE_QUERY_COMMON", query, data_digest="AAAA"))
    document = ElementTree.fromstring(body)
    assert (document.findtext("success"), document.findtext("errorCode")) == ("false", "S02")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": ""}, "S01"),
        ({"from_code": ""}, "S01"),
        ({"data_digest": "ezj1dlOYx9nSQDykq1nF/Q=="}, "S02"),
        ({"data_digest": "é"}, "S02"),
        ({"content": "{}"}, "S02"),
        ({"from_appkey": "nobody"}, "S03"),
        ({"api_name": "INTERCEPT_QUERY_STANDARD"}, "S04"),
        ({"to_code": "reverse-center"}, "S04"),
    ],
)
async def test_the_envelope_is_checked(desk: Desk, change: dict[str, str], code: str) -> None:
    waybill = await parcel(desk)
    query = {"waybillNoList": [waybill], "order": "asc"}
    found = await ask(desk, "STO_TRACE_QUERY_COMMON", query, **change)
    assert (found["success"], found["errorCode"]) == ("false", code)


@pytest.mark.parametrize(
    "change", [{"interceptForAct": ""}, {"interceptForAct": "RETURN"}, {"receiverName": "李四"}]
)
async def test_no_other_act_is_offered(desk: Desk, change: dict[str, str]) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    message = {"waybillNo": waybill, "interceptForAct": "DEFAULT", **change}
    found = await ask(desk, "INTERCEPT_CREATE_STANDARD", message)
    assert found["errorCode"] == "R000"


async def test_an_interception_is_cancelled_once_and_in_time(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    assert (await cancel(desk, waybill))["errorCode"] == "R101"
    await intercept(desk, waybill)
    assert (await cancel(desk, waybill))["success"] == "true"
    assert (await cancel(desk, waybill))["errorCode"] == "R103"
    await intercept(desk, waybill)
    await desk.advance(2 * HOUR_MS)
    assert (await cancel(desk, waybill))["errorCode"] == "R102"


async def test_tracking_shows_each_number_in_the_order_asked_for(desk: Desk) -> None:
    waybill, fresh = await parcel(desk), await parcel(desk, status="not_picked_up")
    numbers = [waybill, fresh, "777999999999999"]
    query = {"waybillNoList": numbers, "order": "asc"}
    found = (await ask(desk, "STO_TRACE_QUERY_COMMON", query))["data"]
    assert list(found) == numbers
    assert (found[fresh], found["777999999999999"]) == ([], [])
    assert found[waybill][0]["scanType"] == "收件"
    back = (await ask(desk, "STO_TRACE_QUERY_COMMON", {**query, "order": "desc"}))["data"]
    assert back[waybill] == found[waybill][::-1]
    for wrong in ([], waybill, [waybill, 1], [waybill] * 51):
        found = await ask(desk, "STO_TRACE_QUERY_COMMON", {**query, "waybillNoList": wrong})
        assert found["errorCode"] == "R000"


async def test_a_subscription_is_all_or_nothing(desk: Desk) -> None:
    told = await parcel(desk, options={"push": "subscribed"})
    wanted = [{"waybillNo": told}, {"waybillNo": "777999999999999"}]
    api = "STO_TRACE_PLATFORM_SUBSCRIBE"
    found = await ask(desk, api, {"subscribeInfoList": wanted})
    assert found["errorCode"] == "R001"
    await desk.advance(DAY_MS)
    assert not desk.pushed(told)
    assert (await ask(desk, api, {"subscribeInfoList": wanted[:1]}))["success"] == "true"
    await desk.advance(DAY_MS)
    assert desk.pushed(told)


async def test_a_bare_push_says_why_the_parcel_comes_back(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    await intercept(desk, waybill)
    await desk.advance(3 * DAY_MS)
    await desk.advance(HOUR_MS)
    said = [json.loads(push.body) for push in desk.pushed(waybill)]
    keys: dict[str, Any] = {one["trace"]["outBizCode"]: one for one in said}
    assert len(keys) < len(said)  # what is not acknowledged comes again, under the same key
    (back,) = (one for one in keys.values() if one["trace"]["scanType"] == "退回件")
    assert (back["waybillNo"], back["linkCode"]) == (waybill, f"O{waybill}")
    assert back["trace"]["issueName"] == "客户拦截"
    (signed,) = (one for one in keys.values() if one["trace"]["scanType"] == "签收")
    assert signed["trace"]["signoffPeople"] == "寄件人"


async def test_a_push_as_a_form_is_sealed_like_a_request(desk: Desk) -> None:
    fault = {"name": "push_bad_signature", "times": 1}
    script = {"outcome": "returned", "faults": [fault]}
    waybill = await parcel(desk, script, {"push_format": "form"})
    await intercept(desk, waybill)
    await desk.advance(DAY_MS)
    forms = [parse_qs(push.body.decode()) for push in desk.pushed(waybill)]
    assert {form["to_appkey"][0] for form in forms} == {"S1"}
    genuine = [form["data_digest"] == [sealed(form["content"][0] + "secret")] for form in forms]
    assert genuine.count(False) == 1


@pytest.mark.parametrize(
    ("status", "body", "believed"),
    [
        (200, b'{"success":true}', True),
        (200, b'{"success":"true"}', True),
        (200, b'{"success":false,"errorMsg":""}', False),
        (500, b'{"success":true}', False),
        (200, b"true", False),
        (200, b"", False),
    ],
)
def test_what_acknowledges(status: int, body: bytes, believed: bool) -> None:
    assert acknowledged(status, body) is believed


@pytest.mark.parametrize(("params", "code"), [({}, "S12"), ({"system": True}, "S07")])
async def test_a_busy_carrier_asks_to_be_asked_again(
    desk: Desk, params: dict[str, bool], code: str
) -> None:
    fault = {"name": "busy_code", "params": params}
    waybill = await parcel(desk, {"outcome": "returned", "faults": [fault]})
    found = await intercept(desk, waybill)
    assert (found["success"], found["errorCode"], found["needRetry"]) == ("false", code, "true")
    assert (await desk.truth(waybill))["interceptions"] == []


async def test_an_answer_about_another_parcel_says_so(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned", "faults": [{"name": "wrong_waybill"}]})
    found = await intercept(desk, waybill)
    assert found["success"] == "true"
    assert found["data"]["waybillNo"] != waybill
