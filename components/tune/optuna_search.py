"""Trials with Optuna, in this process: the defaults first, so that the plain choice is always compared."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import optuna

from components._core.checks import Outcome
from components._core.errors import ConfigError, ModelError
from components._core.files import read_json, write_json
from components._core.project.config_types import Hyperparameter
from components._core.project.project_file import Project
from components._core.project.tune_config import Space
from components._core.stage.user_code import unpack_code
from components._core.types.artifact_files import CLASSES, HYPERPARAMETERS, TRIALS
from components._core.types.tasks import TASKS
from components._frameworks.class_weights import weigh_classes
from components._frameworks.contract import Framework, ModelCode, Progress, TrainableModel, TrainingData
from components._frameworks.table import check_installed, find_framework
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.tune.tuning_page import page_of

EPOCHS = "epochs"
FAILED = "failed"


@dataclass
class Trials:
    """What one trial needs, the same for all.

    Attributes:
        project: The project, with the epochs of a trial as its epochs.
        framework: The framework of its model.
        folder: The project's code, unpacked.
        data: The rows to fit and to judge by.
        classes: The label's classes; empty for a task without classes.
    """

    project: Project
    framework: Framework
    folder: Path
    data: TrainingData
    classes: list[str]

    def run(self, trial: optuna.Trial) -> float:
        """Fit one model; returns its lowest eval loss."""
        space = self.project.tune.space
        values = self.project.train.hyperparameters | {
            name: _suggested(trial, name, space[name]) for name in sorted(space)
        }
        model = self._model(values)

        def after_epoch(progress: Progress) -> bool:
            trial.report(progress.epochs[-1]["eval_loss"], len(progress.epochs))
            return trial.should_prune()

        try:
            progress = model.fit(self.data, self.project.train, after_epoch=after_epoch)
        except ModelError as error:
            if trial.number == 0:  # the defaults: this is not an unlucky draw, the model is broken
                raise
            trial.set_user_attr(FAILED, error.message)
            raise optuna.TrialPruned from error
        trial.set_user_attr(EPOCHS, progress.epochs)
        if len(progress.epochs) < self.project.train.epochs and trial.should_prune():
            raise optuna.TrialPruned
        return progress.epochs[progress.best_epoch]["eval_loss"]

    def _model(self, values: dict[str, Hyperparameter]) -> TrainableModel:
        return self.framework.build(
            ModelCode(self.folder, self.project.code.model),
            self.data,
            values,
            task=TASKS[self.project.task],
            classes=self.classes,
            seed=self.project.train.seed,
        )


def search(project: Project, code: Path, transform_graph: Path, transformed: Path, folder: Path) -> Outcome:
    """Run the trials and write the best values, every trial and the page; see `tuning.tune_hyperparameters`."""
    framework = find_framework(project.code.framework, "code.framework")
    check_installed(framework, "code.framework")
    framework.make_repeatable()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _check_defaults(project)
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=project.train.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.enqueue_trial({name: project.train.hyperparameters[name] for name in project.tune.space})
    with tempfile.TemporaryDirectory(prefix="naru-tune-") as scratch:
        unpack_code(code, Path(scratch))
        rows, classes = TransformedRows(transformed_file(transformed, "train")), read_json(transform_graph / CLASSES)
        weights = weigh_classes(project.train, classes, rows)
        data = TrainingData(rows, TransformedRows(transformed_file(transformed, "eval")), transform_graph, weights)
        shortened = project.model_copy(
            update={"train": project.train.model_copy(update={"epochs": project.tune.epochs})}
        )
        trials = Trials(shortened, framework, Path(scratch), data, classes)
        study.optimize(trials.run, n_trials=project.tune.trials)
    values = project.train.hyperparameters | study.best_params
    outcome = _outcome(study)
    write_json(folder / HYPERPARAMETERS, values)
    write_json(folder / TRIALS, [_describe_trial(trial) for trial in study.trials])
    page_of(study, outcome, values).save(folder)
    return outcome


def _suggested(trial: optuna.Trial, name: str, space: Space) -> Hyperparameter:
    if space.choices is not None:
        return cast("Hyperparameter", trial.suggest_categorical(name, space.choices))
    low, high = space.low or 0.0, space.high or 0.0
    if space.integer:
        return trial.suggest_int(name, int(low), int(high), log=space.log)
    return trial.suggest_float(name, low, high, log=space.log)


def _check_defaults(project: Project) -> None:
    """The defaults are trial 0, so each must be there and lie within its space."""
    for name, space in sorted(project.tune.space.items()):
        where = f"tune.space.{name}"
        if name not in project.train.hyperparameters:
            raise ConfigError(
                "has no default", where=where, remedy=f"give train.hyperparameters.{name}, the value to compare with"
            )
        value = project.train.hyperparameters[name]
        if not _within(value, space):
            raise ConfigError(
                f"does not hold the default {value!r}", where=where, remedy="widen the space, or change the default"
            )


def _within(value: Any, space: Space) -> bool:
    if space.choices is not None:
        return value in space.choices
    low, high = space.low or 0.0, space.high or 0.0
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and low <= value <= high and (not space.integer or float(value).is_integer())


def _describe_trial(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """One trial without its times, which would differ from run to run."""
    return {
        "number": trial.number,
        "state": FAILED if FAILED in trial.user_attrs else trial.state.name.lower(),
        "reason": trial.user_attrs.get(FAILED, ""),
        "values": trial.params,
        "eval_loss": trial.value,
        "epochs": trial.user_attrs.get(EPOCHS, []),
    }


def _outcome(study: optuna.Study) -> Outcome:
    plain, best = study.trials[0].value or 0.0, study.best_value
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)
    what = (
        "the defaults are best"
        if study.best_trial.number == 0
        else f"trial {study.best_trial.number} beats the defaults"
    )
    reason = f"{len(study.trials)} trials ({pruned} stopped early): {what}, eval loss {best:.4f} against {plain:.4f}"
    metrics = {"trials": float(len(study.trials)), "eval_loss": best, "eval_loss_of_defaults": plain}
    return Outcome(reason=reason, metrics=metrics)
