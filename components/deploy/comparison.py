"""What a side-by-side comparison of a version with the champion found, whichever target made it."""

from __future__ import annotations

from dataclasses import dataclass

from components._core.checks import Check
from components.deploy.performance import Processing
from components.deploy.smoke_test import Probe


@dataclass(frozen=True)
class Comparison:
    """A version behind a server of its own, and the champion behind another under the same load.

    Attributes:
        probe: The smoke test: requests sent to the version one after the other.
        checks: Every gate, in the order in which a person should read them.
        ours: What was measured of the version under load.
        theirs: What was measured of the champion; None when it was not compared.
        champion: The champion's name; empty when there is none but the version itself.
        not_compared: Why the champion was not compared; empty when it was.
    """

    probe: Probe
    checks: list[Check]
    ours: Processing
    theirs: Processing | None
    champion: str
    not_compared: str
