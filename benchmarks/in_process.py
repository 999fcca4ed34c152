"""What a model answers without any server, and how fast: the truth for the benchmark of the servers.

    python -m benchmarks.in_process MODEL ROWS SECONDS <requests.jsonl

Reads V2 requests of one row from standard input; prints their answers, and the rows per second of calls with ROWS rows:
of the SavedModel as TensorFlow's documentation calls one, `tf.saved_model.load` and its signature, which is what the servers
are held against, and of Naru's own call of it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components._core.artifacts import SAVED_MODEL
from components._core.features import Signature
from components._model.calling import SERVING, load_model, tensor_names
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
    restored = tf.saved_model.load(str(model / SAVED_MODEL))
    serve, tensors = restored.signatures[SERVING], tensor_names(signature.inputs)

    def plain() -> Any:
        answers = serve(**{tensors[name]: tf.constant(values) for name, values in many.items()})
        return {name: tensor.numpy() for name, tensor in answers.items()}

    own, taken = _calls_per_second(lambda: loaded.predict(many), seconds / 2), _calls_per_second(plain, seconds / 2)
    print(json.dumps({"outputs": outputs, "rows_per_second": rows * taken, "own_rows_per_second": rows * own}))


def _calls_per_second(call: Callable[[], Any], seconds: float) -> float:
    call()
    taken = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(1 / np.median(taken))


if __name__ == "__main__":
    main()
