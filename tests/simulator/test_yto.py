"""YTO's wire protocol, over real HTTP."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlencode
from xml.etree import ElementTree

import pytest

from simulator.dialects.yto import acknowledged, seal
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk, Json

LIVE = "已有有效拦截件，不能重复发起拦截"
CREDENTIALS = {"app_secret": "123456", "suffix": "abcDEF"}


def sealed(text: str) -> str:
    return base64.b64encode(hashlib.md5(text.encode()).digest()).decode()


def envelope(method: str, message: object, secret: str = "123456") -> dict[str, str]:
    param = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    sign = sealed(f"{param}{method}v1{secret}")
    return {"timestamp": "1700000000000", "param": param, "sign": sign, "format": "JSON"}


async def post(desk: Desk, path: str, body: bytes, kind: str = "application/json") -> Any:
    url, headers = f"{desk.carriers}/yto/{path}", {"content-type": kind}
    async with desk.session.post(url, data=body, headers=headers) as answer:
        assert answer.status == 200
        return json.loads(await answer.read())


async def ask(desk: Desk, method: str, message: object) -> Any:
    body = json.dumps(envelope(method, message)).encode()
    return await post(desk, f"open/{method}/v1/abcDEF/Y1", body)


async def intercept(desk: Desk, waybill: str) -> Any:
    message = {"waybillNo": waybill, "wantedDesc": "拦截退回"}
    return await ask(desk, "wanted_report_adapter", message)


async def cancel(desk: Desk, waybill: str) -> Any:
    return await ask(desk, "wanted_cancel_adapter", {"waybillNo": waybill, "dealRemark": "取消"})


async def parcel(desk: Desk, script: object = None, **fields: object) -> str:
    account: Json = {
        "carrier": "yto",
        "account": "Y1",
        "credentials": {**CREDENTIALS, "push_app_secret": "second"},
        "push_url": f"{desk.inbox_url}/yto/secret",
    }
    assert (await desk.control("POST", "/accounts", account))[0] == 200
    desk.serial += 1
    waybill = f"YT{10**12 + desk.serial}"
    body: Json = {"carrier": "yto", "account": "Y1", "waybill": waybill, "order_id": f"O{waybill}"}
    body |= {"status": "in_transit", "sender": SENDER, "receiver": RECEIVER, "script": script}
    status, answer = await desk.control("POST", "/parcels", {"parcels": [{**body, **fields}]})
    assert status == 200, answer
    return waybill


def test_the_known_signatures() -> None:
    assert seal("opentest", "123456") == "YLstCNa3x8ijQx16e/jqOA=="
    param = '{"waybillNo":"YT0000000000001","wantedDesc":"test"}'
    assert seal(f"{param}wanted_report_adapterv1", "123456") == "IZXUGCh/szHjSEZscdLRkA=="


async def test_a_form_and_an_object_are_understood_alike(desk: Desk) -> None:
    waybill = await parcel(desk)
    fields = envelope("track_query_adapter", {"Number": waybill, "note": "中 & 文~*"})
    path = "open/track_query_adapter/v1/abcDEF/Y1"
    form = await post(desk, path, urlencode(fields).encode(), "application/x-www-form-urlencoded")
    assert form[0]["infoContent"] == "GOT"
    assert await post(desk, path, json.dumps(fields).encode(), "text/plain") == form
    assert await post(desk, path, json.dumps({**fields, "timestamp": 1}).encode()) == form


async def test_a_wrong_signature_is_answered_as_the_carrier_does(desk: Desk) -> None:
    waybill = await parcel(desk)
    message = {"waybillNo": waybill, "wantedDesc": "拦截退回"}
    path = "open/wanted_report_adapter/v1/abcDEF/Y1"
    bad = {"success": False, "code": 401, "reason": "请求加密校验失败"}
    for fields in (
        envelope("wanted_report_adapter", message, "another"),
        envelope("wanted_cancel_adapter", message),
        {**envelope("wanted_report_adapter", message), "param": json.dumps(message) + " "},
        {**envelope("wanted_report_adapter", message), "sign": "é"},
    ):
        assert await post(desk, path, json.dumps(fields).encode()) == bad
    fields = envelope("wanted_report_adapter", message)
    nobody = path.replace("Y1", "Y9")
    assert await post(desk, nobody, json.dumps(fields).encode()) == bad
    assert (await desk.truth(waybill))["interceptions"] == []


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("open/track_query_adapter/v2/abcDEF/Y1", {}, 404),
        ("open/nothing_adapter/v1/abcDEF/Y1", {}, 404),
        ("open/track_query_adapter/v1/another/Y1", {}, 404),
        ("open/track_query_adapter/v1/Y1", {}, 404),
        ("open/track_query_adapter/v1/abcDEF/Y1", {"format": "XML"}, 400),
        ("open/track_query_adapter/v1/abcDEF/Y1", {"timestamp": ""}, 400),
        ("open/track_query_adapter/v1/abcDEF/Y1", {"param": {"NUMBER": "YT1"}}, 401),
    ],
)
async def test_the_envelope_is_checked(
    desk: Desk, path: str, change: dict[str, object], code: int
) -> None:
    await parcel(desk)
    fields = {**envelope("track_query_adapter", {"NUMBER": "YT1"}), **change}
    found = await post(desk, path, json.dumps(fields).encode())
    assert (found["success"], found["code"]) == (False, code)


async def test_one_live_interception_for_each_waybill(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    assert (await intercept(desk, waybill))["statusCode"] == 0
    assert await intercept(desk, waybill) == {"statusCode": 1, "statusMessage": LIVE}
    assert len((await desk.truth(waybill))["interceptions"]) == 2
    assert (await cancel(desk, waybill))["statusCode"] == 0
    assert (await cancel(desk, waybill))["statusCode"] == 203
    assert (await intercept(desk, waybill))["statusCode"] == 0


@pytest.mark.parametrize(
    ("status", "code"), [("not_picked_up", 102), ("delivered", 104), ("out_for_delivery", 0)]
)
async def test_what_may_not_be_intercepted(desk: Desk, status: str, code: int) -> None:
    waybill = await parcel(desk, {"outcome": "returned"}, status=status)
    assert (await intercept(desk, waybill))["statusCode"] == code


async def test_somebody_elses_interception_looks_like_ones_own(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "intercepted_by_other"})
    assert await intercept(desk, waybill) == {"statusCode": 1, "statusMessage": LIVE}


async def test_the_reason_must_not_be_empty(desk: Desk) -> None:
    waybill = await parcel(desk)
    for message in ({"waybillNo": waybill}, {"waybillNo": waybill, "wantedDesc": ""}, "[]", "x"):
        assert (await ask(desk, "wanted_report_adapter", message))["statusCode"] == 100


async def test_a_refused_interception_cannot_be_cancelled(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "refused", "params": {"when": "later"}})
    assert (await cancel(desk, waybill))["statusCode"] == 201
    assert (await intercept(desk, waybill))["statusCode"] == 0
    await desk.advance(DAY_MS // 24)
    assert (await cancel(desk, waybill))["statusCode"] == 201


async def test_a_cancel_that_comes_too_late(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    await intercept(desk, waybill)
    await desk.advance(2 * HOUR_MS)
    assert (await cancel(desk, waybill))["statusCode"] == 202


async def test_what_tracking_shows_and_what_it_does_not(desk: Desk) -> None:
    fresh = await parcel(desk, status="not_picked_up")
    found = await ask(desk, "track_query_adapter", {"NUMBER": fresh})
    nothing = {"map": {fresh: []}, "code": "1001", "success": "true", "message": "查询结果为空。"}
    assert found == nothing
    waybill = await parcel(desk, {"outcome": "returned"})
    await intercept(desk, waybill)
    await desk.advance(3 * DAY_MS)
    found = await ask(desk, "track_query_adapter", {"NUMBER": waybill})
    assert [scan["infoContent"] for scan in found].count("TMS_RETURN") == 1
    assert set(found[0]) == {"waybill_No", "upload_Time", "infoContent", "processInfo"}
    assert found[-1]["processInfo"] == "【深圳市公司】 已签收 签收人: 寄件人"


async def test_an_order_is_cancelled_before_pick_up(desk: Desk) -> None:
    waybill = await parcel(desk, status="not_picked_up")
    message = {"logisticsNo": f"O{waybill}", "cancelDesc": "取消"}
    found = await ask(desk, "korder_cancel_adapter", message)
    assert found == {"logisticsNo": f"O{waybill}", "success": True}
    assert (await ask(desk, "korder_cancel_adapter", message))["code"] == 303
    other = {"logisticsNo": "nothing", "cancelDesc": "取消"}
    assert (await ask(desk, "korder_cancel_adapter", other))["code"] == 301
    late = {"logisticsNo": f"O{await parcel(desk)}", "cancelDesc": "取消"}
    assert (await ask(desk, "korder_cancel_adapter", late))["code"] == 302


async def test_a_subscription_names_its_client_twice(desk: Desk) -> None:
    waybill = await parcel(desk)
    for outer, inner, done in (("Y1", "Y1", True), ("Y9", "Y1", False), ("Y1", "Y9", False)):
        subject = json.dumps({"clientId": inner, "waybillNo": waybill})
        message = {"client_id": outer, "msg_type": "online", "logistics_interface": subject}
        assert (await ask(desk, "subscribe_adapter", message))["success"] is done


async def test_a_push_is_xml_signed_for_the_second_application(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned"})
    await intercept(desk, waybill)
    await desk.advance(HOUR_MS + 3 * 60_000)
    bodies = dict.fromkeys(push.body for push in desk.pushed(waybill))
    forms = [{name: text[0] for name, text in parse_qs(body.decode()).items()} for body in bodies]
    for form in forms:
        assert form["data_digest"] == sealed(form["logistics_interface"] + "second")
        assert form["clientId"] == "Y1"
    (form,) = (each for each in forms if "TMS_RETURN" in each["logistics_interface"])
    document = ElementTree.fromstring(form["logistics_interface"])
    assert document.tag == "UpdateInfo"
    said = {element.tag: element.text for element in document}
    assert (said["mailNo"], said["clientID"], said["infoType"]) == (waybill, "Y1", "STATUS")
    assert (said["txLogisticID"], said["questionCause"]) == (f"O{waybill}", "客户拦截")


async def test_a_forged_push_has_another_digest(desk: Desk) -> None:
    fault = {"name": "push_bad_signature", "times": 1}
    waybill = await parcel(desk, {"outcome": "returned", "faults": [fault]})
    await intercept(desk, waybill)
    await desk.advance(DAY_MS)
    forms = [parse_qs(push.body.decode()) for push in desk.pushed(waybill)]
    genuine = [
        form["data_digest"] == [sealed(form["logistics_interface"][0] + "second")] for form in forms
    ]
    assert genuine.count(False) == 1


@pytest.mark.parametrize(
    ("status", "body", "believed"),
    [
        (200, b"<Response><success>true</success></Response>", True),
        (200, b"<Response><success>false</success></Response>", False),
        (500, b"<Response><success>true</success></Response>", False),
        (200, b'{"success":true}', False),
        (200, b"", False),
    ],
)
def test_only_a_document_acknowledges(status: int, body: bytes, believed: bool) -> None:
    assert acknowledged(status, body) is believed


async def test_an_answer_about_another_parcel_says_so(desk: Desk) -> None:
    waybill = await parcel(desk, {"outcome": "returned", "faults": [{"name": "wrong_waybill"}]})
    found = await intercept(desk, waybill)
    assert found["statusCode"] == 0
    assert found["waybillNo"] not in ("", waybill)


@pytest.mark.parametrize(("params", "code"), [({}, 429), ({"system": True}, 500)])
async def test_a_busy_carrier_says_no_in_the_platforms_way(
    desk: Desk, params: dict[str, bool], code: int
) -> None:
    fault = {"name": "busy_code", "params": params}
    waybill = await parcel(desk, {"outcome": "returned", "faults": [fault]})
    found = await intercept(desk, waybill)
    assert (found["success"], found["code"]) == (False, code)
    assert (await desk.truth(waybill))["interceptions"] == []
