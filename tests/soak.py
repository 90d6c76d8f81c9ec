"""The long checks, for as many minutes as there are: `python -m tests.soak --minutes 60`.

Seeds of the simulation and kills of real gateways on both stores, in turn. All is added up in
two files, and the next run goes on where they end.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtest.tally import Tally

SLICE = 10  # seeds at a time
KILLS = 60  # of each store, more than the last time, before the other has its turn
STORES = ("sqlite", "postgres")
BIN = Path(sys.executable).parent


def simulated(state: Path) -> tuple[int, int, int]:
    """Seeds, kills and violations so far."""
    if not state.exists():
        return 0, 0, 0
    kept = json.loads(state.read_text("utf-8"))
    return len(kept["seeds"]), kept["kills"], len(kept["violations"])


def command(
    minutes: Annotated[float, typer.Option(help="Begin nothing new after so long.", min=0)] = 60.0,
    seeds: Annotated[int, typer.Option(help="Of the simulation, in all.", min=1)] = 500,
    size: Annotated[int, typer.Option(help="Interceptions of each seed.", min=1)] = 200,
    jobs: Annotated[int, typer.Option(help="Seeds at one time.", min=1)] = 2,
    kills: Annotated[int, typer.Option(help="Of real gateways, on each store.", min=0)] = 500,
    state: Annotated[Path, typer.Option(help="The simulation's sums.")] = Path("simulation.json"),
    crash: Annotated[Path, typer.Option(help="The crash run's sums.")] = Path("crash.json"),
) -> None:
    """Exit 1 if anything was ever wrong."""
    end = time.monotonic() + minutes * 60
    console = Console(stderr=True)
    while time.monotonic() < end:
        done, _, _ = simulated(state)
        tally = Tally.load(crash)
        behind = [n for n in STORES if n not in tally.stores or tally.stores[n].kills < kills]
        if done >= seeds and not behind:
            break
        console.print(f"soak: {done} of {seeds} seeds, {tally.kills} of {2 * kills} kills")
        if done < seeds:
            more = ["--start", "1", "--seeds", str(min(seeds, done + SLICE)), "--size", str(size)]
            words = [*more, "--state", str(state), "--jobs", str(jobs)]
            _run([sys.executable, "-W", "ignore", "-m", "tests.simulation", *words])
        for name in behind:
            known = tally.stores[name].kills if name in tally.stores else 0
            goal = ["--goal", str(min(kills, known + KILLS)), "--state", str(crash)]
            _run([str(BIN / "turnback-load"), "crash", "--store", name, *goal])
    done, killed, wrong = simulated(state)
    tally = Tally.load(crash)
    total = wrong + tally.wrong
    print(f"simulated kills: {killed}; kills of real gateways: {tally.kills}")
    print(f"soak: {done} seeds, {killed + tally.kills} kills, {total} violations")
    raise typer.Exit(1 if total else 0)


def _run(words: list[str]) -> None:
    """One slice; what it finds stands in its file."""
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    print(lines[-1] if lines else f"{words[0]} ended with {done.returncode}", flush=True)
    if done.returncode > 1:
        raise typer.Exit(done.returncode)


if __name__ == "__main__":
    typer.run(command)
