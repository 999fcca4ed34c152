"""Spans since the champion: new, late, corrected, unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components._core.examples.artifact import Manifest, SourceFile
from components._core.store.ledger import Deployment
from components.validate.span_changes import check_spans, compare_spans

CHAMPION = Deployment("3", "", "", "", {}, "f", "r", "t", "me", "because")


def make_manifest(contents: dict[int, str], unit: str = "number") -> Manifest:
    files = [SourceFile(f"t-{span}-{part}", span, 1, 0, 1, part) for span, text in contents.items() for part in text]
    return Manifest("f", {"a": "int64"}, {}, [*contents], files, None, unit)


@pytest.fixture
def champion(tmp_path: Path) -> Deployment:
    """A champion that was trained on spans 1 to 5 without 3."""
    (tmp_path / "model").mkdir()
    make_manifest({1: "a", 2: "bb", 4: "d", 5: "e"}).save(tmp_path)
    return replace(CHAMPION, model=str(tmp_path / "model"))


def test_each_span_is_new_late_corrected_or_unchanged() -> None:
    changes = compare_spans(
        make_manifest({2: "bc", 3: "c", 4: "d", 6: "f"}), make_manifest({1: "a", 2: "bb", 4: "d", 5: "e"})
    )
    assert (changes.new, changes.late, changes.corrected) == ([6], [3], [2])
    assert (changes.unchanged, changes.absent) == ([4], [1, 5])


def test_a_late_and_a_corrected_span_are_a_warning(champion: Deployment) -> None:
    (check,) = check_spans(make_manifest({1: "a", 2: "x", 3: "c", 4: "d", 5: "e", 6: "f"}), champion)
    assert (check.status, check.measured, check.n) == ("warn", 2.0, 6)
    assert check.reason == "new: 6; arrived late: 3; corrected: 2; unchanged: 1, 4-5"


def test_new_spans_alone_pass(champion: Deployment) -> None:
    (check,) = check_spans(make_manifest({5: "e", 6: "f"}), champion)
    assert check.status == "pass" and "no longer read: 1-2, 4" in check.reason


def test_without_a_champion_or_spans_there_is_nothing_to_compare(tmp_path: Path, champion: Deployment) -> None:
    assert check_spans(make_manifest({1: "a", 2: "b"}), None) == []
    make_manifest({1: "a"}).save(tmp_path)
    assert check_spans(make_manifest({1: "b"}), champion) == []


def test_a_champion_whose_manifest_cannot_be_read_is_no_baseline(tmp_path: Path, champion: Deployment) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"spans": 1}))
    (check,) = check_spans(make_manifest({1: "a", 2: "b"}), champion)
    assert check.status == "no_baseline"


def test_spans_of_another_unit_are_not_compared(champion: Deployment) -> None:
    (check,) = check_spans(make_manifest({202401: "a", 202402: "b"}, "month"), champion)
    assert check.status == "skipped" and "months now" in check.reason
