"""Lines of a live test that cannot be read: shown while it goes on, judged with it, and above a small share no version is promoted by the others."""

from __future__ import annotations

from dataclasses import replace

from components._core.checks import Check
from components._core.request_log.live_test_lines import LiveLines
from components.deploy.live_test.contract import Judgement, Progress

MOST_DAMAGED = 0.01
"""Largest share of the lines: what damages them need not damage them at random."""


def check_damaged(lines: LiveLines) -> Check:
    """Check the share of the lines that cannot be read."""
    share = lines.damaged / lines.total if lines.total else 0.0
    reason = (
        f"{lines.damaged:,} of {lines.total:,} lines cannot be read (cut, not JSON, or values of another type); with more than "
        f"{MOST_DAMAGED:.0%} no version is promoted"
    )
    status = "pass" if not lines.damaged else "warn" if share <= MOST_DAMAGED else "no_baseline"
    return Check("damaged lines", status, share, MOST_DAMAGED, n=lines.total, reason=reason)  # type: ignore[arg-type]


def show_damaged(progress: Progress, lines: LiveLines) -> Progress:
    """Return the progress with the damaged lines among its facts, where there are any."""
    if not lines.damaged:
        return progress
    return replace(progress, facts={**progress.facts, "damaged lines": check_damaged(lines).reason})


def judge_damaged(judgement: Judgement, lines: LiveLines) -> Judgement:
    """Return the judgement with the damaged lines in its checks and figures; `inconclusive` in place of `promote` where they are too many."""
    check = check_damaged(lines)
    counted = replace(
        judgement,
        checks=[*judgement.checks, check],
        figures={**judgement.figures, "lines": lines.total, "damaged": lines.damaged},
    )
    if counted.verdict == "promote" and check.status == "no_baseline":
        return replace(counted, verdict="inconclusive", reason=check.reason)
    return counted
