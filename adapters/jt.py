"""J&T Express China (极兔开放平台): a form around JSON, a digest that leaves the time out.

Documented: the signatures. Seen: requests, batches, the problems that turn a parcel round. Assumed:
all codes but "1", the scans but 11 and 14, and that a push is signed as a request is.
"""

from collections.abc import Mapping
from typing import Any

from adapters import strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED, SEEN = port.Grade.ASSUMED, port.Grade.DOCUMENTED, port.Grade.SEEN
API = "/webopenplatformapi/api"
CANCEL_PATH, SUBSCRIBE_PATH = f"{API}/order/cancelOrder", f"{API}/trace/subscribe"
APPLY_TYPES = {port.Action.RETURN: 4, port.Action.REDIRECT: 5}
ORDER_TYPE = "2"  # assumed: of customers with a contract
SALT = "jadada236t2"
NODES = "&".join(str(node) for node in range(1, 15))
OK, TRACK_MAX, SUBSCRIBE_MAX, SCANS_MAX = "1", 30, 1000, 500
ACCEPTED = wire.json_reply({"code": OK, "msg": "success", "data": "SUCCESS"})

PLATFORM = (  # about our call, not about the parcel: not executed; 145003040 may have failed later
    wire.each("145003010 145003012 145003030", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS))
    | wire.each("145003031 145003051 145003052", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS))
    | wire.each("145003053", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS))
    | wire.each("145003060", Answer(Verdict.BUSY, Reason.RATE_LIMITED))
    | wire.each("145005000", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM))
    | wire.each("145003040", Answer(Verdict.UNKNOWN, Reason.CARRIER_SYSTEM))
    | wire.each("145003050", Answer(Verdict.REFUSED, Reason.BAD_REQUEST))
)
PLATFORM = {code: replace(answer, assumed=True) for code, answer in PLATFORM.items()}
INTERCEPT = {
    OK: RECEIVED,
    "999002001": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
    "999002002": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "999002003": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "999002004": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "999002005": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "999002006": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}
CANCEL_ORDER = {
    OK: Answer(Verdict.ACCEPTED, path=port.Path.CANCELLED_BEFORE_PICKUP),
    "999003001": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
    "999003002": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),  # picked up
    "999003003": Answer(Verdict.REFUSED, Reason.ALREADY_CANCELLED, assumed=True),
}
TRACK = {OK: RECEIVED}
SUBSCRIBE = {OK: RECEIVED, "999002001": INTERCEPT["999002001"]}

MILESTONES = (
    wire.each("2 3 4", Milestone.IN_TRANSIT)
    | wire.each("5 6 7", Milestone.OUT_FOR_DELIVERY)  # with the courier, or at a pick-up point
    | {"1": Milestone.PICKED_UP, "10": Milestone.SIGNED}
    | {"11": Milestone.NOT_DELIVERED, "14": Milestone.RETURNING}
)
PROBLEMS = (  # of scan 11; LOST, FOUND and DAMAGED stand for codes that nobody published
    wire.each("A2 A14", Milestone.ADDRESSEE_REFUSED)
    | wire.each("A4 A25", Milestone.RETURNING)
    | {"A3": Milestone.OTHER, "LOST": Milestone.LOST}  # A3: to another address, from here on
    | {"FOUND": Milestone.FOUND, "DAMAGED": Milestone.DAMAGED}
)
ARRIVAL, PROBLEM, OTHER_ADDRESS = "4", "11", "A3"


def inner_digest(customer: str, credentials: port.Credentials) -> str:
    """Some calls prove, beside the API account, who the customer is."""
    password = wire.md5((credentials["password"] + SALT).encode()).hex().upper()
    return wire.base64_text(wire.md5((customer + password + credentials["private_key"]).encode()))


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    if call.path == CANCEL_PATH:
        customer = port.read_json(call.body)["customerCode"]
        call = wire.completed(call, {"digest": inner_digest(customer, credentials)})
    elif call.path == SUBSCRIBE_PATH:
        call = wire.completed(call, {"Id": credentials["api_account"]})
    digest = wire.md5(call.body + credentials["private_key"].encode())
    headers = {"apiAccount": credentials["api_account"], "digest": wire.base64_text(digest)}
    uuid = credentials.get("uuid", "")  # the console's, where it gives one
    path = f"{call.path}?uuid={wire.java_url_encode(uuid)}" if uuid else call.path
    form = wire.form_call(path, {"bizContent": call.body.decode()})
    return replace(form, headers={**form.headers, **headers, "timestamp": str(stamp.unix_ms)})


def intercept(order: port.Order) -> Call:
    fields = {"mailNo": order.waybill, "applyTypeCode": APPLY_TYPES[order.action]}
    if order.action is port.Action.REDIRECT:
        if (to := order.receiver) is None:
            raise ValueError("J&T needs the address the parcel is to go to")
        fields |= {"receivePhone": to.phone, "receiveUsername": to.name}
        fields |= {"receiveAddress": to.street, "receiveDistrict": to.district}
        fields |= {"receiveCity": to.city, "receiveProvince": to.province}
    return wire.json_call(f"{API}/waybill/intercept", fields)


def cancel_order(order: port.Order) -> Call:
    """The digest stays null until it is signed: it needs the customer's password."""
    customer = strict.token(wire.needed(order.settings, "customer_code"))
    fields = {"customerCode": customer, "digest": None}
    fields |= {"txlogisticId": strict.token(order.order_no)}
    fields |= {"orderType": order.settings.get("order_type", ORDER_TYPE), "reason": "客户取消"}
    return wire.json_call(CANCEL_PATH, fields)


def track(trace: port.Trace) -> Call:
    if not 1 <= len(trace.waybills) <= TRACK_MAX:
        raise ValueError("J&T tracks one to thirty parcels a request")
    return wire.json_call(f"{API}/logistics/trace", {"billCodes": ",".join(trace.waybills)})


def subscribe(trace: port.Trace) -> Call:
    if not 1 <= len(trace.waybills) <= SUBSCRIBE_MAX:
        raise ValueError("J&T subscribes to one to a thousand parcels a request")
    wanted = [{"waybillCode": waybill, "traceNode": NODES} for waybill in trace.waybills]
    return wire.json_call(SUBSCRIBE_PATH, {"Id": None, "list": wanted})


def reading(codes: wire.Codes, found: wire.Found = wire.told, no: Answer = REFUSED) -> wire.Decode:
    """Decode an envelope: a no is listed, or is `no`; a yes is told by `found` from the payload."""
    listed = PLATFORM | codes

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code, _ = strict.token(body["code"]), strict.prose(body["msg"])
        if code != OK:
            return replace(listed.get(code, no), code=code)
        if reply.status != 200:
            raise ValueError("yes and no at once")
        return found(replace(codes[OK], code=code), body.get("data"))

    return decode


def intercepted(answer: Answer, payload: Any) -> Answer:
    """What a yes holds is not public; a parcel that it names is the one it speaks of."""
    number = payload.get("mailNo") if isinstance(payload, dict) else None
    return replace(answer, waybill=strict.optional_token(number))


def tracked(answer: Answer, payload: Any) -> Answer:
    parcels = strict.several([] if payload is None else payload, TRACK_MAX)
    numbers = [strict.token(parcel["billCode"]) for parcel in parcels]
    scans = tuple(scan for parcel in parcels for scan in scans_of(parcel))
    return replace(answer, waybill=numbers[0] if len(numbers) == 1 else "", scans=scans)


def scans_of(parcel: Mapping[str, Any]) -> list[Scan]:
    waybill, nodes = strict.token(parcel["billCode"]), parcel["details"]
    nodes = strict.several([] if nodes is None else nodes, SCANS_MAX)
    return [scan(waybill, node) for node in nodes]


def scan(waybill: str, node: Mapping[str, Any]) -> Scan:
    kind = strict.token(node["scanType"])
    problem = strict.optional_token(node.get("problemType")) if kind == PROBLEM else ""
    milestone = PROBLEMS.get(problem, MILESTONES.get(kind, Milestone.OTHER))
    if kind == ARRIVAL and not node.get("nextStopName"):
        milestone = Milestone.AT_DESTINATION  # assumed: nowhere to go but to the addressee
    at_ms, city = strict.local_ms(node.get("scanTime")), strict.prose(node.get("scanNetworkCity"))
    place, text = (strict.prose(node.get(name)) for name in ("scanNetworkName", "desc"))
    cause = port.Cause.REDIRECT if problem == OTHER_ADDRESS else port.Cause.UNSTATED
    code = f"{kind} {problem}".rstrip()
    return Scan(waybill, milestone, code, at_ms, city or place, text, cause=cause)


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """That pushes are signed as requests are is assumed: they ask for a look, and move nothing."""
    content = strict.parse_form(push.body)["bizContent"]
    digest = wire.md5((content + credentials["private_key"]).encode())
    genuine = strict.equal(strict.base64_bytes(push.headers["digest"]), digest)
    ours = push.headers["apiaccount"] == credentials["api_account"]
    return port.Tier.T2 if genuine and ours else None


def pushed(push: port.Push) -> port.Delivery:
    content = strict.parse_form(push.body)["bizContent"]
    parcel = port.read_json(content)
    scans = tuple(scans_of(parcel))
    return port.Delivery(wire.sha256_hex(content), (strict.token(parcel["billCode"]),), scans)


def reject(push: port.Push, why: str) -> Reply:
    return wire.json_reply({"code": "0", "msg": why, "data": None})


ADAPTER = port.Adapter(
    name="jt",
    network="jt",
    title="J&T Express China 极兔速递",
    docs="https://open.jtexpress.com.cn",
    hosts=("openapi.jtexpress.com.cn",),
    credentials=("api_account", "private_key"),
    optional_credentials=("password",),  # of the customer, for cancelling orders
    settings=("uuid", "customer_code", "order_type"),
    probe="JT0000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "track": TRACK})
    | wire.labelled({"cancel_order": CANCEL_ORDER, "subscribe": SUBSCRIBE}),
    waybill=r"JT[0-9]{13}",
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(
        intercept, reading(INTERCEPT, intercepted), repeatable=False, grade=SEEN
    ),
    track=port.Operation(
        track, reading(TRACK, tracked, UNCLEAR), repeatable=True, grade=SEEN, batch=TRACK_MAX
    ),
    cancel_order=port.Operation(cancel_order, reading(CANCEL_ORDER), repeatable=True, grade=SEEN),
    subscribe=port.Operation(
        subscribe, reading(SUBSCRIBE), repeatable=True, grade=SEEN, batch=SUBSCRIBE_MAX
    ),
    push=port.Pushes(
        strict.refusing(verify), strict.strictly(pushed), lambda push: ACCEPTED, reject, grade=SEEN
    ),
    complaints=(port.Channel("hotline", "956025"),),  # public knowledge
)
