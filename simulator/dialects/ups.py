"""UPS: OAuth 2, then Delivery Intercept v2, Tracking and Track Alert v2, each with its envelope.

An interception has no number of its own: there is at most one alive on a tracking number.
"""

import hashlib
import hmac
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import orjson

from simulator import world
from simulator.decisions import cancellable
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
from simulator.dialects import ups_tables as tables
from simulator.outcomes import Fault, Operation, Reason
from simulator.world import Event, Mark, Place, ReturnNumber, Status, Window

Code = tuple[str, str]
EASTERN = timezone(timedelta(hours=-5))  # of every facility; the client is told how far from GMT
NUMBER = re.compile(r"1Z[A-Z0-9]{16}")
TRANS_ID = re.compile(r"[a-zA-Z0-9.-]{3,14}")
TELEPHONE = re.compile(r"\+[0-9]{1,13}")
LOCALE = re.compile(r"[a-z]{2}_[A-Z]{2}")
INTERCEPT_API = "api/deliveryintercept/v2/"
ROUTES = {
    Operation.TOKEN: re.compile(r"security/v1/oauth/token()"),
    Operation.QUOTE: re.compile(INTERCEPT_API + r"eligibility/intercept/([^/]*)"),
    Operation.INTERCEPT: re.compile(INTERCEPT_API + r"return/([^/]*)"),
    Operation.CANCEL: re.compile(INTERCEPT_API + r"cancel/([^/]*)"),
    Operation.TRACK: re.compile(r"api/track/v1/details/([^/]*)"),
    Operation.SUBSCRIBE: re.compile(r"api/track/v2/subscription/standard/package()"),
}
SHIPPERS = frozenset({Operation.QUOTE, Operation.INTERCEPT, Operation.CANCEL})


def _answer(body: object, code: str, status: int = 200) -> Answer:
    return Answer(orjson.dumps(body), code, status=status)


def _error(code: Code, status: int, **beside: object) -> Answer:
    """What every API but Delivery Intercept says when it says no."""
    errors = [{"code": code[0], "message": code[1]}]
    return _answer({**beside, "response": {"errors": errors}}, code[0], status)


def _fault(code: Code, status: int, trans_id: str) -> Answer:
    """The same of Delivery Intercept, which repeats the status in its body."""
    told: dict[str, object] = {"statusCode": str(status)}
    if trans_id:
        told["transactionId"] = trans_id
    told["errors"] = [{"code": code[0], "message": code[1]}]
    return _answer({"response": told}, code[0], status)


def _said(asked: Asked, no: Code | None = None) -> dict[str, object]:
    """Delivery Intercept's 200, which says `Success` also where `success` is false."""
    errors = None if no is None else [{"errorCode": no[0], "errorMessage": no[1]}]
    told: dict[str, object] = {"transactionId": asked.reference, "statusCode": "000"}
    return told | {"statusMsg": "Success", "success": no is None, "errors": errors}


def _instructed(asked: Asked, no: Code | None = None) -> Answer:
    return _answer({**_said(asked, no), "subStatusCode": ""}, no[0] if no else "000")


# -- who asks ----------------------------------------------------------------------------------


def token(account: Account, ends_ms: int) -> str:
    """It says itself whose it is and when it ends, so that nothing need be remembered."""
    name = urlsafe_b64encode(account.name.encode()).decode().rstrip("=")
    return f"{name}.{ends_ms}.{_seal(account, f'{name}.{ends_ms}')}"


def _seal(account: Account, text: str) -> str:
    secret = account.credentials.get("client_secret", "").encode()
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _bearer(inbound: Inbound, depot: Depot) -> Account | Code:
    kind, _, text = inbound.headers.get("authorization", "").partition(" ")
    name, ends_ms, seal = (*text.split("."), "", "", "")[:3]
    try:
        client = urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except ValueError:
        return tables.NO_TOKEN
    account = depot.accounts.get((DIALECT.name, client))
    if kind != "Bearer" or account is None:
        return tables.NO_TOKEN
    expected = _seal(account, f"{name}.{ends_ms}").encode()
    if not hmac.compare_digest(expected, seal.encode(errors="replace")):
        return tables.NO_TOKEN
    return account if inbound.machine_ms < int(ends_ms) else tables.OLD_TOKEN


def _client(inbound: Inbound, depot: Depot) -> Asked | Answer:
    kind, _, pair = inbound.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = b64decode(pair, validate=True).decode().partition(":")
        grant = parse_qs(inbound.body.decode(), max_num_fields=10).get("grant_type")
    except ValueError:
        return _error(tables.BAD_CLIENT, 401)
    account = depot.accounts.get((DIALECT.name, name))
    known = account.credentials.get("client_secret", "") if account else ""
    if account is None or kind != "Basic":
        return _error(tables.BAD_CLIENT, 401)
    if not hmac.compare_digest(known.encode(), secret.encode()):
        return _error(tables.BAD_CLIENT, 401)
    if grant != ["client_credentials"]:
        return _error(tables.ASSUMED_BAD_GRANT, 400)
    return Asked(account, Operation.TOKEN, {"machine_ms": inbound.machine_ms}, "", "", None)


def read(inbound: Inbound, depot: Depot) -> Asked | Answer:
    routed = ((each, route.fullmatch(inbound.path)) for each, route in ROUTES.items())
    operation, found = next((pair for pair in routed if pair[1]), (Operation.TOKEN, None))
    if found is None:
        return _error(tables.NOT_FOUND, 404)
    if inbound.method != tables.METHODS.get(operation, "POST"):
        return _error(tables.NOT_ALLOWED, 405)
    if operation is Operation.TOKEN:
        return _client(inbound, depot)
    trans_id = inbound.headers.get("transid", "")
    account = _bearer(inbound, depot)
    if isinstance(account, tuple):
        if operation in SHIPPERS:
            return _fault(tables.ASSUMED_DENIED, 401, _named(trans_id))
        return _error(account, 401)
    message: Any = {}
    if inbound.method == "POST":
        try:
            message = orjson.loads(inbound.body)
        except orjson.JSONDecodeError:
            message = None
    number = found[1]
    if operation is Operation.SUBSCRIBE:
        listed = message.get("trackingNumberList") if isinstance(message, dict) else None
        number = plain(listed[0]) if isinstance(listed, list) and listed else ""
    if wrong := CHECKS[operation](inbound, number, message):
        return wrong
    record = depot.find(account, number)
    return Asked(account, operation, message, number, plain(trans_id), record)


def _named(trans_id: str) -> str:
    return trans_id if TRANS_ID.fullmatch(trans_id) else ""


def _check_shipper(inbound: Inbound, number: str, message: Any) -> Answer | None:
    headers = inbound.headers
    trans_id = _named(headers.get("transid", ""))
    client = (headers.get("platformtype"), headers.get("inquirytype")) == ("XOLT", "U")
    typed = headers.get("content-type", "").startswith("application/json")
    formed = trans_id and client and typed and NUMBER.fullmatch(number)
    looks = inbound.method == "GET"
    if formed and (looks or _complete(message, returns="/return/" in inbound.path)):
        return None
    return _fault(tables.VALIDATION, 400, trans_id)


def _complete(message: Any, *, returns: bool) -> bool:
    if not isinstance(message, dict) or not message.keys() <= tables.INSTRUCTION:
        return False
    person = message.get("requesterContactInfo")
    if not isinstance(person, dict) or "specialInstructions" not in message:
        return False
    name, phone = person.get("name"), person.get("telephone")
    if not isinstance(name, str) or not 1 <= len(name) <= 30:
        return False
    if not isinstance(phone, str) or not TELEPHONE.fullmatch(phone):
        return False
    if not returns:
        return True
    kind, reason = message.get("requestType"), message.get("reasonForReturn")
    return kind == "RS" and isinstance(reason, str) and reason in tables.REASONS


def _check_track(inbound: Inbound, number: str, message: Any) -> Answer | None:
    headers = inbound.headers
    named = headers.get("transid") and headers.get("transactionsrc")
    if named and 7 <= len(number) <= 34 and number.isalnum():
        return None
    return _error(tables.ASSUMED_BAD_INQUIRY, 400)


def _check_subscribe(inbound: Inbound, number: str, message: Any) -> Answer | None:
    numbers = message.get("trackingNumberList") if isinstance(message, dict) else None
    locale = message.get("locale") if isinstance(message, dict) else None
    trans_id = inbound.headers.get("transid", "")
    wrong = (
        (not trans_id, tables.NO_TRANS_ID),
        (not plain(trans_id), tables.BAD_TRANS_ID),
        (not inbound.headers.get("transactionsrc"), tables.NO_SOURCE),
        (not isinstance(message, dict), tables.EMPTY),
        (not locale, tables.NO_LOCALE),
        (not isinstance(locale, str) or not LOCALE.fullmatch(locale), tables.BAD_LOCALE),
        (not isinstance(numbers, list) or not numbers, tables.NO_NUMBERS),
        (isinstance(numbers, list) and len(numbers) > tables.NUMBERS_MAX, tables.TOO_MANY),
    )
    code = next((code for bad, code in wrong if bad), None)
    return None if code is None else _error(code, 400, invalidTrackingNumbers=[])


CHECKS: Mapping[Operation, Callable[[Inbound, str, Any], Answer | None]] = {
    Operation.QUOTE: _check_shipper,
    Operation.INTERCEPT: _check_shipper,
    Operation.CANCEL: _check_shipper,
    Operation.TRACK: _check_track,
    Operation.SUBSCRIBE: _check_subscribe,
}


# -- what is done ------------------------------------------------------------------------------


def _lend(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    asked_ms = int(asked.message["machine_ms"])
    text = token(asked.account, asked_ms + tables.TOKEN_SECONDS * 1000)
    body = {"token_type": "Bearer", "issued_at": str(asked_ms), "client_id": asked.account.name}
    body |= {"access_token": text, "scope": "", "expires_in": str(tables.TOKEN_SECONDS)}
    return _answer(body | {"refresh_count": "0", "status": "approved"}, "lent")


def _nobodys(asked: Asked, depot: Depot) -> Code:
    """A package of somebody else's is told apart from one that is not known."""
    network = asked.account.network or asked.account.carrier
    taken = (network, asked.waybill) in depot.records
    return tables.FOREIGN if taken else tables.ASSUMED[Reason.UNKNOWN_WAYBILL]


def _refused(asked: Asked, no: Code) -> Answer:
    if no is tables.FOREIGN:
        return _fault(no, 401, asked.reference)
    if asked.operation is Operation.QUOTE:
        return _answer({"response": {**_said(asked, no), "commonEligibilityMap": None}}, no[0])
    return _instructed(asked, no)


def _quote(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _refused(asked, _nobodys(asked, depot))
    create, withdraw = _eligibility(asked, record, depot, now_ms)
    values = {"createEligibility": create, "modifyEligibility": "NOT_ELIGIBLE"}
    values["cancelEligibility"] = withdraw
    features: list[dict[str, object]] = [
        {"interceptFeature": name, "eligibilityValue": values} for name in tables.FEATURES
    ]
    reasons = [{"id": name, "value": text} for name, text in tables.REASON_TEXTS.items()]
    value = {**values, "reasonOptionsForRTS": reasons}
    features.append({"interceptFeature": "RTS", "eligibilityValue": value})
    told = {**_said(asked), "warnings": None, "commonEligibilityMap": features}
    return _answer({"response": told}, create)


def _eligibility(asked: Asked, record: Record, depot: Depot, now_ms: int) -> tuple[str, str]:
    """Whether an interception may be made, and whether one that lives may be withdrawn."""
    course = record.course()
    live = [entry for entry in record.journal if not entry.by_other and entry.live(now_ms)]
    withdraw = any(cancellable(entry, course, now_ms) for entry in live)
    stand = world.status(course, now_ms)
    params = depot.script_for(record, Operation.QUOTE, 1, now_ms).params
    closed = {Status.DELIVERED, Status.RETURNING, Status.ENDED}
    if record.account.options.window is Window.UNTIL_OUT_FOR_DELIVERY:
        closed.add(Status.OUT_FOR_DELIVERY)
    create = "ELIGIBLE"
    if any(entry.live(now_ms) for entry in record.journal) or stand in closed:
        create = "NOT_ELIGIBLE"
    elif stand is Status.NOT_PICKED_UP:
        create = "UNKNOWN"  # assumed: nobody has seen the package
    if asked.waybill != record.parcel.waybill:
        create = "NOT_ELIGIBLE"
    scripted = params.text("eligibility", "")
    create = {"unknown": "UNKNOWN", "no": "NOT_ELIGIBLE"}.get(scripted, create)
    return create, "ELIGIBLE" if withdraw else "NOT_ELIGIBLE"


def _intercept(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _refused(asked, _nobodys(asked, depot))
    if asked.waybill != record.parcel.waybill:
        return _refused(asked, tables.ASSUMED[Reason.RETURN_LEG])
    entry = depot.intercept(record, asked.reference, "", now_ms, at_once=False)
    if asked.twice:
        entry = depot.repeat(record, entry)
    if not entry.receipt_only:
        return _refused(asked, tables.ASSUMED[entry.reason or Reason.UNLISTED])
    return _instructed(asked)


def _cancel(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _refused(asked, _nobodys(asked, depot))
    entry = record.by_external_no("")  # the latest: nothing else names it
    if entry is None:
        return _refused(asked, tables.ASSUMED_NO_INTERCEPT)
    if entry.cancelled_ms is not None:
        return _refused(asked, tables.ASSUMED_CANCELLED)
    done = depot.cancel(record, entry, now_ms)
    return _instructed(asked, None if done else tables.ASSUMED_CANCEL_LATE)


def _track(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    record = asked.record
    if record is None:
        return _error(tables.ASSUMED_NOT_FOUND, 404)
    marks = [m for m in world.scans(record.course(), now_ms) if m.waybill == asked.waybill]
    activities = [_activity(record, mark) for mark in reversed(marks)]
    if asked.waybill == record.parcel.waybill:
        activities.append(_ordered(record))
    package: dict[str, object] = {"trackingNumber": asked.waybill, "activity": activities}
    package |= {"currentStatus": activities[0]["status"] if activities else {}, "packageCount": 1}
    handed = [mark for mark in marks if mark.event in (Event.SIGNED, Event.RETURN_SIGNED)]
    if handed:
        package["deliveryInformation"] = {"location": "", "receivedBy": _signer(record, handed[-1])}
    shipment = {"inquiryNumber": asked.waybill, "package": [package]}
    return _answer({"trackResponse": {"shipment": [shipment]}}, "tracked")


def _subscribe(asked: Asked, depot: Depot, now_ms: int) -> Answer:
    taken: list[str] = []
    left: list[str] = []
    for number in map(plain, asked.message["trackingNumberList"]):
        record = depot.find(asked.account, number) if NUMBER.fullmatch(number) else None
        (left if record is None else taken).append(number)
        if record is not None:
            depot.subscribe(record, now_ms, now_ms + tables.SUBSCRIPTION_MS)
    if not taken:
        return _error(tables.NONE_VALID, 400, invalidTrackingNumbers=left)
    body = {"validTrackingNumbers": taken}
    return _answer(body | ({"invalidTrackingNumbers": left} if left else {}), "subscribed")


PERFORM: Mapping[Operation, Perform] = {
    Operation.TOKEN: _lend,
    Operation.QUOTE: _quote,
    Operation.INTERCEPT: _intercept,
    Operation.CANCEL: _cancel,
    Operation.TRACK: _track,
    Operation.SUBSCRIBE: _subscribe,
}


def busy(fault: Fault) -> Answer:
    """Too many requests are told by every API alike, a system error by each in its own way."""
    if not fault.params.flag("system"):
        return _error(tables.ASSUMED_RATE, 429)
    told = {"transactionId": "busy", "statusCode": "000", "statusMsg": "Success", "success": False}
    code, text = tables.SYSTEM
    told_no = {**told, "errors": [{"errorCode": code, "errorMessage": text}]}
    if fault.operation == Operation.QUOTE:
        return _answer({"response": {**told_no, "commonEligibilityMap": None}}, code)
    if fault.operation in (Operation.TRACK, Operation.SUBSCRIBE, Operation.TOKEN):
        return _error(("10004", "Something went wrong, please try again later"), 500)
    return _answer({**told_no, "subStatusCode": ""}, code)


# -- what is shown -----------------------------------------------------------------------------


def _date(at_ms: int, zone: timezone = EASTERN) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, zone):%Y%m%d}"


def _time(at_ms: int, zone: timezone = EASTERN) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, zone):%H%M%S}"


def _signer(record: Record, mark: Mark) -> str:
    parcel = record.parcel
    return (parcel.receiver if mark.event is Event.SIGNED else parcel.sender).name


def _scanned(told: tuple[str, str, str, str], at_ms: int, place: Place, city: str) -> Any:
    kind, code, simplified, text = told
    return {
        "location": {
            "address": {"city": city, "countryCode": "US", "country": "US"},
            "slic": tables.FACILITIES[place],
        },
        "status": {"type": kind, "description": text, "code": code, "statusCode": simplified},
        "date": _date(at_ms),
        "time": _time(at_ms),
        "gmtDate": _date(at_ms, UTC),
        "gmtOffset": "-05:00",
        "gmtTime": str(int(_time(at_ms, UTC))),  # as documented: without leading zeros
    }


def _activity(record: Record, mark: Mark) -> dict[str, Any]:
    told, city = tables.ACTIVITIES[mark.event], record.parcel.near(mark.place).city
    return dict(_scanned(told, mark.at_ms, mark.place, city))


def _ordered(record: Record) -> dict[str, Any]:
    place, at_ms = Place.ORIGIN_OUTLET, record.parcel.shipped_ms
    return dict(_scanned(tables.ORDERED, at_ms, place, record.parcel.near(place).city))


def push(account: Account, announcements: Sequence[Announcement]) -> Outgoing:
    (announcement,) = announcements
    record, mark = announcement.record, announcement.mark
    assert mark is not None
    kind, code, simplified, text = tables.ACTIVITIES[mark.event]
    at_ms, parcel = mark.at_ms, record.parcel
    status = {"type": kind, "code": code, "description": text, "descriptionCode": simplified}
    body: dict[str, object] = {"trackingNumber": mark.waybill, "activityStatus": status}
    body |= {"localActivityDate": _date(at_ms), "localActivityTime": _time(at_ms)}
    body["activityLocation"] = {"city": record.parcel.near(mark.place).city, "country": "US"}
    body["scheduledDeliveryDate"] = _date(parcel.shipped_ms + parcel.journey.delivered)
    body["gmtActivityDate"] = _date(at_ms, UTC)
    body["gmtActivityTime"] = _time(at_ms, UTC)
    body["gmtOffset"] = "-05.00"
    if mark.event in (Event.SIGNED, Event.RETURN_SIGNED):
        body |= {"actualDeliveryDate": _date(at_ms), "actualDeliveryTime": _time(at_ms)}
        body["receivedBy"] = _signer(record, mark)
    credential = account.credentials.get("webhook_credential", "")
    return Outgoing("event", orjson.dumps(body), "application/json", _shown(credential))


def _shown(credential: str) -> dict[str, str]:
    """The body is not signed: who has the credential is believed to be UPS."""
    return {"Authorization": f"Bearer {credential}", "User-Agent": tables.USER_AGENT}


def forge(account: Account, outgoing: Outgoing) -> tuple[str, Outgoing]:
    """The forger has the address and the form, and guesses the credential."""
    headers = _shown("guessed")
    forged = Outgoing(outgoing.kind, outgoing.body, outgoing.content_type, headers)
    return account.push_url or "", forged


def acknowledged(status: int, body: bytes) -> bool:
    return status == 200


DIALECT = Dialect(
    name="ups",
    network="ups",
    methods=frozenset({"GET", "POST"}),
    return_number=ReturnNumber.SAME,
    number=lambda number: f"1Z999AA1{number % 10**10:010d}",
    read=read,
    perform=by_operation(PERFORM),
    busy=busy,
    announces=frozenset(tables.ACTIVITIES),
    announces_claims=False,
    push=push,
    forge=forge,
    acknowledged=acknowledged,
    push_batch=1,
    push_attempts=5,
    push_interval_ms=10 * world.MINUTE_MS,
)
