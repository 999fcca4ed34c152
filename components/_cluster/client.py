"""The border to a cluster: get, apply, list and delete objects by plain REST, and Kubernetes' answers as errors of ours.

Discovery is not needed: the kinds that we have are known. Server-side apply says who owns which field, so that nobody's
change is overwritten without a word, and a dry run of it tells what would change.
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
    ("monitoring.coreos.com/v1", "PrometheusRule"): ("prometheusrules", True),
}
"""Plural and whether it is in a namespace, by version and kind."""

_REMEDIES = {
    401: "the credentials have expired or are wrong: log in again, then look with `kubectl auth whoami`",
    403: "ask for the permission, or use another context (docs/operations.md lists what each command needs)",
    409: "somebody else set the same field: `make diff` shows it; change the overlay, or let them give it up",
    422: "correct the overlay",
}


class Cluster:
    """The cluster of the current context of KUBECONFIG, or the one that this runs in."""

    def __init__(self) -> None:
        from kubernetes import client, config

        try:
            _load_configuration()
        except (config.ConfigException, OSError) as error:
            told = str(error).splitlines()[0]
            remedy = "set KUBECONFIG, or choose a context: kubectl config use-context NAME"
            raise ConfigError(f"no cluster: {told}", where="KUBECONFIG", remedy=remedy) from None
        configuration = client.Configuration.get_default_copy()
        configuration.retries = False
        self._client = client.ApiClient(configuration)
        self.server = str(self._client.configuration.host)

    def get(self, wanted: Object) -> Object | None:
        """The object as it is there; None when it is not."""
        return self._ask("GET", path_of(wanted), missing=True)

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        """Make the object, or the fields of it that we say, as they are wanted; returns what came of it."""
        query = [("fieldManager", MANAGER), *([("dryRun", "All")] if dry_run else [])]
        return self._ask("PATCH", path_of(wanted), query, wanted) or {}

    def delete(self, unwanted: Object) -> None:
        """Remove the object and what belongs to it; one that is gone already is well."""
        self._ask("DELETE", path_of(unwanted), [("propagationPolicy", "Foreground")], missing=True)

    def list_all(self, version: str, kind: str, selector: str = LABEL) -> list[Object]:
        """All objects of a kind with the label, in every namespace; none where the kind is not known."""
        plural, _ = KINDS[version, kind]
        listed = self._ask("GET", f"{_root(version)}/{plural}", [("labelSelector", selector)], missing=True) or {}
        return [{**item, "apiVersion": version, "kind": kind} for item in listed.get("items", [])]

    def read_log(self, pod: Object, container: str, lines: int = 200) -> str:
        """The end of what a container printed; empty when there is none."""
        path = f"{path_of(pod)}/log"
        query = [("container", container), ("tailLines", str(lines))]
        data = self._fetch("GET", path, query, missing=True, accept="*/*")
        return (data or b"").decode("utf-8", "replace")

    def _ask(
        self, verb: str, path: str, query: list[tuple[str, str]] | None = None, body: Any = None, missing: bool = False
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
        missing: bool = False,
        accept: str = "application/json",
    ) -> bytes | None:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        kind = "application/apply-patch+yaml" if verb == "PATCH" else "application/json"
        headers = {"Accept": accept, "Content-Type": kind}
        try:
            answer = self._client.call_api(
                path, verb, query_params=query or [], header_params=headers,
                body=body,
                auth_settings=["BearerToken"], _preload_content=False, _request_timeout=30,
            )  # fmt: skip
        except ApiException as error:
            if error.status == 404 and missing:
                return None
            raise _translated(verb, path, error) from None
        except HTTPError as error:
            remedy = "is the cluster up, and the context the right one? kubectl config current-context"
            told = f"the cluster does not answer: {str(error)[:200]}"
            raise UnavailableError(told, where=self.server, remedy=remedy) from None
        return bytes(answer[0].data)


def _load_configuration() -> None:
    from kubernetes import config

    file = os.environ.get("KUBECONFIG", "")  # the library reads it only once, when it is imported
    outside = file or Path("~/.kube/config").expanduser().exists()
    config.load_kube_config(file or None) if outside else config.load_incluster_config()


def path_of(wanted: Object) -> str:
    """Where an object is in the REST API.

    Raises:
        ConfigError: When it is of a kind that we do not have.
    """
    version, kind = wanted["apiVersion"], wanted["kind"]
    if (version, kind) not in KINDS:
        remedy = "apply it yourself; `make deploy` only touches kinds that it can also remove"
        raise ConfigError(f"{version} {kind} is no kind that Naru deploys", where=name_of(wanted), remedy=remedy)
    plural, in_namespace = KINDS[version, kind]
    place = f"/namespaces/{wanted['metadata']['namespace']}" if in_namespace else ""
    return f"{_root(version)}{place}/{plural}/{wanted['metadata']['name']}"


def name_of(wanted: Object) -> str:
    """How a person is told of an object: `Deployment naru/naru-mlflow`."""
    metadata = wanted["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{wanted['kind']} {place}{metadata['name']}"


def _root(version: str) -> str:
    return f"/api/{version}" if version == "v1" else f"/apis/{version}"


def _translated(verb: str, path: str, error: Any) -> NaruError:
    try:
        told = json.loads(error.body)["message"]
    except (ValueError, KeyError, TypeError):
        told = error.reason or "no reason given"
    if error.status == 404 and "monitoring.coreos.com" in path:
        remedy = "install the Prometheus operator, or leave components/monitoring out of the overlay"
        return ConfigError("the cluster does not know this kind", where=path, remedy=remedy)
    kind = UnavailableError if error.status in (429, 500, 502, 503, 504) else ServiceError
    remedy = _REMEDIES.get(error.status, "look at the cluster, then run again")
    return kind(f"{verb} was refused ({error.status}): {told}", where=path, remedy=remedy)
