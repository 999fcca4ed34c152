"""The deployment ledger: append-only, one small JSON object per deployment in the object store; the last good one is the champion.

    <store>/<project>/deployments/000001.json

Any stage can ask who the champion is with no registry client and no server; MLflow's `champion` alias mirrors it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import fsspec


@dataclass(frozen=True)
class Deployment:
    """One line of the ledger.

    Attributes:
        version: The version in the model registry.
        model: URI of the model artifact's folder.
        statistics: URI of the statistics of the data it was trained on.
        schema: URI of the schema it was trained with.
        metrics: Its metrics when it was deployed.
        fingerprint: Of the examples it was trained on.
        run: The run that made it.
        at: When, as ISO 8601 with the zone.
        by: Who or what deployed it.
        why: The cause, in a sentence.
    """

    version: str
    model: str
    statistics: str
    schema: str
    metrics: dict[str, float]
    fingerprint: str
    run: str
    at: str
    by: str
    why: str


def _folder(store: str, project: str) -> str:
    return f"{store.rstrip('/')}/{project}/deployments"


def read_deployments(store: str, project: str) -> list[Deployment]:
    """All deployments of a project, oldest first; none when there was none."""
    filesystem, root = fsspec.core.url_to_fs(_folder(store, project))
    if not filesystem.exists(root):
        return []
    names = sorted(name for name in filesystem.ls(root, detail=False) if str(name).endswith(".json"))
    return [Deployment(**_read(filesystem, name)) for name in names]


def current_champion(store: str, project: str) -> Deployment | None:
    """The deployment in force: the last of the ledger; None before the first."""
    deployments = read_deployments(store, project)
    return deployments[-1] if deployments else None


def append_deployment(store: str, project: str, deployment: Deployment) -> str:
    """Add a line to the ledger under the next number; returns its URI. A number is never written twice.

    On a folder the line is written aside and linked into place, which fails when another writer was first; the next
    number is tried then.
    """
    import os
    import tempfile
    from pathlib import Path

    filesystem, root = fsspec.core.url_to_fs(_folder(store, project))
    filesystem.makedirs(root, exist_ok=True)
    text = json.dumps(asdict(deployment), indent=2, sort_keys=True) + "\n"
    number = len(read_deployments(store, project)) + 1
    if "file" not in filesystem.protocol:
        name = f"{root}/{number:06d}.json"
        filesystem.pipe_file(name, text.encode())
        return str(filesystem.unstrip_protocol(name))
    with tempfile.NamedTemporaryFile("w", dir=root, prefix=".", delete=False, encoding="utf-8") as aside:
        aside.write(text)
        aside.flush()
        os.fsync(aside.fileno())
    try:
        while True:
            target = Path(root) / f"{number:06d}.json"
            try:
                os.link(aside.name, target)
                return str(target)
            except FileExistsError:
                number += 1
    finally:
        Path(aside.name).unlink()


def _read(filesystem: Any, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(filesystem.cat_file(name))
    return value
