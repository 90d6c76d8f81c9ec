"""SF's wire protocol, over real HTTP."""

import hashlib
import json
from base64 import b64encode
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from simulator.dialects.sf import ASSUMED, digest
from simulator.outcomes import Reason
from tests.simulator.desk import DAY_MS, DESTINATION, HOUR_MS, START_MS, Desk

MESSAGE = '{"waybillNo":"SF1040275268927"}1700000000000'


def test_the_published_rule_gives_the_known_digest() -> None:
    assert digest(MESSAGE, "TEST_CHECKWORD") == "iNPHGSoSIKFwQlxGAfcyvg=="


def test_java_keeps_the_star_and_encodes_the_tilde() -> None:
    java = hashlib.md5(b"a*%7E+b%2Fw").digest()
    assert digest("a*~ b/", "w") == b64encode(java).decode()


async def test_a_digest_without_url_encoding_is_refused(desk: Desk) -> None:
    form = desk.sf_form("EXP_RECE_SEARCH_ROUTES", {}) | {"msgDigest": "yRm7ukaG5Z5eKKs7bsGMag=="}
    async with desk.session.post(f"{desk.carriers}/sf/std/service", data=form) as answer:
        assert (await answer.json())["apiResultCode"] == "A1006"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"partnerID": "nobody"}, "A1001"),
        ({"requestID": ""}, "A1001"),
        ({"msgDigest": "AAAA"}, "A1006"),
        ({"msgDigest": "é"}, "A1006"),
        ({"serviceCode": "EXP_RECE_NOTHING"}, "A1004"),
    ],
)
async def test_the_envelope_is_checked(desk: Desk, change: dict[str, str], code: str) -> None:
    form = desk.sf_form("EXP_RECE_SEARCH_ROUTES", {"trackingNumber": ["SF1"]}) | change
    async with desk.session.post(f"{desk.carriers}/sf/std/service", data=form) as answer:
        assert (answer.status, (await answer.json())["apiResultCode"]) == (200, code)


async def test_an_interception_is_promised_at_once_and_comes_back_under_a_new_number(
    desk: Desk,
) -> None:
    waybill = await desk.parcel("sf", {"outcome": "returned", "params": {"fee_minor": 1205}})
    answer = await desk.sf_intercept(waybill)
    assert answer["success"] is True
    assert answer["msgData"]["amount"] == 12.05
    assert answer["msgData"]["cusId"]
    await desk.advance(2 * HOUR_MS)
    truth = await desk.truth(waybill)
    assert (await desk.sf_codes(waybill))[-1] == "648"
    assert (await desk.sf_codes(truth["return_waybill"]))[0] == "50"
    await desk.advance(3 * DAY_MS)
    assert (await desk.sf_codes(truth["return_waybill"]))[-1] == "80"
    truth = await desk.truth(waybill)
    assert truth["fee"] == "charged"
    assert truth["return_cause"] == "interception"
    assert truth["returned_ms"] == START_MS + 33 * HOUR_MS
    refused = await desk.sf_intercept(truth["return_waybill"])
    assert refused["errorCode"] == ASSUMED[Reason.RETURN_LEG][0]


async def test_the_way_back_may_keep_the_number(desk: Desk) -> None:
    waybill = await desk.parcel("sf", {"outcome": "returned"}, return_number="same")
    await desk.sf_intercept(waybill)
    await desk.advance(3 * DAY_MS)
    codes = await desk.sf_codes(waybill)
    assert codes.index("648") < codes.index("80") == len(codes) - 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"outcome": "refused", "params": {"code": "too_late"}}, "8152"),
        ({"outcome": "refused", "params": {"code": "unknown_waybill"}}, "8024"),
        ({"outcome": "refused_unlisted"}, "8999"),
        ({"outcome": "intercepted_by_other"}, "8154"),
        ({"outcome": "late_accept"}, "8152"),
    ],
)
async def test_a_no_is_a_1000_outside(desk: Desk, script: dict[str, object], code: str) -> None:
    waybill = await desk.parcel("sf", script)
    answer = await desk.sf_intercept(waybill)
    assert (answer["success"], answer["errorCode"]) == (False, code)
    truth = await desk.truth(waybill)
    assert truth["fee"] == "not_charged"
    assert truth["effects"] == (1 if script["outcome"] == "late_accept" else 0)


@pytest.mark.parametrize(
    ("status", "code"),
    [("not_picked_up", "8151"), ("out_for_delivery", "S0000"), ("delivered", "8153")],
)
async def test_physical_facts_refuse(desk: Desk, status: str, code: str) -> None:
    waybill = await desk.parcel("sf", {"outcome": "returned"}, status=status)
    assert (await desk.sf_intercept(waybill))["errorCode"] == code


async def test_an_unknown_waybill_is_refused_and_logged(desk: Desk) -> None:
    assert (await desk.sf_intercept("SF9"))["errorCode"] == "8024"
    _, log = await desk.control("GET", "/requests?limit=1")
    assert [entry["waybill"] for entry in log["requests"]] == ["SF9"]


async def test_a_return_needs_an_address_and_a_payer(desk: Desk) -> None:
    waybill = await desk.parcel("sf")
    whole = {
        "waybillNo": waybill,
        "serviceCode": 2,
        "role": 1,
        "payMode": 1,
        "newDestAddress": DESTINATION,
    }
    for change in ({"newDestAddress": None}, {"role": None}, {"payMode": 4}, {"serviceCode": 1}):
        answer = await desk.sf("EXP_RECE_WANTED_INTERCEPT", whole | change)
        assert answer["errorCode"] == "S0002"


async def test_an_interception_is_withdrawn_by_its_cus_id(desk: Desk) -> None:
    waybill = await desk.parcel("sf", {"outcome": "returned"})
    number = (await desk.sf_intercept(waybill))["msgData"]["cusId"]
    service, message = "EXP_RECE_WANTED_INTERCEPT", {"waybillNo": waybill, "cancel": True}
    assert (await desk.sf(service, message | {"cusId": "no"}))["errorCode"] == "8156"
    assert (await desk.sf(service, message | {"cusId": number}))["success"] is True
    assert (await desk.sf(service, message | {"cusId": number}))["errorCode"] == "8019"
    await desk.advance(3 * DAY_MS)
    truth = await desk.truth(waybill)
    assert truth["cancel_acknowledged"] is True
    assert truth["fee"] == "refunded"
    assert truth["delivered_to_buyer_ms"] is not None


async def test_a_parcel_on_its_way_back_cannot_be_withdrawn(desk: Desk) -> None:
    waybill = await desk.parcel("sf", {"outcome": "returned"})
    number = (await desk.sf_intercept(waybill))["msgData"]["cusId"]
    await desk.advance(2 * HOUR_MS)
    message = {"waybillNo": waybill, "cancel": True, "cusId": number}
    assert (await desk.sf("EXP_RECE_WANTED_INTERCEPT", message))["errorCode"] == "8157"


async def test_an_order_is_cancelled_before_pick_up_once(desk: Desk) -> None:
    waybill = await desk.parcel("sf", status="not_picked_up")
    message = {"orderId": f"O{waybill}", "dealType": 2}
    first = await desk.sf("EXP_RECE_UPDATE_ORDER", message)
    assert first["msgData"]["resStatus"] == 2
    assert (await desk.sf("EXP_RECE_UPDATE_ORDER", message))["errorCode"] == "8019"
    await desk.advance(5 * DAY_MS)
    assert await desk.sf_codes(waybill) == []


async def test_a_wrong_phone_number_shows_nothing(desk: Desk) -> None:
    waybill = await desk.parcel("sf")
    message = {"trackingNumber": [waybill], "checkPhoneNo": "9999"}
    answer = await desk.sf("EXP_RECE_SEARCH_ROUTES", message)
    assert answer["msgData"]["routeResps"] == [{"mailNo": waybill, "routes": []}]
    many = {"trackingNumber": ["SF1"] * 11}
    assert (await desk.sf("EXP_RECE_SEARCH_ROUTES", many))["errorCode"] == "S0002"


async def test_an_ambiguous_answer_is_settled_by_the_routes(desk: Desk) -> None:
    waybill = await desk.parcel("sf", {"outcome": "accepted_by_push"})
    answer = await desk.sf_intercept(waybill)
    assert (answer["success"], answer["msgData"]) == (True, None)
    assert "648" not in await desk.sf_codes(waybill)
    await desk.advance(HOUR_MS)
    assert "648" in await desk.sf_codes(waybill)
    assert [route["opCode"] for push in desk.pushed(waybill) for route in push.routes] == [
        "648",
        "50",
    ]


async def test_the_buyers_refusal_comes_before_its_return(desk: Desk) -> None:
    waybill = await desk.parcel("sf", {"outcome": "buyer_refused"})
    await desk.sf_intercept(waybill)
    await desk.advance(DAY_MS)
    codes = await desk.sf_codes(waybill)
    assert codes[-2:] == ["70", "648"]
    truth = await desk.truth(waybill)
    assert (truth["fee"], truth["return_cause"]) == ("not_charged", "addressee_refused")
    assert truth["accepted_ms"] is None


async def test_a_push_holds_at_most_ten_routes(desk: Desk) -> None:
    waybills = [await desk.parcel("sf", status="not_picked_up") for _ in range(30)]
    await desk.advance(5 * DAY_MS)
    sizes = [len(push.routes) for push in desk.inbox]
    assert max(sizes) == 10
    ids = [route["id"] for push in desk.inbox for route in push.routes]
    assert len(ids) == len(set(ids)) == 9 * len(waybills)


async def test_the_xml_generation(desk: Desk) -> None:
    account = {"carrier": "sf", "account": "P1", "credentials": {"checkword": "cw"}}
    options = {"push_url": f"{desk.inbox_url}/sf/secret", "options": {"push_format": "xml"}}
    await desk.control("POST", "/accounts", account | options)
    waybill = await desk.parcel("sf")
    await desk.advance(DAY_MS)
    (push, *_) = desk.pushed(waybill)
    (content,) = parse_qs(push.body.decode())["content"]
    node = ElementTree.fromstring(content.split("?>", 1)[1]).find("Body/WaybillRoute")
    assert node is not None
    assert node.get("mailno") == waybill
    assert all(line["acknowledged"] for line in (await desk.truth(waybill))["pushes"])


async def test_a_push_that_is_not_acknowledged_comes_again_whole(desk: Desk) -> None:
    waybill = await desk.parcel("sf", status="out_for_delivery")
    desk.acknowledge = False
    assert (await desk.advance(3 * HOUR_MS))["pushes_pending"] == 1
    for _ in range(12):
        await desk.advance(HOUR_MS)
    bodies = [json.loads(push.body) for push in desk.pushed(waybill)]
    assert len(bodies) == 10
    assert all(body == bodies[0] for body in bodies)
    (line,) = (await desk.truth(waybill))["pushes"]
    assert (line["attempts"], line["acknowledged"], line["given_up"]) == (10, False, True)


async def test_a_forged_push_misses_the_secret_address(desk: Desk) -> None:
    waybill = await desk.parcel(
        "sf", {"faults": [{"name": "push_bad_signature"}]}, status="out_for_delivery"
    )
    await desk.advance(3 * HOUR_MS)
    assert sorted(push.path for push in desk.pushed(waybill)) == ["/sf/secret", "/sf/terces0"]
    forged = [line["forged"] for line in (await desk.truth(waybill))["pushes"]]
    assert sorted(forged) == [False, True]
