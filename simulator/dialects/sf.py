"""SF Express: one address, a signed form, a JSON text inside; A1000 even when the answer is no."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus
from xml.sax.saxutils import quoteattr

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
from simulator.world import Event, Mark, ReturnNumber

CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
JSON = "application/json;charset=UTF-8"
FIELDS = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")
NUMBERS_MAX = 10  # of one route query, as of one push
ADDRESS = ("province", "city", "county", "address", "contact", "phone")

OPERATIONS = {
    "EXP_RECE_WANTED_INTERCEPT": Operation.INTERCEPT,
    "EXP_RECE_SEARCH_ROUTES": Operation.TRACK,
    "EXP_RECE_UPDATE_ORDER": Operation.CANCEL_ORDER,
    "EXP_RECE_REGISTER_ROUTE": Operation.SUBSCRIBE,
}

ASSUMED = {  # no public list of these codes exists
    Reason.UNKNOWN_WAYBILL: ("8024", "未查询到运单"),
    Reason.NOT_PICKED_UP: ("8151", "运单未揽收,不支持截单"),
    Reason.TOO_LATE: ("8152", "已过可截单时间"),
    Reason.ALREADY_DELIVERED: ("8153", "快件已签收,不支持截单"),
    Reason.ALREADY_INTERCEPTED: ("8154", "该运单已有截单指令"),
    Reason.RETURN_LEG: ("8155", "快件已在退回途中"),
    Reason.UNLISTED: ("8999", "其他原因,不支持截单"),
}
ASSUMED_NO_INSTRUCTION = ("8156", "截单指令不存在")
ASSUMED_CANCEL_LATE = ("8157", "指令已执行,不支持取消")
ALREADY_CANCELLED = ("8019", "已确认或已取消")
BAD_REQUEST = ("S0002", "参数错误")
SYSTEM = ("S0001", "系统异常")

OP_CODES: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("50", "顺丰速运 已收取快件"),
    Event.DEPARTED: ("30", "快件已发车"),
    Event.ARRIVED: ("31", "快件到达 中转场"),
    Event.AT_OUTLET: ("310", "快件到达 派件网点"),
    Event.OUT_FOR_DELIVERY: ("44", "正在派送途中"),
    Event.SIGNED: ("80", "已签收(收件人签收)"),
    Event.ADDRESSEE_REFUSED: ("70", "派件不成功,原因:客户拒收"),
    Event.RETURN_STARTED: ("648", "快件已退回"),
    Event.RETURN_PICKED_UP: ("50", "顺丰速运 已收取快件"),
    Event.RETURN_DEPARTED: ("30", "快件已发车"),
    Event.RETURN_ARRIVED: ("31", "快件到达 中转场"),
    Event.RETURN_AT_OUTLET: ("310", "快件到达 派件网点"),
    Event.RETURN_OUT_FOR_DELIVERY: ("44", "正在派送途中"),
    Event.RETURN_SIGNED: ("80", "已签收(寄件人签收)"),
    Event.LOST: ("655", "快件遗失"),  # this and the next two are assumed
    Event.DAMAGED: ("656", "快件破损"),
    Event.FOUND: ("657", "快件已找到"),
}


def digest(text: str, checkword: str) -> str:
    """Base64 of the raw MD5 over the text as Java's URLEncoder writes it."""
    encoded = quote_plus(text + checkword, safe="*").replace("~", "%7E")
    return b64encode(hashlib.md5(encoded.encode()).digest()).decode()


def _outer(code: str, message: str, inner: str = "") -> Answer:
    body = {
        "apiErrorMsg": message,
        "apiResponseID": hashlib.md5(inner.encode()).hexdigest(),
        "apiResultCode": code,
        "apiResultData": inner or None,
    }
    return Answer(orjson.dumps(body), code)


def _inner(code: tuple[str, str] | None, payload: object = None) -> Answer:
    number, message = code or ("S0000", "")
    inner = {
        "success": code is None,
        "errorCode": number,
        "errorMsg": message or None,
        "msgData": payload,
    }
    answer = _outer("A1000", "", orjson.dumps(inner).decode())
    return Answer(answer.body, number)


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    try:
        parsed = parse_qs(inbound.body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return _outer("A1001", "请求格式错误")
    form = {name: values[0] for name, values in parsed.items() if len(values) == 1}
    if inbound.path != "std/service" or any(not form.get(name) for name in FIELDS):
        return _outer("A1001", "必传参数不可为空")
    if not plain(form["requestID"]):
        return _outer("A1001", "必传参数不可为空")
    account = depot.accounts.get((DIALECT.name, form["partnerID"]))
    if account is None:
        return _outer("A1001", "partnerID 不存在")
    checkword = account.credentials.get("checkword", "")
    expected = digest(form["msgData"] + form["timestamp"], checkword)
    if not hmac.compare_digest(expected.encode(), form["msgDigest"].encode()):
        return _outer("A1006", "数字签名无效")
    operation = OPERATIONS.get(form["serviceCode"])
    if operation is None:
        return _outer("A1004", "无对应服务权限")
    try:
        message = orjson.loads(form["msgData"])
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        return _inner(BAD_REQUEST)
    if operation is Operation.INTERCEPT and message.get("cancel") is True:
        operation = Operation.CANCEL
    waybill, record = _subject(depot, account, operation, message)
    return Asked(account, operation, message, waybill, form["requestID"], record)


def _subject(
    depot: Depot, account: Account, operation: Operation, message: Mapping[str, Any]
) -> tuple[str, Record | None]:
    numbers = message.get("trackingNumber")
    by_order = False
    match operation:
        case Operation.INTERCEPT | Operation.CANCEL:
            name = message.get("waybillNo")
        case Operation.TRACK:
            name = numbers[0] if isinstance(numbers, list) and numbers else numbers
            by_order = str(message.get("trackingType", "1")) == "2"
        case Operation.SUBSCRIBE:
            name, by_order = message.get("attributeNo"), str(message.get("type")) == "1"
        case _:
            name, by_order = message.get("orderId"), True
    name = plain(name)
    record = depot.find_order(account, name) if by_order else depot.find(account, name)
    return (record.parcel.waybill if record and by_order else name), record


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    message, record = asked.message, asked.record
    address = message.get("newDestAddress")
    complete = isinstance(address, dict) and all(address.get(name) for name in ADDRESS)
    paid_monthly = str(message.get("payMode")) in ("3", "4")
    if str(message.get("serviceCode")) != "2" or not complete:
        return _inner(BAD_REQUEST)
    if not message.get("role") or (paid_monthly and not message.get("monthlyCardNo")):
        return _inner(BAD_REQUEST)
    if record is None:
        return _inner(ASSUMED[Reason.UNKNOWN_WAYBILL])
    if asked.waybill != record.parcel.waybill:
        return _inner(ASSUMED[Reason.RETURN_LEG])
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=True)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if entry.refused_ms is not None and not entry.receipt_only:
        return _inner(ASSUMED[entry.reason or Reason.UNLISTED])
    if entry.receipt_only:
        return _inner(None)
    fee_minor = entry.params.number("fee_minor", record.account.options.fee_minor)
    payload: dict[str, object] = {
        "cusId": entry.business_no,
        "amount": orjson.Fragment(f"{fee_minor // 100}.{fee_minor % 100:02d}"),
        "freightAdditionInfoResp": {"interceptionDeptCode": "755A", "transferFlg": "1"},
    }
    if asked.astray:
        payload["waybillNo"] = asked.astray
    return _inner(None, payload)


def _cancel(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, number = asked.record, asked.message.get("cusId")
    if record is None:
        return _inner(ASSUMED[Reason.UNKNOWN_WAYBILL])
    entry = record.by_business_no(number) if isinstance(number, str) else None
    if entry is None:
        return _inner(ASSUMED_NO_INSTRUCTION)
    if entry.cancelled_ms is not None:
        return _inner(ALREADY_CANCELLED)
    return _inner(None if depot.cancel(record, entry, now_ms) else ASSUMED_CANCEL_LATE)


def _cancel_order(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if str(asked.message.get("dealType")) != "2":
        return _inner(BAD_REQUEST)
    if record is None:
        return _inner(ASSUMED[Reason.UNKNOWN_WAYBILL])
    if depot.cancel_order(record, now_ms) is not None:
        return _inner(ALREADY_CANCELLED)
    parcel = record.parcel
    numbers = [{"waybillType": 1, "waybillNo": parcel.waybill}]
    payload = {"orderId": parcel.order_id, "resStatus": 2, "waybillNoInfoList": numbers}
    return _inner(None, payload)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    wanted = asked.message.get("trackingNumber")
    numbers = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(numbers, list) or not 0 < len(numbers) <= NUMBERS_MAX:
        return _inner(BAD_REQUEST)
    by_order = str(asked.message.get("trackingType", "1")) == "2"
    check = asked.message.get("checkPhoneNo")
    answers = []
    for number in map(plain, numbers):
        find = depot.find_order if by_order else depot.find
        record = find(asked.account, number)
        routes: list[dict[str, str]] = []
        waybill = record.parcel.waybill if record and by_order else number
        if record is not None and _phone_fits(record, check):
            marks = world.scans(record.course(), now_ms)
            routes = [_route(record, mark) for mark in marks if mark.waybill == waybill]
        answers.append({"mailNo": waybill, "routes": routes})
    return _inner(None, {"routeResps": answers})


def _phone_fits(record: Record, check: object) -> bool:
    if check in (None, ""):
        return True
    phones = (record.parcel.sender.phone, record.parcel.receiver.phone)
    return any(phone[-4:] == check for phone in phones)


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None or not _phone_fits(asked.record, asked.message.get("checkPhoneNo")):
        return _inner(ASSUMED[Reason.UNKNOWN_WAYBILL])
    depot.subscribe(asked.record, now_ms)
    return _inner(None)


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.CANCEL_ORDER: _cancel_order,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    return _inner(SYSTEM) if fault.params.flag("system") else _outer("A1005", "访问过于频繁")


def _route(record: Record, mark: Mark) -> dict[str, str]:
    parcel = record.parcel
    code, remark = OP_CODES[mark.event]
    if mark.event is Event.RETURN_STARTED and parcel.return_waybill != parcel.waybill:
        remark = f"快件已退回/转寄,新单号为: {parcel.return_waybill}"
    where = parcel.near(mark.place)
    return {
        "acceptTime": f"{datetime.fromtimestamp(mark.at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}",
        "acceptAddress": where.city,
        "remark": remark,
        "opCode": code,
    }


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    routes = [
        {
            "id": announcement.id,
            "mailno": announcement.mark.waybill,
            "orderid": announcement.record.parcel.order_id,
            **_route(announcement.record, announcement.mark),
        }
        for announcement in announcements
        if announcement.mark is not None
    ]
    if account.options.push_format == "json":
        return Outgoing("routes", orjson.dumps({"Body": {"WaybillRoute": routes}}), JSON)
    nodes = "".join(
        f"<WaybillRoute {' '.join(f'{name}={quoteattr(text)}' for name, text in route.items())}/>"
        for route in routes
    )
    service = '<Request service="RoutePushService" lang="zh-CN"><Body>'
    content = f"<?xml version='1.0' encoding='UTF-8'?>{service}{nodes}</Body></Request>"
    return Outgoing("routes", b"content=" + quote(content, safe="").encode(), FORM)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """Unsigned pushes are told apart by their secret address only; a forger guesses it wrong."""
    address = account.push_url or ""
    head, _, last = address.rpartition("/")
    return f"{head}/{last[::-1]}0", outgoing


def acknowledged(status: int, body: bytes) -> bool:
    if body.lstrip().startswith(b"<"):
        return status == 200 and b"<Head>OK</Head>" in body
    return said(status, body).get("return_code") == "0000"


DIALECT = Dialect(
    name="sf",
    network="sf",
    return_number=ReturnNumber.NEW,
    number=lambda number: f"SF{10**12 + number % (9 * 10**12)}",
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(OP_CODES),
    announces_claims=False,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=NUMBERS_MAX,
    push_attempts=10,
    push_interval_ms=10 * world.MINUTE_MS,
)
