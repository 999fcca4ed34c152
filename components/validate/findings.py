"""The kinds of findings, their default severities, and the conversion of findings to checks."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from components._core.checks import Check, Status
from components._core.errors import ConfigError
from components._core.project.gate_config import Severity

MOST_CHECKS = 10
"""Maximum number of findings of one kind with a line each; the others are summed up in one more."""


@dataclass(frozen=True)
class Kind:
    """A kind of anomaly.

    Attributes:
        severity: Default severity.
        meaning: Description.
    """

    severity: Severity
    meaning: str


KINDS: dict[str, Kind] = {
    "empty_split": Kind("fail", "empty splits"),
    "missing_column": Kind("fail", "missing columns"),
    "wrong_type": Kind("fail", "wrong types"),
    "missing_values": Kind("fail", "missing values where the schema requires them"),
    "label_missing": Kind("fail", "a missing label"),
    "label_values": Kind("fail", "label values that do not fit the task"),
    "infinite_values": Kind("fail", "infinite values"),
    "out_of_range": Kind("fail", "numbers out of range"),
    "schema_violation": Kind("fail", "other violations of the schema"),
    "lost_precision": Kind("warn", "whole numbers that the model does not hold"),
    "unexpected_value": Kind("warn", "texts that the schema does not list"),
    "new_column": Kind("warn", "new columns"),
    "label_unseen": Kind("warn", "label values that train lacks"),
    "rare_class": Kind("warn", "classes with few rows"),
    "constant_feature": Kind("warn", "constant features"),
    "mostly_missing": Kind("warn", "mostly missing features"),
    "duplicated_column": Kind("warn", "columns that repeat another"),
    "rows_in_two_splits": Kind("warn", "rows in two splits"),
    "groups_in_two_splits": Kind("warn", "groups in two splits"),
    "near_duplicates": Kind("warn", "rows that nearly equal one of another split"),
    "time_overlap": Kind("warn", "rows to judge by that are older than training rows"),
    "split_sizes": Kind("warn", "splits far from their shares"),
    "misnamed_pictures": Kind("warn", "pictures of another kind than their name says"),
    "animated_pictures": Kind("warn", "pictures of more than one frame"),
    "mixed_picture_modes": Kind("warn", "pictures of other channels than most"),
    "picture_sizes": Kind("warn", "pictures of unusual size"),
    "picture_aspects": Kind("warn", "pictures of unusual shape"),
    "blank_pictures": Kind("warn", "pictures that are blank or of one colour"),
    "dark_pictures": Kind("warn", "pictures that are too dark"),
    "bright_pictures": Kind("warn", "pictures that are too bright"),
    "blurred_pictures": Kind("warn", "blurred pictures"),
    "duplicate_pictures": Kind("warn", "pictures that equal another"),
    "near_duplicate_pictures": Kind("warn", "pictures that nearly equal another"),
    "pictures_in_two_splits": Kind("warn", "pictures in two splits"),
    "pictures_with_two_labels": Kind("warn", "one picture under two labels"),
    "empty_texts": Kind("warn", "texts that are missing or blank"),
    "long_texts": Kind("warn", "texts of unusual length"),
    "texts_of_another_language": Kind("warn", "texts of another language than most"),
    "damaged_texts": Kind("warn", "texts read in a wrong encoding"),
    "texts_with_markup": Kind("warn", "texts with markup"),
    "duplicate_texts": Kind("warn", "texts that equal another"),
    "near_duplicate_texts": Kind("warn", "texts that nearly equal another"),
    "texts_in_two_splits": Kind("warn", "texts in two splits"),
    "texts_with_two_labels": Kind("warn", "one text under two labels"),
    "unseen_words": Kind("warn", "many words that training has not seen"),
    "personal_data": Kind("warn", "personal data in texts"),
}
"""Every kind, in the order in which a person should read them. docs/stages/validate.md shows this table."""

HAVE_OWN_CHECKS = (
    *("rows_in_two_splits", "groups_in_two_splits", "near_duplicates", "time_overlap", "split_sizes"),
    *(name for name in KINDS if "picture" in name or "text" in name),
    *("unseen_words", "personal_data"),
)
"""Kinds whose checks the modules about splits, pictures and texts make: one for each, always, with the count."""


@dataclass(frozen=True)
class Finding:
    """One anomaly.

    Attributes:
        kind: One of `KINDS`.
        where: The column or split.
        message: What was found and what to do, in a sentence.
        measured: The measured number, if any.
        threshold: The bound that it was compared with.
        n: Number of rows examined.
        split: The split it was found in, where that matters.
    """

    kind: str
    where: str
    message: str
    measured: float | None = None
    threshold: float | None = None
    n: int | None = None
    split: str = ""

    @property
    def place(self) -> str:
        """Location of the finding, for people."""
        return f"{self.where} in {self.split}" if self.split else self.where


def severities(policy: dict[str, Severity]) -> dict[str, Severity]:
    """Return the severity of every kind, by the defaults and the project's policy.

    Raises:
        ConfigError: When the policy names an unknown kind.
    """
    for name in policy:
        if name not in KINDS:
            close = difflib.get_close_matches(name, KINDS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"unknown kind {name!r}; {hint}allowed: {', '.join(KINDS)}",
                where="gates.data.anomalies",
                remedy="correct project.yaml",
            )
    return {name: policy.get(name, kind.severity) for name, kind in KINDS.items()}


def to_checks(findings: list[Finding], policy: dict[str, Severity]) -> list[Check]:
    """Make one check per finding, and one `pass` for all kinds without findings.

    Args:
        findings: Findings in any order.
        policy: Output of `severities`.
    """
    checks: list[Check] = []
    absent: list[str] = []
    for name, kind in KINDS.items():
        if name in HAVE_OWN_CHECKS:
            continue
        found = list(dict.fromkeys(finding for finding in findings if finding.kind == name))
        if not found:
            absent.append(kind.meaning)
        checks += _checks(name, found, to_status(policy[name]))
    if absent:
        checks.append(Check("anomalies", "pass", 0.0, reason=f"looked for and not found: {', '.join(absent)}"))
    return checks


def _checks(kind: str, found: list[Finding], status: Status) -> list[Check]:
    shown, rest = found[:MOST_CHECKS], found[MOST_CHECKS:]
    checks = [_check(finding, status) for finding in shown]
    if rest:
        places = ", ".join(finding.place for finding in rest[:MOST_CHECKS]) + (
            ", ..." if len(rest) > MOST_CHECKS else ""
        )
        checks.append(
            Check(f"{kind}: others", status, float(len(rest)), reason=f"{kind} in {len(rest)} more: {places}")
        )
    return checks


def _check(finding: Finding, status: Status) -> Check:
    ignored = " (ignored by gates.data.anomalies)" if status == "skipped" else ""
    return Check(
        f"{finding.kind}: {finding.place}",
        status,
        measured=finding.measured,
        threshold=finding.threshold,
        n=finding.n,
        reason=finding.message + ignored,
    )


def to_status(severity: Severity) -> Status:
    """Return the status of a check for a finding of that severity."""
    return "skipped" if severity == "ignore" else severity
