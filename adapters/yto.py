"""YTO Express (圆通开放平台): one path a method, a signed parameter, signed pushes in XML.

Documented: the signature, scans and where they are shown. Seen: requests, status 0 and 1, 401.
No query and no push of an interception's outcome is known, and no other code is public.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters import markup, strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Cause, Milestone, Order, Reason, Reply, Scan
from gateway.domain.carrier import Verdict as V
from gateway.domain.record import replace

ASSUMED, SEEN = port.Grade.ASSUMED, port.Grade.SEEN
SUBSCRIBE = "/open/subscribe_adapter/v1"
OK, DUPLICATE, NOTHING_YET, SCANS_MAX = "0", "1", "1001", 500
LIVE = "已有有效拦截件"  # what makes status 1 a duplicate, and not another no

PLATFORM = {  # about our call, not about the parcel: not executed
    "400": Answer(V.BUSY, Reason.BAD_REQUEST, assumed=True),
    "401": Answer(V.BUSY, Reason.BAD_CREDENTIALS),
    "404": Answer(V.BUSY, Reason.BAD_CREDENTIALS, assumed=True),  # no such method for this client
    "429": Answer(V.BUSY, Reason.RATE_LIMITED, assumed=True),
    "500": Answer(V.BUSY, Reason.CARRIER_SYSTEM, assumed=True),
}
NOT_SHIPPED = Answer(V.ACCEPTED, path=port.Path.CANCELLED_BEFORE_PICKUP)
ASKED = wire.refusals({"100": Reason.BAD_REQUEST, "101": Reason.UNKNOWN_WAYBILL})
INTERCEPT = {
    OK: RECEIVED,
    DUPLICATE: Answer(V.DUPLICATE, Reason.ALREADY_INTERCEPTED),  # whoever asked first
    **ASKED,
    **wire.refusals({"102": Reason.NOT_PICKED_UP, "103": Reason.TOO_LATE}),
    **wire.refusals({"104": Reason.DELIVERED, "105": Reason.NOT_ALLOWED}),  # on its return leg
}
CANCEL = {
    OK: Answer(V.CANCELLED),
    **ASKED,
    "201": Answer(V.ABSENT, assumed=True),
    "202": Answer(V.TOO_LATE, assumed=True),
    "203": Answer(V.CANCELLED, Reason.ALREADY_CANCELLED, assumed=True),
}
CANCEL_ORDER = wire.refusals({"301": Reason.UNKNOWN_WAYBILL, "302": Reason.TOO_LATE})  # picked up
CANCEL_ORDER |= wire.refusals({"303": Reason.ALREADY_CANCELLED})
TRACK = {NOTHING_YET: RECEIVED}

MILESTONES = (
    wire.each("ACCEPT ORDER_BOOKING", Milestone.ORDERED)
    | wire.each("ARRIVAL DEPARTURE AIRSEND AIRPICK", Milestone.IN_TRANSIT)
    | wire.each("SENT_SCAN INBOUND", Milestone.OUT_FOR_DELIVERY)
    | {"GOT": Milestone.PICKED_UP, "SIGNED": Milestone.SIGNED, "FAILED": Milestone.NOT_DELIVERED}
    | {"TMS_RETURN": Milestone.RETURNING, "FORWARDING": Milestone.IN_TRANSIT}  # to whom, unsaid
)
PLACE = re.compile(r"^【([^【】]+)】")
SIGNER = re.compile(r"签收人[:：] ?([^\s,，。)）]+)")


def asking(method: str, fields: Mapping[str, Any]) -> Call:
    """The method and its parameter; `sign` makes the address and the envelope."""
    return wire.json_call(f"/open/{method}/v1", fields)


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """Signed is the very text of the parameter; a form and a JSON object carry it alike."""
    client, suffix = credentials["client_id"], credentials["suffix"]
    _, _, method, version = call.path.split("/")
    param = call.body.decode()
    if call.path == SUBSCRIBE:
        inner = wire.json_text({"clientId": client, **port.read_json(param)})
        outer = {"client_id": client, "msg_type": "online", "logistics_interface": inner}
        param = wire.json_text(outer)
    digest = wire.md5((param + method + version + credentials["app_secret"]).encode())
    fields = {"timestamp": str(stamp.unix_ms), "param": param, "sign": wire.base64_text(digest)}
    path = f"{call.path}/{quote(suffix, safe='')}/{quote(client, safe='')}"
    write = wire.form_call if credentials.get("body_format") == "form" else wire.json_call
    return write(path, fields | {"format": "JSON"})


def intercept(order: Order) -> Call:
    fields = {"waybillNo": order.waybill, "wantedDesc": f"拦截退回 {order.key}"}  # never empty
    if order.action is port.Action.RETURN:
        return asking("wanted_report_adapter", fields)
    if (to := order.receiver) is None:
        raise ValueError("YTO needs the address the parcel is to go to")
    fields |= {"receiverTel": to.phone, "receiverName": to.name, "receiveAddress": to.street}
    fields |= {"receiveCountyName": to.district, "receiveCityName": to.city}
    return asking("wanted_change_adapter", fields | {"receiveProvName": to.province})


def cancel(order: Order) -> Call:
    return asking("wanted_cancel_adapter", {"waybillNo": order.waybill, "dealRemark": "取消拦截"})


def cancel_order(order: Order) -> Call:
    fields = {"logisticsNo": strict.token(order.order_no), "cancelDesc": f"取消订单 {order.key}"}
    return asking("korder_cancel_adapter", fields)


track = wire.about_one("/open/track_query_adapter/v1", "NUMBER")
subscribe = wire.about_one(SUBSCRIBE, "waybillNo")


def refusal(body: Any, codes: wire.Codes, no: Answer = REFUSED) -> Answer:
    """`success`, `code` and `reason`: what the platform says, and some methods."""
    code = strict.token(body["code"])
    if strict.flag(body["success"]):
        raise ValueError("a yes of another shape")
    return replace((PLATFORM | codes).get(code, no), code=code)


def ruling(codes: wire.Codes) -> wire.Decode:
    """Decode `statusCode` and `statusMessage`: what is said of an interception."""

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        if "statusCode" not in body:
            return refusal(body, {})
        code, text = strict.token(body["statusCode"]), strict.prose(body.get("statusMessage"))
        success = strict.flag(body.get("success", code == OK))
        if code == OK or success:
            strict.yes(reply, success, code == OK)
        another = code == DUPLICATE and LIVE not in text
        answer = REFUSED if another else codes.get(code, REFUSED)
        return replace(answer, code=code, waybill=strict.optional_token(body.get("waybillNo")))

    return decode


def echo(name: str, answer: Answer, codes: wire.Codes) -> wire.Decode:
    """Decode a yes that repeats, under `name`, the number it is about."""

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        if "code" in body and not strict.flag(body["success"]):
            return refusal(body, codes)
        strict.token(body[name])
        strict.yes(reply, strict.flag(body.get("success", True)), "code" not in body)
        return replace(answer, waybill=strict.optional_token(body.get("waybillNo")))

    return decode


order_cancelled = echo("logisticsNo", NOT_SHIPPED, CANCEL_ORDER)
subscribed = echo("waybillNo", RECEIVED, ASKED)


def tracked(reply: Reply) -> Answer:
    """A bare list of scans; where there are none, a yes with a code and an empty map."""
    body = reply.json()
    if isinstance(body, dict) and not strict.flag(body["success"]):
        return refusal(body, {}, UNCLEAR)
    strict.yes(reply)
    if isinstance(body, dict):
        ((number, none),) = body["map"].items()
        code, _ = strict.token(body["code"]), strict.several(none, 0)
        return replace(TRACK[code], code=code, waybill=strict.token(number))
    scans = tuple(shown(node) for node in strict.several(body, SCANS_MAX, least=1))
    return replace(RECEIVED, waybill=scans[0].waybill, scans=scans)


def shown(node: Mapping[str, Any]) -> Scan:
    """A tracked scan, in the words of the push: place and signer stand in its prose."""
    text = strict.prose(node.get("processInfo"))
    place, signer = PLACE.search(text), SIGNER.search(text)
    fields = {"mailNo": node["waybill_No"], "infoContent": node["infoContent"], "remark": text}
    fields |= {"acceptTime": node.get("upload_Time"), "city": place and place[1]}
    return scan(fields | {"signedName": signer and signer[1]})


def scan(fields: Mapping[str, Any]) -> Scan:
    text, place, signer = (strict.prose(fields.get(it)) for it in ("remark", "city", "signedName"))
    words = strict.prose(fields.get("questionCause")) or text
    code, at_ms = strict.token(fields["infoContent"]), strict.local_ms(fields.get("acceptTime"))
    milestone, cause = MILESTONES.get(code, Milestone.OTHER), Cause.UNSTATED
    if milestone is Milestone.NOT_DELIVERED:
        milestone = strict.problem(words)
    elif milestone is Milestone.RETURNING:
        cause = strict.cause(words)
    signer = signer if milestone is Milestone.SIGNED else ""
    waybill = strict.token(fields["mailNo"])
    return Scan(waybill, milestone, code, at_ms, place, text, signer, cause=cause)


def update(form: Mapping[str, str]) -> dict[str, Any]:
    return markup.fields(form["logistics_interface"], "UpdateInfo")


@strict.refusing
def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """The digest covers the document; its secret may be that of a second application."""
    form = strict.parse_form(push.body)
    secret = credentials.get("push_app_secret") or credentials["app_secret"]
    client = credentials.get("push_client_id") or credentials["client_id"]
    digest = wire.md5((form["logistics_interface"] + secret).encode())
    genuine = strict.equal(strict.base64_bytes(form["data_digest"]), digest)
    return port.Tier.T1 if genuine and update(form)["clientID"] == client else None


@strict.strictly
def pushed(push: port.Push) -> port.Delivery:
    fields = update(form := strict.parse_form(push.body))
    waybill, account = strict.token(fields["mailNo"]), strict.token(fields["clientID"])
    scans = (scan(fields),) if fields["infoType"] == "STATUS" else ()
    return port.Delivery(wire.sha256_hex(form["logistics_interface"]), (waybill,), scans, account)


def acknowledged(push: port.Push, success: str = "true", why: str = "") -> Reply:
    """Repeats the order's number; of what cannot be read, none."""
    try:
        order = strict.optional_token(update(strict.parse_form(push.body)).get("txLogisticID"))
    except port.BROKEN:
        order = ""
    fields = {"logisticProviderID": "YTO", "txLogisticID": order, "success": success}
    return wire.xml_reply(wire.xml_fields("Response", fields | {"reason": why}))


ADAPTER = port.Adapter(
    name="yto",
    network="yto",
    title="YTO Express 圆通速递",
    docs="https://open.yto.net.cn",
    hosts=("openapi.yto.net.cn",),
    credentials=("client_id", "app_secret"),
    optional_credentials=("push_app_secret",),
    settings=("suffix", "body_format", "push_client_id"),
    probe="YT0000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"cancel_order": CANCEL_ORDER, "track": TRACK, "subscribe": ASKED}),
    waybill=r"YT[0-9]{13,15}",
    dedup=port.Fact(port.Dedup.WAYBILL, SEEN),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(intercept, ruling(INTERCEPT), repeatable=True, grade=SEEN),
    track=port.Operation(track, tracked, repeatable=True),
    cancel=port.Operation(cancel, ruling(CANCEL), repeatable=True, grade=SEEN),
    cancel_order=port.Operation(cancel_order, order_cancelled, repeatable=True, grade=SEEN),
    subscribe=port.Operation(subscribe, subscribed, repeatable=True, grade=SEEN),
    push=port.Pushes(verify, pushed, acknowledged, lambda it, why: acknowledged(it, "false", why)),
    complaints=(port.Channel("hotline", "95554"),),  # public knowledge
)
