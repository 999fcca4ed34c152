"""What a past run left that a model can be trained from again, and a folder for that work."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from components._core.errors import ConfigError
from components._core.files import read_json
from components._core.project.project_file import Project, parse_project
from components._core.setting_names import STORE
from components._core.types.artifact_files import IMPORTANCES, SCHEMA
from components._core.types.column_choices import ColumnChoices
from components._core.types.signature import read_features
from pipelines.local.quiet import QUIET, without_warnings
from pipelines.local.run_history import PastRun, read_runs
from pipelines.local.workspace import PARAMETERS, Workspace

_NEEDED = ("examples", "schema", "hyperparameters", "transform_graph", "transformed", "model")


@dataclass(frozen=True)
class Trained:
    """What a past run left that a model can be trained from again.

    Attributes:
        run: The run's name.
        project: The project as the run read it.
        code: Archive of the code that it ran.
        artifacts: Path of each artifact by name.
    """

    run: str
    project: Project
    code: Path
    artifacts: dict[str, Path]

    @property
    def choices(self) -> ColumnChoices:
        """What the run's transform decided about columns."""
        graph = self.artifacts.get("transform_graph")
        return ColumnChoices() if graph is None else ColumnChoices.load(graph)

    @property
    def features(self) -> list[str]:
        """Names of the model's features."""
        schema = self.artifacts["schema"]
        left_out = {self.project.label, *self.project.data.exclude, *self.choices.dropped_names}
        return [feature.name for feature in read_features(schema / SCHEMA if schema.is_dir() else schema, left_out)]

    @property
    def proposed(self) -> list[str]:
        """Features that explain found unneeded, the least important first; empty where it did not run."""
        explanation = self.artifacts.get("explanation")
        if explanation is None or not (explanation / IMPORTANCES).is_file():
            return []
        return list(read_json(explanation / IMPORTANCES).get("unneeded", []))


def find_trained(workspace: Workspace, *, explained: bool) -> Trained:
    """Find the newest run whose artifacts are there.

    Args:
        workspace: The project's workspace.
        explained: Whether its model must have been explained: a model that was blocked is not.

    Raises:
        ConfigError: When there is none.
    """
    needed = (*_NEEDED, "explanation") if explained else _NEEDED
    for past in reversed(read_runs(workspace)):
        artifacts = {name: Path(path) for name, path in past.record.get("artifacts", {}).items()}
        there = all(name in artifacts and artifacts[name].exists() for name in needed)
        if there and (not explained or (artifacts["explanation"] / IMPORTANCES).is_file()):
            return _read(workspace, past, artifacts)
    message = "no run here has an explained model" if explained else "no run here has a model"
    remedy = "run the project first: naru run" + (", or name the columns with --without" if explained else "")
    raise ConfigError(message, where=str(workspace.project), remedy=remedy)


def _read(workspace: Workspace, past: PastRun, artifacts: dict[str, Path]) -> Trained:
    given = read_json(workspace.runs / past.name / PARAMETERS)
    project = parse_project(json.loads(given["project"]), f"run {past.name}")
    code = Path(given["code_uri"])
    if not code.is_file():
        raise ConfigError("the code of the run is gone", where=str(code), remedy="run the project again: naru run")
    return Trained(past.name, project, code, artifacts)


def prepare_again(
    trained: Trained, examples: Path, folder: Path, choices: ColumnChoices | None = None
) -> dict[str, Path]:
    """Prepare rows with the run's code.

    Args:
        trained: The run.
        examples: The rows.
        folder: Where the results go.
        choices: What is decided about columns; None: transform decides by these rows.

    Returns:
        The artifacts by name: `transform_graph` and `transformed`.

    Raises:
        NaruError: What transform raises.
    """
    from components.transform.transform import transform_examples

    folders = {name: folder / name for name in ("transform_graph", "transformed")}
    for each in folders.values():
        each.mkdir(parents=True)
    transform_examples(
        trained.project,
        code=trained.code,
        examples=examples,
        schema=trained.artifacts["schema"],
        blocked="",
        choices=choices,
        transform_graph=folders["transform_graph"],
        transformed=folders["transformed"],
    )
    return folders


def train_again(trained: Trained, prepared: Mapping[str, Path], folder: Path, project: Project | None = None) -> Path:
    """Train a model with the run's code and hyperparameters on prepared rows; returns its folder.

    Args:
        trained: The run.
        prepared: `transform_graph` and `transformed`.
        folder: Where the results go.
        project: The project, with another seed; None: as the run read it.

    Raises:
        NaruError: What train raises.
    """
    from components.train.train import train_model

    model, history = folder / "model", folder / "history"
    for each in (model, history):
        each.mkdir(parents=True)
    train_model(
        project or trained.project,
        code=trained.code,
        schema=trained.artifacts["schema"],
        transform_graph=prepared["transform_graph"],
        transformed=prepared["transformed"],
        hyperparameters=trained.artifacts["hyperparameters"],
        model=model,
        history=history,
    )
    return model


@contextmanager
def scratch_folder(workspace: Workspace, prefix: str) -> Iterator[Path]:
    """Make a folder for the work, which is also the store of checkpoints; it is removed at the end.

    What the project's code prints goes to standard error: with `--json` standard output is one JSON object.

    Args:
        workspace: The project's workspace: the folder is made in it.
        prefix: Beginning of the folder's name.
    """
    workspace.home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=workspace.home) as folder:
        before = dict(os.environ)
        os.environ.update({**QUIET, STORE: str(Path(folder) / "store")})
        try:
            with redirect_stdout(sys.stderr), without_warnings():
                yield Path(folder)
        finally:
            os.environ.clear()
            os.environ.update(before)
