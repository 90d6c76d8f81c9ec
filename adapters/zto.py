"""ZTO Express (中通开放平台): one path an API, a digest over the body, signed pushes.

Documented: requests, the six states, pushed scans. Assumed: every code, all else in the replies.
"""

from collections.abc import Mapping
from typing import Any

from adapters import strict, wire
from adapters.wire import RECEIVED, REFUSED, UNCLEAR
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Cause, Milestone, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

ASSUMED, DOCUMENTED, SEEN = port.Grade.ASSUMED, port.Grade.DOCUMENTED, port.Grade.SEEN
DESTINATIONS = {port.Action.RETURN: "2", port.Action.REDIRECT: "3"}
CUSTOMER = {"customer_id": "customerId", "customer_name": "customerName"}
OK, SCANS_MAX = "SYS000", 500
ACCEPTED = wire.json_reply({"status": True, "message": "", "result": "", "statusCode": OK})

PLATFORM = (  # about our call, not about the parcel: not executed
    wire.each("S206 S207 S208", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("S211", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("S500", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
)
INTERCEPTED = Answer(Verdict.ACCEPTED, path=port.Path.INTERCEPTED)
ABSENT = Answer(Verdict.ABSENT, assumed=True)
TRACK = {
    OK: RECEIVED,
    "S400": Answer(Verdict.REFUSED, Reason.BAD_REQUEST, assumed=True),
    "INT001": Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL, assumed=True),
}
INTERCEPT = {
    **TRACK,
    "INT002": Answer(Verdict.REFUSED, Reason.NOT_PICKED_UP, assumed=True),
    "INT003": Answer(Verdict.REFUSED, Reason.TOO_LATE, assumed=True),
    "INT004": Answer(Verdict.REFUSED, Reason.DELIVERED, assumed=True),
    "INT005": Answer(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED, assumed=True),
    "INT006": Answer(Verdict.REFUSED, Reason.NOT_ALLOWED, assumed=True),  # on its return leg
}
CANCEL = {
    **TRACK,
    OK: Answer(Verdict.CANCELLED),
    "INT101": ABSENT,
    "INT102": Answer(Verdict.TOO_LATE, assumed=True),
    "INT103": Answer(Verdict.CANCELLED, Reason.ALREADY_CANCELLED, assumed=True),
}
QUERY, DECIDED = {"INT101": ABSENT}, {"INC003": ABSENT}
STATES = {
    "INTERCEPTING": RECEIVED,
    **wire.each("INTERCEPT_SUCCESS PACKAGE_DELIVERYING", INTERCEPTED),  # 拦截成功, 退改中
    "INTERCEPT_FAIL": Answer(Verdict.MISSED),
    "INTERCEPT_CANCEL": Answer(Verdict.CANCELLED),
    "INTERCEPT_DISCONTINUE": Answer(Verdict.RECEIVED, assumed=True),  # over; how is not said
}
DECISIONS = {
    "PROCESSING": Answer(Verdict.RECEIVED, assumed=True),
    **wire.each("APPROVED PARTIAL", Answer(Verdict.ACCEPTED, assumed=True)),
    "REJECTED": Answer(Verdict.REFUSED, assumed=True),
}
CLAIMS = {port.ClaimKind.LOST: "lose-claim", port.ClaimKind.DAMAGED: "damage-compensation"}
CLAIMS |= {port.ClaimKind.SHORTAGE: "damage-claim", port.ClaimKind.RETURN_FAILED: "lose-claim"}
MILESTONES = (
    wire.each("DEPARTURE ARRIVAL", Milestone.IN_TRANSIT)
    | wire.each("DISPATCH INBOUND HANDOVERSCAN_SIGNED", Milestone.OUT_FOR_DELIVERY)
    | wire.each("SIGNED DEPARTURE_SIGNED", Milestone.SIGNED)
    | {"GOT": Milestone.PICKED_UP, "RETURN_SCAN": Milestone.RETURNING}
    | {"RETURN_SIGNED": Milestone.RETURN_SIGNED, "PROBLEM": Milestone.NOT_DELIVERED}
    | {"PROBLEM LOST": Milestone.LOST, "PROBLEM FOUND": Milestone.FOUND}
    | {"PROBLEM DAMAGED": Milestone.DAMAGED, "PROBLEM REFUSED": Milestone.ADDRESSEE_REFUSED}
)
CAUSES = {"1": Cause.INTERCEPTION, "2": Cause.ADDRESSEE_REFUSED, "3": Cause.OTHER_INTERCEPTION}
TIERS = {"Traces": port.Tier.T1, "Intercept": port.Tier.T2, "Incident": port.Tier.T2}


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    """The account chooses the digest, its encoding, a timestamp before the body, a form body."""
    form = credentials.get("body_format") == "form"
    call, signed = wire.as_form(call) if form else (call, call.body)
    headers = dict(call.headers) | {"x-companyid": credentials["app_key"]}
    if credentials.get("digest_timestamp") == "true":
        headers["x-timestamp"] = str(stamp.unix_ms)
        signed = str(stamp.unix_ms).encode() + signed
    kind, encoding = (credentials.get(name, "") for name in ("digest", "digest_encoding"))
    key = credentials["secret_key"].encode() if kind == "hmac_sha256" else b""
    raw = wire.DIGESTS[kind or "md5"](key, signed + credentials["app_secret"].encode())
    headers["x-datadigest"] = wire.ENCODINGS[encoding or "base64"](raw)
    return replace(call, headers=headers)


def intercept(order: port.Order) -> Call:
    fields = {"billCode": order.waybill, "requestId": order.key, "thirdBizNo": order.key}
    fields["destinationType"] = DESTINATIONS[order.action]
    fields |= {CUSTOMER[name]: text for name, text in order.settings.items() if name in CUSTOMER}
    if order.action is port.Action.REDIRECT:
        if (to := order.receiver) is None:
            raise ValueError("ZTO needs the address the parcel is to go to")
        fields |= {"receiveUsername": to.name, "receivePhone": to.phone, "receiveCity": to.city}
        fields |= {"receiveProvince": to.province, "receiveDistrict": to.district}
        fields |= {"receiveAddress": to.street}
    return wire.json_call("/thirdcenter.createIntercept", fields)


def query(order: port.Order) -> Call:
    return wire.json_call("/thirdcenter.queryInterceptAndReturnStatus", {"billCode": order.waybill})


def cancel(order: port.Order) -> Call:
    fields = {"billCode": order.waybill, "thirdBizNo": order.key}
    return wire.json_call("/thirdcenter.cancelIntercept", fields)


track = wire.about_one("/zto.merchant.waybill.track.query", "billCode")
subscribe = wire.about_one("/zto.merchant.waybill.track.subsrcibe", "billCode")  # their spelling


def claim(case: port.Case) -> Call:
    name, phone = (case.sender.name, case.sender.phone) if case.sender else ("", "")
    customer = {"name": name, "type": "2", "id": case.settings.get("customer_id", "")}
    incident = {"desc": case.description, "mobile": phone, "billCode": case.waybill}
    incident["type"] = CLAIMS[case.kind]
    extra = {"expectedCompensationAmount": wire.yuan(case.amount_minor)}
    fields = {"customer": customer, "incident": incident, "extraInfo": extra}
    return wire.json_call("/zto.open.merchant.incident.create", {"traceId": case.key, **fields})


def claim_query(case: port.Case) -> Call:
    fields = {"bizNo": strict.token(case.reference), "billCode": case.waybill}
    return wire.json_call("/zto.open.merchant.incident.query", fields)


def reading(codes: wire.Codes, found: wire.Found = wire.told, no: Answer = REFUSED) -> wire.Decode:
    """Decode an envelope: a no is listed, or is `no`; a yes is told by `found` from the payload."""
    listed = PLATFORM | codes

    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code, success = strict.token(body["statusCode"]), strict.flag(body["status"])
        if not success and code != OK:
            return replace(listed.get(code, no), code=code)
        if not success or reply.status != 200 or (code in listed and code != OK):
            raise ValueError("yes and no at once")
        payload = body.get("result") if body.get("data") is None else body["data"]
        waybill = payload.get("billCode") if isinstance(payload, dict) else None
        yes = replace(codes.get(OK, RECEIVED), code=code, waybill=strict.optional_token(waybill))
        return found(yes, payload)

    return decode


def intercepted(answer: Answer, payload: Any) -> Answer:
    return replace(answer, reference=strict.optional_token((payload or {}).get("centerBizNo")))


def queried(answer: Answer, payload: Any) -> Answer:
    return replace(STATES[payload["status"]], code=payload["status"], waybill=answer.waybill)


def tracked(answer: Answer, payload: Any) -> Answer:
    scans = tuple(scan(node) for node in strict.several(payload, SCANS_MAX))
    return replace(answer, scans=scans, waybill=scans[0].waybill if scans else "")


def claimed(answer: Answer, payload: Any) -> Answer:
    return replace(answer, reference=strict.token(payload["bizNo"]))


def decided(answer: Answer, payload: Any) -> Answer:
    status, number = payload["status"], strict.optional_token(payload.get("bizNo"))
    decision = replace(DECISIONS[status], code=status, reference=number, waybill=answer.waybill)
    if decision.verdict is not Verdict.ACCEPTED:
        return decision
    return replace(decision, grant_minor=strict.minor(payload["compensationAmount"]))


def scan(node: Mapping[str, Any]) -> Scan:
    action, city = strict.token(node["action"]), strict.prose(node.get("city"))
    code = f"{action} {strict.optional_token(node.get('problemCode'))}".rstrip()
    milestone = MILESTONES.get(code, MILESTONES.get(action, Milestone.OTHER))
    if action == "ARRIVAL" and not node.get("nextNodeName"):
        milestone = Milestone.AT_DESTINATION  # assumed: nowhere to go but to the addressee
    at_ms, place = strict.local_ms(node.get("actionTime")), strict.prose(node.get("facilityName"))
    text, signer = (strict.prose(node.get(name)) for name in ("desc", "signer"))
    seen = Scan(strict.token(node["billCode"]), milestone, code, at_ms, city or place, text, signer)
    if milestone is not Milestone.RETURNING:
        return seen
    cause = CAUSES.get(strict.optional_token(node.get("returnType")), Cause.UNSTATED)
    return replace(seen, cause=cause, return_waybill=strict.optional_token(node.get("newBillCode")))


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """The digest covers `data` alone, and only the schema of scans is documented."""
    fields = strict.fields(push.body)
    digest = wire.md5(fields["data"].encode() + credentials["app_secret"].encode())
    genuine = strict.equal(strict.base64_bytes(fields["data_digest"]), digest)
    ours = fields["company_id"] == credentials["app_key"]
    return TIERS.get(fields["msg_type"]) if genuine and ours else None


def pushed(push: port.Push) -> port.Delivery:
    fields = strict.fields(push.body)
    node, kind = port.read_json(fields["data"]), fields["msg_type"]
    waybills, account = (strict.token(node["billCode"]),), strict.token(fields["company_id"])
    scans = (scan(node),) if TIERS[kind] is port.Tier.T1 else ()
    return port.Delivery(wire.sha256_hex(f"{kind} {fields['data']}"), waybills, scans, account)


def reject(push: port.Push, why: str) -> Reply:
    return wire.json_reply({"status": False, "message": why, "result": "", "statusCode": "S400"})


ADAPTER = port.Adapter(
    name="zto",
    network="zto",
    title="ZTO Express 中通快递",
    docs="https://open.zto.com",
    hosts=("japi.zto.com", "api.zto.com"),
    credentials=("app_key", "app_secret"),
    optional_credentials=("secret_key",),  # of HmacSHA256
    settings=("digest", "digest_encoding", "digest_timestamp", "body_format", *CUSTOMER),
    probe="000000000000",
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"query": QUERY | STATES, "track": TRACK, "subscribe": TRACK, "claim": TRACK})
    | wire.labelled({"claim_query": DECIDED | DECISIONS}),
    waybill=r"[0-9]{10,15}",
    dedup=port.Fact(port.Dedup.REFERENCE, DOCUMENTED),
    promise_on=port.Fact(port.Promise.EVIDENCE, DOCUMENTED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", SEEN),
    reintercept=port.Fact(True, ASSUMED),
    zone=port.Fact("Asia/Shanghai", ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(intercept, reading(INTERCEPT, intercepted), repeatable=True),
    track=port.Operation(track, reading(TRACK, tracked, UNCLEAR), repeatable=True, grade=SEEN),
    query=port.Operation(query, reading(QUERY, queried, UNCLEAR), repeatable=True),
    cancel=port.Operation(cancel, reading(CANCEL), repeatable=True),
    subscribe=port.Operation(subscribe, reading(TRACK), repeatable=True, grade=SEEN),
    claim=port.Operation(claim, reading(TRACK, claimed), repeatable=True),
    claim_query=port.Operation(
        claim_query, reading(DECIDED, decided, UNCLEAR), repeatable=True, grade=ASSUMED
    ),
    push=port.Pushes(
        strict.refusing(verify), strict.strictly(pushed), lambda push: ACCEPTED, reject
    ),
    complaints=(port.Channel("hotline", "95311"),),  # public knowledge
)
