"""SF Express (顺丰丰桥): one address, a signed form around JSON, unsigned pushes.

Platform codes, 8019 and most scan codes are public; the refusals of an interception are assumed.
"""

import re
from collections.abc import Mapping
from typing import Any

from adapters import markup, strict, wire
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Order, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, SEEN = port.Grade.ASSUMED, port.Grade.SEEN
PATH = "/std/service"
TRACK_MAX, ROUTES_MAX = 10, 100  # numbers in a request; routes in a push, where ten are documented
SERVICE_CODES = {port.Action.REDIRECT: "1", port.Action.RETURN: "2"}
MONTHLY = {"3", "4"}  # pay modes that need a monthly card
XML = b"content="  # how a push of the older generation begins
XML_ACCEPTED = '<Response service="RoutePushService"><Head>OK</Head></Response>'
XML_REJECTED = XML_ACCEPTED.replace("OK</Head>", 'ERR</Head><ERROR code="4001">{}</ERROR>')

PLATFORM = (  # about our call, not about the parcel: not executed; S0003 may have failed half-way
    wire.each("A1001 A1002 A1007 A1010", Answer(Verdict.BUSY, Reason.BAD_REQUEST))
    | wire.each("A1003 A1004 A1006 A1011", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS))
    | wire.each("A1005", Answer(Verdict.BUSY, Reason.RATE_LIMITED))
    | wire.each("S0001", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM))
    | wire.each("S0003", Answer(Verdict.UNKNOWN, Reason.CARRIER_SYSTEM))
    | wire.each("S0002 S0004 S0005 S0006 S0007", Answer(Verdict.REFUSED, Reason.BAD_REQUEST))
)
UNKNOWN_WAYBILL = Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True)
INTERCEPT = {
    "S0000": Answer(Verdict.ACCEPTED, path=port.Path.INTERCEPTED),
    "8024": UNKNOWN_WAYBILL,
    "8151": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "8152": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "8153": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "8154": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "8155": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}
CANCEL = {
    "S0000": Answer(Verdict.CANCELLED),
    "8019": Answer(Verdict.CANCELLED, Reason.ALREADY_CANCELLED, assumed=True),
    "8156": Answer(Verdict.ABSENT, assumed=True),  # no such instruction
    "8157": Answer(Verdict.TOO_LATE, assumed=True),
}
CANCEL_ORDER = {
    "S0000": Answer(Verdict.ACCEPTED, path=port.Path.CANCELLED_BEFORE_PICKUP),
    "8019": Answer(Verdict.REFUSED, Reason.ALREADY_CANCELLED),  # or confirmed: SF does not say
    "8024": UNKNOWN_WAYBILL,
}
TRACK = {"S0000": wire.RECEIVED}
SUBSCRIBE = {"S0000": wire.RECEIVED, "8024": UNKNOWN_WAYBILL}

MILESTONES = (  # 310 is a transit code, its being the last one assumed; so are 655 to 657
    wire.each("50 54", Milestone.PICKED_UP)
    | wire.each("30 31 36 105 106", Milestone.IN_TRANSIT)
    | {"310": Milestone.AT_DESTINATION, "44": Milestone.OUT_FOR_DELIVERY}
    | {"204": Milestone.OUT_FOR_DELIVERY, "70": Milestone.NOT_DELIVERED, "80": Milestone.SIGNED}
    | {"648": Milestone.RETURNING, "655": Milestone.LOST}
    | {"656": Milestone.DAMAGED, "657": Milestone.FOUND}
)
CAUSES = wire.each("拦截 截单", port.Cause.INTERCEPTION)
CAUSES |= {"拒收": port.Cause.ADDRESSEE_REFUSED, "地址不详": port.Cause.BAD_ADDRESS}
RETURN_NUMBER = re.compile(r"快件已退回/转寄[,，] ?新单号为[:：] ?(SF[0-9]{10,15}|[0-9]{12})\b")
SIGNER = re.compile(r"已签收[(（](收件人|寄件人)签收[)）]")


def service(code: str, fields: Mapping[str, Any]) -> Call:
    """The message and what it is for; `sign` writes the form that leaves."""
    return Call("POST", PATH, wire.json_text(fields).encode(), {"serviceCode": code})


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    message, timestamp = call.body.decode(), str(stamp.unix_ms)
    text = wire.java_url_encode(message + timestamp + credentials["checkword"])
    digest = wire.base64_text(wire.md5(text.encode("ascii")))
    form = {"partnerID": credentials["partner_id"], "requestID": stamp.nonce, **call.headers}
    form |= {"msgData": message, "timestamp": timestamp, "msgDigest": digest}
    return wire.form_call(call.path, form)


def instruction(order: Order, fields: Mapping[str, Any]) -> Call:
    card = order.settings.get("monthly_card", "")
    pay_mode = order.settings.get("pay_mode", "4" if card else "1")
    if pay_mode in MONTHLY and not card:
        raise ValueError("this pay_mode needs a monthly_card")
    parcel = {"waybillNo": order.waybill, "serviceCode": SERVICE_CODES[order.action]}
    payer = {"role": order.settings.get("role", "1"), "payMode": pay_mode}
    payer |= {"monthlyCardNo": card} if card else {}
    return service("EXP_RECE_WANTED_INTERCEPT", parcel | payer | dict(fields))


def intercept(order: Order) -> Call:
    target = order.sender if order.action is port.Action.RETURN else order.receiver
    if target is None:
        raise ValueError("SF needs the address the parcel is to go to")
    place = {"province": target.province, "city": target.city, "county": target.district}
    person = {"address": target.street, "contact": target.name, "phone": target.phone}
    return instruction(order, {"newDestAddress": place | person})


def cancel(order: Order) -> Call:
    return instruction(order, {"cancel": True, "cusId": strict.token(order.reference)})


def cancel_order(order: Order) -> Call:
    fields = {"orderId": strict.token(order.order_no), "dealType": 2}
    return service("EXP_RECE_UPDATE_ORDER", fields)


def track(trace: port.Trace) -> Call:
    if not 1 <= len(trace.waybills) <= TRACK_MAX:
        raise ValueError("SF tracks one to ten parcels a request")
    fields = {"trackingType": "1", "trackingNumber": list(trace.waybills), "methodType": "1"}
    fields |= {"checkPhoneNo": trace.phone_tail} if trace.phone_tail else {}
    return service("EXP_RECE_SEARCH_ROUTES", fields | {"language": "zh-CN"})


def subscribe(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    fields = {"type": "2", "attributeNo": waybill, "checkPhoneNo": trace.phone_tail}
    return service("EXP_RECE_REGISTER_ROUTE", fields | {"language": "zh-CN", "country": "CN"})


def opened(reply: Reply, table: dict[str, Answer], no: Answer = wire.REFUSED) -> tuple[Answer, Any]:
    """The envelope's word and payload; `no` is for a no whose code is unlisted, never A1xxx."""
    outer = reply.json()
    platform, result = strict.token(outer["apiResultCode"]), outer.get("apiResultData")
    if platform != "A1000":
        return replace(PLATFORM[platform], code=platform), None
    inner = port.read_json(result) if isinstance(result, str) else result
    code = strict.token(inner["errorCode"] if "errorCode" in inner else inner["code"])
    success = strict.flag(inner["success"])
    if success is not (code == "S0000") or (success and reply.status != 200):
        raise ValueError("yes and no at once")
    held = [inner[key] for key in ("msgData", "obj", "data") if inner.get(key) is not None]
    payload = held[0] if success and held else None
    waybill = strict.optional_token((payload or {}).get("waybillNo"))
    return replace((PLATFORM | table).get(code, no), code=code, waybill=waybill), payload


def intercepted(reply: Reply) -> Answer:
    answer, payload = opened(reply, INTERCEPT)
    if answer.verdict is not Verdict.ACCEPTED:
        return answer
    if payload is None:  # a yes without an instruction or a fee: no more than a receipt
        return Answer(Verdict.RECEIVED, code=answer.code, assumed=True)
    amount = payload.get("amount")
    fee_minor = None if amount is None else strict.minor(amount)
    return replace(answer, reference=strict.token(payload["cusId"]), fee_minor=fee_minor)


def order_cancelled(reply: Reply) -> Answer:
    answer, payload = opened(reply, CANCEL_ORDER)
    if answer.verdict is not Verdict.ACCEPTED:
        return answer
    numbers = [strict.token(entry["waybillNo"]) for entry in payload.get("waybillNoInfoList") or ()]
    answer = replace(answer, waybill=numbers[0] if len(numbers) == 1 else "")
    mismatch = replace(answer, verdict=Verdict.REFUSED, reason=Reason.UNKNOWN_WAYBILL, path=None)
    return {"2": answer, "1": mismatch}[strict.token(payload["resStatus"])]


def tracked(reply: Reply) -> Answer:
    answer, payload = opened(reply, TRACK, wire.UNCLEAR)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    parcels = [(strict.token(each["mailNo"]), each["routes"]) for each in payload["routeResps"]]
    scans = tuple(scan(waybill, route) for waybill, routes in parcels for route in routes or ())
    return replace(answer, waybill=parcels[0][0] if len(parcels) == 1 else "", scans=scans)


def scan(waybill: str, route: Mapping[str, Any]) -> Scan:
    code, remark = strict.token(route["opCode"]), strict.prose(route.get("remark"))
    milestone = MILESTONES.get(code, Milestone.OTHER)
    causes = {cause for word, cause in CAUSES.items() if word in remark}
    if milestone is Milestone.NOT_DELIVERED and causes == {port.Cause.ADDRESSEE_REFUSED}:
        milestone = Milestone.ADDRESSEE_REFUSED
    at_ms = strict.local_ms(route.get("acceptTime"))
    place = strict.prose(route.get("acceptAddress"))
    seen = Scan(waybill, milestone, code, at_ms, place, remark)
    if milestone is Milestone.SIGNED and (signer := SIGNER.search(remark)):
        return replace(seen, signer=signer[1])
    if milestone is not Milestone.RETURNING:
        return seen
    number, cause = RETURN_NUMBER.search(remark), port.Cause.UNSTATED
    cause = causes.pop() if len(causes) == 1 else cause
    return replace(seen, return_waybill=number[1] if number else "", cause=cause)


def unsigned(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    return port.Tier.T3


def pushed(push: port.Push) -> port.Delivery:
    if push.body.startswith(XML):
        routes = markup.rows(strict.parse_form(push.body)["content"], "Request", "WaybillRoute")
    else:
        routes = port.read_json(push.body)["Body"]["WaybillRoute"]
    routes = strict.several(routes, ROUTES_MAX, least=1)
    scans = tuple(scan(strict.token(route["mailno"]), route) for route in routes)
    waybills = tuple(dict.fromkeys(each.waybill for each in scans))
    return port.Delivery(wire.sha256(push.body).hex(), waybills, scans)


def accept(push: port.Push) -> Reply:
    if push.body.startswith(XML):
        return wire.xml_reply(XML_ACCEPTED)
    return wire.json_reply({"return_code": "0000", "return_msg": "成功"})


def reject(push: port.Push, why: str) -> Reply:
    if push.body.startswith(XML):
        return wire.xml_reply(XML_REJECTED.format(wire.xml_text(why)))
    return wire.json_reply({"return_code": "1000", "return_msg": why})


ADAPTER = port.Adapter(
    name="sf",
    network="sf",
    title="SF Express 顺丰速运",
    docs="https://open.sf-express.com",
    hosts=("sfapi.sf-express.com", "bspgw.sf-express.com"),
    credentials=("partner_id", "checkword"),
    settings=("monthly_card", "pay_mode", "role"),
    probe="SF0000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"cancel_order": CANCEL_ORDER, "track": TRACK, "subscribe": SUBSCRIBE}),
    waybill=r"SF[0-9]{10,15}|[0-9]{12}",
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.REPLY, SEEN),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("reply", SEEN),
    reintercept=port.Fact(False, ASSUMED),  # documented for a sibling product
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),  # lower edge seen, upper edge the sibling's
    intercept=port.Operation(intercept, intercepted, repeatable=False, grade=SEEN),
    track=port.Operation(track, tracked, repeatable=True, grade=SEEN, batch=TRACK_MAX),
    cancel=port.Operation(cancel, lambda it: opened(it, CANCEL)[0], repeatable=True, grade=SEEN),
    cancel_order=port.Operation(cancel_order, order_cancelled, repeatable=True, grade=SEEN),
    subscribe=port.Operation(
        subscribe, lambda it: opened(it, SUBSCRIBE)[0], repeatable=True, grade=SEEN
    ),
    cancel_needs_reference=True,
    push=port.Pushes(unsigned, strict.strictly(pushed), accept, reject, grade=SEEN),
    complaints=(port.Channel("hotline", "95338"),),  # public knowledge
)
