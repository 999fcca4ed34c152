"""What the servers receive: rows of a project's test split, in the words of either protocol, with the answers that are right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.deploy.load_generator import Check
from pipelines.load_test import request_bodies

CLOSE = 1e-4
"""Of an answer above 1, its share."""
Outputs = dict[str, list[Any]]


@dataclass(frozen=True)
class Workload:
    """Rows to send, and what is right.

    Attributes:
        model: The model folder.
        requests: V2 requests of one row each, without missing values: the plain peers know none.
        outputs: The model's own answers, one value per row.
        in_process: Measures the model itself for some seconds; see `InProcess.rates`.
    """

    model: Path
    requests: list[dict[str, Any]]
    outputs: Outputs
    in_process: Callable[[float], dict[str, float]]

    def bodies(self, protocol: str, rows: int = 1) -> list[bytes]:
        """Requests as bytes: one for each row, or a few with many rows, which begin at different ones."""
        write = _WRITERS[protocol]
        count = len(self.requests) if rows == 1 else max(1, min(len(self.requests), 20))
        return [json.dumps(write(self._columns(at, rows), self.requests[0])).encode() for at in range(count)]

    def check(self, protocol: str, rows: int = 1) -> Check:
        """Whether an answer with 200 holds the right numbers; one with another status says why in JSON."""
        read = _READERS[protocol]

        def is_right(index: int, status: int, body: bytes) -> bool:
            try:
                record = json.loads(body)
                return self._is_right(read(record), index, rows) if status == 200 else isinstance(record, dict)
            except (ValueError, LookupError, TypeError):
                return False

        return is_right

    def _columns(self, begin: int, rows: int) -> dict[str, list[Any]]:
        chosen = [self.requests[(begin + at) % len(self.requests)]["inputs"] for at in range(rows)]
        return {item["name"]: [row[at]["data"][0] for row in chosen] for at, item in enumerate(chosen[0])}

    def _is_right(self, found: Outputs, begin: int, rows: int) -> bool:
        places = [(begin + at) % len(self.requests) for at in range(rows)]
        return all(_close([values[at] for at in places], found[name]) for name, values in self.outputs.items())


class InProcess:
    """The model itself, in a process on the core that the servers get; see `in_process.py`.

    Args:
        model: The model folder.
        requests: V2 requests of one row each.
        core: Where it runs.
        rows: Rows of a call that is measured.

    Attributes:
        outputs: Its answers, one value per row.
    """

    def __init__(self, model: Path, requests: list[dict[str, Any]], core: int, rows: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.in_process", str(model), str(rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        try:
            self.outputs: Outputs = self._ask(requests)
        except BaseException:
            self.close()
            raise

    def rates(self, seconds: float) -> dict[str, float]:
        """Rows per second: `plain`, the SavedModel as TensorFlow calls it, and `own`, as Naru does."""
        rates: dict[str, float] = self._ask(seconds)
        return rates

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, request: Any) -> Any:
        if (pipe := self._process.stdin) and (response := self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.write(json.dumps(request) + "\n")
                pipe.flush()
            if line := response.readline():
                return json.loads(line)
        raise SystemExit("the model did not answer in process; what is above says why")


@contextmanager
def prepared(parts: Path, core: int, batch_rows: int) -> Iterator[Workload]:
    """Choose the rows, and let the model itself answer them; it stays to be measured until the end of the block.

    Args:
        parts: The model's parts: `model/` and the test rows that are kept beside it.
        core: Where the model is measured.
        batch_rows: Rows of a batch.
    """
    requests = [json.loads(body) for body in request_bodies(parts, 1)[0]]
    whole = [request for request in requests if _is_whole(request)]
    if not whole:
        raise SystemExit("the project has no test row without missing values to send")
    with closing(InProcess(parts / "model", whole, core, batch_rows)) as in_process:
        yield Workload(parts / "model", whole, in_process.outputs, in_process.rates)


def _is_whole(request: dict[str, Any]) -> bool:
    return all(value not in (None, "") for item in request["inputs"] for value in item["data"])


def _v2(columns: dict[str, list[Any]], one: dict[str, Any]) -> dict[str, Any]:
    types = {item["name"]: item["datatype"] for item in one["inputs"]}
    return {
        "inputs": [
            {"name": name, "datatype": types[name], "shape": [len(values)], "data": values}
            for name, values in columns.items()
        ]
    }


def _seldon(columns: dict[str, list[Any]], one: dict[str, Any]) -> dict[str, Any]:
    return {"jsonData": columns}


def _matrix(columns: dict[str, list[Any]], one: dict[str, Any]) -> dict[str, Any]:
    """One tensor of all numbers, as MLServer's own runtimes take it."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    shape = [len(rows), len(columns)]
    return {"inputs": [{"name": "predict", "datatype": "FP32", "shape": shape, "data": rows}]}


def _read_matrix(response: dict[str, Any]) -> Outputs:
    return {"prediction": response["outputs"][0]["data"]}


def _read_v2(response: dict[str, Any]) -> Outputs:
    return {item["name"]: _shaped(item["data"], item["shape"]) for item in response["outputs"]}


def _shaped(data: list[Any], shape: list[int]) -> list[Any]:
    if len(shape) < 2 or shape[1] == 1:
        return data
    return [data[at : at + shape[1]] for at in range(0, len(data), shape[1])]


def _read_seldon(response: dict[str, Any]) -> Outputs:
    outputs: Outputs = response["jsonData"]
    return outputs


_WRITERS: dict[str, Callable[[dict[str, list[Any]], dict[str, Any]], dict[str, Any]]] = {
    "v2": _v2,
    "seldon": _seldon,
    "matrix": _matrix,
}
_READERS: dict[str, Callable[[dict[str, Any]], Outputs]] = {
    "v2": _read_v2,
    "seldon": _read_seldon,
    "matrix": _read_matrix,
}


def _close(expected: Any, found: Any) -> bool:
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(_close, expected, found))
    return bool(
        expected == found if isinstance(expected, str) else abs(expected - found) <= CLOSE * max(1, abs(expected))
    )
