"""Writes posted labels as files of JSON lines, beside the request log and by the hour as it does, for `naru feedback`.

`components/_core/request_log/posted_labels.py` has the format. The request's thread only queues lines; this log's thread writes them. Unlike
an answer in the request log a label is never dropped: while the store is away the labels wait, and when there is no room for more, further
ones are refused, so that the client sends them again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import NamedTuple

from components._core.errors import NaruError
from components._core.request_log.layout import HOUR_SECONDS
from components._core.store.object_store import put
from components.serve.request_log import LogSettings, object_uri

_CLOSING_SECONDS = 5.0
_log = logging.getLogger("naru.serve")


class _Posted(NamedTuple):
    hour: int  # since 1970
    labels: int
    content: bytes


class LabelLog:
    """A bounded queue of labels and the thread that writes it out; safe to use from several threads.

    Args:
        settings: Where to write, when, and how much may wait: a label counts as a row.
        what: What it writes, for warnings: the lines of live tests are written by such a log, too.

    Attributes:
        written: Labels that are in the store.
        failures: Failed attempts to write to the store.
    """

    def __init__(self, settings: LogSettings, what: str = "posted labels") -> None:
        self.written = self.failures = 0
        self._settings = settings
        self._what = what
        self._lock = threading.Lock()
        self._queue: deque[_Posted] = deque()
        self._batch: list[_Posted] = []
        self._labels = self._bytes = self._objects = 0  # of queue and batch; objects that were named
        self._target = ""
        self._is_failing = False
        self._due, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="naru-label-log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Labels that are not written yet."""
        return self._labels

    def add(self, labels: int, content: bytes, seconds: float) -> bool:
        """Queue the labels of a request, all or none; returns whether there was room.

        Args:
            labels: Number of labels.
            content: Their lines.
            seconds: When they came, in seconds since 1970.
        """
        settings = self._settings
        with self._lock:
            is_full = self._labels + labels > settings.queue_rows or self._bytes + len(content) > settings.queue_bytes
            if self._closing.is_set() or is_full:
                return False
            self._queue.append(_Posted(int(seconds // HOUR_SECONDS), labels, content))
            self._labels += labels
            self._bytes += len(content)
        if self._is_enough() and not self._is_failing:
            self._due.set()
        return True

    def close(self) -> None:
        """Write what waits, for some seconds at most, then stop."""
        self._closing.set()
        self._due.set()
        self._thread.join(_CLOSING_SECONDS)
        if self._labels:
            _log.warning("%d %s were not written", self._labels, self._what)

    def _is_enough(self) -> bool:
        return self._labels >= self._settings.flush_rows or self._bytes >= self._settings.flush_bytes

    def _run(self) -> None:
        while not self._closing.is_set():
            self._due.wait(self._settings.flush_seconds)
            self._due.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        """Write all that waits, until a write fails; what failed is tried again under the same name."""
        while self._batch or self._take():
            try:
                put(b"".join(posted.content for posted in self._batch), self._target)
            except NaruError as error:
                self.failures += 1
                if not self._is_failing:
                    _log.warning("cannot write %s: %s", self._what, error)
                self._is_failing = True
                return
            self._is_failing = False
            with self._lock:
                self.written += sum(posted.labels for posted in self._batch)
                self._labels -= sum(posted.labels for posted in self._batch)
                self._bytes -= sum(len(posted.content) for posted in self._batch)
                self._batch = []

    def _take(self) -> bool:
        """Make the next object: labels of one hour, up to the size of an object."""
        size = 0
        with self._lock:
            while self._queue and size < self._settings.flush_bytes:
                if self._batch and self._queue[0].hour != self._batch[0].hour:
                    break
                size += len(self._queue[0].content)
                self._batch.append(self._queue.popleft())
        if not self._batch:
            return False
        self._objects += 1
        self._target = object_uri(self._settings.uri, self._batch[0].hour * HOUR_SECONDS, self._objects)
        return True
