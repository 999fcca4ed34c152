"""S3 as a file system, over MinIO's client, with only the operations that the store, the ledger and the sources need.

Endpoint and credentials come from the environment, by the names that every S3 tool knows: `AWS_ENDPOINT_URL` (empty: AWS
itself), `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_CA_BUNDLE` for a custom
CA. With no keys in the environment those of `~/.aws/credentials`, of the role of the pod's service account or of the machine's role
are used.

A missing object or folder is a `FileNotFoundError`, as in fsspec; every other failure is a `NaruError`, so that an
unreachable server never looks like an empty store.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from minio import Minio
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider
from minio.error import MinioException, S3Error

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.store.object_file_system import ObjectFileSystem

ENDPOINT = "AWS_ENDPOINT_URL"
_AWS = "https://s3.amazonaws.com"
_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - its name
"""File with which a pod takes the role of its service account (IRSA); EKS sets it."""
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_RETRIES = urllib3.Retry(total=3, backoff_factor=0.5, status_forcelist=[500, 502, 503, 504])
_CONFLICT_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
_ABSENT = frozenset({"NoSuchKey", "NoSuchObject"})
_FORBIDDEN = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})


class S3FileSystem(ObjectFileSystem):
    """The objects of the S3 that the environment names, as files and folders."""

    protocol = "s3"

    def __init__(self) -> None:
        super().__init__()
        self._endpoint = os.environ.get(ENDPOINT) or _AWS
        self._client = _client(self._endpoint)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder, as fsspec does; a file is its own listing.

        Raises:
            FileNotFoundError: When neither exists.
        """
        bucket, key = self._split(path)
        with self._errors(path):
            listed = self._client.list_objects(bucket, f"{key}/" if key else "")
            found = [_described(bucket, entry) for entry in listed if entry.object_name != f"{key}/"]
        if not found and key:
            found = [self.info(path)]
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size and type, and a file's tag, which changes with its content.

        Raises:
            FileNotFoundError: When neither file nor folder exists.
        """
        bucket, key = self._split(path)
        if not key:
            return self._folder(path)
        try:
            with self._errors(path):
                return _described(bucket, self._client.stat_object(bucket, key))
        except FileNotFoundError:
            return self._folder(path)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        if start or end is not None:
            return bytes(super().cat_file(path, start, end))
        bucket, key = self._split(path)
        with self._errors(path):
            return self._read(bucket, key)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write an object atomically; with `mode="create"` only if it does not exist, which the server checks.

        Raises:
            FileExistsError: When it must be new and exists.
        """
        bucket, key = self._split(path)
        with self._errors(path):
            if mode == "create":
                self._create(bucket, key, value)
            else:
                self._client.put_object(bucket, key, BytesIO(value), len(value))

    def _create(self, bucket: str, key: str, value: bytes) -> None:
        """Create an object, retrying on 409: another write of this name was in progress, and may have failed."""
        for pause in (*_CONFLICT_PAUSES, None):
            try:
                self._client._put_object(bucket, key, value, headers={"If-None-Match": "*"})
                return
            except S3Error as error:
                if error.code != "ConditionalRequestConflict" or pause is None:
                    raise
                time.sleep(random.uniform(0.5, 1.5) * pause)

    def put_file(self, lpath: str, rpath: str, *_: Any, **__: Any) -> None:
        bucket, key = self._split(rpath)
        with self._errors(rpath):
            self._client.fput_object(bucket, key, lpath)

    def rm_file(self, path: str) -> None:
        bucket, key = self._split(path)
        with self._errors(path):
            self._client.remove_object(bucket, key)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Read the bytes of an object from `start` up to `end`."""
        bucket, key = self._split(path)
        with self._errors(path):
            return self._read(bucket, key, start, end - start) if end > start else b""

    def _read(self, bucket: str, key: str, start: int = 0, length: int = 0) -> bytes:
        response = self._client.get_object(bucket, key, offset=start, length=length)
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    def _folder(self, path: str) -> dict[str, Any]:
        bucket, key = self._split(path)
        with self._errors(path):
            if next(self._client.list_objects(bucket, f"{key}/" if key else ""), None) is None:
                raise FileNotFoundError(path)
        return {"name": path, "size": 0, "type": "directory"}

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Translate the client's errors into FileNotFoundError, FileExistsError or a NaruError."""
        try:
            yield
        except S3Error as error:
            raise self._translated(error, path) from error
        except ValueError as error:  # raised for the client's credentials and for names that S3 does not allow
            raise ConfigError(str(error), where=f"s3://{path}", remedy=_credentials_remedy()) from error
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            message = f"the object store does not answer: {str(error)[:200]}"
            remedy = f"check {ENDPOINT} and the network, then run again"
            raise UnavailableError(message, where=self._endpoint, remedy=remedy) from error

    def _translated(self, error: S3Error, path: str) -> Exception:
        where = f"s3://{path} at {self._endpoint}"
        if error.code in _ABSENT:
            return FileNotFoundError(path)
        if error.code == "PreconditionFailed":
            return FileExistsError(path)
        if error.code == "ConditionalRequestConflict":
            return UnavailableError("other writers keep changing the same object", where=where, remedy="run again")
        if error.code == "NoSuchBucket":
            return ServiceError("there is no such bucket", where=where, remedy="create it, or name another one")
        if error.code in _FORBIDDEN:
            return ServiceError(f"S3 refuses: {error.code}", where=where, remedy=_credentials_remedy())
        remedy = "check the store, then run again; AWS_REGION must be the region that the server signs with"
        return ServiceError(f"S3 failed: {error.code}: {error.message}", where=where, remedy=remedy)


def _client(endpoint: str) -> Minio:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        allowed = "https://host or http://host:port"
        raise ConfigError(f"found {endpoint!r}; allowed: {allowed}", where=f"environment variable {ENDPOINT}")
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES, cert_reqs="CERT_REQUIRED", ca_certs=_certificates())
    providers: list[Provider] = [EnvAWSProvider(), AWSConfigProvider()]
    if endpoint == _AWS or os.environ.get(_TOKEN_FILE):  # elsewhere nobody answers who this machine is
        providers.append(IamAwsProvider(http_client=pool))
    return Minio(
        parts.netloc,
        credentials=ChainedProvider(providers),
        secure=parts.scheme == "https",
        region=_region(endpoint),
        http_client=pool,
    )


def _region(endpoint: str) -> str | None:
    """Return the region that requests are signed with; on AWS the client looks up a bucket's own, other servers get a default."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or (None if endpoint == _AWS else "us-east-1")


def _certificates() -> str:
    return os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()


def _credentials_remedy() -> str:
    if os.environ.get(_TOKEN_FILE) and not os.environ.get("AWS_ACCESS_KEY_ID"):
        return "check the role of the pod's service account (AWS_ROLE_ARN), its trust policy and its permissions"
    return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and their permissions"


def _described(bucket: str, entry: Any) -> dict[str, Any]:
    name = f"{bucket}/{entry.object_name}".rstrip("/")
    if entry.is_dir:
        return {"name": name, "size": 0, "type": "directory"}
    changed = entry.last_modified.timestamp() if entry.last_modified else None
    return {"name": name, "size": entry.size, "type": "file", "ETag": entry.etag, "mtime": changed}
