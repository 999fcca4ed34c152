"""The manifest of the examples that a registered version was trained on: it lies beside its model."""

from __future__ import annotations

import json

from components._core.errors import ModelError
from components._core.examples.artifact import Manifest
from components._core.examples.samples import beside
from components._core.store.file_digests import check_content
from components._core.store.ledger import Deployment
from components._core.store.object_store import read_bytes
from components._core.types.artifact_files import MANIFEST


def fetch_manifest(deployment: Deployment) -> Manifest | None:
    """Fetch the manifest beside a version's model; None when it is missing, not the registered one, or invalid.

    Raises:
        UnavailableError: When the store does not answer.
    """
    uri = beside(deployment.model, MANIFEST)
    content = read_bytes(uri)
    if content is None:
        return None
    try:
        if deployment.registration_sha256:  # else it is of an earlier Naru; the warning was given for its model
            check_content(content, uri, uri, deployment.registration_sha256)
        return Manifest.from_json(json.loads(content))
    except (ModelError, ValueError, KeyError, TypeError, AttributeError):
        return None
