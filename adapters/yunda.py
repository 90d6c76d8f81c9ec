"""Yunda Express (韵达开放平台), provisional: the signature is solid, what follows it is not.

Seen: the signature, the fields of requests and statuses of scans. Unknown: which `inteType` sends a
parcel back (the setting `inte_type` must say it), every code, what a yes holds, how pushes look.
"""

from collections.abc import Mapping
from typing import Any

from adapters import strict, wire
from adapters.wire import REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, SEEN = port.Grade.ASSUMED, port.Grade.SEEN
INTERCEPT_PATH = "/openapi/outer/tmm/outerapi/intercept/invokeExpressChangeAddr"
CANCEL_PATH = "/openapi-api/v1/accountOrder/cancelBmOrder"
TRACKING = "/openapi/outer/logictis"  # their spelling
REDIRECT = "2"  # the one `inteType` that is public
OK, SCANS_MAX = "0000", 500

PLATFORM = (  # about our call, not about the parcel: not executed
    wire.each("1001 1002", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("1003", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("9999", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
    | wire.each("1004", Answer(Verdict.REFUSED, Reason.BAD_REQUEST, assumed=True))
)
RECEIVED = Answer(Verdict.RECEIVED, assumed=True)
UNKNOWN_WAYBILL = Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True)
INTERCEPT = {
    OK: RECEIVED,
    "2001": UNKNOWN_WAYBILL,
    "2002": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "2003": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "2004": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "2005": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "2006": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}
CANCEL_ORDER = {
    OK: Answer(Verdict.ACCEPTED, path=port.Path.CANCELLED_BEFORE_PICKUP, assumed=True),
    "3001": UNKNOWN_WAYBILL,
    "3002": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),  # picked up
    "3003": Answer(Verdict.REFUSED, Reason.ALREADY_CANCELLED, assumed=True),
}
TRACK = {OK: RECEIVED, "4001": replace(UNCLEAR, assumed=True)}  # nobody subscribed to it
SUBSCRIBE = {OK: RECEIVED, "2001": UNKNOWN_WAYBILL}

STATUSES = {  # of a scan whose action is not listed
    "GOT": Milestone.PICKED_UP,
    "TRANSIT": Milestone.IN_TRANSIT,
    "SIGNED": Milestone.SIGNED,
    "RETURN": Milestone.RETURNING,
    "SIGNFAIL": Milestone.NOT_DELIVERED,
}
MILESTONES = (  # RETURN, REJECTION and ISSUE are seen, the other names assumed
    wire.each("DEPARTURE ARRIVAL", Milestone.IN_TRANSIT)
    | wire.each("SENT INBOUND", Milestone.OUT_FOR_DELIVERY)
    | {"GOT": Milestone.PICKED_UP, "SIGNED": Milestone.SIGNED}
    | {"RETURN": Milestone.RETURNING, "REJECTION": Milestone.ADDRESSEE_REFUSED}
    | {"ISSUE": Milestone.NOT_DELIVERED, "ISSUE_LOST": Milestone.LOST}
    | {"ISSUE_FOUND": Milestone.FOUND, "ISSUE_DAMAGED": Milestone.DAMAGED}
)


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """The hour of an instruction, and who cancels, are known only here; then the body is fixed."""
    if call.path == INTERCEPT_PATH:
        call = wire.completed(call, {"interceptCreateTime": wire.local_time(stamp.unix_ms)})
    elif call.path == CANCEL_PATH:
        who = {"appid": credentials["app_key"], "secret": credentials["partner_secret"]}
        call = wire.completed(call, who)
    digest = wire.md5(call.body + b"_" + credentials["app_secret"].encode()).hex()
    headers = {"app-key": credentials["app_key"], "req-time": str(stamp.unix_ms), "sign": digest}
    return replace(call, headers={**call.headers, **headers})


def intercept(order: port.Order) -> Call:
    """A change of address; one back to the sender is named by a word that nobody published."""
    if order.action is port.Action.REDIRECT:
        kind, to = REDIRECT, order.receiver
    else:
        kind, to = wire.needed(order.settings, "inte_type"), order.sender
    if to is None:
        raise ValueError("Yunda needs the address the parcel is to go to")
    sponsor = order.settings.get("sponsor_name", order.sender.name if order.sender else "")
    fields = {"shipId": order.waybill, "startSiteCode": order.settings.get("start_site_code", "")}
    fields |= {"inteType": kind, "changeName": to.name, "changeTel": to.phone}
    fields |= {"changeAddress": f"{to.province}{to.city}{to.district}{to.street}"}
    unsigned = {"interceptSponsorName": sponsor, "interceptCreateTime": None, "remark": order.key}
    return wire.json_call(INTERCEPT_PATH, fields | unsigned)


def cancel_order(order: port.Order) -> Call:
    number = {"order_serial_no": strict.token(order.order_no), "mailno": order.waybill}
    who = {"appid": None, "partner_id": wire.needed(order.settings, "partner_id"), "secret": None}
    return wire.json_call(CANCEL_PATH, who | {"orders": [number]})


track = wire.about_one(f"{TRACKING}/query", "mailno")  # a parcel must be subscribed to before


def subscribe(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    orders = [{"orderid": waybill, "mailno": waybill}]
    return wire.json_call(f"{TRACKING}/subscribe", {"orders": orders})


def reading(codes: wire.Codes, found: wire.Found = wire.told, no: Answer = REFUSED) -> wire.Decode:
    """Decode an envelope: a no is listed, or is `no`; a yes is told by `found` from the payload."""
    listed = PLATFORM | codes

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code, success = strict.token(body["code"]), strict.flag(body["result"])
        if not success and code != OK:
            return replace(listed.get(code, no), code=code)
        if not success or reply.status != 200 or (code in listed and code != OK):
            raise ValueError("yes and no at once")
        return found(replace(codes[OK], code=code), body.get("data"))

    return decode


def intercepted(answer: Answer, payload: Any) -> Answer:
    """A parcel that the payload names is the one it speaks of."""
    number = payload.get("shipId") if isinstance(payload, dict) else None
    return replace(answer, waybill=strict.optional_token(number))


def tracked(answer: Answer, payload: Any) -> Answer:
    waybill, steps = strict.token(payload["mailno"]), payload["steps"]
    steps = strict.several([] if steps is None else steps, SCANS_MAX)
    return replace(answer, waybill=waybill, scans=tuple(scan(waybill, step) for step in steps))


def scan(waybill: str, step: Mapping[str, Any]) -> Scan:
    status, action = (strict.optional_token(step.get(name)) for name in ("status", "action"))
    milestone = MILESTONES.get(action, STATUSES.get(status, Milestone.OTHER))
    if action == "ARRIVAL" and not step.get("next_name"):
        milestone = Milestone.AT_DESTINATION  # assumed: nowhere to go but to the addressee
    at_ms, city = strict.local_ms(step.get("time")), strict.prose(step.get("city"))
    place, text = (strict.prose(step.get(name)) for name in ("station_name", "description"))
    return Scan(waybill, milestone, strict.token(action or status), at_ms, city or place, text)


ADAPTER = port.Adapter(
    name="yunda",
    network="yunda",
    title="Yunda Express 韵达快递",
    docs="https://open.yundaex.com",
    hosts=("openapi.yundaex.com",),
    credentials=("app_key", "app_secret"),
    optional_credentials=("partner_secret",),  # of the customer, for cancelling orders
    settings=("inte_type", "start_site_code", "sponsor_name", "partner_id"),
    provisional=True,
    probe="1000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "track": TRACK})
    | wire.labelled({"cancel_order": CANCEL_ORDER, "subscribe": SUBSCRIBE}),
    waybill=r"[0-9]{13}|[0-9]{15}",
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(
        intercept, reading(INTERCEPT, intercepted), repeatable=False, grade=ASSUMED
    ),
    track=port.Operation(track, reading(TRACK, tracked, UNCLEAR), repeatable=True, grade=SEEN),
    cancel_order=port.Operation(cancel_order, reading(CANCEL_ORDER), repeatable=True, grade=SEEN),
    subscribe=port.Operation(subscribe, reading(SUBSCRIBE), repeatable=True, grade=SEEN),
    push=None,  # Yunda pushes; what, and how it wants to be answered, is not public
    complaints=(port.Channel("hotline", "95546"),),  # public knowledge
)
