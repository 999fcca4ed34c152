"""Columns dropped by what the training rows hold: decided once, and gone from the graph, the rows and the model's inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, UserCodeError
from components._core.project.transform_config import Drop
from components._core.types.artifact_files import COLUMN_CHOICES, SCHEMA
from components._core.types.column_choices import ColumnChoices
from components._core.types.signature import Feature, read_features
from components._frameworks.transformed_rows import transformed_file
from components.transform import dropped_columns
from components.transform.dropped_columns import find_dropped
from tests.components.small_table import Table, make_rows, write_table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table"))


def _find(table: Table, **rules: Any) -> dict[str, str]:
    features = read_features(table.folder / "schema" / SCHEMA, {"late"})
    dropped = find_dropped(Drop(**rules), features, table.folder / "examples")
    assert [column.name for column in dropped] == [
        item.name for item in features if item.name in {c.name for c in dropped}
    ]
    return {column.name: f"{column.rule.removeprefix('transform.drop.')}: {column.reason}" for column in dropped}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"missing": 0.9}, {"sparse": "missing: 9", "blank": "missing: 9"}),
        ({"missing": 1.0}, {}),
        ({"variance": 0.0}, {"flat": "variance: variance 0", "same": "variance: the same text in every row"}),
        ({"variance": 5}, {"a": "variance: variance 0.", "twin": "", "flat": "", "same": "", "sparse": ""}),
        ({"correlation": 0.98}, {"a": "correlation: correlation -0.999"}),
        ({"correlation": 1.0}, {}),
        ({"missing": 0.15, "correlation": 0.98}, {"a": "missing: ", "sparse": "missing: ", "blank": "missing: "}),
    ],
)
def test_each_rule_drops_what_the_training_rows_say(
    table: Table, rules: dict[str, float], expected: dict[str, str]
) -> None:
    found = _find(table, **rules)
    assert found.keys() == expected.keys()
    assert all(found[name].startswith(expected[name]) for name in expected)


def test_the_share_of_missing_values_is_exact(table: Table) -> None:
    known = pq.read_table(table.folder / "examples" / "train")["sparse"]
    share = known.null_count / len(known)
    assert "sparse" in _find(table, missing=share) and "sparse" not in _find(table, missing=share + 0.001)


def test_of_a_pair_the_column_with_fewer_missing_values_stays_and_of_equal_ones_the_first(
    table: Table, tmp_path: Path
) -> None:
    assert _find(table, correlation=0.98)["a"].endswith("with twin, which is kept")
    for file in (table.folder / "examples").glob("*/*.parquet"):
        rows = pq.read_table(file)
        rows = rows.set_column(0, "a", rows["twin"])
        target = tmp_path / "examples" / file.relative_to(table.folder / "examples")
        target.parent.mkdir(parents=True)
        pq.write_table(rows, target)
    features = read_features(table.folder / "schema" / SCHEMA, {"late"})
    (dropped,) = find_dropped(Drop(correlation=1.0), features, tmp_path / "examples")
    assert (dropped.name, dropped.reason) == ("twin", "correlation 1 with a, which is kept")


def test_a_column_that_is_hardly_known_beside_another_one_does_not_stand_for_it(tmp_path: Path) -> None:
    """Each is known in 320 rows, and both in 40: were one dropped, nearly all of its values would be lost."""
    values = make_rows(600)["b"].to_pylist()
    start, end = [value if row < 320 else None for row, value in enumerate(values)], [None] * 280 + values[280:]
    file = tmp_path / "train" / "span-00001.parquet"
    file.parent.mkdir()
    pq.write_table(pa.table({"start": start, "end": end}), file)
    features = tuple(Feature(name, "float32", nullable=True) for name in ("start", "end"))
    assert find_dropped(Drop(correlation=0.9), features, tmp_path) == ()


def test_dropped_columns_leave_the_rows_and_the_reason_says_which(table: Table) -> None:
    rules = {"missing": 0.9, "variance": 0, "correlation": 0.98}
    outcome, graph, transformed = table.transform(
        {"drop": rules, "columns": {"a": {"impute": 0}, "b": {"clip": [0, 1]}}}
    )
    assert pq.read_table(transformed_file(transformed, "eval")).column_names == ["b", "twin", "whole", "label"]
    assert "1 column by transform.columns" in outcome.reason  # that of a is gone with a
    assert "dropped a (correlation -0.999" in outcome.reason and "flat (variance 0)" in outcome.reason
    assert outcome.metrics["dropped_columns"] == 5 and outcome.verdict == "ok"
    assert ColumnChoices.load(graph).dropped_names == {"a", "sparse", "flat", "same", "blank"}


def test_what_another_transform_dropped_is_dropped_again_and_nothing_else(table: Table) -> None:
    _, graph, _ = table.transform({"drop": {"variance": 0}})
    _, again, transformed = table.transform({"drop": {"missing": 0.9}}, choices=ColumnChoices.load(graph))
    names = pq.read_table(transformed_file(transformed, "train")).column_names
    assert "sparse" in names and "flat" not in names
    assert (graph / COLUMN_CHOICES).read_bytes() == (again / COLUMN_CHOICES).read_bytes()


def test_without_the_rules_nothing_is_written(table: Table) -> None:
    _, graph, _ = table.transform({})
    assert not (graph / COLUMN_CHOICES).exists() and ColumnChoices.load(graph) == ColumnChoices()


READS = "def preprocessing_fn(inputs):\n    return {'x': inputs['flat'], 'b': inputs['b']}\n"
ASKS = "def preprocessing_fn(inputs):\n    return {name: inputs[name] for name in ('flat', 'b') if name in inputs}\n"


def test_code_that_reads_a_dropped_column_is_answered_with_column_rule_and_remedy(table: Table) -> None:
    with pytest.raises(
        UserCodeError, match=r"reads 'flat', which transform\.drop.variance drops: variance 0"
    ) as refused:
        table.transform({"drop": {"variance": 0}}, READS)
    assert "if 'flat' in inputs" in refused.value.remedy and refused.value.where == "preprocessing.py"
    with pytest.raises(UserCodeError, match="KeyError: 'flatt'"):  # a name that never was a column
        table.transform({"drop": {"variance": 0}}, READS.replace("flat", "flatt"))
    _, _, transformed = table.transform({"drop": {"variance": 0}}, ASKS)
    assert pq.read_table(transformed_file(transformed, "train")).column_names == ["b", "label"]


def test_rules_that_leave_nothing_are_refused(table: Table) -> None:
    features = tuple(Feature(name, "float32", nullable=True) for name in ("a", "sparse", "flat"))
    with pytest.raises(
        ConfigError, match=r"drops every column: a \(variance 0\.\d+\), .*, flat \(variance 0\)"
    ) as refused:
        find_dropped(Drop(variance=100), features, table.folder / "examples")
    assert refused.value.where == "transform.drop"


def test_too_many_columns_to_correlate_are_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropped_columns, "MOST_COLUMNS", 5)
    with pytest.raises(ConfigError, match="cannot compare 6 columns of numbers; 5 are allowed"):
        _find(table, correlation=0.9)
    assert _find(table, correlation=0.98, variance=0)["a"]  # one column less to compare


def test_a_correlated_column_of_texts_is_not_a_number(table: Table) -> None:
    assert not {"word", "same", "blank"} & _find(table, correlation=0.01).keys()
