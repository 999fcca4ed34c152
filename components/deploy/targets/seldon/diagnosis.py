"""Diagnoses servers that do not start: finds failures of their pods, how long each is tolerated, and the logs and events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from components._cluster.kubernetes_client import Cluster, Object
from components.deploy.targets.seldon.observation import SeldonState

_LOG_LINES = 12
_EVENTS = 6
_AT_ONCE, _SOON, _LATER = 0.0, 15.0, 45.0
_PODS = 3
"""Most pods of a predictor whose logs are read: the kubelet may have removed some logs."""
_INITIALIZER = "-model-initializer"
"""Suffix of the container that the operator adds to fetch the model with rclone."""
_WHY = re.compile(r"(?:Failed to [a-z ]+(?:\"[^\"]*\")?|failed with \d+ errors? and|ERROR ?:[^:]*): ?(.+)")
_LONG = float("inf")  # tolerated for as long as a rollout waits

_WAITING = {
    "CrashLoopBackOff": _AT_ONCE,
    "InvalidImageName": _AT_ONCE,
    "RunContainerError": _SOON,
    "CreateContainerConfigError": _SOON,
    "CreateContainerError": _SOON,
    "ErrImageNeverPull": _AT_ONCE,
    "ImagePullBackOff": _LATER,
    "ErrImagePull": _LATER,
}
"""Seconds for which a container may wait for this reason before it counts as failed: some reasons are temporary."""


@dataclass(frozen=True)
class PredictorFailure:
    """A failure that keeps a predictor from serving.

    Attributes:
        predictor: Name of the predictor.
        what: The failure in a few words, which stay the same while it lasts.
        patience: Seconds for which it is tolerated.
        pod: The failing pod; empty: no pod.
        container: The container of the pod whose log has more; empty: none.
        detail: Details, which may change between polls.
    """

    predictor: str
    what: str
    patience: float
    pod: str = ""
    container: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


@dataclass(frozen=True)
class Diagnosis:
    """The report of a failure, for people.

    Attributes:
        reason: One sentence.
        log: Last log lines of the container.
        events: Kubernetes events about it, newest last.
        description: The operator's description of the object's state.
    """

    reason: str
    log: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    description: str = ""

    def __str__(self) -> str:
        parts = [self.reason]
        for title, lines in (("events", self.events), ("last log lines", self.log)):
            parts += [f"{title}:", *(f"    {line}" for line in lines)] if lines else []
        if self.description:
            parts.append(f"the operator says: {self.description}")
        return "\n".join(parts)


def find_failures(seen: SeldonState, predictors: list[str]) -> list[PredictorFailure]:
    """Find all failures of these predictors."""
    found = [failure for name in predictors for pod in seen.pods.get(name, []) for failure in _pod_failures(name, pod)]
    found += [failure for name in predictors for failure in _deployment_failures(name, seen.deployments.get(name, {}))]
    status = (seen.served or {}).get("status", {})
    if status.get("state") == "Failed" and predictors:
        message = str(status.get("description", ""))
        found.append(PredictorFailure(predictors[-1], "the operator failed", _SOON, detail=message))
    return found


def diagnose(cluster: Cluster, namespace: str, seen: SeldonState, failure: PredictorFailure) -> Diagnosis:
    """Read the last log lines and the events of a failure; what is not available is left out.

    Raises:
        ServiceError: When the cluster refuses or does not answer.
    """
    log = _last_log_lines(cluster, namespace, seen, failure) if failure.container else []
    if failure.container.endswith(_INITIALIZER):
        failure = _explain_fetch(failure, log)
    names = {failure.pod} if failure.pod else _owned(seen, failure.predictor)
    events = [_format_event(event) for event in _events(cluster, namespace, names)]
    description = str((seen.served or {}).get("status", {}).get("description", ""))
    return Diagnosis(str(failure), log, events, description)


def _last_log_lines(cluster: Cluster, namespace: str, seen: SeldonState, failure: PredictorFailure) -> list[str]:
    """Read the container's log from before its last restart, or since; of another pod where the kubelet has none of this one."""
    pods = [pod for pod in seen.pods.get(failure.predictor, []) if pod["metadata"]["name"] == failure.pod]
    pods += [pod for pod in seen.pods.get(failure.predictor, []) if pod not in pods]
    for pod in pods[:_PODS]:
        metadata = {"name": pod["metadata"]["name"], "namespace": namespace}
        named = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        for previous in (True, False):
            if text := cluster.read_log(named, failure.container, _LOG_LINES, previous=previous).strip():
                return text.splitlines()[-_LOG_LINES:]
        if text := _termination(pod, failure.container):
            return text.splitlines()[-_LOG_LINES:]
    return []


def _termination(pod: Object, name: str) -> str:
    """Return the container's termination message, empty when there is none."""
    status = pod.get("status", {})
    found = [
        one
        for one in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", []))
        if one["name"] == name
    ]
    ends = [one.get(state, {}).get("terminated") or {} for one in found for state in ("state", "lastState")]
    return next((str(end["message"]).strip() for end in ends if end.get("message")), "")


def _explain_fetch(failure: PredictorFailure, log: list[str]) -> PredictorFailure:
    """Add rclone's own reason to a failure, as in `AccessDenied: Access Denied`."""
    found = [match[1].strip() for line in log if (match := _WHY.search(line))]
    why = found[-1] if found else log[-1].strip() if log else "no reason was logged; look at the store's log"
    return replace(failure, detail=f"{failure.detail}; the model cannot be fetched: {why}".removeprefix("; "))


def _pod_failures(predictor: str, pod: Object) -> Iterator[PredictorFailure]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _WAITING:
            logged = container["name"] if reason in ("CrashLoopBackOff", "RunContainerError") else ""
            detail = _exit(container) or str(waiting.get("message", ""))
            yield PredictorFailure(predictor, f"{container['name']}: {reason}", _WAITING[reason], name, logged, detail)
        elif container.get("restartCount", 0) >= 1 and not container.get("ready", False):
            what = f"{container['name']}: exits and is restarted"
            yield PredictorFailure(predictor, what, _SOON, name, container["name"], _exit(container))
        elif "running" in container.get("state", {}) and not container.get("ready", False):
            yield PredictorFailure(
                predictor, f"{container['name']}: running but not ready", _LONG, name, container["name"]
            )
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = str(condition.get("message", ""))
            yield PredictorFailure(predictor, "the pod cannot be scheduled on a node", _LONG, name, detail=message)


def _exit(container: Object) -> str:
    last = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated") or {}
    if "exitCode" not in last:
        return ""
    why = f" ({last['reason']})" if last.get("reason") not in (None, "Error") else ""
    return f"exited with {last['exitCode']}{why}, restarted {container.get('restartCount', 0)} times"


def _deployment_failures(predictor: str, deployment: Object) -> Iterator[PredictorFailure]:
    for condition in deployment.get("status", {}).get("conditions", []):
        message = str(condition.get("message", ""))
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield PredictorFailure(
                predictor, f"no pod can be created ({condition.get('reason', '')})", _SOON, detail=message
            )
        if condition["type"] == "Progressing" and condition["status"] == "False":
            what = f"the Deployment failed to progress ({condition.get('reason', '')})"
            yield PredictorFailure(predictor, what, _AT_ONCE, detail=message)


def _owned(seen: SeldonState, predictor: str) -> set[str]:
    deployment = seen.deployments.get(predictor, {}).get("metadata", {}).get("name", "")
    return {deployment, *(pod["metadata"]["name"] for pod in seen.pods.get(predictor, []))} - {""}


def _events(cluster: Cluster, namespace: str, names: set[str]) -> list[Object]:
    found = [
        event
        for event in cluster.list_in(namespace, "v1", "Event", "")
        if event.get("type") != "Normal" and _concerns(str(event.get("involvedObject", {}).get("name", "")), names)
    ]
    return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))[-_EVENTS:]


def _concerns(name: str, names: set[str]) -> bool:
    """Whether a name is one of these objects or of their children: a ReplicaSet's name begins with its Deployment's."""
    return any(name == one or name.startswith(f"{one}-") for one in names)


def _format_event(event: Object) -> str:
    count = f" ({event['count']} times)" if int(event.get("count") or 1) > 1 else ""
    return f"{event.get('reason', '')}: {str(event.get('message', '')).strip()}{count}"
