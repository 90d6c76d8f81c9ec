"""Forged and mutated pushes: none is believed; where nothing guards them, none moves anything.

A push under a seal or with a credential in it is attacked there, one without at the secret part of
the address. A forged push counts as accepted when the gateway would act on it, unless it says word
for word what the genuine one says.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from gateway.domain.carrier import Delivery, Push, Tier
from gateway.domain.record import replace
from gateway.pushes import Gate, understood
from tests.fuzz.bodies import Inside, taken
from tests.fuzz.mutate import bent, json_bytes
from tests.fuzz.parts import HEADER, MIXES, WRITINGS, Parts, Place, Seal, apart, form
from tests.fuzz.pushing import CHANNELS, Seed, Source, source, spoilt_headers, varied, written
from tests.fuzz.run import Tally
from tests.fuzz.target import SECRETS

REFUSED, SAME = "guard refused", "the same words"
LESS, HINT = "a weaker kind, no scans", "without its guard: a hint, as anybody may give"
BESIDE = "another value beside the guards"
BENT = "accidents"
HARMLESS = (REFUSED, SAME, LESS, HINT)
OTHER_SECRETS = ("secreT", "TEST_CHECKWORD", "")
OPEN_EVERY = 5  # of five inputs one is a body that nothing guards, one a secret of an address


@dataclass(frozen=True, slots=True)
class Genuine:
    """A push that the gateway believes and reads, and where it is attacked."""

    of: Source
    seed: Seed
    parts: Parts

    @property
    def seal(self) -> Seal:
        assert self.seed.seal is not None
        return self.seed.seal

    @property
    def text(self) -> str:
        return self.parts.at(self.seal.text)

    @property
    def digest(self) -> str:
        return self.parts.at(self.seal.digest)

    def with_digest(self, digest: Any) -> Parts:
        return self.parts.put(self.seal.digest, digest)

    def with_text(self, text: Any) -> Parts:
        return self.parts.put(self.seal.text, text)

    def credentials(self) -> Iterable[str]:
        return self.of.gate.credentials[0].values()


Spoken = tuple[int, Delivery]  # a tier, and the words
Forge = Callable[[Random, Genuine], Parts | Push]
Attack = Callable[[Random, Genuine, Place], Parts | Push]


def genuine(rng: Random, of: Source) -> Genuine:
    """In other words, as long as the gateway reads them."""
    seed = rng.choice([each for each in of.seeds if each.guarded])
    parts = varied(rng, of, seed, hostile=False)
    kept = understood(of.gate, parts.push())
    read = kept is not None and kept[1] is not None
    return Genuine(of, seed, parts if read else seed.parts)


def flipped(rng: Random, text: str) -> str:
    """One character made another."""
    place = rng.randrange(len(text))
    other = chr(ord(text[place]) ^ 1 << rng.randrange(7))
    return text[:place] + other + text[place + 1 :]


def cut(rng: Random, text: str) -> str:
    return text[: rng.randrange(len(text))]


def told_anew(rng: Random, g: Genuine) -> str:
    """What another genuine push says, or this one with something beside."""
    others = [s.parts.at(g.seal.text) for s in g.of.seeds if s.seal and s.seal.text == g.seal.text]
    other = rng.choice([text for text in others if text != g.text] or [g.text + " "])
    return other if rng.random() < 0.7 else g.text.replace("0", str(rng.randrange(1, 9)), 1) + " "


def another_mix(rng: Random, g: Genuine) -> Parts:
    mix = rng.choice([name for name in MIXES if name != g.seal.mix])
    return g.with_digest(g.seal.of(g.text, mix=mix))


def another_writing(rng: Random, g: Genuine) -> Parts:
    name = rng.choice([name for name in WRITINGS if name != g.seal.writing])
    return g.with_digest(WRITINGS[name](g.seal.raw(g.text)))


def loose_bits(rng: Random, g: Genuine) -> Parts:
    """The last character of base64 has bits that no byte needs."""
    body = g.digest.rstrip("=")
    ends = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789"
    return g.with_digest(body[:-1] + rng.choice(ends) + g.digest[len(body) :])


def swapped(one: Place, two: Place, parts: Parts) -> Parts:
    return parts.put(one, parts.at(two)).put(two, parts.at(one))


def twice(rng: Random, parts: Parts, place: Place, other: str) -> Push:
    """A field there twice: the genuine one, and another before or after it."""
    kind, name = place
    if kind == HEADER:  # the door joins or drops them; what reaches an adapter is one text
        usual = parts.at(place)
        both = (f"{usual}, {other}", f"{other}, {usual}", f"{usual},{usual}")
        return parts.put(place, rng.choice(both)).push()
    if parts.as_form or rng.random() < 0.3:
        whole, pair = form(parts.fields), form({name: other})
        pairs = (pair, whole) if rng.random() < 0.5 else (whole, pair)
        return replace(parts.push(), body=b"&".join(pairs))
    body = json.dumps(parts.fields)
    extra = f"{json.dumps(name)}: {json.dumps(other)}"
    two = (body[0] + extra + ", " + body[1:], body[:-1] + ", " + extra + "}")
    return replace(parts.push(), body=rng.choice(two).encode())


def beside(parts: Parts, place: Place, name: str, other: str, first: bool) -> Parts:
    """Another field under nearly the same name."""
    kind, usual = place
    if name == usual:  # it has no other case
        name = usual + " "
    if kind == HEADER:
        return dataclasses.replace(parts, headers={**parts.headers, name: other})
    extra = {name: other}
    return dataclasses.replace(
        parts, fields={**extra, **parts.fields} if first else {**parts.fields, **extra}
    )


def in_capitals(parts: Parts) -> Parts:
    return dataclasses.replace(
        parts, fields={name.upper(): value for name, value in parts.fields.items()}
    )


def accident(rng: Random, g: Genuine) -> Push:
    push = g.parts.push()
    body = form(g.parts.fields) if g.parts.as_form else json_bytes(rng, dict(g.parts.fields))
    return replace(push, body=bent(rng, body))


def header_accident(rng: Random, g: Genuine) -> Push:
    return replace(g.parts.push(), headers=spoilt_headers(rng, g.parts.headers))


def plain_field(rng: Random, g: Genuine) -> Parts:
    """Another value in a field that no guard covers: it may say less, never more."""
    guards = {g.seal.text, g.seal.digest, *g.seed.shown}
    free = [place for place, _ in g.parts.places() if place not in guards]
    if not free:
        return g.parts
    place = rng.choice(free)
    known = g.of.pools.get(place[1]) or [""]
    return g.parts.put(place, rng.choice((*known, *known, "", "x", g.digest)))


SEALED: Mapping[str, Forge] = {
    "a bit of the text": lambda rng, g: g.with_text(flipped(rng, g.text)),
    "a bit of the digest": lambda rng, g: g.with_digest(flipped(rng, g.digest)),
    "another text": lambda rng, g: g.with_text(told_anew(rng, g)),
    "a space after the text": lambda rng, g: g.with_text(g.text + " "),
    "a truncated digest": lambda rng, g: g.with_digest(cut(rng, g.digest)),
    "a digest of truncated bytes": lambda rng, g: g.with_digest(
        g.seal.write(g.seal.raw(g.text)[: rng.randrange(16)])
    ),
    "an empty digest": lambda rng, g: g.with_digest(""),
    "no digest": lambda rng, g: g.parts.without(g.seal.digest),
    "a digest that is no text": lambda rng, g: g.with_digest(
        rng.choice((None, True, 0, [g.digest], {"a": 1}))
    ),
    "another case": lambda rng, g: g.with_digest(g.digest.swapcase()),
    "another writing": another_writing,
    "without padding": lambda rng, g: g.with_digest(g.digest.rstrip("=")),
    "with a line end": lambda rng, g: g.with_digest(g.digest + "\n"),
    "loose last bits": loose_bits,
    "of another key": lambda rng, g: g.with_digest(
        g.seal.of(g.text, secret=rng.choice(OTHER_SECRETS))
    ),
    "of the key twice": lambda rng, g: g.with_digest(g.seal.of(g.text, secret=g.seal.secret * 2)),
    "of another credential": lambda rng, g: g.with_digest(
        g.seal.of(
            g.text, secret=rng.choice([c for c in g.credentials() if c != g.seal.secret] or ["x"])
        )
    ),
    "another mix": another_mix,
    "of no text": lambda rng, g: g.with_digest(g.seal.of("")),
    "fields swapped": lambda rng, g: swapped(g.seal.text, g.seal.digest, g.parts),
    "digest twice": lambda rng, g: twice(
        rng, g.parts, g.seal.digest, rng.choice(("x", "", g.digest))
    ),
    "text twice": lambda rng, g: twice(rng, g.parts, g.seal.text, told_anew(rng, g)),
    "another text beside it": lambda rng, g: beside(
        g.parts, g.seal.text, g.seal.text[1].title(), told_anew(rng, g), first=False
    ),
    "another text in capitals first": lambda rng, g: beside(
        g.parts, g.seal.text, g.seal.text[1].upper(), told_anew(rng, g), first=True
    ),
    "names in another case": lambda rng, g: in_capitals(g.parts),
    "an object as the text": lambda rng, g: g.with_text({"a": g.text}),
    "the text alone": lambda rng, g: dataclasses.replace(
        g.parts, headers={}, fields={g.seal.text[1]: told_anew(rng, g)}
    ),
    BENT: accident,
    BESIDE: plain_field,
}
SHOWN: Mapping[str, Attack] = {
    "a bit of what is shown": lambda rng, g, at: g.parts.put(at, flipped(rng, g.parts.at(at))),
    "a truncated one": lambda rng, g, at: g.parts.put(at, cut(rng, g.parts.at(at))),
    "one more character": lambda rng, g, at: g.parts.put(
        at, g.parts.at(at) + rng.choice("x \t,;é\udcff\x00")
    ),
    "another's": lambda rng, g, at: g.parts.put(at, rng.choice(("synthetic-other", "Bearer x"))),
    "in another case": lambda rng, g, at: g.parts.put(at, g.parts.at(at).swapcase()),
    "empty": lambda rng, g, at: g.parts.put(at, ""),
    "missing": lambda rng, g, at: g.parts.without(at),
    "backwards": lambda rng, g, at: g.parts.put(at, g.parts.at(at)[::-1]),
    "there twice": lambda rng, g, at: twice(rng, g.parts, at, rng.choice(("x", ""))),
    "under another name": lambda rng, g, at: beside(
        g.parts.without(at), at, at[1].upper(), g.parts.at(at), first=True
    ),
}


def at_place(attack: Attack, place: Place, rng: Random, g: Genuine) -> Parts | Push:
    return attack(rng, g, place)


def forged(rng: Random, g: Genuine) -> tuple[str, Push]:
    """One forgery: its name, and the push."""
    ways: list[tuple[str, Forge]] = []
    if g.seed.seal is not None:
        ways += SEALED.items()
    for place in g.seed.shown:
        ways += [
            (f"{name}: {place[1]}", partial(at_place, attack, place))
            for name, attack in SHOWN.items()
        ]
    if any(place[0] == HEADER for place in g.seed.shown):
        ways.append(("accidents of a header", header_accident))
    name, forge = rng.choice(ways)
    made = forge(rng, g)
    return name, made.push() if isinstance(made, Parts) else made


def spoken(door: Gate, push: Push) -> Spoken | None:
    """The tier and the words of a push that would be acted on."""
    kept = understood(door, push)
    if kept is None or kept[1] is None:
        return None
    return kept[0].tier, kept[1]


def guards(seed: Seed, parts: Parts) -> list[str]:
    """What stands where its guards stand; hexadecimal has no case."""
    texts = dict(parts.places())
    found = [texts.get(place, "") for place in seed.shown]
    if seed.seal is not None:
        digest = texts.get(seed.seal.digest, "")
        found.append(digest if seed.seal.writing == "base64" else digest.upper())
    return found


def unguarded(g: Genuine, name: str, push: Push) -> bool:
    """Whether a guard of it is gone, or is another."""
    if name == BENT:  # nobody can tell where
        return False
    return guards(g.seed, apart(push)) != guards(g.seed, g.parts)


def judged(g: Genuine, name: str, push: Push) -> str:
    """What became of a forgery."""
    of = g.of
    usual, said = spoken(of.gate, g.parts.push()), spoken(of.gate, push)
    if usual is None:
        return "the genuine push was not taken"
    if said is None:
        return REFUSED
    if said == usual:
        return "believed without its guard" if unguarded(g, name, push) else SAME
    if name == BESIDE:  # a seal covers its text alone
        less = said[0] >= usual[0] and said[1].waybills == usual[1].waybills and not said[1].scans
        return LESS if less else "another value made it stronger"
    return HINT if said[0] == Tier.T3 and usual[0] != Tier.T3 and of.open else "accepted"


def secret(rng: Random, channel: str) -> str:
    """A secret of an address that is not its own."""
    true = SECRETS[channel]
    wrong = (
        lambda: flipped(rng, true),
        lambda: true[: rng.randrange(len(true))],
        lambda: true + rng.choice("x/ \x00é=\udcff"),
        lambda: true.swapcase(),
        lambda: rng.choice(" \t/.") + true,
        lambda: rng.choice([other for other in SECRETS.values() if other != true]),
        lambda: true[::-1],
        lambda: "".join(rng.sample(true, len(true))),
        lambda: bent(rng, true.encode()).decode("utf-8", "surrogateescape"),
    )
    found = rng.choice(wrong)()
    return found if found != true else ""


class Forged:
    def __init__(self, tally: Tally, sources: Iterable[Source]) -> None:
        self._tally = tally
        self._all = list(sources)
        self._guarded = [of for of in self._all if any(seed.guarded for seed in of.seeds)]
        self._open = [of for of in self._all if of.open]
        self._inside: dict[str, Inside] = {}

    def one(self, index: int, rng: Random) -> None:
        act, turn = index % OPEN_EVERY, index // OPEN_EVERY
        if act == 0:
            self._address(index, rng, self._all[turn % len(self._all)])
        elif act == 1:
            self._unguarded(index, rng, self._open[turn % len(self._open)])
        else:
            self._forgery(index, rng, self._guarded[index % len(self._guarded)])

    def _address(self, index: int, rng: Random, of: Source) -> None:
        given = secret(rng, of.channel)
        if dataclasses.replace(of.gate, secret=SECRETS[of.channel]).opened_by(given):
            self._tally.wrong(index, "a wrong secret opens", given.encode("utf-8", "replace"))
        self._tally.ended["address refused"] += 1

    def _forgery(self, index: int, rng: Random, of: Source) -> None:
        true = genuine(rng, of)
        name, push = forged(rng, true)
        ended = judged(true, name, push)
        if ended not in HARMLESS:
            self._tally.wrong(index, f"{of.channel}, {name}: {ended}", push.body)
        if ended == HINT:
            self._moves_nothing(index, of, push)
        self._tally.ended[ended] += 1
        self._tally.answered[f"{of.channel}, {name}"] += ended == REFUSED

    def _unguarded(self, index: int, rng: Random, of: Source) -> None:
        """The right secret and any body: a hint of the lowest tier, which moves nothing."""
        push = written(rng, of, rng.choice(of.open))
        push = replace(push, body=bent(rng, push.body))
        ended = "unguarded: a hint that moved nothing"
        self._tally.ended[ended if self._moves_nothing(index, of, push) else "refused"] += 1

    def _moves_nothing(self, index: int, of: Source, push: Push) -> bool:
        kept = understood(of.gate, push)
        if kept is None:
            return False
        if of.channel not in self._inside:
            self._inside[of.channel] = Inside(of)
        why = taken(self._inside[of.channel], *kept)
        if why or kept[0].tier != Tier.T3:
            self._tally.wrong(index, f"{of.channel}: {why or 'unguarded, above T3'}", push.body)
        return True


def run(tally: Tally, indexes: Iterable[int]) -> None:
    tally.answering = "kinds of forgery refused"
    fuzz = Forged(tally, map(source, CHANNELS))
    for index, rng in tally.each(indexes):
        fuzz.one(index, rng)
