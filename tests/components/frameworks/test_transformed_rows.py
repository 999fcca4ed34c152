from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._frameworks import transformed_rows
from components._frameworks.transformed_rows import Column, TransformedRows, TransformedWriter


def write(path: Path, rows: int, batch: int) -> TransformedRows:
    with TransformedWriter(path) as writer:
        for start in range(0, rows, batch):
            numbers = np.arange(start, min(start + batch, rows))
            pairs = np.stack([numbers, -numbers], axis=1).astype(np.float32)
            writer.write({"index": numbers, "pair": pairs}, (numbers % 2).astype(np.int64))
    return TransformedRows(path)


def test_scalars_and_vectors_come_back_as_they_were_written(tmp_path: Path):
    rows = write(tmp_path / "train.parquet", 10, 4)
    assert rows.columns == (Column("index", "int64", ()), Column("pair", "float32", (2,)))
    features, labels = rows.head(100)
    assert features["index"].tolist() == list(range(10)) and labels.tolist() == [0, 1] * 5
    np.testing.assert_array_equal(features["pair"][:, 1], -np.arange(10, dtype=np.float32))


@pytest.mark.parametrize("names", [("label",), ("label_", "label"), ("label", "label_")])
def test_a_feature_may_have_the_name_of_the_label(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "train.parquet"
    with TransformedWriter(path) as writer:
        writer.write({name: np.array([5.0, 6.0], np.float32) for name in names}, np.array([0, 1]))
    rows = TransformedRows(path)
    features, labels = rows.head(2)
    assert [column.name for column in rows.columns] == list(names) and rows.label_dtype == "int64"
    assert labels.tolist() == [0, 1] and all(features[name].tolist() == [5, 6] for name in names)


@pytest.mark.parametrize("window", [1, 2, 100])
def test_every_row_comes_once_an_epoch_in_an_order_that_the_seed_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
):
    monkeypatch.setattr(transformed_rows, "GROUP_ROWS", 100)
    monkeypatch.setattr(transformed_rows, "WINDOW_GROUPS", window)
    rows = write(tmp_path / "train.parquet", 1_050, 30)
    first, again, other = (_epoch(rows, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first) == list(range(1_050)) != first


def test_small_batches_are_written_as_whole_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transformed_rows, "GROUP_ROWS", 100)
    assert write(tmp_path / "train.parquet", 1_000, 10)._groups == 10


def test_fewer_rows_are_drawn_evenly_whatever_is_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformed_rows, "GROUP_ROWS", 10)
    rows = write(tmp_path / "train.parquet", 25, 10)
    assert rows.thin(25) is rows
    expected = [0, 3, 6, 9, 10, 13, 16, 19, 20, 23]
    for window in (1, 100):
        monkeypatch.setattr(transformed_rows, "WINDOW_GROUPS", window)
        few = rows.thin(9)
        assert [int(index) for features, _ in few.batches(4) for index in features["index"]] == expected
        assert few.rows == len(expected) and few.count_labels(2).tolist() == [5, 5]


def _epoch(rows: TransformedRows, seed: int) -> list[int]:
    batches = rows.batches(64, np.random.default_rng(seed))
    return [int(index) for features, _ in batches for index in features["index"]]
