"""Tiny examples and models, made once: saving a model takes a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from components._core.project.project_file import Project
from components._core.report import plots
from components._core.types.signature import Feature
from components._core.types.tasks import TASKS
from components.evaluate.evaluate import Judged, evaluate_model
from tests.components.tiny_models import (
    tiny_project,
    write_examples,
    write_model,
)

Make = Callable[..., Path]
Judge = Callable[..., Judged]
_DRAWN: dict[str, str] = {}
"""A figure of each kind."""


@pytest.fixture
def every_figure() -> None:
    """For a test of the figures themselves: each is drawn."""


@pytest.fixture(autouse=True)
def figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the first figure of each kind, and show it again for later ones: drawing takes longer than all that is judged here."""
    if "every_figure" in request.fixturenames:
        return
    draw_axes = plots.draw_axes

    def draw(figure: Callable[..., None], *size: float, **more: float) -> str:
        kind = figure.__qualname__
        _DRAWN[kind] = _DRAWN.get(kind) or draw_axes(figure, *size, **more)
        return _DRAWN[kind]

    monkeypatch.setattr(plots, "draw_axes", draw)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Examples by task."""
    return cache(lambda task="binary_classification": write_examples(tmp_path_factory.mktemp("examples"), task))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Models by task, weight of `delay` (0.1 is the truth), whether they answer NaN, and features that they take beside."""

    @cache
    def make(
        task: str = "binary_classification",
        delay_weight: float = 0.1,
        broken: bool = False,
        more: tuple[Feature, ...] = (),
    ) -> Path:
        assert task in TASKS
        return write_model(tmp_path_factory.mktemp("model"), task, delay_weight, broken, more)

    return make


@pytest.fixture
def judged(examples: Make, model: Make, tmp_path: Path) -> Callable[..., Judged]:
    """Evaluate a tiny model; its artifact is in tmp_path / "evaluation"."""

    def run(
        project: Project | None = None,
        champion: str = "none",
        of: Path | None = None,
        rows: Path | None = None,
        to: str = "evaluation",
    ) -> Judged:
        project = project or tiny_project()
        (tmp_path / to).mkdir()
        return evaluate_model(
            project,
            champion=champion,
            examples=rows or examples(project.task),
            model=of or model(project.task),
            evaluation=tmp_path / to,
            page=tmp_path / f"{to}.html",
        )

    return run
