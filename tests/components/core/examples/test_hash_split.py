"""Splits by hash: shares, equal rows, and the splits of another definition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components._core.examples.hash_split import (
    UNKNOWN,
    assign_splits,
    define_split,
    define_split_v1,
    reassign_splits,
)
from components._core.examples.split_definition import HashSplit
from components._core.project.split_config import Split


def make_rows(count: int) -> pa.RecordBatch:
    random = np.random.default_rng(3)
    return pa.RecordBatch.from_pydict(
        {
            "whole": pa.array(random.integers(0, 10**6, count)),
            "real": pa.array(random.normal(size=count).astype(np.float32)),
            "text": pa.array([f"c{number}" for number in random.integers(0, 50, count)]),
            "y": pa.array(random.normal(size=count).astype(np.float32)),
        }
    )


def test_shares_are_as_configured() -> None:
    rows = make_rows(50_000)
    numbers = assign_splits(rows, define_split(Split(train=0.7, eval=0.1, test=0.2), rows.schema.names))
    assert np.allclose(np.bincount(numbers) / len(numbers), [0.7, 0.1, 0.2], atol=0.01)


def test_the_features_decide_unless_columns_are_named() -> None:
    definition = define_split(Split(), ["b", "a"])
    assert definition.columns == ("a", "b") and not definition.grouped
    named = define_split(Split(by=["id"]), ["b", "a"])
    assert named.columns == ("id",) and named.grouped


def test_rows_equal_in_the_chosen_columns_land_together() -> None:
    rows = make_rows(5_000)
    numbers = assign_splits(rows, define_split(Split(by=["text"]), rows.schema.names))
    by_text: dict[str, set[int]] = {}
    for text, number in zip(rows.column(2).to_pylist(), numbers.tolist(), strict=True):
        by_text.setdefault(text, set()).add(number)
    assert all(len(found) == 1 for found in by_text.values())
    assert len({next(iter(found)) for found in by_text.values()}) > 1


def test_definitions_have_equal_fingerprints_when_they_put_every_row_into_the_same_split() -> None:
    base = define_split(Split(), ["a", "b"])
    assert base.fingerprint == define_split(Split(), ["b", "a"]).fingerprint
    assert base.fingerprint == define_split(Split(by=["b", "a"]), ["a", "b", "c"]).fingerprint
    others = [
        define_split(Split(), ["a"]),
        define_split(Split(), ["a", "b", "c"]),
        define_split(Split(train=0.7, eval=0.1, test=0.2), ["a", "b"]),
        define_split_v1(Split(), ["a", "b"]),
        define_split_v1(Split(), ["b", "a"]),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_a_definition_is_read_back_from_json() -> None:
    import json
    from dataclasses import asdict

    definition = define_split(Split(by=["b"]), ["a", "b"])
    assert HashSplit.from_json(json.loads(json.dumps(asdict(definition)))) == definition


def test_another_definition_finds_its_rows_in_the_examples_of_today() -> None:
    rows = make_rows(2_000)
    types = {"whole": "int64", "real": "float32", "text": "string", "y": "float32"}
    for definition in (define_split(Split(), rows.schema.names), define_split_v1(Split(), rows.schema.names)):
        turned = pa.RecordBatch.from_pydict({name: rows[name] for name in ("y", "text", "real", "whole")})
        assert reassign_splits(turned, definition, types).tolist() == assign_splits(rows, definition).tolist()


@pytest.mark.parametrize("rule", [1, 2])
def test_a_column_that_has_another_type_now_is_hashed_as_it_was(rule: int) -> None:
    was = pa.RecordBatch.from_pydict({"a": pa.array([7, None, 123, 16_777_217])})
    now = pa.RecordBatch.from_pydict({"a": pa.array([7.0, None, 123.0, 16_777_217.0], pa.float32())})
    definition = HashSplit(rule, ("a",), False, 0.8, 0.1, 0.1)
    found = reassign_splits(now, definition, {"a": "int64"})
    assert found.tolist() == [*assign_splits(was, definition).tolist()[:3], UNKNOWN]


def test_what_the_examples_do_not_determine_is_unknown() -> None:
    now = pa.RecordBatch.from_pydict({"a": pa.array([7, 8, None])})
    definition = HashSplit(1, ("a",), False, 0.8, 0.1, 0.1)
    assert reassign_splits(now, definition, {"a": "string"}).tolist()[:2] == [UNKNOWN, UNKNOWN]
    fraction = pa.RecordBatch.from_pydict({"a": pa.array([7.5], pa.float32())})
    assert reassign_splits(fraction, definition, {"a": "int64"}).tolist() == [UNKNOWN]
    nothing = HashSplit(2, (), False, 0.8, 0.1, 0.1)
    assert reassign_splits(now, nothing, {}).tolist() == [UNKNOWN] * 3
