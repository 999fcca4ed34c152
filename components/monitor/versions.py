"""The versions of a project that a log may have, each with the monitoring reference that register kept with it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from components._core.examples.samples import beside
from components._core.files import write_bytes
from components._core.monitoring.reference import MonitoringReference
from components._core.store.file_digests import check_content
from components._core.store.ledger import Deployment, read_deployments
from components._core.store.object_store import read_bytes
from components._core.store.rollout_history import Change, read_changes
from components._core.types.artifact_files import MONITORING_REFERENCE
from components._registry.mlflow_client import open_registry, registry_errors

_MOST_VERSIONS = 10


def find_champion(store: str, project: str) -> tuple[Deployment | None, dict[str, MonitoringReference]]:
    """Find the champion, and the references of the last versions that were served: champions and canaries.

    A version that register made before it kept references has none.

    Args:
        store: Root of the store.
        project: Name of the project.

    Raises:
        ConfigError: Without permission to read the store.
        DataError: When a reference is damaged.
        ModelError: When a reference is not the registered one.
        ServiceError: When the ledger or MLflow failed.
        UnavailableError: When the store does not answer.
    """
    deployments = read_deployments(store, project)
    models = {line.version: (line.model, line.registration_sha256) for line in deployments}
    changes = read_changes(store, project)
    references = {}
    served = _served(deployments, changes)
    for version in served:
        found = _read(*(models.get(version) or (_registered_model(project, version), "")))
        if found is not None:
            references[version] = found
    return (deployments[-1] if deployments else None), references


def _served(deployments: Sequence[Deployment], changes: Sequence[Change]) -> list[str]:
    """Return the versions that were served last, and in any case the champion and those that have a share now."""
    seen = [(line.at, line.version) for line in deployments]
    seen += [(change.at, version) for change in changes for version in (*change.shares, change.version)]
    last: dict[str, None] = {}
    for _, version in sorted(seen, key=lambda each: each[0]):
        last.pop(version, None)
        last[version] = None
    now = [line.version for line in deployments[-1:]] + [
        version for change in changes[-1:] for version in change.shares
    ]
    return list(dict.fromkeys([*list(last)[-_MOST_VERSIONS:], *now]))


def _read(model: str, digest: str) -> MonitoringReference | None:
    """Read the reference beside a model; None when it has none."""
    uri = beside(model, MONITORING_REFERENCE) if model else ""
    content = read_bytes(uri) if uri else None
    if content is None:
        return None
    if digest:
        check_content(content, uri, uri, digest)
    with tempfile.TemporaryDirectory(prefix="naru-monitor-") as folder:
        path = Path(folder) / MONITORING_REFERENCE
        write_bytes(path, content)
        return MonitoringReference.load(path)


def _registered_model(project: str, version: str) -> str:
    """Return the URI of a registered version's model, for a canary, which the ledger does not have; empty: there is none."""
    from mlflow.exceptions import MlflowException

    from components._core.settings import Settings

    tracking = Settings.from_environment().tracking_uri
    with registry_errors(tracking):
        try:
            return str(open_registry(tracking).get_model_version(project, version).source)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return ""
            raise
