"""The SeldonDeployment of a project: one predictor for each model version, our own server in each.

A predictor is named by its version, not by its part: when a canary becomes the stable one, only weights change and no pod
is started again. Names, ports and the place of the model are what the operator goes by (1.17.1).
"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from components._core.project.project_file import Project
from components._core.project.serving_config import Serve, limit_options
from components.deploy.targets.seldon.objects import KIND, NO_ENGINE, VERSION

Object = dict[str, Any]

IMAGES = {"v2": "naru-server:python3.12", "seldon": "naru-server-seldon:python3.11"}
"""The server's image by protocol."""
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
class ModelVersion:
    """What a predictor serves.

    Attributes:
        version: The version that answers carry.
        uri: The model's folder, as the cluster reaches it: `s3://bucket/...`.
        sha256: Of the list of its files that lies in it: its servers serve no other; empty for a version of an earlier Naru.
    """

    version: str
    uri: str
    sha256: str = field(default="", compare=False)

    @property
    def predictor(self) -> str:
        """The predictor's name: the same for the same version of the same model, another for any other."""
        return f"m-{hashlib.sha256(f'{self.version} {self.uri}'.encode()).hexdigest()[:8]}"


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


@dataclass(frozen=True)
class Placement:
    """Where the pods run, and from which image.

    Attributes:
        image: The server's full name.
        namespace: Empty: whichever the object is applied to.
        pull_secrets: Names of the Secrets that open the registry.
        selector: Labels of the nodes.
        tolerations: Taints of the nodes, in Kubernetes' words.
        devices: Count by kind, as in `{"nvidia.com/gpu": 1}`.
        store: Object store of the runs, as pods reach it: the request log is there, unless the project names another place.
    """

    image: str = IMAGES["v2"]
    namespace: str = ""
    pull_secrets: tuple[str, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[Object, ...] = ()
    devices: dict[str, int] = field(default_factory=dict)
    store: str = ""


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
    predictor: Object = {"name": model.predictor, "graph": graph, "componentSpecs": [component]}
    predictor["labels"] = {PROJECT_LABEL: project.name, PREDICTOR_LABEL: model.predictor}
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
        "labelSelector": {"matchLabels": {PREDICTOR_LABEL: model.predictor}},
    }


def _container(project: Project, model: ModelVersion, placement: Placement) -> Object:
    """Named like the graph's node, by which the operator finds it, and like the model, by which its engine asks it."""
    return {
        "name": project.name,
        "image": placement.image,
        "args": [
            "--model",
            _MODEL,
            "--name",
            project.name,
            "--version",
            model.version,
            *limit_options(project.serve),
            *(["--model-sha256", model.sha256] if model.sha256 else []),
            *_log(project, placement.store),
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


def _log(project: Project, store: str) -> list[str]:
    """Options of the request log: all of them, so that the object tells how it is kept."""
    asked = project.serve.request_log
    if asked is None:
        return []
    mask = ["--log-mask", ",".join(asked.mask)] if asked.mask else []
    flush = ["--log-flush-rows", str(asked.flush_rows), "--log-flush-seconds", f"{asked.flush_seconds:g}"]
    return ["--log", log_uri(project, store), "--log-sample", f"{asked.sample:g}", *mask, *flush]


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
        ready, live = f"/v2/models/{project.name}/ready", "/v2/health/live"
    return {
        "startupProbe": _probe(ready, every=5, failures=_START_SECONDS // 5),
        "readinessProbe": _probe(ready, every=5, failures=3),
        "livenessProbe": _probe(live, every=10, failures=3),
    }


def _probe(path: str, *, every: int, failures: int) -> Object:
    """A long request holds an answer up, hence the time that one may take."""
    ask = {"path": path, "port": "http"}
    return {"httpGet": ask, "periodSeconds": every, "timeoutSeconds": every, "failureThreshold": failures}


def log_uri(project: Project, store: str) -> str:
    """Where the request log of a project is."""
    asked = project.serve.request_log
    return (asked.uri if asked else "") or f"{store.rstrip('/')}/{project.name}/requests"
