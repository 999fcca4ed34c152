"""Label Studio's JSON: tasks with what annotators see, and the same tasks with their annotations (`exportType` JSON or JSON_MIN)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from components._core.errors import DataError
from components._labels.annotations import FoundLabel, FoundLabels, parse_time
from components._labels.exchange.contract import ExchangeFormat, WorkItem
from components._labels.exchange.json_text import parse_json, whole_number
from components._labels.label_schema import ITEM, PROJECT, SCHEMA, LabelSchema

CONTROL = "label"
"""Name of the control in the labelling interface."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_VOTES = "naru_votes"
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}


class LabelStudioFormat(ExchangeFormat):
    """See the module's docstring."""

    name = "label-studio"
    tool = "Label Studio"

    def write(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> dict[str, bytes]:
        """See `ExchangeFormat`: the tasks, and beside them the labelling interface for a new project of Label Studio."""
        tasks = make_tasks(schema, columns, items)
        interface = make_interface(schema, columns, items)
        text = json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"
        return {".json": text.encode(), ".interface.xml": interface.encode()}

    def recognises(self, content: bytes) -> bool:
        """See `ExchangeFormat`."""
        return content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["

    def read(self, content: bytes, where: str, schema: LabelSchema) -> FoundLabels:
        """See `ExchangeFormat`."""
        return read_tasks(parse_json(content, where), where)


def field_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the names of columns in tasks: Label Studio's interface reads letters, digits and underscores only."""
    return {name: name if _PLAIN.fullmatch(name) else f"column_{place}" for place, name in enumerate(columns, 1)}


def make_tasks(schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> list[dict[str, Any]]:
    """Return the tasks of a work list."""
    fields = field_names(columns)
    fixed = {PROJECT: schema.project, SCHEMA: schema.config.version}
    return [
        {
            "data": {
                ITEM: item.id,
                **fixed,
                **({_VOTES: _describe_votes(item.votes)} if item.votes else {}),
                **{fields[name]: _show(item.shown.get(name)) for name in columns},
            }
        }
        for item in items
    ]


def make_interface(schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> str:
    """Return the labelling interface: what is shown, and one control for the label."""
    fields = field_names(columns)
    pictures = {name for name in columns if any(isinstance(item.shown.get(name), bytes) for item in items)}
    lines = [f"  <Header value={quoteattr(schema.question)}/>"]
    for name in columns:
        if len(columns) > 1:
            lines.append(f'  <Header value={quoteattr(name)} size="6"/>')
        kind = "Image" if name in pictures else "Text"
        lines.append(f'  <{kind} name="{fields[name]}" value="${fields[name]}"/>')
    if any(item.votes for item in items):
        lines.append(f'  <Text name="{_VOTES}" value="${_VOTES}"/>')
    return "\n".join(["<View>", *lines, *_control(schema, fields[columns[0]]), "</View>", ""])


def _control(schema: LabelSchema, target: str) -> list[str]:
    config = schema.config
    if not config.classes:
        bounds = {"min": config.min, "max": config.max}
        given = "".join(f' {name}="{value:g}"' for name, value in bounds.items() if value is not None)
        return [f'  <Number name="{CONTROL}" toName="{target}" required="true"{given}/>']
    choices = [f"    <Choice value={quoteattr(name)}/>" for name in config.classes]
    start = f'  <Choices name="{CONTROL}" toName="{target}" choice="single" required="true">'
    return [start, *choices, "  </Choices>"]


def _describe_votes(votes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {label}" for name, label in votes.items())


def _show(value: Any) -> str:
    """Return a cell as Label Studio shows it: a text, or a picture as a data address."""
    if isinstance(value, bytes):
        kind = next((name for first, name in _PICTURES.items() if value.startswith(first)), "octet-stream")
        return f"data:image/{kind};base64,{base64.b64encode(value).decode()}"
    return "" if value is None else str(value)


def read_tasks(tasks: Any, where: str) -> FoundLabels:
    """Read the annotations of exported tasks.

    Raises:
        DataError: When they are not tasks.
    """
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        remedy = "export it with exportType=JSON; nothing was imported"
        raise DataError("is not a list of Label Studio's tasks", where=where, remedy=remedy)
    found = FoundLabels(LabelStudioFormat.tool)
    for number, task in enumerate(tasks, 1):
        place = f"{where}, task {number:,}"
        if "annotations" in task or "data" in task:
            _read_task(task, place, found)
        else:
            _read_flat(task, place, found)
    return found


def _read_task(task: dict[str, Any], where: str, found: FoundLabels) -> None:
    data, annotations = task.get("data"), task.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list | None):
        found.unreadable.append((where, "the task has no data, or its annotations are not a list"))
        return
    if not annotations:
        found.skipped += 1
    for annotation in annotations or ():
        if not isinstance(annotation, dict):
            found.unreadable.append((where, "an annotation is not an object"))
        elif annotation.get("was_cancelled"):
            found.skipped += 1
        else:
            _add(data, annotation, _labels_in(annotation.get("result")), where, found)


def _read_flat(task: dict[str, Any], where: str, found: FoundLabels) -> None:
    """Read a task of JSON_MIN: one annotation, with its label beside the task's data."""
    value = task.get(CONTROL)
    flat = value.get("choices") if isinstance(value, dict) else [value]
    labels = [each for each in flat if each is not None] if isinstance(flat, list) else []
    _add(task, {**task, "completed_by": task.get("annotator")}, labels, where, found)


def _add(data: dict[str, Any], annotation: dict[str, Any], labels: list[Any], where: str, found: FoundLabels) -> None:
    if not labels:
        found.skipped += 1
    elif len(labels) > 1:
        found.unreadable.append((where, f"has {len(labels)} labels; one is allowed"))
    else:
        try:
            time = parse_time(annotation.get("updated_at") or annotation.get("created_at"))
        except ValueError:
            time = ""
        project, item = data.get(PROJECT), data.get(ITEM)
        found.labels.append(
            FoundLabel(
                where,
                item if isinstance(item, str) else "",
                _annotator(annotation.get("completed_by")),
                str(labels[0]),
                time,
                project if isinstance(project, str) else "",
                whole_number(data.get(SCHEMA)),
            )
        )


def _labels_in(result: Any) -> list[Any]:
    """Return the labels of an annotation: what its control says, of choices, numbers and ratings."""
    labels: list[Any] = []
    for part in result if isinstance(result, list) else ():
        value = part.get("value") if isinstance(part, dict) else None
        if isinstance(value, dict) and part.get("from_name") == CONTROL:
            choices = value.get("choices")
            labels += choices if isinstance(choices, list) else []
            labels += [value[name] for name in ("number", "rating") if value.get(name) is not None]
    return labels


def _annotator(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else str(completed_by)
