"""Fixtures for the tests of stages whose pages have many figures: one is drawn of each kind, but where a test is about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

_DRAWN: dict[tuple[str, float], str] = {}
"""A figure by its kind and width."""


@pytest.fixture
def every_figure() -> None:
    """For a test of the figures themselves: each is drawn."""


@pytest.fixture(autouse=True)
def figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the first figure of each kind and width, and show it again for later ones: a figure takes longer than all that a stage does with tiny data."""
    if "every_figure" in request.fixturenames:
        return
    from components._core.report import plots  # brings matplotlib

    draw_axes = plots.draw_axes

    def draw(figure: Callable[..., None], width: float, *size: float, **more: Any) -> str:
        kind = figure.__qualname__, width
        if kind not in _DRAWN:
            _DRAWN[kind] = draw_axes(figure, width, *size, **more)
        return _DRAWN[kind]

    monkeypatch.setattr(plots, "draw_axes", draw)
