"""JD Logistics' wire protocol, over real HTTP."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from simulator.bodies import OptionsBody
from simulator.depot import Account
from simulator.dialects.jdl import acknowledged, lend, signature
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk, Json

CANCEL, STATUS = "/ecap/v1/orders/cancel", "/ecap/v1/orders/status/get"
TRACE, SUBSCRIBE = "/ecap/v1/orders/trace/query", "/ecap/v1/orders/trace/subscribe"
MINUTE_MS = 60_000
CREDENTIALS = {"app_secret": "js", "refresh_token": "jr"}
ASKED = {"cancelReason": "不要了", "cancelReasonCode": "1", "cancelType": 1}
HMACS = {"HMacMD5": "md5", "HMacSHA1": "sha1", "HMacSHA256": "sha256", "HMacSHA512": "sha512"}


@dataclass
class Jd:
    """A merchant's own client of JD."""

    desk: Desk
    token: str = ""
    query: Json = field(default_factory=dict)  # what is sent otherwise than usual
    headers: Json = field(default_factory=lambda: {"lop-tz": "8"})

    def pairs(self, path: str, body: str, secret: str = "js") -> Json:
        query = {"LOP-DN": "ECAP", "app_key": "J1", "access_token": self.token, "v": "2.0"}
        query |= {"timestamp": "2024-01-01 00:00:00", "algorithm": "md5-salt", **self.query}
        signed = {**query, "method": path, "param_json": body}
        names = ("access_token", "app_key", "method", "param_json", "timestamp", "v")
        text = secret + "".join(f"{name}{signed[name]}" for name in names) + secret
        algorithm = query["algorithm"]
        query["sign"] = hashlib.md5(text.encode()).hexdigest()
        if algorithm in HMACS:
            mac = hmac.new(secret.encode(), text.encode(), HMACS[algorithm]).digest()
            query["sign"] = base64.b64encode(mac).decode()
        return query

    async def post(self, path: str, pairs: Json | str, body: bytes) -> Json:
        query = pairs if isinstance(pairs, str) else urlencode(pairs)
        url = f"{self.desk.carriers}/jdl{path}?{query}"
        headers = {"content-type": "application/json;charset=utf-8", **self.headers}
        async with self.desk.session.post(url, data=body, headers=headers) as answer:
            found = await answer.json(content_type=None)
        assert isinstance(found, dict)
        return found

    async def ask(self, path: str, waybill: str, **fields: Any) -> Json:
        message = {"waybillCode": waybill, "orderOrigin": 1, "customerCode": "C1", **fields}
        body = json.dumps([message], ensure_ascii=False)
        return await self.post(path, self.pairs(path, body), body.encode())

    async def stop(self, waybill: str, **fields: Any) -> Json:
        return await self.ask(CANCEL, waybill, **{**ASKED, **fields})

    async def status(self, waybill: str) -> str:
        return str((await self.ask(STATUS, waybill))["data"]["status"])

    async def states(self, waybill: str) -> list[str]:
        return [row["state"] for row in (await self.ask(TRACE, waybill))["data"]]

    async def refresh(self, **changed: str) -> tuple[int, Json]:
        form = {"grant_type": "refresh_token", "refresh_token": "jr", "client_id": "J1"}
        form |= {"client_secret": "js", **changed}
        url = f"{self.desk.carriers}/jdl/oauth/refresh"
        async with self.desk.session.post(url, data=form) as answer:
            return answer.status, await answer.json(content_type=None)


async def jd(desk: Desk, **options: Any) -> Jd:
    account = {"carrier": "jdl", "account": "J1", "credentials": CREDENTIALS}
    body = {**account, "push_url": f"{desk.inbox_url}/jdl/secret", "options": options}
    assert (await desk.control("POST", "/accounts", body))[0] == 200
    found = Jd(desk)
    status, lent = await found.refresh()
    assert (status, lent["token_type"]) == (200, "bearer")
    found.token = lent["access_token"]
    return found


async def parcel(
    desk: Desk, script: Json | None = None, status: str = "in_transit", carrier: str = "jdl"
) -> str:
    desk.serial += 1
    waybill = f"JDV{10**11 + desk.serial}"
    body: Json = {
        "carrier": carrier,
        "account": "J1" if carrier == "jdl" else "L1",
        "status": status,
    }
    body |= {"waybill": waybill, "order_id": f"O{waybill}", "script": script}
    body |= {"sender": SENDER, "receiver": RECEIVER, "value_minor": 50_000}
    code, answer = await desk.control("POST", "/parcels", {"parcels": [body]})
    assert code == 200, answer
    return waybill


# --- who asks -------------------------------------------------------------------------------


def test_the_known_signature() -> None:
    body = '[{"waybillCode":"JDV000000000001"}]'
    text = f"access_tokenTapp_keyKmethod{CANCEL}param_json{body}timestamp2024-01-01 00:00:00v2.0"
    assert signature(text, "S", "md5-salt") == "257c2040e169d24a45b8ac383528a9a8"
    assert signature(text, "S", "crc32-salt") is None


@pytest.mark.parametrize("algorithm", ["md5-salt", *HMACS])
async def test_every_algorithm_of_the_query_string(desk: Desk, algorithm: str) -> None:
    client, waybill = await jd(desk), await parcel(desk)
    client.query = {"algorithm": algorithm}
    assert (await client.ask(TRACE, waybill))["code"] == 1000
    body = json.dumps([{"waybillCode": waybill, "orderOrigin": 2}])
    pairs = client.pairs(TRACE, body)
    assert (await client.post(TRACE, pairs, body.encode()))["success"] is True
    assert (await client.post(TRACE, pairs, body.encode() + b" "))["code"] == 2002
    assert (await client.post(STATUS, pairs, body.encode()))["code"] == 2002
    assert (await client.post(TRACE, client.pairs(TRACE, body, "other"), body.encode()))[
        "code"
    ] == 2002
    upper = {**pairs, "sign": pairs["sign"].upper()}
    in_hex = algorithm == "md5-salt"  # Java's samples write it in capitals, base64 has none
    assert (await client.post(TRACE, upper, body.encode()))["code"] == (1000 if in_hex else 2002)


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ({"app_key": "nobody"}, {"lop-tz": "8"}, 2001),
        ({"LOP-DN": "OTHER"}, {"lop-tz": "8"}, 2004),
        ({"v": "1.0"}, {"lop-tz": "8"}, 2004),
        ({"timestamp": "1704067200000"}, {"lop-tz": "8"}, 2004),
        ({"algorithm": "md4-salt"}, {"lop-tz": "8"}, 2002),
        ({}, {}, 2004),
    ],
)
async def test_an_envelope_that_is_none(desk: Desk, query: Json, headers: Json, code: int) -> None:
    client, waybill = await jd(desk), await parcel(desk)
    client.query, client.headers = query, headers
    answer = await client.ask(TRACE, waybill)
    assert (answer["code"], answer["success"]) == (code, False)


async def test_a_field_that_is_there_twice_is_refused(desk: Desk) -> None:
    client, body = await jd(desk), "[{}]"
    query = urlencode(client.pairs(TRACE, body))
    assert (await client.post(TRACE, query, body.encode()))["code"] == 2004
    assert (await client.post(TRACE, f"{query}&app_key=J1", body.encode()))["code"] == 2001


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "[{}]",
        "nonsense",
        "[" * 9_000,
        '[{"waybillCode":"A","orderOrigin":1}]',
        '[{"waybillCode":"A","orderOrigin":3}]',
        '[{"waybillCode":"A","orderOrigin":4,"customerCode":"C"}]',
        '[{"waybillCode":"A","orderCode":"B","orderOrigin":2}]',
        '[{"orderOrigin":2},{"orderOrigin":2}]',
    ],
    ids=range(10),
)
async def test_a_body_that_is_no_array_of_one_parcel_is_refused(desk: Desk, body: str) -> None:
    client = await jd(desk)
    answer = await client.post(TRACE, client.pairs(TRACE, body), body.encode())
    assert (answer["code"], answer["success"]) == (2004, False)


async def test_a_token_is_its_accounts_own_and_ends(desk: Desk) -> None:
    client, waybill = await jd(desk), await parcel(desk)
    account = Account("jdl", "J1", CREDENTIALS, None, OptionsBody())
    now_ms = time.time_ns() // 1_000_000
    for token, code in (
        (lend(account, now_ms + 60_000), 1000),
        (lend(account, now_ms - 1), 2003),
        (f"{now_ms + 60_000}.{client.token.partition('.')[2]}", 2003),  # its end put off
        (lend(Account("jdl", "J2", CREDENTIALS, None, OptionsBody()), now_ms + 60_000), 2003),
        ("T", 2003),
    ):
        client.token = token
        assert (await client.ask(TRACE, waybill))["code"] == code


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "other"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"refresh_token": "other"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "invalid_grant"),
    ],
)
async def test_a_token_is_lent_to_who_has_both_secrets(
    desk: Desk, changed: dict[str, str], status: int, error: str
) -> None:
    assert await (await jd(desk)).refresh(**changed) == (status, {"error": error})


# --- one verb -------------------------------------------------------------------------------


async def test_before_pick_up_the_verb_cancels(desk: Desk) -> None:
    client, waybill = await jd(desk), await parcel(desk, status="not_picked_up")
    assert await client.status(waybill) == "100"
    answer = await client.stop(waybill)
    assert (answer["code"], answer["data"]) == (1000, {"waybillCode": waybill})
    assert await client.status(waybill) == "690"
    await desk.advance(3 * DAY_MS)  # the journey has stopped: nothing follows
    assert await client.states(waybill) == ["200000", "200010"]
    assert (await client.stop(waybill))["code"] == 2205
    truth = await desk.truth(waybill)
    assert truth["order_cancelled_ms"] is not None
    assert (truth["effects"], truth["delivered_to_buyer_ms"]) == (0, None)


async def test_after_pick_up_the_same_verb_intercepts(desk: Desk) -> None:
    client, waybill = await jd(desk), await parcel(desk, {"outcome": "returned"})
    answer = await client.stop(waybill)
    assert (answer["code"], answer["data"]) == (1000, {"waybillCode": waybill})
    assert await client.status(waybill) == "430"  # a receipt is no promise
    await desk.advance(2 * MINUTE_MS)
    assert await client.status(waybill) == "480"
    await desk.advance(3 * DAY_MS)
    assert await client.status(waybill) == "480"
    rows = (await client.ask(TRACE, waybill))["data"]
    assert rows[-1]["state"] == "200020"
    assert (rows[-1]["category"], rows[-1]["categoryName"]) == ("480", "已拦截")
    back = (await desk.truth(waybill))["return_waybill"]
    assert rows[-1]["operationRemark"].endswith(f"新运单号{back}")
    assert back.startswith("JDVC")
    assert await client.status(back) == "510"
    assert (await client.states(back))[-1] == "200006"
    assert (await client.stop(back))["code"] == 2204
    assert (await client.stop(waybill))["code"] == 2203


@pytest.mark.parametrize(
    ("outcome", "status", "last"),
    [
        ("delivered_anyway", "510", "200006"),
        ("buyer_refused", "530", "200020"),
        ("turned_then_delivered", "510", "200006"),
        ("accepted_by_push", "480", "200020"),
        ("late_accept", "480", "200020"),
    ],
)
async def test_status_and_trace_tell_what_became_of_it(
    desk: Desk, outcome: str, status: str, last: str
) -> None:
    client, waybill = await jd(desk), await parcel(desk, {"outcome": outcome})
    assert (await client.stop(waybill))["success"] is (outcome != "late_accept")
    await desk.advance(4 * DAY_MS)
    assert (await client.status(waybill), (await client.states(waybill))[-1]) == (status, last)


async def test_what_was_stopped_stays_so_while_it_travels_on_to_be_turned(desk: Desk) -> None:
    client = await jd(desk)
    script = {"outcome": "returned", "params": {"turn_ms": 20 * HOUR_MS}}
    waybill = await parcel(desk, script)
    await client.stop(waybill)
    await desk.advance(2 * MINUTE_MS)
    seen = await client.states(waybill)
    await desk.advance(18 * HOUR_MS)
    later = (await client.ask(TRACE, waybill))["data"][len(seen) :]
    assert {row["category"] for row in later} == {"430"}
    assert await client.status(waybill) == "480"


async def test_a_consumers_parcel_is_only_cancelled(desk: Desk) -> None:
    client = await jd(desk)
    moving, waiting = await parcel(desk), await parcel(desk, status="not_picked_up")
    assert (await client.stop(moving, orderOrigin=0))["code"] == 2101
    assert (await client.stop(waiting, orderOrigin=0))["code"] == 1000
    assert (await desk.truth(moving))["effects"] == 0


async def test_the_words_of_an_answer_stand_under_either_name(desk: Desk) -> None:
    client, waybill = await jd(desk), await parcel(desk)
    assert set(await client.stop(waybill)) == {"code", "message", "success", "data"}
    assert set(await client.ask(TRACE, waybill)) == {"code", "msg", "success", "data"}
    assert (await client.ask(TRACE, "JDV999999999999"))["code"] == 2100
    assert (await client.stop(waybill, cancelReason="长" * 31))["code"] == 2004


# --- pushes ---------------------------------------------------------------------------------


async def test_an_interception_subscribes_by_itself_and_is_pushed_as_the_trace_shows_it(
    desk: Desk,
) -> None:
    client = await jd(desk, push="subscribed")
    script = {"outcome": "returned"}
    told, untold = await parcel(desk, script), await parcel(desk, script)
    await client.stop(told, subscribeIntercept="1")
    await client.stop(untold)
    await desk.advance(2 * HOUR_MS)
    assert desk.pushed(untold) == []
    rows = [json.loads(push.body) for push in desk.pushed(told)]
    rows = [row for row in rows if row["waybillCode"] == told]
    trace = (await client.ask(TRACE, told))["data"]
    assert all(row in trace for row in rows)
    assert [row["state"] for row in rows].count("200020") == 1


async def test_a_subscription_needs_the_end_of_a_telephone_number(desk: Desk) -> None:
    client, waybill = await jd(desk, push="subscribed"), await parcel(desk)
    assert (await client.ask(SUBSCRIBE, waybill, mobile="0000"))["code"] == 2100
    await desk.advance(DAY_MS)
    assert desk.pushed(waybill) == []
    assert (await client.ask(SUBSCRIBE, waybill, mobile="1234"))["code"] == 1000
    await desk.advance(2 * DAY_MS)
    assert desk.pushed(waybill)


@pytest.mark.parametrize(
    ("status", "body", "taken"),
    [
        (200, b'{"code":"200"}', True),
        (200, b'{"code":200}', True),
        (200, b'{"code":"500","msg":"later"}', False),
        (200, b"ok", False),
        (500, b'{"code":"200"}', False),
    ],
)
def test_an_acknowledgement_says_200_itself(status: int, body: bytes, taken: bool) -> None:
    assert acknowledged(status, body) is taken
