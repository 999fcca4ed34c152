"""The SeldonDeployment of a project: one predictor for each model version, our own server in each.

A predictor is named by its version, not by its part: when a canary becomes the stable one, only weights change and no pod
is started again. Names, ports and the place of the model are what the operator goes by (1.17.1).
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from components._core.project.project_file import Project
from components._core.project.serving_config import Serve
from components._core.types.oip_paths import LIVE, ready_path
from components.deploy.server_command import log_arguments, server_arguments
from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.objects import KIND, NO_ENGINE, VERSION

Object = dict[str, Any]

PROJECT_LABEL = "naru/project"
PREDICTOR_LABEL = "naru/predictor"
ASKED = "naru/asked"
"""Annotation with the predictors as we asked for them: what stands in the object later is also the operator's own defaults, and
a predictor that is not to be started again must be asked for in the same words."""

_MODEL = "/mnt/models"  # where the operator's init container copies modelUri to
_USER = 10001  # the image's own
HTTP, GRPC, METRICS = 8080, 8081, 8082
_GRACE_SECONDS = 45  # the operator lets a pod wait for ten before SIGTERM; the server then takes 23 at most
_START_SECONDS = 180


@dataclass(frozen=True)
class Canary:
    """A version that is tried beside the stable one.

    Attributes:
        model: The version.
        weight: Percent of the requests.
        replicas: Servers; it is not scaled.
    """

    model: ModelVersion
    weight: int
    replicas: int = 1


def render_deployment(
    project: Project, stable: ModelVersion, placement: Placement, canary: Canary | None = None
) -> Object:
    """The object to apply; the first predictor is the stable one, to which everything goes where nothing holds shares."""
    predictors = [render_stable(project, stable, placement)]
    if canary:
        predictors.append(render_canary(project, canary.model, placement, canary.replicas))
    return compose(project, placement.namespace, predictors, canary.weight if canary else 0)


def compose(project: Project, namespace: str, predictors: list[Object], weight: int = 0) -> Object:
    """The object around one predictor, or around two of which the second gets so many percent.

    No `traffic` where there is one: the operator refuses a weight below 100 there. A disruption budget is at the first only:
    the operator lets it hold for the pods of all, and of two over the same pods an eviction would fail.
    """
    parts = deepcopy(predictors)
    for number, part in enumerate(parts):
        part.pop("traffic", None)
        if number:
            part["componentSpecs"][0].pop("pdbSpec", None)
    metadata: Object = {"name": project.name, "labels": {PROJECT_LABEL: project.name}}
    if namespace:
        metadata["namespace"] = namespace
    metadata["annotations"] = {ASKED: json.dumps(parts, separators=(",", ":"), sort_keys=True)}
    if len(parts) > 1:
        parts[0]["traffic"], parts[1]["traffic"] = 100 - weight, weight
    spec = {"protocol": project.serve.protocol, "predictors": parts}
    return {"apiVersion": VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def render_stable(project: Project, model: ModelVersion, placement: Placement) -> Object:
    """The predictor of a version in service, in its full size."""
    component = {"spec": _pod(project, model, placement), "pdbSpec": {"maxUnavailable": 1}, **_size(project.serve)}
    return _predictor(project, model, component)


def render_canary(project: Project, model: ModelVersion, placement: Placement, replicas: int) -> Object:
    """The predictor of a version that is tried, which is not scaled."""
    return _predictor(project, model, {"spec": _pod(project, model, placement), "replicas": replicas})


def _predictor(project: Project, model: ModelVersion, component: Object) -> Object:
    graph = {"name": project.name, "type": "MODEL", "modelUri": model.uri}
    if project.serve.secret:
        graph["envSecretRefName"] = project.serve.secret
    predictor: Object = {"name": model.key, "graph": graph, "componentSpecs": [component]}
    predictor["labels"] = {PROJECT_LABEL: project.name, PREDICTOR_LABEL: model.key}
    if not project.serve.engine:
        predictor["annotations"] = {NO_ENGINE: "true"}
    return predictor


def _size(serve: Serve) -> Object:
    scaling = serve.autoscaling
    if scaling is None:
        return {"replicas": serve.replicas}
    target = {"type": "Utilization", "averageUtilization": scaling.cpu}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    return {"hpaSpec": {"minReplicas": scaling.min, "maxReplicas": scaling.max, "metricsv2": [metric]}}


def _pod(project: Project, model: ModelVersion, placement: Placement) -> Object:
    pod: Object = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(project, model, placement)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
        "topologySpreadConstraints": [_spread(model)],
    }
    if placement.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in placement.pull_secrets]
    if placement.selector:
        pod["nodeSelector"] = placement.selector
    if placement.tolerations:
        pod["tolerations"] = list(placement.tolerations)
    return pod


def _spread(model: ModelVersion) -> Object:
    """Servers of one version on different nodes, where there are several."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {PREDICTOR_LABEL: model.key}},
    }


def _container(project: Project, model: ModelVersion, placement: Placement) -> Object:
    """Named like the graph's node, by which the operator finds it, and like the model, by which its engine asks it."""
    return {
        "name": project.name,
        "image": placement.image,
        "args": [
            *server_arguments(_MODEL, project.name, model.version, project.serve, model.sha256),
            *log_arguments(project, placement.store),
        ],
        "ports": [
            {"name": "http", "containerPort": HTTP, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod; MLServer writes below HOME
        "resources": _resources(project.serve, placement.devices),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **_probes(project),
        **_credentials(project.serve),
    }


def _credentials(serve: Serve) -> Object:
    """The keys AWS_* of the Secret: the server itself opens the store only for its log."""
    if serve.request_log is None or not serve.secret:
        return {}
    return {"envFrom": [{"secretRef": {"name": serve.secret}}]}


def _resources(serve: Serve, devices: dict[str, int]) -> Object:
    limits = {**serve.resources.limits.model_dump(), **{kind: str(count) for kind, count in devices.items()}}
    return {"requests": serve.resources.requests.model_dump(), "limits": limits}


def _probes(project: Project) -> Object:
    """Over HTTP: the port opens before the model is loaded, and the operator's own probes only ask the port."""
    if project.serve.protocol == "seldon":
        ready, live = "/health/status", "/health/ping"
    else:
        ready, live = ready_path(project.name), LIVE
    return {
        "startupProbe": _probe(ready, every=5, failures=_START_SECONDS // 5),
        "readinessProbe": _probe(ready, every=5, failures=3),
        "livenessProbe": _probe(live, every=10, failures=3),
    }


def _probe(path: str, *, every: int, failures: int) -> Object:
    """A long request holds an answer up, hence the time that one may take."""
    ask = {"path": path, "port": "http"}
    return {"httpGet": ask, "periodSeconds": every, "timeoutSeconds": every, "failureThreshold": failures}
