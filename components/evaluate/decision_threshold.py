"""The score from which a row counts as positive: what the project says, or chosen on the eval rows, never on the test rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components._core.checks import Check
from components._core.project.project_file import Project
from components._core.types.metrics.binary import THRESHOLD
from components._core.types.metrics.row_sums import Array
from components._core.types.metrics.threshold_choice import choose_threshold
from components._frameworks.contract import Model
from components._frameworks.score_rows import score_split

NAME = "threshold"
_FEW = 30
"""Eval rows of the rarer class below which a chosen threshold depends on chance."""


@dataclass(frozen=True)
class DecisionThreshold:
    """The threshold of a model.

    Attributes:
        value: Probability from which a row counts as positive.
        check: How it was found, as a line of the gates.
    """

    value: float
    check: Check


def find_threshold(project: Project, model: Model, examples: Path) -> DecisionThreshold | None:
    """Find the threshold of a model; None when the project does not set `serve.threshold`.

    Args:
        project: The project.
        model: The model.
        examples: The examples artifact; its eval split is scored when the threshold has to be chosen.

    Raises:
        DataError: When no eval row has a label that the model knows.
        ModelError: When the model fails on the rows or answers in another shape.
    """
    wanted = project.serve.threshold
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        reason = f"a row counts as positive from {wanted:.6g}, as serve.threshold says"
        return DecisionThreshold(wanted, Check(NAME, "pass", wanted, reason=reason))
    scored = score_split({NAME: model}, model.signature, examples, "eval", project.label, [])
    return _choose(scored.labels, scored.scores[NAME], wanted)


def _choose(labels: Array, scores: Array, metric: str) -> DecisionThreshold:
    rows = len(labels)
    chosen = choose_threshold(labels, scores, metric) if np.isfinite(scores).all() else None
    if chosen is None:
        why = "have one class" if len(np.unique(labels)) < 2 else "have no scores that differ"
        reason = f"serve.threshold: {metric} cannot be used, since the {rows:,} eval rows {why}: {THRESHOLD} is used"
        return DecisionThreshold(THRESHOLD, Check(NAME, "warn", THRESHOLD, n=rows, reason=reason))
    reason = f"a row counts as positive from {chosen.threshold:.6g}: the best {metric} ({chosen.value:.4g}) of {rows:,} eval rows"
    rarer = int(np.bincount(labels, minlength=2).min())
    if rarer < _FEW:
        reason += f", of which only {rarer} are of the rarer class: another split may give another threshold"
    return DecisionThreshold(
        chosen.threshold, Check(NAME, "warn" if rarer < _FEW else "pass", chosen.threshold, n=rows, reason=reason)
    )
