"""Refuses inference requests of the v2 server at overload once their head is read, without a task and a scope for each.

At twice the load that a server carries it refuses more requests than it answers, and what a refusal takes is taken from the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import orjson

from components.serve.admission import AdmissionControl
from components.serve.fast_path import Header, answer_headers

_STATUS_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class EarlyRefusals:
    """Answers the requests that will find neither a slot nor a place in the queue.

    Args:
        admission: Admission control of all requests.
        paths: Paths of inference requests; other requests go on.
    """

    def __init__(self, admission: AdmissionControl, paths: Iterable[str]) -> None:
        self._admission = admission
        self._targets = frozenset(path.encode() for path in paths)

    def refuse(self, method: bytes, target: bytes, headers: Sequence[Header]) -> bytes | None:
        """Return the answer to a request that is refused, and count it; None: the request goes on.

        Args:
            method: Its method.
            target: Its target, as it was sent.
            headers: Headers that the server adds to every answer.
        """
        if method != b"POST" or target not in self._targets:
            return None
        refusal = self._admission.refuse_early()
        if refusal is None:
            return None
        content = orjson.dumps({"error": str(refusal)})
        lines = [b"%s: %s\r\n" % header for header in (*headers, *answer_headers(refusal.status, content))]
        return b"".join([_STATUS_LINES[refusal.status], *lines, b"\r\n", content])
