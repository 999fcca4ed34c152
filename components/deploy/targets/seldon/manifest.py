"""The SeldonDeployment of a project: one predictor for each model version, each with Naru's model server.

A predictor is named by its version, not by its role: when a canary becomes the stable version, only weights change and no pod
restarts. Names, ports and the model's path follow the operator's conventions (1.17.1).
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from components._core.project.project_file import Project
from components._core.project.serving_config import Serve
from components._core.request_log.location import log_uri
from components._core.store.google_cloud import CREDENTIALS as GOOGLE_KEY_FILE
from components._core.store.live_tests import LiveTestRecord
from components._core.types.oip_paths import LIVE, ready_path
from components.deploy.server_command import live_test_arguments, log_arguments, monitoring_arguments, server_arguments
from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.placement import Placement
from components.deploy.targets.seldon.objects import KIND, NO_ENGINE, VERSION

Object = dict[str, Any]

PROJECT_LABEL = "naru/project"
PREDICTOR_LABEL = "naru/predictor"
APPLIED = "naru/asked"
"""Annotation with the predictors as they were applied: the live object also has the operator's defaults, and applying those
would restart the pods."""

_MODEL = "/mnt/models"  # where the operator's init container copies modelUri to
_USER = 10001  # the image's user
HTTP, GRPC, METRICS = 8080, 8081, 8082
_CHALLENGER = "-challenger"  # a project's name has 24 characters at most, and a Service's 63
GOOGLE_SECRET_KEY = "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"  # noqa: S105 - its name
"""Key of the Secret with a service account's key, for the operator's rclone and for the server itself."""
_GOOGLE, _GOOGLE_FOLDER, _GOOGLE_KEY = "google", "/var/run/secrets/naru-google", "key.json"
_GRACE_SECONDS = 45  # the operator delays SIGTERM by ten; the server then takes at most 23
_START_SECONDS = 180


@dataclass(frozen=True)
class Canary:
    """A canary version beside the stable one.

    Attributes:
        model: The version.
        weight: Percent of the requests.
        replicas: Fixed number of its servers.
    """

    model: ModelVersion
    weight: int
    replicas: int = 1


def render_deployment(
    project: Project, stable: ModelVersion, placement: Placement, canary: Canary | None = None
) -> Object:
    """Render the object to apply; its first predictor is the stable version, which gets all requests unless shares are set."""
    predictors = [render_stable(project, stable, placement)]
    if canary:
        predictors.append(render_canary(project, canary.model, placement, canary.replicas))
    return compose(project, placement.namespace, predictors, canary.weight if canary else 0)


@dataclass(frozen=True)
class Challenger:
    """A version in a live test beside the stable one.

    Attributes:
        model: The version.
        began: The test.
        test: Its name.
        by_mesh: Whether the operator's own shadow copies the requests, through a mesh; otherwise the stable version's servers do.
        replicas: Number of its servers.
    """

    model: ModelVersion
    began: LiveTestRecord
    test: str
    by_mesh: bool = False
    replicas: int = 1


def render_live_test(
    project: Project, stable: ModelVersion, challenger: Challenger, placement: Placement
) -> list[Object]:
    """Render the objects of a live test: the deployment, and the Service by which the stable version's servers reach the other.

    The Service of the project selects the stable version, so that no client reaches the other. Without a mesh the weights do nothing; the operator wants
    1 at least. With a mesh the operator's own shadow copies the requests, and answers are neither compared nor logged.
    """
    if challenger.by_mesh:
        first, second = (
            render_stable(project, stable, placement),
            render_canary(project, challenger.model, placement, 1),
        )
        wanted = compose(project, placement.namespace, [first, second], 0)
        wanted["spec"]["predictors"][0]["traffic"] = 100
        wanted["spec"]["predictors"][1] |= {"shadow": True, "traffic": 100}
        return [wanted]
    first, second = render_tested(project, stable, challenger, placement)
    return [
        compose(project, placement.namespace, [first, second], 1),
        render_challenger_service(project.name, placement.namespace, challenger.model.key),
    ]


def render_tested(
    project: Project, stable: ModelVersion, challenger: Challenger, placement: Placement
) -> tuple[Object, Object]:
    """Render the predictors of a live test: the servers of the stable version have the options of the test, those of the other take no labels."""
    first = render_stable(project, stable, placement)
    second = render_canary(project, challenger.model, placement, challenger.replicas)
    url = f"http://{challenger_service(project.name)}:{HTTP}"
    _arguments(first).extend(live_test_arguments(project, placement.store, challenger.began, challenger.test, url))
    own = [*server_arguments(_MODEL, project.name, challenger.model.version, project.serve, challenger.model.sha256)]
    if (
        challenger.began.mode == "ab"
    ):  # what it answers is returned; a shadow's answers are in the lines of the test only
        own += log_arguments(project, placement.store, labels=False)
    _arguments(second)[:] = own
    return first, second


def _arguments(predictor: Object) -> list[str]:
    arguments: list[str] = predictor["componentSpecs"][0]["spec"]["containers"][0]["args"]
    return arguments


def challenger_service(project: str) -> str:
    """Return the name of the Service by which the stable version's servers reach a version under test."""
    return f"{project}{_CHALLENGER}"


def render_challenger_service(project: str, namespace: str, predictor: str = "") -> Object:
    """Render that Service.

    Args:
        project: Name of the project.
        namespace: Namespace of the pods; empty: the namespace that it is applied to.
        predictor: The predictor of the version under test.
    """
    metadata: Object = {"name": challenger_service(project), "labels": {PROJECT_LABEL: project}}
    if namespace:
        metadata["namespace"] = namespace
    selector = {PROJECT_LABEL: project, PREDICTOR_LABEL: predictor}
    ports = [{"name": "http", "port": HTTP, "targetPort": HTTP}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector, "ports": ports}}


def compose(project: Project, namespace: str, predictors: list[Object], weight: int = 0) -> Object:
    """Compose the object from one predictor, or from two of which the second gets `weight` percent.

    A single predictor has no `traffic`: the operator refuses a weight below 100 there. Only the first has a disruption budget:
    the operator applies it to the pods of all predictors, and with two budgets for the same pods an eviction would fail.
    """
    parts = deepcopy(predictors)
    for number, part in enumerate(parts):
        part.pop("traffic", None)
        if number:
            part["componentSpecs"][0].pop("pdbSpec", None)
    metadata: Object = {"name": project.name, "labels": {PROJECT_LABEL: project.name}}
    if namespace:
        metadata["namespace"] = namespace
    metadata["annotations"] = {APPLIED: json.dumps(parts, separators=(",", ":"), sort_keys=True)}
    if len(parts) > 1:
        parts[0]["traffic"], parts[1]["traffic"] = 100 - weight, weight
    spec = {"protocol": project.serve.protocol, "predictors": parts}
    return {"apiVersion": VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def render_stable(project: Project, model: ModelVersion, placement: Placement) -> Object:
    """Render the predictor of a version in service, at its full size."""
    component = {"spec": _pod(project, model, placement), "pdbSpec": {"maxUnavailable": 1}, **_size(project.serve)}
    return _predictor(project, model, component)


def render_canary(project: Project, model: ModelVersion, placement: Placement, replicas: int) -> Object:
    """Render the predictor of a canary, which is not autoscaled."""
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
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            *([_google_volume(project.serve)] if _needs_google_key(project, placement) else []),
        ],
        "topologySpreadConstraints": [_spread(model)],
    }
    if placement.account:
        pod["serviceAccountName"] = placement.account
    if placement.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in placement.pull_secrets]
    if placement.selector:
        pod["nodeSelector"] = placement.selector
    if placement.tolerations:
        pod["tolerations"] = list(placement.tolerations)
    return pod


def _spread(model: ModelVersion) -> Object:
    """Spread the servers of one version over nodes."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {PREDICTOR_LABEL: model.key}},
    }


def _container(project: Project, model: ModelVersion, placement: Placement) -> Object:
    """Render the container, named like the graph's node, as the operator requires, and like the model, as its engine requires."""
    return {
        "name": project.name,
        "image": placement.image_for(needs_tensorflow=model.needs_tensorflow),
        "args": [
            *server_arguments(_MODEL, project.name, model.version, project.serve, model.sha256),
            *log_arguments(project, placement.store),
            *_monitoring(project, placement),
        ],
        "ports": [
            {"name": "http", "containerPort": HTTP, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "volumeMounts": _mounts(project, placement),
        **_google_variable(project, placement),
        "resources": _resources(project.serve, placement.devices),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **_probes(project),
        **_credentials(project.serve),
    }


def _monitoring(project: Project, placement: Placement) -> list[str]:
    """Make the options for the monitor's results and the log of triggers, where the servers can read their store."""
    return monitoring_arguments(project, placement.store) if placement.reaches(placement.store) else []


def _credentials(serve: Serve) -> Object:
    """Render the Secret's AWS_* keys: the server itself uses the store only for its request log and the monitor's results."""
    if serve.request_log is None or not serve.secret:
        return {}
    return {"envFrom": [{"secretRef": {"name": serve.secret}}]}


def _needs_google_key(project: Project, placement: Placement) -> bool:
    """Whether the server opens Google Cloud Storage with the key of the Secret, rather than as its pod's cloud identity."""
    log = project.serve.request_log
    if log is None or not project.serve.secret or placement.account or not placement.reaches_google:
        return False
    places = (placement.store, log_uri(log, placement.store, project.name))
    return any(place.startswith("gs://") for place in places)


def _google_volume(serve: Serve) -> Object:
    """Render the volume with the service account's key, which the operator's rclone reads from the same Secret."""
    items = [{"key": GOOGLE_SECRET_KEY, "path": _GOOGLE_KEY}]
    return {"name": _GOOGLE, "secret": {"secretName": serve.secret, "items": items}}


def _google_variable(project: Project, placement: Placement) -> Object:
    if not _needs_google_key(project, placement):
        return {}
    return {"env": [{"name": GOOGLE_KEY_FILE, "value": f"{_GOOGLE_FOLDER}/{_GOOGLE_KEY}"}]}


def _mounts(project: Project, placement: Placement) -> list[Object]:
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the pod; MLServer writes below HOME
    if _needs_google_key(project, placement):
        mounts.append({"name": _GOOGLE, "mountPath": _GOOGLE_FOLDER, "readOnly": True})
    return mounts


def _resources(serve: Serve, devices: dict[str, int]) -> Object:
    limits = {**serve.resources.limits.model_dump(), **{kind: str(count) for kind, count in devices.items()}}
    return {"requests": serve.resources.requests.model_dump(), "limits": limits}


def _probes(project: Project) -> Object:
    """Render HTTP probes: the port opens before the model is loaded, and the operator's default probes only check the port."""
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
    """Render one probe. Its timeout is long, as a long prediction delays the answer."""
    get = {"path": path, "port": "http"}
    return {"httpGet": get, "periodSeconds": every, "timeoutSeconds": every, "failureThreshold": failures}
