"""A push taken apart and put together again, and what guards it, found out by trying.

A seal is a digest over one field and a secret; what is shown is a credential that has to be there.
Neither is told by the adapter: a digest is looked for among all the places of a genuine push.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from gateway.domain.carrier import Push

Place = tuple[str, str]  # HEADER or FIELD, and a name
HEADER, FIELD = "header", "field"


def form(fields: Mapping[str, Any]) -> bytes:
    pairs = (
        f"{quote_plus(str(name).encode('utf-8', 'surrogatepass'))}="
        f"{quote_plus(str(text).encode('utf-8', 'surrogatepass'))}"
        for name, text in fields.items()
    )
    return "&".join(pairs).encode()


@dataclass(frozen=True, slots=True)
class Parts:
    headers: Mapping[str, str]
    fields: Mapping[str, Any]
    as_form: bool

    def push(self) -> Push:
        return Push(dict(self.headers), self.body())

    def body(self) -> bytes:
        if self.as_form:
            return form(self.fields)
        return json.dumps(self.fields, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def places(self) -> Iterator[tuple[Place, str]]:
        """Every text of it, and where it stands."""
        yield from (((HEADER, name), text) for name, text in self.headers.items())
        texts = ((name, text) for name, text in self.fields.items() if isinstance(text, str))
        yield from (((FIELD, name), text) for name, text in texts)

    def at(self, place: Place) -> str:
        kind, name = place
        return str((self.headers if kind == HEADER else self.fields)[name])

    def put(self, place: Place, value: Any) -> "Parts":
        kind, name = place
        if kind == HEADER:
            return dataclasses.replace(self, headers={**self.headers, name: str(value)})
        return dataclasses.replace(self, fields={**self.fields, name: value})

    def without(self, place: Place) -> "Parts":
        kind, gone = place
        held = self.headers if kind == HEADER else self.fields
        rest = {name: value for name, value in held.items() if name != gone}
        if kind == HEADER:
            return dataclasses.replace(self, headers=rest)
        return dataclasses.replace(self, fields=rest)


def apart(push: Push) -> Parts:
    """A genuine push: a form, or an object of JSON."""
    if push.body.startswith(b"{"):
        return Parts(push.headers, json.loads(push.body), as_form=False)
    pairs = parse_qsl(push.body.decode(), keep_blank_values=True, strict_parsing=True)
    return Parts(push.headers, dict(pairs), as_form=True)


# -- seals ------------------------------------------------------------------------------------

Mix = Callable[[bytes, bytes], bytes]  # of a text and a secret
HASHES = ("md5", "sha1", "sha256", "sha512")


def _plain(name: str, secret_first: bool) -> Mix:
    def mix(text: bytes, secret: bytes) -> bytes:
        return hashlib.new(name, secret + text if secret_first else text + secret).digest()

    return mix


def _keyed(name: str) -> Mix:
    return lambda text, secret: hmac.digest(secret, text, name)


MIXES: Mapping[str, Mix] = {
    **{f"{name}, secret last": _plain(name, False) for name in HASHES},
    **{f"{name}, secret first": _plain(name, True) for name in HASHES},
    **{f"HMAC {name}": _keyed(name) for name in HASHES},
}
WRITINGS: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
}


@dataclass(frozen=True, slots=True)
class Seal:
    """Which field a digest covers, where the digest stands, and how it is made."""

    text: Place
    digest: Place
    mix: str
    writing: str
    secret: str = field(repr=False)

    def raw(self, text: str, secret: str | None = None, mix: str = "") -> bytes:
        key = self.secret if secret is None else secret
        return MIXES[mix or self.mix](text.encode("utf-8", "surrogatepass"), key.encode())

    def write(self, raw: bytes) -> str:
        return WRITINGS[self.writing](raw)

    def of(self, text: str, secret: str | None = None, mix: str = "") -> str:
        return self.write(self.raw(text, secret, mix))

    def on(self, parts: Parts) -> Parts:
        """The same push with the digest that its text has now."""
        return parts.put(self.digest, self.of(parts.at(self.text)))


def sealed(parts: Parts, credentials: Mapping[str, str]) -> Seal | None:
    """How a genuine push is sealed; None where no digest of any text is found in it."""
    texts = dict(parts.places())
    found = {text: place for place, text in texts.items() if len(text) >= 22}
    for (place, text), secret, mix in product(texts.items(), credentials.values(), MIXES):
        raw = MIXES[mix](text.encode(), secret.encode())
        for writing, write in WRITINGS.items():
            if (digest := found.get(write(raw))) is not None:
                return Seal(place, digest, mix, writing, secret)
    return None


def shown(parts: Parts, credentials: Mapping[str, str]) -> dict[Place, str]:
    """Where a credential stands by itself, or at the end of a header, and the name of it."""
    return {
        place: name
        for place, text in parts.places()
        for name, value in credentials.items()
        if value and (text == value or (place[0] == HEADER and text.endswith(f" {value}")))
    }
