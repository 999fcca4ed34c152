"""Tiny examples and models, made once: saving a model takes a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from components._core.project.project_file import Project
from components._core.types.signature import Feature
from components._core.types.tasks import TASKS
from components.evaluate import champion, evaluate
from components.evaluate.evaluate import Judged, evaluate_model
from tests.components.figures import every_figure, figures  # noqa: F401 - fixtures
from tests.components.loaded_once import loading_once
from tests.components.tiny_models import (
    tiny_project,
    write_examples,
    write_model,
)

Make = Callable[..., Path]
Judge = Callable[..., Judged]


@pytest.fixture(scope="session", autouse=True)
def loaded_once() -> Iterator[None]:
    """A model is loaded once, not for each time that it is judged."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (champion, evaluate):
            patch.setattr(module, "load_model", loading_once(module.load_model))
        yield


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
