from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.monitoring.feature_bins import count
from components._core.monitoring.reference import MonitoringReference, normalise_importances
from components._core.monitoring.reference_builder import MOST_BLOCKS, build_features
from components._core.types.signature import Feature

FEATURES = [Feature("x", "float32", True), Feature("word", "string", True), Feature("n", "int64", False)]


def rows(count: int, days: int = 20, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array([None if random.random() < 0.1 else value for value in random.normal(size=count)]),
            "word": pa.array(random.choice(["a", "b", "c"], count).tolist()),
            "n": pa.array(random.integers(0, 5, count)),
            "day": pa.array(np.sort(random.integers(1_000, 1_000 + days, count))),
        }
    )


def build(table: pa.Table, batch_rows: int = 700, by_day: bool = True):
    return build_features(
        lambda: iter(table.to_batches(max_chunksize=batch_rows)),
        table.num_rows,
        FEATURES,
        (lambda batch: np.asarray(batch["day"])) if by_day else None,
    )


def test_counts_by_day_are_those_of_the_rows_of_the_day():
    table = rows(5_000)
    built = build(table)
    assert built.days == tuple(range(1_000, 1_020))
    for place, day in enumerate(built.days):
        own = table.filter(pa.array(np.asarray(table["day"]) == day))
        for name in ("x", "word", "n"):
            column = built.features[name]
            assert column.blocks[place].tolist() == count(column.bins, own[name].combine_chunks()).tolist()


def test_batches_make_no_difference():
    table = rows(3_000)
    one, other = build(table, 100), build(table, 3_000)
    assert all(np.array_equal(one.features[name].blocks, other.features[name].blocks) for name in one.features)


def test_without_days_blocks_are_parts_of_the_rows():
    built = build(rows(5_000), by_day=False)
    assert built.days == ()
    assert built.features["x"].blocks.sum() == 5_000
    assert set(built.features["x"].blocks.sum(axis=1)) == {250}


def test_a_value_that_only_one_day_has_counts_as_new_there():
    table = rows(4_000)
    words = table["word"].to_pylist()
    days = table["day"].to_pylist()
    words[10] = words[11] = "once"
    words[20], words[3_900] = "twice", "twice"
    built = build(table.set_column(1, "word", pa.array(words)))
    expected = Counter(day for day, word in zip(days, words, strict=True) if word == "once")
    assert built.features["word"].novel.tolist() == [expected.get(day, 0) for day in built.days]


def test_numbers_out_of_the_range_of_all_other_days_count_as_new():
    table = rows(4_000)
    values, days = np.array(table["x"].to_numpy()), np.asarray(table["day"])
    values[10:14], values[3_000] = 1_000.0, -1_000.0
    built = build(table.set_column(0, "x", pa.array(values, from_pandas=True)))
    numbers = values.astype(np.float32).astype(np.float64)
    expected = []
    for day in built.days:
        others = numbers[(days != day) & ~np.isnan(numbers)]
        low, high = np.quantile(others, [0.0005, 0.9995], method="inverted_cdf")
        own = numbers[days == day]
        expected.append(int(((own < low) | (own > high)).sum()))
    assert built.features["x"].novel.tolist() == expected and sum(expected) >= 5


def test_only_the_newest_days_stay():
    table = rows(5_000, days=MOST_BLOCKS + 50)
    built = build(table)
    known = sorted(set(table["day"].to_pylist()))
    assert built.days == tuple(known[-MOST_BLOCKS:])
    assert built.features["n"].blocks.sum() == sum(day in built.days for day in table["day"].to_pylist())


def test_a_reference_survives_its_file_and_equal_ones_are_equal_bytes(tmp_path: Path):
    built = build(rows(2_000))
    day = date(2026, 1, 5).toordinal()
    reference = MonitoringReference(
        "day",
        tuple(range(day, day + 20)),
        built.features,
        {"p": built.features["x"]},
        {"x": 0.75, "n": 0.25},
        (day, day + 1),
    )
    reference.save(tmp_path / "one.json")
    loaded = MonitoringReference.load(tmp_path / "one.json")
    loaded.save(tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert loaded.days == reference.days and loaded.importances == reference.importances
    assert loaded.output_days == reference.output_days


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "block": "day", "days": ["x"]}'])
def test_a_damaged_reference_is_an_error_that_names_the_file(tmp_path: Path, text: str):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match="monitoring reference cannot be read"):
        MonitoringReference.load(tmp_path / "r.json")


def test_importances_are_shares():
    assert normalise_importances({"a": 3.0, "b": -1.0}, ["a", "b", "c"]) == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert normalise_importances({}, ["a"]) == {}
