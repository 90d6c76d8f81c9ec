"""What one hostile client may do: it is turned away, and nobody else is kept waiting."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.fuzz.run import rss
from tests.fuzz.target import NAMES, SECRETS, Target
from tests.rpc.world import serving, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
MIB = 2**20
ENTRY_S, BODY_S = 5.0, 5.0  # what the gateway gives a connection to speak, and a push to end
SLACK_S = 6.0  # of a busy machine
ROUTES = b'{"Body":{"WaybillRoute":[{"mailno":"SF1040275268927","opCode":"80"}]}}'
BOMB = gzip.compress(b"\x00" * 200 * MIB, 9, mtime=0)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Streams]:
    parts = urlsplit(address if "://" in address else f"//{address}")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def push(*headers: bytes, channel: str = "sf", path: bytes = b"") -> bytes:
    """The head of a push to a real address."""
    good = f"/push/{channel}/{NAMES[channel]}/{SECRETS[channel]}".encode()
    lines = (b"POST " + (path or good) + b" HTTP/1.1", b"Host: x", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def status(found: Target, raw: bytes, within_s: float = SLACK_S) -> int:
    async with asyncio.timeout(within_s), connected(found.fleet.push) as (reader, writer):
        writer.write(raw)
        line = await reader.readline()
        return int(line.split()[1])


def sized(body: bytes, *headers: bytes) -> bytes:
    return push(*headers, f"Content-Length: {len(body)}".encode()) + body


CHUNKED = b"Transfer-Encoding: chunked"
TURNED_AWAY: dict[str, tuple[bytes, int]] = {
    "10 MB, as announced": (sized(b"x" * 10_000_000), 413),
    "10 MB, in chunks": (push(CHUNKED) + b"989680\r\n" + b"x" * 10_000_000 + b"\r\n0\r\n\r\n", 413),
    "a gzip bomb": (sized(BOMB[:200_000], b"Content-Encoding: gzip"), 415),
    "a truncated gzip": (sized(gzip.compress(ROUTES)[:30], b"Content-Encoding: gzip"), 415),
    "a chunk that is none": (push(CHUNKED) + b"zz\r\n", 400),
    "1 000 headers": (push(*(f"X-{n}: 1".encode() for n in range(1_000))), 400),
    "a long header": (push(b"X: " + b"x" * 9_000), 400),
    "an expectation that is no text": (sized(ROUTES, b"Expect: \xff"), 417),
    "the same at no address": (push(b"Expect: \xff").replace(b"POST", b"CONNECT"), 417),
    "a type that is no text": (sized(ROUTES, b"Content-Type: \xff\xfe"), 200),
    "an address that is no text": (push(path=b"/push/sf/sf-main/%ff%ed%a0%80"), 404),
    "a wrong method": (push().replace(b"POST", b"DELETE"), 405),
}


@pytest.mark.parametrize(("raw", "expected"), TURNED_AWAY.values(), ids=list(TURNED_AWAY))
async def test_a_bad_request_is_turned_away(found: Target, raw: bytes, expected: int) -> None:
    before = rss(found.pid)
    for _ in range(3):
        assert await status(found, raw) == expected
    assert await status(found, sized(ROUTES)) == 200
    assert rss(found.pid) - before < 24 * MIB
    assert await found.ready()


async def test_a_body_that_dribbles_is_given_up(found: Target) -> None:
    began = time.monotonic()
    raw = push(CHUNKED) + b"1\r\n{\r\n"
    slow = [asyncio.create_task(status(found, raw, BODY_S + SLACK_S)) for _ in range(20)]
    assert await status(found, sized(ROUTES)) == 200
    assert not any(task.done() for task in slow)
    assert set(await asyncio.gather(*slow)) == {408}
    assert time.monotonic() - began < BODY_S + SLACK_S


async def test_what_cannot_be_read_never_shows_its_address(found: Target) -> None:
    """The library's own log quotes a request that it cannot parse: the address is a secret."""
    secret = SECRETS["sf"].encode()
    for raw in (
        push().replace(b"HTTP/1.1", b"HTTP/x"),
        push(b"Content-Type: a\x01b"),
        push(b"Content-Length: x"),
        push(CHUNKED) + b"zz\r\n",
    ):
        assert await status(found, raw) == 400
    log = found.fleet.log_file("gateway").read_bytes()
    assert b'"event":"http"' in log
    assert secret not in log
    assert b"Traceback" not in log


# -- HTTP/2, frame by frame -------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RESET, SETTINGS, PING, GOAWAY = 1, 3, 4, 6, 7
END_HEADERS = 4
CALL = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/turnback.v1.WalletService/Get"),
    (b":authority", b"x"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def block() -> bytes:
    """The headers of a call, each literal and not indexed."""
    return b"".join(
        b"\x00" + bytes((len(name),)) + name + bytes((len(text),)) + text for name, text in CALL
    )


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[9 : 9 + size]
        data = data[9 + size :]


async def told(address: str, raw: bytes, within_s: float) -> bytes:
    """Everything the server says until it closes the connection."""
    said = bytearray()
    async with asyncio.timeout(within_s), connected(address) as (reader, writer):
        writer.write(raw)
        try:
            while piece := await reader.read(65_536):
                said += piece
        except ConnectionError:
            pass
    return bytes(said)


async def served(found: Target) -> None:
    """Another client is served, and soon."""
    async with asyncio.timeout(SLACK_S):
        async with grpc.aio.insecure_channel(found.fleet.grpc) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert await found.ready()


async def test_a_flood_of_pings_is_sent_away(found: Target) -> None:
    before = rss(found.pid)
    raw = PREFACE + frame(SETTINGS, 0, 0) + frame(PING, 0, 0, b"12345678") * 10_000
    flood = asyncio.create_task(told(found.fleet.grpc, raw, 2 * SLACK_S))
    await served(found)
    said = [payload for kind, payload in frames(await flood) if kind == GOAWAY]
    assert any(b"too_many_pings" in payload for payload in said)
    assert rss(found.pid) - before < 24 * MIB


async def test_calls_that_are_reset_at_once_keep_nobody_waiting(found: Target) -> None:
    before, calls = rss(found.pid), block()
    opened = (
        frame(HEADERS, END_HEADERS, stream, calls) + frame(RESET, 0, stream, b"\0\0\0\x08")
        for stream in range(1, 20_001, 2)
    )
    raw = PREFACE + frame(SETTINGS, 0, 0) + b"".join(opened)
    async with connected(found.fleet.grpc) as (reader, writer):
        writer.write(raw)
        await served(found)
        await reader.read(65_536)
    await served(found)
    assert rss(found.pid) - before < 48 * MIB


async def test_a_connection_that_says_nothing_is_closed(found: Target) -> None:
    began = time.monotonic()
    silent = [
        asyncio.create_task(told(found.fleet.grpc, b"", ENTRY_S + SLACK_S)) for _ in range(20)
    ]
    half = asyncio.create_task(told(found.fleet.grpc, PREFACE[:9], ENTRY_S + SLACK_S))
    await served(found)
    await asyncio.gather(*silent, half)
    assert time.monotonic() - began < ENTRY_S + SLACK_S


async def test_a_connection_that_greets_and_stays_is_closed(tmp_path: Path) -> None:
    given = settings("http://127.0.0.1:1", tmp_path / "t.db", limits={"connection_idle_s": 1})
    async with serving(given) as (_, address):
        said = await told(address, PREFACE + frame(SETTINGS, 0, 0), 2 * SLACK_S)
    assert any(kind == GOAWAY for kind, _ in frames(said))
