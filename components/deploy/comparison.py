"""Result of a side-by-side comparison of a version with the champion, on any target."""

from __future__ import annotations

from dataclasses import dataclass

from components._core.checks import Check
from components.deploy.performance import Performance
from components.deploy.smoke_test import SmokeTestResult


@dataclass(frozen=True)
class Comparison:
    """Results for a version and the champion, each on its own server under the same load.

    Attributes:
        smoke_test: Result of requests sent to the version one after the other.
        checks: Every gate, in reading order.
        ours: Performance of the version under load.
        theirs: Performance of the champion; None when it was not compared.
        champion: The champion's name; empty when there is none, or it is the version itself.
        not_compared: Why the champion was not compared; empty when it was.
    """

    smoke_test: SmokeTestResult
    checks: list[Check]
    ours: Performance
    theirs: Performance | None
    champion: str
    not_compared: str
