"""Rows that repeat an earlier one: exactly those, over many batches, in bounded memory."""

import numpy as np
import pyarrow as pa
import pytest

from components._data.rules.repeated_keys import SeenKeys, hash_keys


def hashes(*columns: pa.Array) -> list[int]:
    names = [f"c{number}" for number in range(len(columns))]
    return hash_keys(pa.RecordBatch.from_arrays(list(columns), names=names), names)[0].tolist()


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_every_row_whose_key_an_earlier_one_had_is_found(rows: int) -> None:
    keys = np.random.default_rng(rows).integers(0, 900, 3_000).astype(np.uint64)
    seen = SeenKeys(10_000)
    found = np.concatenate([seen.add(keys[start : start + rows]) for start in range(0, len(keys), rows)])
    first: set[int] = set()
    expected = [key in first or first.add(key) is not None for key in keys.tolist()]  # type: ignore[func-returns-value]
    assert found.tolist() == expected and seen.kept == len(first) and not seen.is_full


def test_beyond_the_most_keys_the_kept_ones_are_still_compared() -> None:
    seen = SeenKeys(3)
    assert not seen.add(np.array([1, 2, 3, 4], np.uint64)).any()
    assert seen.is_full and seen.kept == 3
    assert seen.add(np.array([1, 2, 3, 4, 4], np.uint64)).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.0, 1.0 + 2**-40, -1.0, 0.5]),
        pa.array([2**53, 2**53 + 1, -1, 0]),
        pa.array(["1", "1.0", " 1", "NA"]),
        pa.array([True, False]),
        pa.array([1, 2], pa.timestamp("us", "UTC")),
        pa.array([1, 2], pa.date32()),
        pa.array([b"a", b"b"]),
    ],
    ids=lambda values: str(values.type),
)
def test_keys_differ_wherever_values_do(values: pa.Array) -> None:
    with_missing = pa.concat_arrays([values, pa.array([None], values.type)])
    found = hashes(with_missing)
    assert len(set(found)) == len(found) and hashes(with_missing) == found


def test_the_columns_of_a_key_do_not_run_into_one_another() -> None:
    one, other = pa.array(["a", "ab", "b", None]), pa.array(["bc", "c", "a", "b"])
    assert len({*hashes(one, other), *hashes(other, one)}) == 8
    assert hashes(pa.array([0.0]), pa.array(["x"])) == hashes(pa.array([-0.0]), pa.array(["x"]))


def test_a_row_without_a_value_in_the_key_is_marked() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, None]), pa.array(["a", "b"])], names=["n", "t"])
    assert hash_keys(batch, ["n", "t"])[1].tolist() == [False, True]
