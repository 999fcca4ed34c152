"""Statistics of TensorFlow Data Validation: how much detail they have, how they are kept and read.

`partial_statistics.py` computes them, or `beam_statistics.py` where it cannot.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from components._core.files import write_bytes
from components._core.types.artifact_files import STATISTICS

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatistics
"""Statistics of one set of rows; `features` are in the order of the table."""

TOP_VALUES, RANKS = 20, 1_000


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


def restrict(computed: Computed, columns: Collection[str]) -> Computed:
    """Restrict the statistics of an examples artifact to some columns."""

    def part(statistics: Statistics | None) -> Statistics | None:
        return None if statistics is None else only(statistics, columns)

    held_out = {split: only(statistics, columns) for split, statistics in computed.held_out.items()}
    infinite = {name: count for name, count in computed.infinite.items() if name in columns}
    return Computed(only(computed.train, columns), part(computed.newest), part(computed.earlier), held_out, infinite)


def in_order(found: Any, columns: list[str]) -> Statistics:
    """Return the first statistics of a list, with the features in the order of the table; empty when there are none."""
    statistics = found.datasets[0] if found.datasets else Statistics()
    features = by_name(statistics)
    ordered = Statistics(name=statistics.name, num_examples=statistics.num_examples)
    ordered.features.extend(features[name] for name in columns if name in features)
    return ordered


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


def only(statistics: Statistics, columns: Collection[str]) -> Statistics:
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
