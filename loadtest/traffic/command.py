"""`turnback-load run`, `peak`, `soak` and `plan`: options, exit codes, and what is printed.

Exit codes for CI: 0 all is well, 1 the ledger differs from the truth, 2 a goal of speed was missed
(or the command line is wrong), 3 it could not run.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, NoReturn

import grpc
import grpc.aio
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from loadtest.carriers import CARRIERS
from loadtest.drive import Restless
from loadtest.fleet import FleetError
from loadtest.place import directory
from loadtest.report import console, yuan
from loadtest.simulation import SimulatorRefused
from loadtest.traffic import expected, goals, pages, plan
from loadtest.traffic.expected import Span, Totals
from loadtest.traffic.goals import Goal, GoalError, Reached
from loadtest.traffic.plan import Options, Plan, PlanError
from loadtest.traffic.road import Sample, per_second
from loadtest.traffic.run import PROCESSES, Announce, Place, Result, run
from loadtest.traffic.scenarios import SCENARIOS

GOOD, DIFFERENT, MISSED, NOT_RUN = range(4)
SAY_S = 5.0
MINUTE_S = 60
PACE = 5.0  # carriers accept and turn parcels while the load is on
WHOLE_LIVES = 20.0  # a pace at which as many parcels end as begin, after some twenty seconds
PEAK_FROM, PEAK_MOST = 10.0, 1_000.0
PEAK_STEPS = 3  # of halving the interval, once it is known
PEAK_S, PEAK_WARM_S = 15.0, 5.0

ALL = ",".join(CARRIERS)
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", help=f"NAME or NAME=RATE, again for more: {', '.join(SCENARIOS)}."),
]
Rate = Annotated[float, typer.Option(help="Arrivals a second where a scenario names none.")]
Seconds = Annotated[float, typer.Option(help="Length of the measured load.")]
Warm = Annotated[float, typer.Option("--warm-up", help="Seconds before it; not in statistics.")]
Seed = Annotated[int, typer.Option(help="What chance is made of.", min=0)]
Carriers = Annotated[str, typer.Option(help="With commas; the first one meets the weather.")]
Fates = Annotated[
    str, typer.Option(help="Weights in the place of the usual: returned=70,lost=20,…")
]
TimeOuts = Annotated[float, typer.Option(help="Part of the carriers' answers that time out.")]
Lost = Annotated[float, typer.Option("--lost-answers", help="Part that is lost on the way.")]
Latency = Annotated[
    str,
    typer.Option("--latency", help="Median and p99 of a carrier's answer in ms; 0: none."),
]
Workers = Annotated[int, typer.Option(help="Locust workers; above 1 with a master.")]
Await = Annotated[
    int,
    typer.Option("--await", help="Start a master on this port of the loopback, and no workers."),
]
Merchants = Annotated[int, typer.Option(help="Shops that share the load.")]
Pace = Annotated[float, typer.Option(help="Business seconds a second while the load is on.")]
Goals = Annotated[
    list[str] | None,
    typer.Option("--goal", help=f"{goals.USAGE}; again for more."),
]
Store = Annotated[str, typer.Option("--store-url", help="A database; else a file of its own.")]
Keep = Annotated[Path | None, typer.Option(help="Keep store, logs, evidence in this directory.")]
Html = Annotated[Path | None, typer.Option(help="Locust's report, the verdict on top.")]
Json = Annotated[Path | None, typer.Option("--json", help="All figures and differences.")]
Junit = Annotated[Path | None, typer.Option(help="A test case a rule and a goal.")]
Out = Annotated[Path | None, typer.Option(help="load.html, load.json and load.xml go here.")]


@dataclass(frozen=True, slots=True)
class Where:
    """A directory to keep, a database of one's own, a port for workers of one's own."""

    keep: Path | None = None
    store_url: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Files:
    """Where the report goes; None: nowhere."""

    html: Path | None = None
    json: Path | None = None
    junit: Path | None = None

    @classmethod
    def given(
        cls, out: Path | None, html: Path | None, as_json: Path | None, junit: Path | None
    ) -> "Files":
        if out is None:
            return cls(html, as_json, junit)
        return cls(
            html or out / "load.html", as_json or out / "load.json", junit or out / "load.xml"
        )


# -- reading options ----------------------------------------------------------------------


def pairs(texts: Sequence[str], default: float | None) -> list[tuple[str, float]]:
    """`NAME=NUMBER`, or `NAME` where there is a default. Raises PlanError."""
    found = []
    for text in texts:
        name, equals, number = text.partition("=")
        if not equals and default is None:
            raise PlanError(f"{text}: NAME=NUMBER")
        try:
            found.append((name.strip(), float(number) if equals else float(default or 0)))
        except ValueError:
            raise PlanError(f"{text}: {number or 'nothing'} is no number") from None
    return found


def latency(text: str) -> tuple[int, int] | None:
    """`120,700`, or `0`. Raises PlanError."""
    if text.strip() == "0":
        return None
    median, _, p99 = text.partition(",")
    if not (median.strip().isdecimal() and p99.strip().isdecimal()):
        raise PlanError(f"a latency is MEDIAN,P99 in ms, or 0, not {text}")
    if not 0 < int(median) <= int(p99):
        raise PlanError(f"a latency's median is above 0 and not above its p99, not {text}")
    return int(median), int(p99)


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _refuse(error: object) -> NoReturn:
    print(f"turnback-load: {error}", file=sys.stderr)
    raise typer.Exit(NOT_RUN)


@contextmanager
def refusing() -> Iterator[None]:
    """What cannot run ends the program with its exit code, and says why in a line."""
    try:
        yield
    except (PlanError, GoalError, FleetError, Restless, SimulatorRefused, OSError) as error:
        _refuse(error)
    except grpc.aio.AioRpcError as error:
        _refuse(f"the gateway answered {error.code().name} {error.details()}")
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None


# -- commands -----------------------------------------------------------------------------


def run_command(
    scenario: Scenarios = None,
    rate: Rate = 50.0,
    seconds: Seconds = 60.0,
    warm_s: Warm = 5.0,
    seed: Seed = 7,
    carriers: Carriers = ALL,
    fates: Fates = "",
    time_outs: TimeOuts = 0.02,
    lost_answers: Lost = 0.02,
    latency_ms: Latency = "120,700",
    workers: Workers = 1,
    port: Await = 0,
    merchants: Merchants = 8,
    pace: Pace = PACE,
    goal: Goals = None,
    store_url: Store = "",
    keep: Keep = None,
    out: Out = None,
    html: Html = None,
    as_json: Json = None,
    junit: Junit = None,
) -> None:
    """Load with a verdict: every cent compared with what the seed said, and goals of speed."""
    with refusing():
        options = Options(
            seed=seed,
            scenarios=tuple(pairs(scenario or ["day"], rate)),
            seconds=seconds,
            warm_s=warm_s,
            carriers=tuple(listed(carriers)),
            merchants=merchants,
            time_outs=time_outs,
            lost_answers=lost_answers,
            latency_ms=latency(latency_ms),
            pace=pace,
            workers=workers,
            fates=tuple((name, int(weight)) for name, weight in pairs(listed(fates), None)),
        )
        files = Files.given(out, html, as_json, junit)
        where = Where(keep, store_url, port)
        code = judged(options, goals.parsed(goal or ()), where, files)
    raise typer.Exit(code)


def peak_command(
    seed: Seed = 7,
    carriers: Carriers = ALL,
    p99_ms: Annotated[float, typer.Option("--p99", help="What every method keeps, in ms.")] = 1_000,
    seconds: Seconds = PEAK_S,
    workers: Workers = 1,
    pace: Pace = WHOLE_LIVES,
    most: Annotated[float, typer.Option(help="Rate that is not gone beyond.")] = PEAK_MOST,
    store_url: Store = "",
    keep: Keep = None,
    out: Out = None,
) -> None:
    """The highest rate of a merchant's day with p99 below a second; judged at that rate."""
    with refusing():
        wanted = goals.parsed([f"p99={p99_ms:g}", f"p50={p99_ms:g}"])
        options = Options(
            seed=seed,
            seconds=seconds,
            warm_s=PEAK_WARM_S,
            pace=pace,
            carriers=tuple(listed(carriers)),
            workers=workers,
        )
        best = search(options, wanted, most, store_url)
        if best is None:
            print(f"no rate from {PEAK_FROM:g} a second on keeps p99 below {p99_ms:g} ms")
            raise typer.Exit(MISSED)
        options = replace(options, scenarios=(("day", best),))
        files = Files.given(out, None, None, None)
        code = judged(options, wanted, Where(keep, store_url), files)
        print(f"peak: {best:g} interceptions a second with p99 below {p99_ms:g} ms")
    raise typer.Exit(code)


def soak_command(
    minutes: Annotated[int, typer.Option(help="Length of the measured load.", min=1)] = 20,
    rate: Rate = 20.0,
    seed: Seed = 7,
    carriers: Carriers = ALL,
    workers: Workers = 1,
    pace: Pace = WHOLE_LIVES,
    goal: Goals = None,
    store_url: Store = "",
    keep: Keep = None,
    out: Out = None,
) -> None:
    """A merchant's day for long, with the memory of the gateway over time."""
    with refusing():
        options = Options(
            seed=seed,
            scenarios=(("day", rate),),
            seconds=float(minutes * MINUTE_S),
            pace=pace,
            carriers=tuple(listed(carriers)),
            workers=workers,
        )
        files = Files.given(out, None, None, None)
        where = Where(keep, store_url)
        code = judged(options, goals.parsed(goal or ()), where, files, every_s=float(MINUTE_S))
    raise typer.Exit(code)


def plan_command(
    scenario: Scenarios = None,
    rate: Rate = 50.0,
    seconds: Seconds = 60.0,
    seed: Seed = 7,
    carriers: Carriers = ALL,
    workers: Workers = 1,
    totals: Annotated[bool, typer.Option(help="What it comes to, in the plan's place.")] = False,
) -> None:
    """The plan of a run as one line, for Locust by hand; or what it has to come to."""
    with refusing():
        options = Options(
            seed=seed,
            scenarios=tuple(pairs(scenario or ["day"], rate)),
            seconds=seconds,
            carriers=tuple(listed(carriers)),
            workers=workers,
        )
    made = Plan(options)
    text = json.dumps(asdict(expected.totals(made.arrivals, made))) if totals else ""
    print(text or plan.dumped(options))


# -- doing it -----------------------------------------------------------------------------


def judged(
    options: Options,
    wanted: Sequence[Goal],
    where: Where,
    files: Files,
    every_s: float = SAY_S,
) -> int:
    """Run, compare, write, print. The exit code."""
    screen = console()
    with directory(where.keep) as place:
        at = Place(place, where.store_url, where.port)
        result = run(options, at, Teller(screen, every_s))
        reached = compared(wanted, result)
        write(result, reached, files)
    show(result, reached, screen)
    if result.differences:
        return DIFFERENT
    return GOOD if all(one.met for one in reached) else MISSED


def compared(wanted: Sequence[Goal], result: Result) -> list[Reached]:
    return goals.reached(wanted, result.rows, result.late_p99_ms, result.unserved)


def search(options: Options, wanted: Sequence[Goal], most: float, store_url: str) -> float | None:
    """Doubling while it holds, then halving between what holds and what does not."""
    holds, fails, rate = 0.0, 0.0, PEAK_FROM
    while not fails and rate <= most:
        if holds_at(rate, options, wanted, store_url):
            holds, rate = rate, rate * 2
        else:
            fails = rate
    for _ in range(PEAK_STEPS if fails and holds else 0):
        rate = round((holds + fails) / 2, 1)
        if holds_at(rate, options, wanted, store_url):
            holds = rate
        else:
            fails = rate
    return holds or None


def holds_at(rate: float, options: Options, wanted: Sequence[Goal], store_url: str) -> bool:
    trial = replace(options, scenarios=(("day", rate),))
    with directory(None) as place:
        result = run(trial, Place(place, store_url), Announce(), judged=False)
    missed = [str(one) for one in compared(wanted, result) if not one.met]
    used = ", ".join(f"{name} {value:.2f}" for name, value in pages.cores(result).items())
    print(f"{rate:7g} a second: {'; '.join(missed) or 'holds'} (cores: {used})", flush=True)
    return not missed


def write(result: Result, reached: Sequence[Reached], files: Files) -> None:
    made: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (files.html, lambda: pages.with_verdict(result.html.read_text("utf-8"), result, reached)),
        (files.json, lambda: json.dumps(pages.as_json(result, reached), indent=1) + "\n"),
        (files.junit, lambda: pages.junit(result, reached)),
    )
    for path, text in made:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(), "utf-8")


# -- printing -----------------------------------------------------------------------------


class Teller(Announce):
    """Says on the way how far it is."""

    def __init__(self, screen: Console, every_s: float) -> None:
        self._screen = screen
        self._every_s = every_s
        self._next_s = every_s
        self._last: list[Sample] = []

    def expected(self, plan: Plan, totals: Totals) -> None:
        rates = ", ".join(f"{name} {rate:g}/s" for name, rate in plan.options.scenarios)
        self._say(
            f"{rates} for {plan.options.seconds:g} s after {plan.options.warm_s:g} s of warm-up, "
            f"{len(plan.options.carriers)} carriers, seed {plan.options.seed}"
        )
        self._say(
            f"expected before the first call: {totals.interceptions} interceptions, "
            f"{yuan(totals.held_minor)} held, {span(totals.kept_minor)} kept, "
            f"{span(totals.returned_minor)} back, {span(totals.awards_minor)} in awards"
        )

    def begun(self) -> None:
        self._say("load begins")

    def sampled(self, sample: Sample) -> None:
        self._last = [*self._last[-int(self._every_s) :], sample]
        if sample.at_s < self._next_s:
            return
        self._next_s += self._every_s
        states = " ".join(f"{name.lower()} {n}" for name, n in sorted(sample.states.items()))
        used = ", ".join(
            f"{name} {per_second(self._last, name, 0):.2f} cores "
            f"{sample.rss_bytes.get(name, 0) / pages.MEGABYTE:.0f} MiB"
            for name in PROCESSES
        )
        self._say(f"{sample.at_s:6.0f} s  {states}; {used}")

    def settling(self) -> None:
        self._say("load is over; business time goes on until all has settled")

    def _say(self, text: str) -> None:
        self._screen.print(text, soft_wrap=True, markup=False)


def span(amount: Span) -> str:
    if amount.least == amount.most:
        return yuan(amount.least)
    return f"{yuan(amount.least)} to {yuan(amount.most)}"


def show(result: Result, reached: Sequence[Reached], screen: Console) -> None:
    screen.print(_methods(result))
    told = result.told
    for name, used in pages.cores(result).items():
        sizes = [size // pages.MEGABYTE for size in pages.rss(result.samples, name).values()]
        memory = f"  MiB over time: {' → '.join(map(str, sizes))}" if sizes else ""
        screen.print(f"{name:<16} {used:.2f} cores{memory}", soft_wrap=True)
    late = max((line["late_max_ms"] for line in told.workers), default=0.0)
    again = sum(line["came_again"] for line in told.workers)
    screen.print(
        f"arrivals late by {result.late_p99_ms:.0f} ms (p99), {late:.0f} ms (most); {again} told "
        f"to come again; {result.pushes} pushes; {len(told.claims)} claims filed under load; "
        f"{result.repeated} Creates asked for again; left after the load: {result.drained_s:.1f} s "
        f"of work; settled and gathered in {result.settle_s:.0f} s",
        soft_wrap=True,
    )
    for why, count in result.refused.items():
        screen.print(f"refused {count} times: {why}", soft_wrap=True, markup=False)
    for why, count in result.claims_refused.items():
        screen.print(f"claim refused {count} times: {why}", soft_wrap=True, markup=False)
    for one in reached:
        if not one.met:
            screen.print(f"goal missed: {one}", soft_wrap=True)
    show_rules(result, screen)
    print(pages.last_line(result), flush=True)


def show_rules(result: Result, screen: Console) -> None:
    """What differs, rule by rule, and how many rules there were."""
    for rule in result.rules:
        if rule.violations:
            screen.print(f"FAIL  {rule.name}  {rule.title}", soft_wrap=True, markup=False)
            for line in pages.difference_lines(result, rule):
                screen.print(f"        {line}", soft_wrap=True, markup=False)
    broken = sum(1 for rule in result.rules if rule.violations)
    screen.print(f"{len(result.rules)} rules, {broken} broken")


def _methods(result: Result) -> Table:
    table = Table(title="Answers, in ms", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    for column in ("calls", "failures", "a second", "p50", "p90", "p99"):
        table.add_column(column, justify="right")
    for row in sorted(result.rows, key=lambda row: -row.calls):
        numbers = [row.calls, row.failures, round(row.calls / result.options.seconds, 1)]
        numbers += [row.percentile(part) for part in (50, 90, 99)]
        table.add_row(row.name, *map(str, numbers))
    return table
