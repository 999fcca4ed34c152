"""An input that KFP's store has lost: which artifact it is, where it lay, which stage made it, and what computes it again.

KFP brings an artifact into a pod file by file, below a path that is its URI: `/s3/bucket/...` is `s3://bucket/...`. A file that
the store has lost shows as one that is not there, under a path that says nothing to whoever reads it; and a run that is started
again takes the same artifact from KFP's cache, by its name.
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
    """What an error comes from, where it speaks of a file of an artifact that is not there; None: of none.

    Args:
        error: Of whatever kind; what it says and its `where` or `filename` are looked at.
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
        return None
    text = f"{error} {getattr(error, 'where', '')} {getattr(error, 'filename', '')}"
    paths = [match[0] for match in _PATH.finditer(text) if _ASIDE not in match[0]]  # what a stage writes is not lost
    path = next((path for path in paths if not Path(path).exists()), "")
    if not path:
        return None
    kind, _, rest = path.lstrip("/").partition("/")
    artifact, stage = _made_by(rest)
    said = f"the artifact {artifact!r}" + (f" of the stage {stage}" if stage else "")
    remedy = (
        f"restore it, or have it computed again: {_COMMAND}. Started again with the cache, a run would be given the same lost "
        "artifact"
    )
    message = f"{said} is no longer in the store: {Path(path).name} is not there"
    return ServiceError(message, where=f"{_SCHEMES[kind]}://{rest}", remedy=remedy)


def _made_by(path: str) -> tuple[str, str]:
    """The artifact's name and the stage that made it: `PIPELINE/RUN/transform/UUID/transformed/train.parquet`, the second UUID not always."""
    parts = path.split("/")
    run = next((number for number, part in enumerate(parts) if _UUID.fullmatch(part)), len(parts))
    stage, *below = [part for part in parts[run + 1 :] if not _UUID.fullmatch(part)] or [""]
    return (below or parts[-2:])[0], stage
