"""Kuaidi100: a signed form in front of many companies' parcels; what becomes of it is called back.

Only 200 among its codes is public, and no body of a callback: all of that is assumed here.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson

from simulator import world
from simulator.depot import Account, Depot, Loss, Record
from simulator.dialect import (
    Announcement,
    Answer,
    Asked,
    Dialect,
    Inbound,
    Outgoing,
    Perform,
    by_operation,
    plain,
    said,
)
from simulator.outcomes import Fault, Operation, Reason
from simulator.truth import ClaimState, judge
from simulator.world import Event, ReturnNumber

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
FIELDS = ("key", "sign", "t", "param")
AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")

NETWORKS = {
    "shunfeng": "sf",
    "zhongtong": "zto",
    "yuantong": "yto",
    "jd": "jd",
    "shentong": "sto",
    "jtexpress": "jt",
    "yunda": "yunda",
}
CODES = {network: code for code, network in NETWORKS.items()}
ANSWERS_BY_CALLBACK = ("zhongtong", "jtexpress", "yuantong")
WORK_ORDERS = ("yuantong", "yunda", "jtexpress", "shentong")
BACK = ("RETURN_SEND_STATION", "RETURN_SEND_ADDR")
ENDPOINTS = {  # path and method
    ("label/order", "interceptOrder"): Operation.INTERCEPT,
    ("workorder/api/create", ""): Operation.CLAIM,
}

SUCCESS = (200, "success")
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: (30001, "快递单号不存在"),
    Reason.NOT_PICKED_UP: (30002, "快件未揽收,不支持拦截"),
    Reason.TOO_LATE: (30003, "已超过可拦截时间"),
    Reason.ALREADY_DELIVERED: (30004, "快件已签收"),
    Reason.ALREADY_INTERCEPTED: (30005, "该快件已发起拦截"),
    Reason.RETURN_LEG: (30006, "快件已在退回途中"),
    Reason.UNLISTED: (30099, "快递公司返回失败"),
}
ASSUMED_NOT_OFFERED = (30007, "该快递公司暂不支持")
ASSUMED_BAD_REQUEST = (400, "提交的数据不完整,或者不合法")
ASSUMED_BAD_CALL = (401, "method不存在,或必填参数为空")
ASSUMED_SYSTEM = (501, "服务器错误")
ASSUMED_BUSY = (502, "服务器繁忙")
ASSUMED_BAD_SIGN = (503, "验证签名失败")
ASSUMED_NO_KEY = (601, "KEY不存在或已过期")

ASSUMED_KINDS = {
    "遗失": Loss.LOST,
    "破损": Loss.DAMAGED,
    "少件": Loss.SHORTAGE,
    "错件": Loss.SHORTAGE,
}
ASSUMED_STATES = {
    Event.INTERCEPT_ACCEPTED: ("SUCCESS", "拦截成功"),
    Event.INTERCEPT_FAILED: ("FAIL", "拦截失败"),
    Event.INTERCEPT_CANCELLED: ("CANCEL", "拦截已取消"),
    Event.INTERCEPT_ENDED: ("FINISH", "拦截完结"),
}


def signature(*parts: str) -> str:
    """Upper-case hex of the MD5 over the parts, one after the other."""
    return hashlib.md5("".join(parts).encode()).hexdigest().upper()


def _answer(operation: Operation, code: tuple[int, str], at_ms: int, data: object = None) -> Answer:
    body: dict[str, object] = {"code": code[0], "data": data, "message": code[1], "time": at_ms}
    if operation is Operation.CLAIM:
        body["success"] = code is SUCCESS
    return Answer(orjson.dumps(body), str(code[0]))


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    text = inbound.query if inbound.method == "GET" else inbound.body.decode("utf-8", "replace")
    at_ms = inbound.machine_ms
    try:
        parsed = parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        parsed = {}
    form = {name: values[0] for name, values in parsed.items() if len(values) == 1}
    operation = ENDPOINTS.get((inbound.path, form.get("method", "")))
    if operation is None or any(not form.get(name) for name in FIELDS):
        return _answer(operation or Operation.INTERCEPT, ASSUMED_BAD_CALL, at_ms)
    account = depot.accounts.get((DIALECT.name, form["key"]))
    if account is None:
        return _answer(operation, ASSUMED_NO_KEY, at_ms)
    secret = account.credentials.get("secret", "")
    expected = signature(form["param"], form["t"], form["key"], secret)
    if not hmac.compare_digest(expected.encode(), form["sign"].encode()):
        return _answer(operation, ASSUMED_BAD_SIGN, at_ms)
    try:
        message = orjson.loads(form["param"])
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        return _answer(operation, ASSUMED_BAD_REQUEST, at_ms)
    waybill = plain(message.get("kuaidinum"))
    record = _find(depot, account, operation, message, waybill) if waybill else None
    return Asked(account, operation, message, waybill, form["sign"], record)


def _find(
    depot: Depot, account: Account, operation: Operation, message: Mapping[str, Any], waybill: str
) -> Record | None:
    """A work order does not say whose parcel it is about."""
    if operation is Operation.INTERCEPT:
        network = NETWORKS.get(plain(message.get("kuaidicom")))
        return depot.find(account, waybill, network) if network else None
    found = (depot.find(account, waybill, network) for network in NETWORKS.values())
    return next((record for record in found if record is not None), None)


def _complete(account: Account, message: Mapping[str, Any]) -> bool:
    """As the push address, so the salt of what is pushed there is taken from the account; a
    request that names another would wait for callbacks it cannot verify.
    """
    salt = account.credentials.get("salt", "")
    needs_address = message.get("kuaidicom") in ANSWERS_BY_CALLBACK
    if message.get("salt", "") != salt or (needs_address and not message.get("callbackUrl")):
        return False
    return bool(plain(message.get("kuaidicom")) and plain(message.get("kuaidinum")))


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, message, operation = asked.record, asked.message, asked.operation
    if not _complete(asked.account, message):
        return _answer(operation, ASSUMED_BAD_REQUEST, now_ms)
    if message["kuaidicom"] not in NETWORKS or message.get("interceptType") == "MODIFY_ADDR":
        return _answer(operation, ASSUMED_NOT_OFFERED, now_ms)
    if message.get("interceptType") not in BACK:
        return _answer(operation, ASSUMED_BAD_REQUEST, now_ms)
    if record is None:
        return _answer(operation, ASSUMED[Reason.UNKNOWN_WAYBILL], now_ms)
    if asked.waybill != record.parcel.waybill:
        return _answer(operation, ASSUMED[Reason.RETURN_LEG], now_ms)
    external_no = plain(message.get("orderid", message.get("orderId")))
    entry = depot.intercept(record, asked.reference, external_no, now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _answer(operation, ASSUMED[entry.reason or Reason.UNLISTED], now_ms)
    payload = {"taskId": entry.business_no}
    if asked.astray:
        payload["kuaidinum"] = asked.astray
    return _answer(operation, SUCCESS, now_ms, payload)


def _minor(value: object) -> int:
    """Yuan, as a text or a number, to fen; -1 for what is no such amount."""
    text = str(value) if isinstance(value, str | int | float) else ""
    return int(Decimal(text) * 100) if AMOUNT.fullmatch(text) else -1


def _claim(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, message, operation = asked.record, asked.message, asked.operation
    desc = message.get("desc")
    kind = ASSUMED_KINDS.get(plain(message.get("secondType")))
    asked_minor = _minor(message.get("modityValue"))
    told = isinstance(desc, dict) and isinstance(desc.get("content"), str) and desc["content"]
    if kind is None or asked_minor <= 0 or not told:
        return _answer(operation, ASSUMED_BAD_REQUEST, now_ms)
    if record is None or not _shipped_here(asked.account, record):
        return _answer(operation, ASSUMED[Reason.UNKNOWN_WAYBILL], now_ms)
    if CODES[record.parcel.network] not in WORK_ORDERS:
        return _answer(operation, ASSUMED_NOT_OFFERED, now_ms)
    trace = f"{asked.reference}/{len(record.claims)}"  # nothing marks a work order as sent again
    claim = depot.file_claim(record, trace, kind, asked_minor, now_ms)
    if claim is None:
        return _answer(operation, ASSUMED_BAD_REQUEST, now_ms)
    payload = {"id": claim.business_no, "status": "PROCESSING"}
    if asked.astray:
        payload["kuaidinum"] = asked.astray
    return _answer(operation, SUCCESS, now_ms, payload)


def _shipped_here(account: Account, record: Record) -> bool:
    """Work orders are for what was ordered here, not for all that the account may stop."""
    parcel = record.parcel
    return (parcel.carrier, parcel.account) == (account.carrier, account.name)


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CLAIM: _claim,
}


def busy(fault: Fault) -> Answer:
    code, message = ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY
    return Answer(orjson.dumps({"code": code, "data": None, "message": message}), str(code))


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark, claim = announcement.record, announcement.mark, announcement.claim
    parcel = record.parcel
    told = {"kuaidicom": CODES[parcel.network], "kuaidinum": parcel.waybill}
    if mark is not None:
        entry = record.by_reference(mark.reference)
        kind, task = "intercept", entry.business_no if entry else ""
        told["status"], told["message"] = ASSUMED_STATES[mark.event]
        told["time"] = str(mark.at_ms)
    else:
        assert claim is not None
        found, granted_minor = judge(record, claim, claim.decided_ms)
        kind, task = "workorder", claim.business_no
        told["id"], told["status"] = claim.business_no, found.upper()
        if found is not ClaimState.REJECTED:
            told["amount"] = f"{granted_minor // 100}.{granted_minor % 100:02d}"
        told["time"] = str(claim.decided_ms)
    return Outgoing(kind, _sealed(account, task, orjson.dumps(told).decode()), FORM)


def _sealed(account: Account, task: str, param: str, spoil: str = "") -> bytes:
    sign = signature(param, account.credentials.get("salt", ""), spoil)
    return urlencode({"taskId": task, "sign": sign, "param": param}).encode()


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and not the salt."""
    form = {name: values[0] for name, values in parse_qs(outgoing.body.decode()).items()}
    sealed = _sealed(account, form["taskId"], form["param"], spoil="forged")
    return account.push_url or "", Outgoing(outgoing.kind, sealed, outgoing.content_type)


def acknowledged(status: int, body: bytes) -> bool:
    return said(status, body).get("result") is True


DIALECT = Dialect(
    name="kuaidi100",
    network="kuaidi100",
    networks=NETWORKS,
    methods=frozenset({"GET", "POST"}),
    return_number=ReturnNumber.SAME,
    number=lambda number: str(10**14 + number % (9 * 10**14)),  # of a company not played here
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(ASSUMED_STATES),
    announces_claims=True,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=4,  # the first, and three more
    push_interval_ms=30 * world.MINUTE_MS,
)
