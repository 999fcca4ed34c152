"""Compare the newest run's model with scikit-learn, fitted on the same training rows and judged on the same test rows.

naru run examples/reviews
python examples/reviews/baseline.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

RUNS = Path(__file__).parent / ".naru" / "runs"


def newest_run() -> dict:
    """The record of the newest run that has judged a model."""
    for record in sorted(RUNS.glob("*/run.json"), reverse=True):
        run = json.loads(record.read_text())
        if "accuracy" in run.get("metrics", {}):
            return run
    raise SystemExit(f"{RUNS} has no run with a model: naru run examples/reviews")


def read_split(examples: Path, split: str) -> pa.Table:
    """Texts and labels of one split, as the run divided them."""
    return pq.read_table(sorted((examples / split).glob("*.parquet")), columns=["review", "sentiment"])


def main() -> None:
    """Fit the baseline, and print both accuracies."""
    run = newest_run()
    train, test = (read_split(Path(run["artifacts"]["examples"]), split) for split in ("train", "test"))
    terms = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    baseline = make_pipeline(terms, LogisticRegression(C=10.0, max_iter=500))
    baseline.fit(train["review"].to_pylist(), train["sentiment"].to_pylist())
    found = baseline.score(test["review"].to_pylist(), test["sentiment"].to_pylist())
    print(f"scikit-learn (TF-IDF, logistic regression)  accuracy {found:.4f}")
    print(f"run {run['run']}  accuracy {run['metrics']['accuracy']:.4f} on the same {test.num_rows:,} test rows")


if __name__ == "__main__":
    main()
