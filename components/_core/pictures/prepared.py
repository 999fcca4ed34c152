"""Prepare some pictures: decoded, in the canonical form, measured; in this process or in others that stand by.

Pillow decodes without Python's lock, but half of the work on a small picture is Python's, so threads hardly help. Workers are processes
that import Pillow and NumPy, and nothing else of Naru but this room; they take lists of pictures on standard input and give lists of
results on standard output.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import BinaryIO, cast

import components
from components._core.errors import DataError
from components._core.pictures.canonical import canonical_bytes
from components._core.pictures.decode import Limits, PictureError, open_picture
from components._core.pictures.measures import Measures, measure
from components._core.setting_names import PYTHON
from components._core.types.texts import shorten

Prepared = tuple[bytes, Measures] | PictureError
_LENGTH = struct.Struct(">Q")
_SHARE = 32
"""Pictures that a worker gets at a time."""
_FEWEST = 64
"""Pictures of a batch from which workers are started: to start one takes as long as to prepare some hundred pictures."""


def prepare(values: Sequence[bytes | None], names: Sequence[str], limits: Limits) -> list[Prepared]:
    """Prepare pictures one after the other.

    Args:
        values: The encoded pictures; None: it is missing.
        names: The name of each picture's file; empty: it has none.
        limits: Bounds on one picture.

    Returns:
        For each its canonical form and its measures, or why it cannot be read.
    """
    return [_prepare(value, name, limits) for value, name in zip(values, names, strict=True)]


def _prepare(value: bytes | None, name: str, limits: Limits) -> Prepared:
    try:
        if not value:
            raise PictureError("is missing")
        decoded = open_picture(value, limits)
        return canonical_bytes(value, decoded), measure(value, decoded, name)
    except PictureError as error:
        return error


class PictureWorkers:
    """Prepares pictures in as many processes as cores, which are started with the first batch that is worth it; use it as a context.

    Args:
        limits: Bounds on one picture.
        count: Number of processes; 1: pictures are prepared here.
    """

    def __init__(self, limits: Limits, count: int | None = None) -> None:
        self._limits, self._count = limits, count or len(os.sched_getaffinity(0))
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._started: list[subprocess.Popen[bytes]] = []
        self._threads = ThreadPoolExecutor(max_workers=self._count)

    def __enter__(self) -> PictureWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for process in self._started:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._started:
            _streams(process)[0].close()
            process.wait()
            _streams(process)[1].close()

    def submit(self, values: Sequence[bytes | None], names: Sequence[str]) -> list[Future[list[Prepared]]]:
        """Begin with a batch, and return its parts in order.

        Args:
            values: As in `prepare`.
            names: As in `prepare`.
        """
        if not self._started and self._count > 1 and len(values) >= _FEWEST:
            self._start()
        work = self._send if self._started else self._prepare_here
        starts = range(0, len(values), _SHARE)
        return [self._threads.submit(work, values[at : at + _SHARE], names[at : at + _SHARE]) for at in starts]

    def _prepare_here(self, values: Sequence[bytes | None], names: Sequence[str]) -> list[Prepared]:
        return prepare(values, names, self._limits)

    def _send(self, values: Sequence[bytes | None], names: Sequence[str]) -> list[Prepared]:
        process = self._idle.get()
        into, out = _streams(process)
        try:
            _write(into, (list(values), list(names), self._limits))
            found: list[Prepared] = _read(out)
        except (OSError, EOFError) as error:
            message = f"the process that decodes pictures ended with code {process.wait()} (out of memory, or by one of these pictures)"
            where = " to ".join(shorten(name, 200) for name in dict.fromkeys([names[0], names[-1]]) if name)
            raise DataError(
                message, where=where, remedy="take this part out, or lower data.pictures.max_pixels"
            ) from error
        self._idle.put(process)
        # a picture in its canonical form is not sent back
        return [
            each if isinstance(each, PictureError) else (value if not each[0] and value else each[0], each[1])
            for value, each in zip(values, found, strict=True)
        ]

    def _start(self) -> None:
        root = str(Path(components.__file__).resolve().parents[1])
        variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])),
        }
        command = [os.environ.get(PYTHON) or sys.executable, "-m", "components._core.pictures.prepared"]
        for _ in range(self._count):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
            self._started.append(process)
            self._idle.put(process)


def _streams(process: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    return cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)  # it was started with pipes


def _write(stream: BinaryIO, value: object) -> None:
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _read(stream: BinaryIO) -> list[Prepared]:
    """Read what a process that was started here wrote: no file and no stranger's bytes are ever unpickled."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    found: list[Prepared] = pickle.loads(stream.read(_LENGTH.unpack(head)[0]))  # noqa: S301 - see above
    return found


def serve() -> None:
    """Prepare lists of pictures until standard input ends."""
    into, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between the results
    while True:
        try:
            values, names, limits = _read(into)
        except EOFError:
            return
        found = prepare(values, names, limits)  # type: ignore[arg-type]
        _write(out, [_without_copy(value, each) for value, each in zip(values, found, strict=True)])  # type: ignore[arg-type]


def _without_copy(value: bytes | None, each: Prepared) -> Prepared:
    return each if isinstance(each, PictureError) or each[0] is not value else (b"", each[1])


if __name__ == "__main__":
    serve()
