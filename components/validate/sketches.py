"""Small pictures of a column, many to a page: written directly as SVG, since Matplotlib takes a tenth of a second for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from components._core.report.palette import paint

WIDTH = 270
"""Width in pixels: two fit side by side in a panel of 600."""
_HEIGHT, _ROW, _NAMES = 84, 18, 104
_FILL = f"fill:{paint('series-1')};fill-opacity:0.75"
_TEXT = "fill:currentColor;font-size:11px"
_MUTED = f"fill:{paint('muted')};font-size:11px"
_AXIS = f"stroke:{paint('axis')};stroke-width:1"
_MARK = f"stroke:{paint('series-2')};stroke-width:1.2;stroke-dasharray:4 2"
_LONGEST = 16


def histogram(edges: Sequence[float], counts: Sequence[float], median: float, ends: tuple[float, float]) -> str:
    """Draw a histogram: bars between edges, labelled outer edges, the median as a dashed line.

    Args:
        edges: Ascending bounds of the bins, one more than there are counts.
        counts: Values in each bin.
        median: Median of all values; not drawn when it is outside.
        ends: The values to write below the outer edges.
    """
    low, high, most = edges[0], edges[-1], max(counts, default=0.0)
    if not all(map(math.isfinite, (low, high, most))) or high <= low or most <= 0:
        return _svg(_HEIGHT, _text(0, 40, "nothing to draw", _MUTED))

    def across(value: float) -> float:
        return (value - low) / (high - low) * WIDTH

    floor = _HEIGHT - 18
    bars = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        tall = count / most * (floor - 14)
        bars.append(_rect(across(left) + 0.5, floor - tall, across(right) - across(left) - 1, tall))
    parts = [*bars, _line(0, floor, WIDTH, floor, _AXIS), _text(0, _HEIGHT - 4, f"{ends[0]:.4g}", _MUTED)]
    parts.append(_text(WIDTH, _HEIGHT - 4, f"{ends[1]:.4g}", _MUTED, "end"))
    if low <= median <= high:
        at = across(median)
        anchor = "end" if at > WIDTH / 2 else "start"
        parts.append(_line(at, 0, at, floor, _MARK))
        parts.append(_text(at + (-4 if anchor == "end" else 4), 10, f"median {median:.4g}", _MUTED, anchor))
    return _svg(_HEIGHT, *parts)


def shares(values: dict[str, float]) -> str:
    """Draw the most frequent values: one bar each, with its share of the rows.

    Args:
        values: Share between 0 and 1 by value, in the order to draw.
    """
    most = max(values.values(), default=0.0)
    if not most > 0:
        return _svg(_HEIGHT, _text(0, 40, "nothing to draw", _MUTED))
    room = WIDTH - _NAMES - 44
    parts = []
    for place, (value, share) in enumerate(values.items()):
        top = place * _ROW + 2
        long = share / most * room
        parts.append(_text(_NAMES - 6, top + 12, shorten(value), _TEXT, "end"))
        parts.append(_rect(_NAMES, top + 2, max(long, 1), _ROW - 6))
        parts.append(_text(_NAMES + long + 4, top + 12, f"{share:.1%}", _MUTED))
    return _svg(len(values) * _ROW + 4, *parts)


def shorten(name: str, most: int = _LONGEST) -> str:
    """Shorten a name to fit beside a bar; characters invalid in XML become a space or a question mark."""
    kept = (
        "".join(letter if letter.isprintable() else " " for letter in name).encode("utf-8", "replace").decode("utf-8")
    )
    return kept if len(kept) <= most else f"{kept[: most - 5]}…{kept[-4:]}"


def _svg(height: float, *parts: str) -> str:
    start = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height:g}"'
    return f'{start} style="width:100%;max-width:{WIDTH}px">{"".join(parts)}</svg>'


def _rect(x: float, y: float, width: float, height: float) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.1):.1f}" height="{height:.1f}" style="{_FILL}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" style="{style}"/>'


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}">{escape(text)}</text>'
