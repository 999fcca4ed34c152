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
from components._core.project.picture_config import Pictures
from components._core.project.project_file import load_project
from components._core.project.table_config import Csv
from components._core.suggestions import listed
from components._core.types.several_labels import SEVERAL_LABELS
from components._data.formats.registry import open_format
from components._frameworks.table import check_installed, find_framework
from pipelines.scaffold.choices import AUTO, Choices, Kind
from pipelines.scaffold.column_meanings import Meaning, add_cell_counts, find_meanings
from pipelines.scaffold.decisions import (
    Decision,
    Fitting,
    collect_notes,
    decide_columns,
    decide_fitting,
    quarantine_limit,
)
from pipelines.scaffold.group_column import Group, find_group, first_of_each, name_group
from pipelines.scaffold.label_choice import Target, decide_target
from pipelines.scaffold.leak_suspects import find_derived, score_columns
from pipelines.scaffold.model_kind import ModelPlan
from pipelines.scaffold.picture_columns import (
    SIDES,
    check_picture_choices,
    choose_side,
    decide_picture_fitting,
    decide_pictures,
    find_named_pictures,
)
from pipelines.scaffold.project_name import name_note, project_name
from pipelines.scaffold.project_writer import write_project
from pipelines.scaffold.table_location import TableLocation
from pipelines.scaffold.table_profile import Column, Profile, profile_table

_FILTERS = (24, 48, 64, 64, 64)
"""Filters of the convolutions of a model of pictures; each halves both sides, the last leaves four pixels of 32, 64 or 128."""


@dataclass(frozen=True)
class Created:
    """A created project.

    Attributes:
        folder: Its folder.
        name: Its name in project.yaml.
        table: The table.
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
    table: TableLocation
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
        """The columns whose role the user should check."""
        return [decision for decision in self.decisions if decision.suspect]

    @property
    def findings(self) -> list[tuple[str, str]]:
        """What the user should look at, in the order of the table: a column and a sentence."""
        found = []
        for decision in self.decisions:
            found += [(decision.column.name, decision.reason)] if decision.suspect else []
            found += [(decision.column.name, finding) for finding in decision.findings]
        return found


def new_project(
    folder: Path, *, data: TableLocation | Path, label: str, csv: Csv | None = None, choices: Choices | None = None
) -> Created:
    """Analyze a table and generate a project that `naru run` can run at once.

    Args:
        folder: The folder to write to; new or empty.
        data: The table, or its path; placeholders in it stand for spans (`span_pattern.py`).
        label: The column to predict.
        csv: How a CSV is written; what it leaves out is detected.
        choices: What the user decides; default: nothing.

    Raises:
        ConfigError: When the folder is in use, there is no such table or column, or the label cannot be predicted.
        DataError: When the table cannot be read, or has too few rows or columns.
    """
    _check_folder(folder)
    csv, choices = csv or Csv(), choices or Choices()
    table = TableLocation.parse(str(data)) if isinstance(data, Path) else data
    _check_table(table, label, csv, choices)
    profile, meanings = _understand(table, label, csv, choices)
    target = _decide_target(profile, label, choices)
    pictures = table.as_data(csv).pictures
    group = None if pictures else _find_group(profile, label, choices)
    decisions = (
        decide_pictures(profile, label, pictures)
        if pictures
        else _decide_columns(profile, label, target, group, meanings, choices)
    )
    named = "" if pictures else find_named_pictures(profile, label)
    _check_features(decisions, table.source, named)
    kind, why = _choose_kind(choices, profile, label, target, decisions)
    plan = ModelPlan.make(kind, decisions)
    decisions = plan.adapt(decisions)
    name = project_name(folder)
    fitting = decide_picture_fitting(decide_fitting(profile.rows)) if pictures else decide_fitting(profile.rows)
    notes = collect_notes(profile, target, decisions, group, choices.time)
    notes += filter(None, [named, why, name_note(folder, name)])
    facts = _template_values(folder, table, profile, target, label) | {
        "name": name,
        "fitting": fitting,
        "plan": plan,
        "hyperparameters": plan.hyperparameters(profile.rows, target.task.has_classes),
        "notes": notes,
        "group": group,
        "by_time": choices.time,
        "csv": csv.model_dump(exclude_defaults=True) | profile.csv,
        **(_picture_values(profile, pictures) if pictures else {}),
    }
    files = _write(folder, facts, decisions)
    return Created(folder, name, table, label, target, profile.rows, decisions, fitting, notes, files, profile.written)


def _decide_columns(
    profile: Profile,
    label: str,
    target: Target,
    group: Group | None,
    meanings: dict[str, Meaning],
    choices: Choices,
) -> list[Decision]:
    sample = first_of_each(profile.sample, group) if group else profile.sample
    scores, derived = score_columns(sample, label, target.task), find_derived(sample, label, target.task)
    return decide_columns(profile, label, scores, group, meanings, derived, choices)


def _picture_values(profile: Profile, pictures: Pictures) -> dict[str, Any]:
    side = choose_side(profile, pictures)
    return {"picture": pictures.column, "side": side, "filters": _FILTERS[: SIDES.index(side) + 3]}


def _choose_kind(
    choices: Choices, profile: Profile, label: str, target: Target, decisions: list[Decision]
) -> tuple[Kind, str]:
    """Return the kind of model and, where the table has decided, why."""
    if any(decision.role == "picture" for decision in decisions):
        return "keras", ""
    if choices.model != AUTO:
        framework = ModelPlan.make(choices.model, decisions).framework
        if framework != "keras":
            check_installed(find_framework(framework), f"--model {choices.model}")
        return choices.model, ""
    check_installed(find_framework("sklearn"), f"--model {choices.model}")
    from pipelines.scaffold.quick_look import look_at_kinds  # imports scikit-learn

    look = look_at_kinds(profile.sample, label, target, decisions)
    return look.kind, f"the kind of model is {look.kind}: {look.reason}"


def _understand(table: TableLocation, label: str, csv: Csv, choices: Choices) -> tuple[Profile, dict[str, Meaning]]:
    """Profile the table twice: as its cells look, and then as project.yaml will say that they are read."""
    profile = profile_table(table, label, csv, sample_rows=choices.sample)
    if label not in profile.columns or not profile.rows:
        raise _missing_label(profile, label, table.source)
    if table.as_data(csv).pictures:
        return profile, {}
    meanings = find_meanings(profile, label, choices.date_order)
    columns = {name: meaning.reading for name, meaning in meanings.items() if meaning.reading}
    if columns:
        plain, profile = profile, profile_table(table, label, csv, columns, choices.sample)
        meanings = add_cell_counts(meanings, plain, profile)
    return profile, meanings


def _decide_target(profile: Profile, label: str, choices: Choices) -> Target:
    """Decide what is predicted; rows that cannot be read may be why it cannot be."""
    try:
        return decide_target(profile.columns[label], choices.task, choices.positive)
    except (ConfigError, DataError) as error:
        if not profile.unreadable:
            raise
        message = (
            f"{error.message}; {profile.unreadable:,} more rows cannot be read, such as {profile.first_unreadable}"
        )
        raise type(error)(message, where=error.where, remedy=error.remedy) from None


def _find_group(profile: Profile, label: str, choices: Choices) -> Group | None:
    if choices.time:
        return None
    if choices.group:
        return name_group(profile.columns, choices.group)
    return find_group(profile.columns, profile.sample, label)


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


def _missing_label(profile: Profile, label: str, source: str) -> DataError:
    if not profile.unlabelled + profile.unreadable:
        return DataError("has a header and no rows", where=source, remedy="add rows, or name another table")
    if not profile.unlabelled:
        message = f"none of {profile.unreadable:,} rows can be read, such as {profile.first_unreadable}"
        return DataError(message, where=source, remedy="correct the file, or how it was exported")
    message = f"no row has a label: {label!r} is empty in every one that can be read"
    return DataError(message, where=source, remedy="name another label, or fill it")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is a file", where=str(folder), remedy="name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        message = "already exists and is not empty; nothing is overwritten"
        raise ConfigError(message, where=str(folder), remedy="name a new folder")


def _check_table(table: TableLocation, label: str, csv: Csv, choices: Choices) -> None:
    file, section = table.list_files()[0], table.as_data(csv)
    if section.pictures:
        check_picture_choices(choices)
    names = open_format(section, file).column_names(file)
    _check_header(names, label, table.source)
    choices.check_columns(names, label)


def _check_header(names: list[str], label: str, source: str) -> None:
    if label not in names:
        raise ConfigError(_unknown_column(names, label), where=source, remedy="name the column to predict with --label")


def _unknown_column(names: list[str], label: str) -> str:
    several = [part.strip() for part in label.split(",")]
    if len(several) > 1 and all(part in names for part in several):
        return f"{label!r} are {len(several)} columns: {SEVERAL_LABELS}"
    lower = {name.lower(): name for name in names}
    close = [lower[name] for name in difflib.get_close_matches(label.lower(), lower, n=3)]
    if close:
        return f"there is no column {label!r}; did you mean {' or '.join(map(repr, close))}?"
    return f"there is no column {label!r}; there are {listed(names)}"


def _check_features(decisions: list[Decision], source: str, named: str) -> None:
    if any(decision.role not in ("label", "left out") for decision in decisions):
        return
    left_out = [decision for decision in decisions if decision.role == "left out"]
    left = "; ".join(f"{decision.column.name}: {decision.reason}" for decision in left_out)
    message = f"no column is left to predict from ({left or 'there is only the label'})"
    raise DataError(message, where=source, remedy=named or "add columns that are known before the label is")


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
    return [folder / file.relative_to(aside) for file in files]


def _template_values(
    folder: Path, table: TableLocation, profile: Profile, target: Target, label: str
) -> dict[str, Any]:
    source, is_relative = table.in_project(folder)
    mean, spread = _initial_scale(profile.columns[label])
    return {
        "label": label,
        "source": source,
        "source_is_relative": is_relative,
        "source_name": table.name,
        "sql": table.sql.model_dump(exclude_defaults=True) if table.sql else {},
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
