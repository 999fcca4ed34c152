"""Where the model prepares the columns itself, transform writes them as the schema has them, and makes no graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components._core.errors import DataBlockedError
from components._core.files import read_json
from components._core.types.artifact_files import CLASSES
from components._frameworks.transformed_rows import TransformedRows, transformed_file
from components.transform.transform import transform_examples
from tests.components.small_penguins import Penguins, make_penguins


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Penguins:
    return make_penguins(tmp_path_factory.mktemp("penguins"))


def test_texts_numbers_and_what_is_missing_are_what_a_model_takes(penguins: Penguins) -> None:
    rows = TransformedRows(transformed_file(penguins.path("transformed"), "train"))
    assert {column.name: column.dtype for column in rows.columns} == {
        "island": "string",
        "bill_length_mm": "float32",
        "bill_depth_mm": "float32",
        "flipper_length_mm": "float32",
        "body_mass_g": "float32",
        "sex": "string",
        "year": "int64",
    }
    features, labels = rows.head(rows.rows)
    assert set(features["sex"]) == {"", "female", "male"} and np.isnan(features["body_mass_g"]).any()
    assert set(labels) == {0, 1, 2}


def test_the_folder_of_the_graph_has_the_classes_alone(penguins: Penguins) -> None:
    folder = penguins.path("transform_graph")
    assert [path.name for path in folder.iterdir()] == [CLASSES]
    assert read_json(folder / CLASSES) == ["Adelie", "Chinstrap", "Gentoo"]


def test_blocked_data_is_refused_here_too(penguins: Penguins, tmp_path: Path) -> None:
    inputs = {name: penguins.path(name) for name in ("code", "examples", "schema")}
    with pytest.raises(DataBlockedError, match="too old"):
        transform_examples(
            penguins.project, **inputs, blocked="too old", transform_graph=tmp_path, transformed=tmp_path
        )
