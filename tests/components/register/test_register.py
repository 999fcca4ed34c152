"""A model becomes a version with all that made it, once, or is left out with the reason."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from components._core.checks import Outcome
from components._core.errors import NaruError, ServiceError, UnavailableError
from components._core.examples.reference_rows import Reference
from components._core.examples.samples import beside
from components._core.files import hash_file, read_json, write_json
from components._core.monitoring.feature_bins import NumberBins
from components._core.monitoring.reference import Column, MonitoringReference
from components._core.report.page import Page
from components._core.store.file_digests import list_digests, verify_model, write_digests
from components._core.types.artifact_files import CHOSEN_VARIANT
from components._core.types.signature import Signature
from components._core.types.variant_table import ServedVariant, VariantRow, VariantTable
from components._registry.mlflow_client import open_registry
from tests.components.register.conftest import Register
from tests.components.tiny_models import write_model


@pytest.fixture
def client(home: Path) -> MlflowClient:
    return open_registry(f"sqlite:///{home / 'mlflow.db'}")


def registration(folder: Path, name: str = "registration") -> dict[str, Any]:
    record: dict[str, Any] = read_json(folder / name / "registration.json")
    return record


def test_a_good_model_becomes_a_version_as_challenger(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    outcome = register("good")
    assert (outcome.verdict, outcome.reason) == ("ok", "version 1 of good, as challenger")
    version = client.get_model_version_by_alias("good", "challenger")
    assert str(version.version) == registration(tmp_path)["version"] == "1"
    assert version.tags["naru.data_fingerprint"] == "f" * 32
    assert Page.load(tmp_path / "registration").blocks[0].content["version"] == "1"


def test_the_record_says_what_made_it(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    register("record")
    run = client.get_run(registration(tmp_path)["mlflow_run"])
    assert run.data.params["hyperparameters.learning_rate"] == "0.01"
    assert run.data.params["spans"] == "1" and run.data.params["code_fingerprint"] == "c" * 32
    assert run.data.metrics == {"auc": 0.9, "f1 _0.5_": 0.8}
    assert run.info.status == "FINISHED" and run.info.run_name == "run-1"


def test_the_commit_is_in_mlflows_own_tag(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    register("commit", code_commit="a1b2c3+dirty")
    record = registration(tmp_path)
    for tags in (client.get_run(record["mlflow_run"]).data.tags, client.get_model_version("commit", "1").tags):
        assert (tags["mlflow.source.git.commit"], tags["naru.code_dirty"]) == ("a1b2c3", "true")
    assert record["made_by"] == {"fingerprint": "c" * 32, "commit": "a1b2c3", "dirty": True}


def test_without_a_commit_there_is_no_tag_of_it(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    register("no-commit")
    record = registration(tmp_path)
    assert not {"mlflow.source.git.commit", "naru.code_dirty"} & client.get_run(record["mlflow_run"]).data.tags.keys()
    assert record["made_by"] == {"fingerprint": "c" * 32, "commit": None, "dirty": None}


def test_a_model_that_is_not_registered_keeps_its_commit_for_the_record(
    register: Register, tmp_path: Path, made: dict[str, Path]
) -> None:
    shutil.copytree(made["evaluation"], tmp_path / "blocked")
    Outcome("blocked", "not good enough").save(tmp_path / "blocked" / "outcome.json")
    assert register("blocked-commit", evaluation=tmp_path / "blocked", code_commit="a1b2c3").verdict == "skipped"
    assert registration(tmp_path)["made_by"] == {"fingerprint": "c" * 32, "commit": "a1b2c3", "dirty": False}


def test_every_part_is_in_the_store_and_arrived_whole(
    register: Register, tmp_path: Path, client: MlflowClient, made: dict[str, Path]
) -> None:
    register("parts")
    record = registration(tmp_path)
    base = Path(urlparse(record["model"]).path).parent
    assert {name: hash_file(base / name) for name in record["sha256"]} == record["sha256"]
    assert record["sha256"]["code.zip"] == hash_file(made["code"])
    assert {"manifest.json", "outcome.json", "hyperparameters.json", "request.json"} <= set(record["sha256"])
    assert (Path(urlparse(record["statistics"]).path) / "statistics.binpb").is_file()


def test_the_offline_answers_lie_beside_the_model(register: Register, tmp_path: Path, made: dict[str, Path]) -> None:
    register("sample")
    record = registration(tmp_path)
    assert record["sample"] == beside(record["model"])
    assert record["sha256"]["sample.parquet"] == hash_file(made["evaluation"] / "sample.parquet")


def test_the_models_server_gets_the_reference_that_evaluate_made(
    register: Register, tmp_path: Path, made: dict[str, Path]
) -> None:
    register("reference")
    record = registration(tmp_path)
    model = Path(urlparse(record["model"]).path)
    assert Reference.load(model) == Reference.load(made["evaluation"]) != Reference()
    assert record["sha256"]["model/reference.json"] == hash_file(model / "reference.json")


def test_a_version_without_offline_answers_is_registered_all_the_same(
    register: Register, tmp_path: Path, made: dict[str, Path]
) -> None:
    shutil.copytree(made["evaluation"], tmp_path / "old", ignore=shutil.ignore_patterns("sample.parquet"))
    assert register("old", evaluation=tmp_path / "old").verdict == "ok"
    assert registration(tmp_path)["sample"] is None


def test_mlflow_finds_the_model_and_the_parts_where_it_looks(
    register: Register, tmp_path: Path, client: MlflowClient
) -> None:
    register("source")
    record = registration(tmp_path)
    assert client.get_model_version("source", "1").source == record["model"]
    artifacts = client.list_artifacts(record["mlflow_run"])
    assert {"model", "statistics", "schema", "code.zip"} <= {artifact.path for artifact in artifacts}


def test_the_same_run_again_gives_the_same_version(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    register("again")
    register("again", to="second")
    first, second = registration(tmp_path), registration(tmp_path, "second")
    assert first == second
    assert len(client.search_model_versions("name = 'again'")) == 1
    assert register("again", run="run-2", to="third").reason == "version 2 of again, as challenger"


def test_an_interrupted_registration_is_taken_up(
    register: Register, made: dict[str, Path], tmp_path: Path, client: MlflowClient
) -> None:
    with pytest.raises(NaruError, match="has no gone"):
        register("taken-up", schema=made["schema"] / "gone")
    assert not client.search_model_versions("name = 'taken-up'")
    assert register("taken-up", to="second").reason == "version 1 of taken-up, as challenger"
    experiment = client.get_experiment_by_name("taken-up")
    assert experiment is not None and len(client.search_runs([experiment.experiment_id])) == 1


def test_a_damaged_copy_in_the_store_is_mended(register: Register, tmp_path: Path) -> None:
    register("damaged")
    copy = Path(urlparse(registration(tmp_path)["model"]).path) / "signature.json"
    whole = copy.read_bytes()
    copy.write_bytes(whole[:10])
    register("damaged", to="second")
    assert copy.read_bytes() == whole


def test_a_blocked_model_is_not_registered(register: Register, tmp_path: Path, client: MlflowClient) -> None:
    (tmp_path / "evaluation").mkdir()
    Outcome("blocked", "auc 0.61 is below 0.85").save(tmp_path / "evaluation" / "outcome.json")
    outcome = register("blocked", evaluation=tmp_path / "evaluation")
    assert (outcome.verdict, outcome.reason) == ("skipped", "not registered: auc 0.61 is below 0.85")
    assert registration(tmp_path)["version"] is None
    assert client.get_experiment_by_name("blocked") is None
    assert Page.load(tmp_path / "registration").outcome.verdict == "skipped"


def test_a_corrupt_database_is_reported_with_a_remedy(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_text("no database, but a text that somebody put there" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with pytest.raises(ServiceError, match="cannot be used") as caught:
        register("corrupt")
    assert str(database) in caught.value.where and "move the file away" in caught.value.remedy


def test_an_unreachable_server_is_unavailable_and_no_password_is_shown(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UnavailableError) as caught:
        register("away")
    assert "secret" not in str(caught.value)


def test_a_new_database_appears_whole_and_alone(register: Register, home: Path) -> None:
    register("whole")
    assert [path.name for path in home.iterdir() if path.is_file()] == ["mlflow.db"]


def test_a_skipped_registration_does_not_import_mlflow() -> None:
    code = "import sys, components.register.register; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_that_its_explanation_blocked_is_not_registered(register: Register, tmp_path: Path) -> None:
    (tmp_path / "explained").mkdir()
    Outcome("blocked", "x alone predicts the label").save(tmp_path / "explained" / "outcome.json")
    outcome = register("leaking", explanation=tmp_path / "explained")
    assert (outcome.verdict, outcome.reason) == ("skipped", "not registered: x alone predicts the label")


def test_the_monitors_reference_is_kept_with_what_each_feature_is_worth(
    register: Register, made: dict[str, Path], tmp_path: Path
) -> None:
    evaluation, explanation = (shutil.copytree(made[name], tmp_path / name) for name in ("evaluation", "explanation"))
    columns = {name: Column(NumberBins("float32", (0.0, 1.0)), np.ones((2, 5), np.int64)) for name in ("delay", "hour")}
    MonitoringReference("rows", (), columns).save(evaluation / "monitoring_reference.json")
    worth = {"delay": {"importance": 0.3, "contribution": 0.1}, "hour": {"importance": 0.0, "contribution": 0.1}}
    write_json(explanation / "importances.json", {"features": worth})
    register("monitored", evaluation=evaluation, explanation=explanation)
    record = registration(tmp_path)
    stored = Path(urlparse(beside(record["model"], "monitoring_reference.json")).path)
    assert record["sha256"]["monitoring_reference.json"] == hash_file(stored)
    assert MonitoringReference.load(stored).importances == {"delay": 1.0, "hour": 0.5}


@pytest.fixture
def with_variant(made: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """An evaluation that chose a variant: here the model of another task, which is easy to tell apart."""
    evaluation = tmp_path / "evaluation with a variant"
    shutil.copytree(made["evaluation"], evaluation)
    (evaluation / CHOSEN_VARIANT).mkdir()
    write_model(evaluation / CHOSEN_VARIANT, "regression")
    write_digests(evaluation / CHOSEN_VARIANT)
    rows = (VariantRow("original", "as trained", "passed"), VariantRow("folded", "folded", "served", speedup=2.0))
    VariantTable("folded", "folded is faster", "auc", 50, {"variants": "auto"}, rows).save(evaluation)
    return {**made, "evaluation": evaluation}


def test_the_chosen_variant_is_registered_in_the_place_of_the_model_which_is_kept_beside_it(
    register: Register, tmp_path: Path, with_variant: dict[str, Path], client: MlflowClient
) -> None:
    outcome = register("with-variant", evaluation=with_variant["evaluation"])
    assert outcome.reason == "version 1 of with-variant, as challenger; served is its variant folded"
    record = registration(tmp_path)
    assert record["variant"] == "folded"
    base = Path(urlparse(record["model"]).path).parent
    assert Signature.load(base / "model").task == "regression"
    assert Signature.load(base / "original").task == "binary_classification"
    verify_model(base / "model")
    variant = ServedVariant.load(base / "model")
    assert variant == ServedVariant("folded", {"variants": "auto"}, list_digests(with_variant["model"]))
    assert {"model/variant.json", "original/signature.json", "variants.json"} <= record["sha256"].keys()
    titles = [block.title for block in Page.load(tmp_path / "registration").blocks]
    assert "Optimised variants" in titles
    assert client.get_model_version("with-variant", "1").tags["naru.variant"] == "folded"


def test_a_model_whose_variants_were_all_refused_is_registered_itself_and_says_so(
    register: Register, tmp_path: Path, made: dict[str, Path]
) -> None:
    evaluation = tmp_path / "evaluation"
    shutil.copytree(made["evaluation"], evaluation)
    rows = (VariantRow("original", "as trained", "served"), VariantRow("int8", "smaller", "refused", "too far"))
    VariantTable("original", "too far", "auc", 50, {"variants": ["int8"]}, rows).save(evaluation)
    assert register("refused", evaluation=evaluation).reason == "version 1 of refused, as challenger"
    record = registration(tmp_path)
    base = Path(urlparse(record["model"]).path).parent
    assert record["variant"] == "original" and not (base / "original").exists()
    found = ServedVariant.load(base / "model")
    assert found is not None and found.name == "original"


def test_a_variant_that_was_changed_since_it_was_made_is_refused(
    register: Register, with_variant: dict[str, Path]
) -> None:
    (with_variant["evaluation"] / CHOSEN_VARIANT / "signature.json").write_text("{}")
    with pytest.raises(NaruError, match=r"signature\.json has changed"):
        register("changed-variant", evaluation=with_variant["evaluation"])
