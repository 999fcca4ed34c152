"""WebDataset: tar archives in which neighbouring members with one name but for the ending are a row.

    webdataset://data/train.tar          000001.jpg 000001.cls 000002.jpg 000002.cls ...
    webdataset://data/train-{span}.tar   an archive, or several (`*`), for each span
    webdataset://s3://bucket/shards      all archives of a folder

The picture becomes the column `picture`, `.cls` the column `label`, `.txt` the column `text`, the fields of a `.json` object columns of
their names; `path` has the name of the picture in the archive. Nothing is unpacked: an archive is read once, from its beginning to its end, and what its names
would overwrite elsewhere does not matter. Other endings are left out.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from lzma import LZMAError
from typing import Any, BinaryIO

import pyarrow as pa

from components._core.errors import DataError, first_line
from components._core.project.picture_config import DEFAULT_COLUMN, PICTURE_ENDINGS
from components._core.types.file_columns import LABEL_COLUMN, PATH_COLUMN
from components._data.sources.batch_files import FORMAT, Batches, BatchFiles
from components._data.sources.contract import SpanFile
from components._data.sources.files import FileSource
from components._data.sources.span_expression import MissingSpans

TEXT = "text"
_TEXTS = {"cls": LABEL_COLUMN, "txt": TEXT}
_JSON = "json"
_MOST_BYTES = 512 << 20
_MOST_TEXT = 16 << 20
_BATCH_ROWS, _BATCH_BYTES = 256, 16 << 20
_INFERRED = 1_000
"""Rows of the first archive by which the columns and their types are decided."""
_ERRORS = (tarfile.TarError, zlib.error, LZMAError, EOFError)
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}

Row = dict[str, Any]


@dataclass(frozen=True)
class WebDatasetSource:
    """Tar archives of samples.

    Attributes:
        location: Path or URL of an archive, a folder or a pattern.
        missing_spans: Whether a span that an expression names must exist.
    """

    location: str
    missing_spans: MissingSpans = "fail"

    def list_files(self, spans: str) -> list[SpanFile]:
        """See `Source`; each archive is a file.

        Raises:
            DataError: Also when the first archive is not one, or has no sample.
        """
        archives = self._archives.list_files(spans)
        fields: list[pa.Schema] = []

        def read(path: str) -> tuple[pa.Schema, Batches]:
            if not fields:
                fields.append(_infer(archives[0]))
            return fields[0], _batches(by_path[path], fields[0])

        by_path = {archive.path: archive for archive in archives}
        files = BatchFiles(read)
        return [replace(archive, filesystem=files, format=FORMAT) for archive in archives]

    def fingerprint(self, spans: str) -> str:
        """See `Source`."""
        return self._archives.fingerprint(spans)

    def state(self, file: SpanFile) -> str:
        """See `Source`."""
        found = (archive for archive in self._archives.list_files("all") if archive.path == file.path)
        return next((self._archives.state(archive) for archive in found), "")

    @property
    def _archives(self) -> FileSource:
        return FileSource(self.location, self.missing_spans)


def _infer(file: SpanFile) -> pa.Schema:
    """Infer the columns of all archives from the first rows of one."""
    types: dict[str, pa.DataType] = {}
    for count, row in enumerate(_rows(file)):
        if count == _INFERRED:
            break
        for name, value in row.items():
            known = types.get(name)
            found = pa.binary() if name == DEFAULT_COLUMN else _TYPES.get(type(value), pa.string())
            types[name] = _wider(known, found) if value is not None and known is not None else known or found
    if not types:
        raise DataError("has no sample: no member with a known ending", where=file.name, remedy=_remedy())
    return pa.schema(
        [(name, kind if not pa.types.is_binary(kind) else pa.large_binary()) for name, kind in types.items()]
    )


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


def _remedy() -> str:
    return f"name pictures {', '.join(sorted(PICTURE_ENDINGS))}; labels .cls, texts .txt, other columns .json"


def _batches(file: SpanFile, schema: pa.Schema) -> Batches:
    waiting, size = list[Row](), 0
    for row in _rows(file):
        waiting.append(row)
        size += len(row.get(DEFAULT_COLUMN) or b"")
        if len(waiting) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield _as_batch(waiting, schema, file)
            waiting, size = [], 0
    if waiting:
        yield _as_batch(waiting, schema, file)


def _as_batch(rows: list[Row], schema: pa.Schema, file: SpanFile) -> pa.RecordBatch:
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_string(field.type):
            values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            message = f"column {field.name!r} is {field.type} in the first rows, and here: {first_line(error)}"
            raise DataError(message, where=file.name, remedy="write one type for all rows of a column") from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _rows(file: SpanFile) -> Iterator[Row]:
    """Yield the rows of an archive in its order.

    Raises:
        DataError: When it is not a tar archive, or damaged; when a sample has two pictures, or two values of a column.
    """
    key, row, unnamed = "", Row(), ""
    for name, content in _members(file):
        stem, _, ending = _split(name)
        if stem != key:
            _check_named(unnamed if not row else "", file)
            if row:
                yield row
            row, unnamed = Row(), ""
        key = stem
        if content is None:
            unnamed = unnamed or name
        else:
            _add(row, name, ending, content, file)
    _check_named(unnamed if not row else "", file)
    if row:
        yield row


def _check_named(picture: str, file: SpanFile) -> None:
    """Refuse a picture with another dot in its name that no sample has: its row would be lost."""
    if picture:
        message = f"member {picture!r} belongs to no sample: an ending begins at the first dot of a name"
        raise DataError(message, where=file.name, remedy="name its files without another dot")


def _members(file: SpanFile) -> Iterator[tuple[str, bytes | None]]:
    """Yield name and content of the members with a known ending; of a picture with another dot in its name the name alone."""
    with file.open() as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|*") as archive:
                for member in archive:
                    ending = _split(member.name)[2]
                    if member.isreg() and ending in {*PICTURE_ENDINGS, *_TEXTS, _JSON}:
                        yield member.name, _content(archive, member, file)
                    elif (
                        member.isreg()
                        and ending.rpartition(".")[2] in PICTURE_ENDINGS
                        and _split(member.name)[0][-1:] not in ("", "/")
                    ):
                        yield member.name, None
        except _ERRORS as error:
            message = f"cannot be read as a tar archive: {first_line(error)}"
            raise DataError(message, where=file.name, remedy="write the archive again") from None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, file: SpanFile) -> bytes:
    """Return a member's content; of a picture that is longer than any project allows the beginning, which is refused by its size."""
    opened: BinaryIO | Any = archive.extractfile(member)
    if _split(member.name)[2] in PICTURE_ENDINGS:
        return bytes(opened.read(_MOST_BYTES))
    content = bytes(opened.read(_MOST_TEXT + 1))
    if len(content) > _MOST_TEXT:
        message = f"member {member.name!r} has more than {_MOST_TEXT >> 20} MB of text"
        raise DataError(message, where=file.name, remedy="shorten it, or take its sample out")
    return content


def _split(name: str) -> tuple[str, str, str]:
    """Return the folder and stem of a member, the dot, and its ending in lower case: `a/b.seg.PNG` is `a/b`, `seg.png`."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}{slash}{stem}", dot, ending.lower()


def _add(row: Row, name: str, ending: str, content: bytes, file: SpanFile) -> None:
    if ending in PICTURE_ENDINGS:
        if (other := row.get(PATH_COLUMN)) is not None:
            message = f"has two pictures of one sample: {other!r} and {name!r}"
            raise DataError(message, where=file.name, remedy="name the samples differently, or take one picture out")
        row[DEFAULT_COLUMN], row[PATH_COLUMN] = content, name
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"member {name!r} is not UTF-8", where=file.name, remedy="write its text in UTF-8") from None
    if ending in _TEXTS:
        _set(row, _TEXTS[ending], text.strip() or None, name, file)
        return
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise DataError(
            f"member {name!r} is not a JSON object", where=file.name, remedy='write one object, as in {"label": "cat"}'
        )
    for key, value in fields.items():
        if key not in (DEFAULT_COLUMN, PATH_COLUMN):
            _set(row, key, value, name, file)


def _set(row: Row, column: str, value: Any, name: str, file: SpanFile) -> None:
    if row.get(column, value) != value:
        message = f"has two values of column {column!r} for one sample; the second is in {name!r}"
        raise DataError(message, where=file.name, remedy="write it once")
    row[column] = value
