"""Train a project's model again without some columns, and say whether it is as good as with them.

It takes what a past run left (examples, schema, hyperparameters, code), so that the rows and their split are the same. A column
that is left out has one value in every row: nothing can be learned from it, and the project's code runs as it is. Everything is
written to a folder that is removed at the end: no version is registered, and no store, ledger or run is touched.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components._core.errors import ConfigError
from components._core.suggestions import suggest
from components._core.types.tasks import TASKS
from pipelines.local.trained_run import Trained, prepare_again, scratch_folder, train_again
from pipelines.local.workspace import Workspace

if TYPE_CHECKING:  # importing it takes NumPy
    from components.evaluate.non_inferiority import Comparison, ModelScores

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ablation:
    """The result of an ablation.

    Attributes:
        run: The run whose rows and code were used.
        without: Columns that were left out.
        metric: Name of the metric that decides.
        seeds: Seeds that both models were trained with.
        comparison: The two models beside each other.
        proposal: The line of project.yaml, below `data`, that leaves the columns out.
    """

    run: str
    without: list[str]
    metric: str
    seeds: list[int]
    comparison: Comparison
    proposal: str

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        found = self.comparison
        return {
            "run": self.run,
            "without": self.without,
            "verdict": found.verdict,
            "metric": self.metric,
            "rows": found.rows,
            "gain": found.gain,
            "interval": list(found.interval),
            "margin": found.margin,
            "seeds": [
                {"seed": seed, "whole": whole, "reduced": reduced}
                for seed, whole, reduced in zip(self.seeds, found.whole, found.reduced, strict=True)
            ],
            "proposal": self.proposal,
        }


def choose_columns(trained: Trained, without: list[str], proposed: int | None) -> list[str]:
    """Choose the columns to leave out: those named, or the first of those that explain proposes.

    Args:
        trained: The run.
        without: Columns that the person named; empty: the proposed ones.
        proposed: How many of the proposed ones; None: all.

    Raises:
        ConfigError: When a name is not a feature, nothing would be left, or fewer are proposed.
    """
    features, found = trained.features, trained.proposed
    for name in without:
        if name not in features:
            raise ConfigError(f"{name!r} is not a feature of the model; {suggest(name, features)}", where="--without")
    if not without and (not found or (proposed or 0) > len(found)):
        count = f"{len(found)} columns ({', '.join(found)})" if found else "no column"
        message = f"explain proposes {count} of run {trained.run}"
        remedy = "name the columns to leave out: --without a,b" if not found else f"--proposed {len(found)} at most"
        raise ConfigError(message, where="--proposed", remedy=remedy)
    chosen = list(dict.fromkeys(without)) or found[:proposed]
    if len(chosen) == len(features):
        raise ConfigError("leaves no feature to learn from", where="--without", remedy="name fewer columns")
    return chosen


def ablate(
    workspace: Workspace, trained: Trained, columns: list[str], seeds: int, margin: float | None, say: Say
) -> Ablation:
    """Train with and without some columns, once for each seed, and compare the models on the test rows.

    Args:
        workspace: The project's workspace: a folder for the work is made in it, and removed.
        trained: The run that gives rows, code and hyperparameters; its model is the first of those with all columns.
        columns: The columns to leave out.
        seeds: How many seeds, from the project's on.
        margin: Loss that does not matter, in the metric's unit; None: 2 % of what the model gains over no model.
        say: Called with a line after each seed.

    Raises:
        ConfigError: When the model gains nothing over no model, so that a margin must be given.
        NaruError: What transform, train and the models raise.
    """
    from components._core.examples.constant_columns import write_constant_columns
    from components.evaluate.non_inferiority import compare_models

    project, examples = trained.project, trained.artifacts["examples"]
    metric, numbers = project.primary_metric(), [project.train.seed + number for number in range(seeds)]
    whole: list[ModelScores] = []
    reduced: list[ModelScores] = []
    with scratch_folder(workspace, "ablate-") as scratch:
        constant = scratch / "examples"
        write_constant_columns(examples, columns, constant)
        # means and vocabularies of the columns must not be known; one that is constant now must not be dropped: the code reads it
        prepared = prepare_again(trained, constant, scratch, trained.choices)
        for seed in numbers:
            own = trained.artifacts["model"] if seed == project.train.seed else None
            labels, with_all = _train_and_score(trained, trained.artifacts, examples, seed, scratch, own)
            if margin is None and not whole:  # refused before the other models are trained
                _find_margin(trained, labels, [with_all])
            _, without = _train_and_score(trained, prepared, constant, seed, scratch)
            whole.append(with_all)
            reduced.append(without)
            values = [model.measure(metric, labels) for model in (with_all, without)]
            say(f"seed {seed:<6} {metric.name} {values[0]:.4f}  without {values[1]:.4f}  {values[1] - values[0]:+.4f}")
    if margin is None:
        margin = _find_margin(trained, labels, whole)
    found = compare_models(metric, labels, whole, reduced, margin, project.train.seed)
    proposal = f"exclude: {json.dumps([*project.data.exclude, *columns], ensure_ascii=False)}"
    return Ablation(trained.run, columns, metric.name, numbers, found, proposal)


def _find_margin(trained: Trained, labels: Any, whole: list[ModelScores]) -> float:
    from components._core.types.signature import Signature
    from components.evaluate.baselines import fit_baseline
    from components.evaluate.non_inferiority import default_margin

    project, examples = trained.project, trained.artifacts["examples"]
    task, metric = TASKS[project.task], project.primary_metric()
    constant = fit_baseline(Signature.load(trained.artifacts["model"]), examples, project.label).scores(len(labels))
    measured = [model.measure(metric, labels) for model in whole]
    margin = default_margin(metric, measured, task.measure(labels, constant)[metric.name])
    if not margin:
        message = f"the model gains nothing over no model in {metric.name}, so the default margin would be 0"
        raise ConfigError(message, where="--margin", remedy="give the loss that does not matter, as in --margin 0.01")
    return margin


def _train_and_score(
    trained: Trained, inputs: dict[str, Path], examples: Path, seed: int, scratch: Path, model: Path | None = None
) -> tuple[Any, ModelScores]:
    """Train a model, unless there is one, and score the test rows by its own threshold; returns labels and scores."""
    from components._frameworks.score_rows import score_split
    from components._frameworks.table import load_model
    from components.evaluate.decision_threshold import find_threshold
    from components.evaluate.non_inferiority import ModelScores

    project = trained.project
    seeded = project.model_copy(update={"train": project.train.model_copy(update={"seed": seed})})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        model = model or train_again(trained, inputs, Path(folder), seeded)
        loaded = load_model(model)
        scored = score_split({"model": loaded}, loaded.signature, examples, "test", project.label, [])
        threshold = find_threshold(project, loaded, examples)
    task = TASKS[project.task].with_threshold(threshold.value if threshold else None)
    return scored.labels, ModelScores(task, scored.scores["model"])
