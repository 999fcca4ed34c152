"""Rows and groups in two splits are counted, for any kind of split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.examples.hash_split import define_split
from components._core.project.split_config import Split
from components.validate.findings import severities
from components.validate.key_counter import KeyCounter, Overlap
from components.validate.overlaps import find_overlaps, to_checks

TYPES = {"a": "int64", "b": "string", "patient_no": "int64", "note": "string"}
Rows = list[tuple[int | None, str | None, int | None]]


def write_examples(folder: Path, by: tuple[str, ...] = (), **rows: Rows) -> Manifest:
    for name in SPLITS:
        path = split_file(folder, name, 1)
        path.parent.mkdir(parents=True)
        columns = list(zip(*rows.get(name, []), strict=True)) or [(), (), ()]
        arrays = [
            pa.array(list(values), kind)
            for values, kind in zip(columns, (pa.int64(), pa.string(), pa.int64()), strict=True)
        ]
        note = pa.array(["same"] * len(arrays[0]), pa.string())
        pq.write_table(pa.table([*arrays, note], names=list(TYPES)), path)
    counts = {name: len(rows.get(name, [])) for name in SPLITS}
    return Manifest("f", TYPES, counts, [1], [], define_split(Split(by=list(by)), ["a", "b"]))


def find(folder: Path, manifest: Manifest, exclude: tuple[str, ...] = ("patient_no", "note")) -> dict[str, Overlap]:
    features = {name: kind for name, kind in TYPES.items() if name not in exclude}
    return {found.column: found for found in find_overlaps(folder, manifest, features, list(exclude))[0]}


def test_rows_with_equal_features_in_two_splits_are_counted(tmp_path: Path) -> None:
    manifest = write_examples(
        tmp_path,
        train=[(1, "x", 1), (1, "x", 2), (2, None, 3), (5, "z", 4)],
        eval=[(1, "x", 5), (3, "x", 6)],
        test=[(1, "x", 7), (2, None, 8), (2, None, 9), (2, "y", 10)],
    )
    found = find(tmp_path, manifest)
    assert (found[""].keys, found[""].rows, found[""].held_out) == (2, 4, 6)
    assert found["patient_no"].rows == 0 and set(found) == {"", "patient_no"}  # `note` is not named as an identifier


def test_groups_in_two_splits_are_counted_and_rows_without_one_are_not_a_group(tmp_path: Path) -> None:
    manifest = write_examples(
        tmp_path,
        train=[(1, "x", 7), (2, "x", None)],
        eval=[(3, "x", 8), (4, "x", None)],
        test=[(5, "x", 7), (6, "x", 8), (7, "x", 9)],
    )
    found = find(tmp_path, manifest)["patient_no"]
    assert (found.keys, found.rows, found.held_out) == (2, 3, 4)


def test_what_the_split_went_by_is_not_looked_at_again(tmp_path: Path) -> None:
    manifest = write_examples(tmp_path, ("patient_no",), train=[(1, "x", 7)], test=[(1, "x", 7)])
    assert set(find(tmp_path, manifest)) == {""}


def test_empty_splits_have_no_overlap(tmp_path: Path) -> None:
    found = find(tmp_path, write_examples(tmp_path))
    assert {overlap.share for overlap in found.values()} == {0.0}


@pytest.mark.parametrize(
    ("rows", "policy", "status"),
    [(0, {}, "pass"), (10, {}, "pass"), (11, {}, "warn"), (11, {"rows_in_two_splits": "fail"}, "fail")],
)
def test_the_check_says_how_many_and_the_policy_decides(rows: int, policy: dict[str, Any], status: str) -> None:
    (check,) = to_checks([Overlap("", 3, rows, 1_000, 1.0)], severities(policy))
    assert (check.name, check.status, check.measured, check.threshold) == (
        "rows in two splits",
        status,
        rows / 1000,
        0.01,
    )
    assert check.n == 1_000 and f"{rows} of 1,000 eval and test rows" in check.reason


def test_the_check_of_a_group_names_the_setting() -> None:
    (check,) = to_checks([Overlap("patient_no", 60, 240, 240, 1.0)], severities({"groups_in_two_splits": "ignore"}))
    assert check.name == "groups in two splits: patient_no" and check.status == "skipped"
    assert "60 values" in check.reason and "by: [patient_no]" in check.reason and "ignored" in check.reason


def test_memory_is_bounded_and_a_sample_gives_the_share() -> None:
    random = np.random.default_rng(5)
    keys = random.integers(0, 2**64, 100_000, dtype=np.uint64)
    counter = KeyCounter(most=4_096)
    for start in range(0, 100_000, 7_000):
        counter.add("train", keys[start : start + 7_000])
    counter.add("test", keys[:20_000])
    counter.add("test", random.integers(0, 2**64, 60_000, dtype=np.uint64))
    assert max(map(len, counter._keys.values())) <= 4_096
    found = counter.overlap("")
    assert found.kept < 0.1 and found.share == pytest.approx(0.25, abs=0.03)
    (check,) = to_checks([found], severities({}))
    assert "of a sample: 1 in" in check.reason
