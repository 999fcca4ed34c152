"""A preprocessing_fn that makes pictures: written as it gives them, in bounded pieces, and refused where the model takes tables."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from components._core.errors import UserCodeError
from components._core.examples import artifact
from components._core.examples.artifact import read_batches, split_file
from components._core.examples.safe_parquet import pq
from components._core.project.project_file import Project
from components._core.types.artifact_files import SCHEMA
from components._frameworks.transformed_rows import Column, TransformedRows, transformed_file
from components.transform import preprocessing_graph
from components.transform.transform import transform_examples
from tests.components.small_flights import code_archive

CODE = """
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    pixels = tf.map_fn(decode, inputs["picture"], fn_output_signature=tf.TensorSpec([4, 6, 3], tf.uint8))
    return {"pixels": pixels, "age": tft.scale_to_0_1(tf.cast(inputs["age"], tf.float32))}


def decode(text):
    return tf.reshape(tf.io.decode_image(tf.io.decode_base64(text), channels=3, expand_animations=False), [4, 6, 3])
"""
ROWS = 50


def picture(number: int) -> bytes:
    pixels = np.arange(4 * 6 * 3).reshape(4, 6, 3) + number
    written = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(written, "PNG")
    return written.getvalue()


def write_examples(folder: Path) -> Path:
    for split in ("train", "eval"):
        path = split_file(folder, split, 1)
        path.parent.mkdir(parents=True)
        numbers = range(ROWS)
        columns = {"picture": pa.array(map(picture, numbers), pa.binary()), "age": pa.array(numbers, pa.int64())}
        pq.write_table(pa.table({**columns, "label": pa.array([number % 2 for number in numbers])}), path)
    return folder


def transform(folder: Path, framework: str = "keras") -> Path:
    project = Project.model_validate(
        {
            "name": "p",
            "task": "binary_classification",
            "label": "label",
            "data": {"source": "t.parquet"},
            "code": {"framework": framework, "preprocessing": "preprocessing.py"},
        }
    )
    (folder / SCHEMA).write_text(
        'feature { name: "picture" type: BYTES presence { min_fraction: 1 } }\n'
        'feature { name: "age" type: INT presence { min_fraction: 1 } }\n'
    )
    outputs = {name: folder / name for name in ("transform_graph", "transformed")}
    for path in outputs.values():
        path.mkdir()
    transform_examples(
        project,
        code=code_archive(folder, preprocessing=CODE),
        examples=write_examples(folder / "examples"),
        schema=folder,
        blocked="",
        **outputs,
    )
    return outputs["transformed"]


def test_pictures_are_written_as_the_function_gives_them_whatever_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing_graph, "CALL_BYTES", 7 * 4 * 6 * 3 * 4)  # seven rows a call
    rows = TransformedRows(transformed_file(transform(tmp_path), "eval"))
    assert rows.columns == (Column("age", "float32", ()), Column("pixels", "uint8", (4, 6, 3)))
    features, labels = rows.head(ROWS)
    expected = np.arange(72).reshape(4, 6, 3) + np.arange(ROWS)[:, None, None, None]
    np.testing.assert_array_equal(features["pixels"], expected)
    np.testing.assert_allclose(features["age"], np.arange(ROWS) / (ROWS - 1), atol=1e-6)
    assert labels.tolist() == [number % 2 for number in range(ROWS)]


def test_a_framework_of_tables_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match=r"'pixels' has shape .*, and 'sklearn' takes tables.*\n.*keras"):
        transform(tmp_path, "sklearn")


def test_batches_of_examples_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = write_examples(tmp_path / "examples")
    whole = list(read_batches(examples, "train"))
    assert len(whole) == 1
    monkeypatch.setattr(artifact, "BATCH_BYTES", 10 * len(picture(0)))
    parts = list(read_batches(examples, "train"))
    assert max(part.num_rows for part in parts) <= 10
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches(whole))
    numbers = list(read_batches(examples, "train", ["age"]))
    assert len(numbers) == 1  # only what is read counts
