"""Fit AutoGluon on a table and answer another one. Runs in an environment of its own.

    python benchmarks/peer/autogluon_fit.py FOLDER LABEL PROBLEM METRIC SECONDS

FOLDER has train.parquet and test.parquet, and gets scores.json: a number for each test row, or a class where METRIC is accuracy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from autogluon.tabular import TabularPredictor

POSITIVE = "yes"


def main() -> None:
    """Fit, answer, write."""
    place, label, problem, metric, seconds = sys.argv[1:]
    folder = Path(place)
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    predictor = TabularPredictor(
        label, problem_type=problem, eval_metric=metric, path=str(folder / "autogluon"), verbosity=0
    )
    predictor.fit(train, presets="medium_quality", time_limit=float(seconds), num_cpus=2)
    rows = test.drop(columns=[label])
    scores = predictor.predict_proba(rows)[POSITIVE] if metric == "roc_auc" else predictor.predict(rows)
    (folder / "scores.json").write_text(json.dumps(scores.tolist()))


if __name__ == "__main__":
    main()
