"""Status of Naru's objects on a cluster: which run, which stages wait, and why."""

from __future__ import annotations

from components._cluster.kubernetes_client import Cluster, Object, name_of
from components._core.stage.stage_end import error_of, parse_end
from pipelines.cluster.secret_rotation import describe_outdated_pods
from pipelines.placement import STAGE_LABEL

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def describe_status(cluster: Cluster, desired: list[Object]) -> list[str]:
    """List every missing object, every workload, every stage that waits or failed, and every pod with an outdated Secret."""
    lines = []
    for one in desired:
        live = cluster.get(one)
        if live is None:
            lines.append(f"missing  {name_of(one)}")
        elif one["kind"] in _WORKLOADS:
            lines.append(_readiness_line({**live, "kind": one["kind"]}))
    pods = cluster.list_all("v1", "Pod", STAGE_LABEL)
    lines += [line for pod in pods if (line := _stage_line(pod))]
    own = {one["metadata"]["name"] for one in desired if one["kind"] == "Namespace"}
    others = {one["metadata"].get("namespace") or "" for one in desired} - own - {""}
    return [*lines, *describe_outdated_pods(cluster, own, others)]


def _readiness_line(live: Object) -> str:
    status, spec = live.get("status", {}), live.get("spec", {})
    desired = status.get("desiredNumberScheduled", spec.get("replicas", 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    return f"{'ready' if ready >= desired else 'waiting':<9}{name_of(live)} {ready}/{desired}"


def _stage_line(pod: Object) -> str:
    phase = pod.get("status", {}).get("phase")
    if phase not in ("Pending", "Failed"):
        return ""
    stage = pod["metadata"]["labels"][STAGE_LABEL]
    return f"{phase.lower():<9}stage {stage} ({name_of(pod)}): {find_pod_reason(pod['status'])}"


def _readable_message(message: str) -> str:
    """Return the error in a container's message if a stage left one, else the message."""
    return str(error_of(parse_end(message)) or message)


def find_pod_reason(status: Object) -> str:
    """Find why a pod does not run: no node, an image that cannot be pulled, a container that ended."""
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message") or condition.get("reason"))
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        state = container.get("state", {})
        record = state.get("waiting") or state.get("terminated") or {}
        if record.get("reason") and record["reason"] != "Completed":
            return ": ".join(filter(None, [record["reason"], _readable_message(record.get("message", ""))]))
    return str(status.get("message") or status.get("reason") or "no reason given")
