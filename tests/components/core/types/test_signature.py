from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import DataError
from components._core.examples.artifact import missing_counts, split_file
from components._core.types.signature import Feature, Signature, to_arrays

WHOLE = Feature("n", "int64", False)


def test_a_missing_whole_number_is_not_made_up() -> None:
    batch = pa.table({"n": pa.array([1, None, 3], pa.int64())})
    with pytest.raises(DataError, match="column n: is missing in 1 of 3 rows, and the schema requires it") as error:
        to_arrays(batch, (WHOLE,))
    assert "let it be missing in the reviewed schema" in error.value.remedy


def test_a_whole_number_that_may_be_missing_is_a_real_one() -> None:
    batch = pa.table({"n": pa.array([1, None, 3], pa.int64())})
    found = to_arrays(batch, (Feature("n", "float32", True),))["n"]
    np.testing.assert_array_equal(found, np.array([1, np.nan, 3], np.float32))


def test_missing_values_are_counted_without_reading_rows(tmp_path: Path) -> None:
    for span, values in ((1, [1, None, None]), (2, [4, 5, None])):
        path = split_file(tmp_path, "test", span)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"n": pa.array(values, pa.int64()), "m": [1, 2, 3]}), path, row_group_size=2)
    assert missing_counts(tmp_path, "test") == {"n": 3, "m": 0}


def test_the_fingerprint_of_a_signature_changes_with_it_and_survives_a_file(tmp_path: Path) -> None:
    signature = Signature("regression", (WHOLE,), {"prediction": "float32"}, ())
    signature.save(tmp_path)
    assert Signature.load(tmp_path).fingerprint == signature.fingerprint and len(signature.fingerprint) == 16
    other = Signature("regression", (Feature("n", "int64", True),), {"prediction": "float32"}, ())
    assert other.fingerprint != signature.fingerprint
