"""The Secrets that a stage's pod reads: named in the compiled spec, never written there.

| Secret | keys | given to |
| --- | --- | --- |
| `naru-store` | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | each stage that uses a store in S3; ingest, predict, feedback, settle and watch for a source there |
| `naru-google` | `key.json`, a service account's key | each stage that uses a store in Google Cloud Storage; ingest, predict, feedback, settle and watch for a source of Google's |
| `naru-sources` | the variables of the project's connections, as in `FLIGHTS_DB` | ingest, predict, feedback, settle, watch |
| `naru-notices` | `urls`, the addresses of notices (`NARU_NOTIFY_URLS`); optional | watch |
| `naru-log` | `NARU_LOG_KEY`, as the servers have it | monitor and predict, where the request log hashes values |

Where the pods' service accounts have a cloud identity (`NARU_CREDENTIALS=identity`), only the last three are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components._core.setting_names import LOG_KEY, NOTICE_FILE, STORE
from components._core.stage.stage_spec import StageSpec
from components._core.store.google_cloud import CREDENTIALS as GOOGLE_KEY_FILE
from components._data.sources import delta
from components._data.sources.databases import bigquery
from components._data.sources.registry import connection_variables
from components.stages import FEEDBACK, INGEST, MONITOR, PREDICT, SETTLE, WATCH
from pipelines.compile_target import SECRET as KEYS

SECRET = "naru-store"  # noqa: S105 - its name
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
NOTICES_SECRET = "naru-notices"  # noqa: S105 - its name
GOOGLE_SECRET = "naru-google"  # noqa: S105 - its name
GOOGLE_KEY = "key.json"
SOURCES_SECRET = "naru-sources"  # noqa: S105 - its name
LOG_SECRET = "naru-log"  # noqa: S105 - its name

READERS = (INGEST, PREDICT, FEEDBACK, SETTLE, WATCH)
"""The stages that look at a source themselves."""

_GOOGLE_FOLDER = "/var/run/secrets/naru-google"
_NOTICES_FOLDER = "/var/run/secrets/naru-notices"
_GOOGLE = ("gs://", bigquery.SCHEME)


@dataclass(frozen=True)
class Places:
    """Where a project's stages read and write on a cluster.

    Attributes:
        store: Address of the object store.
        sources: Locations that a stage may read a table at: the project's, those of its joins and of its schedules; of feedback and settle those of the labels.
        hashes: Whether the request log hashes values, with a key.
    """

    store: str
    sources: tuple[str, ...]
    hashes: bool = False


def is_google(location: str) -> bool:
    """Return whether a source or store is opened with Google's credentials."""
    return location.removeprefix(delta.SCHEME).startswith(_GOOGLE)


def set_secrets(task: Any, stage: StageSpec, credentials: str, places: Places) -> None:
    """Give a stage's task the Secrets that it needs, and no others.

    Args:
        task: The task in KFP's graph.
        stage: The stage.
        credentials: `secret` or `identity`, as in `Target.credentials`.
        places: Where the stages read and write.
    """
    from kfp import kubernetes

    if STORE not in stage.environment:
        return
    reads = places.sources if stage in READERS else ()
    if credentials == KEYS:
        _set_keys(task, places.store, reads)
    if stage == WATCH:
        kubernetes.use_secret_as_volume(task, NOTICES_SECRET, _NOTICES_FOLDER, optional=True)
        task.set_env_variable(NOTICE_FILE, f"{_NOTICES_FOLDER}/urls")
    for name in sorted({name for location in reads for name in connection_variables(location)}):
        kubernetes.use_secret_as_env(task, SOURCES_SECRET, {name: name})
    if places.hashes and stage in (MONITOR, PREDICT):
        kubernetes.use_secret_as_env(task, LOG_SECRET, {LOG_KEY: LOG_KEY})


def _set_keys(task: Any, store: str, sources: Sequence[str]) -> None:
    from kfp import kubernetes

    if not is_google(store) or any(source.removeprefix(delta.SCHEME).startswith("s3://") for source in sources):
        kubernetes.use_secret_as_env(task, SECRET, {name: name for name in CREDENTIALS})
    if any(map(is_google, [store, *sources])):
        kubernetes.use_secret_as_volume(task, GOOGLE_SECRET, _GOOGLE_FOLDER)
        task.set_env_variable(GOOGLE_KEY_FILE, f"{_GOOGLE_FOLDER}/{GOOGLE_KEY}")
