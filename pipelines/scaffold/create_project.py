"""Create a project from a table: check the arguments, profile the table, decide, write the files."""

from __future__ import annotations

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components._core.errors import ConfigError, DataError
from components._core.project.data_config import Csv, Data
from components._core.project.project_file import load_project
from components._core.suggestions import listed
from components._data.formats.registry import open_format
from components._data.sources.registry import open_source
from components._data.sources.span_pattern import parse_pattern
from pipelines.scaffold.decisions import (
    Decision,
    Fitting,
    collect_notes,
    decide_columns,
    decide_fitting,
    quarantine_limit,
)
from pipelines.scaffold.group_column import find_group, first_of_each
from pipelines.scaffold.label_choice import Target, decide_target
from pipelines.scaffold.leak_suspects import score_columns
from pipelines.scaffold.project_name import name_note, project_name
from pipelines.scaffold.project_writer import write_project
from pipelines.scaffold.table_profile import Column, Profile, profile_table

_CLOSEST_FOLDERS = 2


@dataclass(frozen=True)
class Created:
    """A created project.

    Attributes:
        folder: Its folder.
        name: Its name in project.yaml.
        source: The table.
        label: The column to predict.
        target: The task, and the reason for it.
        rows: Rows with a label.
        decisions: The decision on each column, in the table's order.
        fitting: Its training settings.
        notes: Further notes for the user, one sentence each.
        files: The files written.
        written: How the table is written, where that is unusual; empty: it is not.
    """

    folder: Path
    name: str
    source: Path
    label: str
    target: Target
    rows: int
    decisions: list[Decision]
    fitting: Fitting
    notes: list[str]
    files: list[Path]
    written: str = ""

    @property
    def suspects(self) -> list[Decision]:
        """The columns that the user should check."""
        return [decision for decision in self.decisions if decision.suspect]


def new_project(folder: Path, *, data: Path, label: str, csv: Csv | None = None) -> Created:
    """Analyze a table and generate a project that `naru run` can run at once.

    Args:
        folder: The folder to write to; new or empty.
        data: The table; placeholders in its path stand for spans (`span_pattern.py`).
        label: The column to predict.
        csv: How a CSV is written; what it leaves out is detected.

    Raises:
        ConfigError: When the folder is in use, there is no such table or column, or the label cannot be predicted.
        DataError: When the table cannot be read, or has too few rows or columns.
    """
    _check_folder(folder)
    csv = csv or Csv()
    _check_table(data, label, csv)
    profile = profile_table(data, label, csv)
    if label not in profile.columns:
        raise DataError(
            _describe_missing_label(profile, label), where=str(data), remedy="name another label, or fill it"
        )
    target = decide_target(profile.columns[label])
    group = find_group(profile.columns, profile.sample, label)
    sample = first_of_each(profile.sample, group) if group else profile.sample
    decisions = decide_columns(profile, label, score_columns(sample, label, target.task), group)
    _check_features(decisions, data)
    name = project_name(folder)
    fitting = decide_fitting(profile.rows)
    notes = [*collect_notes(profile, target, decisions, group), *filter(None, [name_note(folder, name)])]
    facts = _template_values(folder, data, profile, target, label) | {
        "name": name,
        "fitting": fitting,
        "notes": notes,
        "group": group,
        "csv": csv.model_dump(exclude_defaults=True) | profile.csv,
    }
    files = _write(folder, facts, decisions)
    return Created(folder, name, data, label, target, profile.rows, decisions, fitting, notes, files, profile.written)


def parse_csv(quote: str | None = None, escape: str | None = None, sep: str = "", encoding: str = "") -> Csv:
    """Parse the CSV options of the command line; what is not named is detected.

    Raises:
        ConfigError: When a character or an encoding is not allowed.
    """
    named = {"quote": quote, "escape": escape, "separator": sep or None, "encoding": encoding or None}
    try:
        return Csv.model_validate({name: value for name, value in named.items() if value is not None})
    except ValidationError as error:
        places = [str(problem["loc"][0]) if problem["loc"] else "quote" for problem in error.errors()]
        options = ["sep" if place == "separator" else place for place in places]
        message = "; ".join(
            f"--{option}: {problem['msg']}" for option, problem in zip(options, error.errors(), strict=True)
        )
        remedy = "name one character, such as '\\', or '' for none; an encoding as in cp949"
        raise ConfigError(message.replace("Value error, ", ""), where="naru new", remedy=remedy) from None


def _describe_missing_label(profile: Profile, label: str) -> str:
    if not profile.unlabelled + profile.unreadable:
        return "has a header and no rows"
    return f"no row has a label: {label!r} is empty in every one that can be read"


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is a file", where=str(folder), remedy="name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        message = "already exists and is not empty; nothing is overwritten"
        raise ConfigError(message, where=str(folder), remedy="name a new folder")


def _check_table(data: Path, label: str, csv: Csv) -> None:
    if "{split}" in str(data):
        remedy = "name one of its files; then set data.source, and data.split: {method: given}, in project.yaml"
        raise ConfigError("has {split}, which is for project.yaml", where=str(data), remedy=remedy)
    if parse_pattern(str(data)) is None and not data.exists():
        raise ConfigError(
            f"there is no such file{_suggest_file(data)}", where=str(data), remedy="name a table with --data"
        )
    file = open_source(str(data)).list_files("all")[0]
    table = open_format(Data(source=str(data), csv=csv), file)
    _check_header(table.column_names(file), label, data)


def _suggest_file(data: Path) -> str:
    there = [path.name for path in data.parent.glob("*")] if data.parent.is_dir() else []
    close = difflib.get_close_matches(data.name, there, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_header(names: list[str], label: str, data: Path) -> None:
    if label not in names:
        raise ConfigError(
            _unknown_column(names, label), where=str(data), remedy="name the column to predict with --label"
        )


def _unknown_column(names: list[str], label: str) -> str:
    lower = {name.lower(): name for name in names}
    close = [lower[name] for name in difflib.get_close_matches(label.lower(), lower, n=3)]
    if close:
        return f"there is no column {label!r}; did you mean {' or '.join(map(repr, close))}?"
    return f"there is no column {label!r}; there are {listed(names)}"


def _check_features(decisions: list[Decision], data: Path) -> None:
    if any(decision.role not in ("label", "left out") for decision in decisions):
        return
    left_out = [decision for decision in decisions if decision.role == "left out"]
    left = "; ".join(f"{decision.column.name}: {decision.reason}" for decision in left_out)
    message = f"no column is left to predict from ({left or 'there is only the label'})"
    raise DataError(message, where=str(data), remedy="add columns that are known before the label is")


def _write(folder: Path, facts: dict[str, Any], decisions: list[Decision]) -> list[Path]:
    """Write the project to a temporary folder and rename it, so that a folder with its name is always complete."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        files = write_project(aside, facts, decisions)
        load_project(aside)  # a run must accept the generated project
        os.replace(aside, folder)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise ConfigError(
            message, where=str(folder), remedy="name a folder that you may write, on a disk with space"
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return [folder / file.name for file in files]


def _template_values(folder: Path, data: Path, profile: Profile, target: Target, label: str) -> dict[str, Any]:
    source, is_relative = source_from(folder, data)
    mean, spread = _initial_scale(profile.columns[label])
    return {
        "label": label,
        "source": source,
        "source_is_relative": is_relative,
        "source_name": data.name,
        "folder_name": folder.name,
        "rows": profile.rows,
        "columns": len(profile.columns),
        "target": target,
        "limit": quarantine_limit(profile),
        "limit_reason": _limit_reason(profile),
        "output": target.task.answer,
        "mean": mean,
        "spread": spread,
    }


def source_from(folder: Path, data: Path) -> tuple[str, bool]:
    """Return the table's path for the project file, and whether it is relative.

    Relative when both are close together, so that they can move and be committed together; else absolute.
    """
    relative = Path(os.path.relpath(data.absolute(), folder.absolute()))
    if relative.parts.count("..") <= _CLOSEST_FOLDERS:
        return relative.as_posix(), True
    return data.absolute().as_posix(), False


def _limit_reason(profile: Profile) -> str:
    lines = []
    if profile.unlabelled:
        lines.append(f"{profile.unlabelled:,} rows have no label")
    if profile.unreadable:
        lines.append(f"{profile.unreadable:,} rows cannot be read")
    return " and ".join(lines) + ": set aside in each run; more than this share stops it"


def _initial_scale(label: Column) -> tuple[float, float]:
    """Return mean and spread of a numeric label, rounded to four digits; 0 and 1 for text."""
    if label.mean is None or not label.deviation:
        return 0.0, 1.0
    return float(f"{label.mean:.4g}"), float(f"{label.deviation:.4g}")
