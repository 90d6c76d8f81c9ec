"""Where the parts are put together: one gateway, built from its settings, and nowhere else."""

import asyncio
import os
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from adapters import ADAPTERS
from adapters.levels import LEVELS
from gateway import config, telemetry, upkeep
from gateway.clock import Clock
from gateway.domain.carrier import Adapter, Answer
from gateway.failpoints import FailPoints
from gateway.pushes import Gate, Pushes, Stop, serve
from gateway.rpc.server import Server
from gateway.rpc.shell import Shell
from gateway.runner import Endpoint, Http, Runner
from gateway.store.store import Store, driver
from gateway.subscriber import Subscriber
from gateway.vitals import Vitals
from gateway.worker import Worker

log = structlog.get_logger("gateway")


class Gateway:
    """One running gateway: built, started, and stopped in reverse."""

    def __init__(self, settings: config.Settings) -> None:
        adapters = settings.adapters(ADAPTERS)
        terms = settings.terms(adapters)
        test = settings.test
        self.settings = settings
        self.clock = Clock(followed=bool(test and test.clock_url))
        self.metrics = telemetry.Metrics()
        points = FailPoints.parse((test.fail_point if test else None) or "")
        patience_s = settings.limits.intake_wait_ms / 1000
        kept = settings.store
        database = driver(kept.url.get_secret_value(), kept.silent_s, kept.check_mib)
        self.store = Store(database, self.clock, terms, points, patience_s)
        self.store.batches.append(self.metrics.batch)
        self.http = Http()
        runner = Runner(self.clock, lambda: str(uuid.uuid4()), self._observed, self.http.send)
        carriers = dict(endpoints(settings, adapters))
        self.worker = Worker(self.store, runner, self.clock, carriers, points)
        self.subscriber = Subscriber(self.store, runner, self.clock, carriers)
        doors = dict(gates(settings, adapters))
        self.pushes = Pushes(self.store, doors, points, self.metrics.push)
        self.worker.inbox = lambda: self.pushes.at_work + self.subscriber.at_work
        shell = Shell(settings, terms, self.store, self.worker, self.clock, self.metrics, LEVELS)
        self.server = Server(shell)
        self.vitals = Vitals(
            self.store, self.worker, self.clock, terms, self.metrics, self.server.ready
        )
        self._terms = terms
        self._follower: asyncio.Task[None] | None = None
        self._stops: list[Any] = []
        self._leaving = False
        self.addresses: dict[str, str] = {}  # what it listens on, once it does

    def _observed(self, channel: str, operation: str, answer: Answer, seconds: float) -> None:
        self.metrics.carrier_call(channel, operation, answer.verdict, seconds)
        log.info(
            "carrier",
            channel=channel,
            operation=operation,
            verdict=answer.verdict,
            reason=answer.reason,
            code=answer.code,
            ms=round(seconds * 1000, 1),
        )

    async def start(self) -> dict[str, Any]:
        """Start every part. What they listen on."""
        if self.settings.test is not None and self.settings.test.clock_url:
            await self._follow(self.settings.test.clock_url)
        await self.store.start()
        await upkeep.doubt(self.store, self._terms)  # what a restore that broke off has left
        await self._check_lanes()
        push, stop_push = await _listen("push", self.pushes.app(), self.settings.push)
        metrics, stop_metrics = await _listen("metrics", self.health_app(), self.settings.metrics)
        self._stops += [stop_push, stop_metrics]
        await self.http.start()
        try:
            grpc_port = await self.server.start()
        except config.ConfigError:
            await self.http.stop()
            raise
        self.pushes.start()
        self.worker.start_loop()
        self.subscriber.start()
        self.vitals.start()
        self.addresses = {
            "grpc": f"{self.settings.grpc.host}:{grpc_port}",
            "push": f"http://{self.settings.push.host}:{push}",
            "metrics": f"http://{self.settings.metrics.host}:{metrics}",
        }
        return {"ready": True, **self.addresses}

    async def stop(self) -> None:
        """Let what is under way end, commit it, and close. Nothing new is taken."""
        limits, loop = self.settings.limits, asyncio.get_running_loop()
        end = loop.time() + limits.drain_s
        self._leaving = True
        await self.server.leave()
        await asyncio.sleep(limits.lame_duck_ms / 1000)
        self.worker.rest()
        await self.server.drain(max(0.0, end - loop.time()))
        await asyncio.gather(*(stop() for stop in self._stops))
        await self.vitals.stop()
        await self.subscriber.stop(max(0.0, end - loop.time()))
        await self.worker.stop(max(0.0, end - loop.time()))
        await self.pushes.stop()
        await self.http.stop()
        await self.store.stop()
        if self._follower is not None:
            self._follower.cancel()

    async def _check_lanes(self) -> None:
        """Work that is left must belong to accounts that are still configured."""
        lanes = [(row["channel"], row["account"]) for row in await self.store.table("open_lanes")]
        gone = sorted(set(lanes) - set(self.worker.bulkheads))
        if gone:
            raise config.ConfigError(
                f"carriers.{channel}.accounts.{account}: needed, the store has work left for it"
                for channel, account in gone
            )

    def health_app(self) -> web.Application:
        async def metrics(_: web.Request) -> web.Response:
            body = await self.metrics.render()
            return web.Response(body=body, content_type="text/plain", charset="utf-8")

        async def alive(_: web.Request) -> web.Response:
            return web.Response(text="ok\n")

        async def ready(_: web.Request) -> web.Response:
            said = "leaving" if self._leaving else "ok" if self.store.healthy else "store"
            well = said == "ok"
            if well and self.store.safe:
                said = "safe mode"
            return web.Response(text=f"{said}\n", status=200 if well else 503)

        served = web.Application()
        served.router.add_get("/metrics", metrics)
        served.router.add_get("/healthz", alive)
        served.router.add_get("/readyz", ready)
        return served

    async def _follow(self, url: str) -> None:
        """Business time from the simulator: a test setting."""
        session = aiohttp.ClientSession()
        try:
            version = await self._ask_time(session, url, None)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            await session.close()
            raise config.ConfigError(["test.clock_url: no clock answers there"]) from None

        async def follow() -> None:
            nonlocal version
            async with session:
                while True:
                    try:
                        version = await self._ask_time(session, url, version)
                    except (aiohttp.ClientError, TimeoutError):
                        await asyncio.sleep(0.2)

        self._follower = asyncio.create_task(follow(), name="clock")

    async def _ask_time(self, session: aiohttp.ClientSession, url: str, version: int | None) -> int:
        params = {} if version is None else {"after": str(version), "wait_ms": "10000"}
        async with session.get(url, params=params) as response:
            said = await response.json()
        self.clock.follow(int(said["now_ms"]))
        self.worker.wake()
        self.subscriber.wake()
        return int(said["version"])


async def _listen(name: str, served: web.Application, http: config.Http) -> tuple[int, Stop]:
    try:
        return await serve(served, http.host, http.port)
    except OSError as error:
        problem = f"{name}: cannot listen on {http.host}:{http.port}: {_reason(error)}"
        raise config.ConfigError([problem]) from None


def _reason(error: OSError) -> str:
    """In the system's words: asyncio's own repeat the address."""
    return os.strerror(error.errno) if error.errno else str(error)


def endpoints(
    settings: config.Settings, adapters: Mapping[str, Adapter]
) -> list[tuple[tuple[str, str], Endpoint]]:
    return [
        (
            (name, account),
            Endpoint(
                adapter=adapters[name],
                account=account,
                base_url=carrier.base_url,
                credentials=_secrets(given.credentials)
                | dict(given.settings)
                | config.sites(adapters[name], given),
                settings=given.settings,
                concurrency=carrier.limits.concurrency,
                per_second=carrier.limits.per_second,
                timeout_s=carrier.limits.timeout_ms / 1000,
                connect_s=carrier.limits.connect_timeout_ms / 1000,
            ),
        )
        for name, carrier in settings.carriers.items()
        for account, given in carrier.accounts.items()
    ]


def gates(
    settings: config.Settings, adapters: Mapping[str, Adapter]
) -> list[tuple[tuple[str, str], Gate]]:
    made = []
    for name, carrier in settings.carriers.items():
        for account, given in carrier.accounts.items():
            now = _secrets(given.credentials) | dict(given.settings)
            before = _secrets(given.previous_credentials) | dict(given.settings)
            keys = (now, before) if given.previous_credentials else (now,)
            secret = given.push_secret.get_secret_value() if given.push_secret else ""
            made.append(((name, account), Gate(adapters[name], account, keys, secret)))
    return made


def _secrets(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in given.items()}
