"""A served pod, reached through the API server: the same way from a stage's pod, from a laptop and from CI.

The way costs some milliseconds, so nothing here is timed by the caller: the pod's own histogram says how long it took.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ServiceError
from components._core.types.feature_types import FLOAT32, STRING
from components._core.types.oip_paths import infer_path
from components.deploy.model_client import Answer
from components.deploy.server_metrics import Counts, read_counts
from components.deploy.targets.seldon.manifest import HTTP, METRICS

_SECONDS = 60.0


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
            return self._send(infer_path(self.model), request)
        answer = self._send("/api/v1.0/predictions", _to_seldon(request))
        return replace(answer, body=_from_seldon(answer.body))

    def _send(self, path: str, request: dict[str, Any]) -> Answer:
        status, body = self.cluster.proxy(self.namespace, self.pod, HTTP, path, "POST", request, _SECONDS)
        try:
            return Answer(status, json.loads(body), 0.0)
        except ValueError:
            message = f"was answered with {status} and no JSON: {body[:200].decode('utf-8', 'replace')}"
            raise ServiceError(message, where=f"pod {self.pod}, {path}") from None

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
