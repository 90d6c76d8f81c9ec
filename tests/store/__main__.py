"""The race for a balance, many times over on both engines: `python -m tests.store --runs 50`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from tests.engines import ENGINES, engine
from tests.store.test_store import race


def main(runs: Annotated[int, typer.Option(help="Of each engine.")] = 50) -> None:
    """100 Creates at once for a balance that pays for 10: exactly 10 must succeed, each time."""
    for name in ENGINES:
        for run in track(range(runs), name):
            with tempfile.TemporaryDirectory() as directory, engine(name, Path(directory)) as made:
                asyncio.run(race(made, run))
    print(f"races: {runs} runs on each of {len(ENGINES)} stores, 10 of 100 each time")


typer.run(main)
