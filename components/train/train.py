"""Fit the project's model on the transformed rows, and save it so that it takes raw features."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from components._core.checks import Check, Outcome
from components._core.files import fingerprint_folder, fingerprint_of, read_json, write_json
from components._core.project.config_types import Hyperparameter
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.stage.environment import describe_environment
from components._core.stage.user_code import unpack_code
from components._core.suggestions import listed
from components._core.types.artifact_files import CLASSES, ENVIRONMENT, HISTORY, HYPERPARAMETERS, SCHEMA
from components._core.types.column_choices import ColumnChoices
from components._core.types.hyperparameter_names import MODEL_KIND
from components._core.types.signature import Signature, read_features
from components._core.types.tasks import TASKS
from components._frameworks.class_weights import weigh_classes
from components._frameworks.contract import Framework, ModelCode, Progress, TrainableModel, TrainingData
from components._frameworks.model_kinds import PROJECT_KIND, KindInput, find_kind
from components._frameworks.table import check_installed, find_framework
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.train.baselines import baselines_beside
from components.train.checkpoints import Checkpoint
from components.train.feature_contents import with_contents
from components.train.training_page import add_class_weights, page_of


def train_model(
    project: Project,
    *,
    code: Path,
    schema: Path,
    transform_graph: Path,
    transformed: Path,
    hyperparameters: Path,
    model: Path,
    history: Path,
) -> Outcome:
    """Fit, keep the best epoch, save: the project's model, or one of the kind that tune has chosen.

    A fit that was killed goes on from its last epoch when it is run again on the same inputs, and ends in the same model.

    Args:
        project: The project.
        code: Archive of the project's code.
        schema: The schema in force: what the served model takes.
        transform_graph: From transform.
        transformed: From transform.
        hyperparameters: From tune.
        model: Folder for the model: the framework's own files and `signature.json`.
        history: Folder for `history.json`, `environment.json`, the page as data, and with `tune.baselines` the scores of simpler models.

    Raises:
        UserCodeError: When build_model raises or returns no model.
        ModelError: When the loss is not a number, or the output has the wrong shape.
    """
    values: dict[str, Hyperparameter] = read_json(hyperparameters / HYPERPARAMETERS)
    kind = str(values.get(MODEL_KIND, PROJECT_KIND))
    framework = _find_framework(project, kind)
    framework.make_repeatable()
    classes: list[str] = read_json(transform_graph / CLASSES)
    checkpoint = Checkpoint.of(
        Settings.from_environment().store,
        project.name,
        _fingerprint(project, framework, [code, transform_graph, transformed], values),
    )
    rows = TransformedRows(transformed_file(transformed, "train"))
    weights = weigh_classes(project.train, classes, rows)
    data = TrainingData(rows, TransformedRows(transformed_file(transformed, "eval")), transform_graph, weights)
    with tempfile.TemporaryDirectory(prefix="naru-train-") as scratch:
        unpack_code(code, Path(scratch))
        fitted = framework.build(
            _code_of(project, kind, Path(scratch), data),
            data,
            {name: value for name, value in values.items() if name != MODEL_KIND},
            task=TASKS[project.task],
            classes=classes,
            seed=project.train.seed,
        )
        with baselines_beside(project, transform_graph, transformed) as baselines:
            progress = _fit(fitted, data, project, checkpoint)
            fitted.export(_signature(project, framework, schema, transform_graph, classes), model)
            if baselines is not None:
                baselines.save(fitted, data, len(classes), history)
    outcome = _describe(framework, progress, project, data)
    if unused := fitted.unused_columns():
        check = _check_unused(unused, data, has_fit=framework.has_fit)
        outcome = replace(outcome, verdict="warn", checks=(check,))
    write_json(
        history / HISTORY, {"epochs": progress.epochs, "best_epoch": progress.best_epoch + 1, "steps": progress.steps}
    )
    write_json(history / ENVIRONMENT, asdict(describe_environment()))
    shown = page_of(progress, outcome, values, fitted, has_epochs=framework.has_epochs)
    if weights is not None:
        add_class_weights(shown, classes, weights)
    shown.save(history)
    checkpoint.remove()
    checkpoint.remove_abandoned()
    return outcome


def _fit(model: TrainableModel, data: TrainingData, project: Project, checkpoint: Checkpoint) -> Progress:
    def keep(progress: Progress) -> bool:
        checkpoint.save(progress)
        return False

    return model.fit(data, project.train, progress=checkpoint.load(), after_epoch=keep)


def _find_framework(project: Project, kind: str) -> Framework:
    """Return the framework of the kind that tune has chosen, or of the project's own build_model."""
    name, where = (project.code.framework, "code.framework")
    if kind != PROJECT_KIND:
        name, where = find_kind(kind, "the hyperparameters").framework, f"the kind {kind}"
    framework = find_framework(name, where)
    check_installed(framework, where)
    return framework


def _code_of(project: Project, kind: str, folder: Path, data: TrainingData) -> ModelCode:
    if kind == PROJECT_KIND:
        return ModelCode(folder, project.code.model, imported=project.model)
    return find_kind(kind).code(KindInput(TASKS[project.task], data.is_prepared, data.train.rows))


def _signature(
    project: Project, framework: Framework, schema: Path, transform_graph: Path, classes: list[str]
) -> Signature:
    leave_out = {project.label, *project.data.exclude}
    features = with_contents(read_features(schema / SCHEMA if schema.is_dir() else schema, leave_out), project.data)
    dropped = ColumnChoices.load(transform_graph).dropped_names
    return Signature(
        project.task,
        tuple(feature for feature in features if feature.name not in dropped),
        TASKS[project.task].output_types,
        tuple(classes),
        framework.name,
        tuple(feature for feature in features if feature.name in dropped),
    )


def _fingerprint(project: Project, framework: Framework, inputs: list[Path], values: dict[str, Hyperparameter]) -> str:
    """Of all that decides what a fit computes."""
    parts = [project.task, project.train.model_dump_json(), repr(sorted(values.items())), framework.version()]
    return fingerprint_of([*parts, *(fingerprint_folder(path) for path in inputs)])


def _check_unused(unused: list[str], data: TrainingData, *, has_fit: bool) -> Check:
    """Warn of columns that the model does not use: forgotten in build_model, or work for nothing in every request."""
    count = f"{len(unused):,} of {len(data.train.columns):,}"
    place = "build_model" if has_fit else "model.inputs"
    if data.is_prepared:
        message = f"preprocessing_fn makes features that the model does not use ({count}): {listed(unused)}"
        reason = f"{message}; use them in {place}, or take them out of preprocessing_fn"
    elif not has_fit:
        message = f"no input of the model takes some columns ({count}): {listed(unused)}"
        reason = f"{message}; list them under data.exclude, or requests have to carry them"
    else:
        message = f"what build_model returns drops columns ({count}): {listed(unused)}"
        reason = f"{message}; use them, or list them under data.exclude: requests have to carry them"
    return Check("unused features", "warn", float(len(unused)), n=data.train.rows, reason=reason)


def _describe(framework: Framework, progress: Progress, project: Project, data: TrainingData) -> Outcome:
    if framework.has_epochs:
        return _outcome(progress, project)
    if framework.has_fit:
        return _outcome_of_one_call(progress, data)
    reason = (
        f"nothing was fitted: {project.code.model} answers as a model of this task, on {data.held_out.rows:,} eval rows"
    )
    return Outcome(reason=reason, metrics=dict(progress.epochs[progress.best_epoch]))


def _outcome(progress: Progress, project: Project) -> Outcome:
    done, best = len(progress.epochs), progress.best_epoch
    ended = "stopped early" if done < project.train.epochs and not project.train.steps else "ended"
    reason = f"{ended} after {done} epochs ({progress.steps:,} steps); best is epoch {best + 1}"
    return Outcome(
        reason=reason, metrics={**progress.epochs[best], "epochs": float(done), "steps": float(progress.steps)}
    )


def _outcome_of_one_call(progress: Progress, data: TrainingData) -> Outcome:
    reason = f"fitted {data.train.rows:,} rows in one call"
    return Outcome(reason=reason, metrics=dict(progress.epochs[progress.best_epoch]))
