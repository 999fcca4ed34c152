"""Examples of every type, prepared with a preprocessing_fn."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components._core.files import read_json
from components._core.project.project_file import parse_project
from components._core.types.artifact_files import CLASSES, SCHEMA
from components._frameworks.transformed_rows import transformed_file
from components.transform.transform import transform_examples
from tests.components.small_flights import code_archive, write_split

PREPROCESSING = """
import tensorflow as tf

def preprocessing_fn(inputs):
    known = tf.where(tf.math.is_nan(inputs["member"]), -1.0, inputs["member"])
    hour = tf.strings.to_number(tf.strings.substr(inputs["seen"], 11, 2))
    length = tf.strings.length(tf.io.decode_base64(inputs["key"]))
    return {"order": inputs["order"], "known": known, "price": inputs["price"], "hour": hour, "length": length}
"""


def test_a_preprocessing_fn_takes_every_type_that_examples_hold(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "member": [True, None, False],
            "order": pa.array([2**60 + 1, 7, 3]),
            "price": pa.array([0.1, 2.5, -1e9]),
            "seen": pa.array([dt.datetime(2026, 1, 31, hour) for hour in (9, 10, 23)], pa.timestamp("us")),
            "key": pa.array([b"\xff\xfe", b"", b"\x00?>"], pa.binary()),
            "late": [True, False, True],
        }
    )
    types = {"member": schema_pb2.INT, "order": schema_pb2.INT, "price": schema_pb2.FLOAT}
    schema = schema_pb2.Schema()
    for name in rows.column_names:
        feature = schema.feature.add(name=name, type=types.get(name, schema_pb2.BYTES))
        feature.presence.min_fraction = 0.0 if name == "member" else 1.0
    for split in ("train", "eval", "test"):
        write_split(tmp_path / "examples", split, rows)
    for name in ("transform_graph", "transformed", "schema"):
        (tmp_path / name).mkdir()
    (tmp_path / "schema" / SCHEMA).write_text(text_format.MessageToString(schema), encoding="utf-8")
    raw = {"name": "tiny", "task": "binary_classification", "label": "late", "positive": True}
    transform_examples(
        parse_project({**raw, "data": {"source": "x.csv"}}),
        code=code_archive(tmp_path / "packed", preprocessing=PREPROCESSING),
        blocked="",
        **{name: tmp_path / name for name in ("examples", "schema", "transform_graph", "transformed")},
    )
    assert read_json(tmp_path / "transform_graph" / CLASSES) == ["false", "true"]
    assert base64.urlsafe_b64encode(b"\x00?>").decode() == "AD8-"  # of the other alphabet TensorFlow takes none
    assert pq.read_table(transformed_file(tmp_path / "transformed", "train")).to_pydict() == {
        "order": [2**60 + 1, 7, 3],
        "known": [1.0, -1.0, 0.0],
        "price": [float(np.float32(value)) for value in (0.1, 2.5, -1e9)],
        "hour": [9.0, 10.0, 23.0],
        "length": [2, 0, 3],
        "label": [1, 0, 1],
    }
