"""Strict reading of what carriers send: whatever is doubtful is an error, never a guess."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from gateway.domain.carrier import (
    BROKEN,
    Cause,
    Credentials,
    Delivery,
    Milestone,
    Push,
    Reply,
    Tier,
    Token,
    read_json,
)

T = TypeVar("T")
Verify = Callable[[Push, Credentials], Tier | None]
CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHINA_EPOCH = EPOCH.astimezone(CHINA).replace(tzinfo=None)  # as clocks in China showed it
LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
COMPACT_TIME = re.compile(r"[0-9]{8} [0-9]{6} [+-][0-9]{2}:[0-9]{2}")
BEARER, SECONDS = re.compile(r"[!-~]{1,8192}"), re.compile(r"[1-9][0-9]{0,8}")
AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
AMOUNT_DIGITS_MAX = 21  # as many as AMOUNT lets through
MINOR_MAX = 2**63 - 1  # one signed 64-bit column in either database
TOKEN_LENGTH_MAX = 64
PROSE_LENGTH_MAX = 1000
FORM_FIELDS_MAX = 50
FORM_ESCAPES_MAX = 32_000  # a hundred scans have some 20 000; a body full of them cost 0.1 s
# Words that carriers use; that they use just these is assumed.
PROBLEMS = {"拒收": Milestone.ADDRESSEE_REFUSED, "遗失": Milestone.LOST, "找回": Milestone.FOUND}
PROBLEMS |= {"破损": Milestone.DAMAGED}
CAUSES = {"拦截": Cause.INTERCEPTION, "拒收": Cause.ADDRESSEE_REFUSED}
CAUSES |= {"地址不详": Cause.BAD_ADDRESS}


def parse_form(body: bytes) -> dict[str, str]:
    """A form whose every field appears once; a name differing in case only is the same name."""
    if not body or body.count(b"%") > FORM_ESCAPES_MAX:
        raise ValueError("no form, or too many escapes")
    pairs = parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=FORM_FIELDS_MAX,
    )
    distinct(name for name, _ in pairs)
    return dict(pairs)


def fields(body: bytes) -> dict[str, Any]:
    """A push that may come as a JSON object or as a form: its fields, each there once."""
    if not body.startswith(b"{"):
        return {**parse_form(body)}
    named: dict[str, Any] = read_json(body)
    distinct(named)
    return named


def distinct(names: Iterable[str]) -> None:
    """Refuse `data` beside `Data`: which of the two was signed is anybody's guess."""
    folded = [name.casefold() for name in names]
    if len(set(folded)) != len(folded):
        raise ValueError("a field appears twice")


def several(items: Any, most: int, least: int = 0) -> list[Any]:
    if not isinstance(items, list) or not least <= len(items) <= most:
        raise ValueError("no list, or one too long or too short")
    return items


def yes(reply: Reply, *signs: bool) -> None:
    """Refuse a yes that the status of the reply, or another sign in it, contradicts."""
    if reply.status != 200 or not all(signs):
        raise ValueError("yes and no at once")


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


def fitting(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError("not of this form")
    return value


def lent(fields: Any) -> Token:
    """What an OAuth 2 server lends; a token that does not end, or not within years, is none."""
    text, seconds = fitting(BEARER, fields["access_token"]), str(fields["expires_in"])
    return Token(text, int(fitting(SECONDS, seconds)) * 1000)


def optional_token(value: Any) -> str:
    return "" if value is None or value == "" else token(value)


def prose(value: Any) -> str:
    """Free text, made safe to store: no control characters, of bounded length."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return "".join(c if c.isprintable() else " " for c in value[:PROSE_LENGTH_MAX]).strip()


def problem(text: str) -> Milestone:
    """Why a parcel was not handed over, where the carrier has no code for it but prose."""
    return _only(PROBLEMS, text) or Milestone.NOT_DELIVERED


def cause(text: str) -> Cause:
    """Why a parcel was turned round, where the carrier has no code for it but prose."""
    return _only(CAUSES, text) or Cause.UNSTATED


def _only(words: Mapping[str, T], text: str) -> T | None:
    """What one of the words names; None where none is there, or words for two things."""
    found = {meaning for word, meaning in words.items() if word in text}
    return found.pop() if len(found) == 1 else None


def local_ms(value: Any) -> int | None:
    """`yyyy-MM-dd HH:mm:ss` in China as epoch milliseconds; None where there is no such time."""
    if not isinstance(value, str) or not LOCAL_TIME.fullmatch(value):
        return None
    try:
        return (datetime.fromisoformat(value) - CHINA_EPOCH) // timedelta(milliseconds=1)
    except ValueError:
        return None


def compact_ms(date: Any, time: Any, offset: Any = "+00:00") -> int | None:
    """`yyyyMMdd` and `HHmmss`, which may lack its leading zeros, so far from UTC, as epoch
    milliseconds; None where there is no such time.
    """
    written = f"{date} {str(time).zfill(6)} {offset}"
    if not time or not COMPACT_TIME.fullmatch(written):
        return None
    try:
        moment = datetime.strptime(written, "%Y%m%d %H%M%S %z")
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(milliseconds=1)


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
    if (
        abs(value.adjusted()) > AMOUNT_DIGITS_MAX
        or len(value.as_tuple().digits) > AMOUNT_DIGITS_MAX
    ):
        raise ValueError("amount too long")
    if value == 0:
        return 0
    numerator, denominator = value.as_integer_ratio()
    fen, rest = divmod(numerator * 100, denominator)
    if rest or fen > MINOR_MAX:
        raise ValueError("finer than a fen")
    return fen


def base64_bytes(text: str) -> bytes:
    """Strict: foreign characters, missing padding and loose trailing bits are refused."""
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64.b64encode(digest) != text.encode("ascii"):
        raise ValueError("not canonical base64")
    return digest


def equal(given: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(given, expected)


def strictly(decode: Callable[[Push], Delivery]) -> Callable[[Push], Delivery]:
    """The same, raising nothing but ValueError, whose text never quotes the push."""

    def decoded(push: Push) -> Delivery:
        try:
            return decode(push)
        except BROKEN:
            raise ValueError("unreadable push") from None

    return decoded


def refusing(verify: Verify) -> Verify:
    """The same, where what cannot be read is not believed."""

    def verified(push: Push, credentials: Credentials) -> Tier | None:
        try:
            return verify(push, credentials)
        except BROKEN:
            return None

    return verified
