"""What is sent, and what is held against what."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.examples import Manifest, split_file
from components._core.features import Feature
from components._core.inference import to_request
from components.deploy.probing import Probe, compare, probe_rows
from tests.components.tiny_models import FEATURES


def write_rows(folder: Path, **columns: pa.Array) -> Path:
    path = split_file(folder, "test", 1)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    Manifest("f", {}, {"test": 1}, [1], []).save(folder)
    return folder


def test_real_rows_are_sent_some_with_missing_values(examples: Path) -> None:
    rows = probe_rows(examples, FEATURES)
    assert rows.num_rows == 300 and 0 < rows["delay"].null_count < 300
    assert rows.equals(probe_rows(examples, FEATURES)), "the same in every run"


def test_a_row_that_the_model_cannot_take_is_not_sent(tmp_path: Path) -> None:
    examples = write_rows(tmp_path, a=pa.array([None, 1, 2], pa.int64()), b=pa.array(["x", "", None]))
    rows = probe_rows(examples, (Feature("a", "int64", False), Feature("b", "string", True)))
    assert rows.to_pydict() == {"a": [1, 2], "b": ["", None]}
    with pytest.raises(DataError, match="no row to send"):
        probe_rows(examples, (Feature("a", "int64", False), Feature("b", "string", False)))


def test_a_missing_value_is_sent_as_null_and_the_rest_as_its_type() -> None:
    rows = pa.table({"a": pa.array([1, None], pa.int64()), "b": pa.array([float("nan"), 0.5], pa.float32())})
    request = to_request(rows, (Feature("a", "float32", True), Feature("b", "float32", True)))
    assert [item["data"] for item in request["inputs"]] == [[1.0, None], [None, 0.5]]
    assert [item["datatype"] for item in request["inputs"]] == ["FP32", "FP32"]


def test_equal_answers_pass() -> None:
    (check,) = compare({"probability": np.array([0.1, 0.9])}, {"probability": np.array([0.1, 0.90001])}, 1e-4)
    assert (check.status, check.n) == ("pass", 2)


def test_answers_that_differ_fail_and_name_the_row() -> None:
    (check,) = compare({"probability": np.array([0.1, 0.9])}, {"probability": np.array([0.1, 0.8])}, 1e-4)
    assert check.status == "fail" and check.measured == pytest.approx(0.1) and "row 1" in check.reason


def test_large_numbers_are_held_to_a_relative_difference() -> None:
    near, far = (np.array([2_000_000.0 + apart], dtype=np.float32) for apart in (1.0, 1_000.0))
    expected = {"prediction": np.array([2_000_000.0], dtype=np.float32)}
    assert compare(expected, {"prediction": near}, 1e-4)[0].status == "pass"
    assert compare(expected, {"prediction": far}, 1e-4)[0].status == "fail"


def test_texts_must_be_equal() -> None:
    expected = {"class": np.array(["a", "b"], dtype=object)}
    assert compare(expected, expected, 1e-4)[0].status == "pass"
    assert compare(expected, {"class": np.array(["a", "c"], dtype=object)}, 1e-4)[0].status == "fail"


def test_an_output_that_is_missing_or_of_another_shape_fails() -> None:
    expected = {"probability": np.zeros(3)}
    assert "served nothing" in compare(expected, {}, 1e-4)[0].reason
    assert "served shape [2]" in compare(expected, {"probability": np.zeros(2)}, 1e-4)[0].reason


def test_percentiles_are_of_the_single_requests() -> None:
    assert Probe(milliseconds=[float(value) for value in range(101)]).percentiles() == {"p50": 50, "p95": 95, "p99": 99}
