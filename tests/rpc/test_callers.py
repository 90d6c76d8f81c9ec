"""Who may call what, asked of every method; and what one tenant learns of another."""

from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.config import Role, token_hash
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.rpc.auth import role_of
from tests.rpc.world import METHODS, TOKENS, Code, World, path, refusal, yuan

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGERS = {
    "nothing": None,
    "empty": "",
    "no scheme": "mall-tenant-token",
    "other scheme": "Basic mall-tenant-token",
    "wrong": "Bearer nobody",
    "padded": "Bearer mall-tenant-token ",
    "prefix": "Bearer mall-tenant-toke",
    "hash": f"Bearer {token_hash('mall-tenant-token')}",
    "long": f"Bearer {'x' * 600}",
}


@pytest.mark.parametrize("method", METHODS, ids=path)
async def test_a_stranger_is_refused_before_anything_is_read(
    world: World, method: MethodDescriptor
) -> None:
    for token in STRANGERS.values():
        for body in (b"", b"\xff\xff not a message"):
            code, reason, found = await refusal(world.raw(method, body, token))
            assert (code, reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_INVALID")
            assert {m.locale for m in found["LocalizedMessage"]} == {"zh-CN", "en-US"}


@pytest.mark.parametrize("method", METHODS, ids=path)
async def test_a_role_that_is_missing_is_refused_before_anything_is_read(
    world: World, method: MethodDescriptor
) -> None:
    wanted = role_of(method)
    for (tenant, role), token in TOKENS.items():
        if tenant != "mall" or wanted is Role.TENANT or role == wanted:
            continue
        code, reason, found = await refusal(world.raw(method, b"\xff", f"Bearer {token}"))
        assert (code, reason) == (Code.PERMISSION_DENIED, "ROLE_MISSING")
        assert found["ErrorInfo"][0].metadata["role"] == wanted


@pytest.mark.parametrize("method", METHODS, ids=path)
async def test_what_is_no_message_is_an_invalid_argument(
    world: World, method: MethodDescriptor
) -> None:
    token = next(t for (_, r), t in TOKENS.items() if r in (role_of(method), "tenant"))
    token = TOKENS["mall", str(role_of(method))] if role_of(method) != Role.TENANT else token
    code, reason, _ = await refusal(world.raw(method, b"\xff\xff\xff", f"Bearer {token}"))
    assert (code, reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_a_foreign_id_and_no_id_look_alike(world: World) -> None:
    quote = await world.quote(await world.ship())
    created = (await world.create(quote.id, "foreign-id-1")).interception
    asked: list[tuple[str, Any]] = [
        (created.id, lambda key: intercepts.InterceptServiceGetRequest(interception_id=key)),
        (created.id, lambda key: intercepts.InterceptServiceListEventsRequest(interception_id=key)),
        (created.id, lambda key: intercepts.InterceptServiceWatchRequest(interception_id=key)),
        (created.id, cancellation),
        (created.id, lost),
        (created.parcel_id, lambda key: parcels.ParcelServiceGetRequest(parcel_id=key)),
        ("claim", lambda key: claims.ClaimServiceGetRequest(claim_id=key)),
    ]
    for real, ask in asked:
        keys = (real, "f" * 26)
        answers = [await refusal(world.ask(ask(key), "other-tenant-token")) for key in keys]
        assert answers[0] == answers[1]
        assert answers[0][:2] == (Code.PERMISSION_DENIED, "NOT_YOURS")


def cancellation(key: str) -> intercepts.InterceptServiceCancelRequest:
    return intercepts.InterceptServiceCancelRequest(request_id="foreign-1", interception_id=key)


def lost(key: str) -> claims.ClaimServiceFileRequest:
    return claims.ClaimServiceFileRequest(
        request_id="foreign-2",
        interception_id=key,
        kind=claims.CLAIM_KIND_LOST,
        order_no="O",
        line_no="1",
        loss=yuan(1),
    )


async def test_a_foreign_waybill_says_no_word_more(world: World) -> None:
    number = await world.ship()
    mine = await world.quote(number)
    assert mine.actions[0].eligible
    theirs = await world.quote(number, "other-tenant-token")
    nobodys = (
        await world.ask(
            intercepts.InterceptServiceQuoteRequest(
                merchant_id="m1", parcel=parcels.ParcelKey(carrier="sf", waybill="SF9999999999999")
            )
        )
    ).quote
    for quote in (theirs, nobodys):
        assert quote.id == quote.parcel_id == ""
        assert [c.reason for c in quote.actions[0].unmet] == ["WAYBILL_NOT_YOURS"]
        assert not quote.HasField("cap")
        assert not quote.status


async def test_request_ids_belong_to_their_tenant(world: World) -> None:
    quote = await world.quote(await world.ship())
    await world.create(quote.id, "shared-request-id")
    code, reason, _ = await refusal(
        world.ask(
            intercepts.InterceptServiceGetRequest(request_id="shared-request-id"),
            "other-tenant-token",
        )
    )
    assert (code, reason) == (Code.NOT_FOUND, "INTERCEPTION_UNKNOWN")


async def test_health_is_open_to_everybody(world: World) -> None:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
