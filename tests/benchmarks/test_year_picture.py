"""The picture of a year: what happened is marked in its lane, and every text is within the drawing."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

import pyarrow as pa
import pytest

from benchmarks.year.flights import FIRST_SERVED, Changes
from benchmarks.year.loop import Week
from benchmarks.year.policies import Policy
from benchmarks.year.project import DROP, WEEK
from benchmarks.year.timeline import WIDTH, draw_year, fell
from components.watch.records import Cause, Record
from components.watch.state import MonitorCheck, Window

CHANGES = Changes(broken=(date(2013, 4, 15), date(2013, 4, 29)), drifted=date(2013, 5, 6))
FONT_RATIO = 1.12
"""How much wider the widest usual font of a browser is than the one by which widths are measured here (Verdana)."""


def week(number: int, status: str = "pass", drop: float = 0.0, *records: Record) -> Week:
    begin = FIRST_SERVED + number * WEEK
    since, until = (datetime.combine(day, time(), UTC) for day in (begin, begin + WEEK))
    check = MonitorCheck("performance: auc", "performance", status, measured=0.9 - drop, baseline=0.9)
    window = Window("1", since, until, (check,), is_labelled=True)
    return Week(begin, until, "1", pa.table({"late": [0, 1]}), (window,), records)


def policies(name: str) -> list[Policy]:
    months = {4: 0.9, 5: 0.88}
    return [Policy(each, 3, months) for each in (name, "never", "every month")]


def drawn(weeks: list[Week], name: str = "by triggers (2 promoted)") -> str:
    return draw_year("auc", CHANGES, weeks, policies(name))


def count_marks(weeks: list[Week]) -> int:
    """How many marks a picture has beyond one in which nothing happened."""
    return len(re.findall(r"<use ", drawn(weeks))) - len(
        re.findall(r"<use ", drawn([week(n) for n in range(len(weeks))]))
    )


def test_a_fall_that_only_the_trigger_counts_has_a_mark_of_its_own_and_one_below_it_has_none() -> None:
    assert fell(week(0, "pass", DROP)) and not fell(week(0, "pass", DROP / 2))
    assert count_marks([week(0), week(1, "pass", DROP)]) == 1
    assert count_marks([week(0), week(1, "pass", DROP / 2)]) == 0
    ring, dot = (drawn([week(0), week(1, status, DROP)]) for status in ("pass", "fail"))
    assert ring != dot


@pytest.mark.parametrize("state", ["refused", "ended"])
def test_refusals_and_runs_have_a_mark_and_what_was_held_has_none(state: str) -> None:
    cause = Cause("k", "performance", "worse", "auc fell")
    at = "2013-04-08T00:15:00+00:00"
    assert count_marks([week(0), week(1, "pass", 0.0, Record(state, at, (cause,)))]) == 1  # type: ignore[arg-type]
    assert count_marks([week(0), week(1, "pass", 0.0, Record("held", at, (cause,)))]) == 0


def test_the_legend_ends_before_the_edge_also_in_a_wider_font() -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    svg = drawn([week(number) for number in range(36)])
    (text,) = re.findall(r"<text [^>]*>every month: [^<]*</text>", svg)
    begin = float(re.search(r'(?:x="|translate\()([\d.]+)', text)[1])  # type: ignore[index]
    words = re.sub(r"<[^>]*>", "", text)
    width = TextPath((0, 0), words, size=11, prop=FontProperties(family="DejaVu Sans")).get_extents().width
    assert begin + width * FONT_RATIO < WIDTH
