"""Who is compared: each fits the same rows and answers the same others with numbers, or with classes where there are several."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.auto.tables import BINARY, CLASSES, NUMBER, PEER, Table
from benchmarks.naru_run import ROOT, environment
from components._core.examples.safe_parquet import pq
from components._core.types.signature import to_arrays
from components._frameworks.table import load_model

Scores = np.ndarray[Any, Any]
POSITIVE = "yes"
_MOST_CATEGORIES = 254
_METRICS = {BINARY: "auc", CLASSES: "accuracy", NUMBER: "rmse"}
_PROBLEMS = {BINARY: ("binary", "roc_auc"), CLASSES: ("multiclass", "accuracy"), NUMBER: ("regression", "rmse")}


@dataclass(frozen=True)
class Problem:
    """One split of a table.

    Attributes:
        table: The table.
        train: Rows to fit.
        test: Rows to answer.
        folder: An empty folder, whose files may stay.
        seconds: What a contestant that searches may take, on all cores.
    """

    table: Table
    train: pd.DataFrame
    test: pd.DataFrame
    folder: Path
    seconds: float


def run_naru(problem: Problem) -> tuple[Scores, str]:
    """`naru run` of a project without code and with `tune.models: auto`; returns the scores and the kind that won.

    Its search judges by folds of the train rows, so eval and test have a hundredth of the rows each. What it spends beyond the search (checks, statistics, explanation) is not in the seconds.
    """
    folder = problem.folder / "naru"
    folder.mkdir()
    problem.train.to_parquet(folder / "rows.parquet", index=False)
    positive = {"positive": POSITIVE} if problem.table.task == BINARY else {}
    project = {
        "name": "auto",
        "task": problem.table.task,
        "label": problem.table.label,
        **positive,
        "data": {"source": "rows.parquet", "split": {"train": 0.98, "eval": 0.01, "test": 0.01}},
        "code": {"framework": "auto"},
        "tune": {"models": "auto", "minutes": problem.seconds / 60, "prefer": "best", "ensemble": 5, "workers": 2},
        "gates": {"model": {"first": "deploy", "metric": _METRICS[problem.table.task]}},
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    command = [sys.executable, "-m", "pipelines", "run", str(folder), "--json"]
    settings = {**environment(), "NARU_SERVING": "none"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=settings, check=False)
    found = next(iter(sorted((folder / ".naru" / "runs").glob("*/training-*/train/model/signature.json"))), None)
    if found is None:
        raise SystemExit(f"naru trained no model of {folder}: {done.stdout[-2_000:]}\n{done.stderr[-2_000:]}")
    kind = json.loads((found.parents[2] / "tune" / "hyperparameters" / "hyperparameters.json").read_text())
    return _answer(found.parent, problem), str(kind.get("model.kind", ""))


def _answer(folder: Path, problem: Problem) -> Scores:
    """Called as the server calls it, on columns as ingest reads them."""
    model = load_model(folder)
    file = problem.folder / "naru" / "test.parquet"
    problem.test.to_parquet(file, index=False)
    outputs = model.predict(to_arrays(pq.read_table(file), model.signature.inputs))
    if problem.table.task == CLASSES:
        return np.asarray(outputs["class"])
    return np.asarray(outputs["probability" if problem.table.task == BINARY else "prediction"])


def run_hist_gradient_boosting(problem: Problem) -> Scores:
    """scikit-learn's, with its defaults and native categories."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    train, test = _with_categories(problem)
    regression = problem.table.task == NUMBER
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return _fit(kind(categorical_features="from_dtype", random_state=0), train, test, problem)


def run_lightgbm(problem: Problem) -> Scores:
    """LightGBM with its defaults and native categories."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    train, test = _with_categories(problem)
    kind = LGBMRegressor if problem.table.task == NUMBER else LGBMClassifier
    return _fit(kind(random_state=0, n_jobs=2, verbosity=-1), train, test, problem)


def run_autogluon(problem: Problem, python: Path) -> Scores:
    """AutoGluon's `medium_quality`, which trains on a part of the rows and chooses by the rest, given the same seconds."""
    folder = problem.folder / "autogluon"
    folder.mkdir()
    for part, rows in (("train", problem.train), ("test", problem.test)):
        rows.to_parquet(folder / f"{part}.parquet", index=False)
    kind, metric = _PROBLEMS[problem.table.task]
    command = [str(python), str(PEER / "autogluon_fit.py"), str(folder), problem.table.label, kind, metric]
    done = subprocess.run(
        [*command, str(problem.seconds)], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    if done.returncode:
        raise SystemExit(f"AutoGluon failed on {folder}: {done.stderr[-3_000:]}")
    scores = json.loads((folder / "scores.json").read_text())
    shutil.rmtree(folder)
    return np.asarray(scores)


def run_constant(problem: Problem) -> Scores:
    """The mean, or the most frequent class."""
    labels, rows = problem.train[problem.table.label], len(problem.test)
    if problem.table.task == NUMBER:
        return np.full(rows, labels.mean())
    return np.full(rows, 0.5) if problem.table.task == BINARY else np.full(rows, labels.mode()[0])


def timed(run: Any, problem: Problem, *more: Any) -> tuple[Any, float]:
    """What a contestant answers, and its seconds by the clock."""
    began = time.perf_counter()
    answered = run(problem, *more)
    return answered, time.perf_counter() - began


def _with_categories(problem: Problem) -> tuple[pd.DataFrame, pd.DataFrame]:
    train, test = problem.train.copy(), problem.test.copy()
    for name in train.columns:
        if name == problem.table.label or pd.api.types.is_numeric_dtype(train[name]):
            continue
        kept = train[name].value_counts().index[:_MOST_CATEGORIES]
        for rows in (train, test):
            rows[name] = pd.Categorical(rows[name], categories=kept)
    return train, test


def _fit(model: Any, train: pd.DataFrame, test: pd.DataFrame, problem: Problem) -> Scores:
    label = problem.table.label
    names = [name for name in train.columns if name != label]
    model.fit(train[names], train[label])
    if problem.table.task != BINARY:
        return np.asarray(model.predict(test[names]))
    return np.asarray(model.predict_proba(test[names])[:, list(model.classes_).index(POSITIVE)])


def measure(problem: Problem, scores: Scores) -> float:
    """AUC, accuracy or RMSE of the answers."""
    labels = problem.test[problem.table.label].to_numpy()
    if problem.table.task == CLASSES:
        return float(np.mean(labels == scores))
    if problem.table.task == NUMBER:
        return float(np.sqrt(np.mean((labels - scores) ** 2)))
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels == POSITIVE, scores))
