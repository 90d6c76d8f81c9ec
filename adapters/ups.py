"""UPS: Delivery Intercept v2, Tracking and Track Alert v2, under a token lent by OAuth 2.

Documented by the vendor's OpenAPI files: requests, forms of replies, codes of Track Alert.
Assumed: why UPS refuses an interception, and most codes of scans.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from adapters import strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Order, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED = port.Grade.ASSUMED, port.Grade.DOCUMENTED
TOKEN, INTERCEPT_API = "/security/v1/oauth/token", "/api/deliveryintercept/v2"
TRACK_API, ALERT_API = "/api/track/v1/details", "/api/track/v2/subscription/standard/package"
JSON = {"content-type": "application/json"}  # as documented: without a charset
SHIPPER = JSON | {"platformType": "XOLT", "inquiryType": "U"}
WAYBILL, PERSON = re.compile(r"1Z[A-Z0-9]{16}"), re.compile(r".{0,29}\S.{0,29}", re.DOTALL)
REASON = re.compile("AM|AN|AQ|AR|AS|FA|KR|KS|KV")  # for a return; AM: the order was cancelled
NAME_MAX, TRANS_ID_MAX, SEVERAL_MAX, SCANS_MAX = 30, 14, 100, 500

CANCELLED = Answer(Verdict.CANCELLED)
UNKNOWN_WAYBILL = Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True)
BAD_REQUEST = Answer(Verdict.REFUSED, Reason.BAD_REQUEST)
NOT_ALLOWED = Answer(Verdict.REFUSED, Reason.NOT_ALLOWED)
LIVE = Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True)
LOCKED_OUT = Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True)
PLATFORM = (  # about our call, our account or their system: not executed
    wire.each("UJ0001 250002 251004", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS))
    | wire.each("404 405 10007", Answer(Verdict.BUSY, Reason.BAD_REQUEST))
    | wire.each("500 0006 10004 VSS100", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM))
)
STATUSES = {401: LOCKED_OUT, 403: LOCKED_OUT}  # where the code beside it is not listed
STATUSES |= {429: Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True)}
COMMON = {"710": BAD_REQUEST, "605": NOT_ALLOWED, "1101": UNKNOWN_WAYBILL}  # 605: not our package
ELIGIBILITY = {"ELIGIBLE": Answer(Verdict.ACCEPTED), "UNKNOWN": Answer(Verdict.UNKNOWN)}
ELIGIBILITY |= {"NOT_ELIGIBLE": NOT_ALLOWED, "NOT_ELIGIBLE LIVE": LIVE}  # the one lives already
NOES = {"1102": Reason.NOT_PICKED_UP, "1103": Reason.TOO_LATE, "1104": Reason.DELIVERED}
NOES |= {"1105": Reason.ALREADY_INTERCEPTED, "1106": Reason.NOT_ALLOWED}  # 1106: on its return leg
INTERCEPT = COMMON | {code: replace(REFUSED, reason=why) for code, why in NOES.items()}
CANCEL = COMMON | {
    "1111": Answer(Verdict.ABSENT, assumed=True),
    "1112": Answer(Verdict.TOO_LATE, assumed=True),
    "1113": Answer(Verdict.CANCELLED, Reason.ALREADY_CANCELLED, assumed=True),
}
TRACK = {"TW0001": UNKNOWN_WAYBILL}
VSS = "VSS000 VSS002 VSS003 VSS004 VSS006 VSS110 VSS200 VSS220 VSS300 VSS310 VSS400 VSS500"
SUBSCRIBE = wire.each(f"{VSS} VSS600 VSS610 VSS700 VSS800 VSS930", BAD_REQUEST)
SUBSCRIBE |= wire.each("VSS210 VSS215", UNKNOWN_WAYBILL)
SUBSCRIBED = {"VALID": RECEIVED, "PARTLY": UNCLEAR, "INVALID": UNKNOWN_WAYBILL}
MILESTONES = (  # by type and code, else type and simplified code: all but I/OT and D/FS assumed
    wire.each("I/OT D/OT I/021 D/021", Milestone.OUT_FOR_DELIVERY)
    | wire.each("D/FS D/011", Milestone.SIGNED)
    | wire.each("X/KR X/KS", Milestone.ADDRESSEE_REFUSED)
    | {"I/OR": Milestone.PICKED_UP, "I/DS": Milestone.AT_DESTINATION, "X/RS": Milestone.RETURNING}
    | {"X/DP": Milestone.DAMAGED, "X/LP": Milestone.LOST, "I/LF": Milestone.FOUND}
)
TYPES = {"M": Milestone.ORDERED, "MV": Milestone.CANCELLED, "I": Milestone.IN_TRANSIT}


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """Nothing is signed: the account proves itself for a token, and the token is shown."""
    shown = {"transId": wire.sha256_hex(stamp.nonce)[:TRANS_ID_MAX], "transactionSrc": "turnback"}
    if call.path == TOKEN:
        proof = wire.basic(credentials["client_id"], credentials["client_secret"])
    else:
        proof = f"Bearer {credentials['access_token']}"
    return replace(call, headers={**call.headers, **shown, "authorization": proof})


def about(order: Order, verb: str) -> str:
    if order.action is not port.Action.RETURN:
        raise ValueError("a redirect of UPS needs a postal code, which an address here has not")
    return f"{INTERCEPT_API}/{verb}/{strict.fitting(WAYBILL, order.waybill)}"


def instruct(order: Order, verb: str) -> Call:
    """The account's contact answers for it, else the sender."""
    person, settings = order.sender or port.Contact("", ""), order.settings
    name = strict.fitting(PERSON, settings.get("requester_name", person.name)[:NAME_MAX])
    phone = settings.get("requester_phone", person.phone)
    contact = {"name": name, "telephone": wire.telephone(phone, settings.get("calling_code", "1"))}
    body = {"requestType": "RS", "requesterContactInfo": contact, "specialInstructions": None}
    if verb == "return":
        body["reasonForReturn"] = strict.fitting(REASON, settings.get("reason_for_return", "AM"))
    return Call("POST", about(order, verb), wire.json_text(body).encode(), SHIPPER)


def track(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    return Call("GET", f"{TRACK_API}/{strict.fitting(WAYBILL, waybill)}", b"")


def subscribe(trace: port.Trace) -> Call:
    waybills = strict.several(list(trace.waybills), SEVERAL_MAX, least=1)
    numbers = [strict.fitting(WAYBILL, waybill) for waybill in waybills]
    body = {"locale": "en_US", "trackingNumberList": numbers}
    return Call("POST", ALERT_API, wire.json_text(body).encode(), JSON)


def reading(
    table: wire.Codes, no: Answer, found: Callable[[Any], wire.T]
) -> Callable[[Reply], wire.T | Answer]:
    """Decode a reply: `found` reads a 200, `response.errors[]` tells what another status means."""

    def decode(reply: Reply) -> wire.T | Answer:
        body = reply.json()
        if reply.status == 200:
            return found(body)
        told = body["response"]
        code = strict.token(strict.several(told["errors"], SEVERAL_MAX, least=1)[0]["code"])
        if reply.status < 400 or told.get("success", False) is not False:
            raise ValueError("yes and no at once")
        return replace((PLATFORM | table).get(code) or STATUSES.get(reply.status, no), code=code)

    return decode


def opened(told: Any, table: wire.Codes, yes: Answer, no: Answer = REFUSED) -> Answer:
    """The word of Delivery Intercept: beside a 200 and `Success` it may be `success: false`."""
    status, errors = strict.token(told["statusCode"]), told.get("errors") or []
    if (success := strict.flag(told["success"])) is bool(errors) or (success and status != "000"):
        raise ValueError("yes and no at once")
    if success:
        return replace(yes, code=status)
    code = strict.token(strict.several(errors, SEVERAL_MAX)[0]["errorCode"])
    return replace((PLATFORM | table).get(code, no), code=code)


def eligible(body: Any) -> Answer:
    answer = opened(told := body["response"], COMMON, RECEIVED, UNCLEAR)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    several = told["commonEligibilityMap"]  # one by the schema, several in its example
    several = several if isinstance(several, list) else [several]
    (value,) = (each["eligibilityValue"] for each in several if each["interceptFeature"] == "RTS")
    live = "ELIGIBLE" in (value["modifyEligibility"], value["cancelEligibility"])
    code = value["createEligibility"]
    code = f"{code} LIVE" if live and code == "NOT_ELIGIBLE" else code
    return replace(ELIGIBILITY[code], code=code)


def tracked(body: Any) -> Answer:
    (shipment,) = body["trackResponse"]["shipment"]
    waybill = strict.token(shipment["inquiryNumber"])
    packages = strict.several(shipment.get("package") or [], SEVERAL_MAX)
    if not packages:  # a warning says why
        code = strict.token(shipment["warnings"][0]["code"])
        return replace(TRACK.get(code, UNCLEAR), code=code, waybill=waybill)
    scans = tuple(found for package in packages for found in activities(package))
    return replace(RECEIVED, waybill=waybill, scans=scans)


def activities(package: Mapping[str, Any]) -> list[Scan]:
    """Newest first. Who took the package is told once: of the last time it was handed over."""
    waybill, scans = strict.token(package["trackingNumber"]), list[Scan]()
    signer = strict.prose((package.get("deliveryInformation") or {}).get("receivedBy"))
    for each in strict.several(package.get("activity") or [], SCANS_MAX):
        at_ms = strict.compact_ms(each.get("gmtDate"), each.get("gmtTime"))
        local = each.get("date"), each.get("time"), each.get("gmtOffset")
        place, status = (each.get("location") or {}).get("address"), each["status"]
        scans.append(scan(waybill, status, place, at_ms or strict.compact_ms(*local)))
        if scans[-1].milestone is Milestone.SIGNED:
            scans[-1], signer = replace(scans[-1], signer=signer), ""
    return scans


def scan(waybill: str, status: Any, place: Any, at_ms: int | None) -> Scan:
    kind, code = strict.token(status["type"]), strict.optional_token(status.get("code"))
    simplified = status.get("statusCode", status.get("descriptionCode"))  # tracking's, a push's
    other = MILESTONES.get(f"{kind}/{simplified}", TYPES.get(kind, Milestone.OTHER))
    milestone = MILESTONES.get(f"{kind}/{code}", other)
    city, text = strict.prose((place or {}).get("city")), strict.prose(status.get("description"))
    return Scan(waybill, milestone, f"{kind}/{code}".rstrip("/"), at_ms, city, text)


def subscribed(body: Any) -> Answer:
    names = ("validTrackingNumbers", "invalidTrackingNumbers")
    taken, left = (strict.several(body.get(name) or [], SEVERAL_MAX) for name in names)
    (first, *more) = map(strict.token, taken + left)
    code = "PARTLY" if taken and left else "VALID" if taken else "INVALID"
    return replace(SUBSCRIBED[code], code=code, waybill="" if more else first)


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """It shows the credential registered for it, which proves nothing about the body."""
    shown = f"Bearer {credentials['webhook_credential']}".encode()
    return port.Tier.T3 if strict.equal(push.headers["authorization"].encode(), shown) else None


def pushed(push: port.Push) -> port.Delivery:
    node = strict.fields(push.body)
    waybill, status = strict.token(node["trackingNumber"]), node["activityStatus"]
    at_ms = strict.compact_ms(node.get("gmtActivityDate"), node.get("gmtActivityTime"))
    told = scan(waybill, status, node.get("activityLocation"), at_ms)
    told = replace(told, signer=strict.prose(node.get("receivedBy")))
    return port.Delivery(wire.sha256(push.body).hex(), (waybill,), (told,))


ADAPTER = port.Adapter(
    name="ups",
    network="ups",
    title="UPS",
    docs="https://developer.ups.com/api/reference/deliveryintercept",
    hosts=("onlinetools.ups.com",),
    credentials=("client_id", "client_secret", "webhook_credential"),
    settings=("requester_name", "requester_phone", "calling_code", "reason_for_return"),
    probe="1Z0000000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "quote": COMMON | ELIGIBILITY, "track": TRACK})
    | wire.labelled({"intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"subscribe": SUBSCRIBE | SUBSCRIBED}),
    waybill=WAYBILL.pattern,
    dedup=port.Fact(port.Dedup.WAYBILL, DOCUMENTED),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", DOCUMENTED),  # no reply to an instruction has a charge
    reintercept=port.Fact(True, ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, DOCUMENTED),  # "a shipment they have sent, prior to delivery"
    zone=port.Fact("UTC", DOCUMENTED),
    subscription_ms=port.Fact(14 * 24 * 3600 * 1000, DOCUMENTED),
    intercept=port.Operation(
        lambda order: instruct(order, "return"),
        reading(INTERCEPT, REFUSED, lambda it: opened(it, INTERCEPT, RECEIVED)),
        repeatable=True,
    ),
    track=port.Operation(track, reading(TRACK, UNCLEAR, tracked), repeatable=True),
    quote=port.Operation(
        lambda order: Call("GET", about(order, "eligibility/intercept"), b"", SHIPPER),
        reading(COMMON, UNCLEAR, eligible),
        repeatable=True,
    ),
    cancel=port.Operation(
        lambda order: instruct(order, "cancel"),
        reading(CANCEL, REFUSED, lambda it: opened(it, CANCEL, CANCELLED)),
        repeatable=True,
    ),
    subscribe=port.Operation(
        subscribe, reading(SUBSCRIBE, REFUSED, subscribed), True, batch=SEVERAL_MAX
    ),
    push=port.Pushes(strict.refusing(verify), strict.strictly(pushed), wire.taken, wire.not_taken),
    token=port.Tokens(lambda _: wire.borrow(TOKEN), reading({}, LOCKED_OUT, strict.lent)),
    complaints=(port.Channel("hotline", "1-800-742-5877"),),  # public knowledge
)
