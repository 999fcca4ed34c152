"""The table of formats: one line for each."""

from __future__ import annotations

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.suggestions import listed, suggest
from components._data.formats.archives import refuse_archive
from components._data.formats.arrow.format import ArrowFormat
from components._data.formats.avro.format import AvroFormat
from components._data.formats.compression import HEAD_BYTES, read_head
from components._data.formats.contract import Format
from components._data.formats.csv.format import CsvFormat
from components._data.formats.jsonl.format import JsonLinesFormat
from components._data.formats.measured_texts import MeasuredTexts, read_as_texts
from components._data.formats.parquet.format import ParquetFormat
from components._data.formats.partitioned import PartitionedFormat
from components._data.formats.pictures.picture_format import PictureFormat
from components._data.formats.text_lines.format import TextLinesFormat
from components._data.formats.tfrecord.format import TFRecordFormat
from components._data.formats.xlsx.format import XlsxFormat
from components._data.sources.contract import SpanFile

FORMATS: dict[str, type[Format]] = {}
"""Formats by their name in `data.format`; the first one, which any text may be, is tried last and reads what none recognises."""
AUTO = "auto"
"""Value of `data.format` for a format recognised by content; as an empty one."""


def register(kind: type[Format]) -> None:
    """Add a format to the table.

    Raises:
        ValueError: When the name is taken.
    """
    if kind.name in FORMATS:
        raise ValueError(f"duplicate format {kind.name!r}")
    FORMATS[kind.name] = kind


def open_format(data: Data, file: SpanFile | None = None) -> Format:
    """Return the format of a source: the one that the project names, else the one that recognises the first file's content.

    Args:
        data: The project's `data` section.
        file: The source's first file; without it, the extension of the source's name decides.

    Raises:
        ConfigError: When the project names a format that does not exist, or has settings of another format.
        DataError: When the first file is an archive, or compressed in a way that is not read.
    """
    kind = _find(data, file)
    for other in FORMATS.values():
        if other is not kind and other.section and getattr(data, other.section) != type(getattr(data, other.section))():
            raise ConfigError(
                f"the table is read as {kind.name}, which has no such settings",
                where=f"data.{other.section}",
                remedy=f"remove them, or set data.format: {other.name} if that is the table's format",
            )
    opened = kind(read_as_texts(data, kind.name))
    opened = PartitionedFormat(opened) if file is not None and file.partition else opened
    opened = PictureFormat(opened, data.pictures) if data.pictures is not None else opened
    return MeasuredTexts(opened) if file is not None and data.texts.columns else opened


def _find(data: Data, file: SpanFile | None) -> type[Format]:
    if file and file.format:
        return _given_by_source(data, file.format)
    if data.format in ("", AUTO):
        return (_recognise_content(file) if file else None) or _recognise_name(data.source)
    if data.format not in FORMATS:
        raise ConfigError(
            f"unknown format {data.format!r}; {suggest(data.format, list(FORMATS))}",
            where="data.format",
            remedy=f"allowed: {listed(list(FORMATS))}, or leave it out to recognise it by the file's content",
        )
    return FORMATS[data.format]


def _given_by_source(data: Data, name: str) -> type[Format]:
    if data.format not in ("", AUTO, name):
        message = f"found {data.format!r}, but the rows of this source have no files and are read as {name}"
        raise ConfigError(message, where="data.format", remedy="leave it out")
    return FORMATS[name]


def _recognise_content(file: SpanFile) -> type[Format] | None:
    """Find the format of a file's content; None where no format recognises it."""
    first, compression = read_head(file, HEAD_BYTES)
    text, *others = FORMATS.values()
    found = next((kind for kind in others if kind.recognises(first)), None)
    if found is None or compression:
        refuse_archive(file, first, compression)
    return found or (text if text.recognises(first) else None)


def _recognise_name(source: str) -> type[Format]:
    """Find the format by the extension of a path or URL; `zip://t.parquet::s3://bucket/t.zip` names a file in an archive."""
    for name in (source.lower(), source.lower().partition("::")[0]):
        for kind in FORMATS.values():
            if name.endswith(kind.endings):
                return kind
    return next(iter(FORMATS.values()))


register(CsvFormat)
register(ParquetFormat)
register(ArrowFormat)
register(JsonLinesFormat)
register(AvroFormat)
register(TFRecordFormat)
register(XlsxFormat)
register(TextLinesFormat)
