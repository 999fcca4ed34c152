r"""Line breaks in texts: vocabulary files have a value on each line, so that TensorFlow Transform leaves out values with a break.

Where a column has such values in the training rows, its line breaks become other blanks before the project's preprocessing_fn
sees them: `\n` a form feed, `\r` a vertical tab. Different values stay different, and words are split as before. It is part of
the graph, so training and serving cannot differ; columns without line breaks, which are almost all, have no such step.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from components._core.examples.artifact import read_batches, split_files
from components._core.examples.safe_parquet import pq
from components._core.types.signature import Feature

_REPLACED = {"\n": "\f", "\r": "\v"}


def find_multiline(examples: Path, features: tuple[Feature, ...]) -> frozenset[str]:
    """Return the text features with a line break in a training row."""
    wanted = {feature.name for feature in features if feature.type.is_text}
    files = split_files(examples, "train")
    # columns of bytes, such as pictures, are not read: their base64 has no line breaks
    texts = (
        [field.name for field in pq.read_schema(files[0]) if field.name in wanted and _is_string(field.type)]
        if files
        else []
    )
    found: set[str] = set()
    for batch in read_batches(examples, "train", texts) if texts else ():
        found |= {name for name in texts if name not in found and _has_break(batch, name)}
    return frozenset(found)


def _has_break(batch: pa.RecordBatch, name: str) -> bool:
    column = batch.column(batch.schema.get_field_index(name))
    return bool(pc.any(pc.match_substring_regex(column, "[\r\n]")).as_py())


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def replace_line_breaks(inputs: Mapping[str, tf.Tensor], multiline: frozenset[str]) -> dict[str, tf.Tensor]:
    """Replace the line breaks of some features.

    Args:
        inputs: Tensors [rows] by feature name.
        multiline: The features whose line breaks are replaced.
    """
    return {name: _replace(tensor) if name in multiline else tensor for name, tensor in inputs.items()}


def _replace(text: tf.Tensor) -> tf.Tensor:
    for mark, blank in _REPLACED.items():
        text = tf.strings.regex_replace(text, mark, blank)
    return text
