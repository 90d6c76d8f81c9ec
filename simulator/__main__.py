"""The `turnback-sim` command."""

import asyncio
import logging
import signal
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from simulator.bodies import load_scenario
from simulator.outcomes import Scenario
from simulator.running import Settings, running

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

EXIT_USAGE = 2
EXIT_ADDRESS = 3


def _version(asked: bool) -> None:
    if asked:
        print(f"turnback-sim {metadata.version('turnback')}")
        raise typer.Exit


@app.callback()
def simulator(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Which this is.")
    ] = False,
) -> None:
    """Carriers that do what they are told, and say afterwards what really happened."""


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Carriers' port; 0 picks one.", min=0, max=65535)] = 0,
    control_port: Annotated[
        int, typer.Option(help="Control API's port; 0 picks one.", min=0, max=65535)
    ] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="What chance is made of.", min=0)] = 0,
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario file, JSON or TOML.", exists=True, dir_okay=False)
    ] = None,
    start_ms: Annotated[
        int | None, typer.Option(help="Business time at the start; now if not given.", min=0)
    ] = None,
    scale: Annotated[float, typer.Option(help="Business ms per machine ms.")] = 1.0,
    frozen: Annotated[bool, typer.Option(help="The clock moves by command only.")] = False,
) -> None:
    """Serve the carriers and the control API until SIGTERM or Ctrl-C."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        chosen = load_scenario(scenario) if scenario else Scenario()
    except (ValueError, OSError) as error:
        typer.echo(f"turnback-sim: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error
    settings = Settings(
        host=host,
        port=port,
        control_port=control_port,
        seed=seed,
        start_ms=time.time_ns() // 1_000_000 if start_ms is None else start_ms,
        scale=scale,
        frozen=frozen,
    )
    try:
        uvloop.run(_serve(settings, chosen))
    except OSError as error:
        typer.echo(f"turnback-sim: cannot listen on {host}: {error}", err=True)
        raise typer.Exit(EXIT_ADDRESS) from error
    except ValueError as error:
        typer.echo(f"turnback-sim: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error


async def _serve(settings: Settings, scenario: Scenario) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running(settings, scenario) as addresses:
        ready = {
            "ready": True,
            "carriers": addresses.carriers,
            "control": addresses.control,
            "seed": settings.seed,
        }
        sys.stdout.write(orjson.dumps(ready).decode() + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    app()


if __name__ == "__main__":
    main()
