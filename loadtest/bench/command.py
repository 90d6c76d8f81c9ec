"""`turnback-load bench`: options, and what is printed and saved."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from loadtest.bench import picture, results, tables
from loadtest.bench.operations import OPERATIONS, Name
from loadtest.bench.stage import Engine, Sender
from loadtest.cluster import ClusterError
from loadtest.fleet import FleetError

PAGE, PICTURE = "performance.md", "performance.svg"
EXIT_NOT_RUN = 3


def command(
    only: Annotated[list[Name] | None, typer.Argument(help="Operations; all by default.")] = None,
    store: Annotated[list[Engine] | None, typer.Option(help="Stores; both by default.")] = None,
    rounds: Annotated[int, typer.Option(help="Pairs of rounds.", min=1, max=100)] = 5,
    count: Annotated[int, typer.Option(help="Operations in a round; 0: as usual.", min=0)] = 0,
    callers: Annotated[int, typer.Option(help="Calls at one time.", min=1, max=512)] = 32,
    carrier: Annotated[Sender, typer.Option(help="Whose interface is called.")] = Sender.ZTO,
    latency: Annotated[int, typer.Option(help="Calls of one caller; 0: none.", min=0)] = 300,
    out: Annotated[
        Path | None, typer.Option(help=f"Write {PAGE} and {PICTURE} into this directory.")
    ] = None,
    save: Annotated[Path | None, typer.Option("--json", help="Save the figures here.")] = None,
) -> None:
    """CPU time of the gateway per operation, beside bare floors, in one run."""
    chosen = [each for each in OPERATIONS if not only or each.name in only]
    options = results.Options(
        operations=chosen,
        engines=store or list(Engine),
        carrier=carrier,
        rounds=rounds,
        callers=callers,
        count=count,
        latency_calls=latency,
    )
    console = Console(stderr=True)
    with console.status("starting") as status:
        try:
            found = uvloop.run(results.run(options, status.update))
        except (FleetError, ClusterError) as error:
            print(f"bench: {error}", file=sys.stderr)
            raise typer.Exit(EXIT_NOT_RUN) from None
    _show(found)
    if save is not None:
        save.write_text(json.dumps(results.as_json(found), indent=1) + "\n", "utf-8")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        asked = " ".join(["turnback-load", *sys.argv[1:]])
        (out / PAGE).write_text(tables.page(found, asked, PICTURE), "utf-8")
        (out / PICTURE).write_text(picture.costs(found.results), "utf-8")


def _show(found: results.Run) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    if found.results:
        console.print(tables.drawn(tables.costs(found.results)))
        for line in tables.notes(found):
            print(line)
    if found.latency is not None:
        console.print(tables.drawn(tables.waits(found.latency)))
    for each in found.results:
        goal = "" if each.met is None else f", {tables.verdict(each.met)}"
        store = tables.STORES[each.engine]
        print(f"bench: {each.operation.name} {each.ratio:.2f} x floor on {store}{goal}")
