"""What train has to show: the curves of loss and metrics, the model layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from components._core.checks import Outcome
from components._core.project.config_types import Hyperparameter
from components._core.report.page import Cell, Page
from components._core.report.plots import lines
from components._frameworks.keras.fit import Progress


def page_of(
    progress: Progress, outcome: Outcome, hyperparameters: dict[str, Hyperparameter], model: keras.Model
) -> Page:
    """The page of one fit."""
    best = progress.epochs[progress.best_epoch]
    page = Page("train", "Training", outcome)
    page.facts(
        {
            "epochs": len(progress.epochs),
            "best epoch": progress.best_epoch + 1,
            "steps": progress.steps,
            "eval loss": best["eval_loss"],
            "parameters": model.count_params(),
        }
    )
    numbers = list(range(1, len(progress.epochs) + 1))
    for name in [name for name in best if f"eval_{name}" in best]:
        series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
            split: (numbers, [epoch[key] for epoch in progress.epochs]) for split, key in _pair(name)
        }
        page.figure(name, lines(series, "epoch", name), "train is measured while the epoch runs, eval after it")
    page.table("Hyperparameters", ["name", "value"], [[name, value] for name, value in sorted(hyperparameters.items())])
    page.table(
        "Layers", ["layer", "type", "output", "parameters"], [_row(layer) for layer in model.layers], folded=True
    )
    return page


def _pair(name: str) -> list[tuple[str, str]]:
    return [("train", name), ("eval", f"eval_{name}")]


def _row(layer: keras.Layer) -> list[Cell]:
    shape = getattr(layer.output, "shape", "") if isinstance(layer.output, keras.KerasTensor) else ""
    return [layer.name, type(layer).__name__, str(tuple(shape)) if shape else "", layer.count_params()]
