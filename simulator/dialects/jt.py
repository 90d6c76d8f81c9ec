"""J&T China: a form around JSON, two digests, "1" for yes; an interception is only ever a receipt.

No code but "1" and "0" is public, nor a scan but 11 and 14: the others here are assumed, as are
what a yes holds, how often a push comes again, and that pushes carry the headers of a request.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, quote_plus

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
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
TRACK_MAX, SUBSCRIBE_MAX = 30, 1000
RETURN, REDIRECT = "4", "5"
REDIRECTION = ("Phone", "Username", "Address", "District", "City", "Province")

OPERATIONS = {
    "webopenplatformapi/api/waybill/intercept": Operation.INTERCEPT,
    "webopenplatformapi/api/order/cancelOrder": Operation.CANCEL_ORDER,
    "webopenplatformapi/api/logistics/trace": Operation.TRACK,
    "webopenplatformapi/api/trace/subscribe": Operation.SUBSCRIBE,
}

Code = tuple[str, str]
SUCCESS: Code = ("1", "success")
NO_ACCOUNT: Code = ("145003010", "API账号不存在")
NO_PERMISSION: Code = ("145003012", "API账号没有接口权限")
BAD_DIGEST: Code = ("145003030", "headers签名验证失败")
BAD_INNER_DIGEST: Code = ("145003031", "业务参数签名验证失败")
BAD_REQUEST: Code = ("145003050", "非法参数")
EMPTY: dict[str, Code] = {
    "apiaccount": ("145003051", "apiAccount不能为空"),
    "digest": ("145003052", "digest不能为空"),
    "timestamp": ("145003053", "timestamp不能为空"),
}
TOO_OFTEN: Code = ("145003060", "请求过于频繁")
SYSTEM: Code = ("145005000", "系统异常")
NO: dict[Reason, Code] = {
    Reason.UNKNOWN_WAYBILL: ("999002001", "运单不存在"),
    Reason.NOT_PICKED_UP: ("999002002", "运单未揽收"),
    Reason.TOO_LATE: ("999002003", "运单已超过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("999002004", "运单已签收"),
    Reason.ALREADY_INTERCEPTED: ("999002005", "运单已登记拦截"),
    Reason.RETURN_LEG: ("999002006", "运单已退回"),
    Reason.UNLISTED: ("999002099", "运单不可拦截"),
}
NO_ORDER: Code = ("999003001", "订单不存在")
ORDER_PICKED_UP: Code = ("999003002", "订单已揽收,不可取消")
ORDER_CANCELLED: Code = ("999003003", "订单已取消")

SCANS: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("1", "快件已揽收"),
    Event.DEPARTED: ("3", "快件已发往下一站"),
    Event.ARRIVED: ("4", "快件到达"),
    Event.AT_OUTLET: ("4", "快件到达派件网点"),
    Event.OUT_FOR_DELIVERY: ("5", "快件正在派送"),
    Event.SIGNED: ("10", "快件已签收"),
    Event.ADDRESSEE_REFUSED: ("11", "客户拒收"),
    Event.RETURN_STARTED: ("14", "快件退回"),
    Event.RETURN_PICKED_UP: ("1", "快件已揽收"),
    Event.RETURN_DEPARTED: ("3", "退件已发往下一站"),
    Event.RETURN_ARRIVED: ("4", "退件到达"),
    Event.RETURN_AT_OUTLET: ("4", "退件到达网点"),
    Event.RETURN_OUT_FOR_DELIVERY: ("5", "退件正在派送"),
    Event.RETURN_SIGNED: ("10", "快件已签收"),  # the way back keeps its number, and its words
    Event.LOST: ("11", "快件遗失"),
    Event.FOUND: ("11", "快件已找到"),
    Event.DAMAGED: ("11", "快件破损"),
}
PROBLEMS = {
    Event.ADDRESSEE_REFUSED: "A2",
    Event.LOST: "LOST",
    Event.FOUND: "FOUND",
    Event.DAMAGED: "DAMAGED",
}
REFUSED_RETURN = ("11", "A4", "退回件")  # what the addressee refused goes back as a problem
NETWORKS = {
    Place.ORIGIN_OUTLET: "揽件网点",
    Place.ORIGIN_HUB: "转运中心",
    Place.DESTINATION_HUB: "转运中心",
    Place.DESTINATION_OUTLET: "派件网点",
}


def digest(text: str) -> str:
    """Base64 of the raw MD5."""
    return b64encode(hashlib.md5(text.encode()).digest()).decode()


def customer_digest(customer: str, credentials: Mapping[str, str]) -> str:
    """What an order's customer proves himself by, inside the message."""
    salted = credentials.get("password", "") + "jadada236t2"
    password = hashlib.md5(salted.encode()).hexdigest().upper()
    return digest(customer + password + credentials.get("private_key", ""))


def _answer(code: Code, data: object = None) -> Answer:
    body = {"code": code[0], "msg": code[1], "data": data}
    body["requestId"] = hashlib.md5(orjson.dumps(body)).hexdigest()
    return Answer(orjson.dumps(body), code[0])


def _content(inbound: Inbound) -> str:
    """The one field of the form; empty where the form has no such field, or two."""
    try:
        form = parse_qs(inbound.body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return ""
    values = form.get("bizContent", [])
    return values[0] if len(values) == 1 else ""


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    headers, operation = inbound.headers, OPERATIONS.get(inbound.path)
    for name, code in EMPTY.items():
        if not headers.get(name):
            return _answer(code)
    account = depot.accounts.get((DIALECT.name, headers["apiaccount"]))
    if account is None:
        return _answer(NO_ACCOUNT)
    uuid = account.credentials.get("uuid", "")
    if operation is None or (uuid and parse_qs(inbound.query).get("uuid") != [uuid]):
        return _answer(NO_PERMISSION)
    content, key = _content(inbound), account.credentials.get("private_key", "")
    given = headers["digest"].encode(errors="replace")
    if not hmac.compare_digest(digest(content + key).encode(), given):
        return _answer(BAD_DIGEST)
    try:
        message = orjson.loads(content)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        return _answer(BAD_REQUEST)
    if operation is Operation.CANCEL_ORDER and not _customer_known(message, account):
        return _answer(BAD_INNER_DIGEST)
    waybill, record = _subject(depot, account, operation, message)
    return Asked(account, operation, message, waybill, plain(headers["timestamp"]), record)


def _customer_known(message: Mapping[str, Any], account: Account) -> bool:
    customer = plain(message.get("customerCode"))
    ours = account.credentials.get("customer_code", customer)
    proof = customer_digest(customer, account.credentials).encode()
    given = str(message.get("digest")).encode(errors="replace")
    return customer == ours and hmac.compare_digest(proof, given)


def _subject(
    depot: Depot, account: Account, operation: Operation, message: Mapping[str, Any]
) -> tuple[str, Record | None]:
    if operation is Operation.CANCEL_ORDER:
        record = depot.find_order(account, plain(message.get("txlogisticId")))
        return (record.parcel.waybill if record else ""), record
    name = plain(message.get("mailNo"))
    if operation is not Operation.INTERCEPT:
        name = next(iter(_numbers(operation, message)), "")
    return name, depot.find(account, name) if name else None


def _numbers(operation: Operation, message: Mapping[str, Any]) -> list[str]:
    if operation is Operation.TRACK:
        numbers = message.get("billCodes")
        named = numbers.split(",") if isinstance(numbers, str) and numbers else []
        return [plain(number) for number in named]
    wanted = message.get("list")
    rows = wanted if isinstance(wanted, list) else []
    return [plain(row.get("waybillCode")) if isinstance(row, dict) else "" for row in rows]


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    """A redirect is understood, but these parcels can only be sent back."""
    message, record = asked.message, asked.record
    kind = str(message.get("applyTypeCode"))
    complete = all(message.get(f"receive{name}") for name in REDIRECTION)
    if not asked.waybill or kind not in (RETURN, REDIRECT) or (kind == REDIRECT and not complete):
        return _answer(BAD_REQUEST)
    if record is None:
        return _answer(NO[Reason.UNKNOWN_WAYBILL])
    if kind == REDIRECT:
        return _answer(NO[Reason.UNLISTED])
    if asked.waybill != record.parcel.waybill:
        return _answer(NO[Reason.RETURN_LEG])
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _answer(NO[entry.reason or Reason.UNLISTED])
    return _answer(SUCCESS, {"mailNo": asked.astray or asked.waybill})


def _cancel_order(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if not asked.message.get("orderType") or not asked.message.get("reason"):
        return _answer(BAD_REQUEST)
    if record is None:
        return _answer(NO_ORDER)
    if record.parcel.order_cancelled_ms is not None:
        return _answer(ORDER_CANCELLED)
    if depot.cancel_order(record, now_ms) is not None:
        return _answer(ORDER_PICKED_UP)
    return _answer(SUCCESS, {"txlogisticId": record.parcel.order_id})


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    numbers = _numbers(asked.operation, asked.message)
    if not 0 < len(numbers) <= TRACK_MAX:
        return _answer(BAD_REQUEST)
    answers = []
    for number in numbers:
        record = depot.find(asked.account, number)
        marks = world.scans(record.course(), now_ms) if record else []
        shown = [show(record, mark) for mark in marks if record and mark.waybill == number]
        answers.append({"billCode": number, "details": shown or None})
    return _answer(SUCCESS, answers)


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    numbers = _numbers(asked.operation, asked.message)
    if not asked.message.get("Id") or not 0 < len(numbers) <= SUBSCRIBE_MAX:
        return _answer(BAD_REQUEST)
    found = {number: depot.find(asked.account, number) for number in numbers}
    known = [record for record in found.values() if record is not None]
    for record in known:
        depot.subscribe(record, now_ms)
    missing = [number for number, record in found.items() if record is None]
    return _answer(SUCCESS, {"list": missing}) if known else _answer(NO[Reason.UNKNOWN_WAYBILL])


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL_ORDER: _cancel_order,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    return _answer(SYSTEM if fault.params.flag("system") else TOO_OFTEN)


def show(record: Record, mark: Mark) -> dict[str, str]:
    """One scan, in tracking and in pushes alike."""
    kind, text = SCANS[mark.event]
    problem = PROBLEMS.get(mark.event, "")
    if mark.event is Event.RETURN_STARTED and mark.cause is Cause.ADDRESSEE_REFUSED:
        kind, problem, text = REFUSED_RETURN
    city = record.parcel.near(mark.place).city
    shown = {
        "scanTime": f"{datetime.fromtimestamp(mark.at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}",
        "scanType": kind,
        "desc": f"【{city}】{text}",
        "scanNetworkName": f"{city}{NETWORKS[mark.place]}",
        "scanNetworkCity": city,
    }
    if problem:
        shown["problemType"] = problem
    if mark.next_place is not None:
        shown["nextStopName"] = record.parcel.near(mark.next_place).city + NETWORKS[mark.next_place]
    return shown


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark = announcement.record, announcement.mark
    assert mark is not None
    content = {
        "billCode": mark.waybill,
        "txlogisticId": record.parcel.order_id,
        "details": [show(record, mark)],
    }
    text = orjson.dumps(content).decode()
    headers = {
        "apiAccount": account.name,
        "digest": digest(text + account.credentials.get("private_key", "")),
        "timestamp": str(mark.at_ms),
    }
    return Outgoing("trace", f"bizContent={quote_plus(text)}".encode(), FORM, headers)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and not the key."""
    text = parse_qs(outgoing.body.decode())["bizContent"][0]
    headers = {**outgoing.headers, "digest": digest(f"{text}forged")}
    forged = Outgoing(outgoing.kind, outgoing.body, outgoing.content_type, headers)
    return account.push_url or "", forged


def acknowledged(status: int, body: bytes) -> bool:
    return str(said(status, body).get("code")) == SUCCESS[0]


DIALECT = Dialect(
    name="jt",
    network="jt",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"JT{number % 10**13:013}",
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(SCANS),
    announces_claims=False,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=5,
    push_interval_ms=10 * world.MINUTE_MS,
)
