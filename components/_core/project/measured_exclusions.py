"""What a section about pictures or texts adds to the rest of `data`: exclusions of what is measured, and a split by near duplicates."""

from __future__ import annotations

from typing import Any

from components._core.project.split_config import goes_by_features


def exclude_measured(raw: dict[str, Any], reasons: dict[str, str], groups: list[str]) -> dict[str, Any]:
    """Return a raw `data` section in which measured columns are excluded from the model, and near duplicates stay in one split.

    What is not of the right kind is left as it is: pydantic says what is wrong.

    Args:
        raw: The section.
        reasons: Reason for excluding each column, by its name; one that the section gives itself counts.
        groups: Columns with the groups of near duplicates, by which a split by features goes; empty: rows go by themselves.
    """
    completed = dict(raw)
    exclude, known = raw.get("exclude") or [], raw.get("exclusion_reasons") or {}
    if isinstance(exclude, list) and isinstance(known, dict):
        completed["exclude"] = [*exclude, *(name for name in reasons if name not in exclude)]
        completed["exclusion_reasons"] = {**reasons, **known}
    split = raw.get("split") or {}
    if groups and isinstance(split, dict) and goes_by_features(split):
        completed["split"] = {**split, "method": "group", "by": groups}
    return completed
