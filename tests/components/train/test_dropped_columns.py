"""A column that transform dropped is not an input of the model, and may be in a request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components._core.files import read_json
from components._core.setting_names import STORE
from components._core.types.artifact_files import HYPERPARAMETERS, SIGNATURE
from components._core.types.signature import Signature, to_arrays
from components._frameworks.table import load_model
from components.train.train import train_model
from tests.components.small_table import Table, make_project, write_table

SETTINGS = {
    "drop": {"missing": 0.9, "variance": 0, "correlation": 0.98},
    "pca": {"columns": "numeric", "components": 2},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def model(table: Table) -> Path:
    _, graph, transformed = table.transform(SETTINGS)
    folder = graph.parent
    for name in ("model", "history"):
        (folder / name).mkdir()
    (folder / HYPERPARAMETERS).write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(folder / "store"))
        train_model(
            make_project(SETTINGS),
            code=folder / "code.zip",
            schema=table.folder / "schema",
            transform_graph=graph,
            transformed=transformed,
            hyperparameters=folder,
            model=folder / "model",
            history=folder / "history",
        )
    return folder / "model"


def test_the_signature_has_what_is_left_as_inputs_and_the_rest_as_unused(model: Path) -> None:
    found = Signature.load(model)
    assert [feature.name for feature in found.inputs] == ["b", "twin", "whole", "word"]
    assert [feature.name for feature in found.unused] == ["a", "sparse", "flat", "same", "blank"]
    assert [feature.name for feature in found.accepted] == [item.name for item in (*found.inputs, *found.unused)]


def test_without_dropped_columns_the_file_has_no_key_for_them(tmp_path: Path) -> None:
    Signature("regression", (), {}, ()).save(tmp_path)
    assert "unused" not in read_json(tmp_path / SIGNATURE) and Signature.load(tmp_path).unused == ()


def test_a_served_row_is_scored_as_in_the_batch(table: Table, model: Path) -> None:
    loaded = load_model(model)
    rows = pq.read_table(table.folder / "examples" / "test").combine_chunks()
    whole = loaded.predict(to_arrays(rows, loaded.signature.inputs))["probability"]
    alone = [
        loaded.predict(to_arrays(rows.slice(row, 1), loaded.signature.inputs))["probability"][0] for row in range(20)
    ]
    np.testing.assert_allclose(alone, whole[:20], atol=1e-6)
