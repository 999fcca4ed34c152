"""Models of scikit-learn, XGBoost and LightGBM: our server beside MLServer's own runtime for each, a part of `make bench-serving`.

Both serve the same fitted estimator: ours the ONNX that `train` exports, theirs the library's own file. The rows are numbers alone, since
their runtimes take one matrix of them.
"""

from __future__ import annotations

import importlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.server_rounds import Pace, Turn, medians, ratios
from benchmarks.workload import Workload
from components._core.examples.safe_parquet import pq
from components._core.project.train_config import Train
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import TrainingData
from components._frameworks.sklearn.build_model import as_pipeline
from components._frameworks.sklearn.trainable_model import SklearnModel
from components._frameworks.table import load_model
from components._frameworks.transformed_rows import SPLITS, TransformedRows, transformed_file

TREES = 100
SENT = 300
"""Different rows that are sent."""
_TASK = TASKS["regression"]
_ROWS = 50_000
_NUMBERS = ("dep_delay", "distance", "hour", "month", "air_time", "flight")

TakeTurns = Callable[[str, Path, Path, Workload], Sequence[Turn]]
"""Serves a library's model on both sides, from our model folder and from the library's file, and takes the turns."""


def measure_frameworks(folder: Path, pace: Pace, core: int, take: TakeTurns) -> dict[str, Any]:
    """Fit, export, serve and load a model of each library.

    Args:
        folder: An empty folder for models and rows.
        pace: How long everything takes.
        core: Where the estimators are called in process.
        take: Serves them.

    Returns:
        By library: requests per second and latencies of both servers by number of clients, the ratios, what the estimator and the ONNX
        do in process with a row at a time, and the answers that were wrong.
    """
    found: dict[str, Any] = {}
    for name, (estimator, save) in _libraries().items():
        place = folder / name
        place.mkdir(parents=True)
        rows = _fit_and_export(estimator, place)
        file = save(estimator, place)
        model = load_model(place / "model")
        arrays = {column: values.astype(np.float32) for column, values in zip(_NUMBERS, rows.T, strict=True)}
        outputs = {key: values.tolist() for key, values in model.predict(arrays).items()}
        workload = Workload(place / "model", _requests(rows), outputs, lambda _: {})
        turns = take(name, place / "model", file, workload)
        singles = [{key: values[at : at + 1] for key, values in arrays.items()} for at in range(SENT)]
        with _on(core):
            calls = {
                "estimator": _calls_per_second(estimator.predict, [rows[at : at + 1] for at in range(SENT)], pace),
                "onnx": _calls_per_second(model.predict, singles, pace),
            }
        found[name] = {
            "servers": medians(turns),
            "ratios": ratios(turns, f"naru {name}", f"mlserver {name}"),
            "in_process_calls_per_second": calls,
            "wrong": sum(turn.wrong for turn in turns),
            "turns": [asdict(turn) for turn in turns],
        }
    return found


def _libraries() -> dict[str, tuple[Any, Callable[[Any, Path], Path]]]:
    from lightgbm import LGBMRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from xgboost import XGBRegressor

    for name in ("lightgbm", "xgboost"):
        importlib.import_module(f"components._frameworks.{name}.estimators")  # registers the readers of their trees

    return {
        "sklearn": (HistGradientBoostingRegressor(max_iter=TREES, random_state=7), _save_joblib),
        "xgboost": (XGBRegressor(n_estimators=TREES, random_state=7, n_jobs=1), _save_ubj),
        "lightgbm": (LGBMRegressor(n_estimators=TREES, random_state=7, n_jobs=1, verbosity=-1), _save_bst),
    }


def _save_joblib(estimator: Any, folder: Path) -> Path:
    joblib.dump(estimator, folder / "model.joblib")
    return folder / "model.joblib"


def _save_ubj(estimator: Any, folder: Path) -> Path:
    estimator.save_model(folder / "model.ubj")
    return folder / "model.ubj"


def _save_bst(estimator: Any, folder: Path) -> Path:
    estimator.booster_.save_model(folder / "model.bst")
    return folder / "model.bst"


def _fit_and_export(estimator: Any, folder: Path) -> NDArray[Any]:
    """Fit the estimator, write its model artifact into `model/`; returns the rows to send, [SENT, features]."""
    for number, split in enumerate(SPLITS):
        pq.write_table(_flights(number), transformed_file(folder, split))
    train, held_out = (TransformedRows(transformed_file(folder, split)) for split in SPLITS)
    model = SklearnModel(as_pipeline(estimator), _TASK, [])
    model.fit(TrainingData(train, held_out, folder / "no transform graph"), Train())
    features = tuple(Feature(name, "float32", nullable=True) for name in _NUMBERS)
    (folder / "model").mkdir()
    model.export(Signature(_TASK.name, features, _TASK.output_types, (), "sklearn"), folder / "model")
    chosen = _flights(2).slice(0, SENT)
    return np.stack([chosen[name].to_numpy() for name in _NUMBERS], axis=1)


def _flights(number: int) -> pa.Table:
    """Rows like the flights', without missing values, which not each of the peers takes."""
    random = np.random.default_rng([7, number])
    columns = {
        "dep_delay": random.normal(8, 40, _ROWS).round(),
        "distance": random.integers(80, 5_000, _ROWS),
        "hour": random.integers(0, 24, _ROWS),
        "month": random.integers(1, 13, _ROWS),
        "air_time": random.normal(150, 40, _ROWS).round(),
        "flight": random.integers(1, 8_500, _ROWS),
    }
    delay = columns["dep_delay"] + 0.02 * columns["distance"] - 0.1 * columns["air_time"] + 3 * np.sin(columns["hour"])
    columns["label"] = delay + random.normal(0, 10, _ROWS)
    return pa.Table.from_pandas(pd.DataFrame(columns).astype(np.float32), preserve_index=False)


def _requests(rows: NDArray[Any]) -> list[dict[str, Any]]:
    return [
        {
            "inputs": [
                {"name": name, "datatype": "FP32", "shape": [1], "data": [float(value)]}
                for name, value in zip(_NUMBERS, row, strict=True)
            ]
        }
        for row in rows
    ]


def _calls_per_second(call: Callable[[Any], Any], given: Sequence[Any], pace: Pace) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the estimators learned the names of their columns
        call(given[0])
        began, calls = time.perf_counter(), 0
        while time.perf_counter() < began + pace.seconds:
            call(given[calls % len(given)])
            calls += 1
        return calls / (time.perf_counter() - began)


@contextmanager
def _on(core: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
