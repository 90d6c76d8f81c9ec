"""Pictures as SVG, written from numbers alone: the few marks that a chart of ours is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import log10

FONT = "font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif\""
INK, QUIET, GRID, GOOD, BAD = "#1f2328", "#636c76", "#e4e7eb", "#1a7f37", "#b3261e"
COLOURS = ("#1b6ca8", "#c2571a", "#6a4c93", "#3d8d9b")


def page(width: float, height: float, title: str, marks: Iterable[str]) -> str:
    """On white, so that it can be read on a dark page too."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" {FONT} font-size="13" role="img" '
        f'aria-label="{escape(title, quote=True)}">\n'
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>\n'
        + "\n".join(marks)
        + "\n</svg>\n"
    )


def text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size: float = 13,
    bold: bool = False,
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-size="{size:g}"{weight}>{escape(said)}</text>'
    )


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, dash: str = ""
) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{stroke}" stroke-width="{width:g}" stroke-linecap="round"{dashed}/>'
    )


def dot(x: float, y: float, radius: float, fill: str, opacity: float = 1) -> str:
    seen = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"{seen}/>'


def path(points: Iterable[tuple[float, float]], stroke: str) -> str:
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{told}" fill="none" stroke="{stroke}" stroke-width="2" '
        'stroke-linejoin="round"/>'
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places on the paper; by powers of ten where `log` is set."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = log10(low), log10(high), log10(at)
        return self.start + (self.end - self.start) * (at - low) / (high - low)
