"""The model that is explained, a deployed version or that of a run here, and the rows that it is compared with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError
from components._core.examples.artifact import Manifest
from components._core.examples.reference_rows import Reference
from components._core.examples.samples import Sample
from components._core.project.project_file import load_project
from components._core.store.file_digests import fetch_version
from components._core.store.ledger import CHAMPION, Deployment, find_deployment, read_deployments
from components._core.temporary_folders import temporary_folder
from components._core.types.artifact_files import SAMPLE
from components._core.types.signature import to_arrays
from components._core.types.variant_table import describe_served
from components._frameworks.contract import Model
from components._frameworks.sampled_rows import Arrays
from components._frameworks.table import load_model
from components.explain.background_rows import draw_background
from components.explain.row_shapley import BACKGROUND_ROWS
from pipelines.local.run_history import PastRun, find_run, read_runs
from pipelines.local.workspace import find_workspace


@dataclass(frozen=True)
class ExplainedModel:
    """A model in memory, and where rows for it are.

    Attributes:
        project: The project's name.
        label: The label's column.
        title: What it is, as in `version 3, the champion`.
        version: Its number; empty: it was not deployed.
        run: The run that made it.
        model: The model.
        reference: What it is served with: the threshold from which a row counts as positive, the interval beside a prediction.
        examples: Rows of the run that made it, or of the newest run; None: there are none here.
        examples_run: The run that read these rows.
        sample: Test rows that the store keeps beside a version; None: there are none.
        seed: Seed of the background and of orders.
    """

    project: str
    label: str
    title: str
    version: str
    run: str
    model: Model
    reference: Reference
    examples: Path | None
    examples_run: str
    sample: Path | None
    seed: int

    def background(self) -> tuple[Arrays, str]:
        """Return the rows that a row is compared with, and what they are.

        Raises:
            ConfigError: When neither a run here nor the store has rows that the model takes.
        """
        features = self.model.signature.inputs
        if self.examples is not None and not self.missing_columns():
            rows = draw_background(features, self.examples, self.seed, BACKGROUND_ROWS)
            return rows, f"training rows of run {self.examples_run}"
        if self.sample is not None:
            return to_arrays(Sample.load(self.sample).rows.slice(0, BACKGROUND_ROWS), features), (
                "test rows kept with the version"
            )
        missing = f": the rows of run {self.examples_run} have no {', '.join(self.missing_columns())}"
        message = f"has no rows to compare with{missing if self.examples else ''}"
        raise ConfigError(message, where=self.title, remedy="run the project here: naru run")

    def missing_columns(self) -> list[str]:
        """Return the features of which the rows here have no column."""
        if self.examples is None:
            return []
        known = Manifest.load(self.examples).columns
        return [feature.name for feature in self.model.signature.inputs if feature.name not in known]


@contextmanager
def open_model(path: Path, version: str = "", run: str = "") -> Iterator[ExplainedModel]:
    """Open the model to explain for the time of a `with` block.

    Args:
        path: The project's folder or file.
        version: A deployed version, or `champion`; empty: the champion, or the newest run's model when nothing is deployed.
        run: A run here, by its name or `last`; empty: `version` says which.

    Raises:
        ConfigError: When there is no such model, or both are given.
        NaruError: When the model cannot be fetched or opened.
    """
    if version and run:
        raise ConfigError("give --version or --run, not both", where=str(path))
    workspace = find_workspace(path)
    workspace.check_project()
    project = load_project(path)
    runs = read_runs(workspace)
    if run:
        yield _of_run(project, find_run(runs, run), path)
        return
    store = workspace.settings().store
    lines = read_deployments(store, project.name)
    if not lines and not version:
        past = next((past for past in reversed(runs) if _artifact(past, "model")), None)
        if past is None:
            remedy = f"train one: naru run {shlex.quote(str(path))}"
            raise ConfigError("has no model to explain yet", where=project.name, remedy=remedy)
        yield _of_run(project, past, path)
        return
    line = _find_line(lines, version, project.name)
    made = next((past for past in reversed(runs) if past.name == line.run and _artifact(past, "examples")), None)
    made = made or next((past for past in reversed(runs) if _artifact(past, "examples")), None)
    is_champion = line.identity == lines[-1].identity
    with temporary_folder("naru-explain-") as temporary:
        name = line.model.rstrip("/").rpartition("/")[2]
        there = fetch_version(line.model, line.registration_sha256, temporary, (name, SAMPLE))
        yield ExplainedModel(
            project.name,
            project.label,
            f"version {line.version}{', the champion' if is_champion else ''}{describe_served(there / name)}",
            line.version,
            line.run,
            load_model(there / name),
            Reference.load(there / name),
            _artifact(made, "examples") if made else None,
            made.name if made else "",
            there / SAMPLE if (there / SAMPLE).is_file() else None,
            project.train.seed,
        )


def _find_line(lines: list[Deployment], version: str, project: str) -> Deployment:
    if not lines:
        raise ConfigError("has no deployed version", where=project, remedy="explain a run instead: --run last")
    return find_deployment(lines, version or CHAMPION)


def _of_run(project: Any, past: PastRun, path: Path) -> ExplainedModel:
    model = _artifact(past, "model")
    if model is None:
        remedy = f"name another one, or train again: naru run {shlex.quote(str(path))}"
        raise ConfigError(f"run {past.name} left no model", where=str(path), remedy=remedy)
    evaluation = _artifact(past, "evaluation")
    return ExplainedModel(
        project.name,
        project.label,
        f"the model of run {past.name}",
        "",
        past.name,
        load_model(model),
        Reference.load(evaluation) if evaluation else Reference(),
        _artifact(past, "examples"),
        past.name,
        None,
        project.train.seed,
    )


def _artifact(past: PastRun, name: str) -> Path | None:
    """Return an artifact of a run that is still there."""
    found = past.record.get("artifacts", {}).get(name)
    return Path(found) if found and Path(found).is_dir() else None
