"""A class is identified by its text, whatever the type of the column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components._core.types.label_values import UNKNOWN, as_text, class_indices, targets


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 1, None, 7], pa.int64()),
        pa.array([0.0, 1.0, None, 7.0], pa.float32()),
        pa.array(["0", "1", None, "7"]),
        pa.chunked_array([pa.array([0]), pa.array([1, None, 7])]),
    ],
)
def test_the_same_classes_are_found_in_every_type_of_column(column: pa.Array) -> None:
    assert class_indices(column, ("0", "1")).tolist() == [0, 1, UNKNOWN, UNKNOWN]


def test_a_fraction_is_known_by_its_shortest_text() -> None:
    assert as_text(pa.array([0.1, -3.0, 2.50], pa.float32())).to_pylist() == ["0.1", "-3", "2.5"]


def test_a_missing_target_is_not_a_number() -> None:
    found = targets(pa.array([1.5, None], pa.float32()))
    assert found[0] == 1.5 and np.isnan(found[1])
