"""Long looks at the stores: `python -m tests.store races`, `python -m tests.store capacity`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from tests.engines import ENGINES, engine
from tests.store.capacity import HEALTHY_SHARE, cost
from tests.store.test_store import race

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def races(runs: Annotated[int, typer.Option(help="Of each engine.")] = 50) -> None:
    """100 Creates at once for a balance that pays for 10: exactly 10 must succeed, each time."""
    for name in ENGINES:
        for run in track(range(runs), name):
            with tempfile.TemporaryDirectory() as directory, engine(name, Path(directory)) as made:
                asyncio.run(race(made, run))
    print(f"races: {runs} runs on each of {len(ENGINES)} stores, 10 of 100 each time")


@app.command()
def capacity(interceptions: int = 5_000, cores: int = 16) -> None:
    """What an interception costs a PostgreSQL server, and how many a second that allows."""
    with tempfile.TemporaryDirectory() as directory, engine("postgres", Path(directory)) as made:
        found = asyncio.run(cost(made, interceptions))
    rate = cores * HEALTHY_SHARE * 1e6 / found.server_us
    print(f"{found.interceptions} interceptions, each registered, quoted, created and answered")
    print(
        f"PostgreSQL  {found.server_us:8.0f} us of processor, {found.batch:.0f} commands a commit"
    )
    print(f"            {found.log_bytes:8.0f} bytes of log, {found.stored_bytes:.0f} bytes stored")
    print(f"gateway     {found.gateway_us:8.0f} us of processor in its store")
    print(
        f"{cores} processors of PostgreSQL at {HEALTHY_SHARE:.0%}: {rate:,.0f} interceptions/s, "
        f"{rate * found.log_bytes / 1e6:,.0f} MB/s of log, "
        f"{rate * found.stored_bytes * 86_400 / 1e9:,.0f} GB a day if it never rested"
    )


app()
