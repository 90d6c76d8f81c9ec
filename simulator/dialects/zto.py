"""ZTO: signed JSON (or a form) per API name; an interception is a receipt first, a state later."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import orjson

from simulator import world
from simulator.depot import Account, Depot, Record
from simulator.dialect import Announcement, Answer, Asked, Dialect, Inbound, Outgoing
from simulator.outcomes import Fault, Operation, Reason
from simulator.truth import GROUNDS, ClaimState, judge
from simulator.world import Cause, Event, Interception, Mark, Place, ReturnNumber

CHINA = timezone(timedelta(hours=8))
JSON = "application/json;charset=UTF-8"
CLAIM_MINOR_MAX = 10**12

OPERATIONS = {
    "thirdcenter.createIntercept": Operation.INTERCEPT,
    "thirdcenter.cancelIntercept": Operation.CANCEL,
    "thirdcenter.queryInterceptAndReturnStatus": Operation.QUERY,
    "zto.merchant.waybill.track.query": Operation.TRACK,
    "zto.merchant.waybill.track.subsrcibe": Operation.SUBSCRIBE,  # their spelling
    "zto.open.merchant.incident.create": Operation.CLAIM,
    "zto.open.merchant.incident.query": Operation.CLAIM_QUERY,
}
PAYLOAD = {  # the member that carries the payload; `data` for the thirdcenter family
    Operation.TRACK: "result",
    Operation.SUBSCRIBE: "result",
    Operation.CLAIM: "result",
    Operation.CLAIM_QUERY: "result",
}

SUCCESS = ("SYS000", "请求成功")  # this and all codes below are assumed: no list is public
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: ("INT001", "运单不存在"),
    Reason.NOT_PICKED_UP: ("INT002", "运单未揽收"),
    Reason.TOO_LATE: ("INT003", "超过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("INT004", "运单已签收"),
    Reason.ALREADY_INTERCEPTED: ("INT005", "运单已有拦截件"),
    Reason.RETURN_LEG: ("INT006", "运单已在退回途中"),
    Reason.UNLISTED: ("INT099", "其他原因不可拦截"),
}
ASSUMED_BAD_DIGEST = ("S206", "签名错误")
ASSUMED_NO_COMPANY = ("S207", "应用不存在")
ASSUMED_NO_API = ("S208", "接口不存在")
ASSUMED_BUSY = ("S211", "请求过于频繁")
ASSUMED_SYSTEM = ("S500", "系统异常")
ASSUMED_BAD_REQUEST = ("S400", "参数错误")
ASSUMED_NO_INTERCEPTION = ("INT101", "无拦截记录")
ASSUMED_CANCEL_LATE = ("INT102", "已退回,不可取消")
ASSUMED_CANCELLED = ("INT103", "拦截已取消")
ASSUMED_NO_INCIDENT = ("INC003", "工单不存在")

STATES = {
    "INTERCEPTING": "拦截中",
    "INTERCEPT_SUCCESS": "拦截成功",
    "INTERCEPT_FAIL": "拦截失败",
    "INTERCEPT_CANCEL": "取消拦截",
    "PACKAGE_DELIVERYING": "退改中",
    "INTERCEPT_DISCONTINUE": "拦截完结",
}
NOTICE_STATES = {
    Event.INTERCEPT_ACCEPTED: "INTERCEPT_SUCCESS",
    Event.INTERCEPT_FAILED: "INTERCEPT_FAIL",
    Event.INTERCEPT_CANCELLED: "INTERCEPT_CANCEL",
    Event.INTERCEPT_ENDED: "INTERCEPT_DISCONTINUE",
}

ACTIONS: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("GOT", "已揽收"),
    Event.DEPARTED: ("DEPARTURE", "已发出"),
    Event.ARRIVED: ("ARRIVAL", "已到达中转"),
    Event.AT_OUTLET: ("ARRIVAL", "已到达派件网点"),
    Event.OUT_FOR_DELIVERY: ("DISPATCH", "正在派件"),
    Event.SIGNED: ("SIGNED", "已签收,签收人: 收件人"),
    Event.ADDRESSEE_REFUSED: ("PROBLEM", "客户拒收"),
    Event.RETURN_STARTED: ("RETURN_SCAN", "快件退回"),
    Event.RETURN_PICKED_UP: ("GOT", "已揽收"),
    Event.RETURN_DEPARTED: ("DEPARTURE", "退件已发出"),
    Event.RETURN_ARRIVED: ("ARRIVAL", "退件已到达中转"),
    Event.RETURN_AT_OUTLET: ("ARRIVAL", "退件已到达网点"),
    Event.RETURN_OUT_FOR_DELIVERY: ("DISPATCH", "退件派送中"),
    Event.RETURN_SIGNED: ("RETURN_SIGNED", "退件已签收,签收人: 寄件人"),
    Event.LOST: ("PROBLEM", "快件遗失"),
    Event.FOUND: ("PROBLEM", "快件已找到"),
    Event.DAMAGED: ("PROBLEM", "快件破损"),
}
PROBLEMS = {
    Event.ADDRESSEE_REFUSED: "REFUSED",
    Event.LOST: "LOST",
    Event.FOUND: "FOUND",
    Event.DAMAGED: "DAMAGED",
}
RETURN_TYPES = {
    Cause.INTERCEPTION: "1",
    Cause.ADDRESSEE_REFUSED: "2",
    Cause.OTHER_INTERCEPTION: "3",
}
FACILITIES = {
    Place.ORIGIN_OUTLET: ("网点", "01"),
    Place.ORIGIN_HUB: ("转运中心", "00"),
    Place.DESTINATION_HUB: ("转运中心", "00"),
    Place.DESTINATION_OUTLET: ("网点", "02"),
}


def digest(content: bytes, account: Account, timestamp: str) -> str:
    """As the account's console says: which hash, which encoding, the time before it or not."""
    options = account.options
    prefix = timestamp.encode() if options.digest_timestamp else b""
    secret = account.credentials.get("app_secret", "").encode()
    if options.digest == "hmac_sha256":
        key = account.credentials.get("secret_key", "").encode()
        raw = hmac.new(key, prefix + content + secret, hashlib.sha256).digest()
    else:
        raw = hashlib.new(options.digest, prefix + content + secret).digest()
    return raw.hex() if options.digest_encoding == "hex" else b64encode(raw).decode()


def _answer(code: tuple[str, str], operation: Operation, payload: object = None) -> Answer:
    good = code is SUCCESS
    member = PAYLOAD.get(operation, "data")
    body = {"status": good, "statusCode": code[0], "message": code[1], member: payload}
    return Answer(orjson.dumps(body), code[0])


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    headers = inbound.headers
    operation = OPERATIONS.get(inbound.path)
    if operation is None:
        return _answer(ASSUMED_NO_API, Operation.INTERCEPT)
    company = headers.get("x-companyid") or headers.get("x-appkey") or ""
    account = depot.accounts.get((DIALECT.name, company))
    if account is None:
        return _answer(ASSUMED_NO_COMPANY, operation)
    form = "urlencoded" in headers.get("content-type", "")
    signed = inbound.body
    try:
        if form:
            pairs = parse_qsl(signed.decode(), keep_blank_values=True, max_num_fields=50)
            signed = "&".join(f"{name}={text}" for name, text in pairs).encode()
            message: Any = {name: _form_value(text) for name, text in pairs}
        else:
            message = json.loads(signed, parse_float=Decimal)
    except (ValueError, RecursionError):
        message = None
    expected = digest(signed, account, headers.get("x-timestamp", "")).encode()
    given = headers.get("x-datadigest", "").encode(errors="replace")
    if not hmac.compare_digest(expected, given):
        return _answer(ASSUMED_BAD_DIGEST, operation)
    if not isinstance(message, dict):
        return _answer(ASSUMED_BAD_REQUEST, operation)
    waybill, reference = _subject(operation, message)
    record = depot.find(account, waybill) if waybill else None
    return Asked(account, operation, message, waybill, reference, record)


def _form_value(text: str) -> object:
    """A form carries what is not a text as JSON."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def _subject(operation: Operation, message: Mapping[str, Any]) -> tuple[str, str]:
    incident = message.get("incident")
    source = message
    if operation is Operation.CLAIM and isinstance(incident, dict):
        source = incident
    key = {Operation.INTERCEPT: "requestId", Operation.CLAIM: "traceId"}.get(
        operation, "thirdBizNo"
    )
    waybill, reference = source.get("billCode"), message.get(key)
    return (
        waybill if isinstance(waybill, str) else "",
        reference if isinstance(reference, str) else "",
    )


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, operation = asked.record, asked.operation
    back = str(asked.message.get("destinationType")) in ("1", "2", "4")
    if not asked.reference or not asked.waybill or not back:
        return _answer(ASSUMED_BAD_REQUEST, operation)
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], operation)
    if asked.waybill != record.parcel.waybill:
        return _answer(ASSUMED[Reason.RETURN_LEG], operation)
    entry = record.by_reference(asked.reference)
    if entry is None:
        external_no = asked.message.get("thirdBizNo")
        external_no = external_no if isinstance(external_no, str) else ""
        entry = depot.intercept(record, asked.reference, external_no, now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _answer(ASSUMED[entry.reason or Reason.UNLISTED], operation)
    payload = {"centerBizNo": entry.business_no}
    if asked.astray:
        payload["billCode"] = asked.astray
    return _answer(SUCCESS, operation, payload)


def _cancel(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, operation = asked.record, asked.operation
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], operation)
    entry = record.by_external_no(asked.reference)
    if entry is None:
        return _answer(ASSUMED_NO_INTERCEPTION, operation)
    if entry.cancelled_ms is not None:
        return _answer(ASSUMED_CANCELLED, operation)
    done = depot.cancel(record, entry, now_ms)
    return _answer(SUCCESS if done else ASSUMED_CANCEL_LATE, operation)


def state(record: Record, entry: Interception, now_ms: int) -> str:
    """Which of the six states this instruction is in."""
    found = "INTERCEPTING"
    for mark in record.course():
        if mark.at_ms > now_ms:
            break
        if mark.event in NOTICE_STATES and mark.reference == entry.reference:
            found = NOTICE_STATES[mark.event]
        if mark.event is Event.RETURN_STARTED and found == "INTERCEPT_SUCCESS":
            found = "PACKAGE_DELIVERYING"
    return found


def _query(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, operation = asked.record, asked.operation
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], operation)
    live = [e for e in record.journal if e.receipt_only or e.by_other or e.accepted_ms]
    shown = [entry for entry in live if not entry.by_other] or live
    if not shown or (not shown[-1].receipt_only and (shown[-1].accepted_ms or 0) > now_ms):
        return _answer(ASSUMED_NO_INTERCEPTION, operation)
    entry = shown[-1]
    name = state(record, entry, now_ms)
    if entry.by_other:
        name = "PACKAGE_DELIVERYING"
    payload = {
        "billCode": asked.waybill,
        "serviceCode": "RETURN",
        "status": name,
        "statusName": STATES[name],
    }
    return _answer(SUCCESS, operation, payload)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], asked.operation)
    marks = world.scans(record.course(), now_ms)
    shown = [_scan(record, mark) for mark in marks if mark.waybill == asked.waybill]
    return _answer(SUCCESS, asked.operation, shown)


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    if asked.record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], asked.operation)
    depot.subscribe(asked.record, now_ms)
    return _answer(SUCCESS, asked.operation, True)


def _minor(value: object) -> int:
    """Yuan to fen, exactly; -1 for what is no such amount."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return -1
    try:
        fen = Decimal(value) * 100
        whole = fen.to_integral_exact() if fen.is_finite() else Decimal(-1)
    except InvalidOperation:
        return -1
    return int(whole) if whole == fen and 0 < whole <= CLAIM_MINOR_MAX else -1


def _claim(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    incident, extra = asked.message.get("incident"), asked.message.get("extraInfo")
    amount = extra.get("expectedCompensationAmount") if isinstance(extra, dict) else None
    kind = incident.get("type") if isinstance(incident, dict) else None
    asked_minor = _minor(amount)
    if not asked.reference or kind not in GROUNDS or asked_minor < 0:
        return _answer(ASSUMED_BAD_REQUEST, asked.operation)
    record = asked.record
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], asked.operation)
    claim = depot.file_claim(record, asked.reference, kind, asked_minor, now_ms)
    if claim is None:
        return _answer(ASSUMED_BAD_REQUEST, asked.operation)
    return _answer(SUCCESS, asked.operation, {"bizNo": claim.business_no})


def _decision(announcement: Announcement, now_ms: int) -> dict[str, str]:
    record, claim = announcement.record, announcement.claim
    assert claim is not None
    found, granted_minor = judge(record, claim, now_ms)
    shown = {
        "bizNo": claim.business_no,
        "billCode": record.parcel.waybill,
        "type": claim.kind,
        "status": found.upper(),
    }
    if found is not ClaimState.PROCESSING:
        shown["compensationAmount"] = f"{granted_minor // 100}.{granted_minor % 100:02d}"
        shown["decidedTime"] = _time(claim.decided_ms)
    return shown


def _claim_query(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    number = asked.message.get("bizNo")
    record, claim = depot.claims.get(str(number), (None, None))
    if record is None or record.account.name != asked.account.name:
        return _answer(ASSUMED_NO_INCIDENT, asked.operation)
    announcement = Announcement("", record, claim=claim)
    return _answer(SUCCESS, asked.operation, _decision(announcement, now_ms))


PERFORM: Mapping[Operation, Callable[[Asked, Depot, int], Answer]] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.QUERY: _query,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
    Operation.CLAIM: _claim,
    Operation.CLAIM_QUERY: _claim_query,
}


def perform(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    return PERFORM[asked.operation](asked, depot, now_ms)


def busy(fault: Fault) -> Answer:
    code = ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY
    return _answer(code, Operation.INTERCEPT)


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def _facility(record: Record, place: Place) -> tuple[str, str, str]:
    at_origin = place in (Place.ORIGIN_OUTLET, Place.ORIGIN_HUB)
    city = (record.parcel.sender if at_origin else record.parcel.receiver).city
    suffix, number = FACILITIES[place]
    return f"{city}{suffix}", city, number


def _scan(record: Record, mark: Mark) -> dict[str, str]:
    parcel = record.parcel
    action, text = ACTIONS[mark.event]
    facility, city, number = _facility(record, mark.place)
    shown = {
        "billCode": mark.waybill,
        "action": action,
        "actionTime": _time(mark.at_ms),
        "facilityCode": number,
        "facilityName": facility,
        "city": city,
        "desc": f"【{city}】{text}",
    }
    if mark.next_place is not None:
        shown["nextNodeName"], shown["nextCity"], _ = _facility(record, mark.next_place)
    if mark.event in PROBLEMS:
        shown["problemCode"] = PROBLEMS[mark.event]
    if mark.cause is not None:
        shown["returnType"] = RETURN_TYPES[mark.cause]
        shown["returnUpdateType"] = "1"
        if parcel.return_waybill != parcel.waybill:
            shown["newBillCode"] = parcel.return_waybill
    if mark.event in (Event.SIGNED, Event.RETURN_SIGNED):
        shown["signer"] = "收件人" if mark.event is Event.SIGNED else "寄件人"
    if mark.event is Event.RETURN_SIGNED and _plainly_signed(record):
        shown["action"] = "SIGNED"
    return shown


def _plainly_signed(record: Record) -> bool:
    """On its own new number, or where the script says so, the way back ends like any other."""
    if record.parcel.return_waybill != record.parcel.waybill:
        return True
    return any(e.params.text("return_sign", "") == "signed" for e in record.journal)


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark = announcement.record, announcement.mark
    if mark is None:
        assert announcement.claim is not None
        kind, data = "Incident", _decision(announcement, announcement.claim.decided_ms)
        data["actionTime"] = data["decidedTime"]
    elif mark.event in NOTICE_STATES:
        kind, data = "Intercept", _notice(record, mark)
    else:
        kind, data = "Traces", _scan(record, mark)
    data["eventId"] = announcement.id
    return Outgoing(kind.lower(), _sealed(account, kind, orjson.dumps(data).decode()), JSON)


def _notice(record: Record, mark: Mark) -> dict[str, str]:
    entry, name = record.by_reference(mark.reference), NOTICE_STATES[mark.event]
    return {
        "billCode": mark.waybill,
        "requestId": mark.reference,
        "thirdBizNo": entry.external_no if entry else "",
        "centerBizNo": entry.business_no if entry else "",
        "status": name,
        "statusName": STATES[name],
        "actionTime": _time(mark.at_ms),
    }


def _sealed(account: Account, kind: str, data: str, spoil: bytes = b"") -> bytes:
    secret = account.credentials.get("app_secret", "").encode()
    seal = b64encode(hashlib.md5(data.encode() + secret + spoil).digest()).decode()
    body = {"data": data, "data_digest": seal, "msg_type": kind, "company_id": account.name}
    return orjson.dumps(body)


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and not the secret."""
    body = orjson.loads(outgoing.body)
    sealed = _sealed(account, body["msg_type"], body["data"], spoil=b"forged")
    return account.push_url or "", Outgoing(outgoing.kind, sealed, outgoing.content_type)


def acknowledged(status: int, body: bytes) -> bool:
    if status != 200:
        return False
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and answer.get("status") is True


DIALECT = Dialect(
    name="zto",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"73{10**11 + number % (9 * 10**11)}",
    read=read,
    perform=perform,
    busy=busy,
    announces=frozenset(ACTIONS) | frozenset(NOTICE_STATES),
    announces_claims=True,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=16,
    push_interval_ms=5 * world.MINUTE_MS,
)
