"""Pushes of every carrier that pushes: genuine, mutated and sealed again, hostile, very large.

The genuine ones are those of the golden files and those that the carrier's dialect writes; what is
particular to a carrier is found out from them.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from random import Random
from typing import Any

from adapters import ADAPTERS
from gateway.domain.carrier import Delivery, Push, Tier
from gateway.domain.record import replace
from gateway.pushes import BODY_MAX, Gate, understood
from tests.dialects import pushing as dialects
from tests.dialects.bench import bench
from tests.fuzz import documents
from tests.fuzz.mutate import bent, json_bytes, odd, odd_text
from tests.fuzz.parts import HEADER, Parts, Place, Seal, apart, sealed, shown
from tests.test_adapters import PUSHES, keys

CHANNELS = tuple(name for name, adapter in ADAPTERS.items() if adapter.push is not None)
WHOLE = ("whole", "")  # in place of a field: the whole of a body is the document


def gate(channel: str, secret: str = "") -> Gate:
    return Gate(ADAPTERS[channel], "main", (keys(ADAPTERS[channel]),), secret)


@dataclass(frozen=True, slots=True)
class Seed:
    """A genuine push, what is said in it, and what guards it."""

    push: Push
    parts: Parts
    tier: Tier
    delivery: Delivery
    seal: Seal | None
    shown: Mapping[Place, str]  # credentials that have to be there
    documents: tuple[Place, ...] = field(default=())  # where trees stand

    @property
    def guarded(self) -> bool:
        return self.seal is not None or bool(self.shown)


@dataclass(frozen=True)
class Source:
    """One carrier, and all that is known of how it pushes."""

    channel: str
    gate: Gate
    seeds: tuple[Seed, ...]

    @cached_property
    def pools(self) -> documents.Pools:
        """The values that its genuine pushes have under each name."""
        found: dict[str, dict[Any, None]] = {}
        for seed in self.seeds:
            for place in seed.documents:
                for name, value in documents.leaves(_document(seed.parts, place)[0]):
                    found.setdefault(name, {})[value] = None
            for name, value in seed.parts.fields.items():
                if isinstance(value, str):
                    found.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in found.items()}

    @cached_property
    def waybills(self) -> tuple[str, ...]:
        """First the parcel that an interception is about, then its number on the way back."""
        told = (seed.delivery for seed in self.seeds)
        backs = (scan.return_waybill for seed in self.seeds for scan in seed.delivery.scans)
        numbers = dict.fromkeys(number for each in told for number in each.waybills)
        first, *others = numbers
        back = next((number for number in backs if number), others[0])
        return tuple(dict.fromkeys((first, back, *others)))

    @cached_property
    def open(self) -> tuple[Seed, ...]:
        """What anybody may push who has the address."""
        return tuple(seed for seed in self.seeds if not seed.guarded)

    @property
    def network(self) -> str:
        """Who carries that parcel."""
        told = next(s.delivery for s in self.seeds if self.waybills[0] in s.delivery.waybills)
        return told.network or self.gate.adapter.network


def _document(parts: Parts, place: Place) -> tuple[Any, documents.Write]:
    if place == WHOLE:
        return dict(parts.fields), documents.notation
    found = documents.understood(parts.at(place))
    assert found is not None
    return found


def _seed(door: Gate, push: Push) -> Seed | None:
    kept = understood(door, push)
    if kept is None or kept[1] is None:
        return None
    parts, (credentials,) = apart(push), door.credentials
    texts = (place for place, text in parts.places() if place[0] != HEADER)
    places = tuple(place for place in texts if documents.understood(parts.at(place)))
    counted = {
        place: name
        for place, name in shown(parts, credentials).items()
        if understood(door, parts.put(place, "another").push()) is None
    }
    return Seed(
        push,
        parts,
        Tier(kept[0].tier),
        kept[1],
        sealed(parts, credentials) if kept[0].tier != Tier.T3 else None,
        counted,
        places or (() if parts.as_form else (WHOLE,)),
    )


def _genuine(channel: str) -> Iterator[Push]:
    for golden in PUSHES:
        if golden.adapter.name == channel:
            yield Push(golden.case["headers"], golden.case["body"].encode())
    for form in dialects.FORMATS:
        for sent in dialects.messages(dialects.formatted(partial(bench, channel), form)):
            yield sent.push


@cache
def source(channel: str) -> Source:
    door = gate(channel)
    found = {}
    for push in _genuine(channel):
        seed = _seed(door, push)
        if seed is not None:
            found[push.body, *push.headers.items()] = seed
    return Source(channel, door, tuple(found.values()))


# -- from seeds to inputs ---------------------------------------------------------------------


def varied(rng: Random, of: Source, seed: Seed, hostile: bool = True) -> Parts:
    """Other words in the same form, under the right seal."""
    parts = seed.parts
    if seed.documents:
        place = rng.choice(seed.documents)
        tree, write = _document(parts, place)
        tree = documents.varied(rng, tree, of.pools, of.waybills, hostile)
        if place == WHOLE and not isinstance(tree, dict):
            tree = {odd_text(rng): tree}
        parts = (
            dataclasses.replace(parts, fields=tree)
            if place == WHOLE
            else parts.put(place, write(rng, tree))
        )
    if hostile and rng.random() < 0.2:
        name = rng.choice([*parts.fields, *of.pools])
        value = rng.choice(of.pools.get(name) or [""]) if rng.random() < 0.5 else odd(rng)
        parts = dataclasses.replace(parts, fields={**parts.fields, name: value})
    return seed.seal.on(parts) if seed.seal is not None else parts


def written(rng: Random, of: Source, seed: Seed) -> Push:
    """A varied push; an object is written as JSON has it, escaped or not."""
    parts = varied(rng, of, seed)
    push = parts.push()
    return push if parts.as_form else replace(push, body=json_bytes(rng, dict(parts.fields)))


def spoilt_headers(rng: Random, headers: Mapping[str, str]) -> dict[str, str]:
    """One header gone, another, or bytes of no text in it."""
    found = dict(headers) or {"content-type": ""}
    name = rng.choice(list(found))
    act = rng.randrange(4)
    if act == 0:
        del found[name]
    elif act == 1:
        found[name] = odd_text(rng)
    elif act == 2:
        data = found[name].encode("utf-8", "surrogateescape")
        found[name] = bent(rng, data).decode("utf-8", "surrogateescape")
    else:
        found[rng.choice((name + "x", odd_text(rng).lower()))] = found.pop(name)
    return found


Shape = tuple[bytes, bytes, bytes]  # begin, repeated, end
PLAIN: tuple[Shape, ...] = (
    (b"[", b"{},", b"1]"),
    (b"[", b"1,", b"1]"),
    (b"[", b'"",', b"1]"),
    (b"[", b"[" * 30 + b"]" * 30 + b",", b"1]"),
    (b'{"a":"', b"[", b'"}'),
    (b'{"a":"', b'\\"', b'"}'),
    (b'"', b'"', b'"'),
    (b"", b"[", b""),
    (b"", b'{"a":', b"1"),
    (b'{"a":[', b'"\\ud800",', b"1]}"),
    (b'{"a":1.', b"5", b"}"),
    (b'{"a":', b"9", b"}"),
    (b'{"a":1e-', b"9", b"}"),
    (b'{"a":"', b"\\ud83d\\udce6", b'"}'),
    (b"", "杭".encode(), b""),
    (b"<a>", b"x", b"</a>"),
    (b"<a>", b"&amp;", b"</a>"),
    (b"<a>", b"&#65;", b"</a>"),
    (b"<a>", b"<b/>", b"</a>"),
    (b"<a ", b'a="1" ', b"/>"),
    (b"", b"<a>", b""),
    (b"<a>", b"<!-- -->", b"</a>"),
    (b"<a>", b"<![CDATA[x]]>", b"</a>"),
    (b"", b" ", b"<a/>"),
)
FORMS: tuple[Shape, ...] = (
    (b"content=", b"%3Ca%3E", b""),
    (b"content=%3CRequest+", b"a%3D%221%22+", b"%2F%3E"),
    (b"content=%3CRequest%3E", b"%26amp%3B", b"%3C%2FRequest%3E"),
    (b"content=%3CRequest%3E", b"x", b"%3C%2FRequest%3E"),
    (b"", b"a=1&", b"a=1"),
    (b"data=", b"%E6%9D%AD", b"&data_digest=x&msg_type=Traces&company_id=x"),
    (b"", b"\x80\xff", b""),
)
LARGE = PLAIN + FORMS


def filled(shape: Shape, room: int) -> bytes:
    begin, piece, end = shape
    return begin + piece * ((room - len(begin) - len(end)) // len(piece)) + end


def large(rng: Random, shape: Shape | None = None) -> bytes:
    """As much of one thing as the door lets in."""
    return filled(shape or rng.choice(LARGE), BODY_MAX)


def large_inside(seed: Seed, shape: Shape, place: Place | None = None) -> Push:
    """The same in one place of a genuine push, whose seal is right, escapes and all."""
    places = [each for each in seed.documents if each != WHOLE]
    into = place or (seed.seal.text if seed.seal else places[0] if places else None)
    if into is None:
        return replace(seed.push, body=filled(shape, BODY_MAX))
    room = BODY_MAX - len(seed.push.body)
    push = seed.push
    for _ in range(2):  # once to see how much it grows on the way
        parts = seed.parts.put(into, filled(shape, room).decode("utf-8", "replace"))
        push = (seed.seal.on(parts) if seed.seal else parts).push()
        room = room * (BODY_MAX - 200) // max(len(push.body), BODY_MAX)
    return push


def wide(rng: Random, of: Source, seed: Seed) -> Push:
    """A genuine push one of whose leaves is as long as the door lets in."""
    if not seed.documents:
        return large_inside(seed, rng.choice(PLAIN))
    place = rng.choice(seed.documents)
    tree, write = _document(seed.parts, place)
    names = [name for name, value in documents.leaves(tree) if isinstance(value, str)]
    name, text = rng.choice(names or [""]), filled(rng.choice(PLAIN), BODY_MAX // 4)
    tree = documents.renewed(tree, name, text.decode("utf-8", "replace"))
    if place == WHOLE:
        return dataclasses.replace(seed.parts, fields=tree).push()
    parts = seed.parts.put(place, write(rng, tree))
    return (seed.seal.on(parts) if seed.seal and seed.seal.text == place else parts).push()


def push(rng: Random, of: Source) -> Push:
    """One fuzzed push, no larger than the door lets in."""
    made = _push(rng, of)
    return replace(made, body=made.body[:BODY_MAX])


def _push(rng: Random, of: Source) -> Push:
    """Genuine in form, bent, noise, or large."""
    kind, seed = rng.random(), rng.choice(of.seeds)
    if kind < 0.55:
        return written(rng, of, seed)
    made = written(rng, of, seed)
    if kind < 0.84:
        return replace(made, body=bent(rng, made.body))
    if kind < 0.90:
        return replace(made, headers=spoilt_headers(rng, made.headers))
    if kind < 0.96:
        return replace(made, body=rng.randbytes(rng.randrange(200)))
    if kind < 0.998:
        text = odd_text(rng).encode("utf-8", "surrogatepass")
        return replace(made, body=text + json_bytes(rng, odd(rng)))
    ways: tuple[Callable[[], Push], ...] = (
        lambda: replace(made, body=large(rng)),
        lambda: large_inside(seed, rng.choice(PLAIN)),
        lambda: wide(rng, of, seed),
    )
    return rng.choice(ways)()
