"""Snail Mail, a carrier that there is not, as somebody else would write it in a package of theirs.

Their answers are `{"ok": true, "code": "0", "waybill": "SN00000001"}`.
"""

from typing import Any

from adapters import strict, wire
from gateway.domain import carrier as port
from gateway.domain.carrier import Answer, Call, Milestone, Order, Reason, Reply, Scan, Verdict
from gateway.domain.record import replace

OK = "0"
INTERCEPT = {OK: wire.RECEIVED, "7": Answer(Verdict.REFUSED, Reason.DELIVERED)}
TRACK = {OK: wire.RECEIVED}
MILESTONES = {"took": Milestone.PICKED_UP, "crawls": Milestone.IN_TRANSIT, "gave": Milestone.SIGNED}


def sign(call: Call, credentials: port.Credentials, stamp: port.Stamp) -> Call:
    digest = wire.md5(call.body + credentials["shell"].encode()).hex()
    return replace(call, headers={**call.headers, "x-trail": digest, "x-at": str(stamp.unix_ms)})


def intercept(order: Order) -> Call:
    if order.action is not port.Action.RETURN:
        raise ValueError("Snail Mail only brings a parcel back")
    return wire.json_call("/back", {"waybill": order.waybill, "reference": order.key})


def reading(codes: wire.Codes, found: wire.Found, no: Answer) -> wire.Decode:
    def decode(reply: Reply) -> Answer:
        body = reply.json()
        code, waybill = strict.token(body["code"]), strict.token(body["waybill"])
        if not strict.flag(body["ok"]):
            return replace(codes.get(code, no), code=code, waybill=waybill)
        strict.yes(reply, code == OK)
        return found(replace(codes[OK], code=code, waybill=waybill), body.get("steps"))

    return decode


def tracked(answer: Answer, steps: Any) -> Answer:
    return replace(
        answer, scans=tuple(scan(answer.waybill, it) for it in strict.several(steps, 99))
    )


def scan(waybill: str, step: Any) -> Scan:
    code = strict.token(step["did"])
    milestone = MILESTONES.get(code, Milestone.OTHER)
    return Scan(waybill, milestone, code, strict.local_ms(step.get("at")))


ADAPTER = port.Adapter(
    name="snail",
    network="snail",
    title="Snail Mail",
    docs="https://snail.example/manual",
    hosts=("api.snail.example",),
    credentials=("shell",),
    sign=sign,
    codes=wire.labelled({"intercept": INTERCEPT, "track": TRACK}),
    waybill=r"SN[0-9]{8}",
    dedup=port.Fact(port.Dedup.REFERENCE, port.Grade.DOCUMENTED),
    promise_on=port.Fact(port.Promise.EVIDENCE, port.Grade.DOCUMENTED),
    tombstone=port.Fact(False, port.Grade.ASSUMED),
    in_flight_bound_ms=port.Fact(wire.IN_FLIGHT_BOUND_MS, port.Grade.ASSUMED),
    fee_basis=port.Fact("contract", port.Grade.DOCUMENTED),
    reintercept=port.Fact(True, port.Grade.ASSUMED),
    zone=port.Fact("Asia/Shanghai", port.Grade.DOCUMENTED),
    window=port.Fact(wire.ON_THE_WAY, port.Grade.DOCUMENTED),
    intercept=port.Operation(intercept, reading(INTERCEPT, wire.told, wire.REFUSED), True),
    track=port.Operation(
        wire.about_one("/where", "waybill"), reading(TRACK, tracked, wire.UNCLEAR), True
    ),
)
