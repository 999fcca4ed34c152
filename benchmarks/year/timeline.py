"""The picture of the year: the metric of three policies, and below it versions, runs, alarms and traffic, week by week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from matplotlib.axes import Axes

from benchmarks.year.flights import Changes
from benchmarks.year.loop import Week
from benchmarks.year.policies import Policy, first_of_month
from benchmarks.year.project import DROP, FIRST_DAY, WEEK
from components._core.report.axes import draw_axes
from components._core.report.palette import LIGHT, SERIES
from components._core.report.svg import INK, MUTED, RULE

WIDTH, _HEIGHT = 860, 470
_LANES = ("traffic", "broken data", "moved", "worse", "runs", "version")
"""What happened, from the bottom up; the metric is drawn above, on the same axis of time."""
MARKS = (
    "Dots: weeks in which a check of the monitor failed; rings among *worse*: the metric fell by the drop of the trigger, and the check, which wants "
    "certainty, did not fail. Among *runs*, triangles: a run that promoted its version; crosses: one that did not; rings: a trigger that was refused."
)
"""What the marks mean."""
_METRIC_FROM, _METRIC_HEIGHT = len(_LANES) + 0.4, 6.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def draw_year(metric: str, changes: Changes, weeks: list[Week], policies: list[Policy]) -> str:
    """Draw the year as an SVG element.

    Args:
        metric: Name of the metric.
        changes: What happened to the flights.
        weeks: The weeks of the loop.
        policies: The metric by month of each policy; that of the loop first.
    """
    end = weeks[-1].begin + WEEK

    def draw(axes: Axes) -> None:
        _shade(axes, changes, end)
        ticks = [*_draw_metric(axes, metric, policies, end), *_draw_lanes(axes, weeks)]
        axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
        axes.tick_params(axis="y", length=0)
        months = [month for month in range(1, 13) if first_of_month(month) < end]
        axes.set_xticks([_x(first_of_month(month)) + 15 for month in months], [_MONTHS[month - 1] for month in months])
        axes.tick_params(axis="x", length=0)
        for month in months:
            axes.axvline(_x(first_of_month(month)), color=RULE, linewidth=0.6, alpha=0.35, zorder=0)
        axes.set(xlim=(0, _x(end)), ylim=(-0.2, _METRIC_FROM + _METRIC_HEIGHT + 0.4))
        axes.spines["left"].set_visible(False)

    return draw_axes(draw, WIDTH, _HEIGHT)


def as_file(svg: str) -> str:
    """Return the element as a file of its own, which is shown on light paper whatever the page around it is."""
    head, rest = svg.split(">", 1)
    paper = f'<rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>'
    return f'{head} font-family="Helvetica, Arial, sans-serif" color="{LIGHT["ink"]}">{paper}{rest}\n'


def _x(at: date) -> float:
    return (at - FIRST_DAY).days


def _shade(axes: Axes, changes: Changes, end: date) -> None:
    begin, stop = changes.broken
    top = _METRIC_FROM + _METRIC_HEIGHT + 0.3
    spans = [(begin, min(stop, end), "a sensor breaks"), (changes.drifted, end, "a delay gets another meaning")]
    for since, until, name in spans:
        if since < until:
            axes.axvspan(_x(since), _x(until), color=RULE, alpha=0.13, linewidth=0, zorder=0)
            axes.text(_x(since) + 1.5, top, name, ha="left", va="top", fontsize=11, color=MUTED)


def _draw_metric(axes: Axes, metric: str, policies: list[Policy], end: date) -> Iterator[tuple[float, str]]:
    """Draw the metric by month; returns the ticks of its scale."""
    values = [value for policy in policies for value in policy.by_month.values()]
    low, high = _scale(min(values), max(values))

    def height(value: float) -> float:
        return _METRIC_FROM + (value - low) / (high - low) * (_METRIC_HEIGHT - 1)

    for number, policy in enumerate(policies):
        points = [(_x(first_of_month(month)) + 15, height(value)) for month, value in sorted(policy.by_month.items())]
        style = "-" if not number else (0, (5, 2)) if number == 1 else (0, (1, 1.5))
        label = f"{policy.name}: {policy.mean:.4f} with {policy.runs} run{'s' * (policy.runs != 1)}"
        colour = SERIES[number]
        xs, ys = zip(*points, strict=True)
        axes.plot(
            xs,
            ys,
            color=colour,
            linestyle=style,
            linewidth=2.2 if not number else 1.6,
            marker="o",
            markersize=3.5,
            label=label,
        )
    # small, and far from the right edge: a reader's font may be a tenth wider than that it is measured with here
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.1, 1.0),
        ncols=3,
        fontsize=11,
        handlelength=2.0,
        columnspacing=1.2,
        borderpad=0.2,
    )
    steps = round((high - low) / 0.02)
    for step in range(steps + 1):
        value = low + 0.02 * step
        axes.axhline(height(value), color=RULE, linewidth=0.6, alpha=0.35, zorder=0)
        yield height(value), f"{metric} {value:.2f}"


def _scale(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of the metric's scale, whole fiftieths."""
    return int(low * 50) / 50, (int(high * 50) + 1) / 50


def _draw_lanes(axes: Axes, weeks: list[Week]) -> Iterator[tuple[float, str]]:
    """Draw what happened; returns the ticks that name the lanes."""
    busiest = max(week.rows.num_rows for week in weeks)
    for week in weeks:
        x = _x(week.begin)
        axes.bar(x + 3.5, 0.75 * week.rows.num_rows / busiest, 5.6, color=SERIES[5], alpha=0.6)
        for lane, kinds in ((1, ("invariant",)), (2, ("skew", "drift")), (3, ("performance",))):
            if failing(week, kinds):
                axes.plot([x + 3.5], [lane + 0.4], marker="o", markersize=6, color=LIGHT["bad"], linestyle="none")
            elif lane == 3 and fell(week):
                _draw_ring(axes, x + 3.5, lane + 0.4, LIGHT["bad"])
    _draw_runs(axes, weeks)
    axes.text(_x(weeks[0].begin) - 2, 5.4, "trains version 1", ha="right", va="center", fontsize=11, color=MUTED)
    for version, since, until in _served(weeks):
        axes.barh(5.4, _x(until) - _x(since) - 0.8, 0.5, left=_x(since), color=SERIES[0], alpha=0.25)
        axes.text(_x(since) + 1.5, 5.4, version, va="center", fontsize=11, color=INK)
    for lane, name in enumerate(_LANES):
        yield lane + 0.4, name


def failing(week: Week, kinds: tuple[str, ...]) -> list[str]:
    """Return the names of the checks of some kinds that failed when the loop looked at a week."""
    judged = [window for window in week.windows if window.version == week.version]
    return sorted(
        {check.name for window in judged for check in window.checks if check.kind in kinds and check.status == "fail"}
    )


def fell(week: Week) -> bool:
    """Return whether a window that was judged then has a metric that is worse by the drop of the trigger."""
    return any(
        check.baseline - check.measured >= DROP
        for window in week.windows
        if window.version == week.version
        for check in window.checks
        if check.kind == "performance" and check.measured is not None and check.baseline is not None
    )


def _draw_ring(axes: Axes, x: float, y: float, colour: str) -> None:
    axes.plot([x], [y], marker="o", markersize=6, color=colour, fillstyle="none", linestyle="none", markeredgewidth=1.4)


def _draw_runs(axes: Axes, weeks: list[Week]) -> None:
    for week in weeks:
        x = _x(week.begin) + 7
        for record in week.records:
            if record.state == "refused":
                _draw_ring(axes, x, 4.4, MUTED)
            if record.state == "ended":
                shape, colour = ("^", LIGHT["good"]) if record.promoted else ("x", LIGHT["care"])
                axes.plot([x], [4.4], marker=shape, markersize=8, color=colour, linestyle="none", markeredgewidth=2)


def _served(weeks: list[Week]) -> Iterator[tuple[str, date, date]]:
    """Yield version, first day and day after the last one of each version that answered."""
    begin = 0
    for number in range(1, len(weeks) + 1):
        if number == len(weeks) or weeks[number].version != weeks[begin].version:
            yield weeks[begin].version, weeks[begin].begin, weeks[number - 1].begin + timedelta(days=7)
            begin = number
