from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import Manifest, split_file
from components._core.examples.split_definition import TimeSplit
from components._core.monitoring.feature_bins import count
from components._core.types.signature import Feature, Signature
from components.evaluate.monitoring_reference import make_monitoring_reference

BINARY = Signature(
    "binary_classification",
    (Feature("x", "float32", True), Feature("word", "string", False)),
    {"probability": "float32"},
    ("0", "1"),
)
BY_TIME = TimeSplit("at", "2026-02-01", "2026-02-10", 0.8, 0.1, 0.1)


def write_examples(folder: Path, rows: int = 3_000, **manifest: object) -> Path:
    random = np.random.default_rng(0)
    days = np.sort(random.integers(0, 30, rows))
    table = pa.table(
        {
            "x": random.normal(size=rows),
            "word": random.choice(["a", "b"], rows).tolist(),
            "at": [f"2026-01-{day + 1:02d} 10:00:00" for day in days],
        }
    )
    for split, span in product(("train", "test"), (20260101, 20260102)):
        path = split_file(folder, split, span)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    columns = {"x": "float64", "word": "string", "at": "string"}
    made = Manifest("f", columns, {"train": 2 * rows}, [20260101, 20260102], [])
    replace(made, **manifest).save(folder)
    return folder


@pytest.mark.parametrize(
    ("manifest", "blocks", "days"),
    [
        ({"split": BY_TIME}, "day", 30),
        ({"span_unit": "day"}, "day", 2),
        ({}, "rows", 0),
        ({"span_unit": "month"}, "rows", 0),
    ],
)
def test_a_block_is_a_day_where_the_rows_have_one(tmp_path: Path, manifest: dict[str, object], blocks: str, days: int):
    found = make_monitoring_reference(write_examples(tmp_path, **manifest), BINARY, np.linspace(0, 1, 500))
    assert (found.block, len(found.days)) == (blocks, days)
    assert found.features["x"].total.sum() == found.features["word"].total.sum() == 6_000
    if days == 30:
        assert found.days[0] == 739_617  # 2026-01-01
    if blocks == "rows":
        assert len(found.features["x"].blocks) == 24


def test_scores_are_counted_in_twenty_ranges_of_equal_share(tmp_path: Path):
    found = make_monitoring_reference(write_examples(tmp_path), BINARY, np.random.default_rng(1).random(5_000))
    column = found.outputs["probability"]
    assert np.allclose(column.total[1:-3] / 5_000, 0.05, atol=0.005) and len(column.total) == 24
    assert column.blocks.sum() == 5_000 and len(column.blocks) == 50


@pytest.mark.parametrize(("manifest", "days"), [({"split": BY_TIME}, 30), ({"span_unit": "day"}, 2), ({}, 0)])
def test_scores_are_counted_by_the_day_of_their_rows_where_these_have_one(
    tmp_path: Path, manifest: dict[str, object], days: int
):
    scores = np.random.default_rng(1).random(6_000)
    found = make_monitoring_reference(write_examples(tmp_path, **manifest), BINARY, scores)
    column = found.outputs["probability"]
    assert found.output_days == found.days[:days] and len(found.output_days) == days
    assert len(column.blocks) == (days or 60) and column.blocks.sum() == 6_000
    if days == 30:
        test = pq.read_table(split_file(tmp_path, "test", 20260101))
        first = np.asarray(pa.compute.equal(test["at"], "2026-01-01 10:00:00"))
        own = scores[np.concatenate([first, first])]
        assert column.blocks[0].tolist() == count(column.bins, pa.array(own)).tolist()


def test_classes_are_counted_where_the_task_answers_with_one(tmp_path: Path):
    outputs = {"probabilities": "float32", "class": "string"}
    multiclass = replace(BINARY, task="multiclass_classification", outputs=outputs, classes=("p", "q", "r"))
    scores = np.eye(3)[[0, 1, 1, 2, 2, 2]]
    found = make_monitoring_reference(write_examples(tmp_path), multiclass, scores)
    assert found.outputs["class"].bins.top == ("r", "q", "p")
    assert found.outputs["class"].total.tolist() == [3, 2, 1, 0, 0, 0, 0]
    assert found.outputs["probabilities"].total.sum() == 6
