"""gRPC messages from the protocol's own descriptors: nearly right, wild, huge, bent, or noise."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.rpc.fields import Many, rule_of
from tests.fuzz.mutate import TEXT_LIST, bent, odd_text
from tests.rpc.world import AGREEMENT

BYTES_MAX = 255 * 1024  # the gateway takes 256 KiB
FULL = 0.0  # as odd as this a message is wholly right, and every list at its limit
DEPTH_MAX = 8
INT64 = (0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**62, 2**63 - 1, -(2**63))
INT32 = (0, 1, -1, 2, 50, 200, 2**31 - 1, -(2**31))
SHA256 = "0" * 64
USUAL: Mapping[str, Sequence[str]] = {
    "merchant_id": ("m1", "m1", "m1", "m2"),
    "id": ("m1",),
    "carrier": ("sf", "sf", "zto"),
    "name": ("sf", "zto"),
    "account": ("sf-main", ""),
    "agreement_id": (AGREEMENT, "interception-service"),
    "currency_code": ("CNY",),
    "wallet_currency": ("CNY", ""),
    "phone": ("13800000000", ""),
    "uri": ("https://example.com/a.jpg",),
    "kind": ("photo",),
    "sha256": (SHA256, ""),
    "page_token": ("",),
    "cursor": ("",),
    "version": ("2023-08",),
    "category": ("shoes",),
    "external_reference": ("bank-1", "bank-2"),
}
Known = Mapping[str, Sequence[str]]


class Maker:
    """Makes requests of one method after the other; `known` are ids that exist."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def request(self, rng: Random, descriptor: Descriptor) -> bytes:
        act = rng.random()
        if act < 0.45:
            return self.message(rng, descriptor, 0.03).SerializeToString()
        if act < 0.60:
            return self.message(rng, descriptor, 0.5).SerializeToString()
        if act < 0.80:
            return bent(rng, self.message(rng, descriptor, 0.02).SerializeToString())
        if act < 0.90:
            return self.message(rng, descriptor, 0.02).SerializeToString() + unknown(rng)
        if act < 0.985:
            return rng.randbytes(rng.randrange(120))
        return self.huge(rng, descriptor)

    def message(self, rng: Random, descriptor: Descriptor, wild: float, depth: int = 0) -> Message:
        """Every field is filled, or left out; each is odd with the chance `wild`."""
        made = GetMessageClass(descriptor)()
        chosen = {oneof.name: rng.choice(oneof.fields) for oneof in descriptor.oneofs}
        for field in descriptor.fields:
            oneof = field.containing_oneof
            if oneof is not None and chosen[oneof.name] is not field:
                continue
            if (
                rng.random() < (wild / 3 if wild == FULL else max(wild / 3, 0.02))
                or depth > DEPTH_MAX
            ):
                continue
            if field.is_repeated:
                self._repeat(rng, made, field, wild, depth)
            elif field.message_type is not None:
                inner = self.message(rng, field.message_type, wild, depth + 1)
                getattr(made, field.name).CopyFrom(inner)
            else:
                setattr(made, field.name, self.scalar(rng, field, wild))
        return made

    def _repeat(
        self, rng: Random, made: Message, field: FieldDescriptor, wild: float, depth: int
    ) -> None:
        odd_many = rng.random() < wild
        count = rng.choice((0, 3, 21, 51)) if odd_many and depth < 3 else rng.choice((1, 1, 2))
        assert field.containing_type is not None
        rule = rule_of(field.containing_type, field)
        if wild == FULL and isinstance(rule, Many) and (not depth or rng.random() < 0.04):
            count = rule.most
        many = getattr(made, field.name)
        if field.message_type is None:
            many.extend(self.scalar(rng, field, wild) for _ in range(count))
        elif field.message_type.GetOptions().map_entry:
            return
        elif wild == FULL:
            while len(many) < count and made.ByteSize() < BYTES_MAX // (depth + 1):
                many.append(self.message(rng, field.message_type, wild, depth + 1))
        elif count:
            one = self.message(rng, field.message_type, wild, depth + 1)
            many.extend([one] * count)

    def scalar(self, rng: Random, field: FieldDescriptor, wild: float) -> Any:
        odd = rng.random() < wild
        if field.type == field.TYPE_STRING:
            return text(rng) if odd else self._text(rng, field)
        if field.type == field.TYPE_BYTES:
            return rng.randbytes(rng.randrange(40))
        if field.type == field.TYPE_BOOL:
            return rng.random() < 0.5
        if field.enum_type is not None:
            numbers = [value.number for value in field.enum_type.values]
            return rng.choice(INT32) if odd else rng.choice(numbers[1:] or numbers)
        if field.type in (field.TYPE_INT64, field.TYPE_SINT64, field.TYPE_SFIXED64):
            return rng.choice(INT64) if odd else rng.choice((5, 200, 1_790_000_000))
        if field.type in (field.TYPE_INT32, field.TYPE_SINT32, field.TYPE_SFIXED32):
            return rng.choice(INT32) if odd else 0 if field.name == "nanos" else 1
        return rng.choice((0, 1)) if not odd else 2**31 - 1

    def _text(self, rng: Random, field: FieldDescriptor) -> str:
        if field.name == "request_id":
            return f"fuzz-{rng.getrandbits(40):x}-{rng.getrandbits(8)}"
        if field.name in ("line_no", "order_no") and rng.random() < 0.7:
            return str(rng.randrange(1_000))
        if field.name == "waybill" and rng.random() < 0.3:
            return f"SF{rng.randrange(10**13):013}"
        known = self._known.get(field.name) or USUAL.get(field.name)
        return rng.choice(known) if known else f"x{rng.randrange(9)}"

    def huge(self, rng: Random, descriptor: Descriptor) -> bytes:
        """One field or entry again and again, until the gateway would not take more."""
        shape = rng.choice(SHAPES)
        return shape(self, rng, descriptor)[:BYTES_MAX]


def text(rng: Random) -> str:
    found = odd_text(rng) if rng.random() < 0.8 else rng.choice(TEXT_LIST) * rng.choice((2, 400))
    return found.encode("utf-8", "replace").decode()


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def unknown(rng: Random) -> bytes:
    """Fields that no descriptor has: numbers, texts, groups, groups in groups, broken tags."""
    number = rng.choice((77, 1_000, 2**28, 2**29 - 1, 0))
    kind = rng.randrange(8)
    if kind == 0:
        return varint(number << 3) + varint(rng.getrandbits(64))
    if kind == 1:
        return varint(number << 3 | 2) + varint(9) + b"\xff" * 9
    if kind == 2:
        deep = rng.choice((3, 90, 110, 20_000))
        return varint(77 << 3 | 3) * deep + varint(77 << 3 | 4) * deep
    if kind == 3:
        return varint(number << 3 | 2) + varint(2**31)
    return varint(number << 3 | kind) + rng.randbytes(8)


def _right(maker: Maker, rng: Random, descriptor: Descriptor) -> bytes:
    """Nothing wrong, and every list at its limit, or near it."""
    return maker.message(rng, descriptor, FULL).SerializeToString()


def _many(maker: Maker, rng: Random, descriptor: Descriptor) -> bytes:
    """Every repeated field, all the way down, as full as it goes."""
    return b"".join(_full(maker, rng, field, BYTES_MAX) for field in descriptor.fields)


def _full(maker: Maker, rng: Random, field: FieldDescriptor, room: int) -> bytes:
    if field.message_type is None or field.containing_oneof is not None:
        return b""
    inner = [_full(maker, rng, each, room // 8) for each in field.message_type.fields]
    body = b"".join(inner)
    if not body and rng.random() < 0.5:
        body = maker.message(rng, field.message_type, 0.02).SerializeToString()
    entry = varint(field.number << 3 | 2) + varint(len(body)) + body
    count = rng.choice((50, 100, 1_000)) if field.is_repeated else 1
    return entry * max(1, min(count, room // len(entry)))


def _empty(maker: Maker, rng: Random, descriptor: Descriptor) -> bytes:
    """As many empty entries of one field as there is room for."""
    field = rng.choice(descriptor.fields) if descriptor.fields else None
    tag = varint((field.number if field else 1) << 3 | 2)
    return (tag + b"\x00") * (BYTES_MAX // (len(tag) + 1))


def _long(maker: Maker, rng: Random, descriptor: Descriptor) -> bytes:
    """One text that fills the message."""
    field = rng.choice(descriptor.fields) if descriptor.fields else None
    sign = rng.choice(("x", "\x00", "é", "\U0001f4e6", "\u202e", "a\u0301")).encode()
    body = sign * ((BYTES_MAX - 8) // len(sign))
    return varint((field.number if field else 1) << 3 | 2) + varint(len(body)) + body


def _twice(maker: Maker, rng: Random, descriptor: Descriptor) -> bytes:
    """The same message merged with itself over and over."""
    one = maker.message(rng, descriptor, 0.02).SerializeToString() or b"\x00"
    return one * (BYTES_MAX // len(one))


Shape = Callable[[Maker, Random, Descriptor], bytes]
SHAPES: tuple[Shape, ...] = (_right, _right, _many, _many, _empty, _long, _twice)
