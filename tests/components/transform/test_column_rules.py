"""Rules of columns in front of preprocessing_fn: the same in training and in the saved graph, from the training rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_transform import TFTransformOutput

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._core.types.artifact_files import SCHEMA
from components._core.types.signature import read_features
from components._frameworks.transformed_rows import transformed_file
from components.transform.column_rules import _clip
from components.transform.preprocessing_graph import _as_tensors
from components.transform.transform import transform_examples
from tests.components.small_flights import Small, code_archive

RULES = {
    "dep_delay": {"clip": [-5, 60.5], "impute": "median"},
    "sched_arr_time": {"impute": "mean"},
    "sched_dep_time": {"impute": -1},
    "day": {"clip": [2.5, 20]},
    "origin": {"impute": "nowhere"},
}
CODE = """
import tensorflow as tf
import tensorflow_transform as tft

def preprocessing_fn(inputs):
    outputs = {name: inputs[name] for name in ("dep_delay", "sched_arr_time", "sched_dep_time", "day", "distance")}
    outputs["origin"] = tft.compute_and_apply_vocabulary(inputs["origin"], vocab_filename="origin")
    outputs["centred"] = inputs["dep_delay"] - tft.mean(inputs["dep_delay"])
    return outputs
"""


def _with_rules(project: Project, rules: dict[str, Any]) -> Project:
    raw = project.model_dump(by_alias=True, exclude_none=True)
    return Project.model_validate({**raw, "transform": {"columns": rules}})


@pytest.fixture(scope="module")
def gaps(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Examples with missing values in every third row of four columns, and their schema."""
    folder = tmp_path_factory.mktemp("gaps")
    for file in small.path("examples").glob("*/*.parquet"):
        table = pq.read_table(file)
        for name in ("dep_delay", "sched_arr_time", "sched_dep_time", "origin"):
            kind = pa.string() if name == "origin" else pa.float64()
            values = [None if row % 3 == 0 else value for row, value in enumerate(table[name].to_pylist())]
            table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
        target = folder / "examples" / file.relative_to(small.path("examples"))
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target)
    text = (small.path("schema") / SCHEMA).read_text()
    for name in ("dep_delay", "sched_arr_time", "sched_dep_time"):
        start = text.index(f'name: "{name}"')
        end = text.index("}", start)
        text = text[:start] + text[start:end].replace("type: INT", "type: FLOAT") + text[end:]
    (folder / "schema").mkdir()
    (folder / "schema" / SCHEMA).write_text(text)
    return folder / "examples", folder / "schema"


def _transform(small: Small, project: Project, **inputs: Path) -> tuple[Outcome, dict[str, Path]]:
    outputs = {name: small.new(name) for name in ("transform_graph", "transformed")}
    return transform_examples(project, **small.before("transform", **inputs), **outputs), outputs


def test_rules_change_columns_before_preprocessing_and_the_served_graph_does_the_same(
    small: Small, gaps: tuple[Path, Path], tmp_path: Path
) -> None:
    examples, schema = gaps
    project = _with_rules(small.project, RULES)
    code = code_archive(tmp_path, preprocessing=CODE)
    outcome, outputs = _transform(small, project, examples=examples, schema=schema, code=code)
    assert "5 columns by transform.columns" in outcome.reason
    train = pq.read_table(min((examples / "train").glob("*.parquet"))).to_pandas()
    rows = pq.read_table(min((examples / "eval").glob("*.parquet")))
    raw = rows.to_pandas()
    clipped = train["dep_delay"].clip(-5, 60.5)
    expected = {
        "dep_delay": raw["dep_delay"].clip(-5, 60.5).fillna(clipped.median()),
        "sched_arr_time": raw["sched_arr_time"].fillna(train["sched_arr_time"].mean()),
        "sched_dep_time": raw["sched_dep_time"].fillna(-1),
        "day": raw["day"].clip(3, 20),
        "distance": raw["distance"],
    }
    expected["centred"] = expected["dep_delay"] - clipped.fillna(clipped.median()).mean()
    written = pq.read_table(transformed_file(outputs["transformed"], "eval")).to_pandas()
    for name, values in expected.items():
        np.testing.assert_allclose(
            written[name].astype(float), values.astype(float), rtol=1e-5, atol=1e-3, err_msg=name
        )
    assert written["day"].dtype == np.int64 and written["origin"].nunique() == 4
    features = read_features(schema / SCHEMA, {"late"})
    graph = tf.saved_model.load(str(outputs["transform_graph"] / TFTransformOutput.TRANSFORM_FN_DIR))
    one_by_one = [graph.transform_fn(_as_tensors(rows.slice(row, 1).to_batches()[0], features)) for row in range(12)]
    for name in written.columns.drop("label"):
        served = np.concatenate([found[name].numpy() for found in one_by_one])
        np.testing.assert_array_equal(served, written[name].to_numpy()[:12], err_msg=name)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"dep_dely": {"impute": 0}}, "did you mean 'dep_delay'?"),
        ({"origin": {"clip": [0, 1]}}, "origin: clip is for numbers"),
        ({"origin": {"impute": "median"}}, "origin: impute is 'median', and the column holds texts"),
        ({"origin": {"impute": 3}}, "origin: impute is 3"),
        ({"distance": {"impute": "far"}}, "distance: impute is the text 'far', and the column holds numbers"),
        ({"distance": {"impute": 1e39}}, "distance: impute is 1e+39, and the largest number of a model is 3.40282e+38"),
        ({"day": {"clip": [0.2, 0.8]}}, "day: no whole number lies in clip [0.2, 0.8]"),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_refused(small: Small, rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _transform(small, _with_rules(small.project, rules))
    assert message in str(refused.value) and refused.value.where == "transform.columns"


@pytest.mark.parametrize(
    ("values", "clip", "expected"),
    [
        ([-5, 7], (-1e30, 1e30), [-5, 7]),
        ([-5, 7], (0.5, 1e30), [1, 7]),
        ([-5.0, 7.5], (-1e39, 2.5), [-5.0, 2.5]),
    ],
)
def test_bounds_beyond_a_type_are_those_of_the_type(values: Any, clip: tuple[float, float], expected: Any) -> None:
    kind = tf.int64 if isinstance(values[0], int) else tf.float32
    assert _clip(tf.constant(values, kind), *clip).numpy().tolist() == expected
