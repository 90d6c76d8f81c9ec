"""Forged and mutated pushes: none is believed; where nothing is signed, none moves anything.

A carrier that signs (ZTO) is attacked at its signature, one that does not (SF) at the secret part
of the address. A forged push counts as accepted when the gateway would act on it, unless it says
word for word what the genuine one says.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from gateway.domain.carrier import Push, Tier
from gateway.pushes import Gate, understood
from tests.domain.stage import WAYBILLS
from tests.fuzz.bodies import Inside, taken
from tests.fuzz.mutate import bent, json_bytes
from tests.fuzz.pushing import ACTIONS, TIMES, ZTO, form, gate, sf_json, sf_xml, zto_digest
from tests.fuzz.run import Tally
from tests.fuzz.target import SECRETS

REFUSED, SAME, LESS = "signature refused", "the same words", "a weaker kind, no scans"
HARMLESS = (REFUSED, SAME, LESS)
Fields = dict[str, Any]
Forge = Callable[[Random, Fields], Any]  # the fields, changed; or the body as bytes
OTHER_SECRET, CHECKWORD = "secreT", "TEST_CHECKWORD"
SF_EVERY = 5  # of five inputs one is a body of SF, one a secret of an address


def genuine(rng: Random) -> Fields:
    """A push that the gateway believes and reads."""
    kind = "Incident" if rng.random() < 0.2 else "Traces"
    said = {"billCode": WAYBILLS["zto"], "eventId": f"{rng.getrandbits(60):x}"}
    if kind == "Traces":
        said |= {"action": rng.choice(ACTIONS), "actionTime": TIMES[0], "city": "杭州市"}
    else:
        said |= {"bizNo": "B1", "status": "APPROVED"}
    data = json.dumps(said, ensure_ascii=rng.random() < 0.5)
    digest = zto_digest(data.encode())
    return {"data": data, "data_digest": digest, "msg_type": kind, "company_id": ZTO["app_key"]}


def flipped(rng: Random, text: str) -> str:
    """One character made another."""
    place = rng.randrange(len(text))
    other = chr(ord(text[place]) ^ 1 << rng.randrange(7))
    return text[:place] + other + text[place + 1 :]


def digested(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _told_anew(rng: Random, f: Fields) -> Fields:
    return f | {
        "data": json.dumps(json.loads(f["data"]) | {"action": "PROBLEM", "x": rng.random()})
    }


def _md5(f: Fields, secret: str) -> str:
    return zto_digest(f["data"].encode(), secret)


FORGERIES: Mapping[str, Forge] = {
    "a bit of the data": lambda rng, f: f | {"data": flipped(rng, f["data"])},
    "a bit of the digest": lambda rng, f: f | {"data_digest": flipped(rng, f["data_digest"])},
    "a bit of the account": lambda rng, f: f | {"company_id": flipped(rng, f["company_id"])},
    "other data": _told_anew,
    "a space after the data": lambda rng, f: f | {"data": f["data"] + " "},
    "a truncated digest": lambda rng, f: (
        f | {"data_digest": f["data_digest"][: rng.randrange(len(f["data_digest"]))]}
    ),
    "a digest of truncated bytes": lambda rng, f: (
        f | {"data_digest": digested(base64.b64decode(f["data_digest"])[: rng.randrange(16)])}
    ),
    "an empty digest": lambda rng, f: f | {"data_digest": ""},
    "no digest": lambda rng, f: {n: v for n, v in f.items() if n != "data_digest"},
    "a digest that is no text": lambda rng, f: (
        f | {"data_digest": rng.choice((None, True, 0, [f["data_digest"]], {"a": 1}))}
    ),
    "another case": lambda rng, f: f | {"data_digest": f["data_digest"].swapcase()},
    "in hexadecimal": lambda rng, f: f | {"data_digest": base64.b64decode(f["data_digest"]).hex()},
    "without padding": lambda rng, f: f | {"data_digest": f["data_digest"].rstrip("=")},
    "with a line end": lambda rng, f: f | {"data_digest": f["data_digest"] + "\n"},
    "loose last bits": lambda rng, f: (
        f | {"data_digest": f["data_digest"][:21] + "RSTUVWXYZ"[rng.randrange(9)] + "=="}
    ),
    "of another account's key": lambda rng, f: f | {"data_digest": _md5(f, OTHER_SECRET)},
    "of another carrier's key": lambda rng, f: f | {"data_digest": _md5(f, CHECKWORD)},
    "of no key": lambda rng, f: f | {"data_digest": _md5(f, "")},
    "of the key twice": lambda rng, f: f | {"data_digest": _md5(f, ZTO["app_secret"] * 2)},
    "of the account": lambda rng, f: f | {"data_digest": _md5(f, ZTO["app_key"])},
    "key first": lambda rng, f: (
        f | {"data_digest": zto_digest(ZTO["app_secret"].encode(), f["data"])}
    ),
    "SHA-256": lambda rng, f: f | {"data_digest": _sha256(f)},
    "HMAC": lambda rng, f: f | {"data_digest": _hmac(f)},
    "another account's name": lambda rng, f: f | {"company_id": "synthetic-other"},
    "the account in another case": lambda rng, f: f | {"company_id": f["company_id"].upper()},
    "no account": lambda rng, f: f | {"company_id": ""},
    "an unlisted kind": lambda rng, f: (
        f | {"msg_type": rng.choice(("Billing", "traces", "", None))}
    ),
    "fields swapped": lambda rng, f: f | {"data": f["data_digest"], "data_digest": f["data"]},
    "account and digest swapped": lambda rng, f: (
        f | {"company_id": f["data_digest"], "data_digest": f["company_id"]}
    ),
    "digest twice": lambda rng, f: _twice(rng, f, "data_digest"),
    "data twice": lambda rng, f: _twice(rng, f, "data"),
    "account twice": lambda rng, f: _twice(rng, f, "company_id"),
    "other data beside it": lambda rng, f: f | {"Data": _told_anew(rng, f)["data"]},
    "other data in capitals first": lambda rng, f: {"DATA": _told_anew(rng, f)["data"], **f},
    "names in another case": lambda rng, f: {n.upper(): v for n, v in f.items()},
    "data as an object": lambda rng, f: f | {"data": _told_anew(rng, f)},
    "accidents": lambda rng, f: bent(rng, json_bytes(rng, f)),
    "accidents of a form": lambda rng, f: bent(rng, form(f)),
    "another kind": lambda rng, f: f | {"msg_type": _other_kind(rng, f)},
}


def _sha256(f: Fields) -> str:
    return digested(hashlib.sha256((f["data"] + ZTO["app_secret"]).encode()).digest())


def _hmac(f: Fields) -> str:
    return digested(hmac.digest(ZTO["app_secret"].encode(), f["data"].encode(), "md5"))


def _other_kind(rng: Random, f: Fields) -> str:
    return "Traces" if f["msg_type"] != "Traces" else rng.choice(("Incident", "Intercept"))


def _twice(rng: Random, f: Fields, name: str) -> bytes:
    """A field there twice: the genuine one, and another before or after it."""
    other = _told_anew(rng, f)["data"] if name == "data" else rng.choice(("x", "", f[name]))
    if rng.random() < 0.5:
        pair = form({name: other})
        return b"&".join((pair, form(f)) if rng.random() < 0.5 else (form(f), pair))
    body = json.dumps(f)
    extra = f"{json.dumps(name)}: {json.dumps(other)}"
    whole = (body[0] + extra + ", " + body[1:], body[:-1] + ", " + extra + "}")
    return rng.choice(whole).encode()


def written(rng: Random, made: Any) -> bytes:
    if isinstance(made, bytes):
        return made
    return form(made) if rng.random() < 0.4 else json.dumps(made).encode()


def spoken(door: Gate, data: bytes) -> tuple[int, Any] | None:
    """The tier and the words of a push that would be acted on."""
    kept = understood(door, Push({}, data))
    if kept is None or kept[1] is None:
        return None
    return kept[0].tier, kept[1]


def signed(door: Gate, rng: Random) -> tuple[str, bytes, str]:
    """One forgery of a signed push: its name, its body, and what became of it."""
    true = genuine(rng)
    name = rng.choice(list(FORGERIES))
    data = written(rng, FORGERIES[name](rng, true))
    usual, said = spoken(door, json.dumps(true).encode()), spoken(door, data)
    if usual is None:
        return name, data, "the genuine push was not taken"
    if said is None:
        return name, data, REFUSED
    if said == usual:
        return name, data, SAME
    if name == "another kind":  # the digest covers the data alone: it may say less, never more
        less = said[0] > usual[0] and said[1].waybills == usual[1].waybills and not said[1].scans
        return name, data, LESS if less else "another kind made it stronger"
    return name, data, "accepted"


def secret(rng: Random) -> str:
    """A secret of an address that is not ours."""
    true = SECRETS["sf"]
    wrong = (
        lambda: flipped(rng, true),
        lambda: true[: rng.randrange(len(true))],
        lambda: true + rng.choice("x/ \x00é=\udcff"),
        lambda: true.swapcase(),
        lambda: rng.choice(" \t/.") + true,
        lambda: SECRETS["zto"],
        lambda: true[::-1],
        lambda: "".join(rng.sample(true, len(true))),
        lambda: bent(rng, true.encode()).decode("utf-8", "surrogateescape"),
    )
    found = rng.choice(wrong)()
    return found if found != true else ""


class Forged:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._zto, self._sf = gate("zto"), gate("sf", SECRETS["sf"])
        self._inside = Inside("sf")

    def one(self, index: int, rng: Random) -> None:
        act = index % SF_EVERY
        if act == 0:
            given = secret(rng)
            if self._sf.opened_by(given):
                self._tally.wrong(index, "a wrong secret opens", given.encode("utf-8", "replace"))
            self._tally.ended["address refused"] += 1
        elif act == 1:
            self._unsigned(index, rng)
        else:
            name, data, ended = signed(self._zto, rng)
            if ended not in HARMLESS:
                self._tally.wrong(index, f"{name}: {ended}", data)
            self._tally.ended[ended] += 1

    def _unsigned(self, index: int, rng: Random) -> None:
        """The right secret and any body: a hint of the lowest tier, which moves nothing."""
        data = bent(rng, rng.choice((sf_json, sf_xml))(rng))
        kept = understood(self._sf, Push({}, data))
        if kept is None:
            self._tally.ended["refused"] += 1
            return
        why = taken(self._inside, *kept)
        if why or kept[0].tier != Tier.T3:
            self._tally.wrong(index, why or "unsigned, and above tier 3", data)
        self._tally.ended["unsigned: a hint that moved nothing"] += 1


def run(tally: Tally, indexes: Iterable[int]) -> None:
    forged = Forged(tally)
    for index, rng in tally.each(indexes):
        forged.one(index, rng)
