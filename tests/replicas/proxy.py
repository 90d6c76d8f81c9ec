"""The line between one replica and its database, which may fall silent, lag, break, or be cut at
COMMIT: PostgreSQL itself is at the other end, and the gateway knows nothing of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum, auto
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK = 65_536
COMMIT = b"COMMIT\x00"
PORT = 5_432


class Cut(StrEnum):
    """Where the connection is lost: the server has the COMMIT, or never gets it."""

    BEFORE = auto()
    AFTER = auto()


@dataclass(slots=True)
class Proxy:
    """One line. Everything passes until a test says otherwise."""

    database: str
    port: int = 0
    lag_s: float = 0.0  # of every answer
    cut: Cut | None = None  # at the next COMMIT, once
    cuts: int = 0
    mute: bytes = b""  # the words at which one connection falls silent for good, once
    closed: bool = False  # to new connections
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        there = urlsplit(self.database)
        who = there.netloc.rpartition("@")[0] or "postgres"
        return f"postgresql://{who}@127.0.0.1:{self.port}{there.path}"

    def silent(self) -> None:
        """Nothing arrives any more, and nobody is told so."""
        self.flowing.clear()

    def thaw(self) -> None:
        self.flowing.set()

    def down(self) -> None:
        """As if the server had gone: connections break, and new ones are refused."""
        self.closed = True
        self.hang_up()

    def up(self) -> None:
        self.closed = False

    def hang_up(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        await self.flowing.wait()
        try:
            upstream, there = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        lines = (writer, there)
        self._lines.update(lines)
        swallow = asyncio.Event()
        pumps = (
            asyncio.ensure_future(self._ask(reader, there, swallow)),
            asyncio.ensure_future(self._answer(upstream, writer, swallow)),
        )
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for line in lines:
                self._lines.discard(line)
                line.transport.abort()

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, swallow: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self.flowing.wait()
                if self.mute and self.mute in data:
                    self.mute = b""
                    await asyncio.Event().wait()
                if self.cut is not None and COMMIT in data:
                    cut, self.cut = self.cut, None
                    self.cuts += 1
                    if cut is Cut.BEFORE:
                        return
                    swallow.set()  # the server's answer shows that it has committed
                there.write(data)
                await there.drain()

    async def _answer(
        self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, swallow: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await upstream.read(CHUNK):
                if self.lag_s:
                    await asyncio.sleep(self.lag_s)
                await self.flowing.wait()
                if swallow.is_set():
                    return
                writer.write(data)
                await writer.drain()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        there = urlsplit(self.database)
        directory = parse_qs(there.query).get("host")
        if directory:
            return await asyncio.open_unix_connection(f"{unquote(directory[0])}/.s.PGSQL.{PORT}")
        return await asyncio.open_connection(there.hostname or "127.0.0.1", there.port or PORT)


@asynccontextmanager
async def line(database: str) -> AsyncIterator[Proxy]:
    """A line to the database of this URL."""
    proxy = Proxy(database)
    proxy.flowing.set()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.thaw()
        proxy.hang_up()
        await asyncio.sleep(0)
