"""A client of the Kubernetes API: gets, applies, lists and deletes objects over REST, and raises Naru's errors.

It needs no discovery, as the kinds are known. Server-side apply records who owns which field, so that no change of another
manager is overwritten silently, and its dry run shows what would change.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError, NaruError, ServiceError, UnavailableError

Object = dict[str, Any]
MANAGER = "naru"
LABEL = "app.kubernetes.io/part-of=naru"

KINDS: dict[tuple[str, str], tuple[str, bool]] = {
    ("v1", "Namespace"): ("namespaces", False),
    ("scheduling.k8s.io/v1", "PriorityClass"): ("priorityclasses", False),
    ("v1", "ResourceQuota"): ("resourcequotas", True),
    ("v1", "LimitRange"): ("limitranges", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("rbac.authorization.k8s.io/v1", "Role"): ("roles", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "Service"): ("services", True),
    ("v1", "PersistentVolumeClaim"): ("persistentvolumeclaims", True),
    ("v1", "Pod"): ("pods", True),
    ("apps/v1", "Deployment"): ("deployments", True),
    ("apps/v1", "StatefulSet"): ("statefulsets", True),
    ("apps/v1", "DaemonSet"): ("daemonsets", True),
    ("policy/v1", "PodDisruptionBudget"): ("poddisruptionbudgets", True),
    ("networking.k8s.io/v1", "NetworkPolicy"): ("networkpolicies", True),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ("servicemonitors", True),
    ("monitoring.coreos.com/v1", "PodMonitor"): ("podmonitors", True),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ("prometheusrules", True),
}
"""Plural, and whether namespaced, by version and kind: the objects that Naru consists of, which are removed with it."""

WATCHED: dict[tuple[str, str], tuple[str, bool]] = {
    ("machinelearning.seldon.io/v1", "SeldonDeployment"): ("seldondeployments", True),
    ("apps/v1", "ReplicaSet"): ("replicasets", True),
    ("v1", "Event"): ("events", True),
    ("v1", "Endpoints"): ("endpoints", True),
}
"""The same for the objects that a rollout makes or reads: they are not part of Naru, so not deployed or removed with it."""

ACCOUNT_FOLDER = "NARU_CLUSTER_ACCOUNT"
"""Environment variable of the deploy stage: a folder with `token` and `ca.crt` of the service account that it acts as. Where
the folder is empty or missing, the pod's own account is used."""

_ABSENT = {
    "monitoring.coreos.com": "install the Prometheus operator, or leave components/monitoring out of the overlay",
    "machinelearning.seldon.io": "install Seldon Core 1.17.1 (docs/serving.md), or set NARU_SERVING=none",
}
"""Remedy where the cluster does not know a kind, by its group."""
_NO_LOG = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""Beginnings of what the kubelet answers, with status 200, in place of a log that it has removed."""
_REMEDIES = {
    401: "the credentials have expired or are wrong: log in again, then look with `kubectl auth whoami`",
    403: "ask for the permission, or use another context (docs/operations.md lists what each command needs)",
    409: "another manager owns the field: `make diff` shows it; change the overlay, or have the field released",
    422: "correct the overlay",
}


class Cluster:
    """The cluster of the current context of KUBECONFIG, or the one that this runs in."""

    def __init__(self) -> None:
        from kubernetes import client, config

        try:
            _load_configuration()
        except (config.ConfigException, OSError) as error:
            message = str(error).splitlines()[0]
            remedy = "set KUBECONFIG, or choose a context: kubectl config use-context NAME"
            raise ConfigError(f"no cluster: {message}", where="KUBECONFIG", remedy=remedy) from None
        configuration = client.Configuration.get_default_copy()
        configuration.retries = False
        self._client = client.ApiClient(configuration)
        self.server = str(self._client.configuration.host)

    def get(self, wanted: Object) -> Object | None:
        """Read an object; None when it does not exist."""
        return self._request("GET", path_of(wanted), missing=(404,))

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        """Create the object, or set its given fields; return the resulting object."""
        query = [("fieldManager", MANAGER), *([("dryRun", "All")] if dry_run else [])]
        return self._request("PATCH", path_of(wanted), query, wanted) or {}

    def delete(self, unwanted: Object) -> None:
        """Delete the object and its dependents; no error if it does not exist."""
        self._request("DELETE", path_of(unwanted), [("propagationPolicy", "Foreground")], missing=(404,))

    def list_all(self, version: str, kind: str, selector: str = LABEL) -> list[Object]:
        """List the objects of a kind with the label, in every namespace; empty where the cluster does not know the kind."""
        return self._list(_root(version), version, kind, selector)

    def list_in(self, namespace: str, version: str, kind: str, selector: str = "") -> list[Object]:
        """List the objects of a kind in a namespace, with the label if given; empty where the cluster does not know the kind."""
        return self._list(f"{_root(version)}/namespaces/{namespace}", version, kind, selector)

    def read_log(self, pod: Object, container: str, lines: int = 200, *, previous: bool = False) -> str:
        """Read the last lines of a container's log; empty when there is none.

        Args:
            pod: The pod.
            container: Name of the container.
            lines: Most lines to read.
            previous: Whether to read the log from before the container's last restart.
        """
        query = [("container", container), ("tailLines", str(lines)), *([("previous", "true")] if previous else [])]
        # 400: it was not started yet, or not restarted
        data = self._fetch("GET", f"{path_of(pod)}/log", query, missing=(400, 404), accept="*/*")
        text = (data or b"").decode("utf-8", "replace")
        return "" if text.startswith(_NO_LOG) else text

    def proxy(
        self, namespace: str, pod: str, port: int, path: str, verb: str = "GET", body: Any = None, timeout: float = 10.0
    ) -> tuple[int, bytes]:
        """Send an HTTP request to a pod through the API server; return its answer, whatever its status.

        Args:
            namespace: Namespace of the pod.
            pod: Name of the pod.
            port: Port of the pod; no Service is needed.
            path: Path on the pod, as in `/metrics`.
            verb: HTTP method.
            body: Body, sent as JSON.
            timeout: Seconds to wait for the answer.

        Returns:
            The pod's status and body.

        Raises:
            ServiceError: When the API server did not forward it: there is no such pod, or it is not allowed.
            UnavailableError: When the pod, or the cluster, does not answer.
        """
        from kubernetes.client.exceptions import ApiException

        url = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path.lstrip('/')}"
        try:
            return self._call(verb, url, [], body, accept="*/*", timeout=timeout)
        except ApiException as error:
            if _is_from_api_server(error):
                raise _translate_error(verb, url, error) from None
            return int(error.status), bytes(error.body or b"")

    def _list(self, place: str, version: str, kind: str, selector: str) -> list[Object]:
        plural, _ = _known(version, kind)
        query = [("labelSelector", selector)] if selector else []
        listed = self._request("GET", f"{place}/{plural}", query, missing=(404,)) or {}
        return [{**item, "apiVersion": version, "kind": kind} for item in listed.get("items", [])]

    def _request(
        self,
        verb: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        missing: tuple[int, ...] = (),
    ) -> Object | None:
        data = self._fetch(verb, path, query, body, missing=missing)
        return None if data is None else dict(json.loads(data))

    def _fetch(
        self,
        verb: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        *,
        missing: tuple[int, ...] = (),
        accept: str = "application/json",
    ) -> bytes | None:
        """Return the answer's body; None when its status is among `missing`."""
        from kubernetes.client.exceptions import ApiException

        try:
            return self._call(verb, path, query or [], body, accept=accept)[1]
        except ApiException as error:
            if error.status in missing:
                return None
            raise _translate_error(verb, path, error) from None

    def _call(
        self, verb: str, path: str, query: list[tuple[str, str]], body: Any, *, accept: str, timeout: float = 30.0
    ) -> tuple[int, bytes]:
        from urllib3.exceptions import HTTPError

        kind = "application/apply-patch+yaml" if verb == "PATCH" else "application/json"
        headers = {"Accept": accept, "Content-Type": kind}
        try:
            answer = self._client.call_api(
                path, verb, query_params=query, header_params=headers,
                body=body,
                auth_settings=["BearerToken"], _preload_content=False, _request_timeout=timeout,
            )  # fmt: skip
            return int(answer[1]), bytes(answer[0].data)  # read here: the connection may end in between
        except HTTPError as error:
            remedy = "check that the cluster is up and the context is right: kubectl config current-context"
            message = f"the cluster does not answer: {str(error)[:200]}"
            raise UnavailableError(message, where=self.server, remedy=remedy) from None


def _load_configuration() -> None:
    from kubernetes import config

    file = os.environ.get("KUBECONFIG", "")  # the library reads it only once, when it is imported
    outside = file or Path("~/.kube/config").expanduser().exists()
    folder = Path(os.environ.get(ACCOUNT_FOLDER) or "/nowhere")
    if outside:
        config.load_kube_config(file or None)
    elif (folder / "token").exists():
        from kubernetes.config.incluster_config import InClusterConfigLoader

        InClusterConfigLoader(str(folder / "token"), str(folder / "ca.crt")).load_and_set()
    else:
        config.load_incluster_config()


def path_of(wanted: Object) -> str:
    """Return the path of an object in the REST API.

    Raises:
        ConfigError: When Naru does not use its kind.
    """
    version = wanted["apiVersion"]
    plural, in_namespace = _known(version, wanted["kind"])
    place = f"/namespaces/{wanted['metadata']['namespace']}" if in_namespace else ""
    return f"{_root(version)}{place}/{plural}/{wanted['metadata']['name']}"


def name_of(wanted: Object) -> str:
    """Return an object's name for messages, as in `Deployment naru/naru-mlflow`."""
    metadata = wanted["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{wanted['kind']} {place}{metadata['name']}"


def _known(version: str, kind: str) -> tuple[str, bool]:
    known = {**KINDS, **WATCHED}
    if (version, kind) not in known:
        remedy = "apply it yourself, and look at it with kubectl"
        raise ConfigError("Naru does not use objects of this kind", where=f"{version} {kind}", remedy=remedy)
    return known[version, kind]


def _root(version: str) -> str:
    return f"/api/{version}" if version == "v1" else f"/apis/{version}"


def _is_from_api_server(error: Any) -> bool:
    """Whether an answer is the API server's own and not the pod's, judged by its form."""
    try:
        record = json.loads(error.body)
    except (ValueError, TypeError):
        return False
    return isinstance(record, dict) and (record.get("kind"), record.get("apiVersion")) == ("Status", "v1")


def _translate_error(verb: str, path: str, error: Any) -> NaruError:
    try:
        message = json.loads(error.body)["message"]
    except (ValueError, KeyError, TypeError):
        message = error.reason or "no reason given"
    group = next((group for group in _ABSENT if f"/apis/{group}/" in path), "")
    if (
        error.status == 404 and group and "not found" not in message
    ):  # "not found" would be about a namespace or an object
        return ConfigError("the cluster does not know this kind", where=path, remedy=_ABSENT[group])
    kind = UnavailableError if error.status in (429, 500, 502, 503, 504) else ServiceError
    remedy = _REMEDIES.get(error.status, "look at the cluster, then run again")
    return kind(f"{verb} was refused ({error.status}): {message}", where=path, remedy=remedy)
