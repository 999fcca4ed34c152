"""Rows of registered versions that are kept in the store, for other projects.

<store>/<project>/datasets/<fingerprint>/
    train/span-00001.parquet   as in the examples artifact
    sha256.json                digest of each file; written last, so that what has none is not complete
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, Manifest
from components._core.files import dump_json
from components._core.store.ledger import Deployment, read_deployments
from components._core.store.object_store import absolute_uri, put, read_bytes, upload
from components._core.suggestions import listed

_DIGESTS = "sha256.json"


@dataclass(frozen=True)
class KeptRows:
    """The rows of a version in the store.

    Attributes:
        uri: URI of their folder.
        fingerprint: Fingerprint of the dataset.
        digests: SHA-256 of each file by its path below the folder.
    """

    uri: str
    fingerprint: str
    digests: dict[str, str]


def keep_rows(examples: Path, store: str, project: str) -> KeptRows:
    """Copy the rows of an examples artifact to the store; files that are there already are left alone.

    Args:
        examples: The artifact.
        store: URI of the store.
        project: Name of the project.

    Raises:
        ConfigError: Without permission to write to the store.
        ServiceError: When a file arrives damaged.
        UnavailableError: When the store does not answer.
    """
    fingerprint = Manifest.load(examples).fingerprint
    uri = _folder(store, project, fingerprint)
    digests = {
        f"{split}/{name}": digest
        for split in SPLITS
        if (examples / split).is_dir()
        for name, digest in upload(examples / split, f"{uri}/{split}").items()
    }
    put(dump_json(digests).encode(), f"{uri}/{_DIGESTS}")
    return KeptRows(uri, fingerprint, digests)


def find_kept_rows(store: str, project: str, version: str) -> KeptRows:
    """Find the rows of a version in the store.

    Args:
        store: URI of the store.
        project: Name of the project that the version is of.
        version: Number of the version.

    Raises:
        DataError: When the store has no such version, or not its rows.
        UnavailableError: When the store does not answer.
    """
    where = f"naru://{project}@{version}"
    deployment = _find_version(store, project, version, where)
    uri = _folder(store, project, deployment.fingerprint)
    content = read_bytes(f"{uri}/{_DIGESTS}")
    if content is None:
        remedy = f"keep them there, on the machine of the run: naru data keep PROJECT {version}, with the folder of {project}"
        raise DataError(
            f"the store does not have the rows of version {version} of {project}", where=where, remedy=remedy
        )
    return KeptRows(uri, deployment.fingerprint, json.loads(content))


def _find_version(store: str, project: str, version: str, where: str) -> Deployment:
    deployments = read_deployments(store, project)
    found = [deployment for deployment in deployments if deployment.version == version]
    if found:
        return found[-1]
    versions = list(dict.fromkeys(deployment.version for deployment in deployments))
    message = f"the store {store} has no deployed version of {project!r}"
    remedy = "name a project whose versions are in this store (NARU_STORE)"
    if versions:
        message = f"there is no deployed version {version} of {project}; there are {listed(versions)}"
        remedy = f"name one of them, as in naru://{project}@{versions[-1]}"
    raise DataError(message, where=where, remedy=remedy)


def _folder(store: str, project: str, fingerprint: str) -> str:
    return f"{absolute_uri(store).rstrip('/')}/{project}/datasets/{fingerprint}"
