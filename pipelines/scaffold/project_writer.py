"""Write a project from the decisions: two functions, the project file, a README; names from the table stay data.

A column may be called anything. In Python its name is a string literal, in YAML a quoted scalar, in a comment one line, in
Markdown a cell; no name becomes code.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jinja2
import yaml

from components._core.files import write_text
from components._core.project.column_config import ColumnReading
from components._core.project.yaml_text import parse_yaml
from components._core.types.artifact_files import MODEL, PREPROCESSING
from pipelines.scaffold.date_columns import DateFormat
from pipelines.scaffold.decisions import OFTEN_MISSING, Decision, is_long_tailed
from pipelines.scaffold.generated_rows import describe_rows
from pipelines.scaffold.label_choice import Target
from pipelines.scaffold.model_kind import ModelPlan

FILES = {
    "project.yaml": "project.yaml.j2",
    "preprocessing.py": "preprocessing.py.j2",
    "model.py": "model.py.j2",
    "tests/test_project.py": "test_project.py.j2",
    "README.md": "README.md.j2",
    ".gitignore": "gitignore.j2",
}
_MODELS = {"linear": "model_linear.py.j2", "boosted": "model_boosted.py.j2", "torch": "model_torch.py.j2"}
_PICTURE_FILES = {
    **{name: template for name, template in FILES.items() if not name.startswith("tests/")},
    "preprocessing.py": "preprocessing_pictures.py.j2",
    "model.py": "model_pictures.py.j2",
}
_TEMPLATES = Path(__file__).parent / "templates"
_TAKEN = {"numbers", "missing", "hashed"}
_LINE = 110


def write_project(folder: Path, facts: dict[str, Any], decisions: list[Decision]) -> list[Path]:
    """Write the project's files.

    Args:
        folder: The folder to write to.
        facts: Values for the templates besides the columns.
        decisions: The decision on each column.
    """
    environment = _environment()
    plan: ModelPlan = facts["plan"]
    pictures = any(decision.role == "picture" for decision in decisions)
    known = {**facts, "decisions": decisions, "has_tests": not pictures, **_features(decisions, facts["target"], plan)}
    written = []
    for name, template in (_PICTURE_FILES if pictures else FILES).items():
        if name == PREPROCESSING and not plan.prepared:
            continue
        template = _MODELS.get(plan.kind, template) if name == MODEL and not pictures else template
        write_text(folder / name, environment.get_template(template).render(known))
        written.append(folder / name)
    return written


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=False,  # noqa: S701 - Python and YAML, not HTML; the filters below escape for each
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        yaml=as_yaml,
        literal=as_python,
        raw=as_raw,
        line=as_line,
        cell=as_cell,
        code=as_code,
        prose=as_prose,
        shell=as_shell,
    )
    return environment


def _features(decisions: list[Decision], target: Target, plan: ModelPlan) -> dict[str, Any]:
    """Make the template values for the Python files, by role."""
    by_role: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_role.setdefault(decision.role, []).append(decision)
    numbers, dates = by_role.get("number", []), by_role.get("date", [])
    outputs = name_outputs(
        [decision.column.name for role in ("category", "text") for decision in by_role.get(role, [])]
    )
    categories = {decision.column.name: outputs[decision.column.name] for decision in by_role.get("category", [])}
    texts = {decision.column.name: outputs[decision.column.name] for decision in by_role.get("text", [])}
    often = [decision.column.name for decision in numbers if decision.column.missing_share >= OFTEN_MISSING]
    often = [] if plan.takes_missing else often
    dense = (["numbers"] if numbers or dates else []) + (["missing"] if often else []) + list(texts.values())
    return {
        "excluded": by_role.get("left out", []),
        "readings": [(decision, _entry(decision.reading)) for decision in decisions if decision.reading],
        "numbers": [decision.column.name for decision in numbers],
        "long_tailed": [
            decision.column.name for decision in numbers if is_long_tailed(decision.column) and not plan.takes_missing
        ],
        "often_missing": often,
        "dates": dates,
        "has_clock": any(decision.format and decision.format.has_clock for decision in dates),
        "groups": _groups,
        "categories": categories,
        "hashed": [decision.column.name for decision in by_role.get("hashed", [])],
        "whole_categories": any(
            not decision.column.type.is_text for role in ("category", "hashed") for decision in by_role.get(role, [])
        ),
        "texts": texts,
        "dense": dense,
        "generated": describe_rows(decisions, target, outputs, len(often), read=not plan.prepared),
        "widths": {
            categories[decision.column.name]: _width(decision.column.distinct)
            for decision in by_role.get("category", [])
        },
    }


def _entry(reading: ColumnReading) -> str:
    """Format an entry of `data.columns` as YAML in one line."""
    fields = reading.model_dump(exclude_defaults=True)
    shown = {
        name: f"[{', '.join(map(as_yaml, value))}]" if isinstance(value, list) else as_yaml(value)
        for name, value in fields.items()
    }
    return "{" + ", ".join(f"{name}: {value}" for name, value in shown.items()) + "}"


def _groups(form: DateFormat) -> str:
    return str(list(form.groups if form.has_clock else form.groups[:3]))


def _width(distinct: int) -> int:
    """Choose the embedding width: about the square root of the number of values, 16 at most."""
    return int(min(max(round(distinct**0.5), 2), 16))


def name_outputs(columns: list[str]) -> dict[str, str]:
    """Make a unique name for each column that is valid in Keras, TensorFlow and file names: letters, digits and underscores."""
    names: dict[str, str] = {}
    taken = set(_TAKEN)
    for column in columns:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_").lower() or "column"
        plain = f"column_{plain}" if plain[0].isdigit() else plain[:60]
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        names[column] = name
    return names


def as_yaml(value: str | float) -> str:
    """Format a scalar as YAML, unquoted if that reads back as the same string."""
    if not isinstance(value, str):
        return str(value)
    if (
        re.fullmatch(r"[\w./-]*[A-Za-z_][\w./ -]*[\w/]|[A-Za-z_]", value, re.ASCII)
        and parse_yaml(value, "") == yaml.safe_load(value) == value
    ):
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=1 << 30).strip()


def as_python(value: Any) -> str:
    """Format a string, list, tuple or dictionary as a Python literal with double quotes, over several lines when long."""
    if isinstance(value, dict):
        items = [f"{as_python(key)}: {as_python(item)}" for key, item in value.items()]
        return _wrapped("{", items, "}")
    if isinstance(value, list):
        return _wrapped("[", [as_python(item) for item in value], "]")
    if isinstance(value, tuple):
        return f"({', '.join(map(as_python, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str) and value.isprintable():
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _wrapped(left: str, items: list[str], right: str) -> str:
    line = f"{left}{', '.join(items)}{right}"
    if len(line) <= _LINE - 25:
        return line
    lines, row = [], ""
    for item in items:
        if row and len(row) + len(item) > _LINE - 8:
            lines.append(row.rstrip())
            row = ""
        row += f"{item}, "
    return "\n".join([left, *(f"    {line}" for line in [*lines, row.rstrip()]), right])


def as_raw(pattern: str) -> str:
    """Format one of Naru's own regular expressions as a raw Python literal."""
    return f'r"{pattern}"'


def as_line(text: str) -> str:
    """Format text for a comment: characters that would end the line become spaces."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def as_cell(text: str) -> str:
    """Format text for a cell of a Markdown table."""
    return re.sub(r"([\\|`*_<\[\]])", r"\\\1", as_line(text))


def as_code(text: str) -> str:
    """Format text as inline code in Markdown, fenced by more backticks than it has in a row."""
    plain = as_line(text)
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    return f"{fence} {plain} {fence}" if "`" in plain else f"`{plain}`"


def as_prose(text: str) -> str:
    """Format a sentence for Markdown: names from the table in it never become HTML, a link or an image."""
    return re.sub(r"([\\<\[])", r"\\\1", as_line(text))


def as_shell(word: str) -> str:
    """Quote one word of a shell command."""
    return shlex.quote(as_line(word))
