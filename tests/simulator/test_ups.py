"""UPS's wire protocol, over real HTTP."""

import json
from base64 import b64encode
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from simulator.bodies import OptionsBody
from simulator.depot import Account, Depot
from simulator.dialect import Answer, Inbound
from simulator.dialects import ups
from simulator.outcomes import Scenario
from tests.simulator.desk import DAY_MS, HOUR_MS, RECEIVER, SENDER, Desk, Json

INTERCEPT_API = "api/deliveryintercept/v2"
NUMBER = "1Z999AA10000000001"
CREDENTIALS = {"client_secret": "us", "webhook_credential": "uw"}
BODY = {
    "requestType": "RS",
    "requesterContactInfo": {"name": "Ann Miller", "telephone": "+14105550123"},
    "specialInstructions": None,
    "reasonForReturn": "AM",
}
SLOW = {
    "picked_up": 2 * HOUR_MS,
    "in_transit": 6 * HOUR_MS,
    "at_destination": 18 * DAY_MS,
    "out_for_delivery": 19 * DAY_MS,
    "delivered": 20 * DAY_MS,
}


class Client:
    """A client of UPS with a token of its own."""

    def __init__(self, desk: Desk, token: str = "") -> None:
        self.desk, self.token = desk, token

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        told = {"transId": "t-1", "transactionSrc": "test", "Authorization": f"Bearer {self.token}"}
        told |= {"platformType": "XOLT", "inquiryType": "U", "Content-Type": "application/json"}
        told = {name: text for name, text in (told | headers).items() if text}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.desk.carriers}/ups/{path}"
        async with self.desk.session.request(method, url, data=data, headers=told) as answer:
            return answer.status, await answer.json()

    async def login(
        self, pair: str = "U1:us", grant: str = "client_credentials"
    ) -> tuple[int, Json]:
        url = f"{self.desk.carriers}/ups/security/v1/oauth/token"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        form = {"grant_type": grant}
        async with self.desk.session.post(url, data=form, headers=headers) as answer:
            found = await answer.json()
            self.token = found.get("access_token", "")
            return answer.status, found

    async def instruct(self, verb: str, number: str = NUMBER) -> str:
        """The code of the no, or 000."""
        status, body = await self.ask("POST", f"{INTERCEPT_API}/{verb}/{number}", BODY)
        if status != 200:
            return f"{status} {body['response']['errors'][0]['code']}"
        assert (body["statusCode"], body["statusMsg"]) == ("000", "Success")
        assert body["success"] is (body["errors"] is None)
        return "000" if body["success"] else str(body["errors"][0]["errorCode"])

    async def eligibility(self, number: str = NUMBER) -> tuple[str, str]:
        """Whether it may be returned, and whether that may be taken back."""
        path = f"{INTERCEPT_API}/eligibility/intercept/{number}"
        status, body = await self.ask("GET", path)
        assert status == 200
        features = body["response"]["commonEligibilityMap"]
        (value,) = (f["eligibilityValue"] for f in features if f["interceptFeature"] == "RTS")
        return value["createEligibility"], value["cancelEligibility"]

    async def package(self) -> Json:
        status, body = await self.ask("GET", f"api/track/v1/details/{NUMBER}")
        assert status == 200
        (package,) = body["trackResponse"]["shipment"][0]["package"]
        assert isinstance(package, dict)
        return package

    async def subscribe(self, *numbers: str) -> tuple[int, Json]:
        body = {"locale": "en_US", "trackingNumberList": list(numbers)}
        return await self.ask("POST", "api/track/v2/subscription/standard/package", body)

    async def parcel(self, script: Json | None = None, **fields: Any) -> None:
        body: Json = {"carrier": "ups", "account": "U1", "waybill": NUMBER}
        body["status"] = "in_transit"
        body |= {"sender": SENDER, "receiver": RECEIVER, "value_minor": 50_000, "script": script}
        status, answer = await self.desk.control("POST", "/parcels", {"parcels": [body | fields]})
        assert status == 200, answer


async def open_account(desk: Desk, name: str = "U1", **options: object) -> None:
    body = {"carrier": "ups", "account": name, "credentials": CREDENTIALS, "options": options}
    body["push_url"] = f"{desk.inbox_url}/ups"
    assert (await desk.control("POST", "/accounts", body))[0] == 200


@pytest_asyncio.fixture
async def client(desk: Desk) -> Client:
    await open_account(desk)
    found = Client(desk)
    assert (await found.login())[0] == 200
    return found


async def test_a_token_is_lent_for_a_number_of_seconds_written_as_a_text(client: Client) -> None:
    status, lent = await client.login()
    assert (status, lent["token_type"], lent["expires_in"]) == (200, "Bearer", "14399")
    await client.parcel()
    assert (await client.package())["trackingNumber"] == NUMBER


@pytest.mark.parametrize("pair", ["U1:wrong", "U1", "nobody:us", ":"])
async def test_who_is_not_known_is_lent_nothing(client: Client, pair: str) -> None:
    status, body = await client.login(pair)
    assert (status, body["response"]["errors"][0]["code"]) == (401, "250002")
    assert (await client.login(grant="password"))[0] == 400


async def test_a_token_is_good_for_its_own_account_and_only_whole(client: Client) -> None:
    await client.parcel()
    name, ends_ms, seal = client.token.split(".")
    for token in (
        "",
        f"{name}.{ends_ms}0.{seal}",
        f"{name}.{ends_ms}.{seal[:-1]}",
        "é",
        f"x{name}",
    ):
        client.token = token
        assert await client.instruct("return") == "401 401"
        status, body = await client.ask("GET", f"api/track/v1/details/{NUMBER}")
        assert (status, body["response"]["errors"][0]["code"]) == (401, "UJ0001")


async def test_at_most_one_interception_lives_on_a_number(client: Client) -> None:
    await client.parcel({"outcome": "returned"})
    assert await client.eligibility() == ("ELIGIBLE", "NOT_ELIGIBLE")
    assert await client.instruct("cancel") == "1111"
    assert [await client.instruct("return") for _ in range(2)] == ["000", "1105"]
    assert await client.eligibility() == ("NOT_ELIGIBLE", "ELIGIBLE")
    assert (await client.desk.truth(NUMBER))["effects"] == 1
    assert [await client.instruct("cancel") for _ in range(2)] == ["000", "1113"]
    assert await client.eligibility() == ("ELIGIBLE", "NOT_ELIGIBLE")
    assert await client.instruct("return") == "000"
    await client.desk.advance(2 * HOUR_MS)
    assert await client.instruct("cancel") == "1112"
    assert await client.eligibility() == ("NOT_ELIGIBLE", "NOT_ELIGIBLE")


@pytest.mark.parametrize(
    ("status", "word", "code"),
    [
        ("not_picked_up", "UNKNOWN", "1102"),
        ("out_for_delivery", "ELIGIBLE", "000"),
        ("delivered", "NOT_ELIGIBLE", "1104"),
    ],
)
async def test_where_the_parcel_is_decides(
    client: Client, status: str, word: str, code: str
) -> None:
    await client.parcel({"outcome": "returned"}, status=status)
    assert (await client.eligibility())[0] == word
    assert await client.instruct("return") == code


async def test_somebody_elses_package_is_told_apart_from_one_not_known(client: Client) -> None:
    await client.parcel()
    await open_account(client.desk, "U2")
    assert (await client.login("U2:us"))[0] == 200
    assert await client.instruct("return") == "401 605"
    assert await client.instruct("return", "1Z999AA10000000002") == "1101"


@pytest.mark.parametrize(
    "headers",
    [{"transId": ""}, {"transId": "t" * 15}, {"platformType": ""}, {"inquiryType": "X"}],
)
async def test_a_header_that_is_missing_is_a_validation_error(
    client: Client, headers: dict[str, str]
) -> None:
    await client.parcel({"outcome": "returned"})
    status, body = await client.ask("POST", f"{INTERCEPT_API}/return/{NUMBER}", BODY, **headers)
    assert (status, body["response"]["statusCode"]) == (400, "400")
    assert body["response"]["errors"][0]["code"] == "710"
    assert (await client.desk.truth(NUMBER))["effects"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"reasonForReturn": "ZZ"},
        {"requestType": "AA"},
        {"requesterContactInfo": {"name": "", "telephone": "+1"}},
        {"requesterContactInfo": {"name": "A", "telephone": "4105550123"}},
        {"comment": "more"},
    ],
)
async def test_a_field_that_is_wrong_is_a_validation_error(client: Client, change: Json) -> None:
    await client.parcel({"outcome": "returned"})
    status, body = await client.ask("POST", f"{INTERCEPT_API}/return/{NUMBER}", BODY | change)
    assert (status, body["response"]["errors"][0]["code"]) == (400, "710")


async def test_what_does_not_exist(client: Client) -> None:
    status, body = await client.ask("POST", f"{INTERCEPT_API}/undo/{NUMBER}", BODY)
    assert (status, body["response"]["errors"][0]["code"]) == (404, "404")
    status, body = await client.ask("GET", f"{INTERCEPT_API}/return/{NUMBER}")
    assert (status, body["response"]["errors"][0]["code"]) == (405, "405")


async def test_the_way_back_ends_in_a_scan_like_any_delivery(client: Client) -> None:
    await client.parcel({"outcome": "returned"})
    await client.instruct("return")
    await client.desk.advance(3 * DAY_MS)
    package = await client.package()
    told = [(a["status"]["type"], a["status"]["code"]) for a in package["activity"]]
    assert (told[0], told[-1]) == (("D", "FS"), ("M", "MP"))
    assert told.index(("X", "RS")) > 0
    assert package["deliveryInformation"]["receivedBy"] == SENDER["name"]
    assert package["activity"][0]["location"]["address"]["city"] == SENDER["city"]


async def test_a_time_is_local_and_in_gmt_without_leading_zeros(client: Client) -> None:
    shipped_ms = 1_799_982_000_000  # 2027-01-15 03:00 in GMT
    await client.parcel(shipped_ms=shipped_ms, status=None)
    ordered = (await client.package())["activity"][-1]
    assert (ordered["gmtDate"], ordered["gmtTime"]) == ("20270115", "30000")
    assert (ordered["date"], ordered["time"]) == ("20270114", "220000")
    assert ordered["gmtOffset"] == "-05:00"


async def test_a_subscription_has_no_history_and_ends_after_a_fortnight(client: Client) -> None:
    desk = client.desk
    await open_account(desk, push="subscribed")
    await client.parcel(status=None, journey=SLOW)
    await desk.advance(2 * DAY_MS)
    assert await client.subscribe(NUMBER) == (200, {"validTrackingNumbers": [NUMBER]})
    await desk.advance(1 * HOUR_MS)
    assert desk.inbox == []
    await desk.advance(16 * DAY_MS + 12 * HOUR_MS)
    assert codes(desk) == ["DE", "AR", "DE"]  # of days 3, 10 and 12; not AT_OUTLET of day 18
    await client.subscribe(NUMBER)
    await desk.advance(3 * DAY_MS)
    assert codes(desk)[3:] == ["OT", "FS"]


def codes(desk: Desk) -> list[str]:
    return [json.loads(push.body)["activityStatus"]["code"] for push in desk.inbox]


async def test_numbers_are_taken_or_left(client: Client) -> None:
    await client.parcel()
    left = ["1Z999AA10000000009", "1Z$"]
    found = await client.subscribe(*left, NUMBER)
    taken = {"validTrackingNumbers": [NUMBER], "invalidTrackingNumbers": left}
    assert found == (200, taken)
    status, body = await client.subscribe(*left)
    assert (status, body["invalidTrackingNumbers"]) == (400, left)
    assert body["response"]["errors"][0]["code"] == "VSS210"


async def test_a_push_shows_the_credential_and_signs_nothing(client: Client) -> None:
    script = {"faults": [{"name": "push_bad_signature", "times": 1}]}
    await client.parcel(script, status="out_for_delivery")
    await client.desk.advance(3 * HOUR_MS)
    forged, genuine = client.desk.inbox
    assert forged.body == genuine.body
    assert genuine.headers["authorization"] == "Bearer uw"
    assert forged.headers["authorization"] != "Bearer uw"
    assert genuine.headers["user-agent"] == "UPSPubSubTrackingService"
    told = json.loads(genuine.body)
    assert (told["activityStatus"]["type"], told["receivedBy"]) == ("D", RECEIVER["name"])
    assert told["gmtOffset"] == "-05.00"
    assert len(told["gmtActivityTime"]) == 6


async def test_their_system_error_is_a_success_that_failed(client: Client) -> None:
    fault = {"name": "busy_code", "params": {"system": True}}
    await client.parcel({"outcome": "returned", "faults": [fault]})
    assert await client.instruct("return") == "500"
    assert (await client.desk.truth(NUMBER))["effects"] == 0
    assert await client.instruct("return") == "000"


async def test_too_many_requests_are_told_by_their_status(client: Client) -> None:
    await open_account(client.desk, rate_per_second=1)
    await client.parcel()
    path = f"api/track/v1/details/{NUMBER}"
    answers = [await client.ask("GET", path) for _ in range(6)]
    assert answers[0][0] == 200
    status, body = answers[1]  # a second has not gone by
    assert (status, body["response"]["errors"][0]["code"]) == (429, "10429")


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["RS", NUMBER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
ASKED = st.dictionaries(
    st.sampled_from([*BODY, "locale", "trackingNumberList", "deliveryDate"]), ODD, max_size=4
)


@pytest.mark.parametrize(
    "path",
    [
        f"{INTERCEPT_API}/return/{NUMBER}",
        f"{INTERCEPT_API}/cancel/{NUMBER}",
        "api/track/v2/subscription/standard/package",
    ],
)
@given(change=ASKED)
def test_an_odd_message_is_answered(path: str, change: Json) -> None:
    depot = Depot(1, Scenario())
    account = Account("ups", "U1", CREDENTIALS, None, OptionsBody())
    depot.put_account(account)
    headers = {
        "authorization": f"Bearer {ups.token(account, 1)}",
        "content-type": "application/json",
    }
    headers |= {"transid": "t-1", "transactionsrc": "x", "platformtype": "XOLT", "inquirytype": "U"}
    found = ups.read(Inbound(path, headers, json.dumps(BODY | change).encode()), depot)
    answer = found if isinstance(found, Answer) else ups.DIALECT.perform(found, depot, 0)
    assert answer.status in (200, 400)
    assert answer.code not in ("000", "subscribed")  # the depot is empty


@given(
    body=st.binary(max_size=99),
    shown=st.text(st.characters(codec="latin-1"), max_size=60),
    path=st.sampled_from(["security/v1/oauth/token", f"api/track/v1/details/{NUMBER}", "x"]),
)
def test_noise_is_refused(body: bytes, shown: str, path: str) -> None:
    depot = Depot(1, Scenario())
    depot.put_account(Account("ups", "U1", CREDENTIALS, None, OptionsBody()))
    for authorization in (shown, f"Bearer {shown}", f"Basic {shown}"):
        for method in ("GET", "POST"):
            inbound = Inbound(path, {"authorization": authorization}, body, method)
            answer = ups.read(inbound, depot)
            assert isinstance(answer, Answer)
            assert answer.status in (400, 401, 404, 405)
