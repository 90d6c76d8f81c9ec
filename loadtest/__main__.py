"""The `turnback-load` command: the demo, load with a verdict, and the long checks beside them."""

import asyncio
import json
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from loadtest import crash, demo, report, sharing
from loadtest.bench import command as bench
from loadtest.drive import Restless
from loadtest.fleet import FleetError
from loadtest.growth import command as growth
from loadtest.pressure import command as pressure
from loadtest.traffic import command as traffic

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs of gateway and simulator together, judged against what really happened.",
)
EXIT_BROKEN = 1
EXIT_NOT_RUN = 3  # a process did not start, or hung


def _version(asked: bool) -> None:
    if asked:
        print(f"turnback-load {metadata.version('turnback')}")
        raise typer.Exit


@app.callback()
def load(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Which this is.")
    ] = False,
) -> None:
    """Every command starts its own gateway and simulator, and ends them."""


@app.command("demo")
def demo_command(
    seed: Annotated[int, typer.Option(help="What chance is made of.", min=0)] = 7,
    orders: Annotated[
        int, typer.Option(help="About so many orders; 0: the day as it is.", min=0, max=5_000)
    ] = 0,
    days: Annotated[int, typer.Option(help="Days in the virtual clock.", min=1, max=60)] = 20,
    keep: Annotated[
        Path | None, typer.Option(help="Keep store, logs and evidence in this directory.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """A merchant's day through every outcome; exit 0 only if every rule holds."""
    out = report.console(stderr=as_json)
    options = demo.Options(seed=seed, orders=orders, days=days, keep=keep)
    try:
        result = demo.run(options, out)
    except (FleetError, Restless) as error:
        print(f"turnback-load: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_NOT_RUN) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    if as_json:
        print(json.dumps(report.as_json(result), ensure_ascii=False, indent=2))
    else:
        report.show(result, out)
        print(report.last_line(result.rules), flush=True)
    raise typer.Exit(EXIT_BROKEN if result.violations else 0)


app.command("crash")(crash.command)
app.command("bench")(bench.command)
app.command("growth")(growth.command)
app.command("sharing")(sharing.command)
app.command("run")(traffic.run_command)
app.command("peak")(traffic.peak_command)
app.command("soak")(traffic.soak_command)
app.command("overload")(pressure.overload_command)
app.command("hang")(pressure.hang_command)
app.command("plan")(traffic.plan_command)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
