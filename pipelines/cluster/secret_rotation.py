"""Rotated Secrets: whether the environment has other credentials than the cluster, and which pods still have the old ones.

A pod reads a Secret into its variables once, when it starts. Nothing here is ever shown: keys are named, values are not.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime

from components._cluster.kubernetes_client import Cluster, Object, name_of
from components._core.errors import NaruError, UnavailableError
from pipelines.cluster.overlay import secrets_in

_NAME_PREFIX = "naru-"
"""Prefix of the names of Naru's Secrets."""


def read_secret(cluster: Cluster, space: str, name: str) -> Object | None:
    """Read a Secret; None when it does not exist."""
    named = {"apiVersion": "v1", "kind": "Secret"}
    live = cluster.get({**named, "metadata": {"name": name, "namespace": space}})
    return None if live is None else {**live, **named}


def rotated_keys(live: Object, given: Mapping[str, str]) -> list[str]:
    """List the keys whose value in the environment differs from the Secret's, or is missing there."""
    held = content_of(live)
    return [key for key, value in given.items() if value and held.get(key) != value]


def with_keys(live: Object, given: Mapping[str, str], keys: list[str]) -> Object:
    """Make the Secret to apply: these keys from the environment, the others unchanged."""
    content = {**content_of(live), **{key: given[key] for key in keys}}
    metadata = {name: live["metadata"][name] for name in ("name", "namespace", "labels") if name in live["metadata"]}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def describe_outdated_pods(cluster: Cluster, own: set[str], others: set[str]) -> list[str]:
    """List running pods whose variables have a Secret's content from before its last change, a line each.

    Args:
        cluster: The cluster.
        own: Naru's namespaces, in which every pod is checked.
        others: Shared namespaces, in which only pods that read one of Naru's Secrets are checked.
    """
    lines: list[str] = []
    for space in sorted(own | others):
        try:
            lines += _outdated_pods(cluster, space, "" if space in own else _NAME_PREFIX)
        except UnavailableError:
            raise
        except NaruError as error:  # without permission to read Secrets the check is reported as not done
            lines.append(f"unknown  which pods of {space} have an outdated Secret: {error.message}")
    return lines


def _outdated_pods(cluster: Cluster, space: str, prefix: str) -> Iterator[str]:
    changed: dict[str, datetime | None] = {}
    for pod in cluster.list_in(space, "v1", "Pod"):
        if pod.get("status", {}).get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
            continue
        for name in sorted({name for name in secrets_in(pod.get("spec", {})) if name.startswith(prefix)}):
            if name not in changed:
                changed[name] = _last_change(read_secret(cluster, space, name))
            moment, started = changed[name], _start_time(pod)
            if moment and started and started < moment:
                remedy = (
                    f"kubectl delete pod {pod['metadata']['name']} --namespace {space} restarts it with the new one"
                )
                message = f"still has Secret {name} from before {moment:%Y-%m-%d %H:%M:%S} UTC"
                yield f"old      {name_of(pod)} {message}: {remedy}"


def content_of(live: Object) -> dict[str, str]:
    """Decode the content of a Secret, by key."""
    decoded = {
        key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (live.get("data") or {}).items()
    }
    return {**decoded, **(live.get("stringData") or {})}


def _last_change(secret: Object | None) -> datetime | None:
    """Return when a Secret's fields were last written, by any manager."""
    metadata = (secret or {}).get("metadata", {})
    times = [field.get("time") for field in metadata.get("managedFields", [])] + [metadata.get("creationTimestamp")]
    return max((datetime.fromisoformat(str(time).replace("Z", "+00:00")) for time in times if time), default=None)


def _start_time(pod: Object) -> datetime | None:
    """Return when the first container started; containers that started later have the content of that time."""
    status = pod.get("status", {})
    running = [one.get("state", {}).get("running", {}).get("startedAt") for one in status.get("containerStatuses", [])]
    time = min((str(one) for one in running if one), default=status.get("startTime"))
    return datetime.fromisoformat(str(time).replace("Z", "+00:00")) if time else None
