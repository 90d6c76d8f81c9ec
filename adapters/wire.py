"""Exact writing of what carriers are sent: the text that is signed is the text that leaves."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from adapters.strict import CHINA
from gateway.domain.carrier import (
    Answer,
    Call,
    Push,
    Reason,
    Reply,
    Status,
    Trace,
    Verdict,
    read_json,
)
from gateway.domain.record import replace

T = TypeVar("T")
Codes = dict[str, Answer]
Decode = Callable[[Reply], Answer]
Found = Callable[[Answer, Any], Answer]  # what a yes says, made complete from its payload
ON_THE_WAY = frozenset(
    {Status.PICKED_UP, Status.IN_TRANSIT, Status.AT_DESTINATION, Status.OUT_FOR_DELIVERY}
)
RECEIVED = Answer(Verdict.RECEIVED)
REFUSED = Answer(Verdict.REFUSED, Reason.UNLISTED, assumed=True)  # a clear no, why is not listed
UNCLEAR = Answer(Verdict.UNKNOWN, Reason.UNLISTED)  # the same to a query: nothing of its object
IN_FLIGHT_BOUND_MS = 20 * 60 * 1000  # where no carrier says how long a request may be under way
JSON = {"content-type": "application/json; charset=UTF-8"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def json_text(value: Any) -> str:
    """Compact, unescaped: the one text that is both signed and sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def json_call(path: str, fields: Mapping[str, Any]) -> Call:
    return Call("POST", path, json_text(fields).encode(), JSON)


def json_reply(fields: Mapping[str, Any]) -> Reply:
    return Reply(200, json_text(fields).encode(), JSON)


def taken(push: Push) -> Reply:
    """For a carrier that looks at the status alone."""
    return Reply(200, b"")


def not_taken(push: Push, why: str) -> Reply:
    return Reply(400, json_text({"message": why}).encode(), JSON)


def xml_reply(text: str) -> Reply:
    return Reply(200, text.encode(), {"content-type": "text/xml; charset=UTF-8"})


def xml_fields(root: str, fields: Mapping[str, str]) -> str:
    held = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    return f"<{root}>{held}</{root}>"


def xml_text(text: str) -> str:
    return escape(text)


def form_call(path: str, fields: Mapping[str, str]) -> Call:
    return Call("POST", path, form_body(fields), FORM)


def form_body(fields: Mapping[str, str]) -> bytes:
    pairs = (f"{java_url_encode(name)}={java_url_encode(text)}" for name, text in fields.items())
    return "&".join(pairs).encode("ascii")


def as_form(call: Call) -> tuple[Call, bytes]:
    """A JSON call as a form, and its raw pairs: only the wire escapes them."""
    fields = {
        name: value if isinstance(value, str) else json_text(value)
        for name, value in read_json(call.body).items()
    }
    pairs = (f"{name}={value}" for name, value in fields.items())
    return form_call(call.path, fields), "&".join(pairs).encode()


def completed(call: Call, known: Mapping[str, str]) -> Call:
    """What a question leaves null in a JSON body because only who signs it knows it."""
    fields = read_json(call.body)
    fields |= {name: text for name, text in known.items() if fields[name] is None}
    return replace(call, body=json_text(fields).encode())


def needed(settings: Mapping[str, str], name: str) -> str:
    if not (text := settings.get(name, "")):
        raise ValueError(f"this carrier needs the setting {name}")
    return text


def basic(user: str, password: str) -> str:
    """The `Authorization` of RFC 7617."""
    return f"Basic {base64_text(f'{user}:{password}'.encode())}"


def borrow(path: str) -> Call:
    """A request for a token by client credentials: RFC 6749, section 4.4."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return Call("POST", path, b"grant_type=client_credentials", kind)


def telephone(written: str, calling_code: str) -> str:
    """An international number, of at most 13 digits; one without a plus is a national one."""
    digits = re.sub(r"[ ().-]", "", written)
    number = digits if digits.startswith("+") else f"+{calling_code}{digits}"
    if not re.fullmatch(r"\+?[0-9]{3,13}", digits) or not re.fullmatch(r"\+[0-9]{3,13}", number):
        raise ValueError("no telephone number")
    return number


def java_url_encode(text: str) -> str:
    """As `java.net.URLEncoder` does: `*` stays, `~` becomes %7E, a space becomes `+`."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def md5(message: bytes) -> bytes:
    return hashlib.md5(message, usedforsecurity=False).digest()


def sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def sha256_hex(text: str) -> str:
    return sha256(text.encode()).hex()


def base64_text(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


DIGESTS: Mapping[str, Callable[[bytes, bytes], bytes]] = {  # of a key and a message
    "md5": lambda _, message: md5(message),
    "sha256": lambda _, message: sha256(message),
    "hmac_sha256": lambda key, message: hmac.digest(key, message, "sha256"),
}
ENCODINGS: Mapping[str, Callable[[bytes], str]] = {"base64": base64_text, "hex": bytes.hex}


def local_time(unix_ms: int) -> str:
    """`yyyy-MM-dd HH:mm:ss` in China, the rest of the second cut off."""
    return f"{datetime.fromtimestamp(unix_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def yuan(amount_minor: int) -> str:
    if type(amount_minor) is not int or amount_minor < 0:
        raise ValueError("not an amount")
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def about_one(path: str, name: str) -> Callable[[Trace], Call]:
    """A question about one parcel, whose number goes under `name`."""

    def encode(trace: Trace) -> Call:
        (waybill,) = trace.waybills
        return json_call(path, {name: waybill})

    return encode


def told(answer: Answer, payload: Any) -> Answer:
    return answer


def each(codes: str, value: T) -> dict[str, T]:
    return dict.fromkeys(codes.split(), value)


def refusals(reasons: Mapping[str, Reason]) -> Codes:
    """Codes of a clear no that no carrier has published."""
    return {code: Answer(Verdict.REFUSED, reason, assumed=True) for code, reason in reasons.items()}


def labelled(tables: Mapping[str, Mapping[str, Answer]]) -> dict[str, Answer]:
    """All code tables as one; the same code may mean different things to different questions."""
    return {
        f"{name} {code}": answer for name, table in tables.items() for code, answer in table.items()
    }
