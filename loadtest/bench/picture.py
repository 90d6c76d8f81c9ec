"""The benchmark as a picture: how many times its floor each operation costs, beside its goal."""

from collections.abc import Iterator, Sequence

from loadtest.bench import svg
from loadtest.bench.results import Result, middle
from loadtest.bench.svg import BAD, COLOURS, GOOD, GRID, INK, QUIET, Scale
from loadtest.bench.tables import STORES

WIDTH, ROW, TOP, BOTTOM = 960, 34, 76, 44
LEFT, RIGHT = 310, 210
TICKS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
TITLE = "CPU time of the gateway, times a bare floor"
LEGEND = "each dot a pair of rounds, the line their median; the bracket is the goal"


def costs(results: Sequence[Result]) -> str:
    most = max((ratio for each in results for ratio in each.pairs.ratios), default=1.0)
    high = next((tick for tick in TICKS if tick >= most * 1.05 and tick > 1), most * 1.1)
    scale = Scale(0.9, high, LEFT, WIDTH - RIGHT, log=True)
    height = TOP + ROW * len(results) + BOTTOM
    marks = [
        svg.text(24, 30, TITLE, size=17, bold=True),
        svg.text(24, 51, LEGEND, fill=QUIET),
        *_grid(scale, TOP, height - BOTTOM),
        svg.text(WIDTH - 24, TOP - 8, "gateway / floor, µs", anchor="end", fill=QUIET, size=12),
    ]
    for number, each in enumerate(results):
        marks += _row(each, scale, TOP + ROW * number + ROW / 2)
    return svg.page(WIDTH, height, TITLE, marks)


def _grid(scale: Scale, top: float, bottom: float) -> Iterator[str]:
    last = -100.0
    for tick in TICKS:
        x = scale(tick)
        if tick > scale.high or x - last < 34:
            continue
        last = x
        floor = tick == 1
        yield svg.line(x, top, x, bottom, INK if floor else GRID, 1.4 if floor else 1)
        said = "floor" if floor else f"{tick:g} ×"
        yield svg.text(x, bottom + 20, said, anchor="middle", fill=QUIET, size=12)


def _row(each: Result, scale: Scale, y: float) -> Iterator[str]:
    colour = {None: COLOURS[0], True: GOOD, False: BAD}[each.met]
    yield svg.text(LEFT - 34, y + 4.5, f"{each.operation.per}, {STORES[each.engine]}", anchor="end")
    yield svg.line(scale(1), y, scale(each.ratio), y, colour, 2)
    for ratio in each.pairs.ratios:
        yield svg.dot(scale(ratio), y, 4, colour, 0.45)
    x = scale(each.ratio)
    yield svg.line(x, y - 9, x, y + 9, colour, 3)
    if each.operation.goal is not None:
        goal = scale(each.operation.goal)
        for end in (y - 9, y + 9):
            yield svg.line(goal, end, goal - 5, end, INK, 1.6)
        yield svg.line(goal, y - 9, goal, y + 9, INK, 1.6)
    own, floor = middle(each.pairs.own), middle(each.pairs.floor)
    told = f"{own:,.0f} / {floor:,.0f}".replace(",", " ")
    yield svg.text(WIDTH - RIGHT + 26, y + 4.5, f"{each.ratio:.2f} ×", fill=colour, bold=True)
    yield svg.text(WIDTH - 24, y + 4.5, told, anchor="end", fill=QUIET)
