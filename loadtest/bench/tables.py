"""A run's figures as tables: for the terminal, and as a page for the documentation."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from loadtest.bench.floors.stores import HOLD, PUSH, SETTLE
from loadtest.bench.latency import P50_MS, P99_MS, Latency
from loadtest.bench.results import Result, Run, middle, took
from loadtest.bench.sides import percentile
from loadtest.bench.stage import Engine

CONNECTS = {
    "zto": "pooled connections on both sides",
    "sf": "a fresh connection for each call on both sides: a lost request cannot be looked up",
}
STORES = {Engine.SQLITE: "SQLite", Engine.POSTGRES: "PostgreSQL"}
FLOOR_ROWS = {"create": (HOLD, SETTLE), "push": (PUSH,)}  # of each commit
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, whoever shows it."""

    heads: Row
    rows: Sequence[Row]


def verdict(met: bool | None) -> str:
    return "–" if met is None else "met" if met else "not met"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def costs(results: Sequence[Result]) -> Sheet:
    heads = (
        *("operation", "store", "gateway µs", "floor µs", "times the floor", "spread", "goal", ""),
        *("p50 ms", "p99 ms"),
    )
    rows = []
    for each in results:
        ratios, goal = each.pairs.ratios, each.operation.goal
        rows.append(
            (
                each.operation.per,
                STORES[each.engine],
                f"{middle(each.pairs.own):,.0f}".replace(",", " "),
                f"{middle(each.pairs.floor):,.0f}".replace(",", " "),
                f"{each.ratio:.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                "–" if goal is None else f"≤ {goal:g}",
                verdict(each.met),
                _ms(took(each.pairs.own, 50)),
                _ms(took(each.pairs.own, 99)),
            )
        )
    return Sheet(heads, rows)


def waits(found: Latency) -> Sheet:
    """Milliseconds, one caller."""
    heads = ("one caller, ms", "Create", "the carrier itself", "added", "goal", "", "a commit")
    goals = {50: f"≤ {P50_MS:g}", 99: f"≤ {P99_MS:g} + a commit"}
    rows = [
        (
            f"p{hundredth}",
            f"{percentile(found.create, hundredth):.2f}",
            f"{percentile(found.direct, hundredth):.2f}",
            f"{found.added(hundredth):.2f}",
            goals[hundredth],
            verdict(found.met(hundredth)),
            f"{percentile(found.commit, hundredth):.2f}",
        )
        for hundredth in (50, 99)
    ]
    return Sheet(heads, rows)


def drawn(sheet: Sheet) -> Table:
    table = Table(sheet.heads[0], title_justify="left")
    for head in sheet.heads[1:]:
        table.add_column(head, justify="right")
    for row in sheet.rows:
        table.add_row(*row)
    return table


def markdown(sheet: Sheet) -> Iterator[str]:
    yield "| " + " | ".join(sheet.heads) + " |"
    yield "|" + "---|" * len(sheet.heads)
    for row in sheet.rows:
        yield "| " + " | ".join(row) + " |"


def notes(found: Run) -> Iterator[str]:
    """What one has to know to read the figures."""
    for each in found.results:
        if each.operation.name not in FLOOR_ROWS:
            continue
        told = ", ".join(f"{name} {count:.3g}" for name, count in each.rows.items())
        bare = "; ".join(
            f"{rows.inserts} added and {rows.updates} changed, {rows.shared} more for a whole batch"
            for rows in FLOOR_ROWS[each.operation.name]
        )
        what = f"{each.operation.per}, {STORES[each.engine]}"
        yield f"{what}: the gateway adds {told}. The floor's commits: {bare}."
    yield f"{found.options.carrier}: {CONNECTS[found.options.carrier]}."
    yield (
        "The business clock stands still: the following up of what was created is not in these "
        "figures."
    )
    options = found.options
    yield (
        f"Medians of {options.rounds} pairs of rounds, {options.callers} callers; CPU time of each "
        "process by its own CPU clock, until it has nothing left to do."
    )


def machine() -> str:
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def page(found: Run, command: str, picture: str) -> str:
    """All of it, as Markdown."""
    lines = ["# CPU time per operation, beside bare floors", ""]
    lines += [f"Written by `{command}`. {machine()}.", ""]
    if found.results:
        lines += [f"![The gateway beside its floors]({picture})", ""]
        lines += [*markdown(costs(found.results)), ""]
    if found.latency is not None:
        lines += [*markdown(waits(found.latency)), ""]
    if found.results:
        lines += ["What each floor is:", ""]
        floors = {each.operation.per: each.operation.floor for each in found.results}
        lines += [f"- {name}: {floor}" for name, floor in floors.items()]
        lines += ["", *(f"{line}\n" for line in notes(found))]
    return "\n".join(lines).rstrip() + "\n"
