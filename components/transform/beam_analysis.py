"""Evaluate the analyzers of a preprocessing_fn with Beam, in this process, through TensorFlow Transform's public interface.

The result is the same as in `analysis.py`, at a cost of some seconds more. It is for analyzers that exist only as Beam
transforms, and for a release in which `analysis.py` does not find its names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.tfxio import TensorAdapterConfig

from components._core.examples.safe_parquet import pq
from components._core.types.signature import Feature, to_arrays
from components.transform.preprocessing_fn import Preprocessing

BATCH_ROWS = 32_768


def analyse_with_beam(
    function: Preprocessing, features: tuple[Feature, ...], files: list[Path], transform_graph: Path, scratch: Path
) -> None:
    """Write the transform graph, as `analysis.analyse` does.

    Args:
        function: The preprocessing_fn.
        features: Inputs of the function.
        files: The Parquet files of the training rows; each is opened inside the pipeline, for a table handed to Beam is
            pickled whole with every slice of it.
        transform_graph: Folder to write `transform_fn/` and `transformed_metadata/` into.
        scratch: A folder for temporary files.
    """
    options = PipelineOptions(runner="DirectRunner", direct_running_mode="in_memory", direct_num_workers=1)
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(scratch), desired_batch_size=BATCH_ROWS, use_deep_copy_optimization=False),
    ):
        rows = pipeline | beam.Create([str(file) for file in files]) | beam.FlatMap(_read, features)
        graph = (rows, _adapter(features)) | tft_beam.AnalyzeDataset(function)
        _ = graph | tft_beam.WriteTransformFn(str(transform_graph))


def _read(path: str, features: tuple[Feature, ...]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=[feature.name for feature in features]):
            arrays = to_arrays(batch, features)
            columns = [_as_lists(arrays[feature.name], feature) for feature in features]
            yield pa.RecordBatch.from_arrays(columns, [feature.name for feature in features])


def _as_lists(values: NDArray[Any], feature: Feature) -> pa.Array:
    """Convert values to one list of one value per row, the only layout that TensorFlow Transform reads from Arrow."""
    ends = pa.array(np.arange(len(values) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(ends, pa.array(values, type=_arrow_type(feature)))


def _arrow_type(feature: Feature) -> pa.DataType:
    return pa.binary() if feature.type.is_text else feature.type.arrow  # TensorFlow Transform reads texts as bytes


def _adapter(features: tuple[Feature, ...]) -> TensorAdapterConfig:
    schema = pa.schema([(feature.name, pa.list_(_arrow_type(feature))) for feature in features])
    return TensorAdapterConfig(schema, {feature.name: _scalar(feature.name) for feature in features})


def _scalar(column: str) -> schema_pb2.TensorRepresentation:
    representation = schema_pb2.TensorRepresentation()
    representation.dense_tensor.column_name = column
    representation.dense_tensor.shape.SetInParent()
    return representation
