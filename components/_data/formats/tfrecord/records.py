"""The framing of TFRecord files: length, its checksum, the record, its checksum.

uint64 length | uint32 masked CRC-32C of the length | length bytes | uint32 masked CRC-32C of these bytes
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import google_crc32c

from components._core.errors import DataError
from components._data.formats.buffered_stream import buffered
from components._data.formats.compression import fill, open_content
from components._data.sources.contract import SpanFile

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK = 0xA282EAD8
_LARGEST = 1 << 30


def read_records(file: SpanFile, watch: Callable[[bytes], None], most: int) -> Iterator[list[bytes]]:
    """Yield a file's records, at most so many at a time, with both checksums verified.

    Args:
        file: The file to read.
        watch: Called with every part of the file.
        most: Records at a time.

    Raises:
        DataError: When the file is empty, cut off, or a checksum is wrong; with the record's number, from 1.
    """
    with open_content(file, watch) as stream:
        content = buffered(stream)
        records: list[bytes] = []
        number = 0
        while header := fill(content, _HEADER.size):
            number += 1
            records.append(_read_record(file, content, header, number))
            if len(records) == most:
                yield records
                records = []
        if not number:
            raise DataError("is empty", where=file.name, remedy="remove the file or write it again")
        if records:
            yield records


def _read_record(file: SpanFile, content: BinaryIO, header: bytes, number: int) -> bytes:
    if len(header) < _HEADER.size:
        raise _damaged(file, number, "the file ends in the middle")
    length, checksum = _HEADER.unpack(header)
    if _masked(header[:8]) != checksum or length > _LARGEST:
        if number == 1:
            remedy = "set data.format to its format, or leave it out"
            raise DataError("is not a TFRecord file, or its first length is damaged", where=file.name, remedy=remedy)
        raise _damaged(file, number, "the checksum of its length is wrong")
    record = fill(content, length + _FOOTER.size)
    if len(record) < length + _FOOTER.size:
        raise _damaged(file, number, "the file ends in the middle")
    (checksum,) = _FOOTER.unpack_from(record, length)
    record = record[:length]
    if _masked(record) != checksum:
        raise _damaged(file, number, "its checksum is wrong")
    return record


def _masked(content: bytes) -> int:
    checksum: int = google_crc32c.value(content)
    return ((checksum >> 15 | checksum << 17) + _MASK) & 0xFFFFFFFF


def _damaged(file: SpanFile, number: int, message: str) -> DataError:
    return DataError(
        f"is damaged: {message}", where=f"{file.name}, record {number}", remedy="write or copy the file again"
    )
