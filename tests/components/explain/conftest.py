"""Tiny examples and models, made once: saving a model takes a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from components._core.checks import Outcome
from components._core.project.project_file import Project
from components._core.types.artifact_files import OUTCOME
from components._frameworks.contract import Model
from components._frameworks.table import load_model
from components.explain import explain
from components.explain.explain import explain_model
from tests.components.figures import every_figure, figures  # noqa: F401 - fixtures
from tests.components.loaded_once import loading_once
from tests.components.tiny_models import tiny_project, write_examples, write_model

Make = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def loaded_once() -> Iterator[None]:
    """A model is loaded once, not for each explanation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explain, "load_model", loading_once(explain.load_model))
        yield


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Examples by task."""
    return cache(lambda task="binary_classification": write_examples(tmp_path_factory.mktemp("examples"), task))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Models by task."""
    return cache(lambda task="binary_classification": write_model(tmp_path_factory.mktemp("model"), task))


@pytest.fixture(scope="session")
def loaded(model: Make) -> Callable[..., Model]:
    """Loaded models by task."""
    return cache(lambda task="binary_classification": load_model(model(task)))


@pytest.fixture
def explained(examples: Make, model: Make, tmp_path: Path) -> Callable[..., Outcome]:
    """Explain a tiny model; its artifact lies in tmp_path / "explanation"."""

    def run(project: Project | None = None, judged: Outcome | None = None, to: str = "explanation") -> Outcome:
        project = project or tiny_project()
        (judged or Outcome()).save(tmp_path / OUTCOME)
        (tmp_path / to).mkdir()
        return explain_model(
            project,
            examples=examples(project.task),
            model=model(project.task),
            evaluation=tmp_path,
            explanation=tmp_path / to,
            page=tmp_path / f"{to}.html",
        )

    return run
