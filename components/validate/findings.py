"""What validation can find, how bad each kind is unless the project says otherwise, and how findings become checks."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from components._core.checks import Check, Status
from components._core.errors import ConfigError
from components._core.project import Severity

MOST_CHECKS = 10
"""Findings of one kind that get a line each; the others are counted in one more."""


@dataclass(frozen=True)
class Kind:
    """A kind of anomaly.

    Attributes:
        severity: What it does unless the project says otherwise.
        good: The sentence when there is none.
    """

    severity: Severity
    good: str


KINDS: dict[str, Kind] = {
    "empty_split": Kind("fail", "every split has rows"),
    "missing_column": Kind("fail", "every column of the schema is there"),
    "wrong_type": Kind("fail", "every column has the type that the schema says"),
    "missing_values": Kind("fail", "no required value is missing"),
    "label_missing": Kind("fail", "the label is there in every row"),
    "label_values": Kind("fail", "the label's values fit the task"),
    "infinite_values": Kind("fail", "every number is finite"),
    "out_of_range": Kind("fail", "every number is within the range of the schema"),
    "schema_violation": Kind("fail", "the schema's other constraints hold"),
    "unexpected_value": Kind("warn", "every text is one that the schema lists"),
    "new_column": Kind("warn", "the schema knows every column"),
    "label_unseen": Kind("warn", "train has every value of the label"),
    "rare_class": Kind("warn", "every class has enough training rows"),
    "constant_feature": Kind("warn", "every feature varies"),
    "mostly_missing": Kind("warn", "no feature is mostly missing"),
    "duplicated_column": Kind("warn", "no column repeats another"),
}
"""Every kind, in the order in which a person should read them. docs/stages/validate.md shows this table."""


@dataclass(frozen=True)
class Finding:
    """One anomaly.

    Attributes:
        kind: One of `KINDS`.
        where: The column or split.
        told: What was found and what to do, in a sentence.
        measured: The number found, if it is one.
        threshold: What it was held against.
        n: The rows behind it.
    """

    kind: str
    where: str
    told: str
    measured: float | None = None
    threshold: float | None = None
    n: int | None = None


def severities(policy: dict[str, Severity]) -> dict[str, Severity]:
    """Severity of every kind, by the defaults and the project's policy.

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
    """One check per finding, and one `pass` for each kind of which there is none.

    Args:
        findings: What was found, in any order.
        policy: What `severities` gave.
    """
    checks: list[Check] = []
    for kind, meaning in KINDS.items():
        found = list(dict.fromkeys(finding for finding in findings if finding.kind == kind))
        status = _status(policy[kind])
        checks += [_check(finding, status) for finding in found[:MOST_CHECKS]]
        if not found:
            checks.append(Check(kind, "pass", reason=meaning.good))
        elif len(found) > MOST_CHECKS:
            rest = ", ".join(finding.where for finding in found[MOST_CHECKS : 2 * MOST_CHECKS])
            more = ", ..." if len(found) > 2 * MOST_CHECKS else ""
            told = f"{kind} in {len(found) - MOST_CHECKS} more: {rest}{more}"
            checks.append(Check(f"{kind}: others", status, float(len(found) - MOST_CHECKS), reason=told))
    return checks


def _check(finding: Finding, status: Status) -> Check:
    ignored = " (ignored by gates.data.anomalies)" if status == "skipped" else ""
    return Check(
        f"{finding.kind}: {finding.where}",
        status,
        measured=finding.measured,
        threshold=finding.threshold,
        n=finding.n,
        reason=finding.told + ignored,
    )


def _status(severity: Severity) -> Status:
    return "skipped" if severity == "ignore" else severity
