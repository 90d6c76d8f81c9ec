"""A gateway and a simulator as processes on one store of either engine, and its commands."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gateway.store.store import driver
from loadtest import client as wire
from loadtest.crash import START_MS
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet, over
from loadtest.simulation import Simulation
from tests.engines import tools

PROGRAM = Path(sys.executable).with_name("turnback")
QUICK: dict[str, Any] = {  # a carrier that hangs is given up for soon
    "carriers": {name: {"limits": {"timeout_ms": 600}} for name in ("sf", "zto")}
}
SOON_S = 10.0  # "within seconds", on a machine that others use too


@dataclass(slots=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


def command(name: str, config: Path, *arguments: str, around: Sequence[str] = ()) -> Ran:
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith("TURNBACK_")}
    done = subprocess.run(
        [*around, PROGRAM, name, "--config", config, *arguments],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def copying(engine: str) -> tuple[str, ...]:
    """What backup and restore are told beside the files."""
    found = tools() if engine == "postgres" else None
    return () if found is None else ("--pg-bin", str(found))


@dataclass(slots=True)
class Place:
    fleet: Fleet
    crowd: Crowd
    simulation: Simulation

    async def run(self, name: str, *arguments: str, around: Sequence[str] = ()) -> Ran:
        config = self.fleet.config_file
        return await asyncio.to_thread(command, name, config, *arguments, around=around)

    def store_at(self, url: str) -> None:
        self.fleet._settings = over(self.fleet._settings, {"store": {"url": url}})
        self.fleet.write_config()

    async def ready(self) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(self.fleet.metrics + "/readyz") as got:
            return got.status, (await got.text()).strip()

    async def says(self, word: str) -> None:
        """Until it is ready, in these words."""
        async with asyncio.timeout(SOON_S):
            while True:
                if await self.ready() == (200, word):
                    return
                await asyncio.sleep(0.1)

    async def turns(self, status: int) -> None:
        """Until readiness and the gRPC health service both say so."""
        serving = health_pb2.HealthCheckResponse.SERVING
        async with asyncio.timeout(SOON_S), grpc.aio.insecure_channel(self.fleet.grpc) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            while True:
                said = await stub.Check(health_pb2.HealthCheckRequest())
                if ((await self.ready())[0] == status) and (said.status == serving) == (
                    status == 200
                ):
                    return
                await asyncio.sleep(0.1)

    async def metric(self, name: str) -> float:
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.fleet.metrics + "/metrics") as got,
        ):
            lines = (await got.text()).splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(name + " ")))

    async def once(
        self, method: wire.Method[Any], request: Message, timeout_s: float = 15.0
    ) -> Message | tuple[grpc.StatusCode, str, float | None]:
        """One call, not repeated: its answer, or code, reason and when to come again."""
        token = getattr(self.fleet.tokens, method.role)
        async with grpc.aio.insecure_channel(self.fleet.grpc) as channel:
            call: Any = channel.unary_unary(
                f"/turnback.v1.{method.path}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=method.answer.FromString,
            )
            metadata = (("authorization", f"Bearer {token}"),)
            try:
                answer: Message = await call(request, metadata=metadata, timeout=timeout_s)
            except grpc.aio.AioRpcError as error:
                return (error.code(), *_said(error))
            return answer


def _said(error: grpc.aio.AioRpcError) -> tuple[str, float | None]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info, retry = details.ErrorInfo(), details.RetryInfo()
    wait: float | None = None
    for packed in status.details if status is not None else ():
        packed.Unpack(info)
        if packed.Unpack(retry):
            wait = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return info.reason, wait


@asynccontextmanager
async def placed(directory: Path, url: str, around: Sequence[str] = ()) -> AsyncIterator[Place]:
    """Both processes on a new store, with two merchants who have money. `around` starts the
    gateway, and its store then is where only that can see it."""
    if not around:
        await driver(url).migrate()
    given = over(QUICK, {"store": {"url": url}})
    fleet = Fleet(directory, start_ms=START_MS, settings=given)
    fleet.around |= {"gateway": around, "command": around}
    async with fleet as made, Simulation(made.control) as simulation:
        crowd = Crowd(made, simulation, 7)
        try:
            crowd.replicas.up(0)
            for _ in range(2):
                await crowd.merchant()
            yield Place(made, crowd, simulation)
        finally:
            await crowd.close()
