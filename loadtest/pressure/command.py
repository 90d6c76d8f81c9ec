"""`turnback-load overload` and `hang`: options, exit codes, and what is printed.

Exit codes as those of a load run: 0 all is well, 1 the ledger differs from the truth, 2 a goal was
missed, 3 it could not run.
"""

import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from loadtest.pressure import figures
from loadtest.pressure.figures import Aim
from loadtest.pressure.hang import ROUNDS_MAX, Hang, hang, options_of
from loadtest.pressure.overload import Overload, Wanted, overload
from loadtest.report import console
from loadtest.traffic import command as traffic
from loadtest.traffic import pages
from loadtest.traffic.command import DIFFERENT, GOOD, MISSED, Keep, Latency, Seed, Store
from loadtest.traffic.plan import Options
from loadtest.traffic.run import Result

JsonFile = Annotated[Path | None, typer.Option("--json", help="All figures.")]


def overload_command(
    seconds: Annotated[float, typer.Option(help="Length of the overload.")] = 60.0,
    seed: Seed = 7,
    carriers: Annotated[str, typer.Option(help="With commas.")] = "sf,zto",
    callers: Annotated[int, typer.Option(help="Of the peak.", min=1, max=512)] = 64,
    peak_s: Annotated[float, typer.Option(help="Length of the peak.", min=1, max=60)] = 8.0,
    most: Annotated[int, typer.Option(help="Peak that is not gone beyond.", min=10)] = 800,
    admit: Annotated[
        int, typer.Option(help="Creates a second to let in; 0: a third of the peak.", min=0)
    ] = 0,
    calm_s: Annotated[float, typer.Option("--calm", help="Seconds before it.")] = 10.0,
    after_s: Annotated[float, typer.Option("--after", help="Seconds after it.")] = 20.0,
    latency_ms: Latency = "0",
    store_url: Store = "",
    keep: Keep = None,
    save: JsonFile = None,
) -> None:
    """Three times what a gateway on one core lets in: goodput, recovery, and a verdict."""
    screen = console()
    with traffic.refusing():
        wanted = Wanted(
            seed=seed,
            seconds=seconds,
            carriers=tuple(traffic.listed(carriers)),
            latency_ms=traffic.latency(latency_ms),
            callers=callers,
            peak_s=peak_s,
            most=most,
            admit=admit,
            calm_s=calm_s,
            after_s=after_s,
        )
        done = uvloop.run(_stoppable(wanted, keep, store_url, screen))
        assert done.result is not None
        _save(save, overload_json(done, done.result))
    _say(screen, f"{done.result.repeated} Creates without an answer were asked for again")
    raise typer.Exit(_concluded([done.result], done.aims, screen))


async def _stoppable(
    wanted: Wanted, keep: Path | None, store_url: str, screen: Console
) -> Overload:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await overload(
        wanted,
        keep,
        store_url,
        lambda text: _say(screen, text),
        lambda done: _show_overload(done, screen),
    )


def hang_command(
    rounds: Annotated[int, typer.Option(help="Runs.", min=1, max=ROUNDS_MAX)] = 5,
    rate: Annotated[float, typer.Option(help="Arrivals a second, over all carriers.")] = 30.0,
    seconds: Annotated[float, typer.Option(help="Length of a run: half before, half with.")] = 40.0,
    warm_s: traffic.Warm = 5.0,
    seed: Seed = 7,
    carriers: Annotated[str, typer.Option(help="With commas; the first hangs.")] = traffic.ALL,
    latency_ms: Latency = "30,60",
    pace: traffic.Pace = 1.0,
    keep: Keep = None,
    save: JsonFile = None,
) -> None:
    """One carrier takes connections and never answers: p99 of the others' calls, and a verdict."""
    screen = console()
    with traffic.refusing():
        base = Options(
            seed=seed,
            seconds=seconds,
            warm_s=warm_s,
            carriers=tuple(traffic.listed(carriers)),
            latency_ms=traffic.latency(latency_ms),
            pace=pace,
        )
        options = options_of(base, rate)
        _say(screen, f"{options.stricken} hangs for the second half of each round")
        found = hang(options, rounds, keep, lambda text: _say(screen, text))
        _show_aims(found.aims, screen)
        _save(save, hang_json(found))
    raise typer.Exit(_concluded([one.result for one in found.rounds], found.aims, screen))


# -- what is printed and kept -------------------------------------------------------------


def _say(screen: Console, text: str) -> None:
    screen.print(text, soft_wrap=True, markup=False, highlight=False)


def _show_overload(done: Overload, screen: Console) -> None:
    if not done.pinned:
        _say(
            screen,
            "the gateway is NOT pinned to a core: there are no two to choose from here",
        )
    _say(screen, f"cores while it was too much: {figures.in_cores(done.cores)}")
    for stretch, name in zip(done.stretches, ("before", "overload", "after"), strict=True):
        those = figures.between(done.answers, stretch.since_s, stretch.until_s)
        told = ", ".join(f"{count} {code}" for code, count in figures.codes(those).items())
        good, no = (
            [each.took_ms for each in those if (each.code == figures.OK) == wanted]
            for wanted in (True, False)
        )
        _say(
            screen,
            f"{name:<9} {stretch.per_second:g} a second: {told}; OK {_times(good)}"
            + (f"; refused {_times(no)}" if no else ""),
        )
    _show_aims(done.aims, screen)


def _show_aims(aims: Sequence[Aim], screen: Console) -> None:
    for aim in aims:
        _say(screen, f"{'met' if aim.met else 'MISSED'}: {aim}")


def _times(took_ms: Sequence[float]) -> str:
    return " ".join(f"p{part} {figures.percentile(took_ms, part):.1f} ms" for part in (50, 99))


def _concluded(results: Sequence[Result], aims: Sequence[Aim], screen: Console) -> int:
    """The last lines, and the exit code."""
    for result in results:
        traffic.show_rules(result, screen)
    differences = sum(result.differences for result in results)
    print(pages.verdict_line(differences), flush=True)
    if differences:
        return DIFFERENT
    return GOOD if all(aim.met for aim in aims) else MISSED


def _save(path: Path | None, found: Any) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _aims_json(aims: Sequence[Aim]) -> list[dict[str, Any]]:
    return [{"name": a.name, "value": a.value, "bound": a.bound, "met": a.met} for a in aims]


def overload_json(done: Overload, result: Result) -> dict[str, Any]:
    return {
        "verdict": pages.last_line(result),
        "peak": asdict(done.peak) if done.peak is not None else None,
        "admitted": done.admitted,
        "pinned": done.pinned,
        "cores": done.cores,
        "calls": len(done.answers),
        "codes": figures.codes(done.answers),
        "repeated": result.repeated,
        "seconds": [
            [round(one.since_s, 1), one.calls, one.refused, round(one.p99_ms, 1)]
            for one in figures.windows(done.answers, 0.0, done.stretches[-1].until_s)
        ],
        "goals": _aims_json(done.aims),
    }


def hang_json(found: Hang) -> dict[str, Any]:
    return {
        "verdict": pages.verdict_line(found.differences),
        "rounds": [
            {
                "seed": one.result.options.seed,
                "verdict": pages.last_line(one.result),
                "cores": [dict(one.before.cores), dict(one.during.cores)],
                "methods": {
                    method: {
                        "before_p99_ms": one.before.p99_ms(method),
                        "during_p99_ms": one.during.p99_ms(method),
                        "calls": [len(one.before.took_ms[method]), len(one.during.took_ms[method])],
                        "ratio": one.ratio(method),
                    }
                    for method in one.before.took_ms
                },
            }
            for one in found.rounds
        ],
        "goals": _aims_json(found.aims),
    }
