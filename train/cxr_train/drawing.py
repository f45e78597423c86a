"""Figures as SVG text, to stand inside a page or as files: lines, intervals, points, matrices.

One look for all pages; every word is escaped; the same figures give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup, escape

from edge_infer.model.model_card import Interval

COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#8b4a9c", "#a8912a", "#3a8f99", "#b23a5e", "#666666")
INK, FAINT, RULE = "#222222", "#6b6b6b", "#d9d9d9"
STUDY = "#b00020"
"""What others measured, apart from all colours of our own."""
_FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, kw_only=True)
class Box:
    """The part of a figure where values are drawn, and the values at its edges."""

    left: float
    top: float
    width: float
    height: float
    low: float
    high: float
    """Of the values across."""
    bottom: float = 0.0
    upper: float = 1.0
    """Of the values upwards."""

    def x(self, value: float) -> float:
        """Return where a value lies across."""
        return self.left + self.width * (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        """Return where a value lies upwards."""
        share = (value - self.bottom) / (self.upper - self.bottom)
        return self.top + self.height * (1 - share)


def svg(width: float, height: float, parts: Sequence[str], title: str) -> Markup:
    """Return a whole figure of this size, named for those who cannot see it."""
    return Markup(
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' "
        f"width='{width:g}' height='{height:g}' role='img' {_FONT} font-size='12'>"
        f"<title>{escape(title)}</title>"
        f"<rect width='100%' height='100%' fill='#ffffff'/>{''.join(parts)}</svg>"
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: float = 12,
    colour: str = INK,
    bold: bool = False,
) -> str:
    """Return words whose baseline begins, ends (`end`) or is centred (`middle`) at a point."""
    weight = " font-weight='600'" if bold else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size:g}' "
        f"fill='{colour}'{weight}>{escape(words)}</text>"
    )


def line(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    *,
    colour: str = RULE,
    width: float = 1,
    dash: str = "",
) -> str:
    """Return a straight line."""
    dashed = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' stroke='{colour}' "
        f"stroke-width='{width:g}'{dashed}/>"
    )


def dot(x: float, y: float, radius: float, colour: str, *, hollow: bool = False) -> str:
    """Return a point."""
    fill = "#ffffff" if hollow else colour
    return (
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{fill}' stroke='{colour}' "
        "stroke-width='1.5'/>"
    )


def circle(x: float, y: float, radius: float, colour: str) -> str:
    """Return a ring that hides nothing behind it."""
    return (
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{colour}' fill-opacity='0.12' "
        f"stroke='{colour}'/>"
    )


def whisker(
    box: Box, y: float, estimate: Interval, colour: str, *, hollow: bool = False
) -> Iterator[str]:
    """Yield an estimate with its interval as a bar across."""
    low, high = box.x(max(box.low, estimate.low)), box.x(min(box.high, estimate.high))
    yield line(low, y, high, y, colour=colour, width=2.5)
    for end in (low, high):
        yield line(end, y - 4, end, y + 4, colour=colour, width=1.5)
    yield dot(box.x(estimate.value), y, 4, colour, hollow=hollow)


def ticks(low: float, high: float, *, most: int = 6) -> tuple[float, ...]:
    """Return round values from `low` to `high`."""
    rough = (high - low) / most
    unit = 10 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first = -int(-low / step + 1e-9) if low < 0 else int(low / step + 1 - 1e-9)
    found = [round(number * step, 10) for number in range(first, int(high / step + 1e-9) + 1)]
    return tuple(value + 0.0 for value in found)


def axis_across(box: Box, label: str) -> Iterator[str]:
    """Yield the values across, with rules upwards, and what they are."""
    for value in ticks(box.low, box.high):
        x = box.x(value)
        yield line(x, box.top, x, box.top + box.height)
        yield text(x, box.top + box.height + 15, f"{value:g}", anchor="middle", size=11)
    middle = box.left + box.width / 2
    yield text(middle, box.top + box.height + 31, label, anchor="middle", colour=FAINT)


def axis_upwards(box: Box, label: str) -> Iterator[str]:
    """Yield the values upwards, with rules across, and what they are."""
    for value in ticks(box.bottom, box.upper):
        y = box.y(value)
        yield line(box.left, y, box.left + box.width, y)
        yield text(box.left - 6, y + 4, f"{value:g}", anchor="end", size=11)
    yield text(box.left - 34, box.top - 10, label, colour=FAINT)


def curve(
    box: Box, points: Sequence[tuple[float, float]], colour: str, *, dots: bool
) -> Iterator[str]:
    """Yield a line through points of values."""
    places = [(box.x(x), box.y(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='1.8'/>"
    if dots:
        yield from (dot(x, y, 2.5, colour) for x, y in places)


def legend(x: float, y: float, names: Sequence[str]) -> Iterator[str]:
    """Yield the names of curves below each other, in the order of COLOURS."""
    for place, name in enumerate(names):
        row = y + 18 * place
        yield line(x, row - 4, x + 18, row - 4, colour=COLOURS[place % len(COLOURS)], width=3)
        yield text(x + 24, row, name, size=11.5)


def matrix(
    x: float,
    y: float,
    side: float,
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    title: str,
) -> Iterator[str]:
    """Yield a confusion matrix: rows are the truth, shares of a row are given by shade."""
    cell = side / len(counts)
    yield text(x, y - 24, title, bold=True)
    for place, name in enumerate(names):
        yield text(x + cell * (place + 0.5), y - 6, name, anchor="middle", size=10.5, colour=FAINT)
        yield text(x - 6, y + cell * (place + 0.5) + 4, name, anchor="end", size=10.5, colour=FAINT)
    for row, numbers in enumerate(counts):
        for column, count in enumerate(numbers):
            share = count / max(1, sum(numbers))
            left, top = x + cell * column, y + cell * row
            yield (
                f"<rect x='{left:.1f}' y='{top:.1f}' width='{cell:.1f}' height='{cell:.1f}' "
                f"fill='#1f5fa8' fill-opacity='{share:.3f}' stroke='#ffffff'/>"
            )
            ink = "#ffffff" if share > 0.55 else INK
            middle = left + cell / 2
            yield text(middle, top + cell / 2 + 4, str(count), anchor="middle", colour=ink)


@dataclass(frozen=True, kw_only=True)
class Row:
    """An estimate under its name, and perhaps what it should reach."""

    name: str
    estimate: Interval
    told: str = ""
    """What stands behind it: the number of films, a verdict."""
    mark: float | None = None
    colour: int = 0
    """Number of one of COLOURS."""


def draw_rows(rows: Sequence[Row], label: str, *, width: float = 1060) -> Markup:
    """Draw proportions, 0 to 1, each with its interval in a row of its own, goals as marks."""
    # Letters are some six and a half pixels wide: no name may begin outside the picture.
    left = 24 + 6.7 * max([20, *(len(one.name) for one in rows)])
    right, row = 220.0, 24.0
    height = row * max(1, len(rows))
    box = Box(left=left, top=10, width=width - left - right, height=height, low=0, high=1)
    parts = list(axis_across(box, label))
    for place, one in enumerate(rows):
        y = box.top + row * (place + 0.5)
        parts.append(text(left - 12, y + 4, one.name, anchor="end"))
        parts += whisker(box, y, one.estimate, COLOURS[one.colour])
        if one.mark is not None:
            x = box.x(one.mark)
            parts.append(line(x, y - 10, x, y + 10, colour=STUDY, width=2, dash="4 3"))
        parts.append(text(box.left + box.width + 14, y + 4, one.told, size=11.5, colour=FAINT))
    return svg(width, box.top + height + 40, parts, label)
