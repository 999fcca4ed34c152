from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import components.transform
from components._core.checks import Outcome
from components._core.errors import DataBlockedError, DataError, UserCodeError
from components._core.examples.artifact import read_head
from components._core.files import fingerprint_folder, read_json
from components._core.types.artifact_files import CLASSES
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.transform.transform import transform_examples
from tests.components.small_flights import SHARES, Small, code_archive


def transform(small: Small, **others: Path) -> Outcome:
    outputs = {name: small.new(name) for name in ("transform_graph", "transformed")}
    return transform_examples(small.project, **small.before("transform", **others), **(outputs | _outputs(others)))


def _outputs(others: dict[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in others.items() if name in ("transform_graph", "transformed")}


def test_every_row_of_train_and_eval_is_transformed(small: Small):
    rows = {
        split: TransformedRows(transformed_file(small.path("transformed"), split)).rows
        for split in SHARES
        if split != "test"
    }
    assert rows == {"train": SHARES["train"], "eval": SHARES["eval"]}
    assert read_json(small.path("transform_graph") / CLASSES) == ["0", "1"]


def test_analyzers_saw_all_training_rows(small: Small):
    raw = read_head(small.path("examples"), "train", SHARES["train"])
    table = pq.read_table(transformed_file(small.path("transformed"), "train"))
    distance = raw["distance"].to_numpy().astype(np.float64)
    expected = (distance - distance.mean()) / distance.std()
    np.testing.assert_allclose(table["distance"].to_numpy(), expected, atol=1e-4)
    counts = {name: raw["origin"].to_pylist().count(name) for name in ("EWR", "JFK", "LGA")}
    by_frequency = sorted(counts, key=lambda name: -counts[name])
    assert [by_frequency[index] for index in table["origin"].to_pylist()] == raw["origin"].to_pylist()
    assert table["label"].to_pylist() == raw["late"].to_pylist()


def test_the_same_rows_give_the_same_bytes(small: Small):
    again = {name: small.new(name) for name in ("transform_graph", "transformed")}
    transform_examples(small.project, **small.before("transform"), **again)
    for name, folder in again.items():
        assert fingerprint_folder(folder) == fingerprint_folder(small.path(name))


def test_blocked_data_is_refused_with_the_reason(small: Small):
    with pytest.raises(DataBlockedError, match="dep_delay is gone"):
        transform(small, blocked="missing: dep_delay is gone")


def test_an_empty_split_is_reported_by_name(small: Small, tmp_path: Path):
    (tmp_path / "train").symlink_to(small.path("examples") / "train")
    with pytest.raises(DataError, match="split eval: has no rows"):
        transform(small, examples=tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    x = inputs['distance']\n    return {'x': x / undefined}", "line 5, in preprocessing_fn.*undefined"),
        ("    pass", "returned nothing"),
        ("    return inputs['distance']", "returned a .*dictionary"),
        ("    return {}", "an empty dictionary"),
        ("    return {'x': 1.0}", "'x' is a float"),
        ("    return {'x': inputs['carrier']}", "'x' is of type string.*\n.*compute_and_apply_vocabulary"),
        ("    return {'x': tft.mean(tf.cast(inputs['hour'], tf.float32))}", r"'x' has shape \(\)"),
        ("    return {'x': tf.strings.to_number(inputs['carrier'])}", "could not correctly convert string"),
        (
            "    return {'x': tf.math.log(-1.0 - tf.cast(inputs['hour'], tf.float32))}",
            "'x' is NaN or infinite 6000 times",
        ),
        ("    return {'x': tf.ones([3])}", r"'x' has shape \(3,\)"),
        ("    return {'x': inputs['hour'][:7]}", "'x' has 7 rows of 6000"),
    ],
)
def test_a_preprocessing_fn_that_cannot_be_used_is_refused(small: Small, tmp_path: Path, body: str, message: str):
    text = f"import tensorflow as tf\nimport tensorflow_transform as tft\ndef preprocessing_fn(inputs):\n{body}\n"
    with pytest.raises(UserCodeError, match=f"(?s){message}"):
        transform(small, code=code_archive(tmp_path, preprocessing=text))


@pytest.mark.slow
def test_without_a_private_name_beam_analyses_to_the_same_rows_and_a_warning_says_so(
    small: Small, monkeypatch: pytest.MonkeyPatch
):
    lacking = "tensorflow_transform.graph_context"  # TFT itself has imported what it needs of it
    monkeypatch.setitem(sys.modules, lacking, ModuleType(lacking))
    _forget_analysis(monkeypatch)
    graph, transformed = small.new("transform_graph"), small.new("transformed")
    outcome = transform_examples(
        small.project, **small.before("transform"), transform_graph=graph, transformed=transformed
    )
    assert (outcome.verdict, outcome.checks[0].name) == ("warn", "private names")
    assert re.search(r"tensorflow-transform 1\..*'TFGraphContext'.*with Beam", outcome.checks[0].reason)
    assert "analysed with Beam" in outcome.reason
    for split in ("train", "eval"):
        here, beam = (
            pq.read_table(transformed_file(folder, split)) for folder in (small.path("transformed"), transformed)
        )
        assert here.schema == beam.schema
        for name in here.column_names:
            np.testing.assert_allclose(_matrix(here[name]), _matrix(beam[name]), rtol=1e-5, atol=1e-5, err_msg=name)


def test_an_import_that_fails_for_another_reason_is_not_taken_for_a_moved_name(
    small: Small, monkeypatch: pytest.MonkeyPatch
):
    _forget_analysis(monkeypatch)
    monkeypatch.delattr("components.transform.preprocessing_fn.Tensors")
    with pytest.raises(ImportError, match="Tensors"):
        transform(small)


def _forget_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "components.transform.analysis", raising=False)
    monkeypatch.delattr(components.transform, "analysis", raising=False)


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), dtype=np.float64)
