"""Cells into which the values of one feature or prediction are counted; counts of equal cells can be added.

| | cells, in this order |
| --- | --- |
| numbers | below the range, the ranges between quantiles of the reference, above the range, missing, wrong type |
| texts | the most frequent values, all other known values, values never seen in training, missing, wrong type |

The range ends where 0.05 % of the reference lie beyond it: a sentinel such as 9999 or another unit gets a cell of its own.
Numbers are counted as the model sees them, in its precision; text without a letter is missing, as it is to a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.types.feature_types import FEATURE_TYPES

CountVector: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]
TOP_VALUES = 30
"""Texts with a cell of their own."""
MOST_KNOWN = 10_000
"""Known texts that are kept; a feature with more is open: its new values are nothing unusual and are not judged."""
DECILES = 10
SCORE_BINS = 20
_TAIL = 0.0005
_SHOWN_TEXT = 60


@dataclass(frozen=True)
class NumberBins:
    """Cells of a numeric feature.

    Attributes:
        dtype: Name of its type in the model (`FEATURE_TYPES`).
        edges: Ascending; the first and the last are the ends of the range, both inclusive. A range between two edges includes its upper one.
    """

    dtype: str
    edges: tuple[float, ...]
    kind: Literal["number"] = "number"

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.edges) + 3

    @property
    def missing(self) -> int:
        """Place of the cell of missing values; the cell of wrong types follows it."""
        return self.size - 2

    @property
    def invariants(self) -> dict[str, tuple[int, ...]]:
        """Cells by the name of the invariant that they break."""
        return {"missing": (self.missing,), "type": (self.missing + 1,), "range": (0, self.missing - 1)}

    def numbers(self, values: pa.Array) -> Numbers:
        """Return the values as the model sees them, NaN where one is missing or has a wrong type; shape [rows]."""
        return _to_numbers(values, self.dtype)[0]

    def places(self, values: pa.Array) -> NDArray[np.int64]:
        """Return the cell of each value, shape [rows]."""
        numbers, wrong = _to_numbers(values, self.dtype)
        places = self._places(numbers)
        places[wrong] = self.missing + 1
        return places

    def places_of_numbers(self, numbers: Numbers) -> NDArray[np.int64]:
        """Return the cell of each number, shape [rows]."""
        return self._places(to_model_precision(numbers, self.dtype))

    def _places(self, numbers: Numbers) -> NDArray[np.int64]:
        edges = np.asarray(self.edges)
        places = np.searchsorted(edges[1:], numbers, side="left") + 1
        places[numbers < edges[0]] = 0
        places[np.isnan(numbers)] = self.missing
        return places.astype(np.int64)

    def labels(self) -> list[str]:
        """Return the name of each cell."""
        edges = self.edges
        is_whole = FEATURE_TYPES[self.dtype].is_whole
        inner = [_range_label(low, high, is_whole, place == 0) for place, (low, high) in enumerate(pairwise(edges))]
        return [f"below {edges[0]:.5g}", *inner, f"above {edges[-1]:.5g}", "missing", "wrong type"]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": self.kind, "dtype": self.dtype, "edges": list(self.edges)}


@dataclass(frozen=True)
class TextBins:
    """Cells of a text feature.

    Attributes:
        top: The values with cells of their own, the most frequent first.
        others: The other known values, sorted; empty when the feature is open.
        is_open: Whether it has more values than are kept, so that none can be called unseen.
    """

    top: tuple[str, ...]
    others: tuple[str, ...] = ()
    is_open: bool = False
    kind: Literal["text"] = "text"

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.top) + 4

    @property
    def missing(self) -> int:
        """Place of the cell of missing values; the cell of wrong types follows it."""
        return self.size - 2

    @property
    def unseen(self) -> int:
        """Place of the cell of values never seen in training."""
        return self.size - 3

    @property
    def invariants(self) -> dict[str, tuple[int, ...]]:
        """Cells by the name of the invariant that they break."""
        unseen = {} if self.is_open else {"unseen": (self.unseen,)}
        return {"missing": (self.missing,), "type": (self.missing + 1,), **unseen}

    def codes(self, values: pa.Array) -> NDArray[np.int64]:
        """Return the place of each value in `top + others`, and that of its cell past the end; shape [rows]."""
        known = len(self.top) + len(self.others)
        if not _is_text(values):
            is_wrong = np.asarray(values.is_valid()) & ~_is_nan(values)
            return np.where(is_wrong, known + 2, known + 1).astype(np.int64)
        found = pc.index_in(values, value_set=pa.array([*self.top, *self.others], values.type))
        codes = np.asarray(found.fill_null(known), dtype=np.int64)
        codes[np.asarray(pc.equal(values, "").fill_null(True))] = known + 1
        return codes

    def places(self, values: pa.Array) -> NDArray[np.int64]:
        """Return the cell of each value, shape [rows]."""
        codes, top = self.codes(values), len(self.top)
        past = codes - (top + len(self.others))  # 0 unseen, 1 missing, 2 wrong type
        unseen = top if self.is_open else top + 1
        cells = np.where(codes < top, codes, top)
        return np.where(past < 0, cells, np.where(past == 0, unseen, top + 1 + past)).astype(np.int64)

    def labels(self) -> list[str]:
        """Return the name of each cell."""
        top = [repr(value if len(value) <= _SHOWN_TEXT else f"{value[:_SHOWN_TEXT]}…") for value in self.top]
        return [*top, "other known values", "values never seen in training", "missing", "wrong type"]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": self.kind, "top": list(self.top), "others": list(self.others), "open": self.is_open}


Bins: TypeAlias = NumberBins | TextBins


def load_bins(raw: Mapping[str, Any]) -> Bins:
    """Restore cells from `to_json`.

    Raises:
        DataError: When it is not what `to_json` writes.
    """
    if raw["kind"] == "number":
        edges = tuple(float(edge) for edge in raw["edges"])
        if len(edges) < 2 or not all(map(math.isfinite, edges)) or list(edges) != sorted(edges):
            raise DataError(
                f"has the edges {raw['edges']}; must be two or more finite numbers in order",
                where="a monitoring reference",
            )
        return NumberBins(str(raw["dtype"]), edges)
    if raw["kind"] == "text":
        return TextBins(tuple(map(str, raw["top"])), tuple(map(str, raw["others"])), bool(raw["open"]))
    raise DataError(f"has cells of the kind {raw['kind']!r}; allowed: number, text", where="a monitoring reference")


def count(bins: Bins, values: pa.Array) -> CountVector:
    """Count the values by cell, shape [cells]."""
    return np.bincount(bins.places(values), minlength=bins.size).astype(np.int64)


def number_bins(values: Numbers, dtype: str, parts: int = DECILES) -> NumberBins:
    """Make the cells of a numeric feature from values of the reference.

    Args:
        values: Values or a sample of them, shape [rows]; those that are not finite are left out.
        dtype: Name of its type in the model.
        parts: Ranges of equal share, fewer where values repeat.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return NumberBins(dtype, (0.0, 0.0))
    # values that occurred, not points between them: numbers of few values keep a range for each
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL], method="inverted_cdf")
    inner = np.unique(np.quantile(known, np.linspace(0, 1, parts + 1)[1:-1], method="inverted_cdf"))
    inner = inner[(inner >= low) & (inner < high)]
    return NumberBins(dtype, (float(low), *map(float, inner), float(high)))


def ranges_of_others(values: Numbers, blocks: NDArray[np.int64], number: int) -> Numbers:
    """Return for each block the range that the values of all others have, as `number_bins` takes its ends; shape [blocks, 2].

    A block that no other has a value beside gets an empty range, from infinity to minus infinity.

    Args:
        values: Values or a sample of them, shape [rows]; those that are not finite are left out.
        blocks: Block of each value, negative: none; shape [rows].
        number: Number of blocks.
    """
    known = np.isfinite(values) & (blocks >= 0)
    values, blocks = values[known], blocks[known]
    own = np.bincount(blocks, minlength=number)
    ranks = np.ceil(_TAIL * (len(values) - own)).astype(np.int64)  # from 1, of the others alone
    ranges = np.tile([np.inf, -np.inf], (number, 1))
    most = int((np.maximum(ranks, 1) + own).max(initial=0))
    order = np.argsort(values, kind="stable")
    for end, ends in enumerate((order[:most], order[::-1][:most])):
        for block in np.flatnonzero(own < len(values)):
            of_others = values[ends[blocks[ends] != block]]
            ranges[block, end] = of_others[max(int(ranks[block]) - 1, 0)]
    return ranges


def text_bins(counts: Mapping[str, int], is_open: bool = False) -> TextBins:
    """Make the cells of a text feature from how often each value occurs; an open one has no list of other values."""
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    is_open = is_open or len(ranked) > MOST_KNOWN
    return TextBins(tuple(ranked[:TOP_VALUES]), () if is_open else tuple(sorted(ranked[TOP_VALUES:])), is_open)


def to_model_precision(numbers: Numbers, dtype: str) -> Numbers:
    """Round numbers to the precision of the model: a client that sends single precision must not change cells."""
    wanted = FEATURE_TYPES[dtype]
    with np.errstate(over="ignore"):
        return numbers.astype(wanted.numpy).astype(np.float64) if wanted.is_real else numbers


def _to_numbers(values: pa.Array, dtype: str) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the values as numbers, NaN where one is missing or has a wrong type, and which have."""
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_null(kind):
        return np.full(len(values), np.nan), np.zeros(len(values), dtype=bool)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return np.full(len(values), np.nan), np.asarray(values.is_valid())
    numbers = np.array(values.cast(pa.float64(), safe=False).fill_null(math.nan), dtype=np.float64)
    return to_model_precision(numbers, dtype), np.zeros(len(values), dtype=bool)


def _is_text(values: pa.Array) -> bool:
    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))


def _is_nan(values: pa.Array) -> NDArray[np.bool_]:
    if not pa.types.is_floating(values.type):
        return np.zeros(len(values), dtype=bool)
    numbers = np.asarray(values.fill_null(math.nan), dtype=np.float64)
    return np.isnan(numbers)


def _range_label(low: float, high: float, is_whole: bool, is_first: bool) -> str:
    start = math.floor(low) + 1 if is_whole and not is_first else low
    return f"{high:.5g}" if start == high else f"{start:.5g} to {high:.5g}"
