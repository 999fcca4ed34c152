"""Statistics by TensorFlow Data Validation, in process: batch by batch into partial statistics, so memory does not grow with rows.

TFDV's own entry points start a Beam pipeline (20 s for a table that takes half a second here). What they do inside,
combining generators over Arrow batches, is called directly; the two generators and `extract_statistics_output` are the
same in TFDV 1.16 and 1.21.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from google.protobuf.message import DecodeError
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators.basic_stats_generator import BasicStatsGenerator
from tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator import (
    TopKUniquesSketchStatsGenerator,
)
from tensorflow_data_validation.types import PerFeatureStatsConfig
from tensorflow_metadata.proto.v0 import statistics_pb2

from components._core.files import write_bytes
from components._core.types.artifact_files import STATISTICS
from components.validate.tfdv_columns import read_lists

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatistics
"""Statistics of one set of rows; `features` are in the order of the table."""

_TOP_VALUES, _RANKS, _SKETCH_VALUES, _SKETCH_HASHES = 20, 1_000, 1_024, 16_384
_NO_HISTOGRAM = PerFeatureStatsConfig([], PerFeatureStatsConfig.INCLUDE)


@dataclass(frozen=True)
class Detail:
    """The histograms of numbers to compute.

    They take most of the time on a wide table (TFDV draws 100 quantiles per bucket, in Python), so each set of rows
    gets only those that are used.

    Attributes:
        equal_widths: Number of buckets of the drawn histogram.
        quantiles: Number of buckets of the histogram for drift; 0: no histogram at all, and no median.
    """

    equal_widths: int
    quantiles: int


CHECKED = Detail(1, 0)
"""For rows that are only compared with the schema."""


def detail_for(columns: int) -> Detail:
    """Return the detail for the training rows of a table of that width."""
    quantiles = 20 if columns <= 60 else 10 if columns <= 200 else 5
    return Detail(3 * quantiles, quantiles)


@dataclass(frozen=True)
class Computed:
    """The statistics of an examples artifact.

    Attributes:
        train: Statistics of all training rows.
        newest: Statistics of the training rows of the newest span; None with one span.
        earlier: Statistics of the training rows of all other spans; None with one span.
        held_out: Statistics of the other splits by name; without useful histograms, since none are used.
        infinite: Number of infinite values by column, in all splits; in the statistics they count as missing.
    """

    train: Statistics
    newest: Statistics | None
    earlier: Statistics | None
    held_out: dict[str, Statistics]
    infinite: dict[str, int]


@dataclass
class Accumulator:
    """Partial statistics of the added rows.

    Attributes:
        order: Columns in the order of the table.
        detail: Histograms to compute.
    """

    order: list[str]
    detail: Detail
    _generators: list[Any] = field(init=False)
    _partial: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._generators = _generators(self.detail)
        self._partial = [generator.create_accumulator() for generator in self._generators]

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows: a batch of list columns."""
        pairs = zip(self._generators, self._partial, strict=True)
        self._partial = [generator.add_input(partial, batch) for generator, partial in pairs]

    def merged(self, other: Accumulator, detail: Detail) -> Accumulator:
        """Merge the partial statistics of both; neither is changed (TFDV merges in place, hence the copies)."""
        both = Accumulator(self.order, detail)
        copies = zip(self._generators, _copy(self._partial), _copy(other._partial), strict=True)
        both._partial = [generator.merge_accumulators([one, two]) for generator, one, two in copies]
        return both

    def finish(self) -> Statistics:
        """Return the statistics; afterwards nothing can be added or merged."""
        found = stats_impl.extract_statistics_output(self._partial, self._generators)
        statistics = found.datasets[0] if found.datasets else Statistics()
        by_name = {name_of(feature): feature for feature in statistics.features}
        ordered = Statistics(name=statistics.name, num_examples=statistics.num_examples)
        ordered.features.extend(by_name[name] for name in self.order if name in by_name)
        return ordered


def compute(examples: Path, types: dict[str, str], spans: list[int]) -> Computed:
    """Compute the statistics of every split, and of the newest span and the others.

    Args:
        examples: The examples artifact.
        types: Type by name of the columns to examine.
        spans: The spans of the examples, ascending.
    """
    infinite: dict[str, int] = {}
    shown = detail_for(len(types))
    compared = Detail(1, shown.quantiles)

    def gather(split: str, detail: Detail, some: list[int] | None = None) -> Accumulator:
        accumulator = Accumulator(list(types), detail)
        for batch in read_lists(examples, split, types, some, infinite):
            accumulator.add(batch)
        return accumulator

    held_out = {split: gather(split, CHECKED).finish() for split in ("eval", "test")}
    if len(spans) < 2:
        return Computed(gather("train", shown).finish(), None, None, held_out, infinite)
    earlier, newest = gather("train", compared, spans[:-1]), gather("train", compared, spans[-1:])
    train = earlier.merged(newest, shown)
    return Computed(train.finish(), newest.finish(), earlier.finish(), held_out, infinite)


def as_list(statistics: Statistics) -> Any:
    """Wrap statistics as a list of one dataset, as TFDV's functions expect."""
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics])


def save(statistics: Statistics, folder: Path) -> None:
    """Write statistics into the statistics artifact; equal statistics give equal bytes."""
    write_bytes(folder / STATISTICS, as_list(statistics).SerializeToString(deterministic=True))


def parse(content: bytes) -> Statistics:
    """Read what `save` wrote.

    Raises:
        ValueError: When it is not such a proto, or has no statistics.
    """
    found = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        found.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"no statistics: {error}") from error
    if not found.datasets:
        raise ValueError("no statistics: the list is empty")
    return found.datasets[0]


def only(statistics: Statistics, columns: set[str]) -> Statistics:
    """Restrict statistics to some columns."""
    part = Statistics(name=statistics.name, num_examples=statistics.num_examples)
    part.features.extend(feature for feature in statistics.features if name_of(feature) in columns)
    return part


def by_name(statistics: Statistics) -> dict[str, Any]:
    """Return each feature's statistics by name, in the order of the table."""
    return {name_of(feature): feature for feature in statistics.features}


def name_of(feature: Any) -> str:
    """Return the name of a feature of the statistics."""
    return str(feature.path.step[0] if feature.path.step else feature.name)


def is_text(feature: Any) -> bool:
    """Return whether a feature's values are strings."""
    return bool(feature.type == statistics_pb2.FeatureNameStatistics.STRING)


def is_whole(feature: Any) -> bool:
    """Return whether a feature's values are whole numbers."""
    return bool(feature.type == statistics_pb2.FeatureNameStatistics.INT)


def missing_rows(feature: Any, rows: int) -> int:
    """Count the rows in which a feature has no value."""
    common = feature.string_stats.common_stats if is_text(feature) else feature.num_stats.common_stats
    return max(rows - int(common.num_non_missing), 0)


def quantiles(feature: Any) -> list[Any]:
    """Return the buckets of a numeric feature's quantile histogram; empty when it has no value."""
    return _buckets(feature, statistics_pb2.Histogram.QUANTILES)


def equal_widths(feature: Any) -> list[Any]:
    """Return the buckets of a numeric feature's histogram of equal widths; empty when it has no value."""
    return _buckets(feature, statistics_pb2.Histogram.STANDARD)


def _buckets(feature: Any, kind: int) -> list[Any]:
    fitting = [histogram for histogram in feature.num_stats.histograms if histogram.type == kind]
    return list(fitting[0].buckets) if fitting else []


def _generators(detail: Detail) -> list[Any]:
    """Create TFDV's default generators, which its `get_generators` cannot configure in such detail."""
    basic = BasicStatsGenerator(
        num_values_histogram_buckets=2,
        num_histogram_buckets=detail.equal_widths,
        num_quantiles_histogram_buckets=max(detail.quantiles, 1),
        feature_config=None if detail.quantiles else _NO_HISTOGRAM,
    )
    values = TopKUniquesSketchStatsGenerator(
        num_top_values=_TOP_VALUES,
        num_rank_histogram_buckets=_RANKS,
        num_misragries_buckets=_SKETCH_VALUES,
        num_kmv_buckets=_SKETCH_HASHES,
        # it samples the lengths of values at random, only for a warning in TFDV's log
        length_counter_sampling_rate=0.0,
    )
    return [basic, values]


def _copy(partial: list[Any]) -> list[Any]:
    # the sketches live in C++ and are copied as Beam would move them between machines
    copied: list[Any] = pickle.loads(pickle.dumps(partial))  # noqa: S301, our own objects, never out of this process
    return copied
