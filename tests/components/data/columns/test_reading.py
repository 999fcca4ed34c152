"""The conversion of a batch of cells."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components._core.project.column_config import ColumnReading
from components._data.columns.cell_counts import CellCounts
from components._data.columns.reading import LABEL_READING, Reading


def test_odd_cells_and_missing_markers_become_missing_and_are_counted_by_text() -> None:
    cells = pa.array(["1,000", " ", "?", "NA", "unknown", "", None, "unknown", "-999"])
    converted = Reading("number", missing=frozenset({"-999"})).convert(cells, pa.float64())
    assert converted.values.to_pylist() == [1000.0, *[None] * 8]
    assert converted.odd == {"unknown": 2}
    assert converted.missing == {" ": 1, "?": 1, "NA": 1, "-999": 1}
    assert converted.is_odd.tolist() == [False] * 4 + [True, False, False, True, False]


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()])
def test_a_sentinel_is_missing_among_typed_numbers(kind: pa.DataType) -> None:
    reading = Reading.of(ColumnReading(type="number", missing=["-999"]), "missing")
    converted = reading.convert(pa.array([1, -999, None, 3], kind), kind)
    assert (converted.values.to_pylist(), converted.missing) == ([1, None, None, 3], {str(pa.scalar(-999, kind)): 1})


def test_a_text_keeps_everything_but_what_is_named_as_missing() -> None:
    cells = pa.array(["00637", " a ", "NA", None]).dictionary_encode()
    assert Reading("text").convert(cells, pa.string()).values.to_pylist() == ["00637", " a ", "NA", None]
    assert LABEL_READING.convert(cells, pa.string()).values.to_pylist() == ["00637", " a ", None, None]


def test_whole_numbers_are_dates_or_codes_where_the_project_says_so() -> None:
    numbers = pa.array([20210210, 20200229, None, 5])
    dates = Reading("date").convert(numbers, pa.string())
    assert (dates.values.to_pylist(), dates.odd) == (["2021-02-10", "2020-02-29", None, None], {"5": 1})
    assert Reading("text").convert(numbers, pa.string()).values.to_pylist() == ["20210210", "20200229", None, "5"]


def test_counts_take_bounded_memory_and_are_described_by_column_and_value() -> None:
    counts = CellCounts()
    counts.add("b", {"unknown": 2, "x": 1, "y": 1, "z": 1})
    counts.add("a", {str(number): 1 for number in range(5_000)})
    assert (counts.total, len(counts.by_column["a"])) == (5_005, 1_001)
    assert counts.describe().endswith("b: 'unknown' (2), 'x' (1), 'y' (1) and 1 other")


def test_a_setting_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="decimal is only for type: number, found type: date"):
        ColumnReading(type="date", decimal=",")
