"""Values with line breaks stay in vocabularies, whose files have a value on each line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow as tf
from tensorflow_transform import TFTransformOutput

from components._core.types.artifact_files import SCHEMA
from components._core.types.signature import read_features
from components._frameworks.transformed_rows import transformed_file
from components.transform.line_breaks import find_multiline, replace_line_breaks
from components.transform.preprocessing_graph import _as_tensors
from components.transform.transform import transform_examples
from tests.components.small_flights import Small

BROKEN = {"EWR": "J\nFK", "JFK": "J\r\nFK", "LGA": "J FK"}


def test_values_with_line_breaks_have_places_of_their_own_in_training_and_in_the_saved_graph(
    small: Small, tmp_path: Path
) -> None:
    examples = _with_line_breaks(small.path("examples"), tmp_path)
    outputs = {name: small.new(name) for name in ("transform_graph", "transformed")}
    outcome = transform_examples(small.project, **small.before("transform", examples=examples), **outputs)
    assert "line breaks in 'origin'" in outcome.reason
    for split in ("train", "eval"):
        before = pq.read_table(transformed_file(small.path("transformed"), split))
        assert pq.read_table(transformed_file(outputs["transformed"], split)).equals(before)
    features = read_features(small.path("schema") / SCHEMA, {"late"})
    names = [feature.name for feature in features]
    rows = pq.read_table(min((examples / "eval").glob("*.parquet")), columns=names).to_batches()[0]
    graph = tf.saved_model.load(str(outputs["transform_graph"] / TFTransformOutput.TRANSFORM_FN_DIR))
    served = graph.transform_fn(_as_tensors(rows, features))
    trained = pq.read_table(transformed_file(outputs["transformed"], "eval"))["origin"].to_pylist()
    assert served["origin"].numpy().tolist() == trained[: rows.num_rows] and len(set(trained)) == 3


def test_a_table_without_line_breaks_has_no_step_for_them(small: Small) -> None:
    features = read_features(small.path("schema") / SCHEMA, {"late"})
    assert find_multiline(small.path("examples"), features) == frozenset()
    texts = {"x": tf.constant(["a\nb", "a b", "a\r\nb", "a\n\nb"])}
    assert replace_line_breaks(texts, frozenset())["x"] is texts["x"]
    replaced = replace_line_breaks(texts, frozenset({"x"}))["x"]
    assert len(set(replaced.numpy())) == 4 and not any(b"\n" in text or b"\r" in text for text in replaced.numpy())
    assert tf.strings.split(replaced).to_list() == [[b"a", b"b"]] * 4


def _with_line_breaks(examples: Path, folder: Path) -> Path:
    for file in examples.glob("*/*.parquet"):
        table = pq.read_table(file)
        origin = table["origin"]
        for name, broken in BROKEN.items():
            origin = pc.if_else(pc.equal(origin, name), pa.scalar(broken), origin)
        target = folder / file.relative_to(examples)
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.set_column(table.column_names.index("origin"), "origin", origin), target)
    return folder
