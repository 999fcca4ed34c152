"""Stratified splits: exact shares of rare classes, no row of a frequent class moves when the table grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.examples import stratified_split
from components._core.examples.artifact import SPLITS, read_batches
from components._core.examples.former_split import reassign_splits
from components._core.project.project_file import parse_project
from tests.components.ingest.splits.conftest import Ingest, Ingested

STRATIFIED = {"method": "stratified"}
COUNTS = {"a": 900, "b": 60, "c": 10, "d": 3}


def write(folder: Path, counts: dict[str, int], name: str = "t.csv") -> None:
    lines = [f"{row},{row % 7}.5,{label}" for label, count in counts.items() for row in range(count)]
    (folder / name).write_text("\n".join(["x,z,y", *lines]) + "\n")


def shares(ingested: Ingested) -> dict[str, tuple[int, ...]]:
    """Rows of each class in train, eval and test."""
    labels = ingested.rows("y")
    return {name: tuple(labels[split].count(name) for split in SPLITS) for name in COUNTS}


def places(ingested: Ingested) -> dict[tuple[int, str], str]:
    rows, labels = ingested.rows("x"), ingested.rows("y")
    return {key: split for split in SPLITS for key in zip(rows[split], labels[split], strict=True)}


def test_each_class_has_its_shares_and_three_rows_are_in_three_splits(tmp_path: Path, split_table: Ingest) -> None:
    write(tmp_path, COUNTS)
    ingested = split_table("t.csv", STRATIFIED)
    assert shares(ingested) == {"a": (720, 90, 90), "b": (48, 6, 6), "c": (8, 1, 1), "d": (1, 1, 1)}
    assert ingested.check("stratified split").status == "pass"


def test_a_class_without_enough_rows_is_named(tmp_path: Path, split_table: Ingest) -> None:
    write(tmp_path, {"a": 50, "e": 2, "f": 1})
    ingested = split_table("t.csv", STRATIFIED)
    check = ingested.check("stratified split")
    assert (check.status, check.measured) == ("warn", 2.0) and "'e', 'f'" in check.reason
    assert "e" in ingested.rows("y")["test"] and "f" in ingested.rows("y")["train"]


def test_few_rows_move_when_a_rare_class_grows_and_none_of_a_frequent_one(
    tmp_path: Path, split_table: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stratified_split, "MANY", 500)
    monkeypatch.setattr("components.ingest.splits.stratified_split.MANY", 500)
    write(tmp_path, COUNTS)
    before = places(split_table("t.csv", STRATIFIED))
    write(tmp_path, {"a": 1_400, "b": 90, "c": 10, "d": 3})
    after = places(split_table("t.csv", STRATIFIED))
    moved = [label for (row, label), split in before.items() if after[row, label] != split]
    assert set(moved) <= {"b"} and len(moved) <= 6


def test_a_later_run_follows_the_definition_of_an_earlier_one(tmp_path: Path, split_table: Ingest) -> None:
    write(tmp_path, COUNTS)
    ingested = split_table("t.csv", STRATIFIED)
    definition = ingested.manifest.split
    assert definition is not None and ingested.manifest.split == definition
    for number, split in enumerate(SPLITS):
        for batch in read_batches(ingested.folder, split):
            assert set(reassign_splits(batch, definition, ingested.manifest.columns)) == {number}


def test_a_label_of_whole_numbers_is_a_class_by_its_text(tmp_path: Path, split_table: Ingest) -> None:
    lines = [f"{row},{row % 2 if row < 200 else 5}" for row in range(210)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *lines]) + "\n")
    ingested = split_table("t.csv", STRATIFIED)
    assert [ingested.rows("y")[split].count(5) for split in SPLITS] == [8, 1, 1]


def test_a_project_without_classes_is_refused_before_anything_runs() -> None:
    raw = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv", "split": STRATIFIED}}
    with pytest.raises(ConfigError, match="a regression project has none"):
        parse_project(raw)
