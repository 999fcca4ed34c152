"""`naru rollback` and `naru ledger`."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError, ServiceError
from components._core.store.ledger import Deployment, append_deployment, read_deployments
from components._core.store.rollout_history import Change, append_change
from components._registry.mlflow_client import open_registry
from pipelines.__main__ import app
from pipelines.compile_target import Target
from pipelines.rollback import roll_back

PROJECT = "name: tiny\ntask: binary_classification\nlabel: y\ndata:\n  source: t.csv\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three versions, of which 1, 2 and 3 were champion in turn."""
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project.yaml").write_text(PROJECT)
    home = tmp_path / ".naru"
    client = open_registry(f"sqlite:///{home / 'mlflow.db'}")
    client.create_registered_model("tiny")
    for version in ("1", "2", "3"):
        model = home / "store" / "tiny" / "models" / version / "artifacts" / "model"
        (model / "saved_model").mkdir(parents=True)
        for name in ("signature.json", "saved_model/saved_model.pb"):
            (model / name).write_text("{}")
        client.create_model_version("tiny", str(model))
        line = Deployment(
            version, str(model), "", "", {}, "f", "run", f"2013-01-0{version}T00:00:00+00:00", "me", "a test"
        )
        append_deployment(str(home / "store"), "tiny", line)
    return tmp_path


def champions(project: Path) -> list[str]:
    return [line.version for line in read_deployments(str(project / ".naru" / "store"), "tiny")]


def alias(project: Path) -> str:
    client = open_registry(f"sqlite:///{project / '.naru' / 'mlflow.db'}")
    return str(client.get_model_version_by_alias("tiny", "champion").version)


def test_the_champion_before_the_present_one_is_the_champion_again(project: Path) -> None:
    done = roll_back(project, "", Target())
    assert (done.before, done.now) == ("3", "2")
    assert champions(project) == ["1", "2", "3", "2"] and alias(project) == "2"
    last = read_deployments(str(project / ".naru" / "store"), "tiny")[-1]
    assert last.why.startswith("rolled back to version 2 by ") and last.at > "2026"


def test_a_version_may_be_named(project: Path) -> None:
    assert roll_back(project, "1", Target()).now == "1"
    assert alias(project) == "1"


def test_a_version_that_never_served_is_refused_with_those_that_did(project: Path) -> None:
    with pytest.raises(ConfigError, match="version '7' was never in service; there are '1', '2', '3'"):
        roll_back(project, "7", Target())
    assert champions(project) == ["1", "2", "3"]


def test_without_anything_to_go_back_to_that_is_said(project: Path) -> None:
    first, second, third = sorted((project / ".naru" / "store" / "tiny" / "deployments").iterdir())
    first.unlink()
    second.unlink()
    with pytest.raises(ConfigError, match="version 3 is the only one that was in service"):
        roll_back(project, "", Target())
    third.unlink()
    with pytest.raises(ConfigError, match="has no champion yet"):
        roll_back(project, "", Target())


def test_a_version_whose_files_are_gone_is_not_put_back(project: Path) -> None:
    (project / ".naru" / "store" / "tiny" / "models" / "2" / "artifacts" / "model" / "signature.json").unlink()
    with pytest.raises(ServiceError, match="version 2 cannot be served"):
        roll_back(project, "", Target())
    assert champions(project) == ["1", "2", "3"]


def test_a_rollback_that_another_promotion_overtakes_changes_nothing_and_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run deploys version 3 again from elsewhere, after the rollback has looked and before it writes."""
    store = str(project / ".naru" / "store")
    overtaker = replace(read_deployments(store, "tiny")[0], version="4", model="elsewhere")

    def overtake(*_: object) -> list[str]:
        append_deployment(store, "tiny", overtaker)
        return []

    monkeypatch.setattr("components._frameworks.table.missing_model_files", overtake)
    with pytest.raises(
        ServiceError, match="champion changed since this rollback began: it was version 3, and is version 4"
    ) as error:
        roll_back(project, "", Target())
    assert "naru rollback again" in error.value.remedy
    assert champions(project) == ["1", "2", "3", "4"]


def test_the_ledgers_are_reported_by_time(project: Path) -> None:
    store = str(project / ".naru" / "store")
    change = Change(
        "r", "share", "2", {"2": 33.3, "1": 66.7}, "2013-01-01T12:00:00+00:00", "ada", "", "ok", "asked 10 %"
    )
    append_change(store, "tiny", change)
    shown = CliRunner().invoke(app, ["ledger", str(project)], env={"COLUMNS": "160"})
    assert shown.exit_code == 0
    rows = [line for line in shown.stdout.splitlines() if line.startswith("2013")]
    assert [row.split()[2] for row in rows] == ["champion", "share", "champion", "champion"]
    assert "1: 66.7 %, 2: 33.3 %" in rows[1]
