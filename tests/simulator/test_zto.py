"""ZTO's wire protocol, over real HTTP."""

import hashlib
import hmac
import json
from base64 import b64encode
from urllib.parse import parse_qs, urlencode

import pytest

from simulator.bodies import OptionsBody
from simulator.depot import Account
from simulator.dialects.zto import digest
from tests.simulator.desk import DAY_MS, HOUR_MS, Desk, zto_digest

ACCOUNT = Account("zto", "Z", {"app_secret": "secret"}, None, OptionsBody())
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("content", "signature"),
    [
        (b'{"billCode":"73100130019486"}', "AA67e9NR8Q5qLFZD+jMyiw=="),
        (b"billCode=73100130019486&destinationType=2", "rUcXROeeOkVpn8L+hJSrGA=="),
    ],
)
def test_the_known_digests(content: bytes, signature: str) -> None:
    assert digest(content, ACCOUNT, "") == signature


async def post(desk: Desk, headers: dict[str, str], body: bytes) -> dict[str, object]:
    url = f"{desk.carriers}/zto/zto.merchant.waybill.track.query"
    async with desk.session.post(url, data=body, headers=headers) as answer:
        found = await answer.json()
        assert isinstance(found, dict)
        return found


@pytest.mark.parametrize("hashing", ["md5", "sha256", "hmac_sha256"])
@pytest.mark.parametrize("encoding", ["base64", "hex"])
@pytest.mark.parametrize("timestamp", [False, True])
async def test_every_digest_of_the_console(
    desk: Desk, hashing: str, encoding: str, timestamp: bool
) -> None:
    account = {
        "carrier": "zto",
        "account": "Z2",
        "credentials": {"app_secret": "zs", "secret_key": "zk"},
        "options": {"digest": hashing, "digest_encoding": encoding, "digest_timestamp": timestamp},
    }
    await desk.control("POST", "/accounts", account)
    waybill = await desk.parcel("zto", account="Z2")
    body = json.dumps({"billCode": waybill}).encode()
    signed = (b"1700" if timestamp else b"") + body + b"zs"
    raw = {
        "md5": lambda: hashlib.md5(signed).digest(),
        "sha256": lambda: hashlib.sha256(signed).digest(),
        "hmac_sha256": lambda: hmac.new(b"zk", signed, hashlib.sha256).digest(),
    }[hashing]()
    seal = raw.hex() if encoding == "hex" else b64encode(raw).decode()
    headers = {
        "X-AppKey": "Z2",
        "X-DataDigest": seal,
        "x-timestamp": "1700",
        "content-type": "application/json",
    }
    assert (await post(desk, headers, body))["status"] is True
    assert (await post(desk, headers, body + b" "))["statusCode"] == "S206"


async def test_the_form_variant_signs_raw_values(desk: Desk) -> None:
    waybill = await desk.parcel("zto")
    fields = {"billCode": waybill, "note": "中 & 文"}
    raw = "&".join(f"{name}={text}" for name, text in fields.items())
    headers = {
        "x-companyid": "Z1",
        "x-datadigest": zto_digest(raw, "zs"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = await post(desk, headers, urlencode(fields).encode())
    assert answer["status"] is True


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "S207"),
        ({"x-companyid": "nobody"}, "S207"),
        ({"x-companyid": "Z1"}, "S206"),
        ({"x-companyid": "Z1", "x-datadigest": "AA67e9NR8Q5qLFZD+jMyiw=="}, "S206"),
    ],
)
async def test_who_is_not_known_learns_nothing(
    desk: Desk, headers: dict[str, str], code: str
) -> None:
    assert (await post(desk, headers, b"{}"))["statusCode"] == code


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b"[" * 50_000, b"\xff\xfe", b""])
async def test_a_body_that_is_no_object_is_refused(desk: Desk, body: bytes) -> None:
    seal = b64encode(hashlib.md5(body + b"zs").digest()).decode()
    answer = await post(desk, {"x-companyid": "Z1", "x-datadigest": seal}, body)
    assert (answer["status"], answer["statusCode"]) == (False, "S400")


async def test_one_request_id_is_one_interception(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    first = await desk.zto_intercept(waybill)
    assert await desk.zto_intercept(waybill) == first
    assert (await desk.zto_intercept(waybill, "r2"))["statusCode"] == "INT005"
    truth = await desk.truth(waybill)
    assert truth["effects"] == 1
    references = [seen["reference"] for seen in truth["requests"]["intercept"]]
    assert references == ["r1", "r1", "r2"]


async def test_the_six_states(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    assert await desk.zto_state(waybill) == "INT101"
    await desk.zto_intercept(waybill)
    seen = [await desk.zto_state(waybill)]
    for span_ms in (2 * MINUTE_MS, HOUR_MS, 3 * DAY_MS):
        await desk.advance(span_ms)
        seen.append(await desk.zto_state(waybill))
    assert seen == [
        "INTERCEPTING",
        "INTERCEPT_SUCCESS",
        "PACKAGE_DELIVERYING",
        "INTERCEPT_DISCONTINUE",
    ]
    assert [push.data["status"] for push in desk.pushed(waybill) if push.kind == "Intercept"] == [
        "INTERCEPT_SUCCESS",
        "INTERCEPT_DISCONTINUE",
    ]
    actions = await desk.zto_actions(waybill)
    assert actions.index("RETURN_SCAN") < actions.index("RETURN_SIGNED") == len(actions) - 1
    assert all(push.genuine for push in desk.inbox)


@pytest.mark.parametrize(
    ("outcome", "state", "problem", "fee", "claimable"),
    [
        ("lost", "INTERCEPT_DISCONTINUE", "LOST", "charged", "lost"),
        ("damaged", "INTERCEPT_DISCONTINUE", "DAMAGED", "charged", "damaged"),
        ("damaged_after_return", "INTERCEPT_DISCONTINUE", "DAMAGED", "charged", "damaged"),
        ("lost_then_found", "INTERCEPT_DISCONTINUE", "FOUND", "charged", "none"),
        ("delivered_anyway", "INTERCEPT_FAIL", "SIGNED", "refunded", "return_failed"),
        ("buyer_refused", "INTERCEPT_FAIL", "REFUSED", "not_charged", "none"),
        ("intercepted_by_other", "INTERCEPT_DISCONTINUE", "RETURN_SIGNED", "not_charged", "none"),
        ("late_accept", "INTERCEPT_DISCONTINUE", "RETURN_SIGNED", "not_charged", "none"),
        ("accepted_by_push", "INTERCEPT_DISCONTINUE", "RETURN_SIGNED", "charged", "none"),
    ],
)
async def test_each_outcome_ends_as_it_is_named(
    desk: Desk, outcome: str, state: str, problem: str, fee: str, claimable: str
) -> None:
    waybill = await desk.parcel("zto", {"outcome": outcome})
    await desk.zto_intercept(waybill)
    await desk.advance(20 * DAY_MS)
    assert await desk.zto_state(waybill) == state
    assert problem in await desk.zto_actions(waybill)
    truth = await desk.truth(waybill)
    assert (truth["outcome"], truth["fee"], truth["claimable"]) == (outcome, fee, claimable)
    assert truth["late"] is (outcome == "late_accept")


async def test_a_refusal_may_come_later(desk: Desk) -> None:
    script = {"outcome": "refused", "params": {"when": "later", "code": "too_late"}}
    waybill = await desk.parcel("zto", script)
    assert (await desk.zto_intercept(waybill))["status"] is True
    assert await desk.zto_state(waybill) == "INTERCEPTING"
    await desk.advance(2 * MINUTE_MS)
    assert await desk.zto_state(waybill) == "INTERCEPT_FAIL"
    assert (await desk.truth(waybill))["refused_code"] == "too_late"


async def test_a_withdrawal_is_acknowledged_before_the_return_scan(desk: Desk) -> None:
    api = "thirdcenter.cancelIntercept"
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    message = {"billCode": waybill, "thirdBizNo": "t-r1"}
    assert (await desk.zto(api, message))["statusCode"] == "INT101"
    await desk.zto_intercept(waybill)
    assert (await desk.zto(api, message))["status"] is True
    assert await desk.zto_state(waybill) == "INTERCEPT_CANCEL"
    assert (await desk.zto(api, message))["statusCode"] == "INT103"
    again = await desk.parcel("zto", {"outcome": "returned"})
    await desk.zto_intercept(again)
    await desk.advance(2 * HOUR_MS)
    message = {"billCode": again, "thirdBizNo": "t-r1"}
    assert (await desk.zto(api, message))["statusCode"] == "INT102"


async def claim(
    desk: Desk, waybill: str, amount: object, kind: str = "lose-claim", trace: str = "c1"
) -> dict[str, object]:
    message = {
        "traceId": trace,
        "incident": {"type": kind, "billCode": waybill, "desc": "x"},
        "extraInfo": {"expectedCompensationAmount": amount},
    }
    return await desk.zto("zto.open.merchant.incident.create", message)


@pytest.mark.parametrize(
    ("params", "amount", "status", "granted"),
    [
        ({}, "412.50", "APPROVED", "412.50"),
        ({}, 412.5, "APPROVED", "412.50"),
        ({}, "900", "PARTIAL", "500.00"),
        ({"grant_minor": 10_001}, "412.50", "PARTIAL", "100.01"),
        ({"claim": "partial"}, "400", "PARTIAL", "200.00"),
        ({"claim": "reject"}, "400", "REJECTED", "0.00"),
    ],
)
async def test_a_claim_is_decided_after_a_while(
    desk: Desk, params: dict[str, object], amount: object, status: str, granted: str
) -> None:
    waybill = await desk.parcel("zto", {"outcome": "lost", "params": params})
    await desk.zto_intercept(waybill)
    await desk.advance(3 * DAY_MS)
    first = await claim(desk, waybill, amount)
    assert await claim(desk, waybill, amount) == first
    result = first["result"]
    assert isinstance(result, dict)
    query = {"bizNo": result["bizNo"], "billCode": waybill}
    found = (await desk.zto("zto.open.merchant.incident.query", query))["result"]
    assert found["status"] == "PROCESSING"
    await desk.advance(2 * DAY_MS)
    found = (await desk.zto("zto.open.merchant.incident.query", query))["result"]
    assert (found["status"], found["compensationAmount"]) == (status, granted)
    (told,) = [push.data for push in desk.inbox if push.kind == "Incident"]
    assert told["compensationAmount"] == granted
    (line,) = (await desk.truth(waybill))["claims"]
    assert line["granted_minor"] == int(granted.replace(".", ""))


async def test_claims_never_grant_more_than_the_value(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "lost"})
    await desk.zto_intercept(waybill)
    await desk.advance(3 * DAY_MS)
    for trace in ("c1", "c2", "c3"):
        await claim(desk, waybill, "300", trace=trace)
    await desk.advance(3 * DAY_MS)
    granted = [line["granted_minor"] for line in (await desk.truth(waybill))["claims"]]
    assert granted == [30_000, 20_000, 0]


@pytest.mark.parametrize("kind", ["lose-claim", "damage-claim"])
async def test_a_claim_without_its_ground_is_rejected(desk: Desk, kind: str) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    await desk.zto_intercept(waybill)
    await claim(desk, waybill, "10", kind)
    await desk.advance(3 * DAY_MS)
    (line,) = (await desk.truth(waybill))["claims"]
    assert line["state"] == "rejected"


@pytest.mark.parametrize(
    "amount", ["0.005", "-1", "NaN", "1e30", "1e999999", "1_0", "+1", None, True, "", [1], 0]
)
async def test_an_amount_is_whole_fen(desk: Desk, amount: object) -> None:
    waybill = await desk.parcel("zto", {"outcome": "lost"})
    assert (await claim(desk, waybill, amount))["statusCode"] == "S400"


async def test_a_push_is_tried_sixteen_times(desk: Desk) -> None:
    waybill = await desk.parcel("zto", status="out_for_delivery")
    desk.acknowledge = False
    await desk.advance(3 * HOUR_MS)
    for _ in range(20):
        await desk.advance(HOUR_MS)
    assert len({push.body for push in desk.pushed(waybill)}) == 1
    assert len(desk.pushed(waybill)) == 16
    (line,) = (await desk.truth(waybill))["pushes"]
    assert (line["attempts"], line["given_up"]) == (16, True)


async def test_only_who_subscribes_is_told_where_the_account_says_so(desk: Desk) -> None:
    account = {
        "carrier": "zto",
        "account": "Z1",
        "credentials": {"app_secret": "zs"},
        "push_url": f"{desk.inbox_url}/zto",
        "options": {"push": "subscribed"},
    }
    await desk.control("POST", "/accounts", account)
    told, untold = await desk.parcel("zto"), await desk.parcel("zto")
    await desk.zto("zto.merchant.waybill.track.subsrcibe", {"billCode": told})
    await desk.advance(2 * DAY_MS)
    assert desk.pushed(told)
    assert not desk.pushed(untold)


async def test_a_push_may_come_as_a_form(desk: Desk) -> None:
    account = {"carrier": "zto", "account": "Z1", "credentials": {"app_secret": "zs"}}
    address = {"push_url": f"{desk.inbox_url}/zto", "options": {"push_format": "form"}}
    await desk.control("POST", "/accounts", account | address)
    script = {"faults": [{"name": "push_bad_signature"}]}
    waybill = await desk.parcel("zto", script, status="out_for_delivery")
    await desk.advance(3 * HOUR_MS)
    genuine = []
    for push in desk.pushed(waybill):
        fields = {name: values[0] for name, values in parse_qs(push.body.decode()).items()}
        assert (fields["msg_type"], fields["company_id"]) == ("Traces", "Z1")
        assert json.loads(fields["data"])["action"] == "SIGNED"
        genuine.append(fields["data_digest"] == zto_digest(fields["data"], "zs"))
    assert sorted(genuine) == [False, True]


async def test_a_return_to_another_address_names_it(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    message = {"billCode": waybill, "requestId": "r1", "destinationType": "4"}
    parts = ("Phone", "Username", "Address", "District", "City", "Province")
    address = {f"receive{name}": "x" for name in parts}
    for part in address:
        short = {name: text for name, text in address.items() if name != part}
        answer = await desk.zto("thirdcenter.createIntercept", message | short)
        assert answer["statusCode"] == "S400"
    answer = await desk.zto("thirdcenter.createIntercept", message | address)
    assert answer["status"] is True


async def test_a_claim_is_answered_under_its_trace(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "lost"})
    answer = await claim(desk, waybill, "10", trace="c7")
    assert answer["traceId"] == "c7"
