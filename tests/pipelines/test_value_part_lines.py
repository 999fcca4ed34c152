"""The words and areas of a value in the terminal, and the overlay as a file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len

from components._core.errors import ConfigError
from components.explain.rank_agreement import compare_parts
from components.explain.value_parts import ValueParts
from pipelines.row_explanation.explained_row import ExplainedRow
from pipelines.row_explanation.overlay import write_overlay
from pipelines.row_explanation.value_part_lines import value_part_lines


def some_parts(names: list[str], columns: int = 0, value: str = "") -> ValueParts:
    shares = tuple(float(place) - 2 for place in range(len(names)))
    by_name = {str(place): share for place, share in enumerate(shares)}
    errors = (0.001,) * len(names)
    return ValueParts(
        "it", tuple(names), columns, shares, errors, shares, 1.0, 0.5, compare_parts(by_name, by_name), value
    )


def row_with(*parts: ValueParts) -> ExplainedRow:
    return cast(ExplainedRow, SimpleNamespace(parts=parts, row=SimpleNamespace(title="row 3 of the test split")))


def test_the_words_with_the_largest_parts_stand_in_reading_order() -> None:
    lines = list(value_part_lines(some_parts([f"word{place}" for place in range(20)])))
    assert lines[0].startswith("words of it, the largest 12 of 20")
    words = [line.split()[0] for line in lines[1:13]]
    assert words == [f"word{place}" for place in range(8, 20)]
    assert "the score is 1.0000; with all words left out it is 0.5000" in " ".join(lines).replace(
        "The score", "the score"
    )


@pytest.mark.parametrize("word", ["좋은영화" * 20, "a\nb\x1b[31m", "x" * 500])
def test_no_line_is_wider_than_the_terminal_or_holds_what_it_would_obey(word: str) -> None:
    for line in value_part_lines(some_parts([word, "end"])):
        assert cell_len(line) <= 80
        assert line.isprintable()


def test_the_areas_of_a_picture_stand_as_a_grid() -> None:
    lines = list(value_part_lines(some_parts([f"area {place}" for place in range(49)], 7)))
    grid = lines[1:8]
    assert [len(line.split()) for line in grid] == [7] * 7
    assert float(grid[0].split()[0]) == -2.0
    assert max(cell_len(line) for line in lines) <= 80


def test_the_overlay_is_a_picture(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(stream, "PNG")
    value = base64.urlsafe_b64encode(stream.getvalue()).decode()
    write_overlay(row_with(some_parts(["a", "b", "c", "d"], 2, value)), tmp_path / "row.png")
    with Image.open(tmp_path / "row.png") as drawn:
        assert drawn.size == (320, 320)


@pytest.mark.parametrize(
    ("parts", "name", "message"),
    [
        ([], "row.png", "row 3 of the test split has no picture"),
        ([["a", "b"]], "row.png", "has no picture"),
        ([], "row.jpg", "the overlay is a PNG"),
    ],
)
def test_no_overlay_without_a_picture(parts: list[Any], name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        write_overlay(row_with(*map(some_parts, parts)), tmp_path / name)
    assert not list(tmp_path.iterdir())
