"""Kuaidi100's wire protocol, over real HTTP, and one parcel reached over two channels."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bodies import OptionsBody
from simulator.depot import Account, Depot, Record
from simulator.dialect import Answer, Asked, Inbound
from simulator.dialects.kuaidi100 import DIALECT, ENDPOINTS, NETWORKS, signature
from simulator.outcomes import Outcome, Scenario, Script
from simulator.truth import truth_line
from simulator.world import Contact, Parcel, ReturnNumber
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk, Json

MINUTE_MS = 60_000
CALLBACK = "https://turnback.example/push"


def test_the_known_signature() -> None:
    signed = signature('{"a":1}', "1700000000000", "key", "secret")
    assert signed == "02ABE0B0C5C14E06EFBC8395E72B7160"


def form(param: str, method: str = "", secret: str = "ks", key: str = "K1") -> dict[str, str]:
    digest = hashlib.md5(f"{param}1700000000000{key}{secret}".encode()).hexdigest().upper()
    signed = {"key": key, "sign": digest, "t": "1700000000000", "param": param}
    return signed | ({"method": method} if method else {})


async def ask(desk: Desk, path: str, fields: Mapping[str, str], verb: str = "POST") -> Json:
    url, body = f"{desk.carriers}/kuaidi100/{path}", urlencode(fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if verb == "GET":
        url, body = f"{url}?{body}", ""
    async with desk.session.request(verb, url, data=body.encode(), headers=headers) as answer:
        assert answer.status == 200
        found = await answer.json()
    assert isinstance(found, dict)
    return found


async def intercept(
    desk: Desk, company: str, waybill: str, verb: str = "POST", **other: Any
) -> Json:
    param = {
        "kuaidicom": company,
        "kuaidinum": waybill,
        "interceptType": "RETURN_SEND_ADDR",
        "callbackUrl": CALLBACK,
        "salt": "kt",
        **other,
    }
    text = json.dumps({name: value for name, value in param.items() if value is not None})
    return await ask(desk, "label/order", form(text, "interceptOrder"), verb)


async def work_order(desk: Desk, waybill: str, **other: Any) -> Json:
    param = {
        "secondType": "遗失",
        "kuaidinum": waybill,
        "desc": {"content": "没有退回"},
        "modityValue": "412.50",
        **other,
    }
    return await ask(desk, "workorder/api/create", form(json.dumps(param)))


async def account(desk: Desk, carrier: str = "kuaidi100", **fields: Any) -> None:
    credentials = {"kuaidi100": {"secret": "ks", "salt": "kt"}, "zto": {"app_secret": "zs"}}
    body = {
        "carrier": carrier,
        "account": {"kuaidi100": "K1", "zto": "Z1"}[carrier],
        "credentials": credentials[carrier],
        "push_url": f"{desk.inbox_url}/{carrier}",
        **fields,
    }
    assert (await desk.control("POST", "/accounts", body))[0] == 200


async def parcel(desk: Desk, network: str, waybill: str, outcome: str, **fields: Any) -> str:
    body = {
        "carrier": "kuaidi100",
        "account": "K1",
        "network": network,
        "waybill": waybill,
        "status": "in_transit",
        "sender": SENDER,
        "receiver": RECEIVER,
        "value_minor": 50_000,
        "script": {"outcome": outcome},
        **fields,
    }
    status, answer = await desk.control("POST", "/parcels", {"parcels": [body]})
    assert status == 200, answer
    return waybill


def told(desk: Desk, waybill: str) -> list[Json]:
    """What the callbacks about a parcel said; each is signed with the salt."""
    found = []
    for push in desk.pushed(waybill):
        assert push.content_type == "application/x-www-form-urlencoded"
        fields = {name: texts[0] for name, texts in parse_qs(push.body.decode()).items()}
        assert fields["sign"] == hashlib.md5(f"{fields['param']}kt".encode()).hexdigest().upper()
        found.append({"taskId": fields["taskId"], **json.loads(fields["param"])})
    return found


# -- one parcel, two channels --------------------------------------------------------------


@pytest.mark.parametrize("owner", ["kuaidi100", "zto"])
async def test_a_parcel_reached_over_two_channels_has_one_journal(desk: Desk, owner: str) -> None:
    """Whoever posted it: what is asked over the one is live over the other."""
    acts_for = {"kuaidi100": ["zto/Z1"], "zto": ["kuaidi100/K1"]}
    for carrier, others in acts_for.items():
        await account(desk, carrier, options={"acts_for": others})
    one, two = "73100130019486", "73100130019487"
    if owner == "kuaidi100":
        await parcel(desk, "zto", one, "returned")
        await parcel(desk, "zto", two, "returned")
    else:
        await desk.parcel("zto", {"outcome": "returned"}, waybill=one)
        await desk.parcel("zto", {"outcome": "returned"}, waybill=two)

    assert (await desk.zto_intercept(one))["status"] is True
    assert (await intercept(desk, "zhongtong", one))["code"] == 30005
    assert (await intercept(desk, "zhongtong", two))["code"] == 200
    assert (await desk.zto_intercept(two))["statusCode"] == "INT005"
    assert await desk.zto_state(two) == "INTERCEPTING"

    for waybill in (one, two):
        truth = await desk.truth(waybill)
        assert truth["effects"] == 1
        assert len(truth["interceptions"]) == 2  # the one that took, the one refused
        assert len(truth["requests"]["intercept"]) == 2
    _, lines = await desk.control("GET", "/truth")
    assert sorted(line["waybill"] for line in lines) == [one, two]

    await desk.advance(10 * DAY_MS)
    for waybill in (one, two):
        assert await desk.zto_state(waybill) == "INTERCEPT_DISCONTINUE"
        paths = {push.path for push in desk.pushed(waybill)}
        assert paths == {f"/{owner}"}


async def test_a_withdrawal_over_the_one_frees_it_for_the_other(desk: Desk) -> None:
    await account(desk)
    await account(desk, "zto", options={"acts_for": ["kuaidi100/K1"]})
    waybill = await parcel(desk, "zto", "73100130019486", "returned")
    assert (await intercept(desk, "zhongtong", waybill))["code"] == 200
    assert (await desk.zto("thirdcenter.cancelIntercept", {"billCode": waybill}))["status"] is True
    assert (await intercept(desk, "zhongtong", waybill))["code"] == 200
    assert told(desk, waybill) == []
    await desk.advance(0)
    assert [each["status"] for each in told(desk, waybill)] == ["CANCEL"]


async def test_a_claim_on_the_one_is_a_claim_on_the_same_parcel(desk: Desk) -> None:
    """What the one filed the other does not pay again; a stranger does not even see it."""
    await account(desk)
    await account(desk, "zto", options={"acts_for": ["kuaidi100/K1"]})
    waybill = await parcel(desk, "zto", "73100130019486", "lost")
    await intercept(desk, "zhongtong", waybill)
    await desk.advance(3 * DAY_MS)
    incident = {
        "traceId": "c1",
        "incident": {"type": "lose-claim", "billCode": waybill},
        "extraInfo": {"expectedCompensationAmount": "300"},
    }
    filed = (await desk.zto("zto.open.merchant.incident.create", incident))["result"]
    await desk.advance(2 * DAY_MS)
    query = "zto.open.merchant.incident.query"
    found = (await desk.zto(query, filed))["result"]
    assert (found["type"], found["status"]) == ("lose-claim", "APPROVED")
    assert told(desk, waybill)[-1]["amount"] == "300.00"  # the account of the parcel is told
    await account(desk, "zto")
    assert (await desk.zto(query, filed))["statusCode"] == "INC003"


async def test_an_account_reaches_only_the_parcels_it_acts_for(desk: Desk) -> None:
    await account(desk)
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    assert (await intercept(desk, "zhongtong", waybill))["code"] == 30001
    assert (await desk.truth(waybill))["effects"] == 0
    await account(desk, options={"acts_for": ["zto/Z1"]})
    assert (await intercept(desk, "zhongtong", waybill))["code"] == 200


async def test_one_number_may_be_two_companies_parcels(desk: Desk) -> None:
    await account(desk)
    number = await parcel(desk, "zto", "777000000000001", "returned")
    await parcel(desk, "sto", number, "refused")
    assert (await intercept(desk, "zhongtong", number))["code"] == 200
    assert (await intercept(desk, "shentong", number))["code"] == 30003
    assert (await intercept(desk, "yunda", number))["code"] == 30001


async def test_the_way_back_has_a_number_of_the_company_that_carries_it(desk: Desk) -> None:
    await account(desk)
    await parcel(desk, "sf", "SF1040275268927", "returned")  # SF's get a new one
    await parcel(desk, "zto", "73100130019486", "returned")  # ZTO's keep theirs
    await parcel(desk, "zto", "73100130019487", "returned", return_number="new")
    await intercept(desk, "shunfeng", "SF1040275268927")
    for waybill in ("73100130019486", "73100130019487"):
        await intercept(desk, "zhongtong", waybill)
    await desk.advance(5 * DAY_MS)
    sf, same, new = [
        (await desk.truth(waybill))["return_waybill"]
        for waybill in ("SF1040275268927", "73100130019486", "73100130019487")
    ]
    assert (sf[:2], len(sf), sf != "SF1040275268927") == ("SF", 15, True)
    assert same == "73100130019486"
    assert (new[:2], len(new), new != "73100130019487") == ("73", 14, True)


@pytest.mark.parametrize("network", [None, "kuaidi100", "ems"])
async def test_a_parcel_is_carried_by_a_company_that_the_aggregator_knows(
    desk: Desk, network: str | None
) -> None:
    await account(desk)
    body = {"carrier": "kuaidi100", "account": "K1", "waybill": "YT1", "network": network}
    status, answer = await desk.control("POST", "/parcels", {"parcels": [body]})
    assert status == 400
    assert answer["error"].startswith("parcels.0: network: one of ")


# -- the wire ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["POST", "GET"])
async def test_a_receipt_comes_first_and_the_states_are_called_back(desk: Desk, verb: str) -> None:
    await account(desk)
    waybill = await parcel(desk, "yto", "YT0000000000001", "returned")
    answer = await intercept(desk, "yuantong", waybill, verb)
    assert (answer["code"], answer["message"]) == (200, "success")
    assert told(desk, waybill) == []
    await desk.advance(2 * MINUTE_MS)
    (first,) = told(desk, waybill)
    assert (first["kuaidicom"], first["kuaidinum"]) == ("yuantong", waybill)
    assert (first["status"], first["taskId"]) == ("SUCCESS", answer["data"]["taskId"])
    await desk.advance(10 * DAY_MS)
    assert [each["status"] for each in told(desk, waybill)] == ["SUCCESS", "FINISH"]


async def test_a_refusal_may_be_called_back(desk: Desk) -> None:
    await account(desk)
    waybill = "YT0000000000001"
    script = {"outcome": "refused", "params": {"when": "later"}}
    await parcel(desk, "yto", waybill, "refused", script=script)
    assert (await intercept(desk, "yuantong", waybill))["code"] == 200
    await desk.advance(2 * MINUTE_MS)
    assert [each["status"] for each in told(desk, waybill)] == ["FAIL"]


async def test_a_request_repeated_is_a_second_request(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, "sto", "777000000000001", "returned")
    assert (await intercept(desk, "shentong", waybill))["code"] == 200
    assert (await intercept(desk, "shentong", waybill))["code"] == 30005
    assert (await desk.truth(waybill))["effects"] == 1


@pytest.mark.parametrize("company", sorted(NETWORKS))
async def test_some_companies_answer_by_callback_only(desk: Desk, company: str) -> None:
    await account(desk)
    waybill = await parcel(desk, NETWORKS[company], "777000000000001", "returned")
    answer = await intercept(desk, company, waybill, callbackUrl=None)
    mandatory = company in ("zhongtong", "jtexpress", "yuantong")
    assert answer["code"] == (400 if mandatory else 200)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"kuaidicom": "debangkuaidi"}, 30007),
        ({"kuaidicom": ["yuantong"]}, 400),
        ({"kuaidinum": 5}, 400),
        ({"kuaidinum": "YT9"}, 30001),
        ({"interceptType": "MODIFY_ADDR"}, 30007),
        ({"interceptType": "RETURN"}, 400),
        ({"interceptType": None}, 400),
        ({"interceptType": "RETURN_SEND_STATION"}, 200),
        ({"salt": "another"}, 400),
        ({"salt": None}, 400),
    ],
)
async def test_what_an_interception_must_say(desk: Desk, other: Json, code: int) -> None:
    await account(desk)
    waybill = await parcel(desk, "yto", "YT0000000000001", "returned")
    answer = await intercept(desk, **{"company": "yuantong", "waybill": waybill} | other)
    assert answer["code"] == code
    assert (await desk.truth(waybill))["effects"] == (code == 200)


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("label/order", form("{}", "interceptOrder", secret="other"), 503),
        ("label/order", form("{}", "interceptOrder", key="K2"), 601),
        ("label/order", form("{}", "cancel"), 401),
        ("label/order", form("{}"), 401),
        ("label/order", form("[]", "interceptOrder"), 400),
        ("label/order", form("[" * 5000, "interceptOrder"), 400),
        ("label", form("{}", "interceptOrder"), 401),
        ("label/order", {"method": "interceptOrder"}, 401),
        ("workorder/api/create", form("{}", secret="other"), 503),
        ("workorder/api/create", form("{}"), 400),
    ],
)
async def test_an_envelope_that_is_no_good_is_told_so(
    desk: Desk, path: str, fields: dict[str, str], code: int
) -> None:
    await account(desk)
    answer = await ask(desk, path, fields)
    assert answer["code"] == code
    assert answer["data"] is None
    assert answer.get("success", False) is False
    assert ("success" in answer) is path.startswith("workorder")


async def test_the_signature_is_in_upper_case(desk: Desk) -> None:
    await account(desk)
    fields = form("{}", "interceptOrder")
    assert (await ask(desk, "label/order", fields))["code"] == 400
    fields["sign"] = fields["sign"].lower()
    assert (await ask(desk, "label/order", fields))["code"] == 503


async def test_a_callback_is_sent_again_three_times_after_half_an_hour(desk: Desk) -> None:
    await account(desk)
    waybill = await parcel(desk, "sto", "777000000000001", "returned")
    await intercept(desk, "shentong", waybill)
    desk.acknowledge = False
    await desk.advance(2 * MINUTE_MS)
    counts = [len(told(desk, waybill))]
    for span_ms in 5 * (29 * MINUTE_MS, MINUTE_MS):
        await desk.advance(span_ms)
        counts.append(len(told(desk, waybill)))
    assert counts == [1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4]
    (line,) = (await desk.truth(waybill))["pushes"]
    assert (line["attempts"], line["given_up"]) == (4, True)


# -- work orders ---------------------------------------------------------------------------


async def lost(desk: Desk, network: str = "sto") -> str:
    waybill = await parcel(desk, network, "777000000000001", "lost")
    company = {name: code for code, name in NETWORKS.items()}[network]
    assert (await intercept(desk, company, waybill))["code"] == 200
    await desk.advance(3 * DAY_MS)
    return waybill


async def test_a_work_order_is_decided_and_called_back(desk: Desk) -> None:
    await account(desk)
    waybill = await lost(desk)
    answer = await work_order(desk, waybill)
    assert (answer["code"], answer["success"]) == (200, True)
    await desk.advance(2 * DAY_MS)
    (line,) = (await desk.truth(waybill))["claims"]
    assert line["biz_no"] == answer["data"]["id"]
    assert (line["kind"], line["state"], line["granted_minor"]) == ("lost", "approved", 41_250)
    decision = told(desk, waybill)[-1]
    assert (decision["id"], decision["status"]) == (answer["data"]["id"], "APPROVED")
    assert decision["amount"] == "412.50"


async def test_a_work_order_sent_again_is_another_one(desk: Desk) -> None:
    await account(desk)
    waybill = await lost(desk)
    one, two = [(await work_order(desk, waybill))["data"]["id"] for _ in range(2)]
    assert one != two
    await desk.advance(3 * DAY_MS)
    granted = [line["granted_minor"] for line in (await desk.truth(waybill))["claims"]]
    assert granted == [41_250, 8_750]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"secondType": "催件"}, 400),
        ({"secondType": "lose-claim"}, 400),
        ({"modityValue": "0"}, 400),
        ({"modityValue": "1.005"}, 400),
        ({"modityValue": None}, 400),
        ({"modityValue": 412.5}, 200),
        ({"desc": {"content": ""}}, 400),
        ({"desc": "没有退回"}, 400),
        ({"kuaidinum": "777000000000002"}, 30001),
    ],
)
async def test_what_a_work_order_must_say(desk: Desk, other: Json, code: int) -> None:
    await account(desk)
    waybill = await lost(desk)
    assert (await work_order(desk, **{"waybill": waybill} | other))["code"] == code
    assert len((await desk.truth(waybill))["claims"]) == (code == 200)


async def test_work_orders_are_for_some_companies_and_for_its_own_parcels(desk: Desk) -> None:
    await account(desk, options={"acts_for": ["zto/Z1"]})
    assert (await work_order(desk, await lost(desk, "zto")))["code"] == 30007
    foreign = await desk.parcel("zto", {"outcome": "returned"})
    assert (await intercept(desk, "zhongtong", foreign))["code"] == 200
    assert (await work_order(desk, foreign))["code"] == 30001


async def test_a_forged_callback_has_another_signature(desk: Desk) -> None:
    await account(desk)
    faults = [{"name": "push_bad_signature", "times": 1}]
    script = {"outcome": "returned", "faults": faults}
    waybill = await parcel(desk, "sto", "777000000000001", "returned", script=script)
    await intercept(desk, "shentong", waybill)
    await desk.advance(HOUR_MS)
    forged, genuine = [parse_qs(push.body.decode()) for push in desk.pushed(waybill)[:2]]
    assert forged["param"] == genuine["param"]
    seal = hashlib.md5(f"{genuine['param'][0]}kt".encode()).hexdigest().upper()
    assert (forged["sign"] == [seal], genuine["sign"] == [seal]) == (False, True)


# -- whatever it is sent -------------------------------------------------------------------

WHO = Contact("a", "13800001234", "p", "c", "d", "s")
VALID = {
    "kuaidicom": "shentong",
    "kuaidinum": "777000000000001",
    "interceptType": "RETURN_SEND_ADDR",
    "salt": "kt",
    "secondType": "遗失",
    "desc": {"content": "x"},
    "modityValue": "1",
}
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud800", "\x00", "1e400", "x" * 70, "412.50", "777000000000002"]),
)
messages = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content"]), inner)
    ),
    max_leaves=6,
)


def held() -> Depot:
    account = Account("kuaidi100", "K1", {"secret": "ks", "salt": "kt"}, None, OptionsBody())
    found = Depot(1, Scenario())
    found.put_account(account)
    same, number = ReturnNumber.SAME, "777000000000001"
    parcel = Parcel("kuaidi100", "K1", number, "", 0, WHO, WHO, 50_000, same, number, network="sto")
    found.add([Record(parcel, account, Script(Outcome.LOST), None)])
    return found


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@given(change=st.dictionaries(st.sampled_from(sorted(VALID)), messages, max_size=3))
def test_whatever_a_signed_message_holds_it_is_answered(
    endpoint: tuple[str, str], change: dict[str, object]
) -> None:
    (path, method), depot = endpoint, held()
    body = urlencode(form(json.dumps(VALID | change), method)).encode()
    found: Asked | Answer = DIALECT.read(Inbound(path, {}, body), depot)
    if isinstance(found, Asked):
        found = DIALECT.perform(found, depot, 20 * HOUR_MS)
    code = orjson.loads(found.body)["code"]
    assert (code == 200) is (found.code == "200")
    (record,) = depot.records.values()
    assert (code == 200) is bool(record.claims or record.journal)
    orjson.dumps(truth_line(record, "", 200 * HOUR_MS))


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_noise_is_refused_and_is_no_acknowledgement(body: bytes, status: int) -> None:
    for path, _ in ENDPOINTS:
        assert isinstance(DIALECT.read(Inbound(path, {}, body), held()), Answer)
    assert not DIALECT.acknowledged(status, body)
