"""JD Logistics (京东物流, LOP): a signed query string over a JSON array, unsigned pushes.

One verb cancels before pick-up and intercepts after it; its OK is a receipt, and the later status
tells which of the two it was. Documented: its fields, statuses, some states, the push. Assumed:
the questions and replies of status and trace, the refusals, and of the token all but its path.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Any

from adapters import strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Cause, Milestone, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED, SEEN = port.Grade.ASSUMED, port.Grade.DOCUMENTED, port.Grade.SEEN
ORDERS, REFRESH = "/ecap/v1/orders", "/oauth/refresh"
HEADERS = {"content-type": "application/json;charset=utf-8", "lop-tz": "8"}  # hours, as the times
HMACS = {"HMacMD5": "md5", "HMacSHA1": "sha1", "HMacSHA256": "sha256", "HMacSHA512": "sha512"}
B2C = "1"  # of the order origins the usual one for a merchant under contract
CANCEL_TYPES = {"0": 0, "1": 1, "2": 1}  # of an order origin; not told for the others
CODES = {"customer_code": "customerCode", "business_unit_code": "businessUnitCode"}
NEEDED: Mapping[str, tuple[str, ...]] = {  # settings that an order origin needs
    **wire.each("0 2 5", ()),
    "1": ("customer_code",),
    "4": ("business_unit_code",),
}
WINDOW = wire.ON_THE_WAY | {port.Status.NOT_PICKED_UP}
OK, SCANS_MAX = "1000", 500

PLATFORM = (  # about our call, not about the parcel; 2001 and 4000 are public for tracking alone
    wire.each("2001 2002 2003", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("2009", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("4000", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
)
BAD_REQUEST = Answer(Verdict.REFUSED, Reason.BAD_REQUEST, assumed=True)
INTERCEPT = {
    OK: RECEIVED,
    "2004": BAD_REQUEST,
    "2100": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
    "2101": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # C2C after pick-up
    "2201": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "2202": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "2203": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "2204": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
    "2205": Answer(Verdict.REFUSED, Reason.ALREADY_CANCELLED, assumed=True),
}
TRACK = {
    OK: RECEIVED,
    "2004": BAD_REQUEST,
    "2100": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL),
    "2101": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED),
}
STATUSES = {  # on its way says neither that an interception is under way nor that there is none
    **wire.each("100 390 403 420 430 440 500 530 700", Answer(Verdict.RECEIVED, assumed=True)),
    "480": Answer(Verdict.ACCEPTED, path=port.Path.INTERCEPTED),
    "690": Answer(Verdict.ACCEPTED, path=port.Path.CANCELLED_BEFORE_PICKUP),
    "510": Answer(Verdict.MISSED, Reason.DELIVERED),
}
CATEGORIES = {  # level 1; that it stands under this name in a trace is assumed
    **wire.each("100 403", Milestone.ORDERED),
    "420": Milestone.PICKED_UP,
    "430": Milestone.IN_TRANSIT,
    "440": Milestone.OUT_FOR_DELIVERY,
    "510": Milestone.SIGNED,
    "530": Milestone.ADDRESSEE_REFUSED,
    "690": Milestone.CANCELLED,
}
STATES = {  # level 2; the last three are assumed
    "200010": Milestone.CANCELLED,
    **wire.each("200020 200033", Milestone.RETURNING),
    "10035": Milestone.ADDRESSEE_REFUSED,
    "200060": Milestone.OTHER,  # 三方收货退货: to whom it goes back is not told
    "200071": Milestone.LOST,
    "200072": Milestone.FOUND,
    "200073": Milestone.DAMAGED,
}
CAUSES = {"480": Cause.INTERCEPTION, "530": Cause.ADDRESSEE_REFUSED}
NOT_TAKEN = {"200033": Cause.ADDRESSEE_REFUSED}  # 再投后退回, whatever stands beside it
RETURN_NUMBER = re.compile(r"新运单号[:：]? ?(JD[A-Z]{0,2}[0-9]{9,18})(?![0-9A-Z])")


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """Signed is the body as it leaves; the token's own call carries its secrets itself."""
    if call.site:
        return call
    query = {"LOP-DN": "ECAP", "app_key": credentials["app_key"]}
    query |= {"access_token": credentials["access_token"]}
    query |= {"timestamp": wire.local_time(stamp.unix_ms), "v": "2.0"}
    signed = query | {"method": call.path, "param_json": call.body.decode()}
    names = ("access_token", "app_key", "method", "param_json", "timestamp", "v")
    secret = credentials["app_secret"]
    text = secret + "".join(name + signed[name] for name in names) + secret
    algorithm = credentials.get("algorithm") or "md5-salt"
    query |= {"sign": digest(algorithm, secret, text), "algorithm": algorithm}
    return replace(call, path=f"{call.path}?{wire.form_body(query).decode()}")


def digest(algorithm: str, secret: str, text: str) -> str:
    if algorithm == "md5-salt":
        return wire.md5(text.encode()).hex()
    return wire.base64_text(hmac.digest(secret.encode(), text.encode(), HMACS[algorithm]))


def about(verb: str, waybill: str, settings: Mapping[str, str], fields: Mapping[str, Any]) -> Call:
    """One parcel of this account, as an array of one object."""
    origin = settings.get("order_origin") or B2C
    if not all(settings.get(name) for name in NEEDED[origin]):
        raise ValueError(f"this order_origin needs {NEEDED[origin]}")
    parcel = {"waybillCode": waybill, "orderOrigin": int(origin)}
    parcel |= {CODES[name]: text for name, text in settings.items() if name in CODES}
    body = wire.json_text([parcel | dict(fields)]).encode()
    return Call("POST", f"{ORDERS}/{verb}", body, HEADERS)


def intercept(order: port.Order) -> Call:
    if order.action is not port.Action.RETURN:
        raise ValueError("JD only brings a parcel back")
    fields: dict[str, Any] = {"cancelReason": "用户发起取消", "cancelReasonCode": "1"}
    kind = CANCEL_TYPES.get(order.settings.get("order_origin") or B2C)
    fields |= {} if kind is None else {"cancelType": kind}
    return about("cancel", order.waybill, order.settings, fields | {"subscribeIntercept": "1"})


def query(order: port.Order) -> Call:
    return about("status/get", order.waybill, order.settings, {})


def track(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    return about("trace/query", waybill, trace.settings, {})


def subscribe(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    return about("trace/subscribe", waybill, trace.settings, {"mobile": trace.phone_tail})


def refresh(credentials: port.Credentials) -> Call:
    """The names are those of RFC 6749; a refresh token that changes with its use is not kept."""
    fields = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
    fields |= {"client_id": credentials["app_key"], "client_secret": credentials["app_secret"]}
    return replace(wire.form_call(REFRESH, fields), site="oauth_url")


def refreshed(reply: Reply) -> port.Token | Answer:
    body = reply.json()
    if "error" in body:
        code, reason = strict.token(body["error"]), Reason.CARRIER_SYSTEM
        reason = Reason.BAD_CREDENTIALS if code.startswith("invalid_") else reason
        return Answer(Verdict.BUSY, reason, code=code, assumed=True)
    strict.yes(reply, type(body["expires_in"]) is int)
    return strict.lent(body)


def reading(codes: wire.Codes, found: wire.Found = wire.told, no: Answer = REFUSED) -> wire.Decode:
    """Decode the envelope: a no is listed, or is `no`; a yes is told by `found` from the data."""
    listed = PLATFORM | codes

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code, success = strict.token(body["code"]), strict.flag(body["success"])
        if success is not (code == OK) or (success and reply.status != 200):
            raise ValueError("yes and no at once")
        if not success:
            return replace(listed.get(code, no), code=code)
        data = body.get("data")
        waybill = data.get("waybillCode") if isinstance(data, dict) else None
        yes = replace(RECEIVED, code=code, waybill=strict.optional_token(waybill))
        return found(yes, data)

    return decode


def queried(answer: Answer, data: Any) -> Answer:
    status = strict.token(data["status"])
    return replace(STATUSES[status], code=status, waybill=answer.waybill)


def tracked(answer: Answer, data: Any) -> Answer:
    scans = tuple(scan(row) for row in strict.several(data, SCANS_MAX))
    return replace(answer, scans=scans, waybill=scans[0].waybill if scans else "")


def scan(row: Mapping[str, Any]) -> Scan:
    state, category = strict.token(row["state"]), strict.optional_token(row.get("category"))
    milestone = STATES.get(state, CATEGORIES.get(category, Milestone.OTHER))
    city, site = (strict.prose(row.get(name)) for name in ("routeCityName", "operateSite"))
    at_ms, remark = strict.local_ms(row.get("operationTime")), row.get("operationRemark")
    text, waybill = strict.prose(remark), strict.token(row["waybillCode"])
    seen = Scan(waybill, milestone, state, at_ms, city or site, text)
    if milestone is not Milestone.RETURNING:
        return seen
    number, cause = RETURN_NUMBER.search(text), CAUSES.get(category, Cause.UNSTATED)
    cause = NOT_TAKEN.get(state, cause)
    return replace(seen, cause=cause, return_waybill=number[1] if number else "")


def pushed(push: port.Push) -> port.Delivery:
    """No key of an event is told: the whole body is one."""
    told = scan(port.read_json(push.body))
    return port.Delivery(wire.sha256(push.body).hex(), (told.waybill,), (told,))


ADAPTER = port.Adapter(
    name="jdl",
    network="jd",
    title="JD Logistics 京东物流",
    docs="https://cloud.jdl.com",
    hosts=("api.jdl.com", "oauth.jdl.com"),
    credentials=("app_key", "app_secret", "refresh_token"),
    settings=("algorithm", "order_origin", *CODES),
    sites={"oauth_url": "https://oauth.jdl.com"},
    probe="JDV999999999999",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "query": STATUSES})
    | wire.labelled({"track": TRACK, "subscribe": TRACK}),
    waybill=r"JD[A-Z]{0,2}[0-9]{9,18}",
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),  # no field of its reply is public
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", DOCUMENTED),  # the actual fee is known after delivery only
    reintercept=port.Fact(False, ASSUMED),
    window=port.Fact(WINDOW, ASSUMED),  # before and after pick-up documented, upper edge assumed
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    intercept=port.Operation(intercept, reading(INTERCEPT), repeatable=False),
    track=port.Operation(track, reading(TRACK, tracked, UNCLEAR), repeatable=True, grade=ASSUMED),
    query=port.Operation(query, reading({}, queried, UNCLEAR), repeatable=True, grade=ASSUMED),
    subscribe=port.Operation(subscribe, reading(TRACK), repeatable=True),
    push=port.Pushes(
        lambda push, credentials: port.Tier.T3,
        strict.strictly(pushed),
        lambda push: wire.json_reply({"code": "200"}),
        lambda push, why: wire.json_reply({"code": "500", "msg": why}),
        grade=SEEN,  # its fields are documented, how it is acknowledged is not
    ),
    token=port.Tokens(refresh, refreshed, grade=ASSUMED),
    complaints=(port.Channel("hotline", "950616"),),  # public knowledge
)
