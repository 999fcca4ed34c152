"""The benchmark of the join, on a small log: what it writes is a log and labels, and every label finds its row."""

from pathlib import Path

import pytest

from benchmarks import feedback
from benchmarks.feedback import join_folder, write_labels, write_log


def test_every_label_finds_its_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "OBJECT_ROWS", 500)
    write_log(tmp_path / "log", 3_000)
    labels = write_labels(tmp_path / "labels", 3_000)
    found = join_folder(tmp_path)
    assert (found.requests, found.labels, found.rows, found.open) == (3_000, 2_700, labels, 300)
    assert len(list((tmp_path / "log").rglob("*.jsonl"))) == 6 and found.rss_bytes > 10_000_000
