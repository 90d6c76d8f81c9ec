"""Inputs that break naive parsers, by name: what becomes of each in process and over HTTP."""

import json
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import pytest

from adapters import ADAPTERS
from gateway.domain.carrier import Push
from gateway.pushes import understood
from tests.domain.stage import WAYBILLS
from tests.fuzz.bodies import unfit
from tests.fuzz.parts import form
from tests.fuzz.pushing import gate, source
from tests.fuzz.target import NAMES, SECRETS, Target
from tests.test_adapters import keys

REFUSED, KEPT, READ = "refused", "kept apart", "read"
ZTO = keys(ADAPTERS["zto"])
SEAL = source("zto").seeds[0].seal
DTD = '<!DOCTYPE a [<!ENTITY b "c">]>'
LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;"><!ENTITY d "&c;&c;&c;">]>'


def sf(value: str, name: str = "remark") -> bytes:
    """A push of SF with one field as JSON has it."""
    fields = {"mailno": f'"{WAYBILLS["sf"]}"', "opCode": '"80"', name: value}
    said = ",".join(f'"{key}":{text}' for key, text in fields.items())
    return ('{"Body":{"WaybillRoute":[{' + said + "}]}}").encode()


def zto(value: str, name: str = "desc", **outer: Any) -> bytes:
    """A push of ZTO, genuine as to its digest, with one inner field as JSON has it."""
    fields = {"billCode": f'"{WAYBILLS["zto"]}"', "action": '"SIGNED"', name: value}
    assert SEAL is not None
    data = "{" + ",".join(f'"{key}":{text}' for key, text in fields.items()) + "}"
    made = {"data": data, "data_digest": SEAL.of(data), "msg_type": "Traces"}
    return json.dumps({**made, "company_id": ZTO["app_key"], **outer}).encode()


def xml(text: str) -> bytes:
    return b"content=" + quote_plus(text).encode()


DOCUMENT = f'<Request><WaybillRoute mailno="{WAYBILLS["sf"]}" opCode="80"/></Request>'
TWICE = zto('"x"').replace(b'{"data"', b'{"data":"x","data"', 1)
POISON: list[tuple[str, str, bytes, str]] = [
    ("nothing wrong", "sf", sf('"x"'), READ),
    ("nothing wrong", "zto", zto('"x"'), READ),
    ("nothing wrong, XML", "sf", xml(DOCUMENT), READ),
    ("lone surrogate", "sf", sf(r'"\ud800"'), KEPT),
    ("lone surrogate", "zto", zto(r'"\ud800"'), KEPT),
    ("lone surrogate outside", "zto", b'{"data":"\\ud800","data_digest":"x"}', REFUSED),
    ("surrogate as bytes", "sf", sf('"x"').replace(b"x", b"\xed\xa0\x80"), KEPT),
    ("NUL in a text", "sf", sf(r'"a\u0000b"'), READ),
    ("NUL in a text", "zto", zto(r'"a\u0000b"'), READ),
    ("NUL in a number", "sf", sf(r'"SF\u0000"', "mailno"), KEPT),
    ("NUL in a number", "zto", zto(r'"7\u0000"', "billCode"), KEPT),
    ("2^63 as a text", "sf", sf(str(2**63)), KEPT),
    ("2^63 as a code", "sf", sf(str(2**63), "opCode"), READ),
    ("2^63 as a time", "zto", zto(str(2**63), "actionTime"), READ),
    ("5 000 digits", "sf", sf("9" * 5_000, "id"), KEPT),
    ("5 000 digits", "zto", zto("9" * 5_000), KEPT),
    ("100 000 brackets", "sf", b"[" * 100_000, KEPT),
    ("100 000 brackets", "zto", b"[" * 100_000, REFUSED),
    ("40 000 brackets inside", "zto", zto("[" * 40_000), KEPT),
    ("NaN", "sf", sf("NaN", "id"), KEPT),
    ("NaN", "zto", zto("NaN"), KEPT),
    ("1e400", "sf", sf("1e400"), KEPT),
    ("1e400", "zto", zto("1e400", "problemCode"), KEPT),
    ("1e-999999999", "sf", sf("1e-999999999", "opCode"), KEPT),
    ("duplicate keys", "sf", sf('"70","opCode":"80"'), KEPT),
    ("duplicate keys", "zto", zto('"a","action":"LOST"'), KEPT),
    ("19.99", "zto", zto("19.99", "billCode"), KEPT),
    ("no UTF-8", "sf", sf('"x"').replace(b"x", b"\xff\xfe"), KEPT),
    ("no UTF-8", "zto", zto('"x"').replace(b"Traces", b"\xff\xfe"), REFUSED),
    ("truncated gzip", "sf", b"\x1f\x8b\x08\x00truncated", KEPT),
    ("truncated gzip", "zto", b"\x1f\x8b\x08\x00truncated", REFUSED),
    ("DTD", "sf", xml(DTD + DOCUMENT), KEPT),
    ("entity expansion", "sf", xml(LAUGHS + DOCUMENT.replace("80", "&d;")), KEPT),
    ("external entity", "sf", xml('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + DOCUMENT), KEPT),
    ("10^5 tags", "sf", xml("<a>" * 20_000), KEPT),
    ("a lying encoding", "sf", xml('<?xml version="1.0" encoding="UTF-16"?>' + DOCUMENT), READ),
    ("the same field twice", "sf", xml(DOCUMENT) + b"&" + xml(DOCUMENT), KEPT),
    ("the same field twice", "zto", TWICE, REFUSED),
    ("data and Data", "zto", zto('"x"', Data="{}"), REFUSED),
    ("data and Data in a form", "zto", form(json.loads(zto('"x"')) | {"Data": "{}"}), REFUSED),
    ("another account inside", "zto", zto('"x"', company_id="synthetic-other"), REFUSED),
]
each = pytest.mark.parametrize(
    ("channel", "body", "ended"),
    [row[1:] for row in POISON],
    ids=[f"{row[0]}-{row[1]}".replace(" ", "_") for row in POISON],
)


@each
def test_poison_in_process(channel: str, body: bytes, ended: str) -> None:
    kept = understood(gate(channel), Push({}, body))
    if kept is None:
        assert ended == REFUSED
        return
    row, delivery = kept
    assert ended == (READ if delivery is not None else KEPT)
    assert unfit(row, delivery) == ""


@each
@pytest.mark.asyncio(loop_scope="module")
async def test_poison_over_http(found: Target, channel: str, body: bytes, ended: str) -> None:
    url = f"{found.fleet.push}/push/{channel}/{NAMES[channel]}/{SECRETS[channel]}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={"content-type": "text/plain"}) as response,
    ):
        assert response.status == (401 if ended == REFUSED else 200)
        if ended == REFUSED:
            assert await response.read() == b""
