"""Errors for an input that KFP's store has lost: which artifact, where it was, which stage made it, how to recompute it.

KFP brings an artifact into a pod file by file, below a path that is its URI: `/s3/bucket/...` is `s3://bucket/...`. A
file that the store has lost shows as a missing file under a path that means nothing to a person; and a run that is
started again takes the same artifact from KFP's cache, by its name.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from components._core.errors import NaruError, ServiceError

_PATH = re.compile(r"/(s3|minio|gcs)/[^\s'\",:;)\]]+")
_SCHEMES = {"s3": "s3", "minio": "minio", "gcs": "gs"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_ASIDE = ".partial"
_COMMAND = "naru submit PROJECT --no-cache"


def explain_lost(error: BaseException) -> NaruError | None:
    """Return the error for a lost artifact if an error is about a missing file of one; None otherwise.

    Args:
        error: Any error; its text and its `where` or `filename` are searched.
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
        return None
    text = f"{error} {getattr(error, 'where', '')} {getattr(error, 'filename', '')}"
    paths = [
        match[0] for match in _PATH.finditer(text) if _ASIDE not in match[0]
    ]  # outputs of the stage itself are not lost
    path = next((path for path in paths if not Path(path).exists()), "")
    if not path:
        return None
    kind, _, rest = path.lstrip("/").partition("/")
    artifact, stage = _made_by(rest)
    said = f"the artifact {artifact!r}" + (f" of the stage {stage}" if stage else "")
    remedy = f"restore it, or recompute it: {_COMMAND}. With the cache, a restarted run gets the same lost artifact"
    message = f"{said} is no longer in the store: {Path(path).name} is missing"
    return ServiceError(message, where=f"{_SCHEMES[kind]}://{rest}", remedy=remedy)


def _made_by(path: str) -> tuple[str, str]:
    """Return the artifact's name and the stage that made it: `PIPELINE/RUN/transform/UUID/transformed/train.parquet`, the UUID is optional."""
    parts = path.split("/")
    run = next((number for number, part in enumerate(parts) if _UUID.fullmatch(part)), len(parts))
    stage, *below = [part for part in parts[run + 1 :] if not _UUID.fullmatch(part)] or [""]
    return (below or parts[-2:])[0], stage
