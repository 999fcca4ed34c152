"""`naru predict`."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError, DataError
from components._core.store.file_digests import write_digests
from components._core.store.ledger import Deployment, append_deployment
from pipelines.__main__ import app
from tests.components.predict.made import read, table
from tests.components.tiny_models import write_model

PROJECT = "name: tiny\ntask: binary_classification\nlabel: y\ndata:\n  source: rows.parquet\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The models of two versions, saved once: that takes a second."""
    folder, task = tmp_path_factory.mktemp("models"), "binary_classification"
    return {
        "1": write_model(folder / "1", task, delay_weight=0.1),
        "2": write_model(folder / "2", task, delay_weight=0.4),
    }


@pytest.fixture
def project(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two versions, of which the second is the champion."""
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "project.yaml").write_text(PROJECT)
    pq.write_table(table(30), folder / "rows.parquet")
    store = folder / ".naru" / "store"
    for version, saved in models.items():
        model = store / "tiny" / "models" / version / "artifacts" / "model"
        shutil.copytree(saved, model)
        write_digests(model)
        digest = write_digests(model.parent)
        line = Deployment(version, str(model), "", "", {}, "f", "run", "2026-01-01T00:00:00+00:00", "me", "", digest)
        append_deployment(str(store), "tiny", line)
    monkeypatch.chdir(tmp_path)
    return folder


def predict(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["predict", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_champion_answers_the_projects_own_table_or_another(project: Path, tmp_path: Path) -> None:
    said = predict("project", "--output", "own.csv")
    assert said.startswith("30 rows answered by version 2 of tiny, 0 rejected\n") and "own.csv (" in said
    pq.write_table(table(12, seed=9), tmp_path / "other.parquet")
    predict("project", "--source", "other.parquet", "--output", "other.csv")
    assert read(tmp_path / "own.csv").num_rows == 30 and read(tmp_path / "other.csv").num_rows == 12
    assert "had all of it already" in predict("project", "--source", "other.parquet", "--output", "other.csv")


def test_a_version_may_be_named(project: Path, tmp_path: Path) -> None:
    for version in ("champion", "1", "v2"):
        predict("project", "--output", f"{version}.parquet", "--version", version)
    champion, one, two = (
        read(tmp_path / f"{version}.parquet")["probability"].to_pylist() for version in ("champion", "1", "v2")
    )
    assert champion == two != one
    with pytest.raises(ConfigError, match="no deployed version '3'; there are '1', '2', 'champion'"):
        predict("project", "--output", "out", "--version", "3")


def test_the_manifest_is_what_json_prints(project: Path, tmp_path: Path) -> None:
    manifest = json.loads(predict("project", "--output", "out", "--json"))
    assert manifest == json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert (manifest["answered"], manifest["version"]) == (30, "2")


def test_a_model_that_was_changed_in_the_store_answers_nothing(project: Path, tmp_path: Path) -> None:
    model = project / ".naru" / "store" / "tiny" / "models" / "2" / "artifacts" / "model"
    (model / "signature.json").write_text((model / "signature.json").read_text() + " ")
    done = CliRunner().invoke(app, ["predict", "project", "--output", "out"])
    assert "signature.json has changed since it was registered" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_project_without_a_version_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NARU_STORE", raising=False)
    (tmp_path / "project.yaml").write_text(PROJECT)
    with pytest.raises(ConfigError, match="no version to predict with yet") as caught:
        predict(str(tmp_path), "--output", str(tmp_path / "out"))
    assert "naru run" in caught.value.remedy


def test_a_source_that_an_option_names_is_corrected_by_the_option(project: Path, tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("no database, and long enough to be taken for one" * 3)
    for arguments, where, remedy in (
        (["--source", "nothing.csv"], "nothing.csv", "correct --source; it is relative to the working directory"),
        (["--source", "nothing-{span}.csv"], "nothing-", "correct --source"),
        (["--source", "x://y/t.csv"], "x://y/t.csv", "correct --source"),
        (
            ["--source", "sqlite:///nothing.db", "--source-table", "t"],
            "nothing.db",
            "correct --source; it is relative to the working",
        ),
        (["--source", "sqlite:///t.db", "--source-table", "t"], "t.db", "restore the file"),
    ):
        with pytest.raises((ConfigError, DataError)) as caught:
            predict("project", "--output", "out", *arguments)
        assert where in caught.value.where and remedy in caught.value.remedy
        assert "data.source" not in str(caught.value)
    (project / "rows.parquet").unlink()
    with pytest.raises(DataError) as own:
        predict("project", "--output", "out")
    assert "data.source; it is relative to project.yaml" in own.value.remedy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--output: is missing"),
        (["--output", "ftp://host/out"], "not written to ftp://"),
        (["--output", "out", "--format", "xml"], "unknown format 'xml'"),
        (["--output", "out.csv", "--format", "parquet"], "ends in .csv"),
        (["--output", "out", "--source-table", "t"], "for databases"),
        (["--output", "out", "--source", "rows.csv", "--source-table", "t"], "for databases"),
        (["--output", "out", "--source", "nothing.csv"], "there is no such file"),
        (["--output", "out", "--source", "sqlite:///t.db"], "which table"),
        (["--output", "out", "--source", "https://u:secret@host/t.csv"], "--source: holds a user name or password"),
        (["--output", "out", "--source", "https://host/t.csv?sig=secret"], "--source: holds a signature"),
        (["--output", "s3://key:secret@bucket/out"], "--output: holds a user name or password"),
        (["--output", "postgresql://u:secret@host/db", "--output-table", "t"], "--output: holds a user name or"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed(project: Path, arguments: list[str], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        predict("project", *arguments)
