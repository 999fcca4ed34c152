"""The metrics by name and task, without the arithmetic: what a project file may name is checked before anything heavy is imported."""

from __future__ import annotations

from typing import Literal

from components._core.suggestions import suggest

Task = Literal["binary_classification", "multiclass_classification", "regression"]

BINARY = (
    "auc",
    "pr_auc",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "fpr",
    "log_loss",
    "brier",
    "ece",
)
MULTICLASS = (
    "accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "auc",
    "log_loss",
    "ece",
)
REGRESSION = ("rmse", "mae", "mse", "r2")
NAMES: dict[Task, tuple[str, ...]] = {
    "binary_classification": BINARY,
    "multiclass_classification": MULTICLASS,
    "regression": REGRESSION,
}
PRIMARY: dict[Task, str] = {
    "binary_classification": "auc",
    "multiclass_classification": "accuracy",
    "regression": "rmse",
}
LOWER_IS_BETTER = frozenset({"fpr", "log_loss", "brier", "ece", "mae", "mse", "rmse"})


def find_unknown(task: Task, name: str) -> str:
    """What is wrong with a metric's name, in a sentence; empty when the task has it."""
    if name in NAMES[task]:
        return ""
    meant = suggest(name, NAMES[task])
    close = f"; {meant}" if meant.startswith("did") else ""
    return f"{name!r} is not a metric of a {task} project{close}; allowed: {', '.join(NAMES[task])}"
