"""A file on a web server, as a file system with one file: downloaded once, verified by its length, read from there.

Each instance downloads a file once into a temporary one, so that all readers of a run see the same content. A download that is
interrupted continues where it ended, if the server still has the same content (`If-Range`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import urllib.request
import weakref
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import certifi
import urllib3
from fsspec import AbstractFileSystem

from components._core.credentials import masked_uri
from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError

_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try."""
_MOST_WAIT = 30.0
"""Longest pause that a server's Retry-After may set."""
_PART_BYTES = 1 << 16
"""Bytes read at a time, of which an interruption loses those that were not complete."""
_MOST_BYTES = 256 << 30
_KEPT_FREE = 1 << 30
"""Bytes of the temporary folder's disk that a download leaves free."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_ABSENT = frozenset({404, 410})


class HttpFileSystem(AbstractFileSystem):
    """Files by their URLs; nothing is listed."""

    protocol = ("http", "https")
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._copies: dict[str, str] = {}
        self._folder = ""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Refuse: there is no listing to find spans in."""
        remedy = "name one file, without {span}; or copy the files to a folder or bucket"
        raise ConfigError("a web server lists no files", where=masked_uri(path), remedy=remedy)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return size and type of a file, and its tag, or else its date, which change with its content.

        Raises:
            FileNotFoundError: When there is no such file.
            NaruError: When the server refuses or does not answer.
        """
        headers = self._request_until_answered("HEAD", path).headers
        tag = {"etag": headers.get("ETag")} if headers.get("ETag") else {"last-modified": headers.get("Last-Modified")}
        return {"name": path, "size": _length(headers), "type": "file", **tag}

    def exists(self, path: str, **_: Any) -> bool:
        return self.isfile(path)

    def isfile(self, path: str) -> bool:
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isdir(self, path: str) -> bool:
        return False

    def open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> BinaryIO:
        """Open a file for reading, downloading it first if this instance has not.

        Raises:
            FileNotFoundError: When there is no such file.
            DataError: When it is larger than allowed.
            NaruError: When the server refuses or does not answer.
        """
        if mode != "rb":
            raise NotImplementedError(f"mode {mode!r}: files of a web server are only read")
        if path not in self._copies:
            self._copies[path] = self._download(path)
        return Path(self._copies[path]).open("rb")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        with self.open(path) as file:
            return file.read()[start:end]

    def _download(self, path: str) -> str:
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="naru-http-")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        copy = Path(self._folder) / str(len(self._copies))
        try:
            with copy.open("wb") as file:
                _Download(self, path, file).run()
        except BaseException:
            copy.unlink()
            raise
        return str(copy)

    def _request_until_answered(self, method: str, url: str, headers: dict[str, str] | None = None) -> Any:
        """Send a request, repeating it a bounded number of times while the server fails in passing.

        Returns:
            The response, its content unread.
        """
        reason: object = ""
        for number, pause in enumerate((0.0, *_PAUSES)):
            time.sleep(pause)
            try:
                response = self.send(method, url, headers)
            except urllib3.exceptions.HTTPError as error:
                reason = error
                continue
            if response.status not in _PASSING:
                return response
            response.close()
            reason = f"HTTP {response.status}"
            if number < len(_PAUSES):
                time.sleep(_retry_after(response.headers))
        raise _unavailable(url, reason)

    def send(self, method: str, url: str, headers: dict[str, str] | None = None) -> Any:
        """Send one request, and refuse what no repetition changes.

        Raises:
            FileNotFoundError: When there is no such file.
            ServiceError: When the server refuses.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "naru", **(headers or {})}
        response = _request(method, url, sent)
        if method == "HEAD" and response.status in (400, 403, 405, 501):  # servers that answer only GET
            response = _request("GET", url, sent)
        if method == "HEAD":
            response.close()
        if url.startswith("https:") and str(response.geturl()).startswith("http:"):
            response.close()
            raise ServiceError(
                "redirects to a server without encryption", where=masked_uri(url), remedy="name it by its own URL"
            )
        if response.status in (200, 206) or response.status in _PASSING:
            return response
        response.close()
        raise _refusal(url, response.status)


class _Download:
    """A download into a file, continued after interruptions."""

    def __init__(self, files: HttpFileSystem, url: str, file: BinaryIO) -> None:
        self._files, self._url, self._file = files, url, file
        self._tag = ""
        """Strong tag or date of the content so far; empty: it cannot be continued."""
        self._most = min(_MOST_BYTES, max(shutil.disk_usage(tempfile.gettempdir()).free - _KEPT_FREE, 0))

    def run(self) -> None:
        for pause in (*_PAUSES, None):
            try:
                self._continue()
                return
            except urllib3.exceptions.HTTPError as error:
                if pause is None:
                    raise _unavailable(self._url, error) from error
            time.sleep(pause)

    def _continue(self) -> None:
        """Request what is missing, and write it."""
        had = self._file.tell() if self._tag else 0
        headers = {"Range": f"bytes={had}-", "If-Range": self._tag} if had else {}
        response = self._files._request_until_answered("GET", self._url, headers)
        try:
            if response.status != 206:
                had = 0
            self._file.seek(had)
            self._file.truncate()
            self._tag = _validator(response.headers)
            expected = _length(response.headers)
            self._check_size(had + (expected or 0))
            while part := response.read(_PART_BYTES):
                self._file.write(part)
                self._check_size(self._file.tell())
        finally:
            response.close()
        if expected is not None and self._file.tell() != had + expected:
            raise urllib3.exceptions.ProtocolError(f"{self._file.tell()} of {had + expected} bytes arrived")

    def _check_size(self, size: int) -> None:
        if size > self._most:
            message = f"has more than {self._most:,} bytes, which a download may have here"
            remedy = f"free some space in {tempfile.gettempdir()}, or set TMPDIR to a larger disk"
            raise DataError(message, where=masked_uri(self._url), remedy=remedy)


def _unavailable(url: str, reason: object) -> NaruError:
    message = f"the web server does not answer: {str(reason)[:200]}"
    return UnavailableError(message, where=masked_uri(url), remedy="check the address and the network, then run again")


def _refusal(url: str, status: int) -> Exception:
    if status in _ABSENT:
        return FileNotFoundError(url)
    if status in (401, 403):
        remedy = "check that the file is public; a file behind a login is read from a folder or bucket"
        return ServiceError(f"the web server refuses: HTTP {status}", where=masked_uri(url), remedy=remedy)
    return ServiceError(f"the web server answers HTTP {status}", where=masked_uri(url), remedy="check the address")


def open_pool(url: str) -> Any:
    """Open connections to the host of a URL: by the proxy of the environment, with certificates verified."""
    certificates: dict[str, Any] = {
        "cert_reqs": "CERT_REQUIRED",
        "ca_certs": os.environ.get("SSL_CERT_FILE") or certifi.where(),
    }
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **certificates)
    return urllib3.PoolManager(**certificates)


def _request(method: str, url: str, headers: dict[str, str]) -> Any:
    redirects = urllib3.Retry(total=5, connect=0, read=0, status=0, other=0, redirect=5)
    return open_pool(url).request(
        method, url, headers=headers, preload_content=False, retries=redirects, timeout=_TIMEOUT
    )


def _length(headers: Any) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _validator(headers: Any) -> str:
    """Return what `If-Range` may name: a strong tag, else the date; empty when the server has neither."""
    tag = str(headers.get("ETag") or "")
    return tag if tag and not tag.startswith("W/") else str(headers.get("Last-Modified") or "")


def _retry_after(headers: Any) -> float:
    text = str(headers.get("Retry-After") or "")
    return min(float(text), _MOST_WAIT) if text.isdigit() else 0.0
