"""Arrays of long values equal those that Arrow makes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components._core.types.binary_arrays import binary_array


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("values", [[], [b""], [b"\0\xff" * 9, b"", b"x"]])
def test_an_array_equals_the_one_that_arrow_makes(values: list[bytes], kind: pa.DataType) -> None:
    made = binary_array(values, kind)
    made.validate(full=True)  # lengths and places
    assert made.equals(pa.array(values, kind))
