import numpy as np
import pyarrow as pa

from components._core.project import Split
from components.ingest.splits import assign_splits, hash_rows


def _rows(count: int) -> pa.RecordBatch:
    random = np.random.default_rng(3)
    values = {
        "whole": pa.array(random.integers(0, 10**6, count)),
        "real": pa.array(random.normal(size=count).astype(np.float32)),
        "text": pa.array([f"c{number}" for number in random.integers(0, 50, count)]),
    }
    return pa.RecordBatch.from_arrays(list(values.values()), names=list(values))


def test_shares_are_as_asked() -> None:
    numbers = assign_splits(_rows(50_000), Split(train=0.7, eval=0.1, test=0.2))
    shares = np.bincount(numbers) / len(numbers)
    assert np.allclose(shares, [0.7, 0.1, 0.2], atol=0.01)


def test_a_row_falls_the_same_way_in_any_batch() -> None:
    rows = _rows(1_000)
    whole = hash_rows(rows, rows.schema.names)
    parts = [hash_rows(rows.slice(start, 77), rows.schema.names) for start in range(0, 1_000, 77)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_a_missing_value_elsewhere_in_the_batch_changes_nothing() -> None:
    with_gap = pa.RecordBatch.from_arrays([pa.array([5, None, 7])], names=["whole"])
    without = pa.RecordBatch.from_arrays([pa.array([5, 6, 7])], names=["whole"])
    assert hash_rows(with_gap, ["whole"])[[0, 2]].tolist() == hash_rows(without, ["whole"])[[0, 2]].tolist()


def test_rows_equal_in_the_chosen_columns_land_together() -> None:
    rows = _rows(5_000)
    numbers = assign_splits(rows, Split(by=["text"]))
    by_text: dict[str, set[int]] = {}
    for text, number in zip(rows.column(2).to_pylist(), numbers.tolist(), strict=True):
        by_text.setdefault(text, set()).add(number)
    assert all(len(found) == 1 for found in by_text.values())
    assert len({next(iter(found)) for found in by_text.values()}) > 1


def test_values_that_swap_columns_are_another_row() -> None:
    rows = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array([2, 1])], names=["a", "b"])
    first, second = hash_rows(rows, ["a", "b"])
    assert first != second
