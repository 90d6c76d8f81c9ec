"""ZTO Express (中通开放平台): one path an API, a digest over the body, signed pushes.

Requests and the six states of an interception are documented; its status codes are not public,
nor are problem and return types, the track reply, and the decision on a claim: all assumed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters import wire
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Order, Reason, Reply, Scan, Verdict

ASSUMED, DOCUMENTED, SEEN = port.Grade.ASSUMED, port.Grade.DOCUMENTED, port.Grade.SEEN
DESTINATIONS = {port.Action.RETURN: "2", port.Action.REDIRECT: "3"}
OK = "SYS000"
SCANS_MAX = 500

PLATFORM = (  # about our call, not about the parcel: not executed
    wire.each("S206 S207 S208", Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS, assumed=True))
    | wire.each("S211", Answer(Verdict.BUSY, Reason.RATE_LIMITED, assumed=True))
    | wire.each("S500", Answer(Verdict.BUSY, Reason.CARRIER_SYSTEM, assumed=True))
)
REFUSED = Answer(Verdict.REFUSED, Reason.UNLISTED, assumed=True)
UNCLEAR = Answer(Verdict.UNKNOWN, Reason.UNLISTED)  # a query refused says nothing of its object
RECEIVED = Answer(Verdict.RECEIVED)
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
QUERY = {OK: RECEIVED, "INT101": ABSENT}
STATES = {
    "INTERCEPTING": RECEIVED,
    **wire.each("INTERCEPT_SUCCESS PACKAGE_DELIVERYING", INTERCEPTED),  # 拦截成功, 退改中
    "INTERCEPT_FAIL": Answer(Verdict.MISSED),
    "INTERCEPT_CANCEL": Answer(Verdict.CANCELLED),
    "INTERCEPT_DISCONTINUE": Answer(Verdict.RECEIVED, assumed=True),  # over; how is not said
}
CLAIM_QUERY = {OK: RECEIVED, "INC003": ABSENT}
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
)
PROBLEMS = {"LOST": Milestone.LOST, "FOUND": Milestone.FOUND, "DAMAGED": Milestone.DAMAGED}
PROBLEMS |= {"REFUSED": Milestone.ADDRESSEE_REFUSED}
CAUSES = {"1": port.Cause.INTERCEPTION, "2": port.Cause.ADDRESSEE_REFUSED}
TIERS = {"Traces": port.Tier.T1, "Intercept": port.Tier.T2, "Incident": port.Tier.T2}


def call(api: str, fields: Mapping[str, Any]) -> Call:
    return wire.json_call(f"/{api}", fields)


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
    return replace(
        call, headers=headers | {"x-datadigest": wire.ENCODINGS[encoding or "base64"](raw)}
    )


def intercept(order: Order) -> Call:
    fields = {"billCode": order.waybill, "requestId": order.key, "thirdBizNo": order.key}
    fields["destinationType"] = DESTINATIONS[order.action]
    names = {"customer_id": "customerId", "customer_name": "customerName"}
    fields |= {name: order.settings[key] for key, name in names.items() if key in order.settings}
    if order.action is port.Action.REDIRECT:
        if (to := order.receiver) is None:
            raise ValueError("ZTO needs the address the parcel is to go to")
        fields |= {"receiveUsername": to.name, "receivePhone": to.phone, "receiveCity": to.city}
        fields |= {"receiveProvince": to.province, "receiveDistrict": to.district}
        fields |= {"receiveAddress": to.street}
    return call("thirdcenter.createIntercept", fields)


def query(order: Order) -> Call:
    return call("thirdcenter.queryInterceptAndReturnStatus", {"billCode": order.waybill})


def cancel(order: Order) -> Call:
    fields = {"billCode": order.waybill, "thirdBizNo": order.key}
    return call("thirdcenter.cancelIntercept", fields)


def track(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    return call("zto.merchant.waybill.track.query", {"billCode": waybill})


def subscribe(trace: port.Trace) -> Call:
    (waybill,) = trace.waybills
    return call("zto.merchant.waybill.track.subsrcibe", {"billCode": waybill})  # their spelling


def claim(case: port.Case) -> Call:
    name, phone = (case.sender.name, case.sender.phone) if case.sender else ("", "")
    customer = {"name": name, "type": "2", "id": case.settings.get("customer_id", "")}
    incident = {"desc": case.description, "mobile": phone, "billCode": case.waybill}
    incident["type"] = CLAIMS[case.kind]
    extra = {"expectedCompensationAmount": wire.yuan(case.amount_minor)}
    fields = {"customer": customer, "incident": incident, "extraInfo": extra}
    return call("zto.open.merchant.incident.create", {"traceId": case.key, **fields})


def claim_query(case: port.Case) -> Call:
    fields = {"bizNo": wire.token(case.reference), "billCode": case.waybill}
    return call("zto.open.merchant.incident.query", fields)


def opened(reply: Reply, table: dict[str, Answer], no: Answer = REFUSED) -> tuple[Answer, Any]:
    """The envelope's word and payload; `no` is for a no whose code is not listed."""
    body, listed = reply.json(), PLATFORM | table
    code, success = wire.token(body["statusCode"]), wire.flag(body["status"])
    if not success and code != OK:
        return replace(listed.get(code, no), code=code), None
    if not success or reply.status != 200 or (code in listed and code != OK):
        raise ValueError("yes and no at once")
    payload = body.get("data", body.get("result"))
    waybill = payload.get("billCode") if isinstance(payload, dict) else None
    return replace(table[OK], code=code, waybill=wire.optional_token(waybill)), payload


def intercepted(reply: Reply) -> Answer:
    answer, payload = opened(reply, INTERCEPT)
    return replace(answer, reference=wire.optional_token((payload or {}).get("centerBizNo")))


def queried(reply: Reply) -> Answer:
    answer, payload = opened(reply, QUERY, UNCLEAR)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    status = payload["status"]
    return replace(STATES[status], code=status, waybill=answer.waybill)


def tracked(reply: Reply) -> Answer:
    answer, payload = opened(reply, TRACK, UNCLEAR)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    if not isinstance(payload, list) or len(payload) > SCANS_MAX:
        raise ValueError("no scans, or too many")
    scans = tuple(scan(node) for node in payload)
    return replace(answer, scans=scans, waybill=scans[0].waybill if scans else "")


def claimed(reply: Reply) -> Answer:
    answer, payload = opened(reply, TRACK)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    return replace(answer, reference=wire.token(payload["bizNo"]))


def decided(reply: Reply) -> Answer:
    answer, payload = opened(reply, CLAIM_QUERY, UNCLEAR)
    if answer.verdict is not Verdict.RECEIVED:
        return answer
    status, number = payload["status"], wire.optional_token(payload.get("bizNo"))
    decision = replace(DECISIONS[status], code=status, reference=number, waybill=answer.waybill)
    granted = decision.verdict is Verdict.ACCEPTED
    return replace(
        decision, grant_minor=wire.minor(payload["compensationAmount"]) if granted else None
    )


def scan(node: Mapping[str, Any]) -> Scan:
    action, city = wire.token(node["action"]), wire.prose(node.get("city"))
    problem = wire.optional_token(node.get("problemCode"))
    milestone = MILESTONES.get(action, Milestone.OTHER)
    if action == "PROBLEM":
        milestone = PROBLEMS.get(problem, milestone)
    if action == "ARRIVAL" and not node.get("nextNodeName"):
        milestone = Milestone.AT_DESTINATION  # assumed: nowhere to go but to the addressee
    seen = Scan(
        wire.token(node["billCode"]),
        milestone,
        f"{action} {problem}".strip(),
        wire.local_ms(node.get("actionTime")),
        city or wire.prose(node.get("facilityName")),
        wire.prose(node.get("desc")),
        wire.prose(node.get("signer")),
    )
    if milestone is not Milestone.RETURNING:
        return seen
    cause = CAUSES.get(wire.optional_token(node.get("returnType")), port.Cause.UNSTATED)
    return replace(seen, cause=cause, return_waybill=wire.optional_token(node.get("newBillCode")))


def verify(push: port.Push, credentials: port.Credentials) -> port.Tier | None:
    """The digest covers `data` alone, and only the schema of scans is documented."""
    try:
        fields = envelope(push)
        signed = fields["data"].encode() + credentials["app_secret"].encode()
        given = wire.base64_bytes(fields["data_digest"])
        if wire.equal(given, wire.md5(signed)) and fields["company_id"] == credentials["app_key"]:
            return TIERS.get(fields["msg_type"])
    except port.BROKEN:
        pass
    return None


def envelope(push: port.Push) -> dict[str, str]:
    json = push.body.lstrip().startswith(b"{")
    fields: dict[str, str] = port.read_json(push.body) if json else wire.parse_form(push.body)
    wire.distinct(fields)
    return fields


def pushed(push: port.Push) -> port.Delivery:
    fields = envelope(push)
    node, kind = port.read_json(fields["data"]), fields["msg_type"]
    waybill, account = wire.token(node["billCode"]), wire.token(fields["company_id"])
    scans = {"Traces": (scan,), "Intercept": (), "Incident": ()}[kind]
    key = wire.sha256(f"{kind} {fields['data']}".encode()).hex()
    return port.Delivery(key, (waybill,), tuple(read(node) for read in scans), account)


def accept(push: port.Push) -> Reply:
    return wire.json_reply({"status": True, "message": "", "result": "", "statusCode": OK})


def reject(push: port.Push, why: str) -> Reply:
    return wire.json_reply({"status": False, "message": why, "result": "", "statusCode": "S400"})


ADAPTER = port.Adapter(
    name="zto",
    network="zto",
    title="ZTO Express 中通快递",
    docs="https://open.zto.com",
    hosts=("japi.zto.com", "api.zto.com"),
    credentials=("app_key", "app_secret"),
    settings=(
        "digest",
        "digest_encoding",
        "digest_timestamp",
        "body_format",
        "customer_id",
        "customer_name",
    ),
    sign=sign,
    codes=wire.labelled({"platform": PLATFORM, "intercept": INTERCEPT, "cancel": CANCEL})
    | wire.labelled({"query": QUERY | STATES, "track": TRACK, "subscribe": TRACK, "claim": TRACK})
    | wire.labelled({"claim_query": CLAIM_QUERY | DECISIONS}),
    waybill=r"[0-9]{10,15}",
    dedup=port.Fact(port.Dedup.REFERENCE, DOCUMENTED),
    promise_on=port.Fact(port.Promise.EVIDENCE, DOCUMENTED),
    tombstone=port.Fact(False, ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, ASSUMED),
    fee_basis=port.Fact("contract", SEEN),
    reintercept=port.Fact(True, ASSUMED),
    window=port.Fact(wire.ON_THE_WAY, ASSUMED),
    intercept=port.Operation(intercept, intercepted, repeatable=True),
    track=port.Operation(track, tracked, repeatable=True, grade=SEEN),
    query=port.Operation(query, queried, repeatable=True),
    cancel=port.Operation(cancel, lambda it: opened(it, CANCEL)[0], repeatable=True),
    subscribe=port.Operation(subscribe, lambda it: opened(it, TRACK)[0], repeatable=True),
    claim=port.Operation(claim, claimed, repeatable=True, grade=ASSUMED),
    claim_query=port.Operation(claim_query, decided, repeatable=True, grade=ASSUMED),
    push=port.Pushes(verify, wire.strictly(pushed), accept, reject),
    complaints=(port.Channel("hotline", "95311"),),  # public knowledge
)
