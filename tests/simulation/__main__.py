"""`python -m tests.simulation`: run seeds, add up what they met, replay one."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters import ADAPTERS
from simulator.dialects import DIALECTS
from tests.simulation import coverage
from tests.simulation.seeds import FOUND
from tests.simulation.terms import CARRIERS
from tests.simulation.world import VIOLATIONS_MAX, Result, play

ENOUGH = 100  # times that a fault or an edge should have been met
SHOWN_MAX = 40
PER_CHILD = 25  # seeds of one process


@dataclass(slots=True)
class State:
    """What the runs so far add up to; in a file, so that a run can go on later."""

    size: int
    carriers: tuple[str, ...] = CARRIERS
    seeds: dict[str, str] = field(default_factory=dict)  # seed -> digest
    met: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    violations: list[tuple[int, int, str, str]] = field(default_factory=list)
    plain: list[int] = field(default_factory=list)  # seeds that were played without straits

    def add(self, result: Result) -> None:
        self.seeds[str(result.seed)] = result.digest
        self.met += result.met
        self.kills += result.kills
        if not result.hard:
            self.plain.append(result.seed)
        for rule, what in result.violations:
            self.violations.append((result.seed, result.size, rule, what))

    def write(self, path: Path) -> None:
        text = json.dumps({name: getattr(self, name) for name in self.__slots__})
        made = path.with_suffix(".new")
        made.write_text(text, "utf-8")
        made.replace(path)

    @classmethod
    def read(cls, path: Path, size: int, carriers: tuple[str, ...]) -> "State":
        if not path.exists():
            return cls(size, carriers)
        given: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if given["size"] != size:
            raise typer.BadParameter(f"{path} holds seeds of size {given['size']}")
        given["carriers"] = tuple(given.get("carriers", CARRIERS))
        if given["carriers"] != carriers:
            raise typer.BadParameter(f"{path} holds seeds of {', '.join(given['carriers'])}")
        given["met"] = Counter(given["met"])
        given["violations"] = [tuple(each) for each in given["violations"]]
        return cls(**given)


def replay(
    seed: int, size: int, carriers: tuple[str, ...] = CARRIERS, *, plain: bool = False
) -> str:
    asked = f"--start {seed} --seeds 1 --size {size}"
    playing = "" if carriers == CARRIERS else f" --carriers {','.join(carriers)}"
    without = " --no-straits" if plain else ""
    return f"{Path(sys.executable)} -m tests.simulation {asked}{playing}{without}"


def channels(names: str) -> tuple[str, ...]:
    """Who plays: the names, or `all`."""
    known = tuple(name for name in ADAPTERS if name in DIALECTS)
    asked = known if names == "all" else tuple(names.split(","))
    for name in asked:
        if name not in known:
            raise typer.BadParameter(f"there is no carrier {name}; there are {', '.join(known)}")
    return asked


def command(
    seeds: Annotated[int, typer.Option(help="How many.", min=1)] = 20,
    size: Annotated[int, typer.Option(help="Interceptions of each.", min=1)] = 50,
    start: Annotated[int, typer.Option(help="The first seed.")] = 1,
    state: Annotated[Path | None, typer.Option(help="Add to this file, and go on from it.")] = None,
    jobs: Annotated[int, typer.Option(help="Seeds at one time.", min=1)] = 1,
    until_found: Annotated[bool, typer.Option("--until-found", help="Stop at the first.")] = False,
    found: Annotated[
        bool, typer.Option("--found", help="The seeds that once found a bug.")
    ] = False,
    carriers: Annotated[
        str, typer.Option(help="Who plays, with commas; `all` for every carrier there is.")
    ] = ",".join(CARRIERS),
    straits: Annotated[
        bool, typer.Option("--straits/--no-straits", help="Without: as before there were any.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play the seeds. Exit 1 if anything was wrong in one."""
    playing = channels(carriers)
    kept = State.read(state, size, playing) if state else State(size, playing)
    asked = [seed for seed in range(start, start + seeds) if str(seed) not in kept.seeds]
    plan = [(seed, size, straits) for seed in asked]
    if found:
        plan = [(each.seed, each.size, each.hard) for each in FOUND if each.carriers == playing]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("seeds", total=len(plan))
        most = 1 if until_found else VIOLATIONS_MAX
        for result in results(plan, jobs, most, playing):
            kept.add(result)
            if state:
                kept.write(state)
            wrong = f", {len(kept.violations)} violations" if kept.violations else ""
            progress.update(bar, advance=1, description=f"seeds, {kept.kills} kills{wrong}")
            if until_found and kept.violations:
                break
    raise typer.Exit(report(kept, as_json))


def results(
    plan: Sequence[tuple[int, int, bool]], jobs: int, most: int, carriers: tuple[str, ...]
) -> Iterator[Result]:
    """As they come: one after the other here, or several at a time in processes of their own."""
    if jobs == 1:
        yield from (play(seed, size, most, carriers, hard) for seed, size, hard in plan)
        return
    context, size_of = get_context("spawn"), jobs * PER_CHILD
    for start in range(0, len(plan), size_of):  # the memory of what has played only grows
        part = plan[start : start + size_of]
        with ProcessPoolExecutor(jobs, context) as pool:
            at_work = [pool.submit(play, seed, n, most, carriers, hard) for seed, n, hard in part]
            for done in as_completed(at_work):
                yield done.result()


def report(kept: State, as_json: bool) -> int:
    rows = coverage.table(kept.met)
    if as_json:
        told = {"seeds": kept.seeds, "kills": kept.kills, "violations": kept.violations}
        print(json.dumps(told | {"met": {row.name: row.count for row in rows}}, ensure_ascii=False))
    else:
        shown = Table("met", "times", "")
        for row in rows:
            few = "" if row.count >= ENOUGH else f"less than {ENOUGH}"
            shown.add_row(row.name, str(row.count), few)
        Console().print(shown)
        for seed, size, rule, what in kept.violations[:SHOWN_MAX]:
            again = replay(seed, size, kept.carriers, plain=seed in kept.plain)
            print(f"seed {seed}: {rule}: {what}\n    {again}")
        digest = sorted(kept.seeds.values())
        print(f"{kept.kills} kills; {len(digest)} histories, {len(set(digest))} of them different")
    print(f"simulation: {len(kept.seeds)} seeds, {len(kept.violations)} violations")
    return 1 if kept.violations else 0


if __name__ == "__main__":
    typer.run(command)
