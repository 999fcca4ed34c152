"""Plots are the same for the same numbers, fit into a page, and accept any input."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from components._core.report import plots
from components._core.report.svg import is_plain, width_of

NAN, INF = math.nan, math.inf
HOSTILE = '<script>alert(1)</script> ]]> $x^{$ "style="font-family: \x00\ud800 한글'
SVG = "{http://www.w3.org/2000/svg}"

DRAWN: dict[str, Callable[[], str]] = {
    "lines": lambda: plots.lines(
        {"train": ([1, 2, 3], [0.5, 0.4, 0.3]), "eval": ([1, 2, 3], [0.6, 0.5, 0.5])}, "epoch", "loss"
    ),
    "diagonal": lambda: plots.lines(
        {"model": ([0, 0.2, 1], [0, 0.8, 1])}, "false positive rate", "true positive rate", True
    ),
    "bars": lambda: plots.bars({"delay": 0.3, "hour": -0.01}, "drop of AUC", {"delay": (0.2, 0.4)}),
    "histogram": lambda: plots.histogram([0, 1, 2, 3], [5, 9, 2], "ms", {"p95": 2.5}),
    "compact bars": lambda: plots.bars({"AA": 30.5, "B6": 10.0}, "% of rows", compact=True),
    "compact histogram": lambda: plots.histogram([0, 1, 2, 3], [5, 9, 2], "ms", {"median": 1.5}, compact=True),
    "matrix": lambda: plots.matrix(["on time", "late"], [[90, 10], [4, 30]]),
}


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_numbers_give_the_same_bytes(name: str) -> None:
    assert DRAWN[name]() == DRAWN[name]()


def test_another_process_gives_the_same_bytes() -> None:
    code = "from components._core.report.plots import bars; print(bars({'a': 1.5, 'b': -2.0}, 'x'))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert made == plots.bars({"a": 1.5, "b": -2.0}, "x") + "\n"


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_plain_svg_without_a_style_sheet_or_a_date(name: str) -> None:
    svg = DRAWN[name]()
    assert is_plain(svg)
    assert svg.startswith("<svg ")
    assert "<style" not in svg and "<metadata" not in svg and "dc:date" not in svg


@pytest.mark.parametrize("name", DRAWN)
def test_colours_and_fonts_come_from_the_page(name: str) -> None:
    svg = DRAWN[name]()
    assert "currentColor" in svg or "var(--muted" in svg
    assert "var(--series-1" in svg
    assert "font-family" not in svg
    outside = re.sub(r"var\([^)]*\)", "", svg)
    assert not re.search(r"#[0-9a-f]{6}", outside), "a colour that would not follow the page"


def test_two_plots_share_no_id() -> None:
    ids = [set(re.findall(r' id="([^"]+)"', DRAWN[name]())) for name in ("lines", "diagonal", "histogram")]
    assert all(ids)
    assert not (ids[0] & ids[1] or ids[1] & ids[2] or ids[0] & ids[2])


def test_every_reference_finds_its_definition() -> None:
    svg = DRAWN["lines"]()
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    assert referred == set(re.findall(r' id="([^"]+)"', svg))


@pytest.mark.parametrize(
    "svg",
    [
        lambda: plots.lines({}, "epoch", "loss"),
        lambda: plots.lines({"train": ([], [])}, "epoch", "loss"),
        lambda: plots.lines({"train": ([1, 2], [NAN, INF])}, "epoch", "loss", True),
        lambda: plots.bars({}, "gain"),
        lambda: plots.bars({"a": NAN}, "gain"),
        lambda: plots.histogram([], [], "ms"),
        lambda: plots.histogram([0, 1], [0], "ms"),
        lambda: plots.histogram([NAN, INF], [3], "ms"),
        lambda: plots.matrix([], []),
        lambda: plots.matrix(["a", "b"], [[0, 0], [0, 0]]),
    ],
)
def test_nothing_to_draw_is_said_and_no_error(svg: Callable[[], str]) -> None:
    assert [text for text in texts(svg()) if text.startswith("Nothing to draw")]


def test_a_series_without_a_finite_value_is_named_in_the_legend() -> None:
    svg = plots.lines({"train": ([1, 2], [0.5, 0.4]), "eval": ([1, 2], [NAN, NAN])}, "epoch", "loss")
    assert "eval: no finite values" in texts(svg)


def test_a_bar_that_is_not_a_number_keeps_its_name() -> None:
    drawn = texts(plots.bars({"good": 1.0, "broken": INF}, "gain", {"good": (NAN, 2.0)}))
    assert "broken" in drawn and "not a number" in drawn


@pytest.mark.parametrize("name", ["compact bars", "compact histogram"])
def test_two_compact_plots_fit_beside_each_other(name: str) -> None:
    assert 2 * width_of(DRAWN[name]()) < 600


def test_numbers_have_four_digits_and_a_real_minus() -> None:
    drawn = texts(plots.bars({"a": 0.123456, "b": -0.98765}, "gain"))
    assert "0.1235" in drawn and "−0.9877" in drawn


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    drawn = texts(plots.bars({"temperature_of_the_outer_wall_sensor_17": 1.0}, "gain"))
    assert any(text.startswith("temperature") and "…" in text and text.endswith("17") for text in drawn)


def test_more_bars_than_fit_are_counted() -> None:
    drawn = texts(plots.bars({f"f{number}": float(number) for number in range(200)}, "gain"))
    assert "gain (first 60 of 200)" in drawn


def test_a_matrix_of_twenty_classes_has_a_number_in_every_cell_that_counts() -> None:
    counts = [[1234 if row == column else (row + column) % 3 for column in range(20)] for row in range(20)]
    drawn = texts(plots.matrix([f"class {number}" for number in range(20)], counts))
    assert drawn.count("1.2k") == 20
    assert drawn.count("2") == sum(row.count(2) for row in counts)


def test_a_matrix_that_is_ragged_or_shorter_than_its_names_is_drawn() -> None:
    assert "7" in texts(plots.matrix(["a", "b", "c"], [[7, 1], [2]]))


@pytest.mark.parametrize("name", [HOSTILE, "$a$b", "", " ", "a\nb", "url(#x)", ' id="x" d="1.23456"'])
def test_no_name_breaks_a_plot(name: str) -> None:
    made = [
        plots.lines({name: ([0, 1], [0, 1])}, name, name),
        plots.bars({name: 1.0}, name),
        plots.histogram([0, 1], [1], name, {name: 0.5}),
        plots.matrix([name, "b"], [[1, 2], [3, 4]], name, name),
    ]
    assert all(is_plain(svg) for svg in made)


def test_a_curve_of_a_million_points_stays_small_and_keeps_its_ends() -> None:
    steps = [number / 1_000_000 for number in range(1_000_001)]
    svg = plots.lines({"roc": (steps, [math.sqrt(step) for step in steps])}, "x", "y", True)
    assert len(svg) < 60_000


@pytest.mark.parametrize("most", [1e-300, 1e300])
def test_very_small_and_very_large_values_are_drawn(most: float) -> None:
    assert is_plain(plots.lines({"a": ([0, 1], [0, most])}, "x", "y"))
    assert is_plain(plots.histogram([0, most], [3], "x", {"p": most}))
    assert is_plain(plots.bars({"a": most, "b": -most}, "x"))
