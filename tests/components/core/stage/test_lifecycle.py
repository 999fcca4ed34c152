import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Check, Outcome, judge
from components._core.errors import DataBlockedError
from components._core.stage.lifecycle import stage
from components._core.store.object_store import upload
from components.stages import INGEST, TRAIN, TRANSFORM, TUNE


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def output(tmp_path: Path) -> Artifact:
    return Artifact(str(tmp_path / "task" / "output"))


def test_outputs_get_their_names_only_at_the_end(output: Artifact) -> None:
    with stage(TRAIN, output) as this:
        (this.folder(output) / "file").write_text("x")
        assert not Path(output.path).exists()
        this.done(Outcome(reason="well"))
    assert (Path(output.path) / "file").read_text() == "x"
    assert output.metadata["reason"] == "well"
    assert output.metadata["work_seconds"] >= 0


def test_what_an_earlier_try_left_is_replaced(output: Artifact) -> None:
    for text in ("first", "second"):
        with stage(TRAIN, output) as this:
            folder = this.folder(output)
            assert not list(folder.iterdir())
            (folder / text).write_text(text)
            this.done(Outcome())
    assert [path.name for path in Path(output.path).iterdir()] == ["second"]


def test_what_a_stage_fetches_is_there_until_it_ends(output: Artifact, tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_text("code")
    upload(tmp_path / "code.zip", "memory://stages/code.zip")
    with stage(TRAIN, output) as this:
        here = this.fetch("memory://stages/code.zip")
        assert here.read_text() == "code"
        this.done(Outcome())
    assert not here.exists()
    assert (tmp_path / "code.zip").exists()


def test_an_error_of_ours_ends_the_process_with_its_own_code_and_no_output(
    output: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    def blocked() -> None:
        with stage(TRANSFORM, output) as this:
            this.folder(output)
            raise DataBlockedError("label is missing", where="span 2", remedy="correct it")

    with pytest.raises(SystemExit) as end:
        blocked()
    assert end.value.code == 5
    assert not Path(output.path).exists()
    end_of_stage = json.loads((Path(output.path).parent / "error.json").read_text())
    error = {"kind": "data_blocked", "message": "label is missing", "where": "span 2", "remedy": "correct it"}
    assert end_of_stage == {"stage": "transform", "error": error}
    printed = capsys.readouterr().err
    assert "span 2: label is missing" in printed
    assert "Traceback" not in printed


def test_a_fault_of_ours_keeps_its_traceback_in_the_log(output: Artifact, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, stage(TRANSFORM, output):
        raise KeyError("oops")
    assert end.value.code == 1
    assert "Traceback" in capsys.readouterr().err
    assert "KeyError" in json.loads((Path(output.path).parent / "error.json").read_text())["error"]["message"]


def test_a_full_disk_says_what_to_do(output: Artifact) -> None:
    with pytest.raises(SystemExit), stage(INGEST, output):
        raise OSError(28, "No space left on device", "examples")
    assert "free some space" in json.loads((Path(output.path).parent / "error.json").read_text())["error"]["remedy"]


def test_a_stage_without_an_outcome_is_a_fault(output: Artifact) -> None:
    with pytest.raises(SystemExit) as end, stage(TUNE, output) as this:
        this.folder(output)
    assert end.value.code == 1


def test_run_parameters_override_the_project(output: Artifact) -> None:
    text = json.dumps({"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}})
    with stage(TRAIN, output) as this:
        assert this.project(text, train__epochs=3, data__spans="").train.epochs == 3
        assert this.project(text, train__epochs=-1).train.epochs == 10
        this.folder(output)
        this.done(Outcome())


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (["pass"], "ok"),
        (["pass", "warn"], "warn"),
        (["no_baseline"], "warn"),
        (["warn", "fail"], "blocked"),
        (["skipped"], "ok"),
    ],
)
def test_the_worst_check_decides(statuses: list[Any], verdict: str) -> None:
    assert judge([Check(f"c{i}", status) for i, status in enumerate(statuses)]).verdict == verdict


def test_an_outcome_survives_its_file(tmp_path: Path) -> None:
    outcome = Outcome("warn", "so", (Check("auc", "warn", 0.5, 0.6, n=3, reason="low"),), {"auc": 0.5})
    outcome.save(tmp_path / "outcome.json")
    assert Outcome.load(tmp_path / "outcome.json") == outcome


def test_no_number_that_json_does_not_know_is_written(tmp_path: Path) -> None:
    Outcome(metrics={"auc": float("nan")}).save(tmp_path / "outcome.json")
    assert json.loads((tmp_path / "outcome.json").read_text())["metrics"]["auc"] is None


def test_in_a_pod_kubernetes_gets_how_the_stage_ended(
    output: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "termination-log"
    place.touch()
    monkeypatch.setattr("components._core.stage.termination_message.PLACE", place)
    with stage(TRAIN, output) as this:
        this.folder(output)
        this.done(Outcome(metrics={"loss": 0.5}))
    record = json.loads(place.read_text())
    assert (record["stage"], record["verdict"], record["metric_loss"]) == ("train", "ok", 0.5)
    with pytest.raises(SystemExit), stage(TRAIN, output):
        raise DataBlockedError("label is missing", where="span 2")
    assert json.loads(place.read_text()) == json.loads((Path(output.path).parent / "error.json").read_text())


def test_a_metric_that_is_not_json_is_left_out(output: Artifact) -> None:
    with stage(TRAIN, output) as this:
        this.folder(output)
        this.done(Outcome(metrics={"loss": float("inf"), "r2": float("nan"), "auc": 0.9}))
    assert [name for name in output.metadata if name.startswith("metric_")] == ["metric_auc"]
