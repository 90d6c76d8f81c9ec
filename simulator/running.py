"""One running simulator: both ports and the push loop, started and stopped together."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from simulator.clock import VirtualClock
from simulator.control import Bench, control_app
from simulator.depot import Depot
from simulator.dialects import DIALECTS
from simulator.outcomes import Scenario
from simulator.pushes import Http, Pusher
from simulator.server import CarrierServer

SHUTDOWN_SECONDS = 2.0
LOG = logging.getLogger("simulator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    seed: int = 0
    start_ms: int
    scale: float = 1.0
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    carriers: str
    control: str


def _machine_ms() -> float:
    return time.monotonic() * 1000


@asynccontextmanager
async def running(settings: Settings, scenario: Scenario) -> AsyncIterator[Addresses]:
    """Serve until the block ends; the ports are known inside it."""
    clock = VirtualClock(settings.start_ms, settings.scale, settings.frozen, _machine_ms)
    depot = Depot(settings.seed, scenario)
    http = Http()
    pusher = Pusher(depot, clock, DIALECTS, http.post)
    server = CarrierServer(depot, clock, pusher)
    carriers = web.ServerRunner(
        web.Server(server.handle, access_log=None),
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    control = web.AppRunner(
        control_app(Bench(depot, clock, pusher), settings.host),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await http.open()
    loop = asyncio.create_task(pusher.run())
    loop.add_done_callback(_report)
    try:
        yield Addresses(
            await _serve(carriers, settings.host, settings.port),
            await _serve(control, settings.host, settings.control_port),
        )
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await carriers.cleanup()
        await control.cleanup()
        await http.close()


def _report(loop: asyncio.Task[None]) -> None:
    """Without its loop the simulator would be silent: say why it ended."""
    if not loop.cancelled() and (error := loop.exception()) is not None:
        LOG.error("the push loop has ended", exc_info=error)


async def _serve(runner: web.BaseRunner, host: str, port: int) -> str:
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    bound = runner.addresses[0]
    shown = f"[{bound[0]}]" if ":" in str(bound[0]) else bound[0]
    return f"http://{shown}:{bound[1]}"
