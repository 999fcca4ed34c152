"""Compile a project's pipeline: KFP v2 YAML that is the same, byte for byte, whenever project and code are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components._core.project import Project, load_project
from components._core.settings import Settings
from components._core.usercode import pack_code


def compile_project(path: Path, output: Path, overrides: dict[str, Any]) -> list[Path]:
    """Write the training pipeline and the project's code archive.

    Args:
        path: The project's folder or file.
        output: The folder to write to; made when it is not there.
        overrides: Values by dotted place that go before the file's.

    Returns:
        What was written: the pipeline, the archive.

    Raises:
        ConfigError: When the project is not valid.
    """
    project = load_project(path, overrides)
    folder = path if path.is_dir() else path.parent
    output.mkdir(parents=True, exist_ok=True)
    archive = output / "code.zip"
    fingerprint = pack_code(folder, project, archive)
    return [compile_training(project, fingerprint, output / "training.yaml"), archive]


def compile_training(project: Project, code_fingerprint: str, file: Path) -> Path:
    """Write the training pipeline with the project's values as its parameters' defaults."""
    from kfp import compiler

    from pipelines.training import training

    store = Settings.from_environment().store
    defaults = {
        "project": project.to_json(),
        "code_uri": f"{store}/{project.name}/code/{code_fingerprint}.zip",
        "code_fingerprint": code_fingerprint,
        "source": project.data.source,
        "spans": project.data.spans,
        "trials": project.tune.trials,
        "epochs": project.train.epochs,
    }
    compiler.Compiler().compile(
        training, str(file), pipeline_name=f"{project.name}-training", pipeline_parameters=defaults
    )
    return file


def project_schema() -> str:
    """The JSON Schema of project.yaml, as text."""
    schema = Project.model_json_schema(by_alias=True)
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2, sort_keys=True)
        + "\n"
    )
