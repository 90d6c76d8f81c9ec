"""The `turnback` command: the gateway, and what an operator does to its store."""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from adapters import ADAPTERS
from adapters.levels import LEVELS
from gateway import capabilities, config, settings_table, telemetry, upkeep
from gateway.assembly import Gateway, endpoints
from gateway.check import check
from gateway.clock import Clock
from gateway.domain.decide import DECISIONS
from gateway.domain.retention import Purged
from gateway.failpoints import CALL_POINTS, FailPoints, commit_points
from gateway.retention import PARCELS, PUSHES, purge
from gateway.rpc import reconcile
from gateway.statement_file import Unreadable, read
from gateway.store import audit as rules
from gateway.store.copies import copier
from gateway.store.driver import Driver, StoreError
from gateway.store.store import Store, driver
from gateway.store.writer import Unavailable

COUNTED_MAX = 1_000_000  # of a dry run
GARBAGE = 20_000  # new objects between two looks for cycles: a call makes hundreds, few in cycles
log = structlog.get_logger("gateway")
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="TURNBACK_CONFIG", help="The TOML file.")
]
MaybeConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The TOML file.")]
PgBin = Annotated[
    Path | None,
    typer.Option("--pg-bin", help="Where pg_dump and pg_restore are; else on the PATH."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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


def _version(asked: bool) -> None:
    if asked:
        print(f"turnback {metadata.version('turnback')}")
        raise typer.Exit


@app.callback()
def turnback(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Which this is.")
    ] = False,
) -> None:
    """The Turnback gateway."""


@app.command("serve")
def serve_command(config_file: ConfigFile) -> None:
    """Run the gateway until SIGTERM."""
    settings = _settings(config_file)
    sink = telemetry.configure()
    try:
        uvloop.run(_serve(settings))
    except (StoreError, Unavailable, config.ConfigError) as error:
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
    except OSError as error:
        print(f"{error.filename} cannot be used: {error.strerror}", file=sys.stderr)
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


async def _moment(database: Driver, settings: config.Settings) -> rules.Moment:
    """The ledger's own time where it follows a simulator's clock, else the wall's."""
    (table,) = await database.fetch([("newest_event_at", {})])
    now, newest = Clock().machine_ms(), table.rows[0][0]
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
        tables = await database.fetch([(PARCELS, wanted), (PUSHES, wanted)])
        return Purged(*[len(table.rows) for table in tables])
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


@app.command("reconcile")
def reconcile_command(
    file: Annotated[Path, typer.Argument(help="The statement as CSV: see README.")],
    to: Annotated[str, typer.Option("--to", help="host:port of a gateway.")],
    token_file: Annotated[Path, typer.Option("--token-file", help="Holds an operator's token.")],
    carrier: Annotated[str, typer.Option(help="The channel, as CarrierService lists it.")],
    statement_no: Annotated[str, typer.Option(help="The carrier's number of the statement.")],
    period_from: Annotated[str, typer.Option("--from", help="Begin of its period, with its zone.")],
    period_to: Annotated[str, typer.Option("--until", help="End of its period: not part of it.")],
    total: Annotated[str, typer.Option(help="What the carrier wants, such as 1234.50 or -8.00.")],
    currency: Annotated[str, typer.Option(help="Of the total.")] = "CNY",
    account: Annotated[str, typer.Option(help="Our account there; the only one if left out.")] = "",
    corrects: Annotated[str, typer.Option(help="Number of the one whose place it takes.")] = "",
    ca_file: Annotated[Path | None, typer.Option(help="PEM roots; without it, plaintext.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a carrier's statement to a gateway. Exit 1 if a person has to look at something."""
    try:
        said = reconcile.said(
            carrier, account, statement_no, (period_from, period_to), (total, currency), corrects
        )
        gate = reconcile.gate(to, token_file, ca_file)
        data = reconcile.contents(file)
        lines = read(data)
    except (Unreadable, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    try:
        with typer.progressbar(length=len(lines), label=file.name, file=sys.stderr) as bar:
            answer = reconcile.send(gate, data, lines, said, bar.update)
    except reconcile.Refused as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from None
    print(reconcile.as_json(answer) if as_json else reconcile.as_text(answer))
    raise typer.Exit(1 if answer.exception_count else 0)


carriers_app = typer.Typer(help="The carriers: what each can do, and how well that is known.")
app.add_typer(carriers_app, name="carriers")


@carriers_app.callback(invoke_without_command=True)
def carriers_command(
    context: typer.Context, config_file: MaybeConfigFile = None, as_json: AsJson = False
) -> None:
    """What each carrier can do, and how well that is known; with --config, what adapters from
    elsewhere can do as well."""
    if context.invoked_subcommand is None:
        show = capabilities.as_json if as_json else capabilities.as_table
        known = ADAPTERS if config_file is None else _settings(config_file).adapters(ADAPTERS)
        print(show(known, LEVELS))


@carriers_app.command("check")
def carriers_check(name: str, config_file: ConfigFile, as_json: AsJson = False) -> None:
    """Try the configured credentials with one harmless read. Exit 1 where one does not work."""
    settings = _settings(config_file)
    every = endpoints(settings, settings.adapters(ADAPTERS))
    found = [endpoint for (carrier, _), endpoint in every if carrier == name]
    if not found:
        known = ", ".join(settings.carriers) or "none"
        print(f"{name}: not configured; configured are: {known}", file=sys.stderr)
        raise typer.Exit(2)
    checked = asyncio.run(check(found))
    if as_json:
        print(json.dumps([asdict(one) for one in checked], ensure_ascii=False, indent=2))
    else:
        for one in checked:
            by = f" ({one.operation}{', ' if one.code else ''}{one.code})" if one.operation else ""
            print(f"{one.carrier}/{one.account}: {one.said}{by}")
    if not all(one.well for one in checked):
        raise typer.Exit(1)


config_app = typer.Typer(no_args_is_help=True, help="The configuration.")
app.add_typer(config_app, name="config")


@config_app.command("check")
def config_check(config_file: ConfigFile) -> None:
    """Say everything that is wrong with a configuration."""
    _settings(config_file)
    print(f"{config_file}: good")


@config_app.command("list")
def config_list() -> None:
    """Every setting: its key, what it is where it is left out, and what it means."""
    print(settings_table.as_text())


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
