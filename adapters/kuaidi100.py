"""Kuaidi100 (快递100), an aggregator: it hands an interception on to the company that carries.

Documented: requests, envelopes, signature. Assumed: every code but 200, what `data` holds, the
body of a callback and that it is signed as its sibling is, the words for kinds of work orders.
"""

from typing import Any

from adapters import strict, wire
from adapters.wire import RECEIVED, REFUSED
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Reason, Reply, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED = port.Grade.ASSUMED, port.Grade.DOCUMENTED
NETWORKS = {  # its code of a company: ours
    "yuantong": "yto",
    "zhongtong": "zto",
    "shentong": "sto",
    "jtexpress": "jt",
    "yunda": "yunda",
    "shunfeng": "sf",
    "jd": "jd",
}
COMPANIES = {network: code for code, network in NETWORKS.items()}
TOLD_BY_CALLBACK = {"zto", "jt", "yto"}  # will not be asked without an address to answer to
WORK_ORDERS = {"yto", "yunda", "jt", "sto"}  # the companies whose work orders it takes
TYPES = {port.Action.RETURN: "RETURN_SEND_ADDR", port.Action.REDIRECT: "MODIFY_ADDR"}
REASONS = {port.Action.RETURN: "客户要求退回", port.Action.REDIRECT: "客户要求更改收件地址"}
SETTINGS = {"partner_id": "partnerId", "partner_name": "partnerName", "net": "net", "code": "code"}
SETTINGS |= {"order_role": "orderRole", "intercept_pay_type": "interceptPayType"}
SETTINGS |= {"callback_url": "callbackUrl"}
SECRETS = {"partner_key": "partnerKey", "partner_secret": "partnerSecret"}
SECRETS |= {"isv_app_key": "appKey", "isv_app_secret": "appSecret", "salt": "salt"}
KINDS = {port.ClaimKind.LOST: "遗失", port.ClaimKind.DAMAGED: "破损"}
KINDS |= {port.ClaimKind.SHORTAGE: "少件", port.ClaimKind.RETURN_FAILED: "遗失"}
OK = "200"
ACCEPTED = wire.json_reply({"result": True, "returnCode": OK, "message": "提交成功"})

PLATFORM = (  # about our call, not about the parcel: not executed
    wire.each("503 601", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("401", Answer(Verdict.BUSY, Reason.BAD_REQUEST, assumed=True))  # the envelope
    | wire.each("502", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("501", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
)
ASKED = {
    OK: RECEIVED,
    "400": Answer(Verdict.REFUSED, Reason.BAD_REQUEST, assumed=True),
    "30001": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
    "30007": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # not with this company
}
INTERCEPT = {
    **ASKED,
    "30002": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "30003": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "30004": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "30005": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "30006": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """The keys of the merchant's contract with the company, and the salt that its callbacks are
    signed with, are secrets inside an interception's own text.
    """
    fields = port.read_json(call.body)
    if "method" in call.headers:
        fields |= {SECRETS[name]: credentials[name] for name in SECRETS if credentials.get(name)}
    param, t = wire.json_text(fields), str(stamp.unix_ms)
    text = f"{param}{t}{credentials['key']}{credentials['secret']}"
    digest = wire.md5(text.encode()).hex().upper()
    form = {"key": credentials["key"], "sign": digest, "t": t, "param": param}
    return wire.form_call(call.path, {**call.headers, **form})


def intercept(order: port.Order) -> Call:
    given = {SETTINGS[name]: text for name, text in order.settings.items() if name in SETTINGS}
    if order.network not in COMPANIES:
        raise ValueError("a company that we do not know Kuaidi100's code of")
    if order.network in TOLD_BY_CALLBACK and not given.get("callbackUrl"):
        raise ValueError("this company is not asked without a callback_url")
    fields = {"kuaidicom": COMPANIES[order.network], "kuaidinum": order.waybill}
    fields |= {"interceptType": TYPES[order.action], "reason": REASONS[order.action]}
    fields |= {"orderid": order.order_no} if order.order_no else {}
    param: dict[str, Any] = fields | given
    if order.action is port.Action.REDIRECT:
        if (to := order.receiver) is None:
            raise ValueError("Kuaidi100 needs the address the parcel is to go to")
        address = f"{to.province}{to.city}{to.district}{to.street}"
        param["recManInfo"] = {"name": to.name, "mobile": to.phone, "printAddr": address}
    body = wire.json_text(param).encode()
    return Call("POST", "/label/order", body, {"method": "interceptOrder"})


def claim(case: port.Case) -> Call:
    if case.network not in WORK_ORDERS:
        raise ValueError("Kuaidi100 takes no work orders for this company")
    kind, callback = KINDS[case.kind], case.settings.get("callback_url")
    desc = {"content": case.description or kind}
    fields = {"secondType": kind, "kuaidinum": case.waybill, "desc": desc}
    fields |= {"callBackUrl": callback} if callback else {}
    fields["modityValue"] = wire.yuan(case.amount_minor)  # their spelling
    return Call("POST", "/workorder/api/create", wire.json_text(fields).encode())


def reading(codes: wire.Codes, found: wire.Found) -> wire.Decode:
    """Decode an envelope: 200 is its only yes, and `success`, where it is there, agrees."""
    listed = PLATFORM | codes

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code = strict.token(body["code"])
        success = strict.flag(body.get("success", code == OK))
        if success is not (code == OK) or (success and reply.status != 200):
            raise ValueError("yes and no at once")
        answer = replace(listed.get(code, REFUSED), code=code)
        return found(answer, body.get("data")) if success else answer

    return decode


def intercepted(answer: Answer, payload: Any) -> Answer:
    """What `data` holds is not published: what is no object names neither task nor parcel."""
    named = payload if isinstance(payload, dict) else {}
    task, number = (strict.optional_token(named.get(name)) for name in ("taskId", "kuaidinum"))
    return replace(answer, reference=task, waybill=number)


def claimed(answer: Answer, payload: Any) -> Answer:
    waybill = strict.optional_token(payload.get("kuaidinum"))
    return replace(answer, reference=strict.token(payload["id"]), waybill=waybill)


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """Keyed with our salt and over the whole text, but documented of a sibling only."""
    fields, salt = strict.parse_form(push.body), credentials["salt"]
    digest = wire.md5(f"{fields['param']}{salt}".encode()).hex()
    genuine = strict.equal(fields["sign"].lower().encode(), digest.encode())
    return port.Tier.T2 if genuine and salt else None


def pushed(push: port.Push) -> port.Delivery:
    """That something changed with a parcel, no more: how the states are called is not known."""
    param = strict.parse_form(push.body)["param"]
    told = port.read_json(param)
    waybills, network = (strict.token(told["kuaidinum"]),), NETWORKS[told["kuaidicom"]]
    return port.Delivery(wire.sha256_hex(param), waybills, network=network)


def reject(push: port.Push, why: str) -> Reply:
    return wire.json_reply({"result": False, "returnCode": "500", "message": why})


ADAPTER = port.Adapter(
    name="kuaidi100",
    network="kuaidi100",
    networks=NETWORKS,
    title="Kuaidi100 快递100",
    docs="https://api.kuaidi100.com",
    hosts=("api.kuaidi100.com",),
    credentials=("key", "secret", "salt"),
    optional_credentials=tuple(name for name in SECRETS if name != "salt"),
    settings=tuple(SETTINGS),
    probe="YT0000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "claim": ASKED}),
    waybill=r"[A-Z]{0,4}[0-9]{8,18}",  # of any company in NETWORKS
    dedup=port.Fact(port.Dedup.NONE, ASSUMED),
    promise_on=port.Fact(port.Promise.EVIDENCE, DOCUMENTED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", ASSUMED),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, DOCUMENTED),
    intercept=port.Operation(intercept, reading(INTERCEPT, intercepted), repeatable=False),
    claim=port.Operation(claim, reading(ASKED, claimed), repeatable=False),
    push=port.Pushes(
        strict.refusing(verify), strict.strictly(pushed), lambda push: ACCEPTED, reject, ASSUMED
    ),
)
