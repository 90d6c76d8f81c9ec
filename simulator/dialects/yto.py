"""YTO: a path for each method, a signed `param`, answers of several shapes, pushes in signed XML.

An answer is a receipt; whether the parcel was stopped is seen in its scans only.
"""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

import orjson

from simulator import world
from simulator.depot import Account, Depot, Record
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
)
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import Cause, Event, Mark, Place, ReturnNumber

CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded;charset=UTF-8"
VERSION = "v1"
ADDRESS = re.compile(r"open/([a-z_]+)/(v[0-9]+)/([^/]+)/([^/]+)")
ENVELOPE = ("timestamp", "param", "sign", "format")

OPERATIONS = {
    "wanted_report_adapter": Operation.INTERCEPT,
    "wanted_change_adapter": Operation.INTERCEPT,
    "wanted_cancel_adapter": Operation.CANCEL,
    "korder_cancel_adapter": Operation.CANCEL_ORDER,
    "track_query_adapter": Operation.TRACK,
    "subscribe_adapter": Operation.SUBSCRIBE,
}
SUBJECTS = {  # the member that names what is asked about
    Operation.INTERCEPT: ("waybillNo",),
    Operation.CANCEL: ("waybillNo",),
    Operation.CANCEL_ORDER: ("logisticsNo",),
    Operation.TRACK: ("NUMBER", "Number"),  # both spellings are in use
    Operation.SUBSCRIBE: ("waybillNo",),
}

BAD_SIGN = (401, "请求加密校验失败")
ASSUMED_BAD_ENVELOPE = (400, "请求参数缺失")  # this and the next three are assumed
ASSUMED_NO_METHOD = (404, "接口不存在")
ASSUMED_BUSY = (429, "请求过于频繁")
ASSUMED_SYSTEM = (500, "请求失败，请稍后重试~~")

DONE = (0, "成功")
DUPLICATE = (1, "已有有效拦截件，不能重复发起拦截")
ASSUMED = {  # no list of these codes is public, beyond 0 and 1
    Reason.UNKNOWN_WAYBILL: (101, "运单号不存在"),
    Reason.NOT_PICKED_UP: (102, "运单未揽收，不能拦截"),
    Reason.TOO_LATE: (103, "已过可拦截时间"),
    Reason.ALREADY_DELIVERED: (104, "运单已签收，不能拦截"),
    Reason.ALREADY_INTERCEPTED: DUPLICATE,
    Reason.RETURN_LEG: (105, "运单已在退回途中"),
    Reason.UNLISTED: (199, "其他原因，不能拦截"),
}
ASSUMED_BAD_REQUEST = (100, "参数错误")
ASSUMED_NO_INTERCEPTION = (201, "无有效拦截件")
ASSUMED_CANCEL_LATE = (202, "已退回，不能取消拦截")
ASSUMED_CANCELLED = (203, "拦截已取消")
ASSUMED_NO_ORDER = (301, "订单不存在")
ASSUMED_PICKED_UP = (302, "订单已揽收，不能取消")
ASSUMED_ORDER_CANCELLED = (303, "订单已取消")

SCANS: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("GOT", "已揽收"),
    Event.DEPARTED: ("DEPARTURE", "已发出"),
    Event.ARRIVED: ("ARRIVAL", "已收入"),
    Event.AT_OUTLET: ("ARRIVAL", "已收入"),
    Event.OUT_FOR_DELIVERY: ("SENT_SCAN", "派件中"),
    Event.SIGNED: ("SIGNED", "已签收 签收人: 收件人"),
    Event.ADDRESSEE_REFUSED: ("FAILED", "派件失败 原因: 客户拒收"),
    Event.RETURN_STARTED: ("TMS_RETURN", "快件退回"),
    Event.RETURN_PICKED_UP: ("GOT", "已揽收"),
    Event.RETURN_DEPARTED: ("DEPARTURE", "已发出"),
    Event.RETURN_ARRIVED: ("ARRIVAL", "已收入"),
    Event.RETURN_AT_OUTLET: ("ARRIVAL", "已收入"),
    Event.RETURN_OUT_FOR_DELIVERY: ("SENT_SCAN", "派件中"),
    Event.RETURN_SIGNED: ("SIGNED", "已签收 签收人: 寄件人"),
    Event.LOST: ("FAILED", "快件异常 原因: 快件遗失"),  # words of this and the next two: assumed
    Event.DAMAGED: ("FAILED", "快件异常 原因: 快件破损"),
    Event.FOUND: ("FAILED", "快件异常 原因: 快件找回"),
}
CAUSES = {  # whose interception it was, a scan does not say
    Cause.INTERCEPTION: " 原因: 客户拦截",
    Cause.OTHER_INTERCEPTION: " 原因: 客户拦截",
    Cause.ADDRESSEE_REFUSED: " 原因: 客户拒收",
}
FACILITIES = {
    Place.ORIGIN_OUTLET: "公司",
    Place.ORIGIN_HUB: "转运中心",
    Place.DESTINATION_HUB: "转运中心",
    Place.DESTINATION_OUTLET: "公司",
}


def seal(text: str, secret: str) -> str:
    """Base64 of the raw MD5."""
    return b64encode(hashlib.md5((text + secret).encode()).digest()).decode()


def _said(body: object, code: object) -> Answer:
    return Answer(orjson.dumps(body), str(code))


def _no(code: tuple[int, str]) -> Answer:
    """How the platform, and what has no status code, says no."""
    return _said({"success": False, "code": code[0], "reason": code[1]}, code[0])


def _status(code: tuple[int, str], **more: str) -> Answer:
    return _said({"statusCode": code[0], "statusMessage": code[1], **more}, code[0])


def _envelope(inbound: Inbound) -> dict[str, Any] | None:
    """What a JSON object or a form carries; the two are told apart by how they begin."""
    try:
        if inbound.body.lstrip().startswith(b"{"):
            found = json.loads(inbound.body)
        else:
            found = dict(parse_qsl(inbound.body.decode(), max_num_fields=20))
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and all(found.get(name) for name in ENVELOPE)
    return found if whole and found["format"] == "JSON" else None


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    address = ADDRESS.fullmatch(inbound.path)
    if address is None or address[1] not in OPERATIONS or address[2] != VERSION:
        return _no(ASSUMED_NO_METHOD)
    method, version, suffix, client = address.groups()
    envelope = _envelope(inbound)
    if envelope is None:
        return _no(ASSUMED_BAD_ENVELOPE)
    account = depot.accounts.get((DIALECT.name, client))
    param, sign = envelope["param"], envelope["sign"]
    if account is None or not isinstance(param, str) or not isinstance(sign, str):
        return _no(BAD_SIGN)
    expected = seal(_signable(param) + method + version, account.credentials.get("app_secret", ""))
    if not hmac.compare_digest(expected.encode(), sign.encode(errors="replace")):
        return _no(BAD_SIGN)
    if suffix != account.credentials.get("suffix", suffix):
        return _no(ASSUMED_NO_METHOD)
    operation = OPERATIONS[method]
    message = _object(param)
    if message is not None and operation is Operation.SUBSCRIBE:
        message = _subscription(message, client)
    if message is None:
        by_status = operation in (Operation.INTERCEPT, Operation.CANCEL)
        return (_status if by_status else _no)(ASSUMED_BAD_REQUEST)
    if method == "wanted_change_adapter":
        message = {**message, "wantedDesc": ""}  # a new address is not simulated
    number = next((plain(message[key]) for key in SUBJECTS[operation] if key in message), "")
    if operation is Operation.CANCEL_ORDER:
        record = depot.find_order(account, number)
        number = record.parcel.waybill if record is not None else ""
    else:
        record = depot.find(account, number) if number else None
    return Asked(account, operation, message, number, "", record)


def _signable(text: str) -> str:
    """Lone surrogates, which JSON lets through, cannot be encoded."""
    return text.encode(errors="replace").decode()


def _object(text: object) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _subscription(message: Mapping[str, Any], client: str) -> dict[str, Any] | None:
    """What is subscribed to stands in a JSON text of its own."""
    inner = _object(message.get("logistics_interface"))
    ours = message.get("client_id") == client and message.get("msg_type") == "online"
    return inner if inner is not None and ours and inner.get("clientId") == client else None


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if not asked.waybill or not plain(asked.message.get("wantedDesc")):
        return _status(ASSUMED_BAD_REQUEST)
    if record is None:
        return _status(ASSUMED[Reason.UNKNOWN_WAYBILL])
    if asked.waybill != record.parcel.waybill:
        return _status(ASSUMED[Reason.RETURN_LEG])
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _status(ASSUMED[entry.reason or Reason.UNLISTED])
    return _status(DONE, **({"waybillNo": asked.astray} if asked.astray else {}))


def _cancel(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _status(ASSUMED[Reason.UNKNOWN_WAYBILL])
    entry = record.by_external_no("")
    if entry is None or (entry.cancelled_ms is None and not entry.live(now_ms)):
        return _status(ASSUMED_NO_INTERCEPTION)  # none, or one that was refused
    if entry.cancelled_ms is not None:
        return _status(ASSUMED_CANCELLED)
    done = depot.cancel(record, entry, now_ms)
    more = {"waybillNo": asked.astray} if asked.astray else {}
    return _status(DONE if done else ASSUMED_CANCEL_LATE, **more)


def _cancel_order(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _no(ASSUMED_NO_ORDER)
    if record.parcel.order_cancelled_ms is not None:
        return _no(ASSUMED_ORDER_CANCELLED)
    if depot.cancel_order(record, now_ms) is not None:
        return _no(ASSUMED_PICKED_UP)
    body: dict[str, object] = {"logisticsNo": record.parcel.order_id, "success": True}
    if asked.astray:
        body["waybillNo"] = asked.astray
    return _said(body, 0)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    """A bare list; where there is nothing to show, an object whose yes is a text."""
    record, number = asked.record, asked.waybill
    if not number:
        return _no(ASSUMED_BAD_REQUEST)
    marks = world.scans(record.course(), now_ms) if record is not None else []
    shown = [_trace(record, mark) for mark in marks if record and mark.waybill == number]
    if shown:
        return _said(shown, 0)
    nothing = {"map": {number: []}, "code": "1001", "success": "true", "message": "查询结果为空。"}
    return _said(nothing, 1001)


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None:
        return _no(ASSUMED[Reason.UNKNOWN_WAYBILL])
    depot.subscribe(asked.record, now_ms)
    return _said({"waybillNo": asked.waybill, "success": True}, 0)


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.CANCEL_ORDER: _cancel_order,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    return _no(ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY)


def _where(record: Record, place: Place) -> tuple[str, str]:
    """The city, and the facility in it."""
    city = record.parcel.near(place).city
    return city, f"{city}{FACILITIES[place]}"


def _words(mark: Mark) -> tuple[str, str]:
    code, text = SCANS[mark.event]
    return code, text + (CAUSES[mark.cause] if mark.cause is not None else "")


def _time(mark: Mark) -> str:
    return f"{datetime.fromtimestamp(mark.at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def _trace(record: Record, mark: Mark) -> dict[str, str]:
    code, text = _words(mark)
    _, facility = _where(record, mark.place)
    return {
        "waybill_No": mark.waybill,
        "upload_Time": _time(mark),
        "infoContent": code,
        "processInfo": f"【{facility}】 {text}",
    }


def _update(account: Account, announcement: Announcement) -> str:
    record, mark = announcement.record, announcement.mark
    assert mark is not None  # there are no claims
    code, text = _words(mark)
    city, facility = _where(record, mark.place)
    fields = {
        "logisticProviderID": "YTO",
        "clientID": account.name,
        "mailNo": mark.waybill,
        "txLogisticID": record.parcel.order_id,
        "infoType": "STATUS",
        "infoContent": code,
        "acceptTime": _time(mark),
        "remark": f"【{facility}】 {text}",
        "orgName": facility,
        "city": city,
        "weight": "1.0",
    }
    if code == "SIGNED":
        fields["signedName"] = text.rpartition(" ")[2]
    if "原因: " in text:
        fields["questionCause"] = text.rpartition(" ")[2]
    fields["extendFields"] = announcement.id
    shown = {name: "".join(filter(str.isprintable, held)) for name, held in fields.items()}
    inner = "".join(f"<{name}>{escape(held)}</{name}>" for name, held in shown.items())
    return f"<UpdateInfo>{inner}</UpdateInfo>"


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    return _sealed(account, _update(account, announcement))


def _sealed(account: Account, text: str, spoil: str = "") -> Outgoing:
    """Pushes may be those of a second application, with a secret of its own."""
    keys = account.credentials
    secret = keys.get("push_app_secret") or keys.get("app_secret", "")
    fields = {"logistics_interface": text, "data_digest": seal(text, secret + spoil)}
    fields |= {"clientId": account.name, "type": "online"}
    return Outgoing("update", urlencode(fields).encode(), FORM)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and not the secret."""
    text = dict(parse_qsl(outgoing.body.decode()))["logistics_interface"]
    return account.push_url or "", _sealed(account, text, spoil="forged")


def acknowledged(status: int, body: bytes) -> bool:
    return status == 200 and body.startswith(b"<Response>") and b"<success>true</success>" in body


DIALECT = Dialect(
    name="yto",
    network="yto",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"YT{10**12 + number % (9 * 10**12)}",
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(SCANS),
    announces_claims=False,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=10,  # this and the interval are assumed
    push_interval_ms=5 * world.MINUTE_MS,
)
