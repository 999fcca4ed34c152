"""A client of a pod, through the API server, which is reachable from a stage's pod, from a laptop and from CI alike.

The detour takes some milliseconds, so the caller times nothing here: the pod's own histogram has the latencies.
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
    """Sends requests to one pod.

    Attributes:
        cluster: The cluster.
        namespace: Namespace of the pod.
        pod: Name of the pod.
        model: The model's name.
        protocol: The project's protocol; requests and answers here are always those of `v2`.
    """

    cluster: Cluster
    namespace: str
    pod: str
    model: str
    protocol: str = "v2"

    def infer(self, request: dict[str, Any]) -> Answer:
        """Send a request of the Open Inference Protocol, translated to the server's protocol.

        Raises:
            ServiceError: When there is no answer, or it is not JSON.
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
            message = f"the answer ({status}) is not JSON: {body[:200].decode('utf-8', 'replace')}"
            raise ServiceError(message, where=f"pod {self.pod}, {path}") from None

    def count(self) -> Counts:
        """Read the pod's metrics.

        Raises:
            ServiceError: When the pod does not report any.
        """
        status, body = self.cluster.proxy(self.namespace, self.pod, METRICS, "metrics", "GET", None, _SECONDS)
        if status != 200:
            raise ServiceError(f"reading its metrics failed with status {status}", where=f"pod {self.pod}")
        return read_counts(body.decode("utf-8"))


def _to_seldon(request: dict[str, Any]) -> dict[str, Any]:
    return {"jsonData": {given["name"]: given["data"] for given in request["inputs"]}}


def _from_seldon(body: dict[str, Any]) -> dict[str, Any]:
    """Translate an answer of seldon-core's protocol to `v2`."""
    if "jsonData" not in body:
        return {"error": str(body.get("status", {}).get("info", body))}
    outputs = []
    for name, values in body["jsonData"].items():
        array = np.array(values)
        datatype = (STRING if array.dtype.kind == "U" else FLOAT32).oip
        outputs.append({"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()})
    return {"model_version": body.get("meta", {}).get("tags", {}).get("model_version"), "outputs": outputs}
