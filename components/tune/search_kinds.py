"""Find the best kind of model and its hyperparameters, and write both."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
from numpy.typing import NDArray

from components._core.checks import Outcome, finite_or_none
from components._core.errors import ModelError
from components._core.files import fingerprint_folder, read_json, write_json
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.stage.user_code import unpack_code
from components._core.types.artifact_files import CLASSES, HYPERPARAMETERS, LEADERBOARD, TRIALS
from components._core.types.hyperparameter_names import MODEL_KIND
from components._core.types.tasks import TASKS
from components._frameworks.class_weights import weigh_classes
from components._frameworks.contract import TrainingData
from components._frameworks.model_kinds import TREES
from components._frameworks.model_rules import check_models
from components._frameworks.objective import Objective, read_labels
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.tune.candidates import Candidate, Fitter, Values, list_candidates
from components.tune.earlier_trials import EarlierTrials, fingerprint_spaces
from components.tune.folds import choose_folds, judged_places, keeps_both_classes, make_parts, renumber
from components.tune.kind_search import PRUNED, Attempt, Search
from components.tune.leaderboard import Leaderboard, choose
from components.tune.leaderboard_page import page_of

_PLANNED = 30
"""Models that a search in minutes should come to: where fits are so slow that it would not, fewer folds judge."""
_FEWEST_JUDGED = 1_000
"""Train rows that judge in any case, or all of them."""


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
    started = time.monotonic()
    fitter, objective = _prepare(project, data, classes, candidates)
    search = Search.make(project, objective, fitter, candidates)
    search.started = started
    if not rows or not project.tune.warm_start:
        search.run()
        return search
    shared = fingerprint_spaces(project.task, [*data.train.columns, *classes], candidates)
    earlier = EarlierTrials.load(Settings.from_environment().store, project.name, shared, rows)
    search.earlier = earlier.best()
    search.run()
    earlier.save(search.best_values())
    return search


def _prepare(
    project: Project, data: TrainingData, classes: list[str], candidates: list[Candidate]
) -> tuple[Fitter, Objective]:
    """Divide the rows; where minutes are few for so many slow fits, only the first folds judge."""
    folds = choose_folds(project, data.train.rows)
    if folds and not keeps_both_classes(project, data.train):
        folds = 0
    parts = make_parts(data, folds, project.train.seed)
    if not folds:
        return Fitter(project, data, classes, parts), _objective(project, read_labels(data.held_out))
    parts = parts[: _count_affordable(Fitter(project, data, classes, parts), candidates)]
    labels = read_labels(data.train)[judged_places(parts)]
    objective = _objective(project, labels, folds, len(parts))
    return Fitter(project, data, classes, renumber(parts)), objective


def _count_affordable(fitter: Fitter, candidates: list[Candidate]) -> int:
    """Return how many folds a search in minutes can fit of each of some dozen models, by the time of one fit of boosted trees."""
    project, count = fitter.project, len(fitter.parts)
    if project.tune.minutes is None or project.tune.folds is not None:
        return count
    baseline = next(each for each in candidates if each.is_baseline and each.order == TREES)
    least = min(math.ceil(_FEWEST_JUDGED / len(fitter.parts[0].places)), count)
    affordable = least
    for _ in range(2):  # the first time includes what is imported and compiled
        began = time.monotonic()
        try:
            fitter.look(baseline, baseline.known[0])
        except ModelError:  # the search says why
            return count
        seconds = max(time.monotonic() - began, 1e-6)
        affordable = max(affordable, int(project.tune.minutes * 60 * fitter.threads / (seconds * _PLANNED)))
        if affordable >= count:
            return count
    return affordable


def _objective(project: Project, labels: NDArray[Any], folds: int = 0, judged_folds: int = 0) -> Objective:
    task, seed, is_named = TASKS[project.task], project.train.seed, bool(project.gates.model.metric)
    return Objective.of(
        task, project.primary_metric(), labels, seed, is_named=is_named, folds=folds, judged_folds=judged_folds
    )


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
        f"{board.metric} {own.value:.4f} on {search.objective.judged_by}"
    )
    metrics = {"trials": float(len(search.attempts)), board.metric: own.value, "eval_loss": own.loss}
    return Outcome(reason=reason, metrics=metrics)
