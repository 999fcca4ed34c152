import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.types.feature_types import FEATURE_TYPES, INT64, first_inexact, type_of_schema
from components._core.types.signature import Feature, to_arrays


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
    small = replace(INT64, name="int8", arrow=pa.int8(), numpy=np.dtype(np.int8), schema="STRUCT")
    monkeypatch.setitem(FEATURE_TYPES, small.name, small)
    assert type_of_schema("STRUCT") is small
    assert Feature("n", "int8", False).type is small
    assert to_arrays(pa.table({"n": pa.array([1, 2])}), (Feature("n", "int8", False),))["n"].dtype == np.int8


@pytest.mark.parametrize(("real", "bound"), [(np.float32, 2**24), (np.float64, 2**53)])
def test_a_real_type_holds_every_whole_number_up_to_its_bound(real: type[np.floating[Any]], bound: int) -> None:
    assert first_inexact(np.dtype(real)) == bound
    assert real(bound) - real(bound - 1) == 1
    assert int(real(bound + 1)) == bound


def test_the_types_need_neither_tensorflow_nor_its_metadata() -> None:
    code = "import sys, components._core.types.signature; print([n for n in sys.modules if n.startswith('tensorflow')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
