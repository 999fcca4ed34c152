"""One set of axes, drawn once, as an SVG element for a page: settings, margins, text and shapes that all plots share."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from components._core.report.palette import SERIES
from components._core.report.svg import INK, MUTED, RULE, embed

_PADDING = 3.0
_LONGEST_NAME = 28
_BOX = [int(code) for code in (Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY)]
# Any: the names that Matplotlib types as literals differ between its versions
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "naru",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 12.5,
    "axes.titlesize": 12.5,
    "axes.labelsize": 12.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.35,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 12.5,
}


def draw_axes(draw: Callable[[Axes], None], width: float, height: float, grow: float = 1.0) -> str:
    """Draw on one set of axes and return the SVG element.

    Matplotlib's own layout engine and `savefig` would draw everything four times over; here the margins are measured
    once.

    Args:
        draw: Draws on the axes.
        width: Figure width in pixels (the page is 600 px wide).
        height: Figure height in pixels.
        grow: See `svg.embed`.
    """
    written = io.StringIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # the page's fonts draw the text; if Matplotlib's font lacks a glyph, only the measured width is inexact
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        canvas: Any = FigureCanvasSVG(figure)  # Any: its methods carry no types
        axes = figure.add_axes((0.12, 0.12, 0.8, 0.8), anchor="NW", facecolor="none")
        draw(axes)
        _fit(axes, width, height)
        canvas.print_svg(written, metadata={"Date": None})
    return embed(written.getvalue(), grow)


def _fit(axes: Axes, width: float, height: float) -> None:
    """Give the axes the room that their labels leave, but at least half of the figure."""
    outer = axes.get_tightbbox()
    if outer is None or not axes.axison:
        return
    inner = axes.get_window_extent()
    left = min(inner.x0 - outer.x0 + _PADDING, width / 2)
    bottom = min(inner.y0 - outer.y0 + _PADDING, height / 2)
    right = max(min(outer.x1 - inner.x1, width / 4), 0.0) + _PADDING
    top = max(min(outer.y1 - inner.y1, height / 4), 0.0) + _PADDING
    axes.set_position((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))


def fill_boxes(axes: Axes, boxes: Iterable[tuple[float, float, float, float]], alpha: float) -> None:
    """Fill rectangles (left, bottom, right, top) as one shape, which stays small and fast for any number of them."""
    corners: list[tuple[float, float]] = []
    codes: list[int] = []
    for left, bottom, right, top in boxes:
        corners += [(left, bottom), (left, top), (right, top), (right, bottom), (left, bottom)]
        codes += _BOX
    if corners:
        axes.add_artist(
            PathPatch(Path(corners, codes), facecolor=SERIES[0], edgecolor="none", alpha=alpha, clip_on=False)
        )


def printable(text: str) -> str:
    """Make a text valid in XML: control characters and lone surrogates become spaces and question marks."""
    kept = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return kept.encode("utf-8", "replace").decode("utf-8")


def shorten(name: str, most: int = _LONGEST_NAME) -> str:
    """Shorten a name to that many characters by cutting its middle, since names often differ at their end."""
    name = printable(name)
    if len(name) <= most:
        return name
    head = (most - 1) * 2 // 3
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"
