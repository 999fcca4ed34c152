from __future__ import annotations

from pathlib import Path

from components.validate.findings import KINDS, Finding, severities, to_checks


def test_many_findings_of_a_kind_are_summed_up():
    findings = [Finding("new_column", f"c{place}", "is new") for place in range(1000)]
    checks = to_checks(findings, severities({}))
    assert len(checks) == 12
    assert checks[10].measured == 990


def test_the_policy_goes_before_the_defaults():
    assert severities({"new_column": "fail"}) == {name: kind.severity for name, kind in KINDS.items()} | {
        "new_column": "fail"
    }


def test_an_ignored_finding_is_shown_as_skipped():
    (check, _) = to_checks([Finding("new_column", "c", "c is new")], severities({"new_column": "ignore"}))
    assert (check.status, check.reason) == ("skipped", "c is new (ignored by gates.data.anomalies)")


def test_the_page_of_the_docs_lists_every_kind_with_its_severity():
    page = (Path(__file__).parents[3] / "docs/stages/validate.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.severity} |" in page
