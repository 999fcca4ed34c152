"""What a file takes and gives, in terms of a project: for `naru import`, which writes it down."""

from __future__ import annotations

from collections.abc import Sequence

from components._core.project.model_config import ImportedModel
from components._core.types.tasks.contract import Task
from components._frameworks.contract import ImportPlan, ModelCode
from components._frameworks.onnx.input_columns import find_columns
from components._frameworks.onnx.model_file import ModelFile
from components._frameworks.onnx.score_output import find_scores, order_classes
from components._frameworks.transformed_rows import Column


def plan_import(code: ModelCode, columns: Sequence[Column], *, task: Task, classes: Sequence[str]) -> ImportPlan:
    """Check a file and find its columns; see `Framework.plan_import`."""
    imported = code.imported or ImportedModel()
    file = ModelFile(code.folder / code.file)
    output = find_scores(file, imported, task, classes)
    ordered, assumed = order_classes(output, imported, classes, file.name, assume=True)
    notes = list(filter(None, [assumed]))
    unused: list[str] = []
    if columns:
        found = find_columns(file, columns, imported)
        inputs = {name: [column.name for column in taken] for name, taken in found.by_input.items()}
        notes, unused = [*found.notes, *notes], found.unused(columns)
    else:
        inputs = {each.name: _as_list(imported.inputs.get(each.name, each.name)) for each in file.inputs}
        wanted = ", ".join(dict.fromkeys(name for taken in inputs.values() for name in taken))
        notes.append(f"preprocessing_fn must return the features {wanted}: train checks that it does")
    if file.one_row:
        notes.append(f"{file.name} takes one row at a time: train checks that it answers several as it answers each")
    return ImportPlan(inputs, output.name, ordered, file.facts(), tuple(notes), tuple(unused))


def _as_list(named: str | list[str]) -> list[str]:
    return [named] if isinstance(named, str) else named
