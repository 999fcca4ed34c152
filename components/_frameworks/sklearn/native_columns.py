"""Raw columns for estimators that take categories and missing values as they are: boosted trees.

Texts become categories: a column of pandas' type `category`, whose values are the ranks of the texts by their frequency in the training
rows. A text that is missing, rare or new is a missing value.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

_REFUSED = re.compile(r'[\[\]<>{}",:]')
"""What XGBoost or LightGBM refuse in the name of a column."""
MOST_CATEGORIES = 255
"""Categories of a column: as many as HistGradientBoosting takes."""


class NativeColumns(TransformerMixin, BaseEstimator):
    """Make categories of texts.

    Args:
        whole: Whether whole numbers are categories as well, as the indices that a preprocessing_fn makes.
        most: Most categories of a column.
    """

    def __init__(self, whole: bool = False, most: int = MOST_CATEGORIES) -> None:
        self.whole = whole
        self.most = most

    def fit(self, X: pd.DataFrame, y: Any = None) -> NativeColumns:
        """Find the categories of a table."""
        kinds = "Oi" if self.whole else "O"
        self.names_ = list(X.columns)
        self.categories_ = {name: self._find(X[name]) for name in X if X[name].dtype.kind in kinds}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Replace texts by categories; other columns stay."""
        named = zip(_plain_names(self.names_), self.names_, strict=True)
        return pd.DataFrame({plain: self._column(name, X[name]) for plain, name in named}, index=X.index)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns."""
        return np.asarray(self.names_, dtype=object)

    def _find(self, values: pd.Series) -> list[Any]:
        counts = values[values != ""].value_counts()
        found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return [value for value, _ in found[: self.most]]

    def _column(self, name: str, values: pd.Series) -> Any:
        if name not in self.categories_:
            return values
        known = self.categories_[name]
        ranks = pd.Index(known, dtype=values.dtype).get_indexer(values)
        return pd.Categorical.from_codes(ranks, categories=np.arange(max(len(known), 1)))


def _plain_names(names: list[str]) -> list[str]:
    """Return names that every library takes, as different as they were."""
    plain: list[str] = []
    for name in names:
        made = _REFUSED.sub("_", name)
        while made != name and (made in names or made in plain):
            made += "_"
        plain.append(made)
    return plain
