"""Apply an overlay to a cluster, plan its changes, and remove every object that Naru deployed.

Naru's objects have the label `app.kubernetes.io/part-of: naru` and were applied by Naru (the server records which manager set
a field). Objects that others made with the same label are left alone.
"""

from __future__ import annotations

import copy
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components._cluster.kubernetes_client import KINDS, LABEL, MANAGER, Cluster, Object, name_of, path_of
from components._core.errors import ConfigError, NaruError, UnavailableError
from components._core.store.google_cloud import CREDENTIALS as GOOGLE_KEY_FILE
from components.deploy.targets.seldon.objects import KIND, VERSION
from pipelines.cluster.api_server_addresses import with_api_server
from pipelines.cluster.cloud_identity import has_identity
from pipelines.cluster.overlay import secrets_of
from pipelines.cluster.secret_rotation import read_secret, rotated_keys, with_keys
from pipelines.cluster.store_keys import READER, bundled_secrets, settings_of
from pipelines.stage_secrets import CREDENTIALS, GOOGLE_KEY, GOOGLE_SECRET, SECRET, is_google

Action = Literal["create", "change", "keep", "leave", "remove"]

_DATABASE = "naru-mlflow"
_NEVER_PRUNED = ("Secret", "PersistentVolumeClaim", "Pod")  # not removed when an overlay no longer names them
_SERVER_FIELDS = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Change:
    """A planned change of one object.

    Attributes:
        action: What is done; `leave` does nothing, although the object differs: Naru did not make it.
        object: The desired object; the live one when it is removed.
        fields: Dotted paths that change.
    """

    action: Action
    object: Object
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        message = f": {', '.join(self.fields)}" if self.fields else ""
        return f"{self.action:<7}{name_of(self.object)}{message}"


def plan(cluster: Cluster, desired: list[Object]) -> list[Change]:
    """List what `deploy` would do, unchanged objects included; changes nothing.

    Raises:
        ConfigError: When there is a kind that Naru cannot remove, when a namespace or a Secret that Naru does not make
            is missing, or when a namespace would be removed in which models are served.
        UnavailableError: While one of the namespaces is being deleted.
    """
    _check_kinds(desired)
    desired = with_api_server(cluster, desired)
    everything = [*desired, *_missing_secrets(cluster, desired)]
    _check_namespaces(cluster, everything)
    changes = [*(_plan_object(cluster, one) for one in everything), *_rotated_secrets(cluster, desired)]
    named = {path_of(one) for one in everything}
    unnamed = [one for one in find_ours(cluster) if path_of(one) not in named]
    _check_served_models(cluster, unnamed, where="deploy")
    removed = [Change("remove", one) for one in unnamed]
    return sorted(changes, key=lambda change: _rank(change.object)) + removed


def deploy(cluster: Cluster, changes: list[Change]) -> None:
    """Apply the planned changes.

    Raises:
        NaruError: When the cluster refused a change; the message has the number of changes made before it.
    """
    due = [change for change in changes if change.action not in ("keep", "leave")]
    for done, change in enumerate(due):
        try:
            cluster.delete(change.object) if change.action == "remove" else cluster.apply(change.object)
        except NaruError as error:
            message = f"{error.message}; {done} of {len(due)} changes were made before it"
            raise type(error)(message, where=name_of(change.object), remedy=error.remedy) from None


def undeploy(cluster: Cluster, *, with_data: bool) -> list[Object]:
    """Remove every object that Naru deployed, namespaces last; returns the removed objects.

    Raises:
        ConfigError: When there are volumes and `with_data` is not set, or models are served in one of Naru's namespaces.
    """
    volumes = cluster.list_all("v1", "PersistentVolumeClaim")
    if volumes and not with_data:
        names = ", ".join(name_of(one) for one in volumes)
        remedy = "save what you need, then: make undeploy DATA=delete"
        raise ConfigError(f"these hold data and would be lost: {names}", where="undeploy", remedy=remedy)
    kept = [one for one in cluster.list_all("v1", "Secret") if _is_applied_by_us(one)]
    applied = find_ours(cluster)
    _check_served_models(cluster, applied, where="undeploy")
    ours = sorted([*applied, *kept], key=lambda one: _rank(one), reverse=True)
    for one in [*ours, *volumes]:
        cluster.delete(one)
    return [*ours, *volumes]


def find_ours(cluster: Cluster) -> list[Object]:
    """List the live objects that Naru applied, without Secrets and data."""
    listed = [
        one for version, kind in KINDS if kind not in _NEVER_PRUNED for one in cluster.list_all(version, kind, LABEL)
    ]
    return [one for one in listed if _is_applied_by_us(one)]


def _plan_object(cluster: Cluster, desired: Object) -> Change:
    live = cluster.get(desired)
    if live is None:
        return Change("create", desired)
    changed = differences(_without_server_fields(live), _without_server_fields(cluster.apply(desired, dry_run=True)))
    return Change("change" if changed else "keep", desired, tuple(changed))


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """List the dotted paths in which two objects differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [
            found for key in keys for found in differences(one.get(key), other.get(key), f"{place}.{key}".strip("."))
        ]
    return [] if one == other else [place]


def _without_server_fields(one: Object) -> Object:
    bare = copy.deepcopy(one)
    bare.pop("status", None)
    for name in _SERVER_FIELDS:
        bare["metadata"].pop(name, None)
    return bare


def _rank(one: Object) -> int:
    return list(KINDS).index((one["apiVersion"], one["kind"]))


def _is_applied_by_us(one: Object) -> bool:
    return any(field.get("manager") == MANAGER for field in one["metadata"].get("managedFields", []))


def _check_kinds(desired: list[Object]) -> None:
    for one in desired:
        if (one["apiVersion"], one["kind"]) not in KINDS:
            message = f"{one['apiVersion']} {one['kind']} is not a kind that Naru deploys"
            remedy = "apply it yourself; `make deploy` only touches kinds that it can also remove"
            raise ConfigError(message, where=name_of(one), remedy=remedy)


def _check_namespaces(cluster: Cluster, desired: list[Object]) -> None:
    made = {one["metadata"]["name"] for one in desired if one["kind"] == "Namespace"}
    for name in sorted(({one["metadata"].get("namespace") or "" for one in desired} | made) - {""}):
        live = cluster.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        if live is not None and "deletionTimestamp" in live["metadata"]:
            remedy = f"run this again once it is gone: kubectl wait --for=delete namespace/{name} --timeout=5m"
            raise UnavailableError("the namespace is being deleted, with everything in it", where=name, remedy=remedy)
        if live is None and name not in made:
            remedy = (
                "install Kubeflow Pipelines first, or name another namespace for the runs in the overlay's transformer"
            )
            raise ConfigError("there is no such namespace, and Naru does not create it", where=name, remedy=remedy)


def _check_served_models(cluster: Cluster, removed: list[Object], where: str) -> None:
    """Refuse to remove a namespace in which a rollout's servers answer requests: they would be removed with it."""
    spaces = {one["metadata"]["name"] for one in removed if one["kind"] == "Namespace"}
    served = cluster.list_all(VERSION, KIND, "") if spaces else []
    if names := [name_of(one) for one in served if one["metadata"]["namespace"] in spaces]:
        remedy = (
            "delete them first: kubectl delete seldondeployment NAME --namespace NAMESPACE; or keep components/serving"
        )
        raise ConfigError(f"these serve requests and would be removed: {', '.join(names)}", where=where, remedy=remedy)


def _rotated_secrets(cluster: Cluster, desired: list[Object]) -> list[Change]:
    """Plan the update of the store's Secrets that differ from the environment; Secrets that others made are left alone."""
    given = {key: os.environ.get(key, "") for key in CREDENTIALS}
    changes = []
    for space in sorted({space for space, name in _read_secrets(desired) if name == SECRET}):
        live = read_secret(cluster, space, SECRET)
        if live is None or not (keys := rotated_keys(live, given)):
            continue
        fields = tuple(f"data.{key}" for key in keys)
        if _is_applied_by_us(live):
            changes.append(Change("change", with_keys(live, given, keys), fields))
        else:
            command = f"kubectl delete secret {SECRET} --namespace {space}, then deploy again"
            message = f"differs from the environment, and was not made by deploy: change it yourself, or {command}"
            changes.append(Change("leave", live, (*fields[:-1], f"{fields[-1]} {message}")))
    return changes


def _read_secrets(desired: list[Object]) -> list[tuple[str, str]]:
    """List namespace and name of the Secrets that are read; the stages read theirs in every namespace with settings.

    Stages with a cloud identity read none.
    """
    name = GOOGLE_SECRET if is_google(settings_of(desired).get("NARU_STORE", "")) else SECRET
    spaces = {one["metadata"]["namespace"] for one in desired if one["kind"] == "ConfigMap"}
    runs = set() if has_identity(desired) else {(space, name) for space in spaces}
    return sorted(secrets_of(desired) | runs)


def _missing_secrets(cluster: Cluster, desired: list[Object]) -> list[Object]:
    """Make the missing Secrets that are read: from the environment, or with new keys for the bundled store."""
    made = bundled_secrets(cluster, desired)
    read = sorted({*_read_secrets(desired), *made})
    missing = [(space, name) for space, name in read if cluster.get(_secret(space, name, {})) is None]
    return [_secret(space, name, made.get((space, name)) or _secret_content(space, name)) for space, name in missing]


def _secret_content(space: str, name: str) -> dict[str, str]:
    if name == _DATABASE:
        password = secrets.token_urlsafe(24)
        return {"password": password, "uri": f"postgresql+psycopg2://mlflow:{password}@naru-database:5432/mlflow"}
    if name == GOOGLE_SECRET:
        return {GOOGLE_KEY: _read_google_key(f"Secret {space}/{name}")}
    values = {key: os.environ.get(key, "") for key in CREDENTIALS}
    if name != SECRET or not all(values.values()):
        message = "is read by a pod and does not exist" + (
            f"; {' and '.join(CREDENTIALS)} are not set" if name == SECRET else ""
        )
        remedy = "set the store's credentials, or make the Secret yourself"
        if name == READER:
            remedy = (
                f"make it, with the keys {' and '.join(CREDENTIALS)} of an account that may read the store and no more"
            )
        raise ConfigError(message, where=f"Secret {space}/{name}", remedy=remedy)
    return values


def _read_google_key(where: str) -> str:
    file = os.environ.get(GOOGLE_KEY_FILE, "")
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        found = f"found {file!r}: {error.strerror}" if file else "it is not set"
        message = f"does not exist, and {GOOGLE_KEY_FILE} names no file to make it from: {found}"
        remedy = "name a service account's key, make the Secret yourself, or use Workload Identity (overlays/gke)"
        raise ConfigError(message, where=where, remedy=remedy) from None


def _secret(space: str, name: str, content: dict[str, str]) -> Object:
    label, _, value = LABEL.partition("=")
    metadata = {"name": name, "namespace": space, "labels": {label: value}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}
