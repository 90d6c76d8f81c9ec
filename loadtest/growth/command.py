"""`turnback-load growth`: options, and what is printed and saved."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from loadtest.bench.stage import Engine
from loadtest.bench.tables import STORES, drawn, verdict
from loadtest.cluster import ClusterError
from loadtest.fleet import FleetError
from loadtest.growth import measure, report

PAGE, PICTURE = "growth.md", "growth.svg"
SIZES = (1_000, 10_000, 100_000)
EXIT_NOT_RUN = 3


def command(
    size: Annotated[
        list[int] | None,
        typer.Option(help="Stored interceptions; may be given several times.", min=1_000),
    ] = None,
    store: Annotated[list[Engine] | None, typer.Option(help="Stores; both by default.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each.", min=1, max=100)] = 5,
    count: Annotated[int, typer.Option(help="Operations in a run.", min=1)] = 200,
    callers: Annotated[int, typer.Option(help="Calls at one time.", min=1, max=512)] = 16,
    out: Annotated[
        Path | None, typer.Option(help=f"Write {PAGE} and {PICTURE} into this directory.")
    ] = None,
    save: Annotated[Path | None, typer.Option("--json", help="Save the figures here.")] = None,
) -> None:
    """What Create, List and Get cost as the store grows. A million needs about 14 GB of room on
    SQLite, 19 on PostgreSQL."""
    options = measure.Options(
        sizes=sorted(set(size or SIZES)),
        engines=store or list(Engine),
        runs=runs,
        count=count,
        callers=callers,
    )
    console = Console(stderr=True)
    with console.status("starting") as status:
        try:
            curves = uvloop.run(measure.run(options, status.update))
        except (FleetError, ClusterError) as error:
            print(f"growth: {error}", file=sys.stderr)
            raise typer.Exit(EXIT_NOT_RUN) from None
    shown = Console(width=None if sys.stdout.isatty() else 140)
    shown.print(drawn(report.sheet(curves)))
    for line in report.notes(options):
        print(line)
    if save is not None:
        save.write_text(json.dumps(report.as_json(curves), indent=1) + "\n", "utf-8")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        asked = " ".join(["turnback-load", *sys.argv[1:]])
        (out / PAGE).write_text(report.page(curves, options, asked, PICTURE), "utf-8")
        (out / PICTURE).write_text(report.picture(curves), "utf-8")
    for curve in curves:
        last = curve.sizes[-1]
        told = f"{curve.ratio(last):.2f} x from {curve.base} to {last}"
        print(f"growth: {curve.name} {told} on {STORES[curve.engine]}, {verdict(curve.met)}")
