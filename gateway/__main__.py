"""The `turnback` command, and the only place where the parts are put together."""

import asyncio
import gc
import json
import signal
import sys
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import structlog
import typer
import uvloop
from aiohttp import web

from adapters import ADAPTERS
from gateway import capabilities, config, telemetry
from gateway.clock import Clock
from gateway.domain.carrier import Adapter, Answer
from gateway.domain.decide import DECISIONS
from gateway.domain.retention import Purged
from gateway.failpoints import CALL_POINTS, FailPoints, commit_points
from gateway.pushes import Gate, Pushes, Stop, serve
from gateway.retention import PARCELS, PUSHES, purge
from gateway.rpc.server import Server
from gateway.rpc.shell import Shell
from gateway.runner import Endpoint, Http, Runner
from gateway.store import audit as rules
from gateway.store.driver import Driver, StoreError
from gateway.store.store import Store, driver
from gateway.store.writer import Unavailable
from gateway.vitals import Vitals
from gateway.worker import Worker

COUNTED_MAX = 1_000_000  # of a dry run
GARBAGE = 20_000  # new objects between two looks for cycles: a call makes hundreds, few in cycles
log = structlog.get_logger("gateway")
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The Turnback gateway.",
)
ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="TURNBACK_CONFIG", help="The TOML file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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
        database = driver(settings.store.url.get_secret_value(), settings.store.silent_s)
        self.store = Store(database, self.clock, terms, points, patience_s)
        self.store.batches.append(self.metrics.batch)
        self.http = Http()
        runner = Runner(self.clock, lambda: str(uuid.uuid4()), self._observed, self.http.send)
        carriers = dict(endpoints(settings, adapters))
        self.worker = Worker(self.store, runner, self.clock, carriers, points)
        doors = dict(gates(settings, adapters))
        self.pushes = Pushes(self.store, doors, points, self.metrics.push)
        self.worker.inbox = lambda: self.pushes.at_work
        shell = Shell(settings, terms, self.store, self.worker, self.clock, self.metrics)
        self.server = Server(shell)
        self.vitals = Vitals(
            self.store,
            self.worker,
            self.clock,
            self.metrics,
            self.server.ready,
            terms.policy.retention_ms,
        )
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
            return web.Response(text=f"{said}\n", status=200 if said == "ok" else 503)

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
        return int(said["version"])


async def _listen(name: str, served: web.Application, http: config.Http) -> tuple[int, Stop]:
    try:
        return await serve(served, http.host, http.port)
    except OSError:
        problem = f"{name}: cannot listen on {http.host}:{http.port}"
        raise config.ConfigError([problem]) from None


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
                credentials=_secrets(given.credentials) | dict(given.settings),
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


def _settings(path: Path) -> config.Settings:
    try:
        settings = config.load(path)
        settings.terms(settings.adapters(ADAPTERS))
    except config.ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(2) from None
    return settings


# -- commands -----------------------------------------------------------------------------


@app.command("serve")
def serve_command(config_file: ConfigFile) -> None:
    """Run the gateway until SIGTERM."""
    settings = _settings(config_file)
    sink = telemetry.configure()
    try:
        uvloop.run(_serve(settings))
    except (StoreError, config.ConfigError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from None
    finally:
        sink.close()


async def _serve(settings: config.Settings) -> None:
    gateway = Gateway(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    ready = await gateway.start()
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through again and again
    gc.set_threshold(GARBAGE)
    print(json.dumps(ready), flush=True)
    log.info("ready", **{key: value for key, value in ready.items() if key != "ready"})
    await ended.wait()
    log.info("draining")
    await gateway.stop()


@app.command("migrate")
def migrate_command(config_file: ConfigFile) -> None:
    """Bring the store to this program's schema."""
    settings = _settings(config_file)
    try:
        version = uvloop.run(driver(settings.store.url.get_secret_value()).migrate())
    except StoreError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from None
    print(f"schema {version}: {settings.store.name}")


@app.command("audit")
def audit_command(config_file: ConfigFile, as_json: AsJson = False) -> None:
    """Check every invariant on the store, read-only. Exit 1 if one is broken."""
    settings = _settings(config_file)
    try:
        findings = {f.rule: f for f in uvloop.run(_audit(settings))}
    except (Unavailable, StoreError) as error:
        print(f"{settings.store.name}: cannot be read ({error})", file=sys.stderr)
        raise typer.Exit(3) from None
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings.values()], ensure_ascii=False))
    else:
        for rule in rules.RULES:
            found = findings.get(rule.name)
            print(f"inv.{rule.name:<4} {f'{found.count} rows' if found else 'ok':>8}  {rule.title}")
            for key, fault in found.rows if found else ():
                print(f"{'':18} {key}: {fault}")
        print(f"audit: {len(rules.RULES)} rules, {len(findings)} violations")
    raise typer.Exit(1 if findings else 0)


async def _moment(database: Driver, settings: config.Settings) -> rules.Moment:
    """The ledger's own time where it follows a simulator's clock, else the wall's."""
    now, newest = Clock().machine_ms(), (await database.fetch("newest_event_at", {})).rows[0][0]
    if settings.test is not None and settings.test.clock_url:
        now = newest
    threshold = settings.policy.four_eyes_above_minor
    retention_ms = settings.policy.terms().retention_ms
    return rules.Moment(now=now, four_eyes_above_minor=threshold, retention_ms=retention_ms)


async def _audit(settings: config.Settings) -> list[rules.Finding]:
    database = driver(settings.store.url.get_secret_value())
    try:
        return await database.audit(await _moment(database, settings))
    finally:
        await database.close()


@app.command("purge")
def purge_command(
    config_file: ConfigFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be erased.")
    ] = False,
) -> None:
    """Erase what is personal and older than policy.retention_days. A gateway that runs does so
    by itself, every hour."""
    settings = _settings(config_file)
    try:
        erased = uvloop.run(_purgeable(settings) if dry_run else _purge(settings))
    except (StoreError, Unavailable) as error:
        print(f"{settings.store.name}: {error}", file=sys.stderr)
        raise typer.Exit(3) from None
    verb = "to be erased" if dry_run else "erased"
    days = settings.policy.retention_days
    print(f"purge: {erased.parcels} parcels, {erased.pushes} pushes older than {days} days {verb}")


async def _purgeable(settings: config.Settings) -> Purged:
    database = driver(settings.store.url.get_secret_value())
    try:
        moment = await _moment(database, settings)
        wanted = {"before": moment.now - moment.retention_ms, "limit": COUNTED_MAX}
        return Purged(
            *[len((await database.fetch(name, wanted)).rows) for name in (PARCELS, PUSHES)]
        )
    finally:
        await database.close()


async def _purge(settings: config.Settings) -> Purged:
    database = driver(settings.store.url.get_secret_value())
    clock = Clock(followed=True)
    clock.follow((await _moment(database, settings)).now)
    terms = settings.terms(settings.adapters(ADAPTERS))
    store = Store(database, clock, terms)
    await store.start()
    try:
        erased = await purge(store, clock.now(), terms.policy.retention_ms)
        await store.scour()
        return erased
    finally:
        await store.stop()


@app.command("carriers")
def carriers_command(as_json: AsJson = False) -> None:
    """What each carrier can do, and how well that is known."""
    print(capabilities.as_json(ADAPTERS) if as_json else capabilities.as_table(ADAPTERS))


config_app = typer.Typer(no_args_is_help=True, help="The configuration.")
app.add_typer(config_app, name="config")


@config_app.command("check")
def config_check(config_file: ConfigFile) -> None:
    """Say everything that is wrong with a configuration."""
    _settings(config_file)
    print(f"{config_file}: good")


@config_app.command("token")
def config_token() -> None:
    """Make a bearer token, and the hash that goes into the configuration."""
    token, digest = config.new_token()
    print(f"token  {token}\nsha256 {digest}")


@config_app.command("points")
def config_points() -> None:
    """Name every point at which a test may have the process killed."""
    for point in (*CALL_POINTS, *commit_points(DECISIONS)):
        print(point)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
