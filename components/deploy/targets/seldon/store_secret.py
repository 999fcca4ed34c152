"""Reads the Secret with which the servers open the store."""

from __future__ import annotations

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ConfigError
from components._core.project.project_file import Project


def read_secret_keys(cluster: Cluster, project: Project, namespace: str) -> set[str] | None:
    """Read the keys of the Secret with which the servers open the store; None when none is needed.

    Raises:
        ConfigError: When there is no such Secret.
        ServiceError: When reading it is not allowed.
    """
    name = project.serve.secret
    if not name:
        return None
    found = cluster.get({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}})
    if found is None:
        remedy = "create it (docs/serving.md shows how), or name another one under serve.secret"
        raise ConfigError("there is no such Secret", where=f"Secret {namespace}/{name}", remedy=remedy)
    return set(found.get("data", {}))
