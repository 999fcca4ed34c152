"""The last lines of a run name the kinds of model, the best first, and by how much the others are behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components._core.files import write_json
from components._core.types.artifact_files import LEADERBOARD
from pipelines.local.leaderboard_lines import describe_leaderboard


def entry(kind: str, value: float | None, gain: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    return {"kind": kind, "value": value, "gain": gain, "low": low, "high": high}


def test_each_kind_has_a_line(tmp_path: Path) -> None:
    entries = [
        entry("xgboost", 0.91234, -0.0021, -0.005, 0.0012),
        entry("linear", 0.91, 0.0, 0.0, 0.0),
        entry("constant", 0.5, 0.41, 0.40, 0.42),
        entry("boosted", None, None, None, None),
    ]
    board = {"metric": "auc", "rows": 12_345, "chosen": "linear", "why": "it may be chance", "entries": entries}
    write_json(tmp_path / LEADERBOARD, board)
    assert describe_leaderboard(tmp_path) == [
        "kinds of model by auc on 12,345 eval rows",
        "  xgboost   0.9123  better by 0.0021 (−0.0012 to 0.005)",
        "* linear    0.9100",
        "  constant  0.5000  worse by 0.41 (0.4 to 0.42)",
        "  boosted        –",
        "  it may be chance",
    ]


def test_a_kind_without_a_difference_is_equal_and_a_long_reason_fits_a_terminal(tmp_path: Path) -> None:
    entries = [entry("boosted", 1.0, 0.0, 0.0, 0.0), entry("linear", 1.0, 0.0, 0.0, 0.0)]
    why = "the gain by boosted trees of LightGBM may be chance, 0.0012 (-0.01 to 0.02): the simpler kind is chosen"
    write_json(
        tmp_path / LEADERBOARD, {"metric": "auc", "rows": 29, "chosen": "linear", "why": why, "entries": entries}
    )
    lines = describe_leaderboard(tmp_path)
    assert lines[1:3] == ["  boosted  1  equal on these rows", "* linear   1"]
    assert " ".join(line.strip() for line in lines[3:]) == why
    assert max(map(len, lines)) <= 80


def test_without_a_search_over_kinds_there_are_none(tmp_path: Path) -> None:
    assert describe_leaderboard(tmp_path) == []
