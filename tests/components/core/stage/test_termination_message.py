"""What a stage says to Kubernetes when it ends."""

import json
from pathlib import Path

import pytest

from components._core.stage import termination_message


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that Kubernetes puts into a pod, empty."""
    file = tmp_path / "termination-log"
    file.touch()
    monkeypatch.setattr(termination_message, "PLACE", file)
    return file


def test_a_record_is_left_as_json_and_logged_and_a_long_reason_is_cut(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    termination_message.tell_record({"stage": "train", "work_seconds": 1.5, "reason": "ü" * 10_000})
    told = json.loads(place.read_text())
    assert capsys.readouterr().out == f"{termination_message.LOGGED}{place.read_text()}\n"
    assert (told["stage"], told["work_seconds"]) == ("train", 1.5)
    assert told["reason"].startswith("üü") and place.stat().st_size <= termination_message.LARGEST


def test_a_record_with_many_metrics_stays_json(place: Path) -> None:
    termination_message.tell_record(
        {"stage": "train", "reason": "", **{f"metric_{number}": 0.5 for number in range(1_000)}}
    )
    assert json.loads(place.read_text())["stage"] == "train" and place.stat().st_size <= termination_message.LARGEST


def test_an_error_is_left_as_the_sentence_that_was_printed(place: Path) -> None:
    termination_message.tell_error("naru: ingest: no file fits")
    assert place.read_text() == "naru: ingest: no file fits"


def test_outside_a_pod_nothing_is_written_or_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(termination_message, "PLACE", tmp_path / "no such file")
    termination_message.tell_error("x")
    termination_message.tell_record({"stage": "train"})
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "no such file").exists()
