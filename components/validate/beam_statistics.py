"""Statistics through TFDV's public interface: for a release that has moved the names of `partial_statistics.py`.

The result is the same, except that the held-out splits have histograms too: the public options cannot leave them out, and
nothing reads them. Each set of rows takes a Beam pipeline of its own, some three seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_metadata.proto.v0 import statistics_pb2

from components._core.examples.artifact import SPLITS
from components.validate.statistics import (
    CHECKED,
    RANKS,
    TOP_VALUES,
    Computed,
    Detail,
    Statistics,
    detail_for,
    in_order,
)
from components.validate.tfdv_columns import read_lists


def compute(examples: Path, types: dict[str, str], spans: list[int]) -> Computed:
    """Compute what `partial_statistics.compute` computes, from the same arguments."""
    shown = detail_for(len(types))
    compared = Detail(1, shown.quantiles)
    held_out = {split: _run(examples, split, types, CHECKED) for split in ("eval", "test")}
    train = _run(examples, "train", types, shown)
    parts = (spans[-1:], spans[:-1]) if len(spans) > 1 else ()
    newest, earlier = (_run(examples, "train", types, compared, part) for part in parts) if parts else (None, None)
    return Computed(train, newest, earlier, held_out, _count_infinite(examples, types))


def _run(
    examples: Path, split: str, types: dict[str, str], detail: Detail, spans: list[int] | None = None
) -> Statistics:
    options = tfdv.StatsOptions(
        num_top_values=TOP_VALUES,
        num_rank_histogram_buckets=RANKS,
        num_values_histogram_buckets=2,
        num_histogram_buckets=detail.equal_widths,
        num_quantiles_histogram_buckets=max(detail.quantiles, 1),
        use_sketch_based_topk_uniques=True,
    )
    found = statistics_pb2.DatasetFeatureStatisticsList()
    runner = PipelineOptions(runner="DirectRunner", direct_running_mode="in_memory", direct_num_workers=1)
    with tempfile.TemporaryDirectory(prefix="naru-statistics-") as folder:
        path = Path(folder) / "statistics.binpb"
        with beam.Pipeline(options=runner) as pipeline:
            batches = pipeline | beam.Create([split]) | beam.FlatMap(_read, str(examples), types, spans)
            _ = batches | tfdv.GenerateStatistics(options) | tfdv.WriteStatisticsToBinaryFile(str(path))
        found.ParseFromString(path.read_bytes())
    return in_order(found, list(types))


def _read(split: str, examples: str, types: dict[str, str], spans: list[int] | None) -> Iterator[pa.RecordBatch]:
    return read_lists(Path(examples), split, types, spans, {})


def _count_infinite(examples: Path, types: dict[str, str]) -> dict[str, int]:
    infinite: dict[str, int] = {}
    for split in SPLITS:
        for _ in read_lists(examples, split, types, None, infinite):
            pass
    return infinite
