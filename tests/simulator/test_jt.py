"""J&T China's wire protocol, over real HTTP."""

import hashlib
import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dialect import Inbound
from simulator.dialects.jt import (
    DIALECT,
    OPERATIONS,
    acknowledged,
    customer_digest,
    digest,
)
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk
from tests.simulator.test_fuzz import answered, depot, odd

Json = dict[str, Any]
SECRETS = {"private_key": "jk", "password": "jp", "customer_code": "J0001"}


def sealed(text: str) -> str:
    return b64encode(hashlib.md5(text.encode()).digest()).decode()


async def account(desk: Desk, **more: str) -> None:
    body: Json = {"carrier": "jt", "account": "J1", "credentials": {**SECRETS, **more}}
    await desk.control("POST", "/accounts", body | {"push_url": f"{desk.inbox_url}/jt/secret"})


async def parcel(desk: Desk, script: Json | None = None, **fields: Any) -> str:
    desk.serial += 1
    waybill = f"JT{desk.serial:013}"
    body: Json = {"carrier": "jt", "account": "J1", "waybill": waybill, "order_id": f"O{waybill}"}
    body |= {"sender": SENDER, "receiver": RECEIVER, "status": "in_transit", "script": script}
    status, said = await desk.control("POST", "/parcels", {"parcels": [body | fields]})
    assert status == 200, said
    return waybill


async def post(
    desk: Desk, api: str, message: Json | str, headers: Json | None = None, query: str = ""
) -> Json:
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    usual = {"apiAccount": "J1", "digest": sealed(text + "jk"), "timestamp": "1700000000000"}
    url = f"{desk.carriers}/jt/webopenplatformapi/api/{api}{query}"
    async with desk.session.post(
        url, data={"bizContent": text}, headers={**usual, **(headers or {})}
    ) as answer:
        found = await answer.json(content_type=None)
    assert isinstance(found, dict)
    return found


async def intercept(desk: Desk, waybill: str) -> Json:
    return await post(desk, "waybill/intercept", {"mailNo": waybill, "applyTypeCode": 4})


async def scans(desk: Desk, waybill: str) -> list[str]:
    answer = await post(desk, "logistics/trace", {"billCodes": waybill})
    (parcel,) = answer["data"]
    return [node.get("problemType") or node["scanType"] for node in parcel["details"] or []]


def test_the_known_digests() -> None:
    bare = '{"mailNo":"JT0000000000001","applyTypeCode":4}'
    assert digest(bare + "privkey") == "NVBd7mLPVWZ9urkTTQEOJA=="
    password = hashlib.md5(b"jpjadada236t2").hexdigest().upper()
    assert customer_digest("J0001", SECRETS) == sealed(f"J0001{password}jk")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"apiAccount": ""}, "145003051"),
        ({"digest": ""}, "145003052"),
        ({"timestamp": ""}, "145003053"),
        ({"apiAccount": "nobody"}, "145003010"),
        ({"digest": "AAAA"}, "145003030"),
        ({"timestamp": "1"}, "1"),  # it is not signed
    ],
)
async def test_the_headers_are_checked(desk: Desk, headers: Json, code: str) -> None:
    await account(desk)
    waybill = await parcel(desk)
    answer = await post(desk, "logistics/trace", {"billCodes": waybill}, headers)
    assert answer["code"] == code


@pytest.mark.parametrize("text", ["[]", "nonsense", "", "[" * 5000])
async def test_a_content_that_is_no_object_is_refused(desk: Desk, text: str) -> None:
    await account(desk)
    assert (await post(desk, "logistics/trace", text))["code"] == "145003050"


async def test_where_the_console_gave_a_uuid_it_is_asked_for(desk: Desk) -> None:
    await account(desk, uuid="9c87b5e9")
    waybill = await parcel(desk)
    message = {"billCodes": waybill}
    assert (await post(desk, "logistics/trace", message))["code"] == "145003012"
    answer = await post(desk, "logistics/trace", message, query="?uuid=9c87b5e9")
    assert answer["code"] == "1"


async def test_an_interception_is_a_receipt_that_tracking_bears_out(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"})
    answer = await intercept(desk, waybill)
    assert (answer["code"], answer["data"]) == ("1", {"mailNo": waybill})
    assert "14" not in await scans(desk, waybill)
    assert (await intercept(desk, waybill))["code"] == "999002005"
    await desk.advance(3 * DAY_MS)
    seen = await scans(desk, waybill)
    assert seen.index("14") < seen.index("10") == len(seen) - 1


async def test_what_the_addressee_refused_comes_back_as_a_problem(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "buyer_refused"})
    await intercept(desk, waybill)
    await desk.advance(DAY_MS)
    seen = await scans(desk, waybill)
    assert [code for code in seen if code in ("A2", "A4", "14")] == ["A2", "A4"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"applyTypeCode": 6}, "145003050"),
        ({"applyTypeCode": 5}, "145003050"),
        ({"applyTypeCode": "4"}, "1"),
        ({"mailNo": "JT9999999999999"}, "999002001"),
    ],
)
async def test_what_is_asked_is_checked(desk: Desk, change: Json, code: str) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"})
    message = {"mailNo": waybill, "applyTypeCode": 4} | change
    assert (await post(desk, "waybill/intercept", message))["code"] == code


async def test_an_order_is_cancelled_by_its_customer_only(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, status="not_picked_up")
    password = hashlib.md5(b"jpjadada236t2").hexdigest().upper()
    message = {"customerCode": "J0001", "digest": sealed(f"J0001{password}jk"), "reason": "r"}
    message |= {"txlogisticId": f"O{waybill}", "orderType": "2"}
    for change in ({"digest": "AAAA"}, {"digest": None}, {"customerCode": "J0002"}):
        answer = await post(desk, "order/cancelOrder", message | change)
        assert answer["code"] == "145003031"
    strange = message | {"txlogisticId": "O1"}
    assert (await post(desk, "order/cancelOrder", strange))["code"] == "999003001"
    assert (await post(desk, "order/cancelOrder", message))["code"] == "1"
    assert (await post(desk, "order/cancelOrder", message))["code"] == "999003003"
    late = await parcel(desk)
    message |= {"txlogisticId": f"O{late}"}
    assert (await post(desk, "order/cancelOrder", message))["code"] == "999003002"


async def test_tracking_answers_for_thirty_parcels(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk)
    many = ",".join([waybill, *(f"JT{9 * 10**12 + n}" for n in range(29))])
    answer = await post(desk, "logistics/trace", {"billCodes": many})
    told = [bool(parcel["details"]) for parcel in answer["data"]]
    assert told == [True] + 29 * [False]
    answer = await post(desk, "logistics/trace", {"billCodes": f"{many},JT1"})
    assert answer["code"] == "145003050"


async def test_a_push_is_signed_in_its_headers_and_a_forged_one_is_not(desk: Desk) -> None:
    await account(desk)
    script = {"faults": [{"name": "push_bad_signature"}]}
    waybill = await parcel(desk, script, status="out_for_delivery")
    await desk.advance(3 * HOUR_MS)
    pushes = desk.pushed(waybill)
    genuine = []
    for push in pushes:
        (text,) = parse_qs(push.body.decode())["bizContent"]
        assert push.headers["apiaccount"] == "J1"
        assert json.loads(text)["details"][0]["scanType"] == "10"
        genuine.append(push.headers["digest"] == sealed(text + "jk"))
    assert sorted(genuine) == [False, True]
    lines = (await desk.truth(waybill))["pushes"]
    assert [line["acknowledged"] for line in lines if not line["forged"]] == [True]


@pytest.mark.parametrize(
    ("status", "body", "taken"),
    [
        (200, b'{"code":"1","msg":"success","data":"SUCCESS"}', True),
        (200, b'{"code":"0","msg":"x"}', False),
        (200, b"[]", False),
        (200, b"ok", False),
        (500, b'{"code":"1"}', False),
    ],
)
def test_only_a_one_acknowledges(status: int, body: bytes, taken: bool) -> None:
    assert acknowledged(status, body) is taken


async def test_only_what_is_subscribed_is_told(desk: Desk) -> None:
    body: Json = {"carrier": "jt", "account": "J1", "credentials": SECRETS}
    body |= {"push_url": f"{desk.inbox_url}/jt/secret", "options": {"push": "subscribed"}}
    await desk.control("POST", "/accounts", body)
    told, untold = await parcel(desk), await parcel(desk)
    wanted: Json = {"Id": "J1", "list": [{"waybillCode": told, "traceNode": "1&14"}]}
    assert (await post(desk, "trace/subscribe", wanted))["code"] == "1"
    many = wanted | {"list": wanted["list"] * 1001}
    assert (await post(desk, "trace/subscribe", many))["code"] == "145003050"
    await desk.advance(2 * DAY_MS)
    assert desk.pushed(told)
    assert not desk.pushed(untold)


ORDER = {"customerCode": "C", "digest": customer_digest("C", {}), "txlogisticId": "O1"}
VALID = ORDER | {"mailNo": "W1", "applyTypeCode": 4, "orderType": "2", "reason": "r"}
VALID |= {"billCodes": "W1,W2", "Id": "A", "list": [{"waybillCode": "W1", "traceNode": "1"}]}


@pytest.mark.parametrize("path", OPERATIONS)
@given(change=st.dictionaries(st.sampled_from(sorted(VALID)), odd | st.lists(odd), max_size=3))
def test_whatever_a_signed_message_holds_it_is_answered(path: str, change: Json) -> None:
    text = json.dumps(VALID | change)
    headers = {"apiaccount": "A", "digest": sealed(text), "timestamp": "1"}
    held = depot("jt")
    body = urlencode({"bizContent": text}).encode()
    answered(DIALECT.read(Inbound(path, headers, body), held), DIALECT, held)
