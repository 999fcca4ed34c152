"""Principal components in front of preprocessing_fn, against scikit-learn's of the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from tensorflow_transform import TFTransformOutput

from components._core.errors import ConfigError, UserCodeError
from components._core.files import fingerprint_folder
from components._core.project.transform_config import Pca
from components._core.types.artifact_files import SCHEMA
from components._core.types.column_choices import ColumnChoices
from components._core.types.signature import read_features
from components._frameworks.transformed_rows import transformed_file
from components.transform import principal_components
from components.transform.preprocessing_graph import _as_tensors
from components.transform.principal_components import find_components
from tests.components.small_table import Table, write_table

ALL = ["a", "b", "twin", "whole", "sparse", "flat"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_table(tmp_path_factory.mktemp("table"))


def _read(table: Table, split: str, columns: list[str]) -> pd.DataFrame:
    return pq.read_table(table.folder / "examples" / split).to_pandas()[columns].astype(float)


def _oracle(train: pd.DataFrame, rows: pd.DataFrame, components: float) -> np.ndarray:
    """scikit-learn's components of rows; the largest loading of each is positive, as it is here."""
    scaler = StandardScaler().fit(train)
    pca = PCA(components, svd_solver="full").fit(np.nan_to_num(scaler.transform(train)))
    loadings = pca.components_
    signs = np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(axis=1)])
    return pca.transform(np.nan_to_num(scaler.transform(rows))) * signs


def _made(transformed: Path, name: str = "pca") -> np.ndarray:
    rows = pq.read_table(transformed_file(transformed, "eval")).to_pandas()
    return rows[[column for column in rows if column.startswith(f"{name}_")]].to_numpy()


@pytest.mark.parametrize("components", [4, 0.95])
def test_components_are_those_of_scikit_learn(table: Table, components: float) -> None:
    columns = [
        "a",
        "b",
        "twin",
        "whole",
    ]  # of one size: two components of equal variance would have no direction of their own
    outcome, graph, transformed = table.transform({"pca": {"columns": columns, "components": components}})
    expected = _oracle(_read(table, "train", columns), _read(table, "eval", columns), components)
    np.testing.assert_allclose(_made(transformed), expected, atol=1e-4)
    assert ColumnChoices.load(graph).components == expected.shape[1]
    assert f"{expected.shape[1]} component" in outcome.reason and "% of the variance of 4 columns" in outcome.reason


def test_numeric_takes_every_column_of_numbers_that_is_not_dropped(table: Table) -> None:
    rules = {"drop": {"missing": 0.9}, "pca": {"columns": "numeric", "components": 3, "name": "axis", "keep": False}}
    _, _, transformed = table.transform(rules)
    columns = [name for name in ALL if name != "sparse"]
    expected = _oracle(_read(table, "train", columns), _read(table, "eval", columns), 3)
    np.testing.assert_allclose(_made(transformed, "axis"), expected, atol=1e-4)
    names = pq.read_table(transformed_file(transformed, "eval")).column_names
    assert names == ["axis_0", "axis_1", "axis_2", "label"]  # keep: false


def test_components_are_made_of_clipped_and_filled_values(table: Table) -> None:
    columns = ["a", "b", "twin"]
    rules = {"b": {"clip": [8, 12]}, "a": {"impute": "median"}}
    _, _, transformed = table.transform({"columns": rules, "pca": {"columns": columns, "components": 2}})
    train, rows = _read(table, "train", columns), _read(table, "eval", columns)
    median = train["a"].median()
    train, rows = (frame.assign(b=frame["b"].clip(8, 12), a=frame["a"].fillna(median)) for frame in (train, rows))
    np.testing.assert_allclose(_made(transformed), _oracle(train, rows, 2), atol=2e-3)  # a median is exact to a rank


def test_a_served_row_has_the_components_that_it_has_in_a_batch_also_with_missing_values(table: Table) -> None:
    _, graph, transformed = table.transform({"pca": {"columns": "numeric", "components": 4}})
    features = read_features(table.folder / "schema" / SCHEMA, {"late"})
    loaded = tf.saved_model.load(str(graph / TFTransformOutput.TRANSFORM_FN_DIR))
    rows = pq.read_table(table.folder / "examples" / "eval")
    for row in range(20):
        served = loaded.transform_fn(_as_tensors(rows.slice(row, 1).combine_chunks().to_batches()[0], features))
        one = [served[f"pca_{number}"].numpy()[0] for number in range(4)]
        np.testing.assert_allclose(one, _made(transformed)[row], atol=1e-6)


def test_the_same_rows_give_the_same_graph(table: Table) -> None:
    settings = {"pca": {"columns": "numeric", "components": 0.9}, "drop": {"variance": 0, "correlation": 0.9}}
    (_, first, _), (_, second, _) = table.transform(settings), table.transform(settings)
    assert fingerprint_folder(first) == fingerprint_folder(second)


def test_the_sign_does_not_depend_on_rounding() -> None:
    """Of two columns that say the same, both loadings are equally large: the first is positive."""
    values = np.linspace(-1, 1, 50).astype(np.float32)
    rule = Pca(columns=["x", "y"], components=1)
    found = find_components(rule, ("x", "y"), lambda: iter([{"x": values, "y": -values}]))
    np.testing.assert_allclose(found.directions[:, 0], [0.5**0.5, -(0.5**0.5)], atol=1e-9)


def test_beyond_the_rank_components_are_zero_and_the_reason_says_so(table: Table) -> None:
    outcome, _, transformed = table.transform({"pca": {"columns": ["b", "flat", "whole"], "components": 3}})
    made = _made(transformed)
    assert made[:, 1].any() and not made[:, 2].any()
    assert "3 components with 100.0 % of the variance of 3 columns, 1 of them 0 in every row" in outcome.reason


def test_as_many_components_as_another_transform_had(table: Table) -> None:
    settings = {"pca": {"columns": ["a", "b", "whole"], "components": 0.1}}
    _, _, transformed = table.transform(settings, choices=ColumnChoices(components=3))
    assert _made(transformed).shape[1] == 3


READS = "def preprocessing_fn(inputs):\n    return {'x': inputs['b']}\n"


def test_code_that_reads_a_replaced_column_is_answered_with_the_remedy(table: Table) -> None:
    with pytest.raises(UserCodeError, match=r"reads 'b', which transform.pca replaces by pca_0 to pca_1") as refused:
        table.transform({"pca": {"columns": ["a", "b"], "components": 2, "keep": False}}, READS)
    assert "transform.pca.keep: true" in refused.value.remedy


@pytest.mark.parametrize(
    ("pca", "where", "message"),
    [
        ({"columns": ["a", "bb"]}, "columns", "'bb' is not a feature of this table; "),
        ({"columns": ["a", "word"]}, "columns", "'word' holds texts, and only numbers are allowed"),
        ({"columns": "numeric", "components": 7}, "components", "found 7, and the table has 6 columns of numbers"),
        (
            {"columns": ["a", "flat"], "components": 2, "drop": 1},
            "components",
            "found 2, and the table has 1 column of",
        ),
        (
            {"columns": ["flat"], "components": 0.5, "drop": 1},
            "components",
            "found 0.5, and the table has no column of numbers",
        ),
        ({"columns": ["flat"], "components": 1}, "columns", "no column has two different values on the training rows"),
    ],
)
def test_components_that_cannot_be_made_are_refused(
    table: Table, pca: dict[str, Any], where: str, message: str
) -> None:
    drop = {"drop": {"variance": 0}} if pca.get("drop") else {}
    rule = {"components": 1, **{key: value for key, value in pca.items() if key != "drop"}}
    with pytest.raises(ConfigError) as refused:
        table.transform({**drop, "pca": rule})
    assert message in str(refused.value) and refused.value.where == f"transform.pca.{where}" and refused.value.remedy


def test_a_component_does_not_take_the_name_of_a_column(tmp_path: Path) -> None:
    features = tuple(item for item in read_features(write_table(tmp_path).folder / "schema" / SCHEMA, set()))
    features = (*features, type(features[0])("pca_12", "float32", False))
    with pytest.raises(ConfigError, match="names of columns: 'pca_12'"):
        principal_components.check_columns(Pca(columns="numeric", components=2), features)


def test_too_many_columns_are_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal_components, "MOST_COLUMNS", 5)
    with pytest.raises(ConfigError, match="cannot reduce 6 columns; 5 are allowed"):
        table.transform({"pca": {"columns": "numeric", "components": 2}})
