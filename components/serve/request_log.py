"""The request log: keeps requests and answers for the monitor, a later drift check, or a join with labels.

`components/_core/request_log/layout.py` has the format: a line of JSON per answered request, and lines that count, by hour, the
requests that were refused (by code, whether sampled or not) and those that should have been logged and were not.

A missing value and a masked feature are null; of some masked features there are hashes. Objects are named `URI/dt=YYYY-MM-DD/hour=HH/POD-NUMBER-UUID.jsonl` by the time
of the answers, in UTC, and each is written whole. The log never stops a prediction: requests for which there is no room or no store
are dropped and counted.

The thread that answered a request makes its line, at best once the answer is sent, and the log's thread only writes lines to the
store. Lines made by that thread, a thousand at a time, took the interpreter from the requests for 20 ms and more, in which the queue
of requests ran over. A line also takes less time than an estimate of the memory of its values, which would bound what waits.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from components._core.errors import ConfigError, NaruError
from components._core.request_log.answered_lines import LineWriter
from components._core.request_log.layout import FORMAT, HOUR_SECONDS, SUFFIX, hour_folder
from components._core.request_log.sampling import is_sampled
from components._core.request_log.value_hashes import ValueHasher
from components._core.store.filesystems import open_filesystem
from components._core.store.object_store import put
from components._predictor.feature_values import Columns
from components.serve.limits import Limits

QUEUE_ROWS = 100_000
"""Rows that may wait for writing: some ten megabytes for ten features."""

_TRIES = 5
_CLOSING_SECONDS = 5.0
_REST_SECONDS = 0.25
_OBJECT_ROWS = 20_000
_ALLOWED = "allowed: a folder, file:///folder, s3://bucket/prefix or gs://bucket/prefix"
_log = logging.getLogger("naru.serve")


@dataclass(frozen=True)
class LogSettings:
    """How much is logged, and when it is written.

    Attributes:
        uri: A folder, `file:///folder`, `s3://bucket/prefix` or `gs://bucket/prefix`.
        sample: Share of requests, 0 to 1. The id decides: the same id is logged by every server or by none.
        masked: Features whose values must not leave the server.
        flush_rows: An object is written when this many rows wait.
        flush_seconds: Or when this time has passed; also the wait before the next attempt when the store is unavailable.
        queue_rows: Rows that may wait; further requests are dropped.
        queue_bytes: Bytes that may wait; further requests are dropped.
        flush_bytes: An object is written when this much waits, however few rows it is.
        hashed: Those of the masked features of which hashes are logged.
        hasher: Makes the hashes.
        pictures: Those of the masked features of which descriptions are logged.
    """

    uri: str
    sample: float = 1.0
    masked: frozenset[str] = frozenset()
    flush_rows: int = 1_000
    flush_seconds: float = 30.0
    queue_rows: int = QUEUE_ROWS
    queue_bytes: int = Limits.log_queue_bytes
    flush_bytes: int = Limits.log_flush_bytes
    hashed: frozenset[str] = frozenset()
    hasher: ValueHasher | None = None
    pictures: frozenset[str] = frozenset()

    def check(self, features: list[str], option: str = "--log") -> None:
        """Refuse settings that can never work. An unavailable store is not refused: predictions go on without it.

        Args:
            features: Features that may be masked.
            option: The server's option with the URI, for the message.

        Raises:
            ConfigError: When the URI is malformed, the model has no such masked feature, a hashed one is not masked, or `flush_seconds` is not positive.
        """
        scheme, _, rest = self.uri.rpartition("://")
        if scheme not in ("", "file", "s3", "gs") or not rest.strip("/"):
            raise ConfigError(f"found {self.uri!r}; {_ALLOWED}", where=option)
        open_filesystem(self.uri)
        if self.flush_seconds <= 0:
            raise ConfigError(f"found {self.flush_seconds}; must be above 0", where="--log-flush-seconds")
        if unknown := self.masked.difference(features):
            message = f"unknown features {', '.join(sorted(unknown))}; the model takes {', '.join(features)}"
            raise ConfigError(message, where="--log-mask")
        if unmasked := self.hashed - self.masked:
            message = f"found {', '.join(sorted(unmasked))}; only features of --log-mask can be hashed"
            raise ConfigError(message, where="--log-hash")


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request and its answer.

    Attributes:
        id: Id of the request.
        time: When it was answered, in seconds since 1970.
        seconds: How long the answer took.
        rows: Rows of the request.
        inputs: Values as they were sent; a vector of numbers may hold whole numbers as float64.
        outputs: The model's outputs.
    """

    id: str
    time: float
    seconds: float
    rows: int
    inputs: Columns
    outputs: dict[str, np.ndarray[Any, Any]]


class _Line(NamedTuple):
    hour: int  # since 1970
    rows: int
    content: bytes


@dataclass
class _HourCounts:
    """What happened in an hour and is not written yet."""

    dropped: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: _HourCounts) -> None:
        self.dropped += other.dropped
        self.refused.update(other.refused)


class RequestLog:
    """A bounded queue and the thread that writes it out; safe to use from several threads.

    Args:
        settings: Where to write, how much, and when.
        model: The model's name, for every line.
        version: The model's version, for every line.
        schema: The fingerprint of the model's signature, for every line.

    Attributes:
        written: Requests that are in the store.
        dropped: Requests that should have been logged and were not.
        failures: Failed attempts to write to the store.
    """

    def __init__(self, settings: LogSettings, model: str, version: str, schema: str = "") -> None:
        self.written = self.dropped = self.failures = 0
        self._settings = settings
        self._header = {"model": model, "version": version}
        self._writer = LineWriter(
            model,
            version,
            settings.sample,
            schema,
            settings.masked,
            hashed=settings.hashed,
            hasher=settings.hasher,
            pictures=settings.pictures,
        )
        self._lock = threading.Lock()
        self._lines: deque[_Line] = deque()
        self._counts: dict[int, _HourCounts] = {}  # by hour since 1970
        self._ripe: deque[_Line] = deque()  # lines and counts that the present flush writes
        self._ripe_counts: dict[int, _HourCounts] = {}
        self._batch: list[_Line] = []
        self._batch_counts: tuple[int, _HourCounts] | None = None  # written with the batch
        self._rows = self._bytes = 0  # of all lines that are not written
        self._target = ""
        self._tries = self._objects = 0
        self._began = self._rested = self._not_before = time.monotonic()
        self._due, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="naru-request-log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that are neither written nor dropped yet."""
        return len(self._lines) + len(self._ripe) + len(self._batch)

    def add(self, answered: AnsweredRequest) -> None:
        """Make the line of a request, which then waits for the log's thread; never waits for the store.

        Takes some ten microseconds for one row of ten features, a tenth of a millisecond for a thousand, and two and a half
        microseconds more for each hashed value.
        """
        if not is_sampled(answered.id, self._settings.sample):
            return
        content = self._write_line(answered) if self._has_room(answered.rows, 0) else b""
        with self._lock:
            if not content or self._closing.is_set() or not self._has_room(answered.rows, len(content)):
                self._count_dropped(answered.time)
                return
            before = self._is_enough(), self._is_half_full()
            self._lines.append(_Line(int(answered.time // HOUR_SECONDS), answered.rows, content))
            self._rows += answered.rows
            self._bytes += len(content)
            is_due = (self._is_enough(), self._is_half_full()) != before
        if is_due:
            self._due.set()

    def _has_room(self, rows: int, size: int) -> bool:
        settings = self._settings
        return self._rows + rows <= settings.queue_rows and self._bytes + size <= settings.queue_bytes

    def count_refusal(self, code: str) -> None:
        """Count a refused request for the log; as fast as `add`."""
        with self._lock:
            self._counts_of(time.time()).refused[code] += 1

    def _count_dropped(self, seconds: float, requests: int = 1) -> None:
        """Count requests, answered at a time, that are not logged; the lock is held."""
        self.dropped += requests
        self._counts_of(seconds).dropped += requests

    def _counts_of(self, seconds: float) -> _HourCounts:
        return self._counts.setdefault(int(seconds // HOUR_SECONDS), _HourCounts())

    def _is_enough(self) -> bool:
        return self._rows >= self._settings.flush_rows or self._bytes >= self._settings.flush_bytes

    def _is_half_full(self) -> bool:
        return 2 * self._rows >= self._settings.queue_rows or 2 * self._bytes >= self._settings.queue_bytes

    def close(self) -> None:
        """Write what waits, for some seconds at most, then stop; what is not written by then is dropped."""
        self._closing.set()
        self._due.set()
        self._thread.join(_CLOSING_SECONDS)
        with self._lock:
            self.dropped += self.waiting
            for waiting in (self._lines, self._ripe, self._batch):
                waiting.clear()
        if self.dropped:
            _log.warning("%d answered requests were not logged", self.dropped)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._due.wait(self._pause())
            self._due.clear()
            if self._pause() <= 0:
                self._flush()
        self._flush()

    def _pause(self) -> float:
        """Seconds until the next write: when enough waits or the time has passed, and after the log's rest or the store's."""
        now = time.monotonic()
        due = now if self._is_enough() else self._began + self._settings.flush_seconds
        rested = now if self._is_half_full() else self._rested
        return max(due, rested, self._not_before) - now

    def _flush(self) -> None:
        """Write all that waits by now, until a write fails; what comes meanwhile waits for the next flush."""
        self._began = time.monotonic()
        with self._lock:
            self._ripe.extend(self._lines)
            self._lines.clear()
            for hour, counts in self._counts.items():
                self._ripe_counts.setdefault(hour, _HourCounts()).add(counts)
            self._counts.clear()
        while self._batch or self._batch_counts or self._take():
            try:
                put(b"".join([*(line.content for line in self._batch), *self._count_lines()]), self._target)
            except NaruError as error:
                self._give_up_or_keep(error)
                # the store is not tried again for every batch that fills up
                self._not_before = time.monotonic() + self._settings.flush_seconds
                break
            self.written += self._end_batch()
        self._rested = time.monotonic() + _REST_SECONDS  # many rows make large objects rather than many objects

    def _take(self) -> bool:
        """Make the next batch: lines of one hour, up to the size of an object, and the counts of that hour."""
        rows = size = 0
        with self._lock:
            most = max(self._settings.flush_rows, _OBJECT_ROWS)
            while self._ripe and rows < most and size < self._settings.flush_bytes:
                if self._batch and self._ripe[0].hour != self._batch[0].hour:
                    break
                rows += self._ripe[0].rows
                size += len(self._ripe[0].content)
                self._batch.append(self._ripe.popleft())
            hour = self._batch[0].hour if self._batch else next(iter(self._ripe_counts), None)
            if hour is None:
                return False
            if hour in self._ripe_counts:
                self._batch_counts = hour, self._ripe_counts.pop(hour)
        self._objects += 1  # named once, so that a retry overwrites an object that arrived without confirmation
        self._target = object_uri(self._settings.uri, hour * HOUR_SECONDS, self._objects)
        return True

    def _count_lines(self) -> list[bytes]:
        """Make the lines of the batch's counts."""
        if self._batch_counts is None:
            return []
        counts = self._batch_counts[1]
        found = {"dropped": counts.dropped, "refused": dict(counts.refused)}
        lines = [{name: value, **self._header, "log": FORMAT} for name, value in found.items() if value]
        return [json.dumps(line).encode() + b"\n" for line in lines]

    def _give_up_or_keep(self, error: NaruError) -> None:
        self.failures += 1
        self._tries += 1
        if self._tries == 1:
            _log.warning("cannot write the request log: %s", error)
        if self._tries >= _TRIES:
            lost, counts = self._batch, self._batch_counts
            self._end_batch()
            with self._lock:
                if lost:
                    self._count_dropped(lost[0].hour * HOUR_SECONDS, len(lost))
                if counts:  # the next object of the hour has them
                    self._counts.setdefault(counts[0], _HourCounts()).add(counts[1])

    def _end_batch(self) -> int:
        """Make room for the next batch; return the number of requests of this one."""
        with self._lock:
            count = len(self._batch)
            self._batch_counts = None
            self._rows -= sum(line.rows for line in self._batch)
            self._bytes -= sum(len(line.content) for line in self._batch)
            self._batch = []
            self._tries = 0
        return count

    def _write_line(self, answered: AnsweredRequest) -> bytes:
        """Return the line; empty when it cannot be made."""
        try:
            return self._writer.write(answered.id, answered.time, answered.seconds, answered.inputs, answered.outputs)
        except (TypeError, ValueError, RecursionError) as error:
            _log.warning("cannot log an answered request: %s", type(error).__name__)
            return b""


def object_uri(folder: str, seconds: float, number: int) -> str:
    """Name a new object of a log: no other server, and no earlier process of this one, has the name.

    Args:
        folder: URI of the log.
        seconds: A time in its hour, in seconds since 1970.
        number: Number of the object in this process.
    """
    name = f"{socket.gethostname()}-{number}-{uuid.uuid4().hex}{SUFFIX}"
    return f"{folder.rstrip('/')}/{hour_folder(seconds)}/{name}"
