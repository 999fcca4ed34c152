"""Find the best kind of model and its hyperparameters, and write both."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import optuna

from components._core.checks import Outcome, finite_or_none
from components._core.files import fingerprint_folder, read_json, write_json
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.stage.user_code import unpack_code
from components._core.types.artifact_files import CLASSES, HYPERPARAMETERS, LEADERBOARD, TRIALS
from components._core.types.hyperparameter_names import MODEL_KIND
from components._core.types.tasks import TASKS
from components._frameworks.class_weights import weigh_classes
from components._frameworks.contract import TrainingData
from components._frameworks.model_rules import check_models
from components._frameworks.objective import Objective, read_labels
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.tune.candidates import Fitter, Values, list_candidates
from components.tune.earlier_trials import EarlierTrials, fingerprint_spaces
from components.tune.kind_search import PRUNED, Attempt, Search
from components.tune.leaderboard import Leaderboard, choose
from components.tune.leaderboard_page import page_of


def search_kinds(project: Project, code: Path, transform_graph: Path, transformed: Path, folder: Path) -> Outcome:
    """Search, and write the chosen kind with its values, every trial, the leaderboard and the page; see `tune_hyperparameters`."""
    check_models(project)
    rows, classes = TransformedRows(transformed_file(transformed, "train")), read_json(transform_graph / CLASSES)
    weights = weigh_classes(project.train, classes, rows)
    data = TrainingData(rows, TransformedRows(transformed_file(transformed, "eval")), transform_graph, weights)
    with tempfile.TemporaryDirectory(prefix="naru-tune-") as scratch:
        unpack_code(code, Path(scratch))
        search = run_search(project, data, classes, Path(scratch), fingerprint_folder(transformed))
    chosen, board = choose(search, rows, classes)
    values: Values = {MODEL_KIND: chosen.candidate.kind, **chosen.values}
    outcome = _outcome(search, chosen, board)
    write_json(folder / HYPERPARAMETERS, values)
    write_json(folder / TRIALS, [_describe(attempt) for attempt in search.attempts])
    write_json(folder / LEADERBOARD, board.to_json())
    page_of(search, chosen, board, outcome, values).save(folder)
    return outcome


def run_search(project: Project, data: TrainingData, classes: list[str], code: Path, rows: str = "") -> Search:
    """Search on prepared rows: what a benchmark calls.

    Args:
        project: The project; `tune` says which kinds and how long.
        data: The rows to fit and to judge by.
        classes: The label's classes; empty for a task without classes.
        code: Folder of the project's code, for the kind `project`.
        rows: Fingerprint of the rows, to go on from earlier searches of others and to be kept; empty: neither.

    Returns:
        The search with all attempts; `leaderboard.choose` chooses among them.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    candidates = list_candidates(project, code, data)
    for framework in {candidate.framework.name: candidate.framework for candidate in candidates}.values():
        framework.make_repeatable()
    search = Search.make(project, _objective(project, data), Fitter(project, data, classes), candidates)
    if not rows or not project.tune.warm_start:
        search.run()
        return search
    shared = fingerprint_spaces(project.task, [*data.train.columns, *classes], candidates)
    earlier = EarlierTrials.load(Settings.from_environment().store, project.name, shared, rows)
    search.earlier = earlier.best()
    search.run()
    earlier.save(search.best_values())
    return search


def _objective(project: Project, data: TrainingData) -> Objective:
    labels, is_named = read_labels(data.held_out), bool(project.gates.model.metric)
    return Objective.of(TASKS[project.task], project.primary_metric(), labels, project.train.seed, is_named=is_named)


def _describe(attempt: Attempt) -> dict[str, Any]:
    """One trial without its times, which would differ from run to run."""
    return {
        "number": attempt.number,
        "kind": attempt.candidate.kind,
        "origin": attempt.origin,
        "state": attempt.state,
        "reason": attempt.reason,
        "values": attempt.values,
        "value": finite_or_none(attempt.value),
        "eval_loss": finite_or_none(attempt.loss),
    }


def _outcome(search: Search, chosen: Attempt, board: Leaderboard) -> Outcome:
    own = next(entry for entry in board.entries if entry.kind == board.chosen)
    pruned = sum(attempt.state == PRUNED for attempt in search.attempts)
    kinds = len({attempt.candidate.kind for attempt in search.attempts})
    stopped = f", {pruned} stopped early" if pruned else ""
    time = ", until the minutes were over" if board.out_of_time else ""
    reason = (
        f"{board.chosen} is chosen among {kinds} kinds of model ({len(search.attempts)} trials{stopped}{time}): "
        f"{board.metric} {own.value:.4f} on {board.rows:,} eval rows"
    )
    metrics = {"trials": float(len(search.attempts)), board.metric: own.value, "eval_loss": own.loss}
    return Outcome(reason=reason, metrics=metrics)
