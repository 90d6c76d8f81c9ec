"""Pushes as carriers write them, one dialect each: genuine, mutated, hostile, and very large.

Signed here from the public description of the digest, with no code of the adapters.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote_plus

from adapters import ADAPTERS
from gateway.pushes import BODY_MAX, Gate
from tests.domain.stage import BACK, WAYBILLS
from tests.fuzz.mutate import bent, json_bytes, json_mutated, odd, odd_text, pick

GOLDEN = Path(__file__).parent.parent / "golden"
TIMES = ("2026-11-03 12:00:00", "2026-02-30 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59")
PLACES = ("杭州市", "北京市")
Json = dict[str, Any]
SF_CODES = ("50", "54", "30", "31", "36", "310", "44", "204", "70", "80", "648", "655", "656", "x")
REMARKS = (
    "快件已退回/转寄,新单号为: SF1999999999999",
    "已签收(收件人签收)",
    "拒收",
    "拦截",
    "地址不详,拦截",
)
ACTIONS: tuple[str, ...] = ("GOT", "DEPARTURE", "ARRIVAL", "DISPATCH", "SIGNED", "PROBLEM")
ACTIONS += ("RETURN_SCAN", "RETURN_SIGNED", "INBOUND", "X")
PROBLEMS = ("", "LOST", "FOUND", "DAMAGED", "REFUSED", "OTHER")
STATES = ("INTERCEPT_SUCCESS", "INTERCEPT_FAIL", "INTERCEPT_CANCEL", "APPROVED", "REJECTED")
KINDS = ("Traces", "Traces", "Traces", "Intercept", "Incident", "Billing")


def credentials(channel: str) -> dict[str, str]:
    said = json.loads((GOLDEN / channel / "account.json").read_text("utf-8"))
    found: dict[str, str] = said["credentials"]
    return found


def gate(channel: str, secret: str = "") -> Gate:
    return Gate(ADAPTERS[channel], "main", (credentials(channel),), secret)


ZTO = credentials("zto")


def zto_digest(data: bytes, secret: str = ZTO["app_secret"]) -> str:
    return b64encode(hashlib.md5(data + secret.encode()).digest()).decode()


def route(rng: Random) -> Json:
    numbers = (WAYBILLS["sf"], BACK["sf"], f"SF{rng.randrange(10**13):013}")
    return {
        "mailno": pick(rng, numbers, odd, 0.95),
        "opCode": pick(rng, SF_CODES, odd, 0.95),
        "acceptTime": pick(rng, TIMES, odd),
        "acceptAddress": pick(rng, PLACES, odd),
        "remark": pick(rng, REMARKS, odd),
        "id": str(rng.getrandbits(40)),
    }


def routes(rng: Random) -> list[Json]:
    return [route(rng) for _ in range(rng.choice((1, 1, 1, 2, 10)))]


def node(rng: Random) -> Json:
    numbers = (WAYBILLS["zto"], BACK["zto"], f"7{rng.randrange(10**13):013}")
    found: Json = {"billCode": pick(rng, numbers, odd, 0.95)}
    found |= {"action": pick(rng, ACTIONS, odd, 0.95), "actionTime": pick(rng, TIMES, odd)}
    found |= {"city": pick(rng, PLACES, odd), "desc": pick(rng, REMARKS, odd)}
    found |= {"problemCode": pick(rng, PROBLEMS, odd)} if rng.random() < 0.3 else {}
    found |= {"returnType": pick(rng, "123", odd), "newBillCode": pick(rng, numbers, odd)}
    found |= {"status": rng.choice(STATES), "eventId": rng.getrandbits(40)}
    return found


def sf_json(rng: Random) -> bytes:
    push: Any = {"Body": {"WaybillRoute": routes(rng)}}
    return json_bytes(rng, json_mutated(rng, push) if rng.random() < 0.4 else push)


def attribute(rng: Random, value: Any) -> str:
    text = str(value)
    if rng.random() < 0.95:
        for sign, name in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;")):
            text = text.replace(sign, name)
    return text


def sf_xml(rng: Random) -> bytes:
    rows = "".join(
        "<WaybillRoute "
        + " ".join(f'{name}="{attribute(rng, value)}"' for name, value in one.items())
        + "/>"
        for one in routes(rng)
    )
    text = f'<Request service="RoutePushService" lang="zh-CN"><Body>{rows}</Body></Request>'
    return b"content=" + quote_plus(text.encode("utf-8", "surrogatepass")).encode()


def zto_fields(rng: Random) -> Json:
    said: Any = node(rng)
    data = json_bytes(rng, json_mutated(rng, said) if rng.random() < 0.4 else said)
    text = data.decode("utf-8", "surrogatepass")
    kind = rng.choice(KINDS)
    return {
        "data": text,
        "data_digest": zto_digest(data),
        "msg_type": kind,
        "company_id": ZTO["app_key"],
    }


def zto_json(rng: Random) -> bytes:
    push: Any = zto_fields(rng)
    return json_bytes(rng, json_mutated(rng, push) if rng.random() < 0.2 else push)


def form(fields: Mapping[str, Any]) -> bytes:
    pairs = (
        f"{quote_plus(name)}={quote_plus(str(text).encode('utf-8', 'surrogatepass'))}"
        for name, text in fields.items()
    )
    return "&".join(pairs).encode()


def zto_form(rng: Random) -> bytes:
    return form(zto_fields(rng))


@dataclass(frozen=True, slots=True)
class Dialect:
    channel: str
    genuine: Callable[[Random], bytes]


DIALECTS: Mapping[str, Dialect] = {
    "sf-json": Dialect("sf", sf_json),
    "sf-xml": Dialect("sf", sf_xml),
    "zto-json": Dialect("zto", zto_json),
    "zto-form": Dialect("zto", zto_form),
}
Shape = Callable[[Random], tuple[bytes, bytes, bytes]]
LARGE: tuple[Shape, ...] = (  # begin, repeated, end
    lambda rng: (b"[", b"{},", b"1]"),
    lambda rng: (b"[", b"1,", b"1]"),
    lambda rng: (b"[", b'"",', b"1]"),
    lambda rng: (b"[", b"[" * 30 + b"]" * 30 + b",", b"1]"),
    lambda rng: (b'{"a":"', b"[", b'"}'),
    lambda rng: (b'{"a":"', b'\\"', b'"}'),
    lambda rng: (b'"', b'"', b'"'),
    lambda rng: (b"", b"[", b""),
    lambda rng: (b"", b'{"a":', b"1"),
    lambda rng: (b'{"Body":{"WaybillRoute":[', b'{"mailno":"1","opCode":"80"},', b"{}]}}"),
    lambda rng: (b'{"Body":{"WaybillRoute":"', b"\\ud83d\\udce6", b'"}}'),
    lambda rng: (b'{"a":[', b'"\\ud800",', b"1]}"),
    lambda rng: (b'{"a":1.', b"5", b"}"),
    lambda rng: (b'{"a":', b"9", b"}"),
    lambda rng: (b'{"a":1e-', b"9", b"}"),
    lambda rng: (b"content=", b"%3Ca%3E", b""),
    lambda rng: (b"content=%3CRequest+", b"a%3D%221%22+", b"%2F%3E"),
    lambda rng: (b"content=%3CRequest%3E", b"%26amp%3B", b"%3C%2FRequest%3E"),
    lambda rng: (b"content=%3CRequest%3E", b"x", b"%3C%2FRequest%3E"),
    lambda rng: (b"", b"a=1&", b"a=1"),
    lambda rng: (b"data=", b"%E6%9D%AD", b"&data_digest=x&msg_type=Traces&company_id=x"),
    lambda rng: (b"", rng.randbytes(7), b""),
)


def large(rng: Random, shape: Shape | None = None) -> bytes:
    """As much of one thing as the door lets in."""
    begin, piece, end = (shape or rng.choice(LARGE))(rng)
    room = BODY_MAX - len(begin) - len(end)
    return begin + piece * (room // len(piece)) + end


def large_signed(rng: Random) -> bytes:
    """The same inside a ZTO push whose digest is right."""
    begin, piece, end = rng.choice(LARGE)(rng)
    room = BODY_MAX // 2 - len(begin) - len(end)
    data = begin + piece * (room // len(piece)) + end
    text = data.decode("utf-8", "replace")
    fields = {"data": text, "data_digest": zto_digest(text.encode())}
    return json.dumps(fields | {"msg_type": "Traces", "company_id": ZTO["app_key"]}).encode()


def body(rng: Random, dialect: Dialect) -> bytes:
    """One fuzzed body, no larger than the door lets in."""
    return _body(rng, dialect)[:BODY_MAX]


def _body(rng: Random, dialect: Dialect) -> bytes:
    """Genuine in form, bent, noise, or large."""
    kind = rng.random()
    if kind < 0.55:
        return dialect.genuine(rng)
    if kind < 0.90:
        return bent(rng, dialect.genuine(rng))
    if kind < 0.96:
        return rng.randbytes(rng.randrange(200))
    if kind < 0.998:
        return odd_text(rng).encode("utf-8", "surrogatepass") + json_bytes(rng, odd(rng))
    return large(rng) if dialect.channel == "sf" or rng.random() < 0.5 else large_signed(rng)
