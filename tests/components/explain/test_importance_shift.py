"""Importance beside the champion's: what moved, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Outcome
from components._core.files import read_json, write_json
from components._core.project.gate_config import ModelGates
from components._core.types.artifact_files import CHAMPION_IMPORTANCES, IMPORTANCES
from components._frameworks.permutation import Importance
from components.explain.importance_shift import CHECK, find_shift, shift_as_json, shift_check

LARGEST, LEAST = ModelGates().importance_shift, ModelGates().importance_agreement
BEFORE = {"delay": 0.6, "carrier": 0.2, "month": 0.15, "hour": 0.05}


def importances(drops: Mapping[str, float], spread: float = 0.0) -> dict[str, Importance]:
    return {name: Importance(drop, drop - spread, drop + spread, True, spread) for name, drop in drops.items()}


def write_champion(folder: Path, drops: Mapping[str, float], rows: int = 1_000, spread: float = 0.0) -> Path:
    features = {name: {"importance": drop, "low": drop - spread, "high": drop + spread} for name, drop in drops.items()}
    write_json(folder / CHAMPION_IMPORTANCES, {"champion": "champion v3", "rows": rows, "features": features})
    return folder


def test_the_same_importance_passes_also_when_all_of_it_is_larger(tmp_path: Path) -> None:
    after = {name: 2 * drop for name, drop in BEFORE.items()}
    shift = find_shift(importances(after), write_champion(tmp_path, BEFORE), 1_000, LARGEST)
    check = shift_check(shift, LEAST)
    assert check.status == "pass" and check.measured == pytest.approx(1.0)
    assert check.reason == "importance is as in champion v3 (rank correlation 1.00)"


def test_features_that_moved_are_named_with_their_shares(tmp_path: Path) -> None:
    after = {"carrier": 0.6, "delay": 0.2, "month": 0.15, "hour": 0.05}
    shift = find_shift(importances(after), write_champion(tmp_path, BEFORE), 1_000, LARGEST)
    check = shift_check(shift, LEAST)
    assert check.status == "warn" and shift is not None and shift.moved == ["carrier", "delay"]
    assert "importance moved since champion v3: carrier 20% -> 60%, delay 60% -> 20%" in check.reason
    loose = find_shift(importances(after), tmp_path, 1_000, 0.5)
    assert shift_check(loose, -1).status == "pass", "the bounds are those of the project"


def test_a_change_within_what_shuffles_differ_is_noise(tmp_path: Path) -> None:
    after = {"carrier": 0.45, "delay": 0.35, "month": 0.15, "hour": 0.05}
    write_champion(tmp_path, BEFORE, spread=0.3)
    shift = find_shift(importances(after, spread=0.3), tmp_path, 1_000, LARGEST)
    assert shift is not None and not shift.moved


def test_another_order_warns_without_any_large_move(tmp_path: Path) -> None:
    before = {"a": 0.28, "b": 0.26, "c": 0.24, "d": 0.22}
    after = {"d": 0.28, "c": 0.26, "b": 0.24, "a": 0.22}
    check = shift_check(find_shift(importances(after), write_champion(tmp_path, before), 1_000, LARGEST), LEAST)
    assert check.status == "warn" and check.measured == pytest.approx(-1.0)
    assert "ordered differently than by champion v3" in check.reason


def test_features_of_only_one_of_both_count_as_moved_when_they_matter(tmp_path: Path) -> None:
    after = {"gate": 0.5, "delay": 0.5}
    shift = find_shift(importances(after), write_champion(tmp_path, {"delay": 0.5, "hour": 0.5}), 1_000, LARGEST)
    check = shift_check(shift, LEAST)
    assert check.status == "warn" and check.measured is None
    assert "gate new -> 50%, hour 50% -> no longer a feature (too few features to rank)" in check.reason
    shares = json.loads(json.dumps(shift_as_json(shift), allow_nan=False))["beside_champion"]["shares"]
    assert shares["gate"] == {"before": None, "after": 0.5, "moved": True}


@pytest.mark.parametrize(
    ("content", "rows", "reason"),
    [
        (None, 1_000, "there is no champion to compare with"),
        ({"champion": "champion v3", "reason": "its model cannot be loaded"}, 1_000, "its model cannot be loaded"),
        ({"champion": "champion v3", "rows": 150, "features": {}}, 1_000, "fewer than 200 test rows"),
        ({"champion": "champion v3", "rows": 900, "features": {}}, 1_000, "no feature matters"),
    ],
)
def test_what_cannot_be_compared_is_skipped_with_the_reason(
    content: dict[str, Any] | None, rows: int, reason: str, tmp_path: Path
) -> None:
    if content:
        write_json(tmp_path / CHAMPION_IMPORTANCES, content)
    check = shift_check(find_shift(importances(BEFORE), tmp_path, rows, LARGEST), LEAST)
    assert check.status == "skipped" and reason in check.reason


def test_the_stage_warns_and_keeps_the_shares(explained: Callable[..., Outcome], tmp_path: Path) -> None:
    write_champion(tmp_path, {"carrier": 0.9, "delay": 0.1, "month": 0.0, "noise": 0.0})
    outcome = explained()
    (check,) = [check for check in outcome.checks if check.name == CHECK]
    assert check.status == "warn" and outcome.verdict == "warn" and "delay 10% -> " in check.reason
    kept = read_json(tmp_path / "explanation" / IMPORTANCES)["beside_champion"]
    assert kept["champion"] == "champion v3" and kept["shares"]["carrier"]["before"] == pytest.approx(0.9)
    assert "Importance beside champion v3" in (tmp_path / "explanation.html").read_text()
