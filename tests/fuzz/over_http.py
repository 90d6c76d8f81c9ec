"""Requests over real HTTP to the push endpoints of a running gateway, byte by byte.

Written to the socket as they are, for a client library would not send most of them. Never a 5xx,
never a hang, and the gateway stays ready.
"""

import asyncio
import gzip
import zlib
from collections.abc import Iterable, Mapping
from random import Random
from urllib.parse import unquote_to_bytes, urlsplit

from tests.fuzz.mutate import TEXT_LIST, bent, pick
from tests.fuzz.pushing import CHANNELS, large, push, source
from tests.fuzz.run import AGAIN, CPU_MAX_NS, Tally, cpu_ns
from tests.fuzz.target import NAMES, SECRETS, Target, target

ANSWER_S = 12.0  # the gateway gives a body five
QUIET_S = 0.3
READY_EVERY = 250
METHODS: tuple[bytes, ...] = (
    b"GET",
    b"PUT",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
)
METHODS += (b"post", b"PRI", b"POST POST", b"P\x00ST", b"X" * 100)
TYPES = (
    *(b"application/json", b"application/json; charset=UTF-8", b"text/xml", b"text/plain"),
    *(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b""),
    *(
        b"application/json; charset=utf-16",
        b"\xff\xfe",
        b"a\xc3\xa9",
        b"x" * 7_000,
        b"a\x01b",
        b";;",
    ),
    b"application/x-www-form-urlencoded; charset=gbk",
)
HOSTS = (b"localhost", b"", b"a:b:c", b"\xff", b"[::1")
ENCODINGS = (b"gzip", b"deflate", b"br", b"zstd", b"identity", b"gzip, gzip", b"nothing", b"\xff")
VERSIONS = (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"HTTP/1.1 ", b"")
CHUNKS = (
    *(b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nx", b"-1\r\n\r\n", b"zz\r\n"),
    *(b"5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", b"5\nhello\n0\n\n", b"1\r\nxx\r\n0\r\n\r\n"),
    *(b"40000\r\n" + b"x" * 0x40000 + b"\r\n0\r\n\r\n", b"1\r\nx\r\n" * 2_000 + b"0\r\n\r\n"),
)
Headers = list[tuple[bytes, bytes]]


def target_of(rng: Random, channel: str) -> bytes:
    """The address of a push, mostly right."""
    good = f"/push/{channel}/{NAMES[channel]}/{SECRETS[channel]}".encode()
    if rng.random() < 0.6:
        return good
    secret, account = SECRETS[channel], NAMES[channel]
    others = [other for other in CHANNELS if other != channel]
    wrong = (
        good[:-1],
        good + b"x",
        good.swapcase(),
        good.replace(b"/push", b"//push"),
        good + b"/",
        good + b"/more",
        good + b"?a=1&a=2",
        good + b"#x",
        good + b"%00",
        good + b"%ff",
        good + b"\xff",
        good + "é".encode(),
        good + b"%ed%a0%80",
        good.replace(b"push", b"%70ush"),
        good[: good.rindex(b"/")],
        good[: good.rindex(b"/") + 1],
        good[: good.rindex(b"/")] + b"/%2e%2e/" + secret.encode(),
        f"/push/{channel}/{account}/{SECRETS[others[0]]}".encode(),
        f"/push/nobody/{account}/{secret}".encode(),
        f"/push/{channel}/nobody/{secret}".encode(),
        b"http://other.example" + good,
        b"*",
        b"",
        b"/",
        b"/metrics",
        b"/" * 2_000,
        b"/push/" + b"a" * 9_000,
        b"/push/\xf0\x9f\x93\xa6/\xff/\x80",
    )
    return bent(rng, good) if rng.random() < 0.2 else rng.choice(wrong)


def packed(rng: Random, data: bytes, encoding: bytes) -> bytes:
    """A body under a content encoding: whole, cut off, lying, or a bomb."""
    act = rng.randrange(6)
    if act == 0:
        return data
    if act == 1:
        data = b"\x00" * 8_000_000
    squeezed = zlib.compress(data, 9) if encoding == b"deflate" else gzip.compress(data, 9, mtime=0)
    if act == 2:
        return squeezed[: len(squeezed) // 2]
    return bent(rng, squeezed) if act == 3 else squeezed


def raw_bytes(text: str) -> bytes:
    """As it is sent: bytes that are no text came as lone surrogates, and go as bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def headers_of(rng: Random, given: Mapping[str, str]) -> Headers:
    """Those of the push, its type mostly, and what nobody sends."""
    found: Headers = [(b"Host", pick(rng, HOSTS[:1], lambda it: it.choice(HOSTS), 0.95))]
    own = {raw_bytes(name.title()): raw_bytes(text) for name, text in given.items()}
    usual = own.pop(b"Content-Type", TYPES[0])
    found.append((b"Content-Type", pick(rng, (usual, *TYPES[:5]), lambda it: it.choice(TYPES))))
    found += own.items()
    act = rng.randrange(20)
    if act == 0:
        found.append((b"content-type", rng.choice(TYPES)))
    elif act == 1:
        count = rng.choice((50, 300, 1_000))
        found += [(f"X-{n}".encode(), b"1") for n in range(count)]
    elif act == 2:
        found.append((b"X-Long", b"x" * rng.choice((1_000, 8_190, 9_000, 70_000))))
    elif act == 3:
        text = rng.choice(TEXT_LIST).encode("utf-8", "surrogatepass")
        found.append((bent(rng, b"X-Odd"), text))
    elif act == 4:
        found.append((b"Expect", rng.choice((b"100-continue", b"200-ok", b"\xff"))))
    elif act == 5:
        found.append((b"Upgrade", rng.choice((b"websocket", b"h2c", b"x"))))
        found.append((b"Connection", b"Upgrade"))
    elif act == 6:
        found.append((b"Range", b"bytes=0-1"))
    return found


def request(rng: Random) -> bytes:
    """One request, as it goes over the wire."""
    channel = rng.choice(CHANNELS)
    made = push(rng, source(channel))
    method = pick(rng, (b"POST",), lambda it: it.choice(METHODS), 0.9)
    data = large(rng) * rng.choice((1, 2)) if rng.random() < 0.01 else made.body
    headers = headers_of(rng, made.headers)
    if rng.random() < 0.15:
        encoding = rng.choice(ENCODINGS)
        headers.append((b"Content-Encoding", encoding))
        data = packed(rng, data, encoding)
    chunked = rng.random() < 0.15
    if chunked:
        headers.append((b"Transfer-Encoding", pick(rng, (b"chunked",), lambda it: b"gzip", 0.9)))
        whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        data = pick(rng, (whole,), lambda it: it.choice(CHUNKS), 0.5)
    if rng.random() < (0.05 if chunked else 0.98):
        length = str(len(data)).encode()
        wrong = (b"-1", b"x", b"1e3", str(len(data) + 9).encode(), b"9" * 30, b"+5", b"0")
        headers.append((b"Content-Length", pick(rng, (length,), lambda it: it.choice(wrong), 0.93)))
    version = pick(rng, (b"HTTP/1.1",), lambda it: it.choice(VERSIONS), 0.95)
    line = b" ".join((method, target_of(rng, channel), version))
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    whole = line + b"\r\n" + head + b"\r\n" + data
    return bent(rng, whole) if rng.random() < 0.05 else whole


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The first line of an answer. A request that waits for more of itself is told: no more."""
    asked = asyncio.ensure_future(reader.readline())
    done, _ = await asyncio.wait({asked}, timeout=QUIET_S)
    if not done:
        writer.write_eof()
    return await asked


async def answered(host: str, port: int, raw: bytes) -> int:
    """The status of the answer; 0 where the connection was closed without one, -1 for a hang."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(raw)
                line = await said(reader, writer)
                while line.startswith(b"HTTP/1.1 100"):
                    await reader.readuntil(b"\r\n")
                    line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        return -1
    except (OSError, asyncio.IncompleteReadError, ValueError):
        return 0
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def known(raw: bytes) -> bool:
    """Whether the address of a request is that of an account, secret and all."""
    line = unquote_to_bytes(raw.split(b"\r\n")[0])
    return any(secret.encode() in line for secret in SECRETS.values())


class OverHttp:
    def __init__(self, tally: Tally, found: Target) -> None:
        self._tally = tally
        self._target = found
        parts = urlsplit(found.fleet.push)
        self._host, self._port = parts.hostname or "", parts.port or 0

    async def one(self, index: int, rng: Random) -> None:
        raw, best, status = request(rng), CPU_MAX_NS * 1_000, 0
        for _ in range(AGAIN):
            began = cpu_ns(self._tally.pid)
            status = await answered(self._host, self._port, raw)
            best = min(best, cpu_ns(self._tally.pid) - began)
            if best <= CPU_MAX_NS or status < 0:
                break
        self._tally.cost(f"HTTP {status}", index, best, raw)
        self._tally.ended[str(status) if status > 0 else "closed"] += 1
        if status >= 500:
            self._tally.wrong(index, f"HTTP {status}", raw)
        if status == 200 and not known(raw):
            self._tally.wrong(index, "taken at a wrong address", raw)
        if status < 0:
            self._tally.wrong(index, "no answer and no end", raw)
        if index % READY_EVERY == 0 and not await self._target.ready():
            self._tally.wrong(index, "not ready", raw)


async def against(found: Target, tally: Tally, indexes: Iterable[int]) -> None:
    tally.pid = found.pid
    before = found.failures()
    fuzz = OverHttp(tally, found)
    for index, rng in tally.each(indexes):
        await fuzz.one(index, rng)
    if found.failures() > before:
        tally.wrong(-1, f"{found.failures() - before} failures in the log", found.last_failure())
    if not await found.ready():
        tally.wrong(-1, "not ready at the end", b"")


def run(tally: Tally, indexes: Iterable[int]) -> None:
    async def whole() -> None:
        async with target() as found:
            await against(found, tally, indexes)

    asyncio.run(whole())
