"""ZTO: signed JSON (or a form) per API name; an interception is a receipt first, a state later."""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
from simulator.dialects.zto_scans import show_notice, show_scan, wire_time
from simulator.dialects.zto_tables import (
    ACTIONS,
    ASSUMED,
    ASSUMED_BAD_DIGEST,
    ASSUMED_BAD_REQUEST,
    ASSUMED_BUSY,
    ASSUMED_CANCEL_LATE,
    ASSUMED_CANCELLED,
    ASSUMED_NO_API,
    ASSUMED_NO_COMPANY,
    ASSUMED_NO_INCIDENT,
    ASSUMED_NO_INTERCEPTION,
    ASSUMED_SYSTEM,
    INCIDENT_TYPES,
    INCIDENTS,
    NOTICE_STATES,
    OPERATIONS,
    PAYLOAD,
    STATES,
    SUCCESS,
)
from simulator.outcomes import Fault, Operation, Reason
from simulator.truth import ClaimState, judge
from simulator.world import Event, Interception, ReturnNumber

JSON = "application/json;charset=UTF-8"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
DESTINATION = ("Phone", "Username", "Address", "District", "City", "Province")
CLAIM_MINOR_MAX = 10**12
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")


def digest(content: bytes, account: Account, timestamp: str) -> str:
    """As the account's console says: which hash, which encoding, the time before it or not."""
    options = account.options
    prefix = timestamp.encode() if options.digest_timestamp else b""
    secret = account.credentials.get("app_secret", "").encode()
    if options.digest.startswith("hmac_"):
        key = account.credentials.get("secret_key", "").encode()
        raw = hmac.digest(key, prefix + content + secret, options.digest.removeprefix("hmac_"))
    else:
        raw = hashlib.new(options.digest, prefix + content + secret).digest()
    return raw.hex() if options.digest_encoding == "hex" else b64encode(raw).decode()


def _answer(
    code: tuple[str, str], operation: Operation, payload: object = None, **more: str
) -> Answer:
    good = code is SUCCESS
    member = PAYLOAD.get(operation, "data")
    body = {"status": good, "statusCode": code[0], "message": code[1], member: payload, **more}
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
    return plain(source.get("billCode")), plain(message.get(key))


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record, operation = asked.record, asked.operation
    target = str(asked.message.get("destinationType"))
    back = target in ("1", "2", "4")
    complete = target != "4" or all(asked.message.get(f"receive{name}") for name in DESTINATION)
    if not asked.reference or not asked.waybill or not back or not complete:
        return _answer(ASSUMED_BAD_REQUEST, operation)
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], operation)
    if asked.waybill != record.parcel.waybill:
        return _answer(ASSUMED[Reason.RETURN_LEG], operation)
    entry = record.by_reference(asked.reference)
    if entry is None:
        external_no = plain(asked.message.get("thirdBizNo"))
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
    if entry.by_other:
        over = world.status(record.course(), now_ms) is world.Status.ENDED
        return "INTERCEPT_DISCONTINUE" if over else "PACKAGE_DELIVERYING"
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
    shown = [show_scan(record, mark) for mark in marks if mark.waybill == asked.waybill]
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
    if isinstance(value, str) and not AMOUNT.fullmatch(value):
        return -1
    try:
        fen = Decimal(value) * 100
        whole = fen.to_integral_exact() if fen.is_finite() else Decimal(-1)
    except ArithmeticError:
        return -1
    return int(whole) if whole == fen and 0 < whole <= CLAIM_MINOR_MAX else -1


def _claim(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    incident, extra = asked.message.get("incident"), asked.message.get("extraInfo")
    amount = extra.get("expectedCompensationAmount") if isinstance(extra, dict) else None
    kind = INCIDENTS.get(plain(incident.get("type"))) if isinstance(incident, dict) else None
    asked_minor = _minor(amount)
    if not asked.reference or kind is None or asked_minor < 0:
        return _answer(ASSUMED_BAD_REQUEST, asked.operation)
    record = asked.record
    if record is None:
        return _answer(ASSUMED[Reason.UNKNOWN_WAYBILL], asked.operation)
    claim = depot.file_claim(record, asked.reference, kind, asked_minor, now_ms)
    if claim is None:
        return _answer(ASSUMED_BAD_REQUEST, asked.operation)
    payload = {"bizNo": claim.business_no}
    return _answer(SUCCESS, asked.operation, payload, traceId=asked.reference)


def _decision(announcement: Announcement, now_ms: int) -> dict[str, str]:
    record, claim = announcement.record, announcement.claim
    assert claim is not None
    found, granted_minor = judge(record, claim, now_ms)
    shown = {
        "bizNo": claim.business_no,
        "billCode": record.parcel.waybill,
        "type": INCIDENT_TYPES[claim.kind],
        "status": found.upper(),
    }
    if found is not ClaimState.PROCESSING:
        shown["compensationAmount"] = f"{granted_minor // 100}.{granted_minor % 100:02d}"
        shown["decidedTime"] = wire_time(claim.decided_ms)
    return shown


def _claim_query(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    number = asked.message.get("bizNo")
    record, claim = depot.claims.get(plain(number), (None, None))
    if record is None or not asked.account.reaches(record.account):
        return _answer(ASSUMED_NO_INCIDENT, asked.operation)
    announcement = Announcement("", record, claim=claim)
    return _answer(SUCCESS, asked.operation, _decision(announcement, now_ms))


PERFORM: Mapping[Operation, Perform] = {
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.QUERY: _query,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
    Operation.CLAIM: _claim,
    Operation.CLAIM_QUERY: _claim_query,
}


def busy(fault: Fault) -> Answer:
    code = ASSUMED_SYSTEM if fault.params.flag("system") else ASSUMED_BUSY
    return _answer(code, Operation.INTERCEPT)


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark = announcement.record, announcement.mark
    if mark is None:
        assert announcement.claim is not None
        kind, data = "Incident", _decision(announcement, announcement.claim.decided_ms)
        data["actionTime"] = data["decidedTime"]
    elif mark.event in NOTICE_STATES:
        kind, data = "Intercept", show_notice(record, mark)
    else:
        kind, data = "Traces", show_scan(record, mark)
    data["eventId"] = announcement.id
    body = _sealed(account, kind, orjson.dumps(data).decode())
    return Outgoing(kind.lower(), *_written(account, body))


def _sealed(account: Account, kind: str, data: str, spoil: bytes = b"") -> dict[str, str]:
    secret = account.credentials.get("app_secret", "").encode()
    seal = b64encode(hashlib.md5(data.encode() + secret + spoil).digest()).decode()
    return {"data": data, "data_digest": seal, "msg_type": kind, "company_id": account.name}


def _written(account: Account, body: Mapping[str, str]) -> tuple[bytes, str]:
    """JSON has been seen; whether a form is sent as well is not known, so an account may say so."""
    if account.options.push_format == "form":
        return urlencode(body).encode(), FORM
    return orjson.dumps(body), JSON


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and not the secret."""
    form = outgoing.content_type == FORM
    body = dict(parse_qsl(outgoing.body.decode())) if form else orjson.loads(outgoing.body)
    sealed = _sealed(account, body["msg_type"], body["data"], spoil=b"forged")
    return account.push_url or "", Outgoing(outgoing.kind, *_written(account, sealed))


def acknowledged(status: int, body: bytes) -> bool:
    return said(status, body).get("status") is True


DIALECT = Dialect(
    name="zto",
    network="zto",
    return_number=ReturnNumber.SAME,
    number=lambda number: f"73{10**11 + number % (9 * 10**11)}",
    read=read,
    perform=by_operation(PERFORM),
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
