"""Collects one HTTP request as its bytes arrive, until it is complete or refused; works on bytes only and never blocks.

Only the framing is parsed here: where the head ends and how long the body is. Gunicorn gets the whole head and checks its
content; a head with ambiguous framing is passed on without a body, and gunicorn refuses it.
"""

from __future__ import annotations

import re

from components.serve.http_refusals import HttpRefusal, body_too_large
from components.serve.limits import Limits

_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNKED = re.compile(rb"(?:[ \t,]|identity)*chunked[ \t,]*")
_TRAILERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n)+")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?")
_CHUNK_LINE_BYTES = 1_024
_LENGTH_DIGITS = 15


class IncomingRequest:
    """Collects the bytes of one request.

    Args:
        limits: Bounds on head and body.
        now: Current `time.monotonic()`, for the deadlines.
        kept: Whether the connection has carried a request before, and may be idle for longer.

    Attributes:
        head: The head with its final empty line, once it is complete.
        body: The body without its framing.
        refused: Why the request is refused; None while it is not.
        complete: Whether head and body have arrived.
    """

    def __init__(self, limits: Limits, now: float, kept: bool = False) -> None:
        self.head = b""
        self.body = b""
        self.refused: HttpRefusal | None = None
        self.complete = False
        self._limits = limits
        self._since, self._kept = now, kept
        self._raw = bytearray()
        self._scanned = self._wire_bytes = 0
        self._length: int | None = None
        self._chunks: bytearray | None = None
        self._expects = False

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._raw) + len(self._chunks or b"") + len(self.body)

    @property
    def started(self) -> bool:
        """Whether anything of the request has arrived."""
        return bool(self.head or self._raw)

    def deadline(self) -> float:
        """Time by which more must have arrived."""
        if self.head:
            return self._since + self._limits.body_seconds(self.held)
        if self._kept and not self._raw:
            return self._since + self._limits.idle_seconds
        return self._since + self._limits.head_seconds

    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; True only once."""
        expects, self._expects = self._expects and not self.complete and not self.refused, False
        return expects

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that have arrived.

        Args:
            data: The bytes.
            now: Current `time.monotonic()`.
        """
        if self._kept and not self._raw and not self.head:
            self._since = now
        self._raw += data
        if not self.head:
            self._find_head(now)
        if self.head and not self.complete and not self.refused:
            if self._chunks is None:
                self._take_body()
            else:
                self._take_chunks(self._chunks)

    def rest(self) -> bytes:
        """Return the bytes beyond the request: the beginning of the next one."""
        return bytes(self._raw)

    def _find_head(self, now: float) -> None:
        end = self._raw.find(_END, max(0, self._scanned - len(_END) + 1))
        if max(end, len(self._raw) if end < 0 else 0) > self._limits.header_bytes:
            message = f"the head of the request is larger than {self._limits.header_bytes:,} bytes"
            self.refused = HttpRefusal(431, "header_too_large", message)
        elif end >= 0:
            head = bytes(self._raw[: end + len(_END)])
            if head.count(b"\n") == head.count(b"\r\n"):
                self._begin_body(head, now)
            else:
                self._pass_on(head)
        elif _BARE_LINE_FEED.search(self._raw, self._scanned):
            self._pass_on(bytes(self._raw))
        self._scanned = len(self._raw)

    def _begin_body(self, head: bytes, now: float) -> None:
        fields = [(name.lower(), value.strip(b" \t")) for name, value in _FRAMING.findall(head)]
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = b",".join(value for name, value in fields if name == b"transfer-encoding").lower()
        self.head, self._since = head, now
        del self._raw[: len(head)]
        if codings and not lengths and codings.rpartition(b",")[2].strip() == b"chunked":
            self._chunks = bytearray()
            if not _CHUNKED.fullmatch(codings):  # the body would be read as it was compressed
                message = "only the transfer coding chunked is supported (RFC 9112, 6.1)"
                self.refused = HttpRefusal(501, "http", message)
        elif lengths and not codings and len(lengths) == 1 and lengths[0].isdigit():
            digits = lengths[0].lstrip(b"0") or b"0"
            self._length = int(digits[: _LENGTH_DIGITS + 1])
            if self._length > self._limits.body_bytes:
                self._refuse_body()
        else:  # no body, or framing that gunicorn refuses
            self.complete = True
        self._expects = any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)

    def _pass_on(self, head: bytes) -> None:
        self.head, self.complete = head, True
        self._raw.clear()

    def _take_body(self) -> None:
        length = self._length or 0
        if len(self._raw) >= length:
            self.body = bytes(memoryview(self._raw)[:length])
            del self._raw[:length]
            self.complete = True

    def _take_chunks(self, body: bytearray) -> None:
        raw, at = self._raw, 0
        while True:
            end = raw.find(b"\r\n", at)
            if end < 0:
                if len(raw) - at > _CHUNK_LINE_BYTES:
                    self._refuse_chunks()
                break
            size_line = _CHUNK_SIZE.fullmatch(raw, at, end)
            if not size_line:
                self._refuse_chunks()
                break
            size, data = int(size_line[1], 16), end + 2
            if len(body) + size > self._limits.body_bytes:
                self._refuse_body()
                break
            if size == 0:
                self._take_trailers(at, data)
                return
            if len(raw) < data + size + 2:
                break
            if raw[data + size : data + size + 2] != b"\r\n":
                self._refuse_chunks()
                break
            body += memoryview(raw)[data : data + size]
            self._wire_bytes += data + size + 2 - at
            if self._wire_bytes > 2 * self._limits.body_bytes:  # tiny chunks are mostly framing
                self._refuse_body()
                break
            at = data + size + 2
        del raw[:at]

    def _take_trailers(self, last: int, at: int) -> None:
        """Drop the fields after the last chunk; none of them matters here."""
        raw = self._raw
        if raw[at : at + 2] == b"\r\n":
            end = at + 2
        elif (found := raw.find(_END, at)) >= 0:
            end = found + len(_END)
            if not _TRAILERS.fullmatch(raw, at, end - 2):  # as the head of another request, which would be lost here
                self._refuse_chunks()
                return
        else:
            if len(raw) - at > self._limits.header_bytes or _BARE_LINE_FEED.search(raw, at):
                self._refuse_chunks()
            del raw[:last]
            return
        del raw[:end]
        self.body, self._chunks, self.complete = bytes(self._chunks or b""), None, True

    def _refuse_body(self) -> None:
        self.refused = body_too_large(self._limits.body_bytes)

    def _refuse_chunks(self) -> None:
        self.refused = HttpRefusal(400, "no_request", "the chunks of the body are malformed")
