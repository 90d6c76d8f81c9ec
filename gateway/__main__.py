"""The `turnback` command, and the only place where the parts are put together."""

import asyncio
import gc
import json
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import structlog
import typer
import uvloop
from aiohttp import web

from adapters import ADAPTERS
from gateway import capabilities, config, telemetry, upkeep
from gateway.clock import Clock
from gateway.domain.carrier import Adapter, Answer
from gateway.domain.decide import DECISIONS
from gateway.failpoints import CALL_POINTS, FailPoints, commit_points
from gateway.pushes import Gate, Pushes, Stop, serve
from gateway.rpc.server import Server
from gateway.rpc.shell import Shell
from gateway.runner import Endpoint, Runner
from gateway.store import audit as rules
from gateway.store.copies import copier
from gateway.store.driver import StoreError
from gateway.store.store import Store, driver
from gateway.store.writer import Unavailable
from gateway.vitals import Vitals
from gateway.worker import Worker

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
PgBin = Annotated[
    Path | None,
    typer.Option("--pg-bin", help="Where pg_dump and pg_restore are; else on the PATH."),
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
        database = driver(settings.store.url.get_secret_value())
        self.store = Store(database, self.clock, terms, points, patience_s)
        self.store.batches.append(self.metrics.batch)
        self.runner = Runner(self.clock, lambda: str(uuid.uuid4()), self._observed)
        endpoints = dict(_endpoints(settings, adapters))
        self.worker = Worker(self.store, self.runner, self.clock, endpoints, points)
        gates = dict(_gates(settings, adapters))
        self.pushes = Pushes(self.store, gates, points, self.metrics.push)
        self.worker.inbox = lambda: self.pushes.at_work
        shell = Shell(settings, terms, self.store, self.worker, self.clock, self.metrics)
        self.server = Server(shell)
        self.vitals = Vitals(
            self.store, self.worker, self.clock, terms, self.metrics, self.server.ready
        )
        self._terms = terms
        self._follower: asyncio.Task[None] | None = None
        self._stops: list[Any] = []

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
        metrics, stop_metrics = await _listen("metrics", self._health_app(), self.settings.metrics)
        self._stops += [stop_push, stop_metrics]
        await self.runner.start()
        try:
            grpc_port = await self.server.start()
        except config.ConfigError:
            await self.runner.stop()
            raise
        self.pushes.start()
        self.worker.start_loop()
        self.vitals.start()
        return {
            "ready": True,
            "grpc": f"{self.settings.grpc.host}:{grpc_port}",
            "push": f"http://{self.settings.push.host}:{push}",
            "metrics": f"http://{self.settings.metrics.host}:{metrics}",
        }

    async def stop(self) -> None:
        """Let what is under way end, commit it, and close. Nothing new is taken."""
        grace = self.settings.limits.drain_s
        await self.server.drain(grace)
        for stop in self._stops:
            await stop()
        await self.vitals.stop()
        await self.worker.stop(grace)
        await self.pushes.stop()
        await self.runner.stop()
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

    def _health_app(self) -> web.Application:
        async def metrics(_: web.Request) -> web.Response:
            body = await self.metrics.render()
            return web.Response(body=body, content_type="text/plain", charset="utf-8")

        async def alive(_: web.Request) -> web.Response:
            return web.Response(text="ok\n")

        async def ready(_: web.Request) -> web.Response:
            if not self.store.healthy:
                return web.Response(text="store\n", status=503)
            return web.Response(text="safe mode\n" if self.store.safe else "ok\n")

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


def _endpoints(
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


def _gates(
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
    points = FailPoints.parse((settings.test.fail_point if settings.test else None) or "")
    with _store_errors():
        version = uvloop.run(driver(settings.store.url.get_secret_value()).migrate(points))
    print(f"schema {version}: {settings.store.name}")


@app.command("backup")
def backup_command(
    config_file: ConfigFile,
    to: Annotated[Path, typer.Option("--to", help="The file to write; it must not exist.")],
    pg_bin: PgBin = None,
) -> None:
    """Copy the store into one file, while gateways write it."""
    settings = _settings(config_file)
    with _store_errors():
        version = upkeep.backup(settings.store.url.get_secret_value(), to, pg_bin)
    print(f"backup: {to}, schema {version}, {to.stat().st_size} bytes, read back and whole")


@app.command("restore")
def restore_command(
    config_file: ConfigFile,
    source: Annotated[Path, typer.Option("--from", help="A file that `turnback backup` made.")],
    pg_bin: PgBin = None,
    force: Annotated[
        bool, typer.Option("--force", help="SQLite: keep the old store beside the new one.")
    ] = False,
) -> None:
    """Restore a store from a backup, and leave it in safe mode. Exit 1 if the audit complains."""
    settings = _settings(config_file)
    url, clock = settings.store.url.get_secret_value(), _clock(settings)
    terms = settings.terms(settings.adapters(ADAPTERS))
    begin = upkeep.mode(f"restored from {source.name}", clock)
    with (
        _store_errors(),
        copier(url).restoring(url, source, pg_bin, begin, force=force) as made,
    ):
        settled = uvloop.run(upkeep.settle(made, clock, terms))
    print(f"restored: {settings.store.name}, from {source}")
    _settled(settled)


@app.command("restored")
def restored_command(
    config_file: ConfigFile,
    reason: Annotated[str, typer.Option("--reason", help="How it was restored, and to when.")],
) -> None:
    """Say that the store was restored by other means, before any gateway is started on it."""
    settings = _settings(config_file)
    url, terms = settings.store.url.get_secret_value(), settings.terms(settings.adapters(ADAPTERS))
    with _store_errors():
        settled = uvloop.run(upkeep.restored(url, _clock(settings), terms, reason))
    _settled(settled)


def _settled(settled: upkeep.Settled) -> None:
    print(f"safe mode: {settled.doubted} interceptions may have been sent since the backup")
    for finding in settled.findings:
        print(f"inv.{finding.rule:<4} {f'{finding.count} rows':>8}  {finding.title}")
    print(f"audit: {len(rules.RULES)} rules, {len(settled.findings)} violations")
    print("start the gateway, let it read, then: turnback resume")
    raise typer.Exit(1 if settled.findings else 0)


@app.command("resume")
def resume_command(
    config_file: ConfigFile,
    accept: Annotated[
        str, typer.Option("--accept", help="Why interceptions nobody has read are let go.")
    ] = "",
) -> None:
    """End safe mode, beside a running gateway. Exit 1 while interceptions have not been read."""
    settings = _settings(config_file)
    url, terms = settings.store.url.get_secret_value(), settings.terms(settings.adapters(ADAPTERS))
    with _store_errors():
        found = uvloop.run(upkeep.resume(url, _clock(settings), terms, accept, print))
    raise typer.Exit(0 if found else 1)


def _clock(settings: config.Settings) -> Clock:
    return Clock(followed=bool(settings.test and settings.test.clock_url))


@contextmanager
def _store_errors() -> Iterator[None]:
    """What is wrong with the store, in a line."""
    try:
        yield
    except (StoreError, Unavailable) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from None


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


async def _audit(settings: config.Settings) -> list[rules.Finding]:
    """At the ledger's own time where it follows a simulator's clock, else at the wall's."""
    database = driver(settings.store.url.get_secret_value())
    try:
        now = Clock().machine_ms()
        if settings.test is not None and settings.test.clock_url:
            now = (await database.fetch("newest_event_at", {})).rows[0][0]
        threshold = settings.policy.four_eyes_above_minor
        return await database.audit(rules.Moment(now=now, four_eyes_above_minor=threshold))
    finally:
        await database.close()


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
