"""Which of many alike cases CI runs: the rest is for `.ci/nightly`."""

from collections.abc import Iterable
from typing import Any

import pytest


def representatives(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """Parameters of a test: CI runs the chosen ones, `.ci/nightly` all."""
    cases = list(cases)
    assert all(case in cases for case in chosen), "a chosen case must be one of the cases"
    return [case if case in chosen else pytest.param(*_values(case), marks=pytest.mark.nightly) for case in cases]


def _values(case: Any) -> tuple[Any, ...]:
    """The arguments of one case: a tuple is several."""
    return case if isinstance(case, tuple) else (case,)
