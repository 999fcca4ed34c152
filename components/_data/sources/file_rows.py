"""Folders of files as a table: a row for each file, with its content, its path, and the folder that it lies in as its label.

    pictures://data/pictures         data/pictures/CLASS/FILE, also deeper below a class
    pictures://data/{span}           a folder for each span, with a folder for each class
    pictures://s3://bucket/pictures

The files of a span are one file to what reads them: an Arrow stream that is made as it is read (`batch_files.py`). So a manifest names
spans, not hundreds of thousands of files, and the digest of a span covers the names and the content of all of its files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from components._core.errors import DataError
from components._core.files import fingerprint_of
from components._core.store.filesystems import open_filesystem
from components._data.sources.batch_files import FORMAT, Batches, BatchFiles
from components._data.sources.contract import NoFilesError, SpanFile
from components._data.sources.files import FileSource, metadata_of
from components._data.sources.span_expression import MissingSpans, parse_spans
from components._data.sources.span_pattern import parse_pattern

LABEL, PATH = "label", "path"
_HIDDEN = ("_", ".")
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
        for file in FileSource(f"{self.location.rstrip('/')}/*", self.missing_spans).list_files(spans):
            found.setdefault((file.span, file.split), []).append(file.path)
        return [_Folder(span, split, filesystem, _root(paths), sorted(paths)) for (span, split), paths in found.items()]


@dataclass(frozen=True)
class _Folder:
    """The files of a span.

    Attributes:
        span: The span.
        split: The name that its path gives the split of its rows.
        filesystem: Their file system.
        root: The folder of the folders of classes.
        paths: The files, sorted.
    """

    span: int
    split: str
    filesystem: Any
    root: str
    paths: Sequence[str]

    def as_file(self, column: str) -> SpanFile:
        """Return the whole as one file."""
        schema = pa.schema([(column, pa.large_binary()), (LABEL, pa.string()), (PATH, pa.string())])
        files = BatchFiles(lambda _: (schema, self._batches(schema)))
        return SpanFile(
            self.span, self.root, files, self.root.rstrip("/").rpartition("/")[2], self.split, format=FORMAT
        )

    def states(self) -> Iterator[str]:
        """Yield name and metadata of each file."""
        for path in self.paths:
            yield self._name(path)
            yield metadata_of(self.filesystem, path)

    def _name(self, path: str) -> str:
        return path[len(self.root) :].lstrip("/")

    def _batches(self, schema: pa.Schema) -> Batches:
        is_local = isinstance(self.filesystem, LocalFileSystem)
        with ThreadPoolExecutor(_THREADS) as pool:
            for first in range(0, len(self.paths), _BATCH_FILES):
                paths = self.paths[first : first + _BATCH_FILES]
                contents = map(self._read_local, paths) if is_local else pool.map(self._read, paths)
                yield from _as_batches(contents, paths, self._name, schema)

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


def _removed(path: str) -> DataError:
    return DataError("was removed while it was read", where=path, remedy="run again when nobody changes the folder")


def _as_batches(
    contents: Iterator[bytes], paths: Sequence[str], name_of: Any, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield batches of bounded size, in the order of the paths."""
    names, values, size = list[str](), list[bytes](), 0
    for path, content in zip(paths, contents, strict=True):
        names.append(name_of(path))
        values.append(content)
        size += len(content)
        if size >= _BATCH_BYTES:
            yield _batch(names, values, schema)
            names, values, size = [], [], 0
    if names:
        yield _batch(names, values, schema)


def _batch(names: list[str], values: list[bytes], schema: pa.Schema) -> pa.RecordBatch:
    labels = [name.partition("/")[0] if "/" in name else None for name in names]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, pa.large_binary()), pa.array(labels, pa.string()), pa.array(names, pa.string())],
        schema=schema,
    )


def _list_folder(filesystem: Any, path: str, location: str) -> _Folder:
    root = path.rstrip("/")
    if not filesystem.isdir(root):
        raise NoFilesError(
            "there is no such folder", where=location, remedy="correct data.source; it is relative to project.yaml"
        )
    below = len(root)
    paths = sorted(
        each
        for each in _find(filesystem, root)
        if not any(part.startswith(_HIDDEN) for part in each[below:].strip("/").split("/"))
    )
    if not paths:
        raise NoFilesError("is a folder without files", where=location, remedy="correct data.source")
    _check_inside(filesystem, root, paths)
    return _Folder(1, "", filesystem, root, paths)


def _find(filesystem: Any, root: str) -> Iterator[str]:
    """Yield the files below a folder; here without asking for the state of each, which takes as long as to decode a small picture."""
    if not isinstance(filesystem, LocalFileSystem):
        yield from map(str, filesystem.find(root))
        return
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114 - fsspec's paths
        yield from (f"{folder}/{name}" for name in (*files, *links))


def _check_inside(filesystem: Any, root: str, paths: Sequence[str]) -> None:
    """Refuse a link that leaves the folder: its content would become a row."""
    if not isinstance(filesystem, LocalFileSystem):
        return
    own = os.path.realpath(root)
    for path in paths:
        if os.path.islink(path) and not os.path.realpath(path).startswith(f"{own}/"):  # noqa: PTH114 - fsspec's paths
            raise DataError("is a link that leaves the folder", where=path, remedy="copy the file, or remove the link")


def _root(paths: Sequence[str]) -> str:
    """Return the folder of the folders of classes, of files that all lie in folders of classes."""
    return os.path.commonpath([path.rpartition("/")[0].rpartition("/")[0] for path in paths])
