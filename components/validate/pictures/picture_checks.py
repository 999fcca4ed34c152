"""The checks of pictures: one for each kind, always, with the share and the bound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.project.gate_config import DataGates, Severity
from components.validate.findings import to_status
from components.validate.pictures.copied_pictures import Copies, find_copies
from components.validate.pictures.measured_pictures import MeasuredPictures, find_picture_column, read_measures
from components.validate.pictures.unusual_pictures import Unusual, find_unusual, is_blank

_NOUNS = {
    "misnamed_pictures": ("are of another kind than their file's name says", "rename or convert them"),
    "animated_pictures": (
        "have more than one frame, of which the model sees the first",
        "replace them if another frame matters",
    ),
    "mixed_picture_modes": (
        "have other channels than most",
        "convert them, or allow them in gates.data.pictures.modes",
    ),
    "picture_sizes": ("are of unusual size", "remove or replace them if they are thumbnails or scans"),
    "picture_aspects": (
        "are of unusual shape",
        "remove them if they are banners or strips: resized, they show nothing",
    ),
    "blank_pictures": ("are blank or of one colour", "remove them: there is nothing to learn"),
    "dark_pictures": ("are too dark", "remove them, or expose them again"),
    "bright_pictures": ("are too bright", "remove them, or expose them again"),
    "blurred_pictures": ("are blurred", "remove or retake them"),
    "duplicate_pictures": ("equal another one", "remove the copies: they count more than once"),
    "near_duplicate_pictures": ("nearly equal another one", "remove the copies: they count more than once"),
    "pictures_in_two_splits": (
        "of eval and test equal or nearly equal one of another split",
        "the model is evaluated on pictures it was trained on: split by hash, which keeps them together, or remove the copies",
    ),
    "pictures_with_two_labels": ("equal or nearly equal one with another label", "correct the labels"),
}
"""What was found of each kind, and what to do."""
PICTURE_KINDS = tuple(_NOUNS)


@dataclass(frozen=True)
class PictureFindings:
    """The answer of the checks.

    Attributes:
        pictures: What ingest measured.
        unusual: Pictures that are unusual by themselves, by kind.
        copies: Copies, by kind.
        checks: One check for each kind.
    """

    pictures: MeasuredPictures
    unusual: tuple[Unusual, ...]
    copies: tuple[Copies, ...]
    checks: tuple[Check, ...]


def check_pictures(
    examples: Path, manifest: Manifest, label: str, classes: bool, gates: DataGates, policy: dict[str, Severity]
) -> PictureFindings | None:
    """Check the pictures; None when the examples have none that ingest measured.

    Args:
        examples: The examples artifact.
        manifest: Manifest of the examples.
        label: The label's column.
        classes: Whether the label's values are classes.
        gates: `gates.data` of the project.
        policy: Severity by kind, from `findings.severities`.
    """
    column = find_picture_column(manifest.columns)
    if not column:
        return None
    pictures = read_measures(examples, manifest, column, label)
    bounds = gates.pictures
    unusual = tuple(find_unusual(pictures, bounds))
    copies = find_copies(pictures, is_blank(pictures, bounds), classes)
    allowed = (bounds.duplicates, bounds.near_duplicates, bounds.two_splits, 0.0)
    checks = [_check_unusual(found, policy) for found in unusual]
    checks += [_check_copies(found, most, policy) for found, most in zip(copies, allowed, strict=True)]
    return PictureFindings(pictures, unusual, copies, tuple(checks))


def _check_unusual(found: Unusual, policy: dict[str, Severity]) -> Check:
    what, remedy = _NOUNS[found.kind]
    message = f"{len(found.rows):,} of {found.examined:,} pictures {what}"
    message += f" (allowed: {found.bound})" + (f"; {found.note}" if found.note else "")
    too_many = found.share > found.allowed
    return _check(found.kind, found.share, too_many, found.allowed, found.examined, message, remedy, policy)


def _check_copies(found: Copies, allowed: float, policy: dict[str, Severity]) -> Check:
    what, remedy = _NOUNS[found.kind]
    message = f"{found.count:,} of {found.examined:,} pictures {what}"
    if found.exact and found.exact < found.count:
        message += f", {found.exact:,} of them in every byte"
    # one pair that looks alike shows no leak yet: of a few dozen pictures in eval and test it is already more than a hundredth
    is_chance = found.shown == 1 and not found.exact and allowed > 0
    too_many = found.share > allowed and not is_chance
    return _check(found.kind, found.share, too_many, allowed, found.examined, message, remedy, policy)


def _check(
    kind: str,
    share: float,
    too_many: bool,
    allowed: float,
    examined: int,
    message: str,
    remedy: str,
    policy: dict[str, Severity],
) -> Check:
    status = to_status(policy[kind]) if too_many else "pass"
    reason = f"{message}: {remedy}" if too_many else message
    if status == "skipped":
        reason += " (ignored by gates.data.anomalies)"
    return Check(kind.replace("_", " "), status, round(share, 6), allowed, n=examined, reason=reason)
