"""Compare the newest run's model with scikit-learn, fitted on the same training pictures and judged on the same test pictures.

naru run examples/digits
python examples/digits/baseline.py
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

RUNS = Path(__file__).parent / ".naru" / "runs"


def newest_run() -> dict:
    """The record of the newest run that has judged a model."""
    for record in sorted(RUNS.glob("*/run.json"), reverse=True):
        run = json.loads(record.read_text())
        if "accuracy" in run.get("metrics", {}):
            return run
    raise SystemExit(f"{RUNS} has no run with a model: naru run examples/digits")


def read_split(examples: Path, split: str) -> pa.Table:
    """Pictures and labels of one split, as the run divided them."""
    return pq.read_table(sorted((examples / split).glob("*.parquet")), columns=["picture", "label"])


def to_pixels(pictures: pa.ChunkedArray) -> np.ndarray:
    """Picture files -> their pixels between 0 and 1, [rows, 32 * 32 * 3]."""
    decoded = (Image.open(io.BytesIO(data)).convert("RGB") for data in pictures.to_pylist())
    return np.stack([np.asarray(picture, np.float32).reshape(-1) / 255 for picture in decoded])


def main() -> None:
    """Fit the baseline, and print both accuracies."""
    run = newest_run()
    train, test = (read_split(Path(run["artifacts"]["examples"]), split) for split in ("train", "test"))
    baseline = make_pipeline(PCA(150, random_state=1), SVC(C=10.0))
    baseline.fit(to_pixels(train["picture"]), train["label"].to_pylist())
    found = baseline.score(to_pixels(test["picture"]), test["label"].to_pylist())
    print(f"scikit-learn (PCA, support vectors)  accuracy {found:.4f}")
    print(f"run {run['run']}  accuracy {run['metrics']['accuracy']:.4f} on the same {test.num_rows:,} test pictures")


if __name__ == "__main__":
    main()
