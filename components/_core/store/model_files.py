"""Single files of a deployed version's model, read from the store and held against what was registered."""

from __future__ import annotations

from components._core.store.file_digests import check_content
from components._core.store.ledger import Deployment
from components._core.store.object_store import read_bytes


def read_model_file(line: Deployment, name: str) -> bytes | None:
    """Read a file of a version's model; None when there is none.

    Args:
        line: The version's line of the deployment ledger.
        name: The file's name in the model's folder.

    Raises:
        ModelError: When it is not the registered one.
        UnavailableError: When the store does not answer.
    """
    uri = f"{line.model.rstrip('/')}/{name}"
    content = read_bytes(uri)
    if content is not None and line.registration_sha256:
        check_content(content, uri, line.model.rstrip("/"), line.registration_sha256)
    return content
