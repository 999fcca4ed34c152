"""Transformed features of several dimensions: stored as bytes, in pieces that are bounded in bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._core.errors import ConfigError
from components._frameworks import transformed_rows
from components._frameworks.sklearn.data_frames import read_rows
from components._frameworks.transformed_rows import Column, TransformedRows, TransformedWriter, pq

SHAPE = (4, 3, 2)


def write(path: Path, rows: int, batch: int = 7) -> TransformedRows:
    with TransformedWriter(path) as writer:
        for start in range(0, rows, batch):
            numbers = np.arange(start, min(start + batch, rows))
            pixels = (numbers[:, None, None, None] + np.arange(24).reshape(SHAPE)) % 256
            features = {"index": numbers, "pixels": pixels.astype(np.uint8), "scaled": pixels.astype(np.float32) / 3}
            writer.write(features, numbers % 2)
    return TransformedRows(path)


def test_pictures_come_back_to_the_bit_with_their_type_and_shape(tmp_path: Path) -> None:
    rows = write(tmp_path / "train.parquet", 20)
    assert rows.columns[1:] == (Column("pixels", "uint8", SHAPE), Column("scaled", "float32", SHAPE))
    features, _ = rows.head(20)
    expected = (np.arange(20)[:, None, None, None] + np.arange(24).reshape(SHAPE)) % 256
    assert features["pixels"].dtype == np.uint8 and features["scaled"].dtype == np.float32
    np.testing.assert_array_equal(features["pixels"], expected)
    np.testing.assert_array_equal(features["scaled"], expected.astype(np.float32) / 3)


def test_row_groups_and_windows_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = 24 + 24 * 4
    monkeypatch.setattr(transformed_rows, "GROUP_BYTES", 10 * row)
    monkeypatch.setattr(transformed_rows, "WINDOW_BYTES", 35 * row)
    rows = write(tmp_path / "train.parquet", 95)
    with pq.ParquetFile(tmp_path / "train.parquet") as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert max(sizes) <= 10 and sum(sizes) == 95
    windows = [len(labels) for _, labels in rows._windows(None)]
    assert max(windows) <= 35 and sum(windows) == 95


def test_an_epoch_over_windows_has_every_row_once_with_its_own_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformed_rows, "GROUP_BYTES", 1_000)
    monkeypatch.setattr(transformed_rows, "WINDOW_BYTES", 3_000)
    rows = write(tmp_path / "train.parquet", 100)
    batches = list(rows.batches(8, np.random.default_rng(3)))
    index = np.concatenate([features["index"] for features, _ in batches])
    assert sorted(index.tolist()) == list(range(100)) != index.tolist()
    first = np.concatenate([features["pixels"][:, 0, 0, 0] for features, _ in batches])
    np.testing.assert_array_equal(first, index % 256)


def test_a_model_of_tables_refuses_a_picture_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'pixels' has the shape \[4, 3, 2\] per row"):
        read_rows(write(tmp_path / "train.parquet", 5))
