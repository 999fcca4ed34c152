import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components._core.errors import UnavailableError
from components.deploy.rollout.logged_predictions import read_predictions

NOW = datetime.now(UTC)


def write(folder: Path, at: datetime, version: str, outputs: dict[str, list[object]]) -> None:
    hour = folder / f"{at:dt=%Y-%m-%d/hour=%H}"
    hour.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"version": version, "time": at.isoformat(), "outputs": outputs})
    (hour / f"pod-{len(list(hour.iterdir()))}.jsonl").write_text(f"{line}\n")


def test_predictions_are_separated_by_version_and_older_ones_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, NOW, "3", {"probability": [0.25, 0.5]})
    write(tmp_path, NOW, "4", {"probability": [0.75]})
    write(tmp_path, NOW, "9", {"probability": [0.1]})
    write(tmp_path, NOW - timedelta(hours=2), "3", {"probability": [0.9]})
    found = read_predictions(str(tmp_path), ("4", "3"), NOW - timedelta(minutes=1))
    assert found == {"4": [0.75], "3": [0.25, 0.5]}


def test_of_a_classifier_the_class_is_read(tmp_path: Path) -> None:
    write(tmp_path, NOW, "3", {"probabilities": [[0.2, 0.8]], "class": ["b"]})
    assert read_predictions(str(tmp_path), ("3",), NOW - timedelta(minutes=1)) == {"3": ["b"]}


def test_lines_of_counts_are_no_predictions(tmp_path: Path) -> None:
    write(tmp_path, NOW, "3", {"probability": [0.25]})
    log = next(tmp_path.rglob("*.jsonl"))
    log.write_text(log.read_text() + json.dumps({"dropped": 2, "version": "3", "log": 2}) + "\n")
    assert read_predictions(str(tmp_path), ("3",), NOW - timedelta(minutes=1)) == {"3": [0.25]}


def test_the_rows_of_a_batch_are_no_traffic_of_a_canary(tmp_path: Path) -> None:
    write(tmp_path, NOW, "3", {"probability": [0.25]})
    log = next(tmp_path.rglob("*.jsonl"))
    line = {**json.loads(log.read_text()), "source": "batch", "outputs": {"probability": [0.75]}}
    log.write_text(log.read_text() + json.dumps(line) + "\n")
    assert read_predictions(str(tmp_path), ("3",), NOW - timedelta(minutes=1)) == {"3": [0.25]}


def test_a_log_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert read_predictions(str(tmp_path / "none"), ("3",), NOW) == {"3": []}


def test_a_log_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    write(tmp_path, NOW, "3", {"probability": [0.25]})
    next(tmp_path.rglob("*.jsonl")).write_text("no json")
    with pytest.raises(UnavailableError, match="cannot read the request log"):
        read_predictions(str(tmp_path), ("3",), NOW - timedelta(minutes=1))
