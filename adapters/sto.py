"""STO Express (申通开放平台): one gateway, a signed form around JSON, replies in JSON or XML.

Documented: what a push holds. Seen: the envelope, requests, tracking. Assumed: every error code,
and that pushes are signed as requests are; so a push is never more than a hint.
"""

from collections.abc import Mapping
from typing import Any

from adapters import markup, strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Cause, Milestone, Order, Reason, Reply, Scan
from gateway.domain.carrier import Verdict as V
from gateway.domain.record import replace

ASSUMED, SEEN = port.Grade.ASSUMED, port.Grade.SEEN
PATH = "/gateway/link.do"
REVERSE, QUERY, PLATFORM_OF_TRACES = "reverse-center", "sto_trace_query", "sto_trace_platform"
SCANS_MAX = 500
OUTLET = "1"  # of opOrgType: neither a hub nor a place that keeps parcels for people

PLATFORM = {  # about our call, not about the parcel: not executed
    **wire.each("S01 S04", Answer(V.BUSY, Reason.BAD_REQUEST, assumed=True)),
    **wire.each("S02 S03", Answer(V.BUSY, Reason.BAD_CREDENTIALS, assumed=True)),
    "S07": Answer(V.BUSY, Reason.CARRIER_SYSTEM, assumed=True),
    "S12": Answer(V.BUSY, Reason.RATE_LIMITED, assumed=True),
}
SUBSCRIBE = wire.refusals({"R000": Reason.BAD_REQUEST, "R001": Reason.UNKNOWN_WAYBILL})
INTERCEPT = {
    **SUBSCRIBE,
    **wire.refusals({"R002": Reason.NOT_PICKED_UP, "R003": Reason.TOO_LATE}),
    **wire.refusals({"R004": Reason.DELIVERED, "R005": Reason.ALREADY_INTERCEPTED}),
    **wire.refusals({"R006": Reason.NOT_ALLOWED}),  # on its return leg
}
CANCEL = {
    **SUBSCRIBE,
    "R101": Answer(V.ABSENT, assumed=True),
    "R102": Answer(V.TOO_LATE, assumed=True),
    "R103": Answer(V.CANCELLED, Reason.ALREADY_CANCELLED, assumed=True),
}

MILESTONES = (
    wire.each("发件 到件", Milestone.IN_TRANSIT)
    | wire.each("派件 第三方代派", Milestone.OUT_FOR_DELIVERY)
    | wire.each("派件入柜 柜机代收 驿站代收 第三方代收", Milestone.OUT_FOR_DELIVERY)  # kept for him
    | {"收件": Milestone.PICKED_UP, "签收": Milestone.SIGNED, "退回件": Milestone.RETURNING}
    | {"问题件": Milestone.NOT_DELIVERED}
    | {"改地址件": Milestone.IN_TRANSIT}  # on its way to somebody, and not to the sender
)
PROSE = ("memo", "opOrgCityName", "opOrgName", "issueName", "signoffPeople", "nextOrgName")


def asking(api: str, to: str, content: Mapping[str, Any]) -> Call:
    """The content and whom it is for; `sign` writes the form that leaves."""
    message = wire.json_text(content).encode()
    return Call("POST", PATH, message, {"api_name": api, "to_appkey": to, "to_code": to})


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    content, key = call.body.decode(), credentials["app_key"]
    digest = wire.base64_text(wire.md5((content + credentials["app_secret"]).encode()))
    sender = {"from_appkey": key, "from_code": credentials.get("from_code") or key}
    fields = {"content": content, "data_digest": digest, **sender, **call.headers}
    return wire.form_call(call.path, fields)


def intercept(order: Order) -> Call:
    fields = {"waybillNo": order.waybill, "interceptForAct": "DEFAULT"}  # no other act is known
    if order.action is port.Action.REDIRECT:
        if (to := order.receiver) is None:
            raise ValueError("STO needs the address the parcel is to go to")
        fields |= {"receiverName": to.name, "receiverTel": to.phone, "receiverCity": to.city}
        fields |= {"receiverProvince": to.province, "receiverArea": to.district}
        fields |= {"receiverAddress": to.street}
    return asking("INTERCEPT_CREATE_STANDARD", REVERSE, fields)


def cancel(order: Order) -> Call:
    return asking("INTERCEPT_DEL_STANDARD", REVERSE, {"waybillNo": order.waybill})


def track(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills  # how many one list may hold is not known
    return asking("STO_TRACE_QUERY_COMMON", QUERY, {"waybillNoList": [waybill], "order": "asc"})


def subscribe(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    wanted = {"subscribeInfoList": [{"waybillNo": waybill}]}
    return asking("STO_TRACE_PLATFORM_SUBSCRIBE", PLATFORM_OF_TRACES, wanted)


def opened(reply: Reply) -> Any:
    xml = reply.body.startswith(b"<")
    return markup.fields(reply.body.decode(), "response") if xml else reply.json()


def reading(
    codes: wire.Codes, yes: Answer, found: wire.Found = wire.told, no: Answer = REFUSED
) -> wire.Decode:
    """Decode an envelope: a yes has no error code, a no with `needRetry` was not executed."""

    def decode(reply: Reply) -> Answer:
        body = opened(reply)
        code, success = strict.optional_token(body["errorCode"]), strict.flag(body["success"])
        if not success:
            again = strict.flag(body.get("needRetry") or False)
            unlisted = Answer(V.BUSY, Reason.CARRIER_SYSTEM, assumed=True) if again else no
            return replace((PLATFORM | codes).get(code, unlisted), code=code)
        strict.yes(reply, code == "")
        data = body.get("data")
        waybill = data.get("waybillNo") if isinstance(data, dict) else None
        return found(replace(yes, waybill=strict.optional_token(waybill)), data)

    return decode


def tracked(answer: Answer, data: Any) -> Answer:
    """Scans by number, which XML carries as a text; a number that nobody has, has none."""
    data = (port.read_json(data) if isinstance(data, str) and data else data) or {}
    scans = tuple(
        scan(strict.token(number), node)
        for number, nodes in data.items()
        for node in strict.several(nodes or [], SCANS_MAX)
    )
    return replace(answer, scans=scans, waybill=strict.token(*data) if len(data) == 1 else "")


def scan(waybill: str, trace: Mapping[str, Any]) -> Scan:
    text, city, org, issue, signer, following = (strict.prose(trace.get(name)) for name in PROSE)
    word, at_ms = strict.prose(trace["scanType"]), strict.local_ms(trace.get("opTime"))
    if not word or trace.get("waybillNo", waybill) != waybill:
        raise ValueError("no scan of this parcel")
    milestone, cause = MILESTONES.get(word, Milestone.OTHER), Cause.UNSTATED
    if word == "到件" and str(trace.get("opOrgType")) == OUTLET and not following:
        milestone = Milestone.AT_DESTINATION  # assumed: nowhere to go but to the addressee
    elif milestone is Milestone.NOT_DELIVERED:
        milestone = strict.problem(issue or text)
    elif milestone is Milestone.RETURNING:
        cause = strict.cause(issue or text)
    signer = signer if milestone is Milestone.SIGNED else ""
    return Scan(waybill, milestone, word, at_ms, city or org, text, signer, cause=cause)


def envelope(push: port.Push) -> tuple[dict[str, Any], Any]:
    """The fields around the content, and the content; a JSON object may be the content itself."""
    fields = strict.fields(push.body)
    if "content" not in fields:
        return {}, {name: fields[name] for name in ("waybillNo", "trace")}
    content = port.read_json(fields["content"])
    strict.distinct(content)
    return fields if len(fields) > 1 else {}, content


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """Assumed: signed as our requests are, and sent to our key. A bare content is only a hint."""
    fields, _ = envelope(push)
    if not fields:
        return port.Tier.T3
    digest = wire.md5((fields["content"] + credentials["app_secret"]).encode())
    genuine = strict.equal(strict.base64_bytes(fields["data_digest"]), digest)
    return port.Tier.T2 if genuine and fields["to_appkey"] == credentials["app_key"] else None


def pushed(push: port.Push) -> port.Delivery:
    fields, content = envelope(push)
    waybill, trace = strict.token(content["waybillNo"]), content["trace"]
    account = strict.optional_token(fields.get("to_appkey"))
    key, scans = strict.token(trace["outBizCode"]), (scan(waybill, trace),)
    return port.Delivery(key, (waybill,), scans, account)


def accept(push: port.Push) -> Reply:
    return wire.json_reply({"success": True})


def reject(push: port.Push, why: str) -> Reply:
    return wire.json_reply({"success": False, "errorMsg": why})


ADAPTER = port.Adapter(
    name="sto",
    network="sto",
    title="STO Express 申通快递",
    docs="https://open.sto.cn",
    hosts=("cloudinter-linkgateway.sto.cn", "cloudinter-linkgatewayonline.sto.cn"),
    credentials=("app_key", "app_secret"),
    settings=("from_code",),
    probe="777000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"subscribe": SUBSCRIBE}),
    waybill=r"[0-9]{12,15}",
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.EVIDENCE, ASSUMED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(intercept, reading(INTERCEPT, RECEIVED), repeatable=False, grade=SEEN),
    track=port.Operation(track, reading({}, RECEIVED, tracked, UNCLEAR), True, grade=SEEN),
    cancel=port.Operation(
        cancel, reading(CANCEL, Answer(V.CANCELLED)), repeatable=True, grade=SEEN
    ),
    subscribe=port.Operation(subscribe, reading(SUBSCRIBE, RECEIVED), repeatable=True, grade=SEEN),
    push=port.Pushes(strict.refusing(verify), strict.strictly(pushed), accept, reject, grade=SEEN),
    complaints=(port.Channel("hotline", "95543"),),  # public knowledge
)
