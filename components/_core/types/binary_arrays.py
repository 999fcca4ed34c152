"""Arrow arrays of long values, made with one copy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from components._core.errors import DataError


def binary_array(values: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Return values as `pa.binary()` or `pa.large_binary()`.

    `pa.array` copies what it has each time when its memory is full, which takes as long as to decode a small picture.

    Args:
        values: The values; none is missing.
        kind: The type.

    Raises:
        DataError: When the values are longer in all than a `pa.binary()` can hold.
    """
    width = np.int64 if pa.types.is_large_binary(kind) else np.int32
    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    if ends[-1] > np.iinfo(width).max:
        message = f"{len(values):,} values take {ends[-1]:,} bytes, more than is held at a time"
        raise DataError(message, remedy="of pictures, set data.pictures.max_pixels lower")
    buffers = [None, pa.py_buffer(ends.astype(width)), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)
