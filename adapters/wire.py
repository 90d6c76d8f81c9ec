"""Strict reading and exact writing of what carriers put on the wire; it opens nothing."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote_plus
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from gateway.domain.carrier import BROKEN, Answer, Call, Delivery, Push, Reply, Status, read_json

T = TypeVar("T")
ON_THE_WAY = frozenset(
    {Status.PICKED_UP, Status.IN_TRANSIT, Status.AT_DESTINATION, Status.OUT_FOR_DELIVERY}
)
IN_FLIGHT_BOUND_MS = 20 * 60 * 1000  # where no carrier says how long a request may be under way
CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
AMOUNT_DIGITS_MAX = 15
MINOR_MAX = 2**63 - 1  # one signed 64-bit column in either database
TOKEN_LENGTH_MAX = 64
PROSE_LENGTH_MAX = 1000
FORM_FIELDS_MAX = 50
XML_ELEMENTS_MAX = 200  # the longest push has ten routes
JSON = {"content-type": "application/json; charset=UTF-8"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def json_text(value: Any) -> str:
    """Compact, unescaped: the one text that is both signed and sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def json_call(path: str, fields: Mapping[str, Any]) -> Call:
    return Call("POST", path, json_text(fields).encode(), JSON)


def json_reply(fields: Mapping[str, Any]) -> Reply:
    return Reply(200, json_text(fields).encode(), JSON)


def xml_reply(text: str) -> Reply:
    return Reply(200, text.encode(), {"content-type": "text/xml; charset=UTF-8"})


def form_call(path: str, fields: Mapping[str, str]) -> Call:
    return Call("POST", path, form_body(fields), FORM)


def as_form(call: Call) -> tuple[Call, bytes]:
    """A JSON call as a form, and its raw pairs: only the wire escapes them."""
    fields = {
        name: value if isinstance(value, str) else json_text(value)
        for name, value in read_json(call.body).items()
    }
    pairs = (f"{name}={value}" for name, value in fields.items())
    return form_call(call.path, fields), "&".join(pairs).encode()


def form_body(fields: Mapping[str, str]) -> bytes:
    pairs = (f"{java_url_encode(name)}={java_url_encode(text)}" for name, text in fields.items())
    return "&".join(pairs).encode("ascii")


def parse_form(body: bytes) -> dict[str, str]:
    """A form whose every field appears once; a name differing in case only is the same name."""
    pairs = parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=FORM_FIELDS_MAX,
    )
    distinct(name for name, _ in pairs)
    return dict(pairs)


def distinct(names: Iterable[str]) -> None:
    """Refuse `data` beside `Data`: which of the two was signed is anybody's guess."""
    folded = [name.casefold() for name in names]
    if len(set(folded)) != len(folded):
        raise ValueError("a field appears twice")


def java_url_encode(text: str) -> str:
    """As `java.net.URLEncoder` does: `*` stays, `~` becomes %7E, a space becomes `+`."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def md5(message: bytes) -> bytes:
    return hashlib.md5(message, usedforsecurity=False).digest()


def sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def base64_text(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


DIGESTS: Mapping[str, Callable[[bytes, bytes], bytes]] = {  # of a key and a message
    "md5": lambda _, message: md5(message),
    "sha256": lambda _, message: sha256(message),
    "hmac_sha256": lambda key, message: hmac.digest(key, message, "sha256"),
}
ENCODINGS: Mapping[str, Callable[[bytes], str]] = {"base64": base64_text, "hex": bytes.hex}


def base64_bytes(text: str) -> bytes:
    """Strict: foreign characters, missing padding and loose trailing bits are refused."""
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64_text(digest) != text:
        raise ValueError("not canonical base64")
    return digest


def equal(given: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(given, expected)


def flag(value: Any) -> bool:
    """A yes or a no; some replies of one carrier write it as a text."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError("neither yes nor no")


def token(value: Any) -> str:
    """An id or a code: short, one line, printable."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not text.isprintable() or not text.isascii():
        raise ValueError("not an id")
    if not 1 <= len(text) <= TOKEN_LENGTH_MAX or text != text.strip():
        raise ValueError("not an id")
    return text


def optional_token(value: Any) -> str:
    return "" if value is None or value == "" else token(value)


def prose(value: Any) -> str:
    """Free text, made safe to store: no control characters, of bounded length."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return "".join(c if c.isprintable() else " " for c in value[:PROSE_LENGTH_MAX]).strip()


def local_ms(value: Any) -> int | None:
    """`yyyy-MM-dd HH:mm:ss` in China as epoch milliseconds; None where there is no such time."""
    if not isinstance(value, str) or not LOCAL_TIME.fullmatch(value):
        return None
    try:
        moment = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(milliseconds=1)


def local_text(unix_ms: int) -> str:
    return (EPOCH + timedelta(milliseconds=unix_ms)).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def minor(value: Any) -> int:
    """Yuan, as a text or a number, in fen: exact, or an error."""
    if isinstance(value, str):
        if not AMOUNT.fullmatch(value):
            raise ValueError("not an amount")
        value = Decimal(value)
    elif type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value.is_signed():
        raise ValueError("not an amount")
    if value.adjusted() > AMOUNT_DIGITS_MAX or len(value.as_tuple().digits) > AMOUNT_DIGITS_MAX:
        raise ValueError("amount too long")
    if value == 0:
        return 0
    numerator, denominator = value.as_integer_ratio()
    fen, rest = divmod(numerator * 100, denominator)
    if rest or fen > MINOR_MAX:
        raise ValueError("finer than a fen")
    return fen


def yuan(amount_minor: int) -> str:
    if type(amount_minor) is not int or amount_minor < 0:
        raise ValueError("not an amount")
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def xml_rows(text: str, root: str, row: str) -> list[dict[str, str]]:
    """The attributes of every `row` under `root`; no DTD, no entities, a bounded number."""
    if text.count("<") > 2 * XML_ELEMENTS_MAX:
        raise ValueError("too many elements")
    try:
        tree = fromstring(text, forbid_dtd=True)
    except ParseError:
        raise ValueError("not well-formed XML") from None
    if tree.tag != root:
        raise ValueError("another document")
    return [dict(element.attrib) for element in tree.iter(row)]


def xml_text(text: str) -> str:
    return escape(text)


def strictly(decode: Callable[[Push], Delivery]) -> Callable[[Push], Delivery]:
    """The same, raising nothing but ValueError, whose text never quotes the push."""

    def decoded(push: Push) -> Delivery:
        try:
            return decode(push)
        except BROKEN:
            raise ValueError("unreadable push") from None

    return decoded


def each(codes: str, value: T) -> dict[str, T]:
    return dict.fromkeys(codes.split(), value)


def labelled(tables: Mapping[str, Mapping[str, Answer]]) -> dict[str, Answer]:
    """All code tables as one; the same code may mean different things to different questions."""
    return {
        f"{name} {code}": answer for name, table in tables.items() for code, answer in table.items()
    }
