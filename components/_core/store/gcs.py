"""Google Cloud Storage as a file system, over Google's client, with only the operations that the store, the ledger and the sources need.

`google_cloud.py` says where the credentials come from. `STORAGE_EMULATOR_HOST` names another server of the same interface,
which is used without credentials.

A missing object or folder is a `FileNotFoundError`, as in fsspec; every other failure is a `NaruError`, so that an
unreachable server never looks like an empty store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components._core.errors import ConfigError, ServiceError, first_line
from components._core.extras import check_extra
from components._core.store.google_cloud import google_credentials, quiet_imports, translated_errors
from components._core.store.object_file_system import ObjectFileSystem

EMULATOR = "STORAGE_EMULATOR_HOST"
_GCS = "https://storage.googleapis.com"
_TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and to wait for the next bytes of a response."""
_RETRY_SECONDS = 20.0
"""How long a request that fails in passing (5xx, 429, no connection) is repeated."""
_FIRST_PAUSE = 0.5
"""Most seconds before the first repetition; each later pause is longer."""
_LISTED = "items(name,size,updated,generation),prefixes,nextPageToken"


class GcsFileSystem(ObjectFileSystem):
    """The objects of Google Cloud Storage that the environment's credentials reach, as files and folders."""

    protocol = "gs"

    def __init__(self) -> None:
        super().__init__()
        self._endpoint = os.environ.get(EMULATOR) or _GCS
        self._client = _client(self._endpoint)
        self._options = {"timeout": _TIMEOUT, "retry": _retry()}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder, as fsspec does; a file is its own listing.

        Raises:
            FileNotFoundError: When neither exists.
        """
        bucket, key = self._split(path)
        found = self._list(bucket, f"{key}/" if key else "")
        if not found and key:
            found = [self.info(path)]
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size and type, and a file's generation, which changes with each write.

        Raises:
            FileNotFoundError: When neither file nor folder exists.
        """
        bucket, key = self._split(path)
        if not key:
            return self._folder(path)
        with self._errors(path):
            found = self._client.bucket(bucket).get_blob(key, **self._options)
        return self._folder(path) if found is None else _described(bucket, found)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        if start or end is not None:
            return bytes(super().cat_file(path, start, end))
        with self._errors(path):
            return bytes(self._blob(path).download_as_bytes(**self._options))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write an object atomically; with `mode="create"` only if it does not exist (generation 0), which the server checks.

        Raises:
            FileExistsError: When it must be new and exists.
        """
        condition = {"if_generation_match": 0} if mode == "create" else {}
        with self._errors(path):
            self._blob(path).upload_from_string(value, "application/octet-stream", **condition, **self._options)

    def put_file(self, lpath: str, rpath: str, *_: Any, **__: Any) -> None:
        with self._errors(rpath):
            self._blob(rpath).upload_from_filename(lpath, checksum="auto", **self._options)

    def rm_file(self, path: str) -> None:
        with self._errors(path):
            self._blob(path).delete(**self._options)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Read the bytes of an object from `start` up to `end`."""
        if end <= start:
            return b""
        with self._errors(path):
            return bytes(self._blob(path).download_as_bytes(start=start, end=end - 1, **self._options))

    def _blob(self, path: str) -> Any:
        bucket, key = self._split(path)
        return self._client.bucket(bucket).blob(key)

    def _list(self, bucket: str, prefix: str, most: int | None = None) -> list[dict[str, Any]]:
        """List what is directly below a prefix; a bucket that is not there is an error."""
        with self._errors(f"{bucket}/{prefix}", is_listing=True):
            pages = self._client.list_blobs(
                bucket, prefix=prefix, delimiter="/", max_results=most, fields=_LISTED, **self._options
            )
            files = [_described(bucket, blob) for blob in pages if blob.name != prefix]
        folders = [{"name": f"{bucket}/{name}".rstrip("/"), "size": 0, "type": "directory"} for name in pages.prefixes]
        return sorted([*files, *folders], key=lambda entry: str(entry["name"]))

    def _folder(self, path: str) -> dict[str, Any]:
        bucket, key = self._split(path)
        if not self._list(bucket, f"{key}/" if key else "", most=1):
            raise FileNotFoundError(path)
        return {"name": path, "size": 0, "type": "directory"}

    @contextmanager
    def _errors(self, path: str, *, is_listing: bool = False) -> Iterator[None]:
        """Translate the client's errors into FileNotFoundError, FileExistsError or a NaruError."""
        from google.api_core.exceptions import GoogleAPIError

        where = f"gs://{path}" + (f" at {self._endpoint} ({EMULATOR})" if self._endpoint != _GCS else "")
        try:
            with translated_errors("Google Cloud Storage", where):
                yield
        except GoogleAPIError as error:
            raise self._translated(error, path, where, is_listing) from error
        except ValueError as error:  # raised for names that GCS does not allow
            raise ConfigError(str(error), where=where, remedy="name it as gs://bucket/object") from error

    def _translated(self, error: Any, path: str, where: str, is_listing: bool) -> Exception:
        if error.code == 404 and not is_listing:
            self._list(self._split(path)[0], "", most=1)  # raises when it is the bucket that is not there
            return FileNotFoundError(path)
        if error.code == 404:
            return ServiceError("there is no such bucket", where=where, remedy="create it, or name another one")
        if error.code == 412:
            return FileExistsError(path)
        remedy = "check the bucket and the name, then run again"
        return ServiceError(f"Google Cloud Storage failed: {first_line(error)}", where=where, remedy=remedy)


def _client(endpoint: str) -> Any:
    check_extra("gcs", ["google.cloud.storage"], "a gs:// address", "gs://")
    with quiet_imports():
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

    if endpoint == _GCS:
        return Client(project="none", credentials=google_credentials()[0])  # objects need no project
    if not endpoint.startswith(("http://", "https://")):
        allowed = "https://host or http://host:port"
        raise ConfigError(f"found {endpoint!r}; allowed: {allowed}", where=f"environment variable {EMULATOR}")
    return Client(project="none", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint})


def _retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(initial=_FIRST_PAUSE).with_timeout(_RETRY_SECONDS)


def _described(bucket: str, blob: Any) -> dict[str, Any]:
    changed = blob.updated.timestamp() if blob.updated else None
    name = f"{bucket}/{blob.name}"
    return {"name": name, "size": blob.size, "type": "file", "generation": blob.generation, "mtime": changed}
