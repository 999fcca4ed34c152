"""Which raw columns a pipeline drops, by every way of selecting columns that scikit-learn has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from components._frameworks.sklearn.used_columns import find_used, select_columns

NAMES = ["a", "b", "c"]
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), columns=NAMES)
SCALE = StandardScaler()


def _columns(selected: Any, **others: Any) -> ColumnTransformer:
    return ColumnTransformer([("some", SCALE, selected)], **others)


@pytest.mark.parametrize(
    ("first", "used"),
    [
        (_columns(["a", "c"]), "ac"),
        (_columns([0, 2]), "ac"),
        (_columns([True, False, True]), "ac"),
        (_columns(slice(0, 2)), "ab"),
        (_columns(slice("b", "c")), "bc"),
        (_columns(make_column_selector("^[ab]$")), "ab"),
        (_columns(["a"], remainder="passthrough"), "abc"),
        (_columns(["a"], remainder=SCALE), "abc"),
        (ColumnTransformer([("some", SCALE, ["a"]), ("none", "drop", ["b", "c"])]), "a"),
        (FeatureUnion([("left", _columns(["a"])), ("right", _columns(["b"]))]), "ab"),
        (Pipeline([("inner", _columns(["b"]))]), "b"),
        (SCALE, "abc"),
        ("passthrough", "abc"),
    ],
    ids=[
        "names",
        "positions",
        "mask",
        "positions in a slice",
        "names in a slice",
        "selector",
        "rest passed",
        "rest scaled",
        "dropped",
        "union",
        "pipeline",
        "no choice",
        "passed",
    ],
)
def test_the_columns_that_no_step_drops_are_used(first: Any, used: str) -> None:
    pipeline = Pipeline([("first", first), ("last", LogisticRegression())])
    pipeline.fit(ROWS, np.arange(20) % 2)
    assert find_used(pipeline, NAMES) == set(used)


def test_a_column_may_be_a_number_of_numpy() -> None:
    assert select_columns(np.int64(1), NAMES) == ["b"]
