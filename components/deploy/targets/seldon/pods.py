"""A served pod, reached through the API server: the same way from a stage's pod, from a laptop and from CI.

The way costs some milliseconds, so nothing here is timed by the caller: the pod's own histogram says how long it took.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ServiceError
from components._core.types.feature_types import FLOAT32, STRING
from components.deploy.model_client import Answer
from components.deploy.targets.seldon.manifest import HTTP, METRICS

_SECONDS = 60.0
_LINE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)")
_FAILURES = ("model_failed", "unexpected", "too_busy")
"""Refusals that are no mistake of whoever asked."""


@dataclass(frozen=True)
class Counts:
    """What a server has counted since it started, or between two moments.

    Attributes:
        requests: Those that reached the predictor.
        failed: Those that were not answered and were no mistake of whoever asked.
        buckets: Answered requests by the seconds that they took at most, cumulative.
        memory: Bytes of resident memory, at the later moment.
    """

    requests: float = 0.0
    failed: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)
    memory: float = 0.0

    def since(self, before: Counts) -> Counts:
        """What was counted after `before`; a server that was started again since then began at nothing."""
        if self.requests < before.requests:
            return self
        buckets = {bound: count - before.buckets.get(bound, 0.0) for bound, count in self.buckets.items()}
        return Counts(self.requests - before.requests, self.failed - before.failed, buckets, self.memory)

    def quantile(self, share: float) -> float | None:
        """Seconds within which so many of the answers came, interpolated within a bucket; None without answers."""
        ordered = sorted(self.buckets.items())
        wanted = share * (ordered[-1][1] if ordered else 0.0)
        if not wanted:
            return None
        low, below = 0.0, 0.0
        for bound, count in ordered:
            if count >= wanted:
                return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
            low, below = bound, count
        return low


@dataclass(frozen=True)
class PodClient:
    """Asks one pod.

    Attributes:
        cluster: Through which.
        namespace: Where it is.
        pod: Its name.
        model: The model's name.
        protocol: Of the project; requests and answers here are those of `v2` whatever it is.
    """

    cluster: Cluster
    namespace: str
    pod: str
    model: str
    protocol: str = "v2"

    def ask(self, request: dict[str, Any]) -> Answer:
        """Send a request of the Open Inference Protocol, in the server's own words.

        Raises:
            ServiceError: When no answer comes, or one that is no JSON.
        """
        if self.protocol == "v2":
            return self._send(f"v2/models/{self.model}/infer", request)
        answer = self._send("api/v1.0/predictions", _to_seldon(request))
        return replace(answer, body=_from_seldon(answer.body))

    def _send(self, path: str, request: dict[str, Any]) -> Answer:
        status, body = self.cluster.proxy(self.namespace, self.pod, HTTP, path, "POST", request, _SECONDS)
        try:
            return Answer(status, json.loads(body), 0.0)
        except ValueError:
            told = f"was answered with {status} and no JSON: {body[:200].decode('utf-8', 'replace')}"
            raise ServiceError(told, where=f"pod {self.pod}, {path}") from None

    def count(self) -> Counts:
        """What the pod's metrics say.

        Raises:
            ServiceError: When it tells none.
        """
        status, body = self.cluster.proxy(self.namespace, self.pod, METRICS, "metrics", "GET", None, _SECONDS)
        if status != 200:
            raise ServiceError(f"its metrics were answered with {status}", where=f"pod {self.pod}")
        return read_counts(body.decode("utf-8"))


def _to_seldon(request: dict[str, Any]) -> dict[str, Any]:
    return {"jsonData": {given["name"]: given["data"] for given in request["inputs"]}}


def _from_seldon(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of seldon-core's protocol in the words of `v2`."""
    if "jsonData" not in body:
        return {"error": str(body.get("status", {}).get("info", body))}
    outputs = []
    for name, values in body["jsonData"].items():
        array = np.array(values)
        datatype = (STRING if array.dtype.kind == "U" else FLOAT32).oip
        outputs.append({"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()})
    return {"model_version": body.get("meta", {}).get("tags", {}).get("model_version"), "outputs": outputs}


def read_counts(text: str) -> Counts:
    """What a page in Prometheus' text format says of the names in `components/serve/prometheus_metrics.py`."""
    requests, failed, memory = 0.0, 0.0, 0.0
    buckets: dict[float, float] = {}
    for match in map(_LINE.match, text.splitlines()):
        if match is None:
            continue
        name, labels, value = match[1], match[2] or "", float(match[3])
        if name == "naru_requests_total":
            requests += value
        elif name == "naru_refusals_total" and any(f'"{code}"' in labels for code in _FAILURES):
            failed += value
        elif name == "naru_request_seconds_bucket":
            bound = float(labels.partition('le="')[2].partition('"')[0].replace("+Inf", "inf"))
            buckets[bound] = buckets.get(bound, 0.0) + value
        elif name == "process_resident_memory_bytes":
            memory += value
    return Counts(requests, failed, buckets, memory)


def add_up(counts: Iterable[Counts]) -> Counts:
    """Of several servers; memory is the largest of them."""
    requests, failed, memory = 0.0, 0.0, 0.0
    buckets: dict[float, float] = {}
    for one in counts:
        requests, failed, memory = requests + one.requests, failed + one.failed, max(memory, one.memory)
        for bound, count in one.buckets.items():
            buckets[bound] = buckets.get(bound, 0.0) + count
    return Counts(requests, failed, buckets, memory)
