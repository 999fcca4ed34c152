"""Why servers do not come up: what is wrong with their pods, how long it may last, and what a person needs to see of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from components._cluster.kubernetes_client import Cluster, Object
from components.deploy.targets.seldon.observation import Seen

_LOG_LINES = 12
_EVENTS = 6
_AT_ONCE, _SOON, _LATER = 0.0, 15.0, 45.0
_PODS = 3
"""Pods of a predictor whose logs are read at most: of some the kubelet has none any more."""
_FETCHES = "-model-initializer"
"""How the container ends that the operator adds to fetch the model: rclone runs in it."""
_WHY = re.compile(r"(?:Failed to [a-z ]+(?:\"[^\"]*\")?|failed with \d+ errors? and|ERROR ?:[^:]*): ?(.+)")
_LONG = float("inf")  # as long as a rollout waits: it may come right until then

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
"""Seconds that a container may wait for this reason before it counts: some pass by themselves."""


@dataclass(frozen=True)
class Trouble:
    """Something that keeps a predictor from serving.

    Attributes:
        predictor: Whose.
        what: What is wrong, in a few words that stay the same while it lasts.
        patience: Seconds that it may last.
        pod: The pod that shows it; empty: no pod does.
        container: Of it, whose log says more; empty: none.
        detail: More of it, which may change from look to look.
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
    """What a person is told.

    Attributes:
        reason: One sentence.
        log: The last lines of the container.
        events: What Kubernetes said about it, newest last.
        description: The operator's own word on the whole.
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


def find_troubles(seen: Seen, predictors: list[str]) -> list[Trouble]:
    """Everything that is wrong with these predictors now."""
    found = [trouble for name in predictors for pod in seen.pods.get(name, []) for trouble in _of_pod(name, pod)]
    found += [trouble for name in predictors for trouble in _of_deployment(name, seen.deployments.get(name, {}))]
    status = (seen.served or {}).get("status", {})
    if status.get("state") == "Failed" and predictors:
        message = str(status.get("description", ""))
        found.append(Trouble(predictors[-1], "the operator failed", _SOON, detail=message))
    return found


def diagnose(cluster: Cluster, namespace: str, seen: Seen, trouble: Trouble) -> Diagnosis:
    """Ask for the last log lines and the events behind a trouble; what cannot be had is left out.

    Raises:
        ServiceError: When the cluster cannot be asked.
    """
    log = _last_words(cluster, namespace, seen, trouble) if trouble.container else []
    if trouble.container.endswith(_FETCHES):
        trouble = _why_not_fetched(trouble, log)
    names = {trouble.pod} if trouble.pod else _owned(seen, trouble.predictor)
    events = [_told(event) for event in _events(cluster, namespace, names)]
    description = str((seen.served or {}).get("status", {}).get("description", ""))
    return Diagnosis(str(trouble), log, events, description)


def _last_words(cluster: Cluster, namespace: str, seen: Seen, trouble: Trouble) -> list[str]:
    """What the container printed before it ended, or since; of another pod, where the kubelet has no log of this one."""
    pods = [pod for pod in seen.pods.get(trouble.predictor, []) if pod["metadata"]["name"] == trouble.pod]
    pods += [pod for pod in seen.pods.get(trouble.predictor, []) if pod not in pods]
    for pod in pods[:_PODS]:
        place = {"name": pod["metadata"]["name"], "namespace": namespace}
        named = {"apiVersion": "v1", "kind": "Pod", "metadata": place}
        for previous in (True, False):
            if text := cluster.read_log(named, trouble.container, _LOG_LINES, previous=previous).strip():
                return text.splitlines()[-_LOG_LINES:]
        if text := _termination(pod, trouble.container):
            return text.splitlines()[-_LOG_LINES:]
    return []


def _termination(pod: Object, name: str) -> str:
    """The container's termination message, where there is one."""
    status = pod.get("status", {})
    found = [
        one
        for one in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", []))
        if one["name"] == name
    ]
    ends = [one.get(state, {}).get("terminated") or {} for one in found for state in ("state", "lastState")]
    return next((str(end["message"]).strip() for end in ends if end.get("message")), "")


def _why_not_fetched(trouble: Trouble, log: list[str]) -> Trouble:
    """The same with rclone's own reason in its sentence, as in `AccessDenied: Access Denied`."""
    found = [match[1].strip() for line in log if (match := _WHY.search(line))]
    why = found[-1] if found else log[-1].strip() if log else "it left no word of why; look at the store's own log"
    return replace(trouble, detail=f"{trouble.detail}; the model cannot be fetched: {why}".removeprefix("; "))


def _of_pod(predictor: str, pod: Object) -> Iterator[Trouble]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _WAITING:
            asked = container["name"] if reason in ("CrashLoopBackOff", "RunContainerError") else ""
            detail = _exit(container) or str(waiting.get("message", ""))
            yield Trouble(predictor, f"{container['name']}: {reason}", _WAITING[reason], name, asked, detail)
        elif container.get("restartCount", 0) >= 1 and not container.get("ready", False):
            what = f"{container['name']}: ends and is started again"
            yield Trouble(predictor, what, _SOON, name, container["name"], _exit(container))
        elif "running" in container.get("state", {}) and not container.get("ready", False):
            yield Trouble(predictor, f"{container['name']}: runs and is not ready", _LONG, name, container["name"])
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = str(condition.get("message", ""))
            yield Trouble(predictor, "no node takes the pod", _LONG, name, detail=message)


def _exit(container: Object) -> str:
    last = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated") or {}
    if "exitCode" not in last:
        return ""
    why = f" ({last['reason']})" if last.get("reason") not in (None, "Error") else ""
    return f"ended with {last['exitCode']}{why}, {container.get('restartCount', 0)} times started again"


def _of_deployment(predictor: str, deployment: Object) -> Iterator[Trouble]:
    for condition in deployment.get("status", {}).get("conditions", []):
        message = str(condition.get("message", ""))
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield Trouble(predictor, f"no pod can be made ({condition.get('reason', '')})", _SOON, detail=message)
        if condition["type"] == "Progressing" and condition["status"] == "False":
            what = f"the rollout came to nothing ({condition.get('reason', '')})"
            yield Trouble(predictor, what, _AT_ONCE, detail=message)


def _owned(seen: Seen, predictor: str) -> set[str]:
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
    """Of the object itself, or of what it made: a ReplicaSet's name begins with its Deployment's."""
    return any(name == one or name.startswith(f"{one}-") for one in names)


def _told(event: Object) -> str:
    count = f" ({event['count']} times)" if int(event.get("count") or 1) > 1 else ""
    return f"{event.get('reason', '')}: {str(event.get('message', '')).strip()}{count}"
