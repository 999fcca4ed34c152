from __future__ import annotations

import math
import re

import pytest

from components._core.report.small_multiples import paired_bars, trend
from components._core.report.svg import is_plain, width_of


@pytest.mark.parametrize(
    "svg",
    [
        trend([0.1, None, 0.3, math.nan], ("01-01", "01-04"), 0.05, [False, False, True, False]),
        trend([], ("", ""), None, []),
        trend([0.0], ("a", "b"), None, [False]),
        paired_bars(["'<b>'", "missing"], [0.5, 0.5], [1.0, 0.0]),
        paired_bars([], [], []),
    ],
)
def test_a_drawing_only_draws_and_is_small(svg: str):
    assert is_plain(svg) and width_of(svg) <= 320


def test_a_window_that_alarms_is_a_red_dot_above_the_bound():
    svg = trend([0.01, 0.2], ("a", "b"), 0.05, [False, True])
    calm, alarm = re.findall(r'cy="([\d.]+)" r="([\d.]+)" fill="var\(--([\w-]+)', svg)
    assert (calm[2], alarm[2]) == ("series-1", "bad") and float(alarm[1]) > float(calm[1])
    bound = float(re.search(r'y1="([\d.]+)"[^>]*stroke-dasharray', svg)[1])
    assert float(alarm[0]) < bound < float(calm[0])


def test_of_many_cells_those_that_changed_most_are_shown_in_their_order():
    before = [0.05] * 20
    now = [0.05] * 18 + [0.0, 0.1]
    names = [f"n{place}" for place in range(20)]
    shown = re.findall(r">(n\d+)<", paired_bars(names, before, now))
    assert len(shown) == 12 and shown[-2:] == ["n18", "n19"]
    assert shown == sorted(shown, key=names.index)
