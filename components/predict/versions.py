"""The version that answers: a line of the deployment ledger, and its model, verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components._core.errors import ConfigError
from components._core.store.file_digests import digest_of_model, fetch_version
from components._core.store.ledger import CHAMPION, Deployment, find_deployment, read_deployments
from components._core.temporary_folders import temporary_folder


@dataclass(frozen=True)
class ModelVersion:
    """The version that answers.

    Attributes:
        version: Its number.
        folder: Folder of its model, verified.
        digest: SHA-256 of the list of its files; empty: it has none.
    """

    version: str
    folder: Path
    digest: str


@contextmanager
def fetched_version(store: str, project: str, version: str = CHAMPION) -> Iterator[ModelVersion]:
    """Fetch and verify the model of a version for the time of a `with` block.

    Args:
        store: URI of the store.
        project: The project's name.
        version: A version that was deployed, or `champion`.

    Raises:
        ConfigError: When there is no such version.
        ModelError: When a file of the model is not what was registered.
        ServiceError: When the model is gone from the store.
        UnavailableError: When the store does not answer.
    """
    line = _find_version(store, project, version)
    with temporary_folder("naru-predict-") as temporary:
        name = line.model.rstrip("/").rpartition("/")[2]
        folder = fetch_version(line.model, line.registration_sha256, temporary, (name,)) / name
        yield ModelVersion(line.version, folder, digest_of_model(folder))


def _find_version(store: str, project: str, version: str) -> Deployment:
    lines = read_deployments(store, project)
    if not lines:
        remedy = "train and deploy one: naru run; NARU_STORE names the store"
        raise ConfigError("has no version to predict with yet", where=project, remedy=remedy)
    return find_deployment(lines, version)
