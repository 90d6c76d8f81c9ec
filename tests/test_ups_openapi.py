"""Requests to UPS and replies of its dialect, held against OpenAPI documents.

The vendor's own files are not ours to publish: they are read from `TURNBACK_UPS_SPECS`, else from
`../shared/specs/ups` beside this repository. What we rely on of them, in our own words, is
`tests/golden/ups/openapi.yaml`; it is always there.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.responses.exceptions import ResponseFinderError
from openapi_core.validation.exceptions import ValidationError
from werkzeug.datastructures import Headers

from adapters.ups import ADAPTER
from gateway.domain.carrier import Call, Contact, Order, Stamp, Trace
from gateway.domain.record import replace
from simulator import world
from simulator.bodies import OptionsBody
from simulator.depot import Account, Depot, Record
from simulator.dialect import Announcement, Answer, Asked, Inbound, Outgoing
from simulator.dialects.ups import DIALECT
from simulator.outcomes import (
    Fault,
    FaultName,
    Operation,
    Outcome,
    Params,
    Reason,
    Scenario,
    Script,
)

ROOT = Path(__file__).parent.parent
OWN = ROOT / "tests" / "golden" / "ups" / "openapi.yaml"
NAMED = os.environ.get("TURNBACK_UPS_SPECS")
VENDOR = Path(NAMED) if NAMED else ROOT.parent / "shared" / "specs" / "ups"
FILES = {  # of the vendor, by what a path begins with
    "/security/": "OAuthClientCredentials.yaml",
    "/api/deliveryintercept/": "DeliveryIntercept.yaml",
    "/api/track/v1/": "Tracking.yaml",
    "/api/track/v2/": "UPSTrackAlert.yaml",
}
HOST = "https://onlinetools.ups.com"
NUMBER, FOREIGN, NOBODYS = "1Z4096YY0316914058", "1Z6568YY1200043419", "1ZA2F8810719086435"
ACCOUNT = {"client_id": "C", "client_secret": "s", "webhook_credential": "w"}
WHO = world.Contact("Ann Miller", "410 555 0123", "MD", "Baltimore", "", "1 Example St")
THEM = dataclasses.replace(WHO, name="Bob Jones", city="Denver")
SENDER = Contact("Ann Miller", "410 555 0123")
ORDER, TRACE = Order("itc_1", NUMBER, sender=SENDER), Trace((NUMBER,))
MACHINE_MS, HOUR_MS = 1_700_000_000_000, 3_600_000


# --- the documents ----------------------------------------------------------------------------


def straightened(document: dict[str, Any]) -> dict[str, Any]:
    """The vendor's document without its slips, none of which loosens what it asks for."""
    for server in document.get("servers", ()):
        server["url"] = server["url"].replace("{version}", "v2")
        server.pop("variables", None)
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        for operation in path.values():  # a variable of the server, told as one of the path
            kept = [p for p in operation.get("parameters", ()) if p.get("name") != "version"]
            operation["parameters"] = kept
    for scheme in document["components"]["securitySchemes"].values():
        if scheme["type"] == "oauth2":  # of which only the token is seen in a request
            scheme.clear()
            scheme.update(type="http", scheme="bearer")
    eligible = document["components"]["schemas"].get(
        "DeliveryInterceptEligibilityOptionsResponseV2"
    )
    if eligible:  # its schema describes one feature, its example has several in a list
        found = eligible["properties"]["response"]["allOf"][1]["properties"]
        feature = found["commonEligibilityMap"]
        found["commonEligibilityMap"] = {"type": ["array", "null"], "items": feature}
    return document


def document(file: Path) -> dict[str, Any]:
    """Blanks at the end of a line, a tab among them, are no YAML."""
    lines = file.read_text("utf-8").splitlines()
    found = yaml.safe_load("\n".join(line.rstrip() for line in lines))
    assert isinstance(found, dict)
    return found


@dataclass
class Sent:
    """A request as the validator wants to see it."""

    host_url: str
    path: str
    method: str
    body: bytes
    content_type: str
    parameters: RequestParameters


@dataclass
class Pushed:
    """A push as the validator wants to see it."""

    method: str
    body: bytes
    content_type: str
    parameters: RequestParameters
    name: str = "TrackingEvent"


@dataclass(frozen=True)
class Got:
    """A reply as the validator wants to see it."""

    status_code: int
    data: bytes
    content_type: str
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Book:
    """The documents of one author."""

    apis: Mapping[str, OpenAPI]

    def api(self, path: str) -> OpenAPI:
        return next(api for start, api in self.apis.items() if path.startswith(start))

    def ask(self, call: Call) -> None:
        self.api(call.path).validate_request(asked(call))

    def hear(self, call: Call, answer: Answer) -> None:
        """A status that the API's own document does not have is held against the one that has it:
        rates are documented for tokens, a bad token for Track Alert ("can apply to all APIs").
        """
        got = Got(answer.status, answer.body, answer.content_type)
        try:
            self.api(call.path).validate_response(asked(call), got)
        except ResponseFinderError:
            other = {429: token_call, 401: subscribe_call}[answer.status]()
            self.api(other.path).validate_response(asked(other), got)

    def push(self, outgoing: Outgoing) -> None:
        shown = RequestParameters(header=Headers(dict(outgoing.headers)))
        push = Pushed("post", outgoing.body, outgoing.content_type, shown)
        self.api("/api/track/v2/").validate_webhook_request(push)


def asked(call: Call) -> Sent:
    kind, shown = call.headers.get("content-type", ""), Headers(dict(call.headers))
    parameters = RequestParameters(header=shown)
    return Sent(HOST, call.path, call.method.lower(), call.body, kind, parameters)


@cache
def book(author: str) -> Book:
    if author == "own":
        return Book({"/": OpenAPI.from_dict(document(OWN))})
    loose = Config(spec_validator_cls=None)  # some defaults of theirs are not of their type
    read = {start: straightened(document(VENDOR / name)) for start, name in FILES.items()}
    return Book({start: OpenAPI.from_dict(found, loose) for start, found in read.items()})


ABSENT = not NAMED and not all((VENDOR / name).is_file() for name in FILES.values())
AUTHORS = [
    pytest.param(
        "vendor",
        marks=pytest.mark.skipif(ABSENT, reason="the vendor's OpenAPI files are not here"),
    ),
    "own",
]
each_author = pytest.mark.parametrize("author", AUTHORS)


# --- the two ends -----------------------------------------------------------------------------


def token_call() -> Call:
    assert ADAPTER.token is not None
    return ADAPTER.sign(ADAPTER.token.encode(ACCOUNT), ACCOUNT, Stamp(0, "n"))


def subscribe_call() -> Call:
    return signed("subscribe", TRACE, "t")


def signed(name: str, question: object, token: str, **settings: str) -> Call:
    if isinstance(question, Order):
        question = replace(question, settings=settings)
    call = getattr(ADAPTER, name).encode(question)
    assert isinstance(call, Call)
    return ADAPTER.sign(call, ACCOUNT | {"access_token": token}, Stamp(0, "a nonce"))


def parcel(account: str, number: str) -> world.Parcel:
    same = world.ReturnNumber.SAME
    return world.Parcel("ups", account, number, "", 0, WHO, THEM, 50_000, same, number)


@dataclass
class Line:
    """Both ends of the wire, with every request and reply held against the documents."""

    book: Book
    depot: Depot
    record: Record
    now_ms: int = 10 * HOUR_MS
    token: str = ""
    said: list[str] = field(default_factory=list)

    def reply(self, call: Call, *, machine_ms: int = MACHINE_MS) -> Answer:
        """What the dialect says to a call that need not be a right one."""
        headers = {name.lower(): text for name, text in call.headers.items()}
        path = call.path.removeprefix("/")
        inbound = Inbound(path, headers, call.body, call.method, machine_ms=machine_ms)
        found = DIALECT.read(inbound, self.depot)
        answer = (
            DIALECT.perform(found, self.depot, self.now_ms) if isinstance(found, Asked) else found
        )
        self.book.hear(call, answer)
        self.said.append(answer.code)
        return answer

    def exchange(self, name: str, question: object = ORDER) -> Answer:
        call = signed(name, question, self.token)
        self.book.ask(call)
        return self.reply(call)


@pytest.fixture
def line(author: str) -> Iterator[Line]:
    depot = Depot(7, Scenario())
    records = []
    for name, number in (("C", NUMBER), ("D", FOREIGN)):
        secrets = {"client_secret": "s", "webhook_credential": "w"}
        account = Account("ups", name, secrets, "http://127.0.0.1/", OptionsBody())
        depot.put_account(account)
        records.append(Record(parcel(name, number), account, None, 0))
    depot.add(records)
    found = Line(book(author), depot, records[0])
    call = token_call()
    found.book.ask(call)
    found.token = json.loads(found.reply(call).body)["access_token"]
    yield found
    assert found.said[0] == "lent"


# --- what is right ----------------------------------------------------------------------------


@each_author
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_told_in_documented_words(line: Line, outcome: Outcome) -> None:
    line.record.script = Script(outcome)
    line.exchange("subscribe", TRACE)
    for name in ("quote", "intercept", "quote", "intercept", "track"):
        line.exchange(name, TRACE if name == "track" else ORDER)
    for _ in range(12):
        line.now_ms += 8 * HOUR_MS
        line.exchange("track", TRACE)
    marks = [mark for mark in line.record.course() if mark.event in DIALECT.announces]
    for mark in marks:
        line.book.push(DIALECT.push(line.record.account, [Announcement("1", line.record, mark)]))
    assert line.said.count("tracked") == 13
    assert marks
    refused = outcome in (Outcome.REFUSED, Outcome.REFUSED_UNLISTED, Outcome.INTERCEPTED_BY_OTHER)
    taken = not refused and outcome is not Outcome.LATE_ACCEPT
    assert line.said[2:4] == ["ELIGIBLE", "000"] if taken else line.said[3] in refusals()


def refusals() -> set[str]:
    return {code.split()[1] for code in ADAPTER.codes if code.startswith("intercept ")} | {"1199"}


@each_author
@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_is_told_in_documented_words(line: Line, reason: Reason) -> None:
    line.record.script = Script(Outcome.REFUSED, Params({"code": reason}))
    body = json.loads(line.exchange("intercept").body)
    assert (body["statusCode"], body["statusMsg"], body["success"]) == ("000", "Success", False)


@each_author
def test_every_end_of_a_withdrawal_is_told_in_documented_words(line: Line) -> None:
    line.record.script = Script(Outcome.RETURNED)
    line.exchange("cancel")
    line.exchange("intercept")
    line.exchange("quote")
    line.exchange("cancel")
    line.exchange("cancel")
    line.exchange("intercept")
    line.now_ms += 20 * HOUR_MS
    line.exchange("cancel")
    assert line.said[1:] == ["1111", "000", "NOT_ELIGIBLE", "000", "1113", "000", "1112"]


@each_author
@pytest.mark.parametrize(
    ("eligibility", "now_ms", "word"),
    [
        ("", HOUR_MS, "UNKNOWN"),
        ("", 10 * HOUR_MS, "ELIGIBLE"),
        ("", 60 * HOUR_MS, "NOT_ELIGIBLE"),
        ("unknown", 10 * HOUR_MS, "UNKNOWN"),
        ("no", 10 * HOUR_MS, "NOT_ELIGIBLE"),
    ],
)
def test_eligibility_has_three_words(line: Line, eligibility: str, now_ms: int, word: str) -> None:
    params = Params({"eligibility": eligibility} if eligibility else {})
    line.record.script, line.now_ms = Script(Outcome.RETURNED, params), now_ms
    line.exchange("quote")
    assert line.said[-1] == word


@each_author
def test_numbers_that_are_not_ours_are_told_apart(line: Line) -> None:
    for name in ("quote", "intercept", "cancel"):
        statuses = [
            line.exchange(name, replace(ORDER, waybill=n)).status for n in (FOREIGN, NOBODYS)
        ]
        assert statuses == [401, 200]
    assert line.exchange("track", Trace((NOBODYS,))).status == 404
    assert line.exchange("subscribe", Trace((NOBODYS, FOREIGN))).status == 400
    assert line.exchange("subscribe", Trace((NUMBER, FOREIGN))).status == 200
    assert line.said[1:] == ["605", "1101"] * 3 + ["TW0001", "VSS210", "subscribed"]


def bare(call: Call, *names: str) -> Call:
    return replace(call, headers={k: v for k, v in call.headers.items() if k not in names})


def with_body(call: Call, change: Callable[[dict[str, Any]], object]) -> Call:
    body = json.loads(call.body)
    change(body)
    return replace(call, body=json.dumps(body).encode())


@each_author
def test_errors_are_told_in_documented_words(line: Line) -> None:
    for name, question in (("quote", ORDER), ("intercept", ORDER), ("track", TRACE)):
        assert line.reply(signed(name, question, "nonsense")).status == 401
    call = signed("intercept", ORDER, line.token)
    assert line.reply(call, machine_ms=MACHINE_MS + 14_400_000).status == 401
    for name in ("transId", "platformType", "inquiryType", "content-type"):
        assert line.reply(bare(call, name)).code == "710"
    assert line.reply(with_body(call, lambda body: body.pop("reasonForReturn"))).code == "710"
    assert line.reply(bare(signed("track", TRACE, line.token), "transactionSrc")).status == 400
    call = signed("subscribe", TRACE, line.token)
    assert line.reply(bare(call, "transId")).code == "VSS002"
    assert line.reply(with_body(call, lambda body: body.pop("locale"))).code == "VSS300"
    many = with_body(call, lambda body: body.update(trackingNumberList=[NUMBER] * 101))
    assert line.reply(many).code == "VSS220"
    assert line.reply(signed("subscribe", TRACE, "nonsense")).code == "UJ0001"
    assert (
        line.reply(signed("track", TRACE, line.token), machine_ms=2 * MACHINE_MS).code == "251004"
    )
    assert (
        line.reply(replace(token_call(), headers={"authorization": "Basic Qzp4"})).code == "250002"
    )


@each_author
@pytest.mark.parametrize("name", ["quote", "intercept", "cancel", "track", "subscribe"])
@pytest.mark.parametrize("system", [False, True])
def test_being_busy_is_told_in_documented_words(line: Line, name: str, system: bool) -> None:
    question = ORDER if name in ("quote", "intercept", "cancel") else TRACE
    fault = Fault(FaultName.BUSY_CODE, Operation(name), params=Params({"system": system}))
    line.book.hear(signed(name, question, line.token), DIALECT.busy(fault))


@each_author
@pytest.mark.parametrize("reason", ["AM", "AN", "AQ", "AR", "AS", "FA", "KR", "KS", "KV"])
def test_every_reason_for_a_return_is_documented(line: Line, reason: str) -> None:
    call = signed("intercept", ORDER, line.token, reason_for_return=reason)
    line.book.ask(call)
    assert line.reply(call).code == "000"


@each_author
@pytest.mark.parametrize("phone", ["4105550123", "(410) 555-0123", "+1 410.555.0123"])
@pytest.mark.parametrize("name", ["A", "x" * 99, "王小明", "a\nb\x00"])
def test_whoever_asks_is_written_as_documented(line: Line, name: str, phone: str) -> None:
    line.book.ask(signed("cancel", replace(ORDER, sender=Contact(name, phone)), line.token))


# --- and what is wrong is seen ----------------------------------------------------------------


WRONG_CALLS: Mapping[str, Callable[[], Call]] = {
    "no transId": lambda: bare(signed("intercept", ORDER, "t"), "transId"),
    "a transId too long": lambda: with_header(signed("quote", ORDER, "t"), "transId", "x" * 15),
    "another platform": lambda: with_header(signed("quote", ORDER, "t"), "platformType", "WEB"),
    "no token": lambda: bare(signed("intercept", ORDER, "t"), "authorization"),
    "a token where the secret belongs": lambda: with_header(
        token_call(), "authorization", "Bearer t"
    ),
    "no grant": lambda: replace(token_call(), body=b""),
    "a number too short": lambda: shorter(signed("cancel", ORDER, "t")),
    "another version": lambda: at(signed("cancel", ORDER, "t"), "/v2/", "/v3/"),
    "another verb": lambda: at(signed("cancel", ORDER, "t"), "/cancel/", "/undo/"),
    "a field too many": lambda: with_body(
        signed("intercept", ORDER, "t"), lambda body: body.update(reference="r")
    ),
    "a reason that is none": lambda: with_body(
        signed("intercept", ORDER, "t"), lambda body: body.update(reasonForReturn="ZZ")
    ),
    "a national telephone number": lambda: with_body(
        signed("intercept", ORDER, "t"),
        lambda body: body["requesterContactInfo"].update(telephone="4105550123"),
    ),
    "no instructions": lambda: with_body(
        signed("cancel", ORDER, "t"), lambda body: body.pop("specialInstructions")
    ),
    "no transId to track by": lambda: bare(signed("track", TRACE, "t"), "transId"),
    "no source": lambda: bare(subscribe_call(), "transactionSrc"),
    "no locale": lambda: with_body(subscribe_call(), lambda body: body.pop("locale")),
    "a hundred and one numbers": lambda: with_body(
        subscribe_call(), lambda body: body.update(trackingNumberList=[NUMBER] * 101)
    ),
}


def with_header(call: Call, name: str, text: str) -> Call:
    return replace(call, headers={**call.headers, name: text})


def shorter(call: Call) -> Call:
    return replace(call, path=call.path[:-1])


def at(call: Call, part: str, other: str) -> Call:
    return replace(call, path=call.path.replace(part, other))


@each_author
@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_request_is_seen(author: str, name: str) -> None:
    with pytest.raises((ValidationError, PathError)):
        book(author).ask(WRONG_CALLS[name]())


SAID = {"transactionId": "A", "statusCode": "000", "success": True, "errors": None}
EVENT = {"trackingNumber": NUMBER, "activityStatus": {"type": "I", "code": "OT"}}
ELIGIBLE = {
    "interceptFeature": "RTS",
    "eligibilityValue": dict.fromkeys(
        ("createEligibility", "modifyEligibility", "cancelEligibility"), "ELIGIBLE"
    ),
}
RIGHT_REPLIES: Mapping[str, tuple[str, object]] = {
    "instructed": ("intercept", SAID),
    "eligible": ("quote", {"response": {**SAID, "commonEligibilityMap": [ELIGIBLE]}}),
    "subscribed": ("subscribe", {"validTrackingNumbers": [NUMBER]}),
    "tracked": ("track", {"trackResponse": {"shipment": [{"inquiryNumber": NUMBER}]}}),
}
WRONG_REPLIES: Mapping[str, tuple[str, object]] = {
    "success as a text": ("intercept", {**SAID, "success": "true"}),
    "no success": ("intercept", {k: v for k, v in SAID.items() if k != "success"}),
    "a field too many": ("intercept", {**SAID, "interceptId": "1"}),
    "a code too long": ("cancel", {**SAID, "errors": [{"errorCode": "250002"}]}),
    "no code": ("cancel", {**SAID, "errors": [{"errorMessage": "x"}]}),
    "not in its envelope": ("quote", {**SAID, "commonEligibilityMap": [ELIGIBLE]}),
    "no map": ("quote", {"response": SAID}),
    "another word": (
        "quote",
        {
            "response": {
                **SAID,
                "commonEligibilityMap": [
                    {
                        **ELIGIBLE,
                        "eligibilityValue": {
                            **ELIGIBLE["eligibilityValue"],  # type: ignore[dict-item]
                            "createEligibility": "PERHAPS",
                        },
                    }
                ],
            }
        },
    ),
    "no number": ("subscribe", {"validTrackingNumbers": ["1Z"]}),
    "no list": ("track", {"trackResponse": {"shipment": "1Z"}}),
    "a date that is a number": (
        "track",
        {"trackResponse": {"shipment": [{"package": [{"activity": [{"gmtDate": 20231114}]}]}]}},
    ),
}


def replied(author: str, name: str, body: object, status: int = 200) -> None:
    call = signed(name, ORDER if name in ("quote", "intercept", "cancel") else TRACE, "t")
    text = json.dumps(body).encode()
    book(author).hear(call, Answer(text, "", "application/json;charset=UTF-8", status))


@each_author
@pytest.mark.parametrize("case", RIGHT_REPLIES)
def test_a_right_reply_is_let_through(author: str, case: str) -> None:
    replied(author, *RIGHT_REPLIES[case])


@each_author
@pytest.mark.parametrize("case", WRONG_REPLIES)
def test_a_wrong_reply_is_seen(author: str, case: str) -> None:
    with pytest.raises(ValidationError):
        replied(author, *WRONG_REPLIES[case])


@each_author
def test_a_wrong_error_is_seen(author: str) -> None:
    error = {"response": {"errors": [{"code": "710", "message": "x"}]}}
    with pytest.raises(ValidationError):
        replied(author, "intercept", error, 400)  # it has to say its status as well
    with pytest.raises(ValidationError):
        replied(author, "subscribe", error, 400)  # it has to list the numbers as well
    replied(author, "track", error, 400)


@each_author
def test_a_wrong_token_is_seen(author: str) -> None:
    body = json.dumps({"access_token": "t", "expires_in": 14_399}).encode()
    with pytest.raises(ValidationError):
        book(author).hear(token_call(), Answer(body, ""))


@each_author
def test_a_wrong_push_is_seen(author: str) -> None:
    headers = {"User-Agent": "UPSPubSubTrackingService", "Authorization": "Bearer w"}
    right = Outgoing("event", json.dumps(EVENT).encode(), "application/json", headers)
    book(author).push(right)
    for change in (
        {"trackingNumber": "1Z"},
        {"activityStatus": {"type": "Q"}},
        {"gmtActivityTime": "74700"},
        {"gmtActivityDate": "2023-11-14"},
    ):
        with pytest.raises(ValidationError):
            book(author).push(dataclasses.replace(right, body=json.dumps(EVENT | change).encode()))
    for missing in headers:
        fewer = {name: text for name, text in headers.items() if name != missing}
        with pytest.raises(ValidationError):
            book(author).push(dataclasses.replace(right, headers=fewer))
