"""Small drawings for pages with many of them, written as SVG by hand: an image without Matplotlib makes them too.

Colours come from the page, as of all drawings (`svg.py`). Equal numbers give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from components._core.report.number_format import show
from components._core.report.palette import paint

WIDTH, _HEIGHT = 270, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 8.0, 8.0, 18.0
_ROW = 19
_MOST_ROWS = 12
_SHORT = 18


def trend(values: Sequence[float | None], labels: tuple[str, str], bound: float | None, alarms: Sequence[bool]) -> str:
    """Draw a value over time, with a dashed bound; windows that alarm are filled dots.

    Args:
        values: A value for each window, the oldest first; None where there is none.
        labels: Text below the first and the last window.
        bound: A bound to draw; None: there is none.
        alarms: Whether each window alarms.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    most = max([*known, bound or 0.0, 1e-9]) * 1.1
    width, height = WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(place: int, value: float) -> tuple[float, float]:
        x = _LEFT + width * (place + 0.5) / max(len(values), 1)
        return x, _TOP + height * (1 - min(value / most, 1.0))

    parts = [_line(_LEFT, _TOP + height, WIDTH - _RIGHT, _TOP + height, "axis")]
    parts += [_text(_LEFT - 4, _TOP + 8, show(most), "end"), _text(_LEFT - 4, _TOP + height, "0", "end")]
    parts += [_text(_LEFT, _HEIGHT - 4, labels[0], "start"), _text(WIDTH - _RIGHT, _HEIGHT - 4, labels[1], "end")]
    if bound is not None:
        y = at(0, bound)[1]
        parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "muted", dashed=True))
    points = [at(place, value) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
    if len(points) > 1:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<path d="M{joined.replace(" ", "L")}" fill="none" stroke="{paint("series-1")}" stroke-width="1.6"/>'
        )
    for place, (value, is_alarm) in enumerate(zip(values, alarms, strict=True)):
        if value is not None and math.isfinite(value):
            x, y = at(place, value)
            colour = paint("bad" if is_alarm else "series-1")
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3.2 if is_alarm else 1.8}" fill="{colour}"/>')
    return _svg(parts, WIDTH, _HEIGHT)


def paired_bars(names: Sequence[str], before: Sequence[float], now: Sequence[float]) -> str:
    """Draw the shares of two sets of rows side by side, a row for each cell; those that differ most when there are many.

    Args:
        names: Name of each cell.
        before: Share of each cell in the reference, drawn pale.
        now: Share of each cell in the window, drawn full.
    """
    chosen = list(range(len(names)))
    if len(chosen) > _MOST_ROWS:
        by_change = sorted(chosen, key=lambda place: -abs(now[place] - before[place]))
        chosen = sorted(by_change[:_MOST_ROWS])
    most = max([*(before[place] for place in chosen), *(now[place] for place in chosen), 1e-9])
    left, room = 124.0, WIDTH - 124.0 - 44.0
    parts = []
    for row, place in enumerate(chosen):
        y = 4 + row * _ROW
        parts.append(_text(left - 6, y + 12, _shorten(names[place]), "end"))
        parts.append(_bar(left, y + 2, room * before[place] / most, "series-1", 0.3))
        parts.append(_bar(left, y + 9, room * now[place] / most, "series-1", 1.0))
        end = left + room * max(before[place], now[place]) / most
        parts.append(_text(end + 4, y + 12, f"{now[place]:.1%}", "start"))
    return _svg(parts, WIDTH, 10 + _ROW * len(chosen))


def _svg(parts: Sequence[str], width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'style="width: 100%; max-width: {width:g}px">{"".join(parts)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="3 3"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{paint(colour)}"{dash}/>'


def _bar(x: float, y: float, width: float, colour: str, opacity: float) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="6" fill="{paint(colour)}" fill-opacity="{opacity:g}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font-size: 10.5px" '
        f'fill="{paint("muted")}">{escape(text)}</text>'
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
