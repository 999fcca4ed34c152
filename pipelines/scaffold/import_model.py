"""Bring a model that was trained elsewhere into a project: check its file, find its columns, write both down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from components._core.errors import ConfigError
from components._core.files import hash_file, write_bytes, write_text
from components._core.project.code_config import Code
from components._core.project.model_config import ImportedModel
from components._core.project.project_file import PROJECT_FILE, Project, load_project, parse_project
from components._core.project.yaml_text import parse_yaml
from components._core.types.artifact_files import ONNX_MODEL
from components._core.types.column_types import type_of_arrow
from components._core.types.label_values import as_text
from components._core.types.tasks import TASKS
from components._data.formats.registry import open_format
from components._data.joins.table_joins import TableJoins
from components._data.sources.registry import open_source
from components._frameworks.contract import Framework, ImportPlan, ModelCode
from components._frameworks.project_rules import check_framework, unusable_settings
from components._frameworks.table import check_installed, find_framework
from components._frameworks.transformed_rows import Column
from pipelines.local.runner import absolute_data
from pipelines.local.workspace import find_workspace
from pipelines.project_edit import set_sections

FRAMEWORK = "onnx"
MOST_ROWS = 200_000
"""Rows that are looked at for the label's classes; train looks at all."""


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes:
        folder: The project's folder.
        plan: What the file takes and gives.
        removed: Paths in project.yaml that were taken out: they have no meaning for a finished model.
        aside: Where an earlier model is now; None: there was none, or the same.
        idle: Files of the project that nothing calls any more.
    """

    folder: Path
    plan: ImportPlan
    removed: tuple[str, ...]
    aside: Path | None
    idle: tuple[str, ...]


def import_model(path: Path, source: Path, overrides: dict[str, Any], *, prepared: bool = False) -> Imported:
    """Import a file; nothing is changed when it is refused.

    Args:
        path: The project's folder or file.
        source: The ONNX file.
        overrides: Values of the section `model` by dotted path.
        prepared: Whether the project's preprocessing_fn stays, in front of the model.

    Raises:
        ConfigError: When the project cannot be read, or the columns of an input cannot be found, with what to write.
        DataError: When the project's table cannot be read.
        ModelError: When the file is refused.
    """
    _check_overrides(overrides)
    framework = find_framework(FRAMEWORK)
    check_installed(framework, "naru import")
    project = load_project(path, overrides)
    file = path / PROJECT_FILE if path.is_dir() else path
    if not source.is_file():
        raise ConfigError("there is no such file", where=str(source), remedy="name an ONNX file")
    columns, classes = _read_table(path, project, is_raw=not prepared)
    plan, imported = _plan(framework, source, project, overrides, columns, classes)
    sections, removed = _sections(file, project.code, _model_section(imported, plan), framework, prepared=prepared)
    text = set_sections(file, sections, after="data")
    check_framework(parse_project(parse_yaml(text, str(file)), str(file)))
    aside = _copy(source, file.parent / ONNX_MODEL)
    write_text(file, text)
    return Imported(file.parent, plan, removed, aside, _idle(file.parent, project.code, sections["code"]))


def _plan(
    framework: Framework,
    source: Path,
    project: Project,
    overrides: dict[str, Any],
    columns: Sequence[Column],
    classes: Sequence[str],
) -> tuple[ImportPlan, ImportedModel]:
    """Find what the file takes and gives; what the project says of an earlier file counts only if it fits this one."""

    def plan(imported: ImportedModel) -> ImportPlan:
        code = ModelCode(source.parent, source.name, imported=imported)
        return framework.plan_import(code, columns, task=TASKS[project.task], classes=classes)

    said = project.model or ImportedModel()
    try:
        return plan(said), said
    except ConfigError:
        if project.code.framework != framework.name or project.model is None:
            raise
    raw: dict[str, Any] = {"model": {"missing": said.missing}}
    for place, value in overrides.items():
        *parents, last = place.split(".")
        section = raw
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    fresh = ImportedModel.model_validate(raw["model"])  # valid: load_project has looked at it
    return plan(fresh), fresh


def _check_overrides(overrides: dict[str, Any]) -> None:
    for place in overrides:
        if place.partition(".")[0] != "model":
            message = f"sets {place}, and only what is below model is written down here"
            raise ConfigError(message, where="--set", remedy="change the rest in project.yaml")


def _read_table(path: Path, project: Project, *, is_raw: bool) -> tuple[list[Column], list[str]]:
    """Read the columns that a model may take, and the label's classes, as a run will read them."""
    workspace = find_workspace(path)
    with workspace.settings_applied():
        data = absolute_data(workspace, project)
        files = open_source(data.source, data.missing_spans, data.sql).list_files(data.spans)
        table = open_format(data, files[0])
        schema = table.infer_schema(files, project.label)
        types = TableJoins(data, schema.types, lambda row: None).column_types if data.join else schema.types
        left_out = {project.label, *data.exclude}
        columns = [
            Column(name, type_of_arrow(kind, name).feature.name, ())
            for name, kind in types.items()
            if name not in left_out
        ]
        found: set[str] = set()
        rows = 0
        for each in files if TASKS[project.task].has_classes else ():
            for read in table.read_rows(each, schema, project.label, lambda row: None):
                found.update(pc.unique(as_text(read.examples[project.label])).to_pylist())
                rows += read.examples.num_rows
                if rows >= MOST_ROWS:
                    break
    classes = TASKS[project.task].order_classes(found, project.positive_text) if found else []
    return (columns if is_raw else []), classes


def _raw(file: Path) -> dict[str, Any]:
    raw: dict[str, Any] = parse_yaml(file.read_text(encoding="utf-8"), str(file))
    return raw


def _sections(
    file: Path, before: Code, model: dict[str, Any], framework: Framework, *, prepared: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the sections of the project file that change, and the paths that are taken out of it."""
    raw = _raw(file)
    code = {"framework": framework.name, "model": ONNX_MODEL}
    code |= {"preprocessing": before.preprocessing} if prepared else {}
    sections: dict[str, Any] = {"code": code, "model": model}
    removed = []
    for place in unusable_settings(framework):
        section, _, name = place.partition(".")
        content = sections.get(section, raw.get(section))
        if isinstance(content, dict) and name in content:
            sections[section] = {key: value for key, value in content.items() if key != name} or None
            removed.append(place)
    if "transform" in raw and not prepared:
        sections["transform"] = None
        removed.append("transform")
    return sections, tuple(removed)


def _model_section(imported: ImportedModel, plan: ImportPlan) -> dict[str, Any]:
    section: dict[str, Any] = {}
    named = {name: taken[0] if len(taken) == 1 else taken for name, taken in plan.inputs.items() if taken != [name]}
    if named:
        section["inputs"] = named
    if imported.missing:
        section["missing"] = imported.missing
    outputs: dict[str, Any] = {"scores": plan.scores}
    if plan.classes:
        outputs["classes"] = [*plan.classes]
    if imported.outputs.activation:
        outputs["activation"] = imported.outputs.activation
    return {**section, "outputs": outputs}


def _copy(source: Path, target: Path) -> Path | None:
    """Copy the file into the project; another model in its place keeps its content under a name of its own, which is returned."""
    if target.exists() and (source.samefile(target) or hash_file(source) == hash_file(target)):
        return None
    aside = None
    if target.exists():
        aside = target.with_name(f"{target.stem}-{hash_file(target)[:8]}{target.suffix}")
        write_bytes(aside, target.read_bytes())
    write_bytes(target, source.read_bytes())
    return aside


def _idle(folder: Path, before: Code, now: dict[str, str]) -> tuple[str, ...]:
    """Names of the files that made the model before, where they are still there."""
    return tuple(name for name in before.files if name not in now.values() and (folder / name).is_file())
