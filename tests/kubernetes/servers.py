"""What answers in a pod: predictions by the V2 protocol, and the metrics of our own server, by its own classes."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import generate_latest

from components._predictor.refusals import Refusal
from components.serve.prometheus_metrics import Metrics

Columns = dict[str, list[Any]]
Predict = Callable[[Columns, int], Columns]


def always(value: float = 0.25, name: str = "probability") -> Predict:
    """The same number for every row."""
    return lambda _, rows: {name: [value] * rows}


@dataclass(frozen=True)
class Answers:
    """How a version answers.

    Attributes:
        predict: Outputs by name, of inputs by name and the number of rows.
        offset: By how much every number is wrong.
        seconds: What an answer takes; a client really waits for it.
        failing: Share of requests that are answered with 500: every second one at 0.5.
        memory_mb: What the process takes.
    """

    predict: Predict = field(default_factory=always)
    offset: float = 0.0
    seconds: float = 0.002
    failing: float = 0.0
    memory_mb: float = 700.0


class Server:
    """The process of one container, from its start to its end; a container that starts again has a new one."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version
        self.metrics = Metrics(name, version)
        self._requests = self._failed = 0
        self._due = 0.0

    def flow(self, requests: float, answers: Answers) -> None:
        """So many requests of one row come through the Service, some of a request perhaps later."""
        self._due += requests
        while self._due >= 1:
            self._due -= 1
            self.count(1, answers)

    def count(self, rows: int, answers: Answers) -> bool:
        """One request; whether it is answered."""
        self._requests += 1
        fails = int(self._requests * answers.failing + 1e-9) > self._failed
        self._failed += fails
        try:
            with self.metrics.counted():
                if fails:
                    raise Refusal("model_failed", "the model failed")
                self.metrics.count_answer(rows, answers.seconds)
        except Refusal:
            return False
        return True

    def ask(self, verb: str, path: str, body: bytes, answers: Answers) -> tuple[int, bytes]:
        """What it answers at its HTTP port."""
        model = f"v2/models/{self.name}"
        if verb == "GET" and path in (f"{model}/ready", "v2/health/live", "v2/health/ready"):
            return 200, b"{}"
        if verb == "POST" and path == f"{model}/infer":
            time.sleep(answers.seconds)
            return self._infer(body, answers)
        return 404, json.dumps({"error": "Model not found"}).encode()

    def _infer(self, body: bytes, answers: Answers) -> tuple[int, bytes]:
        try:
            request = json.loads(body)
            inputs = {one["name"]: one["data"] for one in request["inputs"]}
        except (ValueError, KeyError, TypeError):
            return 422, b'{"detail": [{"msg": "no V2 request"}]}'
        for one in request["inputs"]:
            if any(
                isinstance(value, str) != (one["datatype"] == "BYTES") for value in one["data"] if value is not None
            ):
                return 400, json.dumps({"error": f"wrong_type: {one['name']!r}, row 0"}).encode()
        rows = max(map(len, inputs.values()), default=0)
        if not self.count(rows, answers):
            return 500, b'{"error": "model_failed: the model failed"}'
        outputs = [_tensor(name, values, answers.offset) for name, values in answers.predict(inputs, rows).items()]
        record = {
            "model_name": self.name,
            "model_version": self.version,
            "id": request.get("id", "1"),
            "parameters": {},
        }
        return 200, json.dumps({**record, "outputs": outputs}).encode()

    def tell_metrics(self, answers: Answers) -> bytes:
        """Its metrics; the memory is not that of the tests."""
        text = generate_latest(self.metrics.registry).decode()
        message = f"process_resident_memory_bytes {answers.memory_mb * 1e6}"
        return re.sub(r"^process_resident_memory_bytes .*$", message, text, flags=re.MULTILINE).encode()


def _tensor(name: str, values: list[Any], offset: float) -> dict[str, Any]:
    numbers = not any(isinstance(value, str) for value in values)
    data = [value + offset if numbers else value for value in values]
    return {"name": name, "shape": [len(data)], "datatype": "FP32" if numbers else "BYTES", "data": data}
