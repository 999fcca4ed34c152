"""Traffic routing. Without a mesh: a Service that selects the pods of one version, or of both.

A Service that selects one version sends it every request, however many pods of the other are ready: so a new version gets none
before its parity test, and loses all at once on a rollback. A Service that selects only the project spreads connections over all
pods: a share is then a ratio of pods, and not every share can be held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.deploy.targets.contract import Share
from components.deploy.targets.seldon.manifest import GRPC, HTTP, PREDICTOR_LABEL, PROJECT_LABEL


def hold_shares(requested: Sequence[int], stable: int, *, by_mesh: bool = False) -> list[Share]:
    """Return the shares that can be held beside this many servers of the stable version; equal steps are merged.

    The stable version keeps its servers, so that it can take all requests back at once; the canary never has more.

    Args:
        requested: Increasing percents.
        stable: Servers of the stable version.
        by_mesh: Whether a mesh holds the shares, so that the number of servers only follows the load.
    """
    held: list[Share] = []
    for percent in requested:
        replicas = min(range(1, stable + 1), key=lambda count: abs(_percent(count, stable) - percent))
        share = Share(percent, replicas, float(percent) if by_mesh else _percent(replicas, stable))
        if held and not by_mesh and held[-1].replicas == replicas:
            held.pop()
        held.append(share)
    return held


def render_service(project: str, namespace: str, predictor: str = "") -> dict[str, Any]:
    """Render the Service of a project's model, which clients use whatever versions serve it.

    Args:
        project: Name of the project and of the Service.
        namespace: Namespace of the pods.
        predictor: The only predictor to select; empty: all predictors of the project.
    """
    selector = {PROJECT_LABEL: project, **({PREDICTOR_LABEL: predictor} if predictor else {})}
    ports = [{"name": name, "port": port, "targetPort": port} for name, port in (("http", HTTP), ("grpc", GRPC))]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": project, "namespace": namespace, "labels": {PROJECT_LABEL: project}},
        "spec": {"selector": selector, "ports": ports},
    }


def _percent(replicas: int, stable: int) -> float:
    return round(100 * replicas / (replicas + stable), 1)
