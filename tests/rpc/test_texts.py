"""What may be said: every text of every request, amounts, and tokens of pages."""

import itertools
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type.money_pb2 import Money

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from gateway.rpc import errors, fields
from tests.rpc.world import METHODS, Code, World, path, refusal, registration, token_for, yuan

pytestmark = pytest.mark.asyncio(loop_scope="module")

POISON = {
    "NUL": "a\x00b",
    "CR LF": "a\r\nx-evil: 1",
    "bidi": "a\u202eb",
    "mark": "\u200f",
    "escape": "\x1b[31m",
    "no character": "\uffff",
    "separator": "a\u2028b",
    "quotes": "'; DROP TABLE parcel; --",
    "format": "%s%n{0.__class__}",
    "slash": "../../x",
    "long": "x" * 5_000,
    "wide": "\U0001f4e6" * 600,
}


REFUSED = (
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.PERMISSION_DENIED,
    Code.FAILED_PRECONDITION,
    Code.ALREADY_EXISTS,
    Code.UNIMPLEMENTED,
    Code.UNAVAILABLE,
    Code.RESOURCE_EXHAUSTED,
    Code.DEADLINE_EXCEEDED,  # a Watch that was taken
)


def filled(descriptor: Descriptor, depth: int = 0) -> Message:
    """A message with something in every field."""
    message = GetMessageClass(descriptor)()
    for one in descriptor.fields:
        if one.containing_oneof and one.containing_oneof.fields[0] is not one:
            continue
        value = _value(one, depth)
        if one.is_repeated:
            if one.message_type and one.message_type.GetOptions().map_entry:
                continue
            getattr(message, one.name).append(value)
        elif one.message_type:
            getattr(message, one.name).CopyFrom(value)
        else:
            setattr(message, one.name, value)
    return message


SAMPLES = {
    "request_id": "request-00000001",
    "carrier": "sf",
    "name": "sf",
    "waybill": "SF0000000000000",
    "merchant_id": "m1",
    "uri": "https://example.com/a.jpg",
    "sha256": "0" * 64,
    "wallet_currency": "CNY",
    "page_token": "",
    "cursor": "",
    "phone": "13800000000",
}


def _value(one: FieldDescriptor, depth: int) -> Any:
    if one.message_type is not None:
        if one.message_type.full_name == "google.type.Money":
            return yuan(5)
        if one.message_type.full_name == "google.protobuf.Timestamp":
            return GetMessageClass(one.message_type)(seconds=1_700_000_000)
        return (
            filled(one.message_type, depth + 1)
            if depth < 6
            else GetMessageClass(one.message_type)()
        )
    if one.enum_type is not None:
        return 1
    if one.type == one.TYPE_STRING:
        return "photo" if one.full_name.endswith("Proof.kind") else SAMPLES.get(one.name, "x1")
    return one.type == one.TYPE_BOOL or 1


def texts(message: Message) -> Iterator[tuple[Any, Any, int | None]]:
    """Every place of a message that holds text."""
    for one in message.DESCRIPTOR.fields:
        value = getattr(message, one.name)
        if one.type == one.TYPE_STRING:
            if one.is_repeated:
                yield from ((value, one, index) for index in range(len(value)))
            elif one.containing_oneof is None or message.HasField(one.name):
                yield message, one, None
        elif one.message_type is not None:
            for part in value if one.is_repeated else [value]:
                if one.message_type.full_name != "google.type.Money":
                    yield from texts(part)


async def outcome(
    world: World, method: MethodDescriptor, request: Message
) -> tuple[grpc.StatusCode, str]:
    """How a call ends, and what its error says."""
    try:
        await world.raw(method, request.SerializeToString(), token_for(method))
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return Code.OK, ""


@pytest.mark.parametrize("method", METHODS, ids=path)
async def test_a_full_message_is_no_incident(world: World, method: MethodDescriptor) -> None:
    code, said = await outcome(world, method, filled(method.input_type))
    assert code in (Code.OK, *REFUSED), said


@pytest.mark.parametrize("method", METHODS, ids=path)
async def test_poison_in_any_text_is_refused_or_inert(
    world: World, method: MethodDescriptor
) -> None:
    places = len(list(texts(filled(method.input_type))))
    for place, (name, poison) in itertools.product(range(places), POISON.items()):
        request = filled(method.input_type)
        holder, one, index = list(texts(request))[place]
        if index is None:
            setattr(holder, one.name, poison)
        else:
            holder[index] = poison
        code, said = await outcome(world, method, request)
        assert code in (Code.OK, *REFUSED), (one.full_name, name)
        assert poison not in said, (one.full_name, name)
        if fields.HIDDEN.search(poison):
            assert code is Code.INVALID_ARGUMENT, (one.full_name, name)


@pytest.mark.parametrize(
    "amount",
    [
        Money(currency_code="CNY", units=0, nanos=5_000_000),
        Money(currency_code="CNY", units=-1),
        Money(currency_code="CNY"),
        Money(currency_code="CNY", units=10**11),
        Money(currency_code="CNY", units=2**62),
        Money(currency_code="CNY", units=1, nanos=-1),
        Money(currency_code="ZZZ", units=1),
        Money(units=1),
        Money(currency_code="CNY\n", units=1),
    ],
    ids=str,
)
async def test_an_amount_is_exact_positive_and_sane(world: World, amount: Money) -> None:
    request = wallets.WalletServiceTopUpRequest(
        request_id="bad-amount-1", merchant_id="m1", amount=amount, external_reference="r"
    )
    code, reason, found = await refusal(world.ask(request, "mall-treasury-token"))
    assert (code, reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert found["BadRequest"][0].field_violations[0].field == "amount"


async def test_every_wrong_field_is_named_by_its_path(world: World) -> None:
    given = registration("SF0000000000000")
    given.orders[0].lines[0].quantity = 0
    given.orders[0].lines[0].line_no = "a/b"
    given.receiver.phone = "call me"
    request = intercepts.InterceptServiceQuoteRequest(merchant_id="", registration=given)
    _, _, found = await refusal(world.ask(request))
    assert {v.field for v in found["BadRequest"][0].field_violations} == {
        "merchant_id",
        "registration.orders[0].lines[0].quantity",
        "registration.orders[0].lines[0].line_no",
        "registration.receiver.phone",
    }


async def test_lists_in_lists_have_one_limit_together(world: World) -> None:
    """A hundred parcels of twenty orders of fifty lines, each within its own limit."""
    line = types.OrderLine()
    order = types.Order(lines=[line] * 50)
    item = parcels.ParcelServiceRegisterRequest(parcel={"orders": [order] * 20})
    request = parcels.ParcelServiceBatchRegisterRequest(items=[item] * 100)
    code, _, found = await refusal(world.ask(request))
    assert code is Code.INVALID_ARGUMENT
    (fault,) = found["BadRequest"][0].field_violations
    assert fault.description.startswith(f"more than {fields.ENTRIES_MAX} entries")
    full = parcels.ParcelServiceRegisterRequest(parcel={"orders": [order] * 20})
    assert fields.entries(full) == 1_020 <= fields.ENTRIES_MAX
    with pytest.raises(errors.Failure) as caught:
        fields.check(full)
    assert f"(and {fields.FAULTS_MAX - 1} more)" in caught.value.text


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            intercepts.InterceptServiceCreateRequest(request_id="short"),
            "INVALID_FIELD: request_id: 8 to 64 characters (and 1 more)",
        ),
        (
            wallets.WalletServiceGetRequest(merchant_id="call/13800000000"),
            "INVALID_FIELD: merchant_id: letters, digits and signs other than '/' and ':'",
        ),
        (
            intercepts.InterceptServiceWatchRequest(cursor="abc"),
            "PAGE_TOKEN_INVALID: cursor: not a token of this query",
        ),
        (
            intercepts.InterceptServiceListRequest(page_token="abc"),
            "PAGE_TOKEN_INVALID: page_token: not a token of this query",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_the_message_names_the_first_wrong_field(
    world: World, request_: Message, said: str
) -> None:
    """People read the message; it says what is wrong, and never what was given."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.ask(request_)
    assert caught.value.details() == said


async def test_a_token_of_another_query_is_not_taken(world: World) -> None:
    for _ in range(3):
        quote = await world.quote(await world.ship())
        await world.create(quote.id, f"page-{quote.id}")
    first = await world.ask(intercepts.InterceptServiceListRequest(page_size=2))
    token = first.next_page_token
    assert len(first.interceptions) == 2
    second = await world.ask(intercepts.InterceptServiceListRequest(page_size=2, page_token=token))
    assert not {i.id for i in first.interceptions} & {i.id for i in second.interceptions}
    for request in (
        intercepts.InterceptServiceListRequest(page_size=2, page_token=token, carrier="sf"),
        intercepts.InterceptServiceListRequest(page_token="abc"),
        intercepts.InterceptServiceListRequest(page_token="YWJj"),
    ):
        code, reason, _ = await refusal(world.ask(request))
        assert (code, reason) == (Code.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
