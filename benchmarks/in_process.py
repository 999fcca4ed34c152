"""What a model answers without any server, and how fast: the truth for the benchmark of the servers.

    python -m benchmarks.in_process MODEL ROWS

The first line of standard input holds V2 requests of one row each, as a list; the first line that is printed holds their
answers. Each further line holds a number of seconds, and is answered with the rows per second of calls with ROWS rows in that
time: of the SavedModel as TensorFlow's documentation calls one, `tf.saved_model.load` and its signature, which is what the
servers are held against (and where the answers come from), and of Naru's own call of it.
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

from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.signature import Signature
from components._frameworks.saved_models.tensor_names import SERVING, tensor_names
from components._frameworks.table import load_model
from components._predictor.feature_values import cast_columns


def main() -> None:
    """Answer, then measure once per line of standard input."""
    model, rows = Path(sys.argv[1]), int(sys.argv[2])
    requests = json.loads(sys.stdin.readline())
    signature, loaded = Signature.load(model), load_model(model)
    names = [item["name"] for item in requests[0]["inputs"]]
    columns = {name: [request["inputs"][at]["data"][0] for request in requests] for at, name in enumerate(names)}
    arrays = cast_columns(columns, signature.inputs, len(requests))
    restored = tf.saved_model.load(str(model / SAVED_MODEL))
    serve, tensors = restored.signatures[SERVING], tensor_names(signature.inputs)

    def plain(arrays: dict[str, Any]) -> dict[str, Any]:
        answers = serve(**{tensors[name]: tf.constant(values) for name, values in arrays.items()})
        return {name: tensor.numpy() for name, tensor in answers.items()}

    _print({name: _listed(values) for name, values in plain(arrays).items()})
    many = {name: np.resize(values, rows) for name, values in arrays.items()}
    ways: dict[str, Callable[..., Any]] = {"plain": plain, "own": loaded.predict}
    for line in sys.stdin:
        seconds = float(line) / len(ways)
        _print({name: rows * _calls_per_second(call, many, seconds) for name, call in ways.items()})


def _calls_per_second(call: Callable[[Any], Any], many: dict[str, Any], seconds: float) -> float:
    call(many)
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        call(many)
        count += 1
    return count / passed


def _listed(values: Any) -> list[Any]:
    return [value.decode() for value in values] if values.dtype == object else values.tolist()


def _print(figures: dict[str, Any]) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
