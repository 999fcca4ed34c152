"""What evaluate leaves for the model's server: a request, a row to warm up with, the ranges of the training rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import split_file
from components._core.examples.reference_rows import Reference, row_of
from components._core.examples.samples import Sample
from components._core.files import read_json
from components._core.types.signature import Feature
from components._predictor.feature_values import cast_columns
from components._predictor.predictor import load
from components.evaluate.evaluate import Judged
from components.evaluate.serving_reference import make_reference, sample_request
from tests.components.evaluate.conftest import Make
from tests.components.tiny_models import FEATURES


def test_evaluate_leaves_what_the_server_needs(judged: Callable[..., Judged], model: Make, tmp_path: Path) -> None:
    judged()
    reference = Reference.load(tmp_path / "evaluation")
    assert set(reference.row) == {feature.name for feature in FEATURES}
    assert load(model("binary_classification")).predict({name: [value] for name, value in reference.row.items()})
    assert read_json(tmp_path / "evaluation" / "manifest.json")["fingerprint"] == "f" * 32


def test_the_sample_request_is_a_whole_row_that_the_model_takes(examples: Make) -> None:
    request = sample_request(examples(), FEATURES)
    columns = {item["name"]: item["data"] for item in request["inputs"]}
    arrays = cast_columns(columns, FEATURES, max_rows=1)
    assert list(columns) == [feature.name for feature in FEATURES] and None not in [*map(list, arrays.values())]


def test_the_row_is_one_with_a_finite_answer_and_the_ranges_are_those_of_training(examples: Make) -> None:
    rows = pa.table({"delay": [None, 1.5, 2.5], "month": [1, 2, 3], "carrier": ["AA", "BB", ""], "noise": [0.5] * 3})
    sample = Sample(rows, {"probability": np.array([0.1, np.nan, 0.3], np.float32)})
    reference = make_reference(examples(), FEATURES, sample, {"inputs": []})
    assert reference.row == {"delay": None, "month": 1, "carrier": "AA", "noise": 0.5}
    months = pq.read_table(examples() / "train")["month"].to_pylist()
    assert reference.ranges["month"] == (min(months), max(months))
    assert set(reference.ranges) == {"delay", "month", "noise"}


def test_without_a_sample_the_row_is_that_of_the_request(examples: Make) -> None:
    request = sample_request(examples(), FEATURES)
    assert make_reference(examples(), FEATURES, None, request).row == row_of(request)


def test_a_range_is_in_the_precision_of_the_numbers_that_a_server_sees(tmp_path: Path) -> None:
    rows = pa.table({"rate": [0.1, 0.3], "flag": [True, True], "word": ["a", "b"]})
    path = split_file(tmp_path, "train", 1)
    path.parent.mkdir()
    pq.write_table(rows, path)
    features = (Feature("rate", "float32", False), Feature("flag", "int64", False), Feature("word", "string", False))
    ranges = make_reference(tmp_path, features, None, {"inputs": []}).ranges
    assert ranges == {"rate": (float(np.float32(0.1)), float(np.float32(0.3))), "flag": (1, 1)}
    assert type(ranges["flag"][0]) is int
