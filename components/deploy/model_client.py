"""A client of the model server: sends requests over one persistent connection, reads outputs from the answers."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from components._core.errors import ServiceError
from components._core.types.oip_paths import infer_path
from components._core.types.oip_requests import output_array

_SECONDS = 60.0
NO_ANSWER = (OSError, http.client.HTTPException)
"""Errors raised where no server answers, or the answer is not HTTP."""


@dataclass(frozen=True)
class Answer:
    """An answer of a model server.

    Attributes:
        status: The HTTP status.
        body: The parsed JSON body.
        seconds: Time from the first byte sent to the last received.
    """

    status: int
    body: dict[str, Any]
    seconds: float


class InferenceClient(Protocol):
    """A client that sends requests to one model."""

    def infer(self, request: dict[str, Any]) -> Answer:
        """Send a request.

        Raises:
            ServiceError: When there is no answer.
        """
        ...


def get(host: str, port: int, path: str, seconds: float) -> tuple[int, bytes]:
    """Send one GET on a new connection; return status and body.

    Args:
        host: The server's host.
        port: The server's port.
        path: The path.
        seconds: Timeout of the answer.

    Raises:
        OSError: When there is no answer; it may be an `http.client.HTTPException` instead: both are in `NO_ANSWER`.
    """
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def to_outputs(body: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Read the outputs of a V2 answer by name, in their shapes."""
    return {output["name"]: output_array(output) for output in body["outputs"]}


class Client:
    """Sends requests to one model over one connection."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        self._path = infer_path(name)

    def infer(self, request: dict[str, Any]) -> Answer:
        """Send a request.

        Raises:
            ServiceError: When there is no answer, or it is not JSON.
        """
        content = json.dumps(request)
        try:
            try:
                return self._send(content)
            except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
                self._connection.close()  # the server closed it as idle: the retry opens a new one
                return self._send(content)
        except (*NO_ANSWER, ValueError) as error:
            raise ServiceError(f"the model server gave no answer: {error}", where=self._path) from error

    def _send(self, content: str) -> Answer:
        started = time.perf_counter()
        self._connection.request("POST", self._path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        body = response.read()
        return Answer(response.status, json.loads(body), time.perf_counter() - started)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
