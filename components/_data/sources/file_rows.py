"""Folders of files as a table: a row for each file, with its content, its path, and the folder that it lies in as its label.

    pictures://data/pictures         data/pictures/CLASS/FILE, also deeper below a class
    pictures://data/{span}           a folder for each span, with a folder for each class
    pictures://s3://bucket/pictures

The files of a span are one file to what reads them: an Arrow stream that is made as it is read (`batch_files.py`). So a manifest names
spans, not hundreds of thousands of files, and the digest of a span covers the names and the content of all of its files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from components._core.errors import DataError
from components._core.files import fingerprint_of
from components._core.store.filesystems import open_filesystem
from components._core.types.binary_arrays import binary_array
from components._core.types.file_columns import LABEL_COLUMN, PATH_COLUMN
from components._data.sources.batch_files import FORMAT, Batches, BatchFiles
from components._data.sources.contract import NoFilesError, SpanFile
from components._data.sources.files import FileSource, metadata_of
from components._data.sources.span_expression import MissingSpans, parse_spans
from components._data.sources.span_pattern import parse_pattern

_HIDDEN = ("_", ".")
_SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev"})
"""Names of the folders of splits, as data sets are published."""
_BATCH_FILES, _BATCH_BYTES = 256, 16 << 20
_MOST_BYTES = 512 << 20
"""A longer file is cut: no bound of a project allows so much, and what reads the row refuses it by its size."""
_THREADS = 16
"""Files that are requested at a time from a store, which answers each after a while."""


@dataclass(frozen=True)
class FileRowsSource:
    """A folder of files, of which each is a row.

    Attributes:
        location: Path or URL of the folder, with placeholders of spans.
        column: Name of the column with the files' content.
        missing_spans: Whether a span that an expression names must exist.
    """

    location: str
    column: str
    missing_spans: MissingSpans = "fail"

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`."""
        return [folder.as_file(self.column) for folder in self._folders(spans)]

    def fingerprint(self, spans: str) -> str:
        """See `Source`: of names, sizes and metadata that cannot be reset."""
        return fingerprint_of(part for folder in self._folders(spans) for part in (str(folder.span), *folder.states()))

    def state(self, file: SpanFile) -> str:
        """See `Source`."""
        found = next((folder for folder in self._folders("all") if folder.span == file.span), None)
        return fingerprint_of(found.states()) if found else ""

    def _folders(self, spans: str) -> list[_Folder]:
        filesystem, path = open_filesystem(self.location)
        if parse_pattern(path) is None:
            parse_spans(spans, None)
            return [_list_folder(filesystem, path, self.location)]
        found: dict[tuple[int, str], list[str]] = {}
        for span, split, folder in FileSource(self.location, self.missing_spans).list_folders(spans):
            found.setdefault((span, split), []).append(folder)
        return [
            _Folder(span, split, filesystem, roots, _list_all(filesystem, roots, self.location))
            for (span, split), roots in found.items()
        ]


@dataclass(frozen=True)
class _Folder:
    """The files of a span.

    Attributes:
        span: The span.
        split: The name that its path gives the split of its rows.
        filesystem: Their file system.
        roots: The folders of the folders of classes: one, or those that a `*` stands for, equally deep.
        paths: The files, sorted.
    """

    span: int
    split: str
    filesystem: Any
    roots: Sequence[str]
    paths: Sequence[str]

    def as_file(self, column: str) -> SpanFile:
        """Return the whole as one file."""
        schema = pa.schema([(column, pa.large_binary()), (LABEL_COLUMN, pa.string()), (PATH_COLUMN, pa.string())])
        files = BatchFiles(lambda _: (schema, self._batches(schema)))
        name = self.roots[0].rpartition("/")[2]
        return SpanFile(self.span, self.roots[0], files, name, self.split, format=FORMAT)

    def states(self) -> Iterator[str]:
        """Yield name and metadata of each file."""
        for path in self.paths:
            yield self._name(path)
            yield metadata_of(self.filesystem, path)

    def _name(self, path: str) -> str:
        return path[self._begin :].lstrip("/")

    def _label(self, path: str) -> str | None:
        """Return the folder below a root in which a file lies; None: it lies in none."""
        below = path.split("/")[self.roots[0].count("/") + 1 :]
        return below[0] if len(below) > 1 else None

    @cached_property
    def _begin(self) -> int:
        """Length of what all paths begin with: the root, or what several have in common."""
        return len(self.roots[0]) if len(self.roots) == 1 else len(os.path.commonpath(self.roots))

    def _batches(self, schema: pa.Schema) -> Batches:
        runs = [self.paths[first : first + _BATCH_FILES] for first in range(0, len(self.paths), _BATCH_FILES)]
        if isinstance(self.filesystem, LocalFileSystem):
            for paths in runs:
                yield from self._as_batches(map(self._read_local, paths), paths, schema)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            for paths in runs:
                yield from self._as_batches(pool.map(self._read, paths), paths, schema)

    def _read(self, path: str) -> bytes:
        try:
            with self.filesystem.open(path, "rb") as stream:
                return bytes(stream.read(_MOST_BYTES))
        except FileNotFoundError:
            raise _removed(path) from None

    def _read_local(self, path: str) -> bytes:
        """Read a file here without the file system in between, which takes longer than a small picture's decode."""
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 - a path as fsspec has it
                is_short = os.fstat(stream.fileno()).st_size < _MOST_BYTES
                return stream.read() if is_short else stream.read(_MOST_BYTES)
        except FileNotFoundError:
            raise _removed(path) from None

    def _as_batches(
        self, contents: Iterator[bytes], paths: Sequence[str], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield batches of bounded size, in the order of the paths."""
        taken, values, size = list[str](), list[bytes](), 0
        for path, content in zip(paths, contents, strict=True):
            taken.append(path)
            values.append(content)
            size += len(content)
            if size >= _BATCH_BYTES:
                yield self._batch(taken, values, schema)
                taken, values, size = [], [], 0
        if taken:
            yield self._batch(taken, values, schema)

    def _batch(self, paths: list[str], values: list[bytes], schema: pa.Schema) -> pa.RecordBatch:
        labels, names = [self._label(path) for path in paths], [self._name(path) for path in paths]
        return pa.RecordBatch.from_arrays(
            [binary_array(values, pa.large_binary()), pa.array(labels, pa.string()), pa.array(names, pa.string())],
            schema=schema,
        )


def _list_folder(filesystem: Any, path: str, location: str) -> _Folder:
    root = path.rstrip("/")
    if not filesystem.isdir(root):
        raise NoFilesError(
            "there is no such folder", where=location, remedy="correct data.source; it is relative to project.yaml"
        )
    return _Folder(1, "", filesystem, [root], _list_all(filesystem, [root], location))


def _list_all(filesystem: Any, roots: Sequence[str], location: str) -> list[str]:
    """List the files in some folders and below them, sorted; names that begin with _ or . are skipped.

    Raises:
        DataError: When a folder has none, or something that is no file of it; when its folders are splits, not classes.
    """
    paths = []
    for root in roots:
        found = [path for path in _find(filesystem, root) if not _is_hidden(path[len(root) :])]
        if not found:
            where = location if len(roots) == 1 and parse_pattern(location) is None else root
            raise NoFilesError("is a folder without files", where=where, remedy="correct data.source")
        _check_files(filesystem, root, found)
        _check_classes(root, found, location)
        paths += found
    return sorted(paths)


def _find(filesystem: Any, root: str) -> Iterator[str]:
    """Yield the files below a folder; here without asking for the state of each, which takes as long as to decode a small picture."""
    if not isinstance(filesystem, LocalFileSystem):
        yield from map(str, filesystem.find(root))
        return
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114 - fsspec's paths
        yield from (f"{folder}/{name}" for name in (*files, *links))


def _is_hidden(below: str) -> bool:
    return any(part.startswith(_HIDDEN) for part in below.strip("/").split("/"))


def _check_files(filesystem: Any, root: str, paths: Sequence[str]) -> None:
    """Refuse what is no file of the folder: a link that leaves it, whose content would become a row, a link to a folder, a pipe."""
    if not isinstance(filesystem, LocalFileSystem):
        return
    own = os.path.realpath(root)
    for path in paths:
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            continue
        if not stat.S_ISLNK(mode):
            raise DataError("is not a file", where=path, remedy="remove it from the folder")
        target = os.path.realpath(path)
        if target != own and not target.startswith(f"{own}/"):
            raise DataError("is a link that leaves the folder", where=path, remedy="copy the file, or remove the link")
        if not os.path.isfile(target):  # noqa: PTH113 - fsspec's paths
            what = "a folder" if os.path.isdir(target) else "nothing"  # noqa: PTH112 - as above
            raise DataError(f"is a link to {what}", where=path, remedy="remove the link")


def _check_classes(root: str, paths: Sequence[str], location: str) -> None:
    """Refuse a folder of splits, which would all become classes: `train/cat/1.jpg` is no picture of the class `train`."""
    below = [path[len(root) :].strip("/").split("/") for path in paths]
    folders = sorted({parts[0] for parts in below if len(parts) > 1})
    deep = all(len(parts) != 2 for parts in below)
    if deep and len(folders) > 1 and {name.lower() for name in folders} <= _SPLITS:
        address = f"{location.rstrip('/')}/{{split}}"
        remedy = f"name the folder of one of them, or all: {address} with data.split: {{method: given}}"
        raise DataError(f"its folders are splits, not classes: {', '.join(folders)}", where=location, remedy=remedy)


def _removed(path: str) -> DataError:
    return DataError("was removed while it was read", where=path, remedy="run again when nobody changes the folder")
