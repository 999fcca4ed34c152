"""Statistics in this process: batch by batch into partial statistics, so memory does not grow with rows.

TFDV's own entry points start a Beam pipeline (20 s for a table that takes half a second here). What they do inside,
combining generators over Arrow batches, is called directly; the two generators and `extract_statistics_output` are the
same in TFDV 1.16 and 1.21. TFDV publishes none of the names that are imported below: when a release moves one, this
module cannot be imported, and `beam_statistics.py` computes the statistics.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from tensorflow_data_validation.statistics.generators.basic_stats_generator import BasicStatsGenerator
from tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator import (
    TopKUniquesSketchStatsGenerator,
)
from tensorflow_data_validation.statistics.stats_impl import extract_statistics_output
from tensorflow_data_validation.types import PerFeatureStatsConfig

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

_SKETCH_VALUES, _SKETCH_HASHES = 1_024, 16_384
_NO_HISTOGRAM = PerFeatureStatsConfig([], PerFeatureStatsConfig.INCLUDE)


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
        return in_order(extract_statistics_output(self._partial, self._generators), self.order)


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


def _generators(detail: Detail) -> list[Any]:
    """Create TFDV's default generators, which its `get_generators` cannot configure in such detail."""
    basic = BasicStatsGenerator(
        num_values_histogram_buckets=2,
        num_histogram_buckets=detail.equal_widths,
        num_quantiles_histogram_buckets=max(detail.quantiles, 1),
        feature_config=None if detail.quantiles else _NO_HISTOGRAM,
    )
    values = TopKUniquesSketchStatsGenerator(
        num_top_values=TOP_VALUES,
        num_rank_histogram_buckets=RANKS,
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
