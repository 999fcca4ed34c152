"""The leakage check: whether rows that judge a model are independent of those that it was trained on."""

from __future__ import annotations

from pathlib import Path

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.project.gate_config import Severity
from components.validate import near_duplicates, overlaps
from components.validate.split_sizes import check_sizes
from components.validate.time_overlaps import check_times


def check_splits(
    examples: Path, manifest: Manifest, features: dict[str, str], exclude: list[str], policy: dict[str, Severity]
) -> list[Check]:
    """Check the splits: their sizes, rows and groups in two of them, rows that nearly equal another, times that overlap.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        features: Type by name of the columns that the model sees.
        exclude: The excluded columns; those named like identifiers are groups.
        policy: Severity by kind, from `findings.severities`.
    """
    found, near = overlaps.find_overlaps(examples, manifest, features, exclude)
    return [
        check_sizes(manifest, policy),
        *overlaps.to_checks(found, policy),
        near_duplicates.to_check(near, policy),
        *check_times(examples, manifest, policy),
    ]
