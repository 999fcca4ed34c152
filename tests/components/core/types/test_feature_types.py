import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.types.feature_types import (
    FEATURE_TYPES,
    FLOAT32,
    INT64,
    STRING,
    FeatureType,
    type_of_arrow,
    type_of_schema,
)
from components._core.types.signature import Feature, to_arrays


@pytest.mark.parametrize(
    ("arrow", "expected"),
    [(pa.int32(), INT64), (pa.float64(), FLOAT32), (pa.string(), STRING), (pa.float32(), FLOAT32)],
)
def test_an_arrow_type_is_read_as_one_type(arrow: pa.DataType, expected: FeatureType) -> None:
    assert type_of_arrow(arrow, "delay") is expected


def test_an_arrow_type_that_no_type_reads_is_refused_with_the_column_and_what_is_allowed() -> None:
    with pytest.raises(DataError, match=r"column tags: has the Arrow type list<.*>; allowed: int64, float32, string"):
        type_of_arrow(pa.list_(pa.string()), "tags")


def test_every_type_of_a_schema_has_one_type() -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    names = [name for name in schema_pb2.FeatureType.keys() if type_of_schema(name)]  # noqa: SIM118 - no mapping
    assert names == ["BYTES", "INT", "FLOAT"]


def test_tensorflow_knows_every_type_by_its_name() -> None:
    import tensorflow as tf

    assert {kind.name: tf.as_dtype(kind.tensorflow).as_numpy_dtype for kind in FEATURE_TYPES.values()} == {
        "int64": np.int64,
        "float32": np.float32,
        "string": object,
    }


def test_a_line_in_the_table_is_enough_for_a_new_type(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(
        INT64, name="int8", arrow=pa.int8(), is_arrow=pa.types.is_int8, numpy=np.dtype(np.int8), schema="STRUCT"
    )
    for known in list(FEATURE_TYPES):  # it reads what another type reads too, so it stands first
        monkeypatch.delitem(FEATURE_TYPES, known)
    for known in (small, INT64, FLOAT32, STRING):
        monkeypatch.setitem(FEATURE_TYPES, known.name, known)
    assert type_of_arrow(pa.int8(), "n") is small
    assert type_of_schema("STRUCT") is small
    assert Feature("n", "int8", False).type is small
    assert to_arrays(pa.table({"n": pa.array([1, 2])}), (Feature("n", "int8", False),))["n"].dtype == np.int8


def test_the_types_need_neither_tensorflow_nor_its_metadata() -> None:
    code = "import sys, components._core.types.signature; print([n for n in sys.modules if n.startswith('tensorflow')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
