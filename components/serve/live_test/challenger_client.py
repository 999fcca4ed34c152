"""Asks the server of a version under test, in the protocol of the champion's own server, for rows that the champion has read already."""

from __future__ import annotations

import http.client
import json
import math
import select
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
_MOST_TIMEOUTS, _HANG_PAUSE_SECONDS = 3, 10.0
"""After so many waits in a row that were in vain only one request in this time tries again: each holds a slot of the champion's server."""
_MOST_BYTES = 64 << 20
_FAILURES = (OSError, http.client.HTTPException)
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


class ChallengerError(Exception):
    """The version under test did not answer.

    Args:
        code: `unreachable`, `no_answer` (the connection ended, or the time was over), `too_busy`, `refused` (by its rules), `failed`,
            `unreadable` (no JSON, an output is missing, has another number of rows, or a number is missing or infinite), or
            `other_version` (another version serves at the address).
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
        self._timeouts = 0  # in a row
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def is_down(self) -> bool:
        """Whether its connection was refused a moment ago, or it has not answered the latest requests in time."""
        return time.monotonic() < self._down_until

    def ask(self, request_id: str, columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
        """Return the outputs for some rows, by name.

        Args:
            request_id: Id of the request.
            columns: Values by feature name as the champion took them.

        Raises:
            ChallengerError: When it does not answer.
        """
        self._check_reachable()
        taken = self._taken  # another thread may forget them at any time
        if taken is None:
            taken = self._taken = self._find_taken()
        rows = max(map(len, columns.values()), default=0)
        # a feature that the champion does not take is refused by the champion
        sent = {name: values for name, values in columns.items() if name in taken and name in self._features}
        try:
            content = _dumps(
                self._write_seldon(request_id, sent) if self._is_seldon else self._write_v2(request_id, sent)
            )
        except (ValueError, TypeError):  # in an A/B test the champion has not checked the values yet
            raise ChallengerError("refused") from None
        status, body = self._send("POST", self._path, content)
        if status != 200:
            self._taken = None  # another version may have come to the address
            raise ChallengerError("too_busy" if status == 429 else "refused" if 400 <= status < 500 else "failed")
        try:
            outputs = self._read_seldon(json.loads(body)) if self._is_seldon else self._read_v2(_loads(body))
            return self._check_outputs(outputs, rows)
        except _UNREADABLE:
            raise ChallengerError("unreadable") from None

    def _check_reachable(self) -> None:
        """Raise where it is down; of the requests that come after a pause for a server that hangs the first one goes on."""
        with self._lock:
            if self.is_down:
                raise ChallengerError(UNREACHABLE)
            if self._timeouts >= _MOST_TIMEOUTS:
                self._down_until = time.monotonic() + _HANG_PAUSE_SECONDS

    def _check_outputs(self, outputs: dict[str, np.ndarray[Any, Any]], rows: int) -> dict[str, np.ndarray[Any, Any]]:
        """Return the outputs that the champion has, too; `unreadable`, or LookupError, where a client of the champion could not read them."""
        found = {name: outputs[name] for name in self._output_types}
        for name, values in found.items():
            is_text = FEATURE_TYPES[self._output_types[name]].numpy.kind == "O"
            if len(values) != rows or (values.dtype.kind == "O") != is_text:
                raise ChallengerError("unreadable")
            if not is_text and not np.isfinite(values).all():
                raise ChallengerError("unreadable")
        return found

    def _find_taken(self) -> frozenset[str]:
        """Return the features that the version takes: it may be trained without one that the champion takes."""
        status, body = self._send("GET", self._metadata_path)
        try:
            # MLServer answers with no inputs while it loads the model
            if status == 200 and (inputs := json.loads(body)["inputs"]):
                return frozenset(str(each["name"]) for each in inputs)
        except _UNREADABLE:
            pass
        self._down_until = time.monotonic() + _PAUSE_SECONDS  # it starts, or serves another model
        raise ChallengerError(UNREACHABLE)

    def _send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request, once: a server that died of it would die of it again, and one that answered too late has logged it."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and _is_closed(connection):
            self._drop(connection)
            connection = None
        if connection is None:
            connection = self._connect()
        try:
            answer = self._exchange(connection, method, path, body)
        except _FAILURES as error:
            self._drop(connection)
            self._count_timeout(error)
            raise ChallengerError("no_answer") from None
        with self._lock:
            if self._timeouts:
                self._timeouts, self._down_until = 0, 0.0
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            self._down_until = time.monotonic() + _PAUSE_SECONDS
            self._count_timeout(error)
            raise ChallengerError(UNREACHABLE) from None
        self._local.connection = connection
        return connection

    def _count_timeout(self, error: Exception) -> None:
        with self._lock:
            self._timeouts = self._timeouts + 1 if isinstance(error, TimeoutError) else 0
            if self._timeouts >= _MOST_TIMEOUTS:
                self._down_until = time.monotonic() + _HANG_PAUSE_SECONDS

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
            self._taken = None  # of the other version
            raise ChallengerError("other_version")


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Return whether the server has closed a kept connection: with no request to answer, all that can be read is its end."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


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
