"""What train has to show: the curves of loss and metrics, the model layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.checks import Outcome
from components._core.project.config_types import Hyperparameter
from components._core.report.page import Cell, Page
from components._core.report.plots import lines
from components._frameworks.contract import Progress, TrainableModel


def page_of(
    progress: Progress, outcome: Outcome, hyperparameters: dict[str, Hyperparameter], model: TrainableModel
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
            "parameters": model.count_parameters(),
        }
    )
    numbers = list(range(1, len(progress.epochs) + 1))
    for name in [name for name in best if f"eval_{name}" in best]:
        series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
            split: (numbers, [epoch[key] for epoch in progress.epochs]) for split, key in _pair(name)
        }
        page.figure(name, lines(series, "epoch", name), "train is measured while the epoch runs, eval after it")
    page.table("Hyperparameters", ["name", "value"], [[name, value] for name, value in sorted(hyperparameters.items())])
    layers: list[list[Cell]] = [[part.name, part.kind, part.output, part.parameters] for part in model.layers()]
    page.table("Layers", ["layer", "type", "output", "parameters"], layers, folded=True)
    return page


def _pair(name: str) -> list[tuple[str, str]]:
    return [("train", name), ("eval", f"eval_{name}")]
