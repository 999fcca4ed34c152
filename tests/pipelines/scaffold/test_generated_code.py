"""The two functions that are written do in TensorFlow what their words say, on a table with a column of every kind."""

from __future__ import annotations

import datetime
import runpy
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from components._core.examples.artifact import Manifest
from components._core.project.project_file import Project, load_project
from components._core.stage.user_code import load_function, pack_code
from components._core.types.artifact_files import SCHEMA
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.tasks import TASKS
from pipelines.scaffold import new_project
from tests.pipelines.scaffold.conftest import write_csv

ROWS = 400
DAYS = [datetime.datetime(2019, 12, 25, 6) + datetime.timedelta(hours=31 * row) for row in range(ROWS)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(3)
    words = np.array("cheap fast great terrible slow broken love hate service food".split())
    folder = tmp_path_factory.mktemp("generated")
    income = [
        None if row % 9 == 0 else round(float(value), 2) for row, value in enumerate(np.exp(random.normal(8, 2, ROWS)))
    ]
    data = write_csv(
        folder / "table.csv",
        {
            "in come": income,
            "rooms": random.integers(1, 6, ROWS),
            "plan/type": random.choice(["gold", "silver", ""], ROWS),
            "shop_id": [None if row % 50 == 0 else value for row, value in enumerate(random.integers(1, 9, ROWS))],
            "town": [f"t{value % 230}" if value else "" for value in random.permutation(ROWS)],
            "review": [" ".join(random.choice(words, 6)) if row % 5 else "" for row in range(ROWS)],
            "visited": [day.strftime("%Y-%m-%d %H:%M:%S") if row % 8 else "" for row, day in enumerate(DAYS)],
            "joined": [day.strftime("%b %d %Y") for day in DAYS],
            "left": random.choice(["no", "yes"], ROWS),
        },
    )
    return new_project(folder / "p", data=data, label="left").folder


@pytest.fixture(scope="module")
def module(project: Path) -> ModuleType:
    import sys

    function = load_function(project, "preprocessing.py", "preprocessing_fn")
    return sys.modules[function.__module__]


@pytest.fixture(scope="module")
def transformed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ingest and transform make of the table with the written code."""
    from components.ingest.ingest import ingest_examples
    from components.transform.transform import transform_examples

    folder = tmp_path_factory.mktemp("run")
    for name in ("examples", "quarantine", "schema", "graph", "transformed"):
        (folder / name).mkdir()
    loaded = load_project(project, {"data.source": str(project.parent / "table.csv")})
    ingest_examples(loaded, examples=folder / "examples", quarantine=folder / "quarantine")
    (folder / "schema" / SCHEMA).write_text(_schema(loaded, folder / "examples"))
    pack_code(project, loaded, folder / "code.zip")
    transform_examples(
        loaded,
        code=folder / "code.zip",
        examples=folder / "examples",
        schema=folder / "schema",
        blocked="",
        transform_graph=folder / "graph",
        transformed=folder / "transformed",
    )
    return folder


def _schema(project: Project, examples: Path) -> str:
    columns = Manifest.load(examples).columns
    return "\n".join(
        f'feature {{ name: "{name}" type: {COLUMN_TYPES[dtype].feature.schema} presence {{ min_fraction: {1.0 if name == "rooms" else 0.5} }} }}'
        for name, dtype in columns.items()
    )


def test_every_kind_of_column_is_in_the_written_code(module: ModuleType) -> None:
    assert set(module.NUMBERS) == {"in come", "rooms"}
    assert module.LONG_TAILED == module.OFTEN_MISSING == ["in come"]
    assert set(module.DATES) == {"visited", "joined"}
    assert module.CATEGORIES == {"plan/type": "plan_type", "shop_id": "shop_id"}
    assert module.HASHED == ["town"]
    assert module.TEXTS == {"review": "review"}


@pytest.mark.parametrize(("name", "written"), [("visited", "%Y-%m-%d %H:%M:%S"), ("joined", "%Y-%m-%d")])
def test_dates_are_taken_apart_as_the_calendar_has_them(module: ModuleType, name: str, written: str) -> None:
    import tensorflow as tf

    texts = [day.strftime(written) for day in DAYS]
    year, month, day, weekday, *hour = (
        part.numpy() for part in module.calendar(tf.constant(texts), *module.DATES[name])
    )
    assert year.tolist() == [moment.year for moment in DAYS]
    assert month.tolist() == [moment.month for moment in DAYS]
    assert day.tolist() == [moment.day for moment in DAYS]
    assert weekday.tolist() == [(moment.weekday() + 2) % 7 for moment in DAYS]  # 0 is a Saturday
    if hour:
        assert hour[0].tolist() == [moment.hour for moment in DAYS]


def test_what_is_no_date_is_a_missing_number(module: ModuleType) -> None:
    import tensorflow as tf

    parts = module.calendar(tf.constant(["", "never", "2020-02"]), *module.DATES["visited"])
    assert all(np.isnan(part.numpy()).all() for part in parts)


def test_nothing_that_is_missing_reaches_the_model(transformed: Path) -> None:
    rows = pq.read_table(transformed / "transformed" / "train.parquet")
    numbers = np.stack(rows["numbers"].to_pylist())
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() <= 10
    assert set(np.stack(rows["missing"].to_pylist()).ravel()) == {0.0, 1.0}
    assert np.abs(numbers[:, 1].mean()) < 1e-3
    assert numbers[:, 1].std() == pytest.approx(1, abs=0.01)


def test_missing_is_a_category_of_its_own(transformed: Path) -> None:
    vocabulary = (transformed / "graph" / "transform_fn" / "assets" / "plan_type").read_text().split()
    assert sorted(vocabulary) == ["(missing)", "gold", "silver"]


def test_the_written_test_states_the_columns_and_the_features(project: Path, transformed: Path) -> None:
    from components._frameworks.transformed_rows import TransformedRows

    written = runpy.run_path(str(project / "tests" / "test_project.py"))
    columns = TransformedRows(transformed / "transformed" / "train.parquet").columns
    assert written["FEATURES"] == {column.name: column.shape for column in columns}
    assert written["COLUMNS"].label == ["no", "yes"]
    assert set(written["COLUMNS"].whole) == {"rooms"} and set(written["COLUMNS"].numbers) == {"in come", "shop_id"}
    assert set(written["COLUMNS"].texts) == {"plan/type", "town", "review", "visited", "joined"}


def test_what_people_wrote_is_not_in_the_written_test(project: Path) -> None:
    written = (project / "tests" / "test_project.py").read_text()
    assert '"plan/type": ["gold", "silver"]' in written or '"plan/type": ["silver", "gold"]' in written
    assert '"t1' not in written and "terrible" not in written


@pytest.mark.slow
def test_the_model_takes_what_the_preprocessing_gives(project: Path, transformed: Path) -> None:
    from tensorflow_transform import TFTransformOutput

    from components._frameworks.keras.build_model import build
    from components._frameworks.transformed_rows import TransformedRows

    loaded = load_project(project)
    rows = TransformedRows(transformed / "transformed" / "train.parquet")
    transform = TFTransformOutput(str(transformed / "graph"))
    function = load_function(project, "model.py", "build_model")
    chosen: dict[str, Any] = loaded.train.hyperparameters
    model = build(
        function,
        project,
        "model.py",
        rows.columns,
        transform,
        chosen,
        task=TASKS[loaded.task],
        classes=["no", "yes"],
        seed=7,
    )
    assert model.output_shape == (None, 1)
    assert {tensor.name for tensor in model.inputs} == {column.name for column in rows.columns}
