"""A version that answers as it did offline becomes the champion; any other leaves the champion where it is."""

import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from components._core.checks import Check, Outcome
from components._core.errors import ConfigError
from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.project.approval_config import Approval
from components._core.report.page import Page
from components._core.settings import Settings
from components._core.stage.environment import describe_environment
from components._core.stage.run_record import RunRecord
from components._core.store.approvals import open_approvals, read_requests
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components._core.types.artifact_files import COMPARED, MANIFEST, SAMPLE
from components._registry.mlflow_client import open_registry
from components.deploy.comparison import Comparison
from components.deploy.load_generator import Load
from components.deploy.performance import Performance
from components.deploy.promotion import Compared, promote
from components.deploy.smoke_test import SmokeTestResult
from components.deploy.targets.local.side_by_side import LocalTarget
from tests.components.deploy.conftest import Deploy
from tests.components.tiny_models import tiny_project

FIRST = Compared(None, "evaluate", "run again")


def rollout(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = read_json(folder / "rollout" / "rollout.json")
    return record


@pytest.fixture
def registry(registration: Path, tmp_path: Path) -> Any:
    client = open_registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("tiny")
    client.create_model_version("tiny", read_json(registration / "registration.json")["model"])
    return client


@pytest.mark.slow
def test_a_version_that_proves_itself_becomes_the_champion(deploy: Deploy, registry: Any, tmp_path: Path) -> None:
    outcome = deploy()
    assert (outcome.verdict, outcome.reason) == ("ok", "version 1 is the champion")
    assert {check.name: check.status for check in outcome.checks} == {
        "parity: probability": "pass",
        "p95 latency (ms)": "pass",
        "malformed request": "pass",
        "error rate": "pass",
        "ends on SIGTERM": "pass",
    }
    assert outcome.metrics == {}, "times do not repeat: they are in rollout.json"
    champion = current_champion(str(tmp_path / "store"), "tiny")
    assert champion is not None and (champion.version, champion.run, champion.metrics) == ("1", "run-1", {"auc": 0.9})
    assert champion.why == "training run run-1: drift in x"
    assert str(registry.get_model_version_by_alias("tiny", "champion").version) == "1"
    record = rollout(tmp_path)
    assert record["rows_compared"] == 300 and record["rows_with_missing_values"] > 0
    assert 0 < record["latency_ms"]["p50"] <= record["latency_ms"]["p95"] <= record["latency_ms"]["p99"]
    assert record["processing"]["version"]["requests_per_second"] > 0
    assert record["processing"]["version"]["memory_mb"] > 100
    assert record["processing"]["not_compared"] == "there is no champion to compare with"
    report = (tmp_path / "report.html").read_text()
    assert "Under load" in report
    assert "Deployment" in report and "Registration" in report and "run-1" in report and "drift in x" in report
    assert any(block.kind == "figure" for block in Page.load(tmp_path / "rollout").blocks)


@pytest.mark.slow
def test_a_version_is_measured_against_the_champion_in_turn(
    deploy: Deploy, registry: Any, registration: Path, champion: Path, against_champion: Path, tmp_path: Path
) -> None:
    write_json(registration / "registration.json", {**read_json(registration / "registration.json"), "version": "2"})
    registry.create_model_version("tiny", "second")
    outcome = deploy(
        project=tiny_project(serving={"slower_percent": 10_000, "concurrency": 2, "throughput": 1}),
        evaluation=against_champion,
    )
    assert (outcome.verdict, outcome.reason) == ("ok", "version 2 is the champion")
    judged = {check.name: check for check in outcome.checks}
    assert judged["requests per second"].status == "pass"
    against = judged["p95 under load against the champion"]
    assert against.status == "pass" and against.baseline is not None and against.baseline > 0
    record = rollout(tmp_path)["processing"]
    assert (record["clients"], record["champion"]["name"], record["not_compared"]) == (2, "champion v1", "")
    assert record["champion"]["requests_per_second"] > 0 and champion.is_dir()
    assert "champion v1" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_a_champion_that_does_not_load_is_reported_and_its_successor_deployed(
    deploy: Deploy, registry: Any, registration: Path, champion: Path, against_champion: Path, tmp_path: Path
) -> None:
    write_json(registration / "registration.json", {**read_json(registration / "registration.json"), "version": "2"})
    registry.create_model_version("tiny", "second")
    (champion / "signature.json").unlink()
    outcome = deploy(project=tiny_project(serving={"slower_percent": 50}), evaluation=against_champion)
    assert outcome.verdict == "warn"
    (found,) = (check for check in outcome.checks if check.status != "pass")
    assert (found.name, found.status) == ("p95 under load against the champion", "no_baseline")
    assert "not compared with champion v1" in found.reason and "holds no model" in found.reason
    deployed = current_champion(str(tmp_path / "store"), "tiny")
    assert deployed is not None and deployed.version == "2"


def test_a_server_that_does_not_start_blocks_with_its_last_lines(
    deploy: Deploy, registration: Path, tmp_path: Path
) -> None:
    copy = Path(urlparse(read_json(registration / "registration.json")["model"]).path)
    (copy / "signature.json").unlink()
    outcome = deploy()
    assert outcome.verdict == "blocked"
    assert "ended with 6 before it was ready" in outcome.reason and "holds no model" in outcome.reason
    assert current_champion(str(tmp_path / "store"), "tiny") is None
    assert "holds no model" in (tmp_path / "report.html").read_text()


def run_record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = read_json(folder / "rollout" / "run.json")
    return record


def test_the_record_of_the_run_is_written_whatever_was_decided(
    deploy: Deploy, registration: Path, tmp_path: Path
) -> None:
    made_by = {"fingerprint": "c" * 32, "commit": "0123456789abcdef", "dirty": True}
    write_json(registration / "registration.json", {"version": None, "reason": "auc too low", "made_by": made_by})
    write_json(tmp_path / "history" / "environment.json", asdict(describe_environment()))
    stages = [{"stage": "evaluate", "verdict": "blocked", "reason": "auc too low", "metric_auc": 0.4}]
    assert deploy(stages=stages).verdict == "skipped"
    record = run_record(tmp_path)
    assert set(record) == {field.name for field in fields(RunRecord)}
    assert (record["run"], record["cause"], record["code"]) == ("run-1", "drift in x", made_by)
    assert (record["status"], record["deployed"], record["model_version"]) == ("succeeded", False, "")
    assert (record["reason"], record["metrics"]) == ("nothing was deployed: auc too low", {"auc": 0.4})
    assert [(stage["stage"], stage["verdict"]) for stage in record["stages"]] == [
        ("evaluate", "blocked"),
        ("deploy", "skipped"),
    ]
    assert record["environment"]["packages"]["numpy"] and record["data"]["rows"] and record["champion"] is None
    assert "01234567 and changes on top" in (tmp_path / "report.html").read_text()


def test_a_registration_of_an_earlier_naru_leaves_the_code_unknown(
    deploy: Deploy, registration: Path, tmp_path: Path
) -> None:
    write_json(registration / "registration.json", {"version": None, "reason": "auc too low"})
    deploy()
    record = run_record(tmp_path)
    assert record["code"] == {"fingerprint": None, "commit": None, "dirty": None}
    assert record["environment"] is None


def test_without_offline_answers_nothing_is_deployed_and_the_message_has_a_remedy(
    deploy: Deploy, evaluation: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / COMPARED, {"champion": None})
    shutil.copyfile(evaluation / MANIFEST, tmp_path / MANIFEST)
    outcome = deploy(evaluation=tmp_path)
    assert outcome.verdict == "blocked"
    assert "no offline answers" in outcome.reason and "from evaluate on" in outcome.reason
    assert current_champion(str(tmp_path / "store"), "tiny") is None


@pytest.mark.slow
def test_a_version_that_answers_otherwise_than_offline_is_not_deployed(
    deploy: Deploy, evaluation: Path, tmp_path: Path
) -> None:
    sample = Sample.load(evaluation / SAMPLE)
    other = {name: values + 0.01 for name, values in sample.outputs.items()}
    Sample(sample.rows, other).save(tmp_path / "other" / SAMPLE)
    for name in (COMPARED, MANIFEST):
        shutil.copyfile(evaluation / name, tmp_path / "other" / name)
    outcome = deploy(evaluation=tmp_path / "other")
    assert outcome.verdict == "blocked" and "probability served differs from offline by 0.01" in outcome.reason
    assert current_champion(str(tmp_path / "store"), "tiny") is None


def test_without_a_version_nothing_is_deployed_and_the_report_is_bound(deploy: Deploy, tmp_path: Path) -> None:
    write_json(tmp_path / "none" / "registration.json", {"version": None, "reason": "not registered: auc is low"})
    outcome = deploy(registration=tmp_path / "none")
    assert (outcome.verdict, outcome.reason) == ("skipped", "nothing to deploy: not registered: auc is low")
    assert current_champion(str(tmp_path / "store"), "tiny") is None
    assert "auc is low" in (tmp_path / "report.html").read_text()
    assert Outcome.load(tmp_path / "rollout" / "outcome.json") == outcome


def test_with_no_serving_target_nothing_is_deployed_the_version_stays_challenger_and_the_report_is_bound(
    deploy: Deploy, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_SERVING", "none")
    registry.set_registered_model_alias("tiny", "challenger", "1")
    outcome = deploy()
    assert (outcome.verdict, outcome.reason) == ("skipped", "no serving target (NARU_SERVING is none)")
    assert current_champion(str(tmp_path / "store"), "tiny") is None
    aliases = registry.get_registered_model("tiny").aliases
    assert {name: str(version) for name, version in aliases.items()} == {"challenger": "1"}
    report = (tmp_path / "report.html").read_text()
    assert "no serving target" in report and "Registration" in report


def test_an_unknown_serving_target_is_refused_with_what_is_allowed(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_SERVING", "moon")
    with pytest.raises(ConfigError, match="found 'moon'; allowed: local, seldon, none"):
        deploy()


def test_a_version_that_was_not_compared_with_the_champion_of_now_is_not_even_served(
    deploy: Deploy, champion: Path, registration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(registration / "registration.json", {**read_json(registration / "registration.json"), "version": "2"})
    monkeypatch.setattr(LocalTarget, "compare", lambda *_: pytest.fail("it was served"))
    outcome = deploy()
    assert outcome.verdict == "blocked" and champion.is_dir()
    assert outcome.reason.startswith("champion changed since evaluate: it was none, and is version 1 (2026-01-01T00:00")
    assert "run again (naru run, or naru submit on a cluster)" in outcome.reason
    assert [line.version for line in read_deployments(str(tmp_path / "store"), "tiny")] == ["1"]
    assert "champion changed since evaluate" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_a_champion_that_changes_while_the_version_is_tried_stays_and_what_was_measured_is_shown(
    deploy: Deploy, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Deployment("7", "elsewhere", "", "", {}, "", "run-0", "2026-01-01T00:00:00+00:00", "ada", "a rollback")

    compare = LocalTarget.compare

    def compare_and_be_overtaken(*given: Any) -> Comparison:
        comparison = compare(*given)
        registry.create_model_version("tiny", "second")
        append_deployment(str(tmp_path / "store"), "tiny", line)
        return comparison

    monkeypatch.setattr(LocalTarget, "compare", compare_and_be_overtaken)
    outcome = deploy()
    assert outcome.verdict == "blocked" and "it was none, and is version 7" in outcome.reason
    assert {check.name for check in outcome.checks if check.status == "fail"} == {"champion"}
    assert rollout(tmp_path)["rows_compared"] == 300 and "deployment" not in rollout(tmp_path)
    assert "champion" not in registry.get_registered_model("tiny").aliases


def test_an_evaluation_that_does_not_say_what_it_compared_with_deploys_nothing(
    deploy: Deploy, evaluation: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(evaluation, tmp_path / "earlier")
    (folder / COMPARED).unlink()
    outcome = deploy(evaluation=folder)
    assert outcome.verdict == "blocked" and "did not record which champion it compared with" in outcome.reason
    assert "from evaluate on, without its cache" in outcome.reason


def test_deploying_the_champion_again_adds_no_line(registry: Any, registration: Path, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"), f"sqlite:///{tmp_path / 'mlflow.db'}")
    registered = read_json(registration / "registration.json")
    first = promote(settings, "tiny", registered, "a test", FIRST)
    assert promote(settings, "tiny", registered, "a test", FIRST) == first
    assert len(list((tmp_path / "store" / "tiny" / "deployments").glob("*.json"))) == 1


def _compared(*_: Any) -> Comparison:
    ours = Performance(Load(1, 1.0, 1, {200: 1}, [1.0]), 1.0, None, 1.0)
    return Comparison(SmokeTestResult(milliseconds=[1.0], rows=2), [Check("parity", "pass")], ours, None, "", "")


def test_a_version_that_must_be_approved_waits_and_the_champion_stays_where_it_is(
    deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalTarget, "compare", _compared)
    project = tiny_project()
    serve = project.serve.model_copy(update={"approve": Approval(who=["ada"])})
    outcome = deploy(project=project.model_copy(update={"serve": serve}))
    assert outcome.verdict == "skipped" and outcome.reason.startswith("waits for approval of ada: version 1, until ")
    assert "naru approve 1 --reason" in outcome.reason
    assert current_champion(str(tmp_path / "store"), "tiny") is None
    (request,) = read_requests(open_approvals(str(tmp_path / "store"), "tiny"))
    assert request.asked.run == "run-1" and request.champion is None and request.asked.who == ["ada"]
    assert rollout(tmp_path)["approval"] == {"request": request.name, "evidence": request.asked.digest}
    assert (run_record(tmp_path)["deployed"], run_record(tmp_path)["reason"]) == (False, outcome.reason)
    assert "waits for approval" in (tmp_path / "report.html").read_text()
