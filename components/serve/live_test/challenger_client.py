"""Asks the server of a version under test, in the protocol of the champion's own server, for rows that the champion has read already."""

from __future__ import annotations

import http.client
import json
import math
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.oip_paths import infer_path, model_path
from components._core.types.oip_requests import output_array
from components._core.types.signature import Feature, Signature
from components._predictor.feature_values import Columns

orjson: Any
try:
    import orjson
except ImportError:  # MLServer brings it, seldon-core does not
    orjson = None

UNREACHABLE = "unreachable"
_PAUSE_SECONDS = 1.0
"""After a refused connection nobody tries again for this time: a server that starts, or is gone, costs a request nothing then."""
_MOST_BYTES = 64 << 20
_FAILURES = (OSError, http.client.HTTPException)


class ChallengerError(Exception):
    """The version under test did not answer.

    Args:
        code: `unreachable`, `no_answer` (the connection ended, or the time was over), `too_busy`, `refused` (by its rules), `failed`,
            `unreadable`, or `other_version` (another version serves at the address).
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class ChallengerClient:
    """A client of one server, with a kept connection for each thread.

    Args:
        url: Its address, as in `http://127.0.0.1:8081`.
        name: The model's name.
        version: The version that must answer.
        protocol: `v2` or `seldon`.
        signature: The champion's signature, by which values are written and answers read.
        seconds: Longest wait for an answer.
    """

    def __init__(
        self, url: str, name: str, version: str, protocol: str, signature: Signature, seconds: float = 2.0
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._version, self._seconds = version, seconds
        self._features = {feature.name: feature for feature in signature.accepted}
        self._output_types = signature.outputs
        self._is_seldon = protocol == "seldon"
        self._path = "/api/v1.0/predictions" if self._is_seldon else infer_path(name)
        self._metadata_path = "/metadata" if self._is_seldon else model_path(name)
        self._taken: frozenset[str] | None = None
        self._down_until = 0.0
        self._local = threading.local()

    @property
    def is_down(self) -> bool:
        """Whether its connection was refused a moment ago."""
        return time.monotonic() < self._down_until

    def ask(self, request_id: str, columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
        """Return the outputs for some rows, by name.

        Args:
            request_id: Id of the request.
            columns: Values by feature name as the champion took them.

        Raises:
            ChallengerError: When it does not answer.
        """
        if self.is_down:
            raise ChallengerError(UNREACHABLE)
        if self._taken is None:
            self._taken = self._find_taken()
        columns = {name: values for name, values in columns.items() if name in self._taken}
        write = self._write_seldon if self._is_seldon else self._write_v2
        status, body = self._send("POST", self._path, _dumps(write(request_id, columns)))
        if status != 200:
            raise ChallengerError("too_busy" if status == 429 else "refused" if 400 <= status < 500 else "failed")
        try:
            return self._read_seldon(json.loads(body)) if self._is_seldon else self._read_v2(_loads(body))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ChallengerError("unreadable") from None

    def _find_taken(self) -> frozenset[str]:
        """Return the features that the version takes: it may be trained without one that the champion takes."""
        status, body = self._send("GET", self._metadata_path)
        try:
            if status == 200:
                return frozenset(str(each["name"]) for each in json.loads(body)["inputs"])
        except (ValueError, LookupError, TypeError):
            pass
        self._down_until = time.monotonic() + _PAUSE_SECONDS  # it starts, or serves another model
        raise ChallengerError(UNREACHABLE)

    def _send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request; a kept connection that the server has closed meanwhile is opened again, once."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return self._exchange(connection, method, path, body)
            except TimeoutError:
                self._drop(connection)
                raise ChallengerError("no_answer") from None
            except _FAILURES:
                self._drop(connection)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            connection.close()
            self._down_until = time.monotonic() + _PAUSE_SECONDS
            raise ChallengerError(UNREACHABLE) from None
        self._local.connection = connection
        try:
            return self._exchange(connection, method, path, body)
        except _FAILURES:
            self._drop(connection)
            raise ChallengerError("no_answer") from None

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes]:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        response = connection.getresponse()
        content = response.read(_MOST_BYTES)
        if response.will_close:
            self._drop(connection)
        return response.status, content

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._local.connection = None

    def _write_v2(self, request_id: str, columns: Columns) -> dict[str, Any]:
        inputs = []
        for name, values in columns.items():
            feature = self._features[name]
            data = _plain(values, feature)
            datatype = "FP64" if feature.type.is_real else feature.type.oip  # a client's 0.1 stays 0.1
            inputs.append({"name": name, "datatype": datatype, "shape": [len(data)], "data": data})
        return {"id": request_id, "inputs": inputs}

    def _write_seldon(self, request_id: str, columns: Columns) -> dict[str, Any]:
        data = {name: _plain(values, self._features[name]) for name, values in columns.items()}
        return {"jsonData": data, "meta": {"puid": request_id}}

    def _read_v2(self, body: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        self._check_version(body.get("model_version"))
        return {str(output["name"]): output_array(output) for output in body["outputs"]}

    def _read_seldon(self, body: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        self._check_version(body["meta"]["tags"].get("model_version"))
        types = self._output_types
        return {name: np.array(values, FEATURE_TYPES[types[name]].numpy) for name, values in body["jsonData"].items()}

    def _check_version(self, found: Any) -> None:
        if (found or "") != self._version:
            raise ChallengerError("other_version")


def _plain(values: Any, feature: Feature) -> list[Any]:
    """Return values as JSON has them: a missing one as null, bytes as text, a whole number without a fraction."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [_plain_value(value, feature.type.is_whole) for value in listed]


def _plain_value(value: Any, is_whole: bool) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if is_whole and value.is_integer() else value
    return value


def _dumps(content: dict[str, Any]) -> bytes:
    if orjson:
        try:
            return bytes(orjson.dumps(content))
        except TypeError:  # an unpaired surrogate, or a number beyond 64 bits
            pass
    return json.dumps(content).encode()


def _loads(body: bytes) -> Any:
    return orjson.loads(body) if orjson else json.loads(body)
