"""Given splits: by a column, by folders and by names of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._core.errors import DataError
from components._core.examples.artifact import SPLITS, read_batches
from components._core.examples.former_split import reassign_splits
from components._core.examples.hash_split import UNKNOWN
from tests.components.ingest.splits.conftest import Ingest


def write(folder: Path, names: list[str], name: str = "t.csv", column: str = "fold") -> None:
    lines = [f"{row},{given},{row % 2}" for row, given in enumerate(names)]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([f"x,{column},y", *lines]) + "\n")


def test_a_column_gives_the_split_and_is_no_feature(tmp_path: Path, split_table: Ingest) -> None:
    names = [("Train ", "valid", "TEST", "training")[row % 4] for row in range(80)]
    write(tmp_path, names)
    ingested = split_table("t.csv", {"method": "given", "by": "fold"})
    assert {split: len(rows) for split, rows in ingested.rows("x").items()} == {"train": 40, "eval": 20, "test": 20}
    assert set(ingested.rows("fold")["eval"]) == {"valid"}
    assert ingested.check("given split").n == 80


def test_values_name_the_splits(tmp_path: Path, split_table: Ingest) -> None:
    write(tmp_path, [str(row % 5) for row in range(100)])
    values = {"train": [0, 1, 2], "eval": 3, "test": ["4"]}
    ingested = split_table("t.csv", {"method": "given", "by": ["fold"], "values": values})
    assert set(ingested.rows("fold")["test"]) == {4} and len(ingested.rows("x")["train"]) == 60


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train", "test", "holdout", "holdout", ""] * 10, r"'holdout' \(20 rows\), no value \(10 rows\)"),
        (["train", "eval"] * 10, "gives no test rows: found 'eval', 'train'"),
        (["test"] * 10, "gives no train rows"),
    ],
)
def test_names_of_no_split_and_splits_without_rows_are_refused(
    names: list[str], message: str, tmp_path: Path, split_table: Ingest
) -> None:
    write(tmp_path, names)
    with pytest.raises(DataError, match=message) as refused:
        split_table("t.csv", {"method": "given", "by": "fold"})
    assert "data.split.values" in str(refused.value)


def test_without_eval_rows_some_train_rows_are_eval_by_their_hash(tmp_path: Path, split_table: Ingest) -> None:
    write(tmp_path, [("train", "train", "train", "test")[row % 4] for row in range(400)])
    ingested = split_table("t.csv", {"method": "given", "by": "fold"})
    rows = ingested.rows("x")
    assert (
        len(rows["test"]) == 100 and 15 <= len(rows["eval"]) <= 55 and set(ingested.rows("fold")["eval"]) == {"train"}
    )
    assert "none is given as eval" in ingested.check("given split").reason
    definition = ingested.manifest.split
    assert definition is not None
    for number, split in enumerate(SPLITS):
        for batch in read_batches(ingested.folder, split):
            assert set(reassign_splits(batch, definition, ingested.manifest.columns)) == {number}


def test_names_of_files_give_the_split(tmp_path: Path, split_table: Ingest) -> None:
    for name, rows in (("train", 60), ("val", 20), ("test", 30)):
        write(tmp_path, [f"{name}{row}" for row in range(rows)], f"d/{name}.csv", "text")
    ingested = split_table("d/{split}.csv", {"method": "given"})
    assert {split: len(rows) for split, rows in ingested.rows("x").items()} == {"train": 60, "eval": 20, "test": 30}
    definition = ingested.manifest.split
    assert definition is not None
    (batch,) = read_batches(ingested.folder, "test")
    assert set(reassign_splits(batch, definition, {})) == {np.int8(UNKNOWN)}


def test_folders_give_the_split_of_each_span(tmp_path: Path, split_table: Ingest) -> None:
    for span in (1, 2):
        for name in ("train", "dev", "test"):
            write(tmp_path, [f"{name}{row}" for row in range(30)], f"{name}/part-{span}.csv", "text")
    ingested = split_table("{split}/part-{span}.csv", {"method": "given"})
    assert ingested.manifest.spans == [1, 2] and len(ingested.rows("x")["eval"]) == 60
    (tmp_path / "notes").mkdir()
    write(tmp_path, ["a"], "notes/part-1.csv", "text")
    with pytest.raises(DataError, match=r"names no split: 'notes'"):
        split_table("{split}/part-{span}.csv", {"method": "given"})
