"""Numbers in checks are rounded to the digits that equal runs share."""

from __future__ import annotations

from components._core.checks import Check


def test_a_rounded_check_keeps_six_digits_and_all_else() -> None:
    check = Check("auc", "pass", 0.91294135050, 0.85, None, 30_096, "fine")
    assert check.rounded() == Check("auc", "pass", 0.912941, 0.85, None, 30_096, "fine")
