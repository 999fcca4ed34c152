"""The design matrix of linear models and forests: raw columns as numbers, none of them missing.

Numbers are centred on the median, those with a long tail brought in by a logarithm, then standardised and clipped; a column with missing
values also says where they are. Texts are 0 or 1 for each of the frequent ones. For trees, which need none of that, numbers stay as
they are and a text is its rank by frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

MOST_CATEGORIES = 255
"""Categories of a column that get a coefficient each."""
MOST_DEVIATIONS = 8.0
"""Standard deviations from the mean beyond which a number is clipped: a coefficient must not carry a row away."""
_LONG_TAIL = 2.0
"""Skewness from which a column is brought in by a logarithm."""
_DENSE = 64
"""Columns of texts up to which the matrix is dense."""
_FEWEST = 2
"""Training rows that a text needs for a coefficient of its own."""


@dataclass(frozen=True)
class Number:
    """What is done to a column of numbers: `log` of (x - centre) / scale, then (that - mean) / deviation."""

    centre: float = 0.0
    scale: float = 1.0
    has_long_tail: bool = False
    mean: float = 0.0
    deviation: float = 1.0
    has_missing: bool = False

    @classmethod
    def fit(cls, values: NDArray[np.float64], *, scaled: bool) -> Number:
        """Fit to the training values [rows], NaN where they are missing."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls()
        centre, has_missing = float(np.median(known)), len(known) < len(values)
        if not scaled:
            return cls(centre, has_missing=has_missing)
        scale = float(np.std(known)) or 1.0
        standard = (known - centre) / scale
        has_long_tail = (
            abs(float(np.mean((standard - standard.mean()) ** 3))) > _LONG_TAIL and len(np.unique(known)) > 2
        )
        filled = np.where(np.isfinite(values), (values - centre) / scale, 0.0)
        shaped = bring_in(filled) if has_long_tail else filled
        return cls(
            centre, scale, has_long_tail, float(shaped.mean()), float(shaped.std()) or 1.0, has_missing=has_missing
        )

    def apply(self, values: NDArray[np.float64], *, scaled: bool) -> NDArray[np.float64]:
        """Return the values as the matrix has them."""
        if not scaled:
            return np.where(np.isnan(values), self.centre, values)
        shaped = (np.where(np.isnan(values), self.centre, values) - self.centre) / self.scale
        shaped = bring_in(shaped) if self.has_long_tail else shaped
        return np.clip((shaped - self.mean) / self.deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)


def bring_in(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of values, with their sign: sign(x) log(1 + |x|)."""
    brought: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return brought


class DesignMatrix(TransformerMixin, BaseEstimator):
    """Make the design matrix.

    Args:
        scaled: Whether numbers are standardised and texts are 0 or 1 for each; otherwise as trees take them.
        whole: Whether whole numbers are categories, as the indices that a preprocessing_fn makes.
    """

    def __init__(self, scaled: bool = True, whole: bool = False) -> None:
        self.scaled = scaled
        self.whole = whole

    def fit(self, X: pd.DataFrame, y: Any = None) -> DesignMatrix:
        """Find the categories of a table, and the spread of its numbers."""
        kinds = "Oi" if self.whole else "O"
        self.names_ = list(X.columns)
        self.categories_ = {name: _categories(X[name]) for name in X if X[name].dtype.kind in kinds}
        self.numbers_ = {
            name: Number.fit(X[name].to_numpy(np.float64), scaled=self.scaled)
            for name in X
            if name not in self.categories_
        }
        flags = [name for name, number in self.numbers_.items() if number.has_missing]
        texts = [
            name for name, known in self.categories_.items() for _ in (range(len(known)) if self.scaled else range(1))
        ]
        self.owners_ = [*self.numbers_, *flags, *texts]
        return self

    def transform(self, X: pd.DataFrame) -> Any:
        """Return the matrix [rows, columns]: numbers, where they are missing, texts; sparse with many texts."""
        rows = len(X)
        raw = {name: X[name].to_numpy(np.float64) for name in self.numbers_}
        columns = [number.apply(raw[name], scaled=self.scaled) for name, number in self.numbers_.items()]
        columns += [
            np.isnan(raw[name]).astype(np.float64) for name, number in self.numbers_.items() if number.has_missing
        ]
        ranks = {
            name: pd.Index(known, dtype=X[name].dtype).get_indexer(X[name]) for name, known in self.categories_.items()
        }
        if not self.scaled:
            columns += [values.astype(np.float64) for values in ranks.values()]
        dense = np.column_stack(columns) if columns else np.empty((rows, 0))
        if not self.scaled:
            return dense.astype(np.float32)
        blocks = [_one_hot(values, len(self.categories_[name])) for name, values in ranks.items()]
        width = sum(block.shape[1] for block in blocks)
        whole: Any = sparse.hstack([sparse.csr_matrix(dense), *blocks], format="csr") if blocks else dense
        return whole.toarray() if blocks and width <= _DENSE else whole

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the columns of the table that those of the matrix are made of."""
        return np.asarray(self.owners_, dtype=object)


def _categories(values: pd.Series) -> list[Any]:
    counts = values.value_counts()
    found = sorted(counts[counts >= _FEWEST].items(), key=lambda item: (-item[1], item[0]))
    return [value for value, _ in found[:MOST_CATEGORIES]]


def _one_hot(ranks: NDArray[np.int64], width: int) -> Any:
    known = np.flatnonzero(ranks >= 0)
    return sparse.csr_matrix((np.ones(len(known)), (known, ranks[known])), shape=(len(ranks), width))
