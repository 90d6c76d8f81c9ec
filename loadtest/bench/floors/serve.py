"""The floors' process: the same messages, rows and durability as the gateway's, done bare.

Create is one group commit, one POST to the carrier, one group commit. A push is one group commit,
and its body is not even parsed. A read parses its request and sends the answer that the gateway
gave, so the sizes are the same. A watched stream writes bytes that were made once. Nothing is
decided, checked, logged or counted: what the gateway costs above it is the price of being right.

Its loop is uvloop's, as the gateway's is; its gRPC server has no interceptor, its HTTP server no
middleware.
"""

import asyncio
import base64
import json
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import grpc.aio
import uvloop
from aiohttp import web

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest.bench.floors.carriers import INTERFACES, Known
from loadtest.bench.floors.stores import Store, engine
from loadtest.client import yuan

SERVICE = "turnback.v1.InterceptService"
FEE = 1_200
ACKNOWLEDGED = b'{"status":true,"message":"","result":"","statusCode":"SYS000"}'
READS: dict[str, tuple[Any, Any]] = {
    "Quote": (pb.InterceptServiceQuoteRequest, pb.InterceptServiceQuoteResponse),
    "Get": (pb.InterceptServiceGetRequest, pb.InterceptServiceGetResponse),
    "List": (pb.InterceptServiceListRequest, pb.InterceptServiceListResponse),
}
Handle = Callable[[Any, Any], Awaitable[Any]]


def _bytes(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written


def create(given: dict[str, Any], store: Store, session: aiohttp.ClientSession) -> Handle:
    carrier, known = INTERFACES[given["carrier"]], Known(given["user"], given["secret"])
    url = given["url"] + carrier.path

    async def handle(
        request: pb.InterceptServiceCreateRequest, _: Any
    ) -> pb.InterceptServiceCreateResponse:
        key = uuid.uuid4().hex
        await store.hold(key)
        asked = carrier.ask(known, key, request.quote_id)
        async with session.post(url, data=asked.body, headers=asked.headers) as response:
            reference = carrier.hear(await response.read())
        await store.settle(key)
        return created(key, given["carrier"], request, reference)

    return handle


def created(
    key: str, carrier: str, request: pb.InterceptServiceCreateRequest, reference: str
) -> pb.InterceptServiceCreateResponse:
    return pb.InterceptServiceCreateResponse(
        interception=pb.Interception(
            id=key,
            merchant_id="shop",
            parcel_id=key,
            carrier=carrier,
            network=carrier,
            waybill=request.quote_id,
            decision=pb.DECISION_ACCEPTED,
            movement=pb.MOVEMENT_NONE,
            money=pb.MONEY_STATE_CAPTURED,
            state=pb.INTERCEPTION_STATE_ACCEPTED,
            fee=yuan(FEE),
            cap=yuan(100_000),
            quote_id=request.quote_id,
            request_id=request.request_id,
            agreement_id=request.agreement_id,
            cancel_ticket=request.cancel_ticket,
            carrier_reference=reference,
            refund_advice=pb.REFUND_ADVICE_SAFE_TO_REFUND,
            version=4,
        ),
        refund_advice=pb.REFUND_ADVICE_SAFE_TO_REFUND,
    )


def echo(answer: Any) -> Handle:
    async def handle(request: Any, _: Any) -> Any:
        return answer

    return handle


def stream(event: bytes) -> Callable[[Any, Any], AsyncIterator[bytes]]:
    """As many events as the cursor says."""

    async def handle(request: pb.InterceptServiceWatchRequest, _: Any) -> AsyncIterator[bytes]:
        for _number in range(int(request.cursor)):
            yield event

    return handle


def methods(given: dict[str, Any], store: Store, session: aiohttp.ClientSession) -> dict[str, Any]:
    """Those that this floor is asked for."""
    answers = {name: base64.b64decode(text) for name, text in given["answers"].items()}
    unary: Any = grpc.unary_unary_rpc_method_handler
    found = {
        name: unary(
            echo(READS[name][1].FromString(answer)),
            request_deserializer=READS[name][0].FromString,
            response_serializer=_bytes,
        )
        for name, answer in answers.items()
        if name in READS
    }
    streaming: Any = grpc.unary_stream_rpc_method_handler
    if "Watch" in answers:
        found["Watch"] = streaming(
            stream(answers["Watch"]),
            request_deserializer=pb.InterceptServiceWatchRequest.FromString,
            response_serializer=None,
        )
    found["Create"] = unary(
        create(given, store, session),
        request_deserializer=pb.InterceptServiceCreateRequest.FromString,
        response_serializer=_bytes,
    )
    return found


async def door(store: Store) -> str:
    """Where pushes are kept and acknowledged. Its address."""

    async def taken(request: web.Request) -> web.Response:
        await request.read()
        await store.push(uuid.uuid4().hex)
        return web.Response(body=ACKNOWLEDGED, content_type="application/json")

    app = web.Application()
    app.router.add_post("/push", taken)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/push"


async def serve(given: dict[str, Any]) -> None:
    """Answer on free ports until the process is ended."""
    store = Store(engine(given["store"]))
    connector = aiohttp.TCPConnector(limit=0, force_close=INTERFACES[given["carrier"]].fresh)
    session = aiohttp.ClientSession(connector=connector)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    service = grpc.method_handlers_generic_handler(SERVICE, methods(given, store, session))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    writer = asyncio.create_task(store.run())
    await server.start()
    ready = {"ready": True, "grpc": f"127.0.0.1:{port}", "push": await door(store)}
    print(json.dumps(ready), flush=True)
    await writer


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.stdin.readline())))
