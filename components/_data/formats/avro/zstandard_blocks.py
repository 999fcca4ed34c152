"""Blocks of the codec zstandard: newer versions of fastavro read them only with `backports.zstd`; cramjam, which is there for snappy, does it too."""

from __future__ import annotations

import importlib.util
from io import BytesIO
from typing import Any

import cramjam
import fastavro

_NAME = "zstandard"


def register() -> None:
    """Give fastavro a reader of such blocks, where its own one has no library."""
    if fastavro.read.BLOCK_READERS[_NAME] is not _read_block and not _has_library():
        fastavro.read.BLOCK_READERS[_NAME] = _read_block


def _has_library() -> bool:
    try:
        return importlib.util.find_spec("backports.zstd") is not None
    except ModuleNotFoundError:  # nothing of `backports` is installed
        return False


def _read_block(stream: Any) -> BytesIO:
    size = _read_long(stream)
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("the file ends in a block")
    return BytesIO(cramjam.zstd.decompress(content).read())


def _read_long(stream: Any) -> int:
    """Read a whole number as Avro writes it: seven bits a byte, the lowest first, zigzag."""
    value = shift = 0
    while True:
        read: bytes = stream.read(1)
        if not read:
            raise EOFError("the file ends in a block")
        byte = read[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
