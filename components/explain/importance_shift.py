"""Whether importance moved from the champion to the challenger: both models, the same rows, the same measure.

A feature's importance is compared as a share of all importance, since a better model loses more by any of them. It moved when its share
changed by more than the project allows, and by more than the shuffles differ among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.checks import Check, round_off
from components._core.files import read_json
from components._core.types.artifact_files import CHAMPION_IMPORTANCES
from components._frameworks.permutation import Importance
from components.explain.effects import FEWEST_ROWS
from components.explain.leaks import rank_correlation
from components.explain.rank_agreement import COMPARABLE, COMPARED

CHECK = "importance beside the champion"
_MOST_NAMED = 5


@dataclass(frozen=True)
class Move:
    """A feature's share of all importance, by both models; None: the model does not take it.

    Attributes:
        before: The champion's share.
        after: The challenger's.
        is_moved: Whether the change is larger than the project allows, and than the shuffles differ.
    """

    before: float | None
    after: float | None
    is_moved: bool

    @property
    def change(self) -> float:
        """How much the share changed."""
        return (self.after or 0.0) - (self.before or 0.0)


@dataclass(frozen=True)
class ImportanceShift:
    """The importance of the features beside the champion's.

    Attributes:
        champion: The champion's name.
        reason: Why it is not compared; empty: it is.
        rows: Rows that the champion's importance was measured on.
        correlation: Rank correlation over the features of both, the 20 most important at most; NaN where it is not defined.
        compared: Features that the correlation is of.
        moves: The shares by feature, those that changed most first.
    """

    champion: str
    reason: str = ""
    rows: int = 0
    correlation: float = math.nan
    compared: int = 0
    moves: dict[str, Move] | None = None

    @property
    def moved(self) -> list[str]:
        """Features whose importance moved, the largest change first."""
        return [name for name, move in (self.moves or {}).items() if move.is_moved]


def find_shift(
    importances: Mapping[str, Importance], evaluation: Path, rows: int, largest: float
) -> ImportanceShift | None:
    """Compare the importance of the features with the champion's; None without a champion.

    Args:
        importances: The challenger's, most important first.
        evaluation: The evaluation artifact, which has the champion's.
        rows: Rows that the challenger's importance was measured on.
        largest: Change of a feature's share that is allowed.
    """
    file = evaluation / CHAMPION_IMPORTANCES
    if not file.is_file():
        return None
    found = read_json(file)
    champion = str(found["champion"])
    if "features" not in found:
        return ImportanceShift(champion, str(found["reason"]))
    if min(rows, found["rows"]) < FEWEST_ROWS:
        return ImportanceShift(champion, f"not judged with fewer than {FEWEST_ROWS} test rows", found["rows"])
    before, after = _shares(_read(found["features"])), _shares(importances)
    if not before or not after:
        return ImportanceShift(champion, "no feature matters to one of the two models", found["rows"])
    shared = [name for name in importances if name in before][:COMPARED]
    correlation = rank_correlation(
        *(np.array([shares[name][0] for name in shared], np.float64) for shares in (after, before))
    )
    moves = {name: _compare(before.get(name), after.get(name), largest) for name in {**after, **before}}
    ordered = dict(sorted(moves.items(), key=lambda item: (-abs(item[1].change), item[0])))
    return ImportanceShift(champion, "", found["rows"], correlation, len(shared), ordered)


def shift_check(shift: ImportanceShift | None, least: float) -> Check:
    """Judge the comparison; it warns and never blocks, since a better model may well go by other features.

    Args:
        shift: Output of `find_shift`.
        least: Rank correlation below which the features count as ordered differently.
    """
    if shift is None:
        return Check(CHECK, "skipped", reason="there is no champion to compare with")
    if shift.reason:
        return Check(CHECK, "skipped", n=shift.rows, reason=f"{shift.champion}: {shift.reason}")
    is_ordered = shift.compared >= COMPARABLE and not math.isnan(shift.correlation)
    unlike = is_ordered and shift.correlation < least
    correlation = f"rank correlation {shift.correlation:.2f}" if is_ordered else "too few features to rank"
    moves = [_describe(name, (shift.moves or {})[name]) for name in shift.moved[:_MOST_NAMED]]
    if len(shift.moved) > _MOST_NAMED:
        moves.append(f"and {len(shift.moved) - _MOST_NAMED} more")
    changed = f"importance moved since {shift.champion}: {', '.join(moves)}" if moves else ""
    reason = changed or (
        f"features are ordered differently than by {shift.champion}"
        if unlike
        else f"importance is as in {shift.champion}"
    )
    measured = shift.correlation if is_ordered else None
    return Check(
        CHECK, "warn" if moves or unlike else "pass", measured, least, n=shift.rows, reason=f"{reason} ({correlation})"
    )


def shift_as_json(shift: ImportanceShift | None) -> dict[str, Any]:
    """Return what `importances.json` holds of the comparison; empty without one."""
    if shift is None or shift.moves is None:
        return {}
    shares = {
        name: {
            "before": None if move.before is None else round_off(move.before),
            "after": None if move.after is None else round_off(move.after),
            "moved": move.is_moved,
        }
        for name, move in shift.moves.items()
    }
    agreement = None if math.isnan(shift.correlation) else round_off(shift.correlation)
    return {"beside_champion": {"champion": shift.champion, "agreement": agreement, "shares": shares}}


_Share = tuple[float, float, float]
"""A share of all importance, and the least and greatest of it over the shuffles."""


def _compare(before: _Share | None, after: _Share | None, bound: float) -> Move:
    one, other = before or (0.0, 0.0, 0.0), after or (0.0, 0.0, 0.0)
    is_apart = one[1] > other[2] or other[1] > one[2]
    is_moved = is_apart and abs(one[0] - other[0]) > bound
    return Move(before and before[0], after and after[0], is_moved)


def _shares(importances: Mapping[str, Importance]) -> dict[str, _Share]:
    """Return the shares by feature; losses below zero (noise) count as none. Empty when nothing matters."""
    total = sum(max(item.drop, 0.0) for item in importances.values())
    if not total > 0:  # NaN, too
        return {}
    return {
        name: (max(item.drop, 0.0) / total, item.low / total, item.high / total) for name, item in importances.items()
    }


def _read(features: Mapping[str, Mapping[str, float]]) -> dict[str, Importance]:
    return {name: Importance(item["importance"], item["low"], item["high"], True) for name, item in features.items()}


def _describe(name: str, move: Move) -> str:
    before = "new" if move.before is None else f"{move.before:.0%}"
    after = "no longer a feature" if move.after is None else f"{move.after:.0%}"
    return f"{name} {before} -> {after}"
