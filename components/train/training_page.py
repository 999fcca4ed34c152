"""What train has to show: the curves of loss and metrics, the model layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from components._core.checks import Outcome
from components._core.project.config_types import Hyperparameter
from components._core.report.page import Cell, Page
from components._core.report.plots import lines
from components._frameworks.contract import Progress, TrainableModel


def page_of(
    progress: Progress,
    outcome: Outcome,
    hyperparameters: dict[str, Hyperparameter],
    model: TrainableModel,
    *,
    has_epochs: bool = True,
) -> Page:
    """The page of one fit; without epochs it has a table where it has curves otherwise."""
    best = progress.epochs[progress.best_epoch]
    page = Page("train", "Training", outcome)
    epochs = {"epochs": len(progress.epochs), "best epoch": progress.best_epoch + 1, "steps": progress.steps}
    page.facts(
        {**(epochs if has_epochs else {}), "eval loss": best["eval_loss"], "parameters": model.count_parameters()}
    )
    if outcome.checks:
        page.checks(outcome.checks)
    for note in model.notes():
        page.text(note)
    # a metric that the rows of some epoch did not define is not shown
    measured = [name for name in best if all({name, f"eval_{name}"} <= epoch.keys() for epoch in progress.epochs)]
    numbers = list(range(1, len(progress.epochs) + 1))
    for name in measured if has_epochs else []:
        series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
            split: (numbers, [epoch[key] for epoch in progress.epochs]) for split, key in _pair(name)
        }
        page.figure(name, lines(series, "epoch", name), "train is measured while the epoch runs, eval after it")
    if not has_epochs:
        page.table("Fit", ["", "train", "eval"], [[name, best[name], best[f"eval_{name}"]] for name in measured])
    page.table("Hyperparameters", ["name", "value"], [[name, value] for name, value in sorted(hyperparameters.items())])
    layers: list[list[Cell]] = [[part.name, part.kind, part.output, part.parameters] for part in model.layers()]
    page.table(
        "Layers" if has_epochs else "Steps",
        ["layer" if has_epochs else "step", "type", "output", "parameters"],
        layers,
        folded=True,
    )
    return page


def add_class_weights(page: Page, classes: Sequence[str], weights: NDArray[Any]) -> None:
    """Add a table with the weight of each class; both losses of the page are weighted by it.

    Args:
        page: The page.
        classes: The label's classes.
        weights: Weight by class index.
    """
    rows: list[list[Cell]] = [[name, float(f"{weight:.4g}")] for name, weight in zip(classes, weights, strict=True)]
    note = "train.class_weight. The losses are weighted, too; probabilities are not shares of rows."
    page.table("Class weights", ["class", "weight of a row"], rows, note)


def _pair(name: str) -> list[tuple[str, str]]:
    return [("train", name), ("eval", f"eval_{name}")]
