"""Which rows are kept with the model's answers, and when none are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components._core.examples.artifact import Manifest, split_file
from components._core.examples.samples import Sample
from components._core.types.artifact_files import SAMPLE
from components._core.types.signature import Feature, to_arrays
from components._frameworks.table import load_model
from components.evaluate.parity_samples import probe_rows
from tests.components.evaluate.conftest import Judge, Make
from tests.components.tiny_models import FEATURES, tiny_project


def write_rows(folder: Path, **columns: pa.Array) -> Path:
    path = split_file(folder, "test", 1)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    Manifest("f", {}, {"test": 1}, [1], []).save(folder)
    return folder


def test_real_rows_are_chosen_some_with_missing_values(examples: Make) -> None:
    rows = probe_rows(examples(), FEATURES)
    assert rows.num_rows == 300 and 0 < rows["delay"].null_count < 300
    assert rows.equals(probe_rows(examples(), FEATURES)), "the same in every run"


def test_a_row_that_the_model_cannot_take_is_not_chosen(tmp_path: Path) -> None:
    examples = write_rows(tmp_path, a=pa.array([None, 1, 2], pa.int64()), b=pa.array(["x", "", None]))
    rows = probe_rows(examples, (Feature("a", "int64", False), Feature("b", "string", True)))
    assert rows.to_pydict() == {"a": [1, 2], "b": ["", None]}
    assert not probe_rows(examples, (Feature("a", "int64", False), Feature("b", "string", False))).num_rows


def test_rows_are_kept_in_their_plain_form(tmp_path: Path) -> None:
    columns = {"a": pa.array([True, None]), "b": pa.array([0.1, None], pa.float64()), "c": pa.array([b"\xff", b""])}
    rows = probe_rows(write_rows(tmp_path, **columns), tuple(Feature(name, "float32", True) for name in columns))
    assert rows.to_pydict() == {"a": [1, None], "b": [0.1, None], "c": ["_w==", ""]}


def test_a_sample_holds_what_the_model_answers(judged: Judge, model: Make, tmp_path: Path) -> None:
    judged(tiny_project("multiclass_classification"))
    sample = Sample.load(tmp_path / "evaluation" / SAMPLE)
    assert (sample.rows.num_rows, sample.outputs["probabilities"].shape) == (300, (300, 3))
    again = load_model(model("multiclass_classification")).predict(to_arrays(sample.rows, FEATURES))
    for name, values in sample.outputs.items():
        np.testing.assert_array_equal(values, again[name])


def test_a_model_that_cannot_be_judged_leaves_no_sample(judged: Judge, model: Make, tmp_path: Path) -> None:
    assert judged(of=model(broken=True)).outcome.verdict == "blocked"
    assert not (tmp_path / "evaluation" / SAMPLE).exists()
