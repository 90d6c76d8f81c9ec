"""Hostile values by name, and mutations: whatever is made depends on the given chance alone."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "NUL": "a\x00b",
    "CR LF": "a\r\nx-evil: 1",
    "lone surrogate": "\ud800",
    "half a pair": "\udfff\ud800",
    "bidi": "a\u202eb",
    "no character": "\uffff",
    "separator": "a\u2028b",
    "escape": "\x1b[31m",
    "wide": "\U0001f4e6",
    "combining": "e" + "\u0301" * 40,
    "full width digits": "１２",
    "sharp s": "ß",  # casefold makes it longer
    "dotted capital I": "İ",
    "quotes": "'; DROP TABLE parcel; --",
    "format": "%s%n{0.__class__}",
    "markup": '<a b="c">&amp;&#0;]]>',
    "slash": "../../x",
    "long": "x" * 5_000,
    "NaN": "NaN",
    "1e400": "1e400",
    "2^63": str(2**63),
    "minus": "-1",
    "money": "19.99",
}
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**39, 10**41),
    *(0.1, 19.99, -0.0, 5e-324, 1e308, float("nan"), float("inf")),
)
TEXT_LIST, ASTRAL = tuple(TEXTS.values()), 0x110000


def odd_text(rng: Random) -> str:
    if rng.random() < 0.6:
        return rng.choice(TEXT_LIST)
    return "".join(chr(rng.randrange(0x3000 if rng.random() < 0.9 else ASTRAL)) for _ in range(8))


def odd(rng: Random, depth: int = 0) -> Any:
    """A JSON value that no carrier should send, or any at all."""
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind == 1:
        return rng.choice((None, True, False, rng.getrandbits(rng.choice((8, 64, 200)))))
    if kind < 5:
        return odd_text(rng)
    if kind == 5:
        return [odd(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {odd_text(rng)[:20]: odd(rng, depth + 1) for _ in range(rng.randrange(4))}


def json_bytes(rng: Random, value: Any) -> bytes:
    """As JSON, escaped or not: NaN, lone surrogates and all."""
    escaped = rng.random() < 0.5
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


def json_mutated(rng: Random, value: Any) -> Any:
    """The same value with one place of its tree changed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        act = rng.randrange(6)
        rest = {other: inner for other, inner in value.items() if other != name}
        if act == 0:
            return rest
        if act == 1:
            return rest | {_renamed(rng, name): value[name]}
        if act == 2:
            return value | {_renamed(rng, name): odd(rng)}
        return value | {name: json_mutated(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        act = rng.randrange(4)
        if act == 0:
            return value * rng.choice((0, 2, 12, 101))
        return [*value[:place], json_mutated(rng, value[place]), *value[place + 1 :]]
    return odd(rng)


def _renamed(rng: Random, name: str) -> str:
    return rng.choice((name.upper(), name.title(), name + " ", "\ufeff" + name, odd_text(rng)))


def _flip(rng: Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(rng: Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: Random, data: bytearray) -> None:
    place = rng.randrange(len(data) + 1)
    del data[place : place + rng.randrange(1, 9)]


def _repeat(rng: Random, data: bytearray) -> None:
    place = rng.randrange(len(data) + 1)
    piece = data[place : place + rng.randrange(1, 40)]
    data[place:place] = piece * rng.choice((1, 2, 16))


def _insert(rng: Random, data: bytearray) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.choice(PIECES)


def _noise(rng: Random, data: bytearray) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.randbytes(rng.randrange(1, 9))


PIECES = (
    *(b'"', b"\\", b"{", b"[", b"]", b"}", b",", b":", b"&", b"=", b"%", b"%00", b"%zz", b"\x00"),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"<", b">", b"&lt;", b"\\ud800", b"\\u0000"),
    *(b"NaN", b"1e400", b"-Infinity", b"9" * 4301, b"[" * 1_000, b"null", b"true", b"<!DOCTYPE a>"),
)
ACTS: tuple[Callable[[Random, bytearray], None], ...] = (
    *(_flip, _flip, _cut, _drop, _repeat, _insert, _insert, _noise),
)


def bent(rng: Random, data: bytes) -> bytes:
    """The same bytes after one to four small accidents."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        rng.choice(ACTS)(rng, changed)
    return bytes(changed)


def pick(rng: Random, usual: Sequence[T], strange: Callable[[Random], T], often: float = 0.8) -> T:
    """Something usual, or else something strange."""
    return rng.choice(usual) if rng.random() < often else strange(rng)
