"""Clients that ask a Service all the time."""

from tests.kubernetes.kubelet import Behaviours, Kubelet, Pod
from tests.kubernetes.objects import Objects, carries, place_of


class Traffic:
    """Requests of one row that come by themselves.

    Attributes:
        per_second: Requests per second to each Service.
        services: `NAMESPACE/NAME` of the Services that get requests.
    """

    def __init__(self, objects: Objects, kubelet: Kubelet, behaviours: Behaviours) -> None:
        self.per_second = 0.0
        self.services: list[str] = []
        self.lost = 0.0
        """Requests for which there was no pod."""
        self._objects, self._kubelet, self._behaviours = objects, kubelet, behaviours

    def pods_behind(self, service: str) -> list[Pod]:
        """The pods that a Service sends to: those that it selects and that are ready."""
        namespace, _, name = service.partition("/")
        found = self._objects.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        chosen = (found or {}).get("spec", {}).get("selector")
        if not chosen:
            return []
        selector = ",".join(f"{key}={value}" for key, value in chosen.items())
        pods = [pod for pod in self._kubelet.pods.values() if place_of(pod.path).namespace == namespace]
        return [pod for pod in pods if pod.serves and carries(pod.template["metadata"]["labels"], selector)]

    def flow(self, seconds: float) -> None:
        """What comes in so much time."""
        for service in self.services:
            self._send(service, self.per_second * seconds)

    def _send(self, service: str, requests: float) -> None:
        pods = self.pods_behind(service)
        if not pods:
            self.lost += requests
        for pod in pods:
            if pod.server:
                pod.server.flow(requests / len(pods), self._behaviours.answers_of(pod.template))
