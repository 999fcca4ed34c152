"""How Naru's part of a cluster is: what serves, which stages wait, and why."""

from __future__ import annotations

from components._cluster.kubernetes_client import Cluster, Object, name_of
from components._core.stage.stage_end import error_of, parse_end
from pipelines.cluster.secret_rotation import tell_outdated
from pipelines.placement import STAGE_LABEL

_SERVES = ("Deployment", "StatefulSet", "DaemonSet")


def tell_status(cluster: Cluster, wanted: list[Object]) -> list[str]:
    """One line for every object that is missing or serves, every stage that waits or failed, and every pod with an old Secret."""
    lines = []
    for one in wanted:
        live = cluster.get(one)
        if live is None:
            lines.append(f"missing  {name_of(one)}")
        elif one["kind"] in _SERVES:
            lines.append(_readiness({**live, "kind": one["kind"]}))
    pods = cluster.list_all("v1", "Pod", STAGE_LABEL)
    lines += [line for pod in pods if (line := _stage(pod))]
    own = {one["metadata"]["name"] for one in wanted if one["kind"] == "Namespace"}
    others = {one["metadata"].get("namespace") or "" for one in wanted} - own - {""}
    return [*lines, *tell_outdated(cluster, own, others)]


def _readiness(live: Object) -> str:
    status, spec = live.get("status", {}), live.get("spec", {})
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    return f"{'ready' if ready >= wanted else 'waits':<9}{name_of(live)} {ready}/{wanted}"


def _stage(pod: Object) -> str:
    phase = pod.get("status", {}).get("phase")
    if phase not in ("Pending", "Failed"):
        return ""
    stage = pod["metadata"]["labels"][STAGE_LABEL]
    return f"{phase.lower():<9}stage {stage} ({name_of(pod)}): {why_of(pod['status'])}"


def _in_words(message: str) -> str:
    """A container's message; of a stage that failed its error."""
    return str(error_of(parse_end(message)) or message)


def why_of(status: Object) -> str:
    """What keeps a pod: no node for it, an image that does not come, a container that ended."""
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message") or condition.get("reason"))
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        state = container.get("state", {})
        record = state.get("waiting") or state.get("terminated") or {}
        if record.get("reason") and record["reason"] != "Completed":
            return ": ".join(filter(None, [record["reason"], _in_words(record.get("message", ""))]))
    return str(status.get("message") or status.get("reason") or "no reason given")
