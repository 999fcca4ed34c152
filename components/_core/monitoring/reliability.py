"""How often the scores of a version were right on its test rows, by cell: what its metric on answers without labels is estimated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components._core.monitoring.feature_bins import CountVector, NumberBins

_DIGITS = 9


@dataclass(frozen=True)
class Reliability:
    """The test rows by cell of their score.

    Attributes:
        rows: Rows, shape [cells].
        positives: Rows of the positive class, shape [cells].
        means: Mean score, 0 where there are no rows, shape [cells].
    """

    rows: CountVector
    positives: CountVector
    means: NDArray[np.float64]

    def rates(self) -> NDArray[np.float64]:
        """Return the share of the positive class by cell, which never falls with the score; shape [cells].

        Isotonic regression by pooling adjacent violators (M. Ayer et al., Annals of Mathematical Statistics 26, 1955). A cell without rows
        has the rate of the cells before it.
        """
        pools: list[list[float]] = []  # positives, rows, cells
        for positives, rows in zip(self.positives.tolist(), self.rows.tolist(), strict=True):
            pools.append([positives, rows, 1])
            while len(pools) > 1 and pools[-2][0] * max(pools[-1][1], 1e-9) >= pools[-1][0] * max(pools[-2][1], 1e-9):
                last = pools.pop()
                pools[-1] = [mine + more for mine, more in zip(pools[-1], last, strict=True)]
        return np.concatenate([np.full(int(cells), hits / max(rows, 1.0)) for hits, rows, cells in pools])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        means = [round(mean, _DIGITS) for mean in self.means.tolist()]
        return {"rows": self.rows.tolist(), "positives": self.positives.tolist(), "means": means}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Reliability:
        """Restore it from `to_json`."""
        rows, positives = (np.asarray(raw[name], dtype=np.int64) for name in ("rows", "positives"))
        return cls(rows, positives, np.asarray(raw["means"], dtype=np.float64))


def measure_reliability(bins: NumberBins, scores: NDArray[np.float64], labels: NDArray[Any]) -> Reliability:
    """Count the test rows of a binary task by cell of their score.

    Args:
        bins: Cells of the score.
        scores: Probability of the positive class, shape [rows].
        labels: 1 for the positive class, else 0; shape [rows].
    """
    places = bins.places_of_numbers(np.asarray(scores, dtype=np.float64))
    rows = np.bincount(places, minlength=bins.size)
    sums = np.bincount(places, np.nan_to_num(scores), minlength=bins.size)
    positives = np.bincount(places, np.asarray(labels) == 1, minlength=bins.size).astype(np.int64)
    return Reliability(rows.astype(np.int64), positives, sums / np.maximum(rows, 1))
