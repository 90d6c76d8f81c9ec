"""The generator's own part: calls that hang keep no other call waiting."""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio

SLOW_S, SLOW = 4.0, 40
CLIENT = f"""
import sys, time
from gevent import monkey
monkey.patch_all()
import gevent
from loadtest.traffic.users import befriend
befriend()
import grpc
call = grpc.insecure_channel(sys.argv[1]).unary_unary("/test.Test/Wait")
call(b"0")
hanging = [gevent.spawn(call, b"{SLOW_S}") for _ in range({SLOW})]
gevent.sleep(0.5)
began = time.perf_counter()
for _ in range(10):
    call(b"0")
print(time.perf_counter() - began)
gevent.joinall(hanging)
"""


async def test_a_call_waits_for_none_of_those_that_hang() -> None:
    async def wait(raw: bytes, _: Any) -> bytes:
        await asyncio.sleep(float(raw))
        return b""

    server = grpc.aio.server()
    handlers: Any = {"Wait": grpc.unary_unary_rpc_method_handler(wait)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CLIENT, f"127.0.0.1:{port}"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
        assert float(said) < SLOW_S / 2
    finally:
        await server.stop(None)
