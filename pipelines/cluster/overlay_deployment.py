"""Bring a cluster to what an overlay says, tell how it is, and take everything of ours away again.

What is ours: the objects that carry `app.kubernetes.io/part-of: naru` and that were applied by us (the server records who set
a field). What others made and labelled likewise is left alone.
"""

from __future__ import annotations

import copy
import os
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from components._cluster.kubernetes_client import KINDS, LABEL, MANAGER, Cluster, Object, name_of, path_of
from components._core.errors import ConfigError, NaruError
from components.deploy.targets.seldon.objects import KIND, VERSION
from pipelines.cluster.api_server_addresses import with_api_server
from pipelines.cluster.overlay import secrets_of
from pipelines.cluster.secret_rotation import read_secret, rotated_keys, with_keys
from pipelines.cluster.store_keys import READER, bundled_secrets
from pipelines.placement import CREDENTIALS, SECRET

Action = Literal["create", "change", "keep", "leave", "remove"]

_DATABASE = "naru-mlflow"
_LEFT = ("Secret", "PersistentVolumeClaim", "Pod")  # never removed because an overlay does not name them
_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Change:
    """What becomes of one object.

    Attributes:
        action: What is done; `leave` is nothing, though it is not as wanted: it is not ours.
        object: As it is wanted; as it is there when it is to be removed.
        fields: Dotted places that change.
    """

    action: Action
    object: Object
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        message = f": {', '.join(self.fields)}" if self.fields else ""
        return f"{self.action:<7}{name_of(self.object)}{message}"


def plan(cluster: Cluster, wanted: list[Object]) -> list[Change]:
    """What `deploy` would do, kept objects included; changes nothing.

    Raises:
        ConfigError: When there is a kind that could not be removed again, when a namespace or a Secret that is not ours to make
            is missing, or when a namespace would be removed in which models are served.
    """
    _need_kinds(wanted)
    wanted = with_api_server(cluster, wanted)
    everything = [*wanted, *_missing_secrets(cluster, wanted)]
    _need_namespaces(cluster, everything)
    changes = [*(_compare(cluster, one) for one in everything), *_rotated_secrets(cluster, wanted)]
    named = {path_of(one) for one in everything}
    unnamed = [one for one in find_ours(cluster) if path_of(one) not in named]
    _spare_served(cluster, unnamed, where="deploy")
    removed = [Change("remove", one) for one in unnamed]
    return sorted(changes, key=lambda change: _rank(change.object)) + removed


def deploy(cluster: Cluster, changes: list[Change]) -> None:
    """Do what was planned.

    Raises:
        NaruError: When the cluster refused one; says how many were done before it.
    """
    due = [change for change in changes if change.action not in ("keep", "leave")]
    for done, change in enumerate(due):
        try:
            cluster.delete(change.object) if change.action == "remove" else cluster.apply(change.object)
        except NaruError as error:
            message = f"{error.message}; {done} of {len(due)} changes were made before it"
            raise type(error)(message, where=name_of(change.object), remedy=error.remedy) from None


def undeploy(cluster: Cluster, *, with_data: bool) -> list[Object]:
    """Remove everything of ours, namespaces last; returns what was removed.

    Raises:
        ConfigError: When there are volumes of ours and nobody said that they may go, or models are served in a namespace of ours.
    """
    volumes = cluster.list_all("v1", "PersistentVolumeClaim")
    if volumes and not with_data:
        names = ", ".join(name_of(one) for one in volumes)
        remedy = "save what you need, then: make undeploy DATA=delete"
        raise ConfigError(f"these hold data and would be lost: {names}", where="undeploy", remedy=remedy)
    kept = [one for one in cluster.list_all("v1", "Secret") if _is_applied_by_us(one)]
    applied = find_ours(cluster)
    _spare_served(cluster, applied, where="undeploy")
    ours = sorted([*applied, *kept], key=lambda one: _rank(one), reverse=True)
    for one in [*ours, *volumes]:
        cluster.delete(one)
    return [*ours, *volumes]


def find_ours(cluster: Cluster) -> list[Object]:
    """What we applied and still is there, but for Secrets and data."""
    listed = [one for version, kind in KINDS if kind not in _LEFT for one in cluster.list_all(version, kind, LABEL)]
    return [one for one in listed if _is_applied_by_us(one)]


def _compare(cluster: Cluster, wanted: Object) -> Change:
    live = cluster.get(wanted)
    if live is None:
        return Change("create", wanted)
    changed = differences(_bare(live), _bare(cluster.apply(wanted, dry_run=True)))
    return Change("change" if changed else "keep", wanted, tuple(changed))


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Dotted places in which two objects differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [
            found for key in keys for found in differences(one.get(key), other.get(key), f"{place}.{key}".strip("."))
        ]
    return [] if one == other else [place]


def _bare(one: Object) -> Object:
    bare = copy.deepcopy(one)
    bare.pop("status", None)
    for name in _SERVERS_OWN:
        bare["metadata"].pop(name, None)
    return bare


def _rank(one: Object) -> int:
    return list(KINDS).index((one["apiVersion"], one["kind"]))


def _is_applied_by_us(one: Object) -> bool:
    return any(field.get("manager") == MANAGER for field in one["metadata"].get("managedFields", []))


def _need_kinds(wanted: list[Object]) -> None:
    for one in wanted:
        if (one["apiVersion"], one["kind"]) not in KINDS:
            message = f"{one['apiVersion']} {one['kind']} is no kind that Naru deploys"
            remedy = "apply it yourself; `make deploy` only touches kinds that it can also remove"
            raise ConfigError(message, where=name_of(one), remedy=remedy)


def _need_namespaces(cluster: Cluster, wanted: list[Object]) -> None:
    made = {one["metadata"]["name"] for one in wanted if one["kind"] == "Namespace"}
    for name in sorted({one["metadata"].get("namespace") or "" for one in wanted} - made - {""}):
        if cluster.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) is None:
            remedy = (
                "install Kubeflow Pipelines first, or name another namespace for the runs in the overlay's transformer"
            )
            raise ConfigError("there is no such namespace, and it is not ours to make", where=name, remedy=remedy)


def _spare_served(cluster: Cluster, removed: list[Object], where: str) -> None:
    """A namespace takes along whatever is in it, and requests are answered by what a rollout left there."""
    spaces = {one["metadata"]["name"] for one in removed if one["kind"] == "Namespace"}
    served = cluster.list_all(VERSION, KIND, "") if spaces else []
    if names := [name_of(one) for one in served if one["metadata"]["namespace"] in spaces]:
        remedy = (
            "end them first: kubectl delete seldondeployment NAME --namespace NAMESPACE; or keep components/serving"
        )
        raise ConfigError(f"these answer requests and would end: {', '.join(names)}", where=where, remedy=remedy)


def _rotated_secrets(cluster: Cluster, wanted: list[Object]) -> list[Change]:
    """The store's Secrets that are there and hold other credentials than the environment; what others made is left to them."""
    given = {key: os.environ.get(key, "") for key in CREDENTIALS}
    changes = []
    for space in sorted({space for space, name in _read_secrets(wanted) if name == SECRET}):
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


def _read_secrets(wanted: list[Object]) -> list[tuple[str, str]]:
    """Namespace and name of those that are read; the stages read theirs, wherever their settings are."""
    runs = {(one["metadata"]["namespace"], SECRET) for one in wanted if one["kind"] == "ConfigMap"}
    return sorted(secrets_of(wanted) | runs)


def _missing_secrets(cluster: Cluster, wanted: list[Object]) -> list[Object]:
    """The Secrets that are read and are not there, made from the environment, or new where only the bundled store knows them."""
    made = bundled_secrets(cluster, wanted)
    read = sorted({*_read_secrets(wanted), *made})
    missing = [(space, name) for space, name in read if cluster.get(_secret(space, name, {})) is None]
    return [_secret(space, name, made.get((space, name)) or _content(space, name)) for space, name in missing]


def _content(space: str, name: str) -> dict[str, str]:
    if name == _DATABASE:
        password = secrets.token_urlsafe(24)
        return {"password": password, "uri": f"postgresql+psycopg2://mlflow:{password}@naru-database:5432/mlflow"}
    values = {key: os.environ.get(key, "") for key in CREDENTIALS}
    if name != SECRET or not all(values.values()):
        message = "is read and is not there" + (f"; {' and '.join(CREDENTIALS)} are not set" if name == SECRET else "")
        remedy = "set the store's credentials, or make the Secret yourself"
        if name == READER:
            remedy = (
                f"make it, with the keys {' and '.join(CREDENTIALS)} of an account that may read the store and no more"
            )
        raise ConfigError(message, where=f"Secret {space}/{name}", remedy=remedy)
    return values


def _secret(space: str, name: str, content: dict[str, str]) -> Object:
    label, _, value = LABEL.partition("=")
    metadata = {"name": name, "namespace": space, "labels": {label: value}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}
