"""The leakage check: sizes of splits, near duplicates by a sketch, times that overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.checks import Check
from components._core.examples.artifact import SPLITS, Manifest, split_file
from components._core.examples.hash_split import define_split
from components._core.examples.split_definition import GivenSplit, SplitDefinition, TimeSplit
from components._core.project.split_config import Split
from components._core.types.column_types import type_of_arrow
from components.validate.findings import severities
from components.validate.leakage import check_splits
from components.validate.near_duplicates import choose_left_out, round_numbers

GIVEN = GivenSplit("fold", {"train": "train", "test": "test"}, (), 0.0, 2)
HASH = define_split(Split(), ["a"])


def write(folder: Path, definition: SplitDefinition, tables: dict[str, dict[str, Any]]) -> Manifest:
    types: dict[str, str] = {}
    for name in SPLITS:
        table = pa.table(tables[name])
        path = split_file(folder, name, 1)
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)
        types = {field.name: type_of_arrow(field.type, field.name).name for field in table.schema}
    rows = {name: len(next(iter(table.values()))) for name, table in tables.items()}
    return Manifest("f", types, rows, [1], [], definition)


def check(folder: Path, manifest: Manifest, policy: dict[str, Any] | None = None) -> dict[str, Check]:
    features = {name: kind for name, kind in manifest.columns.items() if name != "fold"}
    return {found.name: found for found in check_splits(folder, manifest, features, [], severities(policy or {}))}


def measurements(rows: int, seed: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        **{name: random.normal(50, 20, rows) for name in ("a", "b", "c", "d")},
        "kind": random.choice(["x", "y", "z"], rows),
        "count": random.integers(0, 10_000, rows),
    }


def parts(table: dict[str, Any], sizes: tuple[int, int, int] = (800, 100, 100)) -> dict[str, dict[str, Any]]:
    starts = (0, sizes[0], sizes[0] + sizes[1])
    return {
        name: {column: values[start : start + size] for column, values in table.items()}
        for name, start, size in zip(SPLITS, starts, sizes, strict=True)
    }


def test_independent_rows_are_no_near_duplicates(tmp_path: Path) -> None:
    found = check(tmp_path, write(tmp_path, HASH, parts(measurements(1_000))))["near duplicates in two splits"]
    assert (found.status, found.measured, found.n) == ("pass", 0.0, 200)


@pytest.mark.parametrize("change", ["noise", "one cell", "one text"])
def test_copies_with_a_change_are_found(change: str, tmp_path: Path) -> None:
    tables = parts(measurements(1_000))
    for column in tables["test"]:
        tables["test"][column][:60] = tables["train"][column][:60]
    if change == "noise":
        for column in ("a", "b"):
            tables["test"][column][:60] *= 1 + 1e-5
    else:
        tables["test"]["count" if change == "one cell" else "kind"][:60] = -1 if change == "one cell" else "w"
    found = check(tmp_path, write(tmp_path, HASH, tables))
    near = found["near duplicates in two splits"]
    assert near.status == "warn" and near.measured == pytest.approx(0.3, abs=0.02)
    assert found["rows in two splits"].measured == 0.0
    if change == "one cell":
        assert "all features but count" in near.reason


def test_equal_rows_are_not_counted_twice(tmp_path: Path) -> None:
    tables = parts(measurements(1_000))
    for column in tables["test"]:
        tables["test"][column][:60] = tables["train"][column][:60]
    found = check(tmp_path, write(tmp_path, HASH, tables))
    assert found["rows in two splits"].measured == 0.3
    assert found["near duplicates in two splits"].measured == 0.0


def test_coarse_features_are_not_judged(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    table = {"a": random.integers(0, 5, 1_000), "b": random.choice(["x", "y"], 1_000)}
    found = check(tmp_path, write(tmp_path, HASH, parts(table)))["near duplicates in two splits"]
    assert found.status == "skipped" and "by chance" in found.reason


def test_rows_that_agree_for_another_reason_are_no_copies(tmp_path: Path) -> None:
    """Flights of a few routes: all features follow from the route but for the day, and a delay that is often the same."""
    random = np.random.default_rng(4)
    route = random.integers(0, 40, 4_000)
    table = {name: route * 997 + place for place, name in enumerate(("from", "to", "miles", "number", "carrier"))}
    table |= {"day": random.integers(0, 365, 4_000), "delay": random.integers(0, 12, 4_000)}
    found = check(tmp_path, write(tmp_path, HASH, parts(table, (3_200, 400, 400))))["near duplicates in two splits"]
    assert found.status == "pass" and found.measured is not None and found.measured < 0.02


def test_a_feature_is_left_out_only_if_the_others_do_not_agree_by_chance() -> None:
    random = np.random.default_rng(3)
    fine, coarse = random.integers(0, 2**63, 8_192).astype(np.uint64), random.integers(0, 3, 8_192).astype(np.uint64)
    assert choose_left_out(["fine", "coarse"], np.stack([fine, coarse]), 1_000_000) == []
    assert choose_left_out(["fine", "coarse", "other"], np.stack([fine, coarse, fine[::-1]]), 10_000_000) == ["coarse"]
    assert choose_left_out(["fine"], fine[None], 10) == []


def test_numbers_are_rounded_to_three_digits() -> None:
    column = pa.array([1234.5, -0.0012345, 0.0, None, 1e-320, 1e300])
    assert round_numbers(column).to_pylist() == pytest.approx([1230.0, -0.00123, 0.0, None, 1e-320, 1e300])


@pytest.mark.parametrize(
    ("sizes", "status"), [((800, 100, 100), "pass"), ((950, 10, 40), "warn"), ((40, 1, 1), "pass")]
)
def test_sizes_are_reported_and_judged_by_their_shares(
    sizes: tuple[int, int, int], status: str, tmp_path: Path
) -> None:
    manifest = write(tmp_path, HASH, parts(measurements(1_000), sizes))
    found = check(tmp_path, manifest)["split sizes"]
    assert (found.status, found.n, found.threshold) == (status, sum(sizes), 0.1)
    assert f"train {sizes[0]:,} rows" in found.reason


def test_the_policy_decides_about_sizes(tmp_path: Path) -> None:
    manifest = write(tmp_path, HASH, parts(measurements(1_000), (950, 10, 40)))
    assert check(tmp_path, manifest, {"split_sizes": "fail"})["split sizes"].status == "fail"


def days(count: int, first: int = 0) -> list[str]:
    return [f"2024-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}" for day in range(first, first + count)]


@pytest.mark.parametrize(
    ("moved", "status", "words"),
    [(0, "pass", "0 of 200"), (20, "warn", "know the future"), (150, "pass", "does not go by time")],
)
def test_times_of_a_given_split_are_compared(moved: int, status: str, words: str, tmp_path: Path) -> None:
    times = days(300)
    held_out = [times[0]] * moved + times[100 + moved :]
    tables = {
        "train": {"t": times[:100], "x": range(100)},
        "eval": {"t": held_out[:100], "x": range(100)},
        "test": {"t": held_out[100:], "x": range(100)},
    }
    tables = {name: {"t": pa.array(table["t"]), "x": pa.array(table["x"])} for name, table in tables.items()}
    found = check(tmp_path, write(tmp_path, GIVEN, tables))["time overlap"]
    assert (found.status, found.measured, found.n) == (status, moved / 200, 200) and words in found.reason


def test_a_split_by_time_has_no_overlap_and_one_by_hash_is_not_judged(tmp_path: Path) -> None:
    stamps = pa.array(days(300)).cast(pa.timestamp("us"))
    tables = {name: {"t": stamps[start : start + 100]} for name, start in zip(SPLITS, (0, 100, 200), strict=True)}
    by_time = TimeSplit("t", "2024-04-17 00:00:00", "2024-08-05 00:00:00", 0.8, 0.1, 0.1)
    manifest = write(tmp_path, by_time, tables)
    found = check(tmp_path, manifest)["time overlap"]
    assert (found.status, found.measured, found.n) == ("pass", 0.0, 200) and "2024-04-16" in found.reason
    by_hash = Manifest(**{**vars(manifest), "split": HASH})
    assert check(tmp_path, by_hash)["time overlap"].status == "skipped"
