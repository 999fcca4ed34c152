"""Secrets whose content was rotated: whether the environment holds another one than the cluster, and which pods still hold the old.

A pod reads a Secret into its variables once, when it starts. Nothing here is ever shown: keys are named, values are not.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime

from components._cluster.kubernetes_client import Cluster, Object, name_of
from components._core.errors import NaruError, UnavailableError
from pipelines.cluster.overlay import secrets_in

_OURS = "naru-"
"""What the names of our Secrets begin with."""


def read_secret(cluster: Cluster, space: str, name: str) -> Object | None:
    """A Secret as it is there; None: there is none."""
    named = {"apiVersion": "v1", "kind": "Secret"}
    live = cluster.get({**named, "metadata": {"name": name, "namespace": space}})
    return None if live is None else {**live, **named}


def rotated_keys(live: Object, given: Mapping[str, str]) -> list[str]:
    """Keys of which the environment has a value, and the Secret another one or none."""
    held = content_of(live)
    return [key for key, value in given.items() if value and held.get(key) != value]


def with_keys(live: Object, given: Mapping[str, str], keys: list[str]) -> Object:
    """The Secret with these keys as the environment has them, and the others as they are; as it is to be applied."""
    content = {**content_of(live), **{key: given[key] for key in keys}}
    metadata = {name: live["metadata"][name] for name in ("name", "namespace", "labels") if name in live["metadata"]}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def tell_outdated(cluster: Cluster, own: set[str], others: set[str]) -> list[str]:
    """A line for each running pod that has a Secret's content of before its last change in its variables.

    Args:
        cluster: The cluster.
        own: Namespaces of ours, in which every pod is looked at.
        others: Those in which others live too: there only pods that read a Secret of ours.
    """
    lines: list[str] = []
    for space in sorted(own | others):
        try:
            lines += _outdated_in(cluster, space, "" if space in own else _OURS)
        except UnavailableError:
            raise
        except NaruError as error:  # whoever may not read Secrets is told that nobody looked
            lines.append(f"unknown  which pods of {space} hold a Secret of before its last change: {error.message}")
    return lines


def _outdated_in(cluster: Cluster, space: str, prefix: str) -> Iterator[str]:
    changed: dict[str, datetime | None] = {}
    for pod in cluster.list_in(space, "v1", "Pod"):
        if pod.get("status", {}).get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
            continue
        for name in sorted({name for name in secrets_in(pod.get("spec", {})) if name.startswith(prefix)}):
            if name not in changed:
                changed[name] = _last_change(read_secret(cluster, space, name))
            moment, started = changed[name], _started(pod)
            if moment and started and started < moment:
                remedy = f"kubectl delete pod {pod['metadata']['name']} --namespace {space} starts it with the new one"
                message = f"holds Secret {name} as it was before {moment:%Y-%m-%d %H:%M:%S} UTC"
                yield f"old      {name_of(pod)} {message}: {remedy}"


def content_of(live: Object) -> dict[str, str]:
    """What a Secret holds, by key, as text."""
    decoded = {
        key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (live.get("data") or {}).items()
    }
    return {**decoded, **(live.get("stringData") or {})}


def _last_change(secret: Object | None) -> datetime | None:
    """When a Secret's fields were last written, by whomever."""
    metadata = (secret or {}).get("metadata", {})
    times = [field.get("time") for field in metadata.get("managedFields", [])] + [metadata.get("creationTimestamp")]
    return max((datetime.fromisoformat(str(time).replace("Z", "+00:00")) for time in times if time), default=None)


def _started(pod: Object) -> datetime | None:
    """When the first of its containers started; the containers that did so later have what was there then."""
    status = pod.get("status", {})
    running = [one.get("state", {}).get("running", {}).get("startedAt") for one in status.get("containerStatuses", [])]
    time = min((str(one) for one in running if one), default=status.get("startTime"))
    return datetime.fromisoformat(str(time).replace("Z", "+00:00")) if time else None
