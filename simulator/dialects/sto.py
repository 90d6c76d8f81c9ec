"""STO: one address, a signed form around JSON, yes and no as texts, answers in JSON or XML.

An answer is a receipt; whether the parcel was stopped is seen in its scans only.
"""

import hashlib
import hmac
import json
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
    said,
)
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import Cause, Event, Mark, Place, ReturnNumber

CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded;charset=UTF-8"
JSON = "application/json;charset=UTF-8"
XML = "text/xml;charset=UTF-8"
ADDRESS = "gateway/link.do"
FIELDS = ("content", "data_digest", "api_name", "from_appkey", "from_code", "to_appkey", "to_code")
NUMBERS_MAX = 50  # of one query; assumed

OPERATIONS = {  # and the service that each belongs to
    "INTERCEPT_CREATE_STANDARD": (Operation.INTERCEPT, "reverse-center"),
    "INTERCEPT_DEL_STANDARD": (Operation.CANCEL, "reverse-center"),
    "STO_TRACE_QUERY_COMMON": (Operation.TRACK, "sto_trace_query"),
    "STO_TRACE_PLATFORM_SUBSCRIBE": (Operation.SUBSCRIBE, "sto_trace_platform"),
}

ASSUMED_BAD_ENVELOPE = ("S01", "报文格式错误")  # every code is assumed: no list is public
ASSUMED_BAD_DIGEST = ("S02", "签名校验失败")
ASSUMED_NO_KEY = ("S03", "from_appkey 不存在")
ASSUMED_NO_API = ("S04", "api_name 不存在")
ASSUMED_SYSTEM = ("S07", "系统繁忙")
ASSUMED_BUSY = ("S12", "请求过于频繁")
ASSUMED_BAD_REQUEST = ("R000", "参数错误")
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: ("R001", "运单号不存在"),
    Reason.NOT_PICKED_UP: ("R002", "运单未收件，不可拦截"),
    Reason.TOO_LATE: ("R003", "已过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("R004", "运单已签收，不可拦截"),
    Reason.ALREADY_INTERCEPTED: ("R005", "运单已登记拦截"),
    Reason.RETURN_LEG: ("R006", "运单已在退回途中"),
    Reason.UNLISTED: ("R099", "其他原因，不可拦截"),
}
ASSUMED_NO_INTERCEPTION = ("R101", "无拦截登记")
ASSUMED_CANCEL_LATE = ("R102", "已退回，不可取消")
ASSUMED_CANCELLED = ("R103", "拦截已取消")

SCANS: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("收件", "已收件"),
    Event.DEPARTED: ("发件", "已发往下一站"),
    Event.ARRIVED: ("到件", "已到达"),
    Event.AT_OUTLET: ("到件", "已到达"),
    Event.OUT_FOR_DELIVERY: ("派件", "正在派件"),
    Event.SIGNED: ("签收", "已签收"),
    Event.ADDRESSEE_REFUSED: ("问题件", "客户拒收"),
    Event.RETURN_STARTED: ("退回件", "快件退回"),
    Event.RETURN_PICKED_UP: ("收件", "已收件"),
    Event.RETURN_DEPARTED: ("发件", "已发往下一站"),
    Event.RETURN_ARRIVED: ("到件", "已到达"),
    Event.RETURN_AT_OUTLET: ("到件", "已到达"),
    Event.RETURN_OUT_FOR_DELIVERY: ("派件", "正在派件"),
    Event.RETURN_SIGNED: ("签收", "已签收"),
    Event.LOST: ("问题件", "快件遗失"),  # the issues are assumed, as words
    Event.DAMAGED: ("问题件", "快件破损"),
    Event.FOUND: ("问题件", "快件找回"),
}
CAUSES = {  # whose interception it was, a scan does not say
    Cause.INTERCEPTION: "客户拦截",
    Cause.OTHER_INTERCEPTION: "客户拦截",
    Cause.ADDRESSEE_REFUSED: "客户拒收",
}
SIGNERS = {Event.SIGNED: "收件人", Event.RETURN_SIGNED: "寄件人"}
FACILITIES = {  # its name's end, its type
    Place.ORIGIN_OUTLET: ("公司", "1"),
    Place.ORIGIN_HUB: ("转运中心", "2"),
    Place.DESTINATION_HUB: ("转运中心", "2"),
    Place.DESTINATION_OUTLET: ("公司", "1"),
}


def digest(content: str, secret: str) -> str:
    """Base64 of the raw MD5."""
    return b64encode(hashlib.md5((content + secret).encode()).digest()).decode()


def _answer(
    code: tuple[str, str] | None, account: Account | None, data: object = None, again: bool = False
) -> Answer:
    """The envelope; None is a yes. `needRetry` tells that nothing was executed."""
    number, message = code or ("", "")
    fields = {
        "success": "true" if code is None else "false",
        "errorCode": number,
        "errorMsg": message,
        "needRetry": "true" if again else "false",
    }
    if account is None or account.options.reply_format == "json":
        return Answer(orjson.dumps({**fields, "data": data}), number or "ok")
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    body = f"<response>{inner}{_element(data)}</response>"
    return Answer(body.encode(), number or "ok", XML)


def _element(data: object) -> str:
    """A name that begins with a digit is no element: lists by number stay JSON."""
    if data is None:
        return ""
    flat = isinstance(data, dict) and all(isinstance(held, str) for held in data.values())
    if not isinstance(data, dict) or not flat:
        return f"<data>{escape(orjson.dumps(data).decode())}</data>"
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in data.items())
    return f"<data>{inner}</data>"


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    try:
        form = dict(parse_qsl(inbound.body.decode(), max_num_fields=20))
    except ValueError:
        form = {}
    if inbound.path != ADDRESS or any(not form.get(name) for name in FIELDS):
        return _answer(ASSUMED_BAD_ENVELOPE, None)
    account = depot.accounts.get((DIALECT.name, form["from_appkey"]))
    if account is None:
        return _answer(ASSUMED_NO_KEY, None)
    expected = digest(form["content"], account.credentials.get("app_secret", ""))
    if not hmac.compare_digest(expected.encode(), form["data_digest"].encode()):
        return _answer(ASSUMED_BAD_DIGEST, account)
    operation, service = OPERATIONS.get(form["api_name"], (None, ""))
    if operation is None or not form["to_appkey"] == form["to_code"] == service:
        return _answer(ASSUMED_NO_API, account)
    try:
        message = json.loads(form["content"])
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return _answer(ASSUMED_BAD_REQUEST, account)
    numbers = _numbers(operation, message)
    record = depot.find(account, numbers[0]) if numbers else None
    return Asked(account, operation, message, numbers[0] if numbers else "", "", record)


def _numbers(operation: Operation, message: Mapping[str, Any]) -> list[str]:
    """The waybills that are asked about; none where one of them is no name."""
    match operation:
        case Operation.TRACK:
            listed = message.get("waybillNoList")
        case Operation.SUBSCRIBE:
            wanted = message.get("subscribeInfoList")
            several = wanted if isinstance(wanted, list) else []
            listed = [each.get("waybillNo") for each in several if isinstance(each, dict)]
        case _:
            listed = [message.get("waybillNo")]
    numbers = [plain(number) for number in listed] if isinstance(listed, list) else []
    return numbers if all(numbers) and len(numbers) <= NUMBERS_MAX else []


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, account = asked.record, asked.account
    redirected = any(name.startswith("receiver") for name in asked.message)  # is not simulated
    if not asked.waybill or redirected or asked.message.get("interceptForAct") != "DEFAULT":
        return _answer(ASSUMED_BAD_REQUEST, account)
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], account)
    if asked.waybill != record.parcel.waybill:
        return _answer(ASSUMED[Reason.RETURN_LEG], account)
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _answer(ASSUMED[entry.reason or Reason.UNLISTED], account)
    return _answer(None, account, {"waybillNo": asked.astray} if asked.astray else None)


def _cancel(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, account = asked.record, asked.account
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], account)
    entry = record.by_external_no("")
    if entry is None or (entry.cancelled_ms is None and not entry.live(now_ms)):
        return _answer(ASSUMED_NO_INTERCEPTION, account)  # none, or one that was refused
    if entry.cancelled_ms is not None:
        return _answer(ASSUMED_CANCELLED, account)
    if not depot.cancel(record, entry, now_ms):
        return _answer(ASSUMED_CANCEL_LATE, account)
    return _answer(None, account, {"waybillNo": asked.astray} if asked.astray else None)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    """Of each number its scans; of one that nobody has, an empty list."""
    account, order = asked.account, asked.message.get("order", "asc")
    numbers = _numbers(asked.operation, asked.message)
    if not numbers or order not in ("asc", "desc"):
        return _answer(ASSUMED_BAD_REQUEST, account)
    shown: dict[str, list[dict[str, str]]] = {}
    for number in numbers:
        record = depot.find(account, number)
        marks = world.scans(record.course(), now_ms) if record is not None else []
        traces = [_trace(record, mark) for mark in marks if record and mark.waybill == number]
        shown[number] = traces if order == "asc" else traces[::-1]
    return _answer(None, account, shown)


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    numbers = _numbers(asked.operation, asked.message)
    if not numbers:
        return _answer(ASSUMED_BAD_REQUEST, asked.account)
    records = [depot.find(asked.account, number) for number in numbers]
    for record in records:
        if record is None:
            return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], asked.account)
    for record in records:
        assert record is not None
        depot.subscribe(record, now_ms)
    return _answer(None, asked.account)


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    code = ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY
    return _answer(code, None, again=True)


def _trace(record: Record, mark: Mark) -> dict[str, str]:
    kind, text = SCANS[mark.event]
    city, facility, facility_type = _facility(record, mark.place)
    shown = {
        "waybillNo": mark.waybill,
        "opOrgName": facility,
        "opOrgCityName": city,
        "opOrgType": facility_type,
        "opTime": f"{datetime.fromtimestamp(mark.at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}",
        "scanType": kind,
        "memo": f"【{city}】{text}",
    }
    if mark.next_place is not None:
        shown["nextOrgName"] = _facility(record, mark.next_place)[1]
    if kind == "问题件":
        shown["issueName"] = text
    if mark.cause is not None:
        shown["issueName"] = CAUSES[mark.cause]
    if mark.event in SIGNERS:
        shown["signoffPeople"] = SIGNERS[mark.event]
    return shown


def _facility(record: Record, place: Place) -> tuple[str, str, str]:
    city = record.parcel.near(place).city
    end, number = FACILITIES[place]
    return city, f"{city}{end}", number


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark = announcement.record, announcement.mark
    assert mark is not None  # there are no claims
    trace = {"outBizCode": announcement.id, **_trace(record, mark)}
    number = trace.pop("waybillNo")
    content = {"waybillNo": number, "linkCode": record.parcel.order_id, "trace": trace}
    text = orjson.dumps(content).decode()
    if account.options.push_format == "json":
        return Outgoing("trace", text.encode(), JSON)
    return _sealed(account, text)


def _sealed(account: Account, text: str, spoil: str = "") -> Outgoing:
    """That a push is signed like a request is assumed."""
    secret = account.credentials.get("app_secret", "")
    fields = {
        "content": text,
        "data_digest": digest(text, secret + spoil),
        "api_name": "STO_TRACE_PLATFORM_PUSH",
        "from_appkey": "sto_trace_platform",
        "from_code": "sto_trace_platform",
        "to_appkey": account.name,
        "to_code": account.name,
    }
    return Outgoing("trace", urlencode(fields).encode(), FORM)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """Of a signed push the forger lacks the secret, of a bare one the address."""
    address = account.push_url or ""
    if outgoing.content_type == FORM:
        text = dict(parse_qsl(outgoing.body.decode()))["content"]
        return address, _sealed(account, text, spoil="forged")
    head, _, last = address.rpartition("/")
    return f"{head}/{last[::-1]}0", outgoing


def acknowledged(status: int, body: bytes) -> bool:
    return said(status, body).get("success") in (True, "true")


DIALECT = Dialect(
    name="sto",
    network="sto",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"77{10**12 + number % (9 * 10**12)}",
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
