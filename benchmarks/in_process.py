"""What a model answers without any server, and how fast: the truth for the benchmark of the servers.

    python -m benchmarks.in_process MODEL ROWS SECONDS <requests.jsonl

Reads V2 requests of one row from standard input; prints their answers, and the rows per second of calls with ROWS rows.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from components._core.features import Signature
from components._model.calling import load_model
from components.serve.casting import to_arrays


def main() -> None:
    """Answer, measure, print."""
    model, rows, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    requests = [json.loads(line) for line in sys.stdin]
    signature, loaded = Signature.load(model), load_model(model)
    names = [item["name"] for item in requests[0]["inputs"]]
    columns = {name: [request["inputs"][at]["data"][0] for request in requests] for at, name in enumerate(names)}
    arrays = to_arrays(columns, signature.inputs, len(requests))
    outputs = {name: values.tolist() for name, values in loaded.predict(arrays).items()}
    many = {name: np.resize(values, rows) for name, values in arrays.items()}
    print(json.dumps({"outputs": outputs, "rows_per_second": _measure(loaded, many, rows, seconds)}))


def _measure(loaded: Any, many: dict[str, Any], rows: int, seconds: float) -> float:
    loaded.predict(many)
    taken = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        loaded.predict(many)
        taken.append(time.perf_counter() - began)
    return float(rows / np.median(taken))


if __name__ == "__main__":
    main()
