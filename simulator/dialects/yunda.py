"""Yunda: JSON under a signature in its headers; a change of address that is only ever a receipt.

The signature, the paths and the fields of an instruction are public. Assumed: every code, which
`inteType` sends a parcel back, what a yes holds, most actions. No push comes: none is public.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from simulator import world
from simulator.depot import Account, Depot, Record
from simulator.dialect import (
    Answer,
    Asked,
    Dialect,
    Inbound,
    Perform,
    by_operation,
    plain,
)
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import Event, Mark, Place, ReturnNumber

CHINA = timezone(timedelta(hours=8))
RETURN, REDIRECT = "1", "2"  # the second is public, the first assumed
INSTRUCTION = ("changeAddress", "changeName", "changeTel", "interceptSponsorName", "remark")
HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
ORDERS_MAX = 100

OPERATIONS = {
    "openapi/outer/tmm/outerapi/intercept/invokeExpressChangeAddr": Operation.INTERCEPT,
    "openapi-api/v1/accountOrder/cancelBmOrder": Operation.CANCEL_ORDER,
    "openapi/outer/logictis/query": Operation.TRACK,  # their spelling
    "openapi/outer/logictis/subscribe": Operation.SUBSCRIBE,
}

Code = tuple[str, str]
SUCCESS: Code = ("0000", "请求成功")
BAD_SIGN: Code = ("1001", "签名错误")
NO_APP: Code = ("1002", "app-key无效或无接口权限")
TOO_OFTEN: Code = ("1003", "请求过于频繁")
BAD_REQUEST: Code = ("1004", "参数错误")
SYSTEM: Code = ("9999", "系统异常")
NO: dict[Reason, Code] = {
    Reason.UNKNOWN_WAYBILL: ("2001", "运单不存在"),
    Reason.NOT_PICKED_UP: ("2002", "运单未揽收"),
    Reason.TOO_LATE: ("2003", "已超过拦截时效"),
    Reason.ALREADY_DELIVERED: ("2004", "运单已签收"),
    Reason.ALREADY_INTERCEPTED: ("2005", "已有生效指令"),
    Reason.RETURN_LEG: ("2006", "运单已在退回途中"),
    Reason.UNLISTED: ("2099", "不支持下发指令"),
}
NO_ORDER: Code = ("3001", "订单不存在")
ORDER_PICKED_UP: Code = ("3002", "订单已揽收")
ORDER_CANCELLED: Code = ("3003", "订单已取消")
NOT_SUBSCRIBED: Code = ("4001", "运单未订阅")

STEPS: dict[Event, tuple[str, str, str]] = {  # status, action, text
    Event.PICKED_UP: ("GOT", "GOT", "已揽收"),
    Event.DEPARTED: ("TRANSIT", "DEPARTURE", "已发出"),
    Event.ARRIVED: ("TRANSIT", "ARRIVAL", "已到达"),
    Event.AT_OUTLET: ("TRANSIT", "ARRIVAL", "已到达派件网点"),
    Event.OUT_FOR_DELIVERY: ("TRANSIT", "SENT", "派件中"),
    Event.SIGNED: ("SIGNED", "SIGNED", "已签收"),
    Event.ADDRESSEE_REFUSED: ("SIGNFAIL", "REJECTION", "客户拒收"),
    Event.RETURN_STARTED: ("RETURN", "RETURN", "快件退回"),
    Event.RETURN_PICKED_UP: ("GOT", "GOT", "已揽收"),
    Event.RETURN_DEPARTED: ("RETURN", "DEPARTURE", "退件已发出"),
    Event.RETURN_ARRIVED: ("RETURN", "ARRIVAL", "退件已到达"),
    Event.RETURN_AT_OUTLET: ("RETURN", "ARRIVAL", "退件已到达网点"),
    Event.RETURN_OUT_FOR_DELIVERY: ("RETURN", "SENT", "退件派送中"),
    Event.RETURN_SIGNED: ("SIGNED", "SIGNED", "已签收"),  # the way back keeps its number
    Event.LOST: ("SIGNFAIL", "ISSUE_LOST", "快件遗失"),
    Event.FOUND: ("TRANSIT", "ISSUE_FOUND", "快件已找到"),
    Event.DAMAGED: ("SIGNFAIL", "ISSUE_DAMAGED", "快件破损"),
}
STATIONS = {
    Place.ORIGIN_OUTLET: "揽件网点",
    Place.ORIGIN_HUB: "分拨中心",
    Place.DESTINATION_HUB: "分拨中心",
    Place.DESTINATION_OUTLET: "派件网点",
}


def signature(body: bytes, secret: str) -> str:
    """Lower-case hex of the MD5 over the body, an underscore and the secret."""
    return hashlib.md5(body + b"_" + secret.encode()).hexdigest()


def _answer(code: Code, data: object = None) -> Answer:
    body = {"result": code is SUCCESS, "code": code[0], "message": code[1], "data": data}
    return Answer(orjson.dumps(body), code[0])


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    headers, operation = inbound.headers, OPERATIONS.get(inbound.path)
    account = depot.accounts.get((DIALECT.name, headers.get("app-key", "")))
    if account is None or operation is None:
        return _answer(NO_APP)
    given = headers.get("sign", "").encode(errors="replace")
    expected = signature(inbound.body, account.credentials.get("app_secret", ""))
    if not hmac.compare_digest(expected.encode(), given) or not headers.get("req-time"):
        return _answer(BAD_SIGN)
    try:
        message = orjson.loads(inbound.body)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        return _answer(BAD_REQUEST)
    waybill, record = _subject(depot, account, operation, message)
    return Asked(account, operation, message, waybill, plain(message.get("remark")), record)


def _subject(
    depot: Depot, account: Account, operation: Operation, message: Mapping[str, Any]
) -> tuple[str, Record | None]:
    first = next(iter(_orders(message)), {})
    match operation:
        case Operation.INTERCEPT:
            name = plain(message.get("shipId"))
        case Operation.TRACK:
            name = plain(message.get("mailno"))
        case _:
            name = plain(first.get("mailno"))
    record = depot.find(account, name) if name else None
    if operation is Operation.CANCEL_ORDER:
        ordered = depot.find_order(account, plain(first.get("order_serial_no")))
        record = ordered if ordered is record else None  # the two numbers name one parcel
    return name, record


def _orders(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    orders = message.get("orders")
    return [row for row in orders if isinstance(row, dict)] if isinstance(orders, list) else []


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    """A redirect is understood, but these parcels can only be sent back."""
    message, record = asked.message, asked.record
    complete = all(message.get(name) for name in INSTRUCTION) and "startSiteCode" in message
    timed = HOUR.fullmatch(str(message.get("interceptCreateTime")))
    if message.get("inteType") not in (RETURN, REDIRECT) or not complete or not timed:
        return _answer(BAD_REQUEST)
    if record is None:
        return _answer(NO[Reason.UNKNOWN_WAYBILL])
    if message["inteType"] == REDIRECT:
        return _answer(NO[Reason.UNLISTED])
    if asked.waybill != record.parcel.waybill:
        return _answer(NO[Reason.RETURN_LEG])
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _answer(NO[entry.reason or Reason.UNLISTED])
    return _answer(SUCCESS, {"shipId": asked.astray or asked.waybill})


def _cancel_order(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    message, record, secrets = asked.message, asked.record, asked.account.credentials
    partner = secrets.get("partner_id", message.get("partner_id"))
    proof = str(message.get("secret")).encode(errors="replace")
    known = hmac.compare_digest(secrets.get("partner_secret", "").encode(), proof)
    if message.get("appid") != asked.account.name or message.get("partner_id") != partner:
        return _answer(NO_APP)
    if not known or len(_orders(message)) != 1:
        return _answer(BAD_REQUEST if known else NO_APP)
    if record is None:
        return _answer(NO_ORDER)
    if record.parcel.order_cancelled_ms is not None:
        return _answer(ORDER_CANCELLED)
    return _answer(SUCCESS if depot.cancel_order(record, now_ms) is None else ORDER_PICKED_UP)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _answer(NO[Reason.UNKNOWN_WAYBILL])
    watched = record.watched_from_ms is not None
    if asked.account.options.push == "subscribed" and not watched:
        return _answer(NOT_SUBSCRIBED)
    marks = world.scans(record.course(), now_ms)
    steps = [show(record, mark) for mark in marks if mark.waybill == asked.waybill]
    return _answer(SUCCESS, {"mailno": asked.waybill, "steps": steps})


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    numbers = [plain(order.get("mailno")) for order in _orders(asked.message)]
    if not 0 < len(numbers) <= ORDERS_MAX:
        return _answer(BAD_REQUEST)
    found = [depot.find(asked.account, number) for number in numbers]
    for record in found:
        if record is not None:
            depot.subscribe(record, now_ms)
    return _answer(SUCCESS if any(found) else NO[Reason.UNKNOWN_WAYBILL])


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL_ORDER: _cancel_order,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    return _answer(SYSTEM if fault.params.flag("system") else TOO_OFTEN)


def show(record: Record, mark: Mark) -> dict[str, str]:
    status, action, text = STEPS[mark.event]
    city = record.parcel.near(mark.place).city
    shown = {
        "time": f"{datetime.fromtimestamp(mark.at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}",
        "status": status,
        "action": action,
        "city": city,
        "station_name": f"{city}{STATIONS[mark.place]}",
        "description": f"【{city}】{text}",
    }
    if mark.next_place is not None:
        shown["next_name"] = record.parcel.near(mark.next_place).city + STATIONS[mark.next_place]
    return shown


DIALECT = Dialect(
    name="yunda",
    network="yunda",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"43{number % 10**11:011}",
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
)
