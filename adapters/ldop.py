"""JD's older call (京东 JOS, LDOP): one method at one address, a signed form, one answer.

Before pick-up it cancels, after it an interception goes out; the answer does not say which.
Documented: the method, its fields, 100 and 108. Assumed: the signature, every other code, what the
answer is wrapped in. Where the parcel is, the newer channel of the same network tells.
"""

from typing import Any

from adapters import strict, wire
from adapters.wire import REFUSED
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Reason, Reply, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED = port.Grade.ASSUMED, port.Grade.DOCUMENTED
PATH = "/routerjson"
METHOD = "jingdong.ldop.receive.order.intercept"
PARAMS, ANSWER, ERROR = (
    "360buy_param_json",
    f"{METHOD.replace('.', '_')}_responce",
    "error_response",
)
MERCHANT = 1  # whose code the canceller's is: assumed

PLATFORM = (  # about our call, not about the parcel: not executed; all of them assumed
    wire.each("18 19 20 21 22 23", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("24 25 26", Answer(Verdict.BUSY, Reason.BAD_REQUEST, assumed=True))
    | wire.each("90", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("43 67", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
)
INTERCEPT = {
    "100": Answer(Verdict.ACCEPTED),
    "108": Answer(Verdict.DUPLICATE),
    "101": Answer(Verdict.RECEIVED, assumed=True),  # 异步返回: asking again tells
    "102": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
    "103": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "104": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "105": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "107": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "106": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """The parameters get the time of the cancellation, and leave in a signed envelope."""
    now, secret = wire.local_time(stamp.unix_ms), credentials["app_secret"]
    fields = {"method": METHOD, "app_key": credentials["app_key"], "timestamp": now}
    fields |= {"access_token": credentials["access_token"], "format": "json", "v": "2.0"}
    fields |= {PARAMS: wire.json_text(port.read_json(call.body) | {"cancelTime": now})}
    text = secret + "".join(name + fields[name] for name in sorted(fields)) + secret
    return wire.form_call(call.path, fields | {"sign": wire.md5(text.encode()).hex().upper()})


def intercept(order: port.Order) -> Call:
    if order.action is not port.Action.RETURN:
        raise ValueError("JD only brings a parcel back")
    if not (vendor := order.settings.get("vendor_code")):
        raise ValueError("JD needs a vendor_code")
    fields: dict[str, Any] = {"vendorCode": vendor, "deliveryId": order.waybill}
    fields |= {"interceptReason": "用户取消订单", "cancelOperatorCodeType": MERCHANT}
    fields["cancelOperator"] = order.settings.get("operator") or vendor
    return wire.json_call(PATH, fields)


def intercepted(reply: Reply) -> Answer:
    body = reply.json()
    if (ERROR in body) is (ANSWER in body):
        raise ValueError("neither an answer nor an error, or both")
    if ERROR in body:
        code = strict.token(body[ERROR]["code"])
        return replace(PLATFORM[code], code=code)
    outer = body[ANSWER]
    if strict.token(outer["code"]) != "0" or reply.status != 200:
        raise ValueError("an answer with an error")
    told = outer["resultInfo"]
    code, waybill = strict.token(told["stateCode"]), strict.optional_token(told.get("deliveryId"))
    return replace(INTERCEPT.get(code, REFUSED), code=code, waybill=waybill)


ADAPTER = port.Adapter(
    name="ldop",
    network="jd",
    title="JD Logistics 京东物流 (JOS)",
    docs="https://jos.jd.com",
    hosts=("api.jd.com",),
    credentials=("app_key", "app_secret", "access_token"),
    settings=("vendor_code", "operator"),
    probe="JDV999999999999",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT}),
    waybill=r"JD[A-Z]{0,2}[0-9]{9,18}",
    dedup=port.Fact(port.Dedup.WAYBILL, DOCUMENTED),  # 108
    promise_on=port.Fact(port.Promise.REPLY, DOCUMENTED),  # 100
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(False, ASSUMED),
    window=port.Fact(wire.ON_THE_WAY | {port.Status.NOT_PICKED_UP}, ASSUMED),  # as at jdl
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    intercept=port.Operation(intercept, intercepted, repeatable=True),
    complaints=(port.Channel("hotline", "950616"),),  # public knowledge
)
