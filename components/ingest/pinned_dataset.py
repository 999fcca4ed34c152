"""Hold what was read against the dataset that the project is pinned to (`data.pin`)."""

from __future__ import annotations

from components._core.checks import Check
from components._core.errors import DataError, ServiceError
from components._core.examples.artifact import Manifest
from components._core.examples.registered_manifest import fetch_manifest
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.ledger import read_deployments
from components._core.suggestions import listed

_REMEDY = (
    "restore the source (`naru data verify` names the files), or take the new data with `naru data pin PROJECT last` after a run "
    "without data.pin"
)


def check_pin(project: Project, manifest: Manifest) -> list[Check]:
    """Report that the pinned dataset was read; nothing for a project without `data.pin`.

    Args:
        project: The project.
        manifest: Manifest of the examples that were made.

    Raises:
        DataError: When the source gave another dataset, with what differs where the store has the pinned one's manifest.
    """
    pin = project.data.pin
    if not pin:
        return []
    if manifest.fingerprint.startswith(pin):
        return [Check("pinned dataset", "pass", n=sum(manifest.rows.values()), reason=f"read as pinned: {pin}")]
    pinned = _find_pinned(project)
    differences = (
        _compare(pinned, manifest) if pinned else "the store has no version with that one's manifest to compare with"
    )
    message = f"the source gives the dataset {manifest.fingerprint[: len(pin)]}, and {pin} is pinned: {differences}"
    raise DataError(message, where="data.pin", remedy=_REMEDY)


def _find_pinned(project: Project) -> Manifest | None:
    """Find the manifest of the pinned dataset beside the versions of the ledger; None also where the store does not answer."""
    try:
        for deployment in reversed(read_deployments(Settings.from_environment().store, project.name)):
            if (
                deployment.fingerprint.startswith(project.data.pin)
                and (found := fetch_manifest(deployment)) is not None
            ):
                return found
    except ServiceError:  # what matters is that the source is another one
        return None
    return None


def _compare(pinned: Manifest, read: Manifest) -> str:
    """Say what differs between two datasets, the files first."""
    before, after = _digests(pinned), _digests(read)
    changed = [key[-1] for key, digest in after.items() if before.get(key, digest) != digest]
    new = [key[-1] for key in after if key not in before]
    gone = [key[-1] for key in before if key not in after]
    words = [
        f"{word} {listed(paths)}" for word, paths in (("changed", changed), ("new", new), ("missing", gone)) if paths
    ]
    if new and not changed and not gone and pinned.spans != read.spans:
        words.append(f"data.spans: {pinned.format_spans()} reads the pinned spans alone")
    return "; ".join(words) or "the files are the same, and settings under data or the label differ"


def _digests(manifest: Manifest) -> dict[tuple[str, int, str], str]:
    """Return the digest of each file by its table (empty: the source), span and path."""
    tables = {"": manifest.files, **{table.name: table.files for table in manifest.joined}}
    return {(name, file.span, file.path): file.sha256 for name, files in tables.items() for file in files}
