"""Yunda's wire protocol, over real HTTP."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dialect import Inbound
from simulator.dialects.yunda import DIALECT, OPERATIONS, signature
from tests.simulator.desk import DAY_MS, RECEIVER, SENDER, Desk
from tests.simulator.test_fuzz import answered, depot, odd

Json = dict[str, Any]
INTERCEPT = "openapi/outer/tmm/outerapi/intercept/invokeExpressChangeAddr"
CANCEL = "openapi-api/v1/accountOrder/cancelBmOrder"
QUERY, SUBSCRIBE = "openapi/outer/logictis/query", "openapi/outer/logictis/subscribe"
SECRETS = {"app_secret": "ys", "partner_id": "P1", "partner_secret": "pp"}


async def account(desk: Desk, push: str = "all") -> None:
    body: Json = {"carrier": "yunda", "account": "Y1", "credentials": SECRETS}
    body |= {"push_url": f"{desk.inbox_url}/yunda/secret", "options": {"push": push}}
    await desk.control("POST", "/accounts", body)


async def parcel(desk: Desk, script: Json | None = None, **fields: Any) -> str:
    desk.serial += 1
    waybill = f"43{desk.serial:011}"
    body: Json = {
        "carrier": "yunda",
        "account": "Y1",
        "waybill": waybill,
        "order_id": f"O{waybill}",
    }
    body |= {"sender": SENDER, "receiver": RECEIVER, "status": "in_transit", "script": script}
    status, said = await desk.control("POST", "/parcels", {"parcels": [body | fields]})
    assert status == 200, said
    return waybill


async def post(desk: Desk, api: str, message: Json | str, **headers: str) -> Json:
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    seal = hashlib.md5(f"{text}_ys".encode()).hexdigest()
    usual = {"app-key": "Y1", "req-time": "1700000000000", "sign": seal}
    usual |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{desk.carriers}/yunda/{api}"
    async with desk.session.post(url, data=text.encode(), headers=usual) as answer:
        found = await answer.json(content_type=None)
    assert isinstance(found, dict)
    return found


def instruction(waybill: str) -> Json:
    return {
        "shipId": waybill,
        "startSiteCode": "",
        "inteType": "1",
        "changeAddress": "a",
        "changeName": "n",
        "changeTel": "t",
        "interceptSponsorName": "n",
        "interceptCreateTime": "2026-11-02 09:00:00",
        "remark": "r1",
    }


async def actions(desk: Desk, waybill: str) -> list[str]:
    answer = await post(desk, QUERY, {"mailno": waybill})
    return [step["action"] for step in answer["data"]["steps"]]


def test_the_known_signature() -> None:
    known = "abc902d8b98f621086a271b7fdf51252"
    assert signature(b'{"shipId":"4300000000001"}', "secret") == known


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"app_key": "nobody"}, "1002"),
        ({"sign": "AAAA"}, "1001"),
        ({"sign": hashlib.md5(b'{"mailno":"1"}_ys').hexdigest().upper()}, "1001"),
        ({"req_time": ""}, "1001"),
        ({"req_time": "1"}, "2001"),  # it is not signed
    ],
)
async def test_the_headers_are_checked(desk: Desk, headers: dict[str, str], code: str) -> None:
    await account(desk)
    answer = await post(desk, QUERY, '{"mailno":"1"}', **headers)
    assert (answer["result"], answer["code"]) == (False, code)


@pytest.mark.parametrize("text", ["[]", "nonsense", "", "[" * 5000])
async def test_a_body_that_is_no_object_is_refused(desk: Desk, text: str) -> None:
    await account(desk)
    assert (await post(desk, QUERY, text))["code"] == "1004"


async def test_an_interception_is_a_receipt_that_tracking_bears_out(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"})
    answer = await post(desk, INTERCEPT, instruction(waybill))
    assert (answer["result"], answer["data"]) == (True, {"shipId": waybill})
    assert "RETURN" not in await actions(desk, waybill)
    assert (await post(desk, INTERCEPT, instruction(waybill)))["code"] == "2005"
    await desk.advance(3 * DAY_MS)
    seen = await actions(desk, waybill)
    assert seen.index("RETURN") < seen.index("SIGNED") == len(seen) - 1
    assert desk.pushed(waybill) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inteType": ""}, "1004"),
        ({"inteType": "2"}, "2099"),
        ({"changeTel": ""}, "1004"),
        ({"interceptCreateTime": "now"}, "1004"),
        ({"interceptCreateTime": None}, "1004"),
        ({"shipId": "4399999999999"}, "2001"),
        ({}, "0000"),
    ],
)
async def test_an_instruction_is_checked(desk: Desk, change: Json, code: str) -> None:
    await account(desk)
    waybill = await parcel(desk, {"outcome": "returned"})
    assert (await post(desk, INTERCEPT, instruction(waybill) | change))["code"] == code


async def test_an_order_is_cancelled_by_its_partner_only(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, status="not_picked_up")
    order = {"order_serial_no": f"O{waybill}", "mailno": waybill}
    message = {"appid": "Y1", "partner_id": "P1", "secret": "pp", "orders": [order]}
    for change in ({"secret": "x"}, {"partner_id": "P2"}, {"appid": "Y2"}):
        assert (await post(desk, CANCEL, message | change))["code"] == "1002"
    other = message | {"orders": [order | {"mailno": await parcel(desk)}]}
    assert (await post(desk, CANCEL, other))["code"] == "3001"
    assert (await post(desk, CANCEL, message))["code"] == "0000"
    assert (await post(desk, CANCEL, message))["code"] == "3003"
    late = await parcel(desk)
    message |= {"orders": [{"order_serial_no": f"O{late}", "mailno": late}]}
    assert (await post(desk, CANCEL, message))["code"] == "3002"


async def test_what_is_not_subscribed_cannot_be_tracked(desk: Desk) -> None:
    await account(desk, push="subscribed")
    waybill = await parcel(desk)
    assert (await post(desk, QUERY, {"mailno": waybill}))["code"] == "4001"
    wanted = {"orders": [{"orderid": "1", "mailno": waybill}]}
    assert (await post(desk, SUBSCRIBE, wanted))["code"] == "0000"
    assert (await actions(desk, waybill))[0] == "GOT"
    assert (await post(desk, SUBSCRIBE, {"orders": []}))["code"] == "1004"


VALID = instruction("W1") | {"appid": "A", "partner_id": "P", "secret": "", "mailno": "W1"}
VALID |= {"orders": [{"order_serial_no": "O1", "mailno": "W1"}]}


@pytest.mark.parametrize("path", OPERATIONS)
@given(change=st.dictionaries(st.sampled_from(sorted(VALID)), odd | st.lists(odd), max_size=3))
def test_whatever_a_signed_message_holds_it_is_answered(path: str, change: Json) -> None:
    body = json.dumps(VALID | change).encode()
    headers = {"app-key": "A", "req-time": "1", "sign": signature(body, "s")}
    held = depot("yunda")
    answered(DIALECT.read(Inbound(path, headers, body), held), DIALECT, held)
