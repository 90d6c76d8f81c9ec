"""JD's older call: one method behind one address, a signed form, `responce` as they spell it."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

import orjson

from simulator import world
from simulator.depot import Depot, Record
from simulator.dialect import Answer, Asked, Dialect, Inbound, plain
from simulator.dialects import jd_network
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import Interception, ReturnNumber

METHOD = "jingdong.ldop.receive.order.intercept"
WRAPPER = "jingdong_ldop_receive_order_intercept_responce"
FIELDS = ("app_key", "access_token", "timestamp", "v", "360buy_param_json", "sign")
PARAMS = ("vendorCode", "deliveryId", "interceptReason")
TOLERANCE_MS = 10 * world.MINUTE_MS

DONE, DONE_BEFORE = ("100", "取消成功"), ("108", "已经取消成功过")
ASSUMED_PENDING = ("101", "拦截请求处理中,请稍后查询")  # this and all codes below are assumed
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: ("102", "运单不存在"),
    Reason.TOO_LATE: ("103", "已过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("104", "运单已妥投"),
    Reason.ALREADY_INTERCEPTED: ("105", "运单已有拦截"),
    Reason.RETURN_LEG: ("106", "运单已在逆向途中"),
    Reason.NOT_PICKED_UP: ("107", "订单处理中,暂不可取消"),
    Reason.UNLISTED: ("199", "其他原因不可拦截"),
}
ASSUMED_BAD_TOKEN = ("19", "无效access_token", "Invalid access_token")
ASSUMED_BAD_KEY = ("21", "无效app_key", "Invalid app_key")
ASSUMED_BAD_SIGN = ("23", "无效签名", "Invalid sign")
ASSUMED_NO_TIME = ("24", "缺少时间戳参数", "Missing timestamp")
ASSUMED_BAD_TIME = ("25", "非法时间戳参数", "Invalid timestamp")
ASSUMED_BAD_REQUEST = ("26", "参数错误", "Invalid parameter")
ASSUMED_SYSTEM = ("67", "平台连接后端服务不可用", "Service unavailable")
ASSUMED_BUSY = ("90", "请求过于频繁", "Too many requests")


def signature(fields: Mapping[str, str], secret: str) -> str:
    names = sorted(name for name in fields if name != "sign")
    text = secret + "".join(f"{name}{fields[name]}" for name in names) + secret
    return hashlib.md5(text.encode()).hexdigest().upper()


def _error(code: tuple[str, str, str]) -> Answer:
    number, chinese, english = code
    body = {"error_response": {"code": number, "zh_desc": chinese, "en_desc": english}}
    return Answer(orjson.dumps(body), number)


def _state(code: tuple[str, str], waybill: str) -> Answer:
    told = {"deliveryId": waybill, "stateCode": int(code[0]), "stateMessage": code[1]}
    return Answer(orjson.dumps({WRAPPER: {"code": "0", "resultInfo": told}}), code[0])


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    fields = _fields(inbound)
    if inbound.path != "routerjson" or fields.get("method") != METHOD:
        return _error(ASSUMED_BAD_REQUEST)
    if not fields.get("timestamp"):
        return _error(ASSUMED_NO_TIME)
    account = depot.accounts.get((DIALECT.name, fields.get("app_key", "")))
    if account is None:
        return _error(ASSUMED_BAD_KEY)
    if not all(fields.get(name) for name in FIELDS) or fields["v"] != "2.0":
        return _error(ASSUMED_BAD_REQUEST)
    expected = signature(fields, account.credentials.get("app_secret", ""))
    if not hmac.compare_digest(expected.encode(), fields["sign"].encode()):
        return _error(ASSUMED_BAD_SIGN)
    token = account.credentials.get("access_token", "")
    if not hmac.compare_digest(token.encode(), fields["access_token"].encode()):
        return _error(ASSUMED_BAD_TOKEN)
    try:
        params = orjson.loads(fields["360buy_param_json"])
    except orjson.JSONDecodeError:
        params = None
    if not isinstance(params, dict) or not all(plain(params.get(name)) for name in PARAMS):
        return _error(ASSUMED_BAD_REQUEST)
    waybill = plain(params["deliveryId"])
    times = {"sent_ms": _sent_ms(fields["timestamp"]), "machine_ms": inbound.machine_ms}
    record = depot.find(account, waybill)
    return Asked(account, Operation.INTERCEPT, params | times, waybill, "", record)


def _fields(inbound: Inbound) -> dict[str, str]:
    """What stands in the query string and in the form; none where one of them is there twice."""
    text = "&".join(filter(None, (inbound.query, inbound.body.decode(errors="replace"))))
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}


def _sent_ms(text: str) -> int | None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text):
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=jd_network.CHINA)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000


def _timely(asked: Asked, now_ms: int) -> bool:
    """Ten minutes either way, by the machine's clock or, for who follows it, the simulator's."""
    sent_ms = asked.message["sent_ms"]
    clocks = (now_ms, asked.message["machine_ms"])
    return sent_ms is not None and any(abs(sent_ms - clock) <= TOLERANCE_MS for clock in clocks)


def _before(record: Record, now_ms: int) -> tuple[str, str] | None:
    """What asking again finds of a request that is being carried out, or was: asking is polling."""
    entry = record.by_external_no("")
    if entry is None or not entry.live(now_ms):
        return None
    return _standing(entry, now_ms, DONE_BEFORE)


def _standing(entry: Interception, now_ms: int, done: tuple[str, str]) -> tuple[str, str]:
    accepted_ms = entry.accepted_ms
    return done if accepted_ms is not None and accepted_ms <= now_ms else ASSUMED_PENDING


def perform(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, shown = asked.record, asked.astray or asked.waybill
    if not _timely(asked, now_ms):
        return _error(ASSUMED_BAD_TIME)
    if record is None:
        return _state(ASSUMED[Reason.UNKNOWN_WAYBILL], shown)
    if asked.waybill != record.parcel.waybill:
        return _state(ASSUMED[Reason.RETURN_LEG], shown)
    if (found := _before(record, now_ms)) is not None:
        return _state(found, shown)
    stopped = jd_network.stop(record, depot, now_ms, at_once=True, twice=asked.twice)
    if stopped.entry is None:
        return _state(DONE_BEFORE if stopped.already else DONE, shown)
    why = jd_network.refusal(stopped.entry)
    if why is not None:
        return _state(ASSUMED[why], shown)
    return _state(_standing(stopped.entry, now_ms, DONE), shown)


def busy(fault: Fault) -> Answer:
    return _error(ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY)


DIALECT = Dialect(
    name="ldop",
    network=jd_network.NETWORK,
    return_number=ReturnNumber.NEW,
    number=jd_network.number,
    read=read,
    perform=perform,
    busy=busy,
)
