"""Line charts as SVG, drawn with nothing but numbers: what goes into the report's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 28, 28
COLOURS = ("#1b6ca8", "#2a9d57", "#d1495b", "#edae49", "#6a4c93", "#3d8d9b", "#8c6d31", "#777777")
TICKS = 4
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over seconds, all in one unit."""

    title: str
    unit: str
    lines: Mapping[str, Points]


def svg(chart: Chart) -> str:
    points = [point for line in chart.lines.values() for point in line]
    if not points:
        return ""
    most_x = max(x for x, _ in points) or 1.0
    most_y = _round_up(max(y for _, y in points) or 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escape(chart.title, quote=True)}">',
        f'<text x="{LEFT}" y="16" class="t">{escape(chart.title)}</text>',
        *_axes(most_x, most_y, chart.unit),
    ]
    for number, (name, line) in enumerate(chart.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{_x(x, most_x):.1f},{_y(y, most_y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        height = TOP + 14 + 16 * number
        parts.append(
            f'<text x="{WIDTH - RIGHT + 10}" y="{height}" fill="{colour}">{escape(name)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _axes(most_x: float, most_y: float, unit: str) -> list[str]:
    parts = []
    for tick in range(TICKS + 1):
        y, x = most_y * tick / TICKS, most_x * tick / TICKS
        height, width = _y(y, most_y), _x(x, most_x)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
            'stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{y:g}</text>'
            f'<text x="{width:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{x:.0f} s</text>'
        )
    parts.append(f'<text x="{LEFT - 6}" y="16" text-anchor="end">{escape(unit)}</text>')
    return parts


def _x(x: float, most: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * x / most


def _y(y: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / most


def _round_up(most: float) -> float:
    """The next 1, 2, 4 or 10 times a power of ten."""
    power = 1.0
    while power * 10 < most:
        power *= 10
    while power > most:
        power /= 10
    return next(power * step for step in (1, 2, 4, 10) if power * step >= most)
