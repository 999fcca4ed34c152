"""Who is asked. Without a mesh it is a Service over pods: those of one version, or those of both, by their number.

A Service that names the version holds every request there, however many pods of another one are ready: so a new version
takes none before it has been proved, and loses them all at once when it is rolled back. A Service that names only the
project spreads connections over all pods: a share is then a ratio of pods, and not every share can be held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.deploy.targets.contract import Share
from components.deploy.targets.seldon.manifest import GRPC, HTTP, PREDICTOR_LABEL, PROJECT_LABEL


def hold_shares(asked: Sequence[int], stable: int, *, by_mesh: bool = False) -> list[Share]:
    """What can be held beside so many servers of the stable version; steps that come to the same are one.

    The stable version keeps its servers, so that it can take everything back at once; the canary never has more.

    Args:
        asked: Percents, growing.
        stable: Servers of the stable version.
        by_mesh: A mesh holds the shares; the number of servers only follows the load.
    """
    held: list[Share] = []
    for percent in asked:
        replicas = min(range(1, stable + 1), key=lambda count: abs(_percent(count, stable) - percent))
        share = Share(percent, replicas, float(percent) if by_mesh else _percent(replicas, stable))
        if held and not by_mesh and held[-1].replicas == replicas:
            held.pop()
        held.append(share)
    return held


def render_service(project: str, namespace: str, predictor: str = "") -> dict[str, Any]:
    """The Service by which a project's model is asked, whatever versions serve it.

    Args:
        project: The project's name, and the Service's.
        namespace: Where the pods are.
        predictor: The only one that is asked; empty: all of the project.
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
