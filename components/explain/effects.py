"""Effective and unneeded features, by two methods that fail in different ways.

* Permutation importance, a feature at a time. Shuffling a feature that says nothing gives rows as likely as the real ones, so the
  real metric is one more draw among the shuffled ones: the feature is effective where the metric lies above the upper 95 %
  limit of such a draw. A feature that repeats another one looks unneeded, since the model still has the other.
* Shapley values of the loss, over all sets of features. Features that say the same share the credit, so none of them looks
  unneeded. A feature is effective where the lower 95 % limit of its mean reduction of the loss is above zero.

What neither finds effective is proposed for `data.exclude`, and only proposed: the model was trained with it, and a model that is
trained without it is measured by `naru ablate`.

Sources: Altmann et al., "Permutation importance: a corrected feature importance measure" (2010), for a null distribution; Hooker,
Mentch and Zhou, "Unrestricted permutation forces extrapolation" (2021), for why one method is not enough; Covert, Lundberg and
Lee (2020) for the loss (`loss_shapley.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components._frameworks.permutation import Importance
from components._frameworks.sampled_rows import Array
from components.explain.leaks import rank_correlation
from components.explain.rank_agreement import COMPARED

FEWEST_ROWS = 200
"""Fewest rows of the sample for a judgement: with fewer, most features cannot be distinguished from noise."""
_FEWEST_ATTRIBUTED = 30
_ONE_SIDED = 1.645
_STUDENT = {2: 6.314, 3: 2.920, 4: 2.353, 5: 2.132}
"""Upper 95 % limit of Student's t by number of repeats."""


@dataclass(frozen=True)
class Effect:
    """What two methods say of one feature.

    Attributes:
        limit: Loss in the primary metric that shuffling a feature without any use reaches once in twenty times.
        by_permutation: Whether permutation importance finds it effective.
        reduction: Mean reduction of the loss, its Shapley value.
        low: Its lower 95 % limit over rows, one-sided.
        by_shapley: Whether the Shapley value of the loss finds it effective.
        rows: Rows of the Shapley values.
    """

    limit: float
    by_permutation: bool
    reduction: float
    low: float
    by_shapley: bool
    rows: int

    @property
    def answer(self) -> str:
        """The two answers in one word."""
        if self.by_permutation == self.by_shapley:
            return "effective" if self.by_permutation else "unneeded"
        return "disputed"


def find_effects(
    importances: Mapping[str, Importance], reductions: Mapping[str, Array], rows: int, repeats: int
) -> dict[str, Effect]:
    """Judge every feature by both methods, in the order of `importances`; empty when there are too few rows.

    Args:
        importances: Permutation importance by feature.
        reductions: Reduction of the loss by feature and row, shape [rows].
        rows: Rows that features were permuted on.
        repeats: How often each feature was permuted.
    """
    attributed = len(next(iter(reductions.values()), ()))
    undefined = any(math.isnan(item.drop) for item in importances.values())
    if rows < FEWEST_ROWS or attributed < _FEWEST_ATTRIBUTED or undefined or repeats not in _STUDENT:
        return {}
    return {name: _judge(item, reductions[name], repeats) for name, item in importances.items()}


def _judge(importance: Importance, reduction: Array, repeats: int) -> Effect:
    limit = _STUDENT[repeats] * importance.spread * math.sqrt(1 + 1 / repeats)
    mean, error = float(reduction.mean()), float(reduction.std(ddof=1)) / math.sqrt(len(reduction))
    low = mean - _ONE_SIDED * error
    return Effect(limit, importance.drop > limit, mean, low, low > 0, len(reduction))


def find_unneeded(effects: Mapping[str, Effect]) -> list[str]:
    """Names of the features that neither method finds effective, the least important first."""
    return [name for name in reversed(list(effects)) if effects[name].answer == "unneeded"]


def rank_agreement(importances: Mapping[str, Importance], effects: Mapping[str, Effect]) -> float:
    """Rank correlation of the two methods over the 20 most important features; NaN where it is not defined."""
    compared = [*effects][:COMPARED]
    drops = [importances[name].drop for name in compared]
    return rank_correlation(np.array(drops), np.array([effects[name].reduction for name in compared]))


def exclude_line(excluded: list[str], proposed: list[str]) -> str:
    """Write the line of project.yaml that leaves columns out besides those that are left out already."""
    return f"exclude: {json.dumps([*excluded, *proposed], ensure_ascii=False)}"
