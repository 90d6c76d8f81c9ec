"""JD Logistics, LOP: a signed query string over a JSON array, and a token that ends."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson

from simulator import world
from simulator.depot import Account, Depot
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
from simulator.dialects import jd_network
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import ReturnNumber

JSON = "application/json;charset=utf-8"
OPERATIONS = {
    "ecap/v1/orders/cancel": Operation.INTERCEPT,
    "ecap/v1/orders/status/get": Operation.QUERY,
    "ecap/v1/orders/trace/query": Operation.TRACK,
    "ecap/v1/orders/trace/subscribe": Operation.SUBSCRIBE,
}
REFRESH = "oauth/refresh"
MACS = {
    "HMacMD5": hashlib.md5,
    "HMacSHA1": hashlib.sha1,
    "HMacSHA256": hashlib.sha256,
    "HMacSHA512": hashlib.sha512,
}
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
TOKEN_MS = world.DAY_MS  # machine time; assumed
C2C = "0"

SUCCESS = ("1000", "成功")
NO_PERMISSION = ("2001", "没有权限")
NOT_FOUND = ("2100", "运单不存在")
UNSUPPORTED = ("2101", "不支持的类型")
SYSTEM = ("4000", "系统内部错误")
ASSUMED_BAD_SIGN = ("2002", "签名错误")  # this and all codes below are assumed
ASSUMED_BAD_TOKEN = ("2003", "access_token 无效或已过期")
ASSUMED_BAD_REQUEST = ("2004", "参数错误")
ASSUMED_BUSY = ("2009", "请求过于频繁")
ASSUMED_CANCELLED = ("2205", "订单已取消")
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: NOT_FOUND,
    Reason.NOT_PICKED_UP: ASSUMED_CANCELLED,
    Reason.TOO_LATE: ("2201", "已过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("2202", "运单已妥投"),
    Reason.ALREADY_INTERCEPTED: ("2203", "运单已发起拦截"),
    Reason.RETURN_LEG: ("2204", "运单已在逆向途中"),
    Reason.UNLISTED: ("2299", "其他原因不可拦截"),
}


def signature(text: str, secret: str, algorithm: str) -> str | None:
    """Over the text between two copies of the secret; None for an algorithm that is none."""
    whole = f"{secret}{text}{secret}".encode()
    if algorithm == "md5-salt":
        return hashlib.md5(whole).hexdigest()
    if algorithm not in MACS:
        return None
    return b64encode(hmac.new(secret.encode(), whole, MACS[algorithm]).digest()).decode()


def _genuine(given: Mapping[str, str], path: str, body: str, account: Account) -> bool:
    """JD's Python samples write hex in lower case, its Java samples in upper."""
    algorithm = given.get("algorithm", "")
    signed = {**given, "method": f"/{path}", "param_json": body}
    names = ("access_token", "app_key", "method", "param_json", "timestamp", "v")
    text = "".join(name + signed[name] for name in names)
    expected = signature(text, account.credentials.get("app_secret", ""), algorithm)
    if expected is None:
        return False
    sign = given["sign"].lower() if algorithm == "md5-salt" else given["sign"]
    return hmac.compare_digest(expected.encode(), sign.encode())


def lend(account: Account, ends_ms: int) -> str:
    """A token that carries its own end, sealed so that nothing has to be remembered."""
    secret = account.credentials.get("app_secret", "").encode()
    seal = hmac.new(secret, f"{account.name} {ends_ms}".encode(), hashlib.sha256)
    return f"{ends_ms}.{seal.hexdigest()}"


def _lent(account: Account, token: str, machine_ms: int) -> bool:
    ends = token.partition(".")[0]
    if not re.fullmatch(r"[0-9]{1,15}", ends) or int(ends) <= machine_ms:
        return False
    return hmac.compare_digest(lend(account, int(ends)).encode(), token.encode())


def _answer(code: tuple[str, str], data: object = None, word: str = "msg") -> Answer:
    """The text stands under `msg` or `message`, as the API pleases."""
    body = {"code": int(code[0]), word: code[1], "success": code is SUCCESS, "data": data}
    return Answer(orjson.dumps(body), code[0], JSON)


def _oauth(status: int, fields: Mapping[str, object]) -> Answer:
    return Answer(orjson.dumps(fields), str(fields.get("error", "0")), JSON, status)


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    if inbound.path == REFRESH:
        return _refresh(inbound, depot)
    operation = OPERATIONS.get(inbound.path)
    if operation is None:
        return _answer(UNSUPPORTED)
    given = _pairs(inbound.query)
    account = depot.accounts.get((DIALECT.name, given.get("app_key", "")))
    if account is None:
        return _answer(NO_PERMISSION)
    needed = ("access_token", "timestamp", "v", "sign")
    plausible = all(given.get(name) for name in needed) and given["v"] == "2.0"
    if not plausible or given.get("LOP-DN") != "ECAP" or "lop-tz" not in inbound.headers:
        return _answer(ASSUMED_BAD_REQUEST)
    body = inbound.body.decode(errors="replace")
    if not _genuine(given, inbound.path, body, account):
        return _answer(ASSUMED_BAD_SIGN)
    if not _lent(account, given["access_token"], inbound.machine_ms):
        return _answer(ASSUMED_BAD_TOKEN)
    message = _parcel(inbound.body)
    if message is None or not TIME.fullmatch(given["timestamp"]):
        return _answer(ASSUMED_BAD_REQUEST)
    waybill = plain(message.get("waybillCode"))
    order = plain(message.get("orderCode")) or plain(message.get("customerOrderId"))
    record = depot.find(account, waybill) if waybill else depot.find_order(account, order)
    if record is not None and not waybill:
        waybill = record.parcel.waybill
    return Asked(account, operation, message, waybill, "", record)


def _pairs(text: str) -> dict[str, str]:
    """The fields of a query string or a form; none where one of them is there twice."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}


def _parcel(body: bytes) -> dict[str, Any] | None:
    """The one object of the array, where it names its parcel once and its account."""
    try:
        (message,) = orjson.loads(body)
    except (ValueError, TypeError):
        return None
    if not isinstance(message, dict):
        return None
    named = [n for n in ("waybillCode", "orderCode", "customerOrderId") if message.get(n)]
    origin = str(message.get("orderOrigin"))
    needed = {"1": "customerCode", "4": "businessUnitCode"}.get(origin, "orderOrigin")
    complete = len(named) == 1 and message.get(needed) is not None
    return message if complete and origin in ("0", "1", "2", "4", "5") else None


def _refresh(inbound: Inbound, depot: Depot) -> Asked | Answer:
    """As RFC 6749 has it: of JD's own form no more than the path is public."""
    given = _pairs(inbound.body.decode(errors="replace"))
    account = depot.accounts.get((DIALECT.name, given.get("client_id", "")))
    secret = given.get("client_secret", "").encode()
    if account is None or not hmac.compare_digest(
        account.credentials.get("app_secret", "").encode(), secret
    ):
        return _oauth(401, {"error": "invalid_client"})
    expected = account.credentials.get("refresh_token", "").encode()
    lasting = hmac.compare_digest(expected, given.get("refresh_token", "").encode())
    if given.get("grant_type") != "refresh_token" or not expected or not lasting:
        return _oauth(400, {"error": "invalid_grant"})
    message = {"ends_ms": inbound.machine_ms + TOKEN_MS}
    return Asked(account, Operation.TOKEN, message, "", "", None)


def _token(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    fields = {"access_token": lend(asked.account, asked.message["ends_ms"])}
    kept = {"refresh_token": asked.account.credentials["refresh_token"], "token_type": "bearer"}
    return _oauth(200, {**fields, **kept, "expires_in": TOKEN_MS // 1000})


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, message = asked.record, asked.message
    reason = plain(message.get("cancelReason"))
    if not 1 <= len(reason) <= 30 or str(message.get("cancelReasonCode")) not in ("1", "2"):
        return _answer(ASSUMED_BAD_REQUEST, word="message")
    if record is None:
        return _answer(NOT_FOUND, word="message")
    if asked.waybill != record.parcel.waybill:
        return _answer(ASSUMED[Reason.RETURN_LEG], word="message")
    moving = world.status(record.course(), now_ms) is not world.Status.NOT_PICKED_UP
    if moving and str(message.get("orderOrigin")) == C2C:
        return _answer(UNSUPPORTED, word="message")
    stopped = jd_network.stop(record, depot, now_ms, at_once=False, twice=asked.twice)
    if stopped.already:
        return _answer(ASSUMED_CANCELLED, word="message")
    why = jd_network.refusal(stopped.entry) if stopped.entry is not None else None
    if why is not None:
        return _answer(ASSUMED[why], word="message")
    if str(message.get("subscribeIntercept")) == "1":
        depot.subscribe(record, now_ms)
    return _answer(SUCCESS, {"waybillCode": asked.astray or asked.waybill}, word="message")


def _query(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None:
        return _answer(NOT_FOUND)
    status = jd_network.status_of(asked.record, asked.waybill, now_ms)
    named = {"status": status, "statusName": jd_network.STATUSES[status]}
    return _answer(SUCCESS, {"waybillCode": asked.astray or asked.waybill, **named})


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None:
        return _answer(NOT_FOUND)
    return _answer(SUCCESS, jd_network.trace(asked.record, asked.waybill, now_ms))


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None:
        return _answer(NOT_FOUND)
    parcel, mobile = asked.record.parcel, asked.message.get("mobile")
    tails = {parcel.sender.phone[-4:], parcel.receiver.phone[-4:]}
    if mobile and mobile not in tails:
        return _answer(NOT_FOUND)
    depot.subscribe(asked.record, now_ms)
    return _answer(SUCCESS)


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.QUERY: _query,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
    Operation.TOKEN: _token,
}


def busy(fault: Fault) -> Answer:
    return _answer(SYSTEM if fault.params.flag("system") else ASSUMED_BUSY)


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    assert announcement.mark is not None
    row = jd_network.show(announcement.record, announcement.mark)
    return Outgoing("trace", orjson.dumps(row), JSON)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """Unsigned pushes are told apart by their secret address only; a forger guesses it wrong."""
    head, _, last = (account.push_url or "").rpartition("/")
    return f"{head}/{last[::-1]}0", outgoing


def acknowledged(status: int, body: bytes) -> bool:
    return str(said(status, body).get("code")) == "200"


DIALECT = Dialect(
    name="jdl",
    network=jd_network.NETWORK,
    return_number=ReturnNumber.NEW,
    number=jd_network.number,
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(jd_network.STATES),
    announces_claims=False,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=5,  # this and the next are assumed
    push_interval_ms=10 * world.MINUTE_MS,
)
