"""The plots of every page, as SVG elements that are the same, byte for byte, for the same numbers.

All take plain numbers and names, and none fails on its input: NaN, infinity and empty input give a figure that says so.
Colours and fonts come from the page around it (see `svg.py`); one unit is one pixel on a page of 600.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from components._core.report.axes import draw_axes, fill_boxes, printable, shorten
from components._core.report.number_format import show
from components._core.report.palette import SERIES
from components._core.report.svg import INK, MUTED, RULE

WIDTH = 560
"""Width in pixels: the content of a side panel of 600."""
COMPACT = 270
"""Width in pixels of a compact plot: two fit side by side in a panel of 600."""
_STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 2)))
_MOST_POINTS, _MOST_BARS, _MOST_CLASSES, _MOST_NUMBERED, _MOST_SPELLED = 1_000, 60, 60, 24, 12
_SHADES = 40


def lines(series: dict[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str, diagonal: bool = False) -> str:
    """Plot curves over a common axis, such as loss by epoch or ROC.

    Args:
        series: Values on x and y by name; pairs that are not finite leave a gap.
        x: Title of the x axis, with its unit.
        y: Title of the y axis, with its unit.
        diagonal: Draw the line x = y for comparison, on square axes from 0 to 1 at least.
    """
    drawn = {name: points for name, pair in series.items() if (points := _points(*pair))}
    if not drawn:
        return _empty_figure(f"no finite values of {y} by {x}")

    def draw(axes: Axes) -> None:
        if diagonal:
            _diagonal(axes, drawn)
        for number, (name, points) in enumerate(drawn.items()):
            _curve(axes, name, points, number)
        axes.set(xlabel=printable(x), ylabel=printable(y))
        axes.grid(True)
        if all(float(at).is_integer() for points in drawn.values() for at, _ in points):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        left_out = [name for name in series if name not in drawn]
        if len(series) > 1 or left_out or diagonal:
            _legend(axes, [f"{name}: no finite values" for name in left_out])

    width, height = (440, 440) if diagonal else (WIDTH, 320)
    return draw_axes(draw, width, height)


def bars(
    values: dict[str, float],
    x: str,
    intervals: dict[str, tuple[float, float]] | None = None,
    *,
    compact: bool = False,
) -> str:
    """Plot horizontal bars in the given order, each with its number; long names are shortened.

    Args:
        values: Length by name; one that is not finite is named, without a bar.
        x: Title of the lengths, with their unit.
        intervals: Lower and upper bound by name, drawn as a whisker.
        compact: Draw it half as wide, for a page with many.
    """
    shown = list(values.items())[:_MOST_BARS]
    if not any(_finite(value) for _, value in shown):
        return _empty_figure(f"no finite values of {x}")

    def draw(axes: Axes) -> None:
        drawn = [(row, value) for row, (_, value) in enumerate(shown) if _finite(value)]
        axes.barh([row for row, _ in drawn], [value for _, value in drawn], height=0.62, color=SERIES[0], alpha=0.75)
        for row, (name, value) in enumerate(shown):
            _annotate_bar(axes, row, value, (intervals or {}).get(name))
        axes.set_yticks(range(len(shown)), [shorten(name, 14 if compact else 28) for name, _ in shown])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.margins(x=0.3 if compact else 0.12)
        axes.axvline(0, color=RULE, linewidth=0.8)
        axes.grid(True, axis="x")
        more = f" (first {len(shown)} of {len(values)})" if len(values) > len(shown) else ""
        axes.set_xlabel(printable(x + more))

    return draw_axes(draw, COMPACT if compact else WIDTH, 70 + 23 * len(shown))


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    x: str,
    marks: dict[str, float] | None = None,
    *,
    compact: bool = False,
) -> str:
    """Plot a histogram.

    Args:
        edges: Ascending bounds of the bins: one more than there are counts.
        counts: How many fall into each bin.
        x: Title of the values, with their unit.
        marks: Values to mark by name, such as `p95`; those that are not finite are left out.
        compact: Draw it half as wide and without titles, for a page with many.
    """
    bins = [
        (low, high, count)
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
        if _finite(low, high, count)
    ]
    if not bins or not any(count > 0 for *_, count in bins):
        return _empty_figure(f"no values of {x}")

    def draw(axes: Axes) -> None:
        fill_boxes(axes, ((low, 0.0, high, count) for low, high, count in bins), alpha=0.75)
        axes.set_xlim(min(low for low, *_ in bins), max(high for _, high, _ in bins))
        axes.set_ylim(0, 1.12 * max(count for *_, count in bins))
        _marks(axes, {name: at for name, at in (marks or {}).items() if _finite(at)})
        axes.grid(True, axis="y")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3 if compact else 5))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        if compact:
            whole = all(float(2 * edge).is_integer() for low, high, _ in bins for edge in (low, high))
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=whole))
        else:
            axes.set(xlabel=printable(x), ylabel="count")

    return draw_axes(draw, *((COMPACT, 130) if compact else (WIDTH, 280)))


def matrix(names: list[str], counts: list[list[int]], x: str = "predicted", y: str = "actual") -> str:
    """Plot a square of counts, such as a confusion matrix; a cell is shaded by its share of its row.

    Args:
        names: The classes, in the order of rows and columns.
        counts: Row by row (`y`), the count for each column (`x`).
        x: Title of the columns.
        y: Title of the rows.
    """
    shown = min(len(names), len(counts), _MOST_CLASSES)
    rows = [[float(count) for count in row[:shown]] for row in counts[:shown]]
    if not any(_finite(count) and count > 0 for row in rows for count in row):
        return _empty_figure(f"no counts of {y} by {x}")

    labels = [shorten(name, 18) for name in names[:shown]]
    longest = max(map(len, labels))
    upright = longest > (9 if shown <= 6 else 2)

    def draw(axes: Axes) -> None:
        _shade(axes, rows)
        if shown <= _MOST_NUMBERED:
            _number(axes, rows)
        axes.set_xticks(range(shown), labels, rotation=90 if upright else 0)
        axes.set_yticks(range(shown), labels)
        axes.tick_params(length=0, labelcolor=INK, labelsize=_cell_font(shown))
        axes.set(xlim=(-0.5, shown - 0.5), ylim=(shown - 0.5, -0.5), aspect="equal")
        axes.spines[:].set_visible(False)
        more = f" (first {shown} of {len(names)} classes)" if len(names) > shown else ""
        size = _cell_font(shown) + 1.0
        axes.set_xlabel(printable(x + more), fontsize=size)
        axes.set_ylabel(printable(y), fontsize=size)

    letters = 0.62 * _cell_font(shown) * longest
    width = min(WIDTH, 40 + letters + (96 if shown <= 4 else 74) * shown)
    height = width - letters + (letters if upright else 22)
    return draw_axes(draw, width, height, grow=1.5 if shown > _MOST_SPELLED else 1.0)


def _shade(axes: Axes, rows: list[list[float]]) -> None:
    """Shade each cell by its share of its row, in steps that are just distinguishable."""
    cells: dict[int, list[tuple[float, float, float, float]]] = {}
    for number, row in enumerate(rows):
        total = sum(count for count in row if _finite(count))
        for column, count in enumerate(row):
            share = count / total if _finite(count) and total > 0 else 0.0
            corners = (column - 0.48, number - 0.48, column + 0.48, number + 0.48)
            cells.setdefault(round(_SHADES * share), []).append(corners)
    for step, boxes in sorted(cells.items()):
        # light enough for the page's text colour
        fill_boxes(axes, boxes, alpha=0.04 + 0.46 * step / _SHADES)


def _number(axes: Axes, rows: list[list[float]]) -> None:
    for number, row in enumerate(rows):
        for column, count in enumerate(row):
            if text := _cell(count, len(rows)):
                axes.text(column, number, text, ha="center", va="center", fontsize=_cell_font(len(rows)))


def _cell(count: float, shown: int) -> str:
    """Format a count for its cell; among many classes zeros are left empty."""
    if not _finite(count):
        return "?"
    if shown <= _MOST_SPELLED:
        return f"{count:,.0f}" if count or shown <= _MOST_SPELLED // 2 else ""
    return (
        f"{count:.0f}"
        if 0 < count < 1000
        else f"{count / 1000:.1f}k"
        if 0 < count < 10_000
        else f"{count / 1000:.0f}k"
        if count
        else ""
    )


def _cell_font(shown: int) -> float:
    return 12.5 if shown <= 8 else 11.5 if shown <= _MOST_SPELLED else 9.0 if shown <= 18 else 8.0


def _curve(axes: Axes, name: str, points: list[tuple[float, float]], number: int) -> None:
    axes.plot(
        [at for at, _ in points],
        [value for _, value in points],
        color=SERIES[number % len(SERIES)],
        linestyle=_STYLES[number % len(_STYLES)],
        linewidth=1.8,
        marker="o" if len(points) <= 30 else None,
        markersize=3.5,
        label=shorten(name),
    )


def _diagonal(axes: Axes, drawn: Mapping[str, list[tuple[float, float]]]) -> None:
    reach = [value for points in drawn.values() for pair in points for value in pair if _finite(value)]
    low, high = min(0.0, *reach), max(1.0, *reach)
    axes.plot([low, high], [low, high], color=RULE, linewidth=1.2, linestyle=(0, (2, 3)))
    margin = 0.02 * (high - low)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")


def _legend(axes: Axes, missing: list[str]) -> None:
    for name in missing:
        axes.plot([], [], color="none", label=shorten(name, 48))
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, handlelength=2.4, borderpad=0.2, columnspacing=1.6
    )


def _annotate_bar(axes: Axes, row: int, value: float, interval: tuple[float, float] | None) -> None:
    if not _finite(value):
        axes.annotate("not a number", (0, row), xytext=(5, 0), textcoords="offset points", va="center", color=MUTED)
        return
    right = max(value, 0.0)
    if interval is not None and _finite(*interval):
        axes.plot(interval, (row, row), color=INK, linewidth=1.1, marker="|", markersize=6)
        right = max(right, *interval)
    axes.annotate(
        show(value), (right, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=11.5, color=MUTED
    )


def _marks(axes: Axes, marks: Mapping[str, float]) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(min([low, *marks.values()]), max([high, *marks.values()]))
    low, high = axes.get_xlim()
    for number, (name, at) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        axes.axvline(at, color=SERIES[1], linewidth=1.2, linestyle=(0, (4, 2)))
        right = at > (low + high) / 2
        axes.annotate(
            f"{shorten(name, 16)} {show(at)}",
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, -12 - 14 * (number % 4)),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=11.5,
        )


def _empty_figure(reason: str) -> str:
    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(
            0.5,
            0.5,
            f"Nothing to draw: {printable(reason)}",
            ha="center",
            va="center",
            color=MUTED,
            transform=axes.transAxes,
        )

    return draw_axes(draw, WIDTH, 90)


def _points(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """Return the pairs to draw, thinned for the page; empty when no pair is finite."""
    pairs = [(float(at), float(value)) for at, value in zip(x, y, strict=False) if _finite(at)]
    if not any(_finite(value) for _, value in pairs):
        return []
    step = max(1, math.ceil(len(pairs) / _MOST_POINTS))
    thinned = pairs[::step] if (len(pairs) - 1) % step == 0 else [*pairs[::step], pairs[-1]]
    return [(at, value if _finite(value) else math.nan) for at, value in thinned]


def _finite(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)
