"""The kinds of model that tune compared, as lines for the terminal."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

from components._core.files import read_json
from components._core.report.number_format import show, show_column
from components._core.types.artifact_files import LEADERBOARD

_DIGITS = 3
_WIDTH = 78


def describe_leaderboard(hyperparameters: Path) -> list[str]:
    """Describe the kinds of model that tune compared, a line each, the best first; empty without such a search.

    Args:
        hyperparameters: Output of tune.
    """
    file = hyperparameters / LEADERBOARD
    if not file.is_file():
        return []
    board = read_json(file)
    entries = board["entries"]
    values = show_column([None if entry["value"] is None else float(f"{entry['value']:.4g}") for entry in entries])
    name_width, value_width = max(len(entry["kind"]) for entry in entries), max(map(len, values))
    judged_by = board.get("judged_by") or f"{board['rows']:,} eval rows"  # a run of an earlier release has only these
    lines = [f"kinds of model by {board['metric']} on {judged_by}"]
    for entry, value in zip(entries, values, strict=True):
        is_chosen = entry["kind"] == board["chosen"]
        compared = "" if is_chosen else _compare(entry)
        lines.append(f"{'*' if is_chosen else ' '} {entry['kind']:<{name_width}}  {value:>{value_width}}{compared}")
    return [*lines, *(f"  {line}" for line in wrap(board["why"], _WIDTH))]


def _compare(entry: dict[str, Any]) -> str:
    """Say by how much a kind is worse than the chosen one, or better, or that it is equal; empty where that is unknown."""
    if entry["gain"] is None:
        return ""
    if not any(entry[key] for key in ("gain", "low", "high")):
        return "  equal on these rows"
    word, sign = ("worse", 1) if entry["gain"] >= 0 else ("better", -1)
    low, high = sorted(sign * (entry[end] or 0.0) for end in ("low", "high"))
    gain, low, high = (show(float(f"{value:.{_DIGITS}g}")) for value in (sign * entry["gain"], low, high))
    return f"  {word} by {gain} ({low} to {high})"
