"""Which of many alike cases CI runs: the rest is for `.ci/nightly`."""

from collections.abc import Iterable
from typing import Any

import pytest


def representatives(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """Parameters of a test: CI runs the chosen ones, `.ci/nightly` all."""
    cases = list(cases)
    assert not set(chosen) - set(cases), "a chosen case must be one of the cases"
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.nightly) for case in cases]
