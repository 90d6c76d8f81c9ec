"""`python -m tests.simulation.planted`: plant each bug in a copy of the tree, and see it found.

The simulation is asked first, then the suite that the bug's row names. Nothing in the tree itself
is ever changed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from re import search
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.simulation.bugs import BUGS, Bug

ROOT = Path(__file__).parent.parent.parent
SEEDS, SIZE = 16, 40
FIRST = 9_001
PATIENCE_S = 900
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who found a bug, how soon, and the first words of what was found."""

    bug: Bug
    by: str = ""
    seeds: int = 0
    rule: str = ""


def planted(bug: Bug, root: Path) -> dict[str, str]:
    """The texts of the files that the bug changes. Raises ValueError where it does not apply."""
    texts: dict[str, str] = {}
    for edit in bug.edits:
        text = texts.get(edit.path) or (root / edit.path).read_text("utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{bug.name}: not once in {edit.path}: {edit.old.strip()}")
        texts[edit.path] = text.replace(edit.old, edit.new)
    return texts


@contextmanager
def copied(bug: Bug) -> Iterator[Path]:
    """A copy of the tree with the bug in it."""
    with tempfile.TemporaryDirectory(prefix="turnback-planted-") as made:
        root = Path(made)
        for entry in ROOT.iterdir():
            if entry.name.startswith(".") or not (entry.is_dir() or entry.suffix in KEPT):
                continue
            if entry.is_dir():
                shutil.copytree(entry, root / entry.name, ignore=LEFT_OUT)
            else:
                shutil.copy(entry, root)
        for path, text in planted(bug, ROOT).items():
            (root / path).write_text(text, "utf-8")
        yield root


HEALTHY = Bug("healthy", "nothing", (), "")
KEPT = (".toml", ".md", ".lock")


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", *arguments]
    paths = {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command,
        cwd=root,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def hunt(bug: Bug, seeds: int = SEEDS, size: int = SIZE) -> Verdict:
    """Look for one bug until it is found."""
    with copied(bug) as root:
        hunted = (
            "--seeds",
            str(seeds),
            "--size",
            str(size),
            "--start",
            str(FIRST),
            "--until-found",
        )
        done = _run(root, "-m", "tests.simulation", *hunted)
        count = search(r"simulation: (\d+) seeds, (\d+) violations", done.stdout)
        if done.returncode and count:
            rule = search(r"seed \d+: ([\w.]+): ", done.stdout)
            return Verdict(bug, "simulation", int(count[1]), rule[1] if rule else "")
        if done.returncode or not count:
            raise RuntimeError(f"{bug.name}: the simulation broke:\n{done.stderr[-2000:]}")
        if bug.suite:
            done = _run(root, "-m", "pytest", "-x", "-q", "-n0", *bug.suite.split())
            failed = search(r"(?:FAILED|ERROR) (tests/[\w/.]+::\w+)", done.stdout)
            if done.returncode == 1 and failed:
                return Verdict(bug, failed[1], seeds)
        return Verdict(bug)


def table(verdicts: list[Verdict]) -> str:
    lines = ["| planted bug | found by | after seeds | rule |", "|---|---|---|---|"]
    for one in verdicts:
        after = str(one.seeds) if one.by == "simulation" else "–"
        by = one.by.replace("tests/", "") or "**nobody**"
        lines.append(f"| {one.bug.what} | {by} | {after} | {one.rule} |")
    found = sum(bool(one.by) for one in verdicts)
    lines += ["", f"{found} of {len(verdicts)} planted bugs found."]
    return "\n".join(lines) + "\n"


def command(
    only: Annotated[str, typer.Option(help="Only these, with commas between them.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    jobs: Annotated[int, typer.Option(help="Bugs at one time.", min=1)] = 1,
) -> None:
    """Plant every bug and have it found. Exit 1 if one is not."""
    chosen = [bug for bug in BUGS if not only or bug.name in only.split(",")]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    verdicts: list[Verdict] = []
    if hunt(HEALTHY).by:  # in the very seeds that are to find the bugs
        raise RuntimeError("something is found where nothing was planted")
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        bar = progress.add_task("planted", total=len(chosen))
        for verdict in pool.map(hunt, chosen):
            verdicts.append(verdict)
            told = f"{verdict.bug.name}: {verdict.by or 'nobody'} {verdict.rule}"
            progress.console.print(told, markup=False, highlight=False)
            progress.update(bar, advance=1)
    text = table(verdicts)
    if out is not None:
        out.write_text(text, "utf-8")
    Console(width=200).print(text, markup=False, highlight=False)
    raise typer.Exit(0 if all(verdict.by for verdict in verdicts) else 1)


if __name__ == "__main__":
    typer.run(command)
