"""Growth as a table, a page and a picture."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from loadtest.bench import svg
from loadtest.bench.sides import percentile
from loadtest.bench.stage import Engine
from loadtest.bench.svg import BAD, COLOURS, GOOD, GRID, INK, QUIET, Scale
from loadtest.bench.tables import STORES, Sheet, machine, markdown, verdict
from loadtest.fleet import Json
from loadtest.growth.measure import FAR, GOAL, Curve, Name, Options

WHAT: Mapping[Name, str] = {
    Name.CREATE: "Create",
    Name.LIST: "List by merchant and time",
    Name.GET: "Get",
}
PANEL, GAP, HEIGHT, LEFT, TOP, BOTTOM = 420, 84, 400, 64, 112, 56
TITLE = "CPU time of an operation as the store grows"
SUPER = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(size: int) -> str:
    """10⁴ where it is one; else with its digits in groups."""
    digits = str(size)
    plain = digits.strip("0") == "1" and digits[0] == "1"
    return "10" + str(len(digits) - 1).translate(SUPER) if plain else f"{size:,}".replace(",", " ")


def sheet(curves: Sequence[Curve]) -> Sheet:
    sizes = sorted({size for curve in curves for size in curve.phases})
    base = curves[0].base
    heads = ("operation", "store", *(f"{power(size)}, µs" for size in sizes))
    heads += (f"{power(sizes[-1])} / {power(base)}", "spread", "goal", "")
    heads += (f"{power(FAR)} / {power(base)} by slope",)
    rows = []
    for curve in curves:
        ratios, far = curve.ratios(sizes[-1]), curve.far
        rows.append(
            (
                WHAT[curve.name],
                STORES[curve.engine],
                *(f"{curve.cost(size):,.0f}".replace(",", " ") for size in sizes),
                f"{median(ratios):.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                f"≤ {GOAL:g}",
                verdict(curve.met),
                "–" if far is None else f"{far[0]:.2f}; {far[1]:.2f}",
            )
        )
    return Sheet(heads, rows)


def notes(options: Options) -> Iterator[str]:
    yield (
        f"Medians of {options.runs} runs of {options.count} operations, {options.callers} callers; "
        "all sizes are up at once, and their runs alternate. On PostgreSQL the server's CPU time "
        "is part of it."
    )
    yield (
        "By slope: a straight line over the logarithm of the size, as where a tree is searched; "
        "over the size itself, as where rows are gone through."
    )
    yield (
        "Every stored interception has all its rows: parcel, orders, persons, scans, pushes, "
        "quote, request, events, attempts, evidence, transfers, finished jobs. They are spread "
        "over 30 days and ten merchants."
    )


def page(curves: Sequence[Curve], options: Options, command: str, image: str) -> str:
    lines = [f"# {TITLE}", "", f"Written by `{command}`. {machine()}.", ""]
    lines += [f"![{TITLE}]({image})", "", *markdown(sheet(curves)), ""]
    lines += [f"{line}\n" for line in notes(options)]
    return "\n".join(lines).rstrip() + "\n"


def as_json(curves: Sequence[Curve]) -> Json:
    return {
        f"{curve.name} {curve.engine}": {
            "met": curve.met,
            "at_10_7": curve.far,
            "sizes": {
                str(size): {
                    "cpu_us": curve.cost(size),
                    "ratio": curve.ratio(size),
                    "ratios": curve.ratios(size),
                    "p50_ms": median(percentile(p.latencies_ms, 50) for p in curve.phases[size]),
                }
                for size in curve.sizes
            },
        }
        for curve in curves
    }


# -- the picture --------------------------------------------------------------------------


def picture(curves: Sequence[Curve]) -> str:
    """A panel for each engine: times the cost at the base, over the size."""
    engines = list(dict.fromkeys(curve.engine for curve in curves))
    most = max((r for c in curves for n in c.sizes for r in c.ratios(n)), default=1.0)
    marks = [
        svg.text(24, 30, TITLE, size=17, bold=True),
        svg.text(
            24,
            51,
            f"times the cost at {power(curves[0].base)} stored interceptions, median of the runs "
            f"and their range; µs are those at {power(curves[0].sizes[-1])}",
            fill=QUIET,
        ),
    ]
    for number, engine in enumerate(engines):
        shown = [curve for curve in curves if curve.engine is engine]
        marks += _panel(engine, shown, number * (PANEL + GAP), max(1.4, most * 1.05))
    width = max(len(engines) * (PANEL + GAP), 620)
    return svg.page(width, HEIGHT, TITLE, marks)


def _panel(engine: Engine, curves: Sequence[Curve], left: float, high: float) -> Iterator[str]:
    sizes = curves[0].sizes
    low = 0.5
    across = Scale(sizes[0] * 0.7, sizes[-1] * 1.4, left + LEFT, left + PANEL, log=True)
    up = Scale(low, high, HEIGHT - BOTTOM, TOP, log=high > 4)
    yield svg.text(left + LEFT, TOP - 36, STORES[engine], bold=True)
    for tick in _ticks(low, high):
        y = up(tick)
        yield svg.line(left + LEFT, y, left + PANEL, y, INK if tick == 1 else GRID)
        said = f"{tick:g} ×"
        yield svg.text(left + LEFT - 8, y + 4, said, anchor="end", fill=QUIET, size=12)
    goal = up(GOAL)
    yield svg.line(left + LEFT, goal, left + PANEL, goal, GOOD, 1.4, "5 4")
    yield svg.text(left + PANEL + 8, goal + 4, f"goal {GOAL:g} ×", fill=GOOD, size=12)
    for size in sizes:
        x = across(size)
        yield svg.text(x, HEIGHT - BOTTOM + 20, power(size), anchor="middle", fill=QUIET, size=12)
    middle = left + (LEFT + PANEL) / 2
    yield svg.text(
        middle, HEIGHT - 14, "stored interceptions", anchor="middle", fill=QUIET, size=12
    )
    for number, curve in enumerate(curves):
        yield from _line(curve, COLOURS[number], across, up, number * 7 - 7)
        cost = f"{curve.cost(sizes[-1]):,.0f}".replace(",", " ")
        said = f"{WHAT[curve.name].split()[0]} {cost} µs"
        x = left + LEFT + number * 124
        yield svg.dot(x + 5, TOP - 18, 4, COLOURS[number])
        yield svg.text(x + 14, TOP - 14, said, fill=COLOURS[number], size=12)


def _line(curve: Curve, colour: str, across: Scale, up: Scale, aside: float) -> Iterator[str]:
    """Set aside a little, so that the ranges of several do not cover each other."""
    points = [(across(size) + aside, up(curve.ratio(size))) for size in curve.sizes]
    yield svg.path(points, colour)
    for size, (x, y) in zip(curve.sizes, points, strict=True):
        ratios = curve.ratios(size)
        yield svg.line(x, up(min(ratios)), x, up(max(ratios)), colour, 1.4)
        over = curve.met is False and curve.ratio(size) > GOAL
        if over:
            yield svg.dot(x, y, 6.5, BAD, 0.25)
        yield svg.dot(x, y, 4, colour)


def _ticks(low: float, high: float) -> Iterator[float]:
    if high > 4:
        yield from (
            tick
            for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100)
            if low <= tick <= high
        )
        return
    step = 0.1 if high < 1.6 else 0.25 if high < 2.5 else 0.5
    for number in range(int(low / step), int(high / step) + 1):
        if low <= number * step <= high:
            yield round(number * step, 2)
