"""The termination message of a stage."""

import json
from pathlib import Path

import pytest

from components._core.errors import DataError
from components._core.stage import termination_message
from components._core.stage.stage_end import error_of, failed, find_end, parse_end


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that Kubernetes puts into a pod, empty."""
    file = tmp_path / "termination-log"
    file.touch()
    monkeypatch.setattr(termination_message, "PLACE", file)
    return file


def test_a_record_is_kept_with_a_long_reason_cut_and_logged_whole(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end = {"stage": "train", "work_seconds": 1.5, "reason": "ü" * 10_000}
    termination_message.write_end(end)
    kept = parse_end(place.read_text())
    assert (kept["stage"], kept["work_seconds"]) == ("train", 1.5)
    assert kept["reason"].startswith("üü") and place.stat().st_size <= termination_message.LARGEST
    assert find_end(capsys.readouterr().out) == end


def test_a_record_with_many_metrics_stays_json(place: Path) -> None:
    termination_message.write_end(
        {"stage": "train", "reason": "", **{f"metric_{number}": 0.5 for number in range(1_000)}}
    )
    assert json.loads(place.read_text())["stage"] == "train" and place.stat().st_size <= termination_message.LARGEST


@pytest.mark.parametrize("text", ["no file matches", "ü" * 10_000, "\n" * 10_000, "\udcff" * 3_000])
def test_an_error_stays_an_error_however_long_it_is(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    termination_message.write_end(failed("ingest", DataError(text, where=text, remedy=text)))
    assert place.stat().st_size <= termination_message.LARGEST
    kept, logged = error_of(parse_end(place.read_text())), error_of(find_end(capsys.readouterr().out, "ingest"))
    assert isinstance(kept, DataError) and isinstance(logged, DataError)
    expected = text.encode("utf-8", "replace").decode()
    assert expected.startswith(kept.message) and kept.message and logged.message == expected


def test_outside_a_pod_nothing_is_written_or_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(termination_message, "PLACE", tmp_path / "no such file")
    termination_message.write_end({"stage": "train"})
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "no such file").exists()
