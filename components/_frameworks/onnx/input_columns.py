"""Which columns each input of a file takes: as project.yaml says, by their names, or because nothing else fits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components._core.errors import ConfigError
from components._core.project.model_config import ImportedModel
from components._core.suggestions import listed, suggest
from components._frameworks.onnx.model_file import FileInput, ModelFile
from components._frameworks.onnx.remedies import correct_field, write_fields
from components._frameworks.transformed_rows import Column

WHOLE = ("int64", "int32", "bool")
"""Types of inputs that take whole numbers."""
_INPUTS_KEY = "model.inputs"
_MISSING_KEY = "model.missing"


@dataclass(frozen=True)
class InputColumns:
    """The columns of all inputs.

    Attributes:
        by_input: The columns of each input in order, in the order of the file's inputs.
        missing: What a missing number becomes, by column.
        notes: What was assumed, a sentence each.
    """

    by_input: dict[str, tuple[Column, ...]]
    missing: dict[str, float]
    notes: tuple[str, ...] = ()

    def unused(self, columns: Sequence[Column]) -> list[str]:
        """Names of the columns that no input takes."""
        used = {column.name for taken in self.by_input.values() for column in taken}
        return [column.name for column in columns if column.name not in used]


def find_columns(file: ModelFile, columns: Sequence[Column], imported: ImportedModel) -> InputColumns:
    """Find the columns of each input.

    Args:
        file: The file.
        columns: The columns that there are: raw, or made by a preprocessing_fn.
        imported: What the project says of them.

    Raises:
        ConfigError: With every input whose columns cannot be found, and what to write; or with what does not fit in project.yaml.
    """
    by_name = {column.name: column for column in columns}
    _check_names(file, by_name, imported)
    found: dict[str, tuple[Column, ...]] = {}
    notes: list[str] = []
    for each in file.inputs:
        named = imported.inputs.get(each.name)
        if named is not None:
            found[each.name] = tuple(by_name[name] for name in ([named] if isinstance(named, str) else named))
        elif (close := _find_by_name(each, by_name)) is not None:
            found[each.name] = (close,)
            if close.name != each.name:
                notes.append(f"input {each.name!r} is taken to be the column {close.name!r}")
    for each in file.inputs:
        if each.name not in found and (left := _find_left(each, file, columns, found)):
            found[each.name] = left
            notes.append(
                f"input {each.name!r} does not name its columns: assumed in the order {', '.join(column.name for column in left)}; "
                f"correct {_INPUTS_KEY} if the model was trained on another order"
            )
    if lacking := [each for each in file.inputs if each.name not in found]:
        raise _not_found(file, lacking, columns, found)
    for each in file.inputs:
        _check_input(each, found[each.name], imported.missing)
    return InputColumns({each.name: found[each.name] for each in file.inputs}, dict(imported.missing), tuple(notes))


def width_of(columns: Sequence[Column]) -> int:
    """How many values of a row some columns have."""
    return sum(column.shape[0] if column.shape else 1 for column in columns)


def _check_names(file: ModelFile, columns: Mapping[str, Column], imported: ImportedModel) -> None:
    inputs = [each.name for each in file.inputs]
    for name, named in imported.inputs.items():
        if name not in inputs:
            message = f"{file.name} has no input {name!r}; {suggest(name, inputs)}"
            raise ConfigError(message, where=_INPUTS_KEY, remedy=correct_field(f"{_INPUTS_KEY}.{name}"))
        for column in [named] if isinstance(named, str) else named:
            if column not in columns:
                raise _unknown(column, columns, f"{_INPUTS_KEY}.{name}")
    for column in imported.missing:
        if column not in columns:
            raise _unknown(column, columns, _MISSING_KEY)
        if columns[column].is_text:
            message = f"{column!r} holds texts, and only missing numbers are replaced here"
            raise ConfigError(
                message, where=_MISSING_KEY, remedy="replace a missing text ('' to the model) in a preprocessing_fn"
            )
        if file.opset and file.opset < 9:
            message = f"{file.name} has operators of version {file.opset}, which cannot replace missing values"
            raise ConfigError(
                message,
                where=_MISSING_KEY,
                remedy="replace them in a preprocessing_fn, or export it with opset 9 or newer",
            )


def _unknown(name: str, columns: Mapping[str, Column], where: str) -> ConfigError:
    message = f"there is no column {name!r} that the model may take; {suggest(name, [*columns])}"
    return ConfigError(
        message, where=where, remedy=f"{correct_field(where)}; the label and data.exclude are not given to a model"
    )


def _find_by_name(each: FileInput, columns: Mapping[str, Column]) -> Column | None:
    """Find the column that an input is called after: by its own name, or as converters write it, such as `sepal_length`."""
    if each.name in columns:
        return columns[each.name]
    close = [column for column in columns.values() if _plain(column.name) == _plain(each.name)]
    return close[0] if len(close) == 1 and each.width == width_of(close) else None


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _fits(each: FileInput, column: Column) -> bool:
    return column.is_text == each.is_text


def _find_left(
    each: FileInput, file: ModelFile, columns: Sequence[Column], found: Mapping[str, Sequence[Column]]
) -> tuple[Column, ...]:
    """Find the columns that are left for the only input of their kind, if they are exactly as many as it takes."""
    others = [other for other in file.inputs if other.name not in found and other.is_text == each.is_text]
    taken = {column.name for part in found.values() for column in part}
    left = tuple(column for column in columns if column.name not in taken and _fits(each, column))
    return left if len(others) == 1 and left and width_of(left) == each.width else ()


def _not_found(
    file: ModelFile, lacking: Sequence[FileInput], columns: Sequence[Column], found: Mapping[str, Sequence[Column]]
) -> ConfigError:
    taken = {column.name for part in found.values() for column in part}
    lines: list[str] = []
    wanted: dict[str, str] = {}
    for each in lacking:
        left = [column.name for column in columns if column.name not in taken and _fits(each, column)]
        there = f"{len(left)} such columns are left ({listed(left)})" if left else "no such column is left"
        lines.append(f"input {each.name!r} takes {each.describe()} of each row; {there}")
        width = 2 if each.width is None else each.width
        shown = ["COLUMN"] * min(width, 4) + (["..."] if width > 4 else [])
        wanted[f"{_INPUTS_KEY}.{each.name}"] = "COLUMN" if each.width == 1 else f"[{', '.join(shown)}]"
    message = f"the columns of {file.name} cannot be found: {'; '.join(lines)}"
    return ConfigError(message, where=_INPUTS_KEY, remedy=write_fields(wanted, ", in the order of training"))


def _check_input(each: FileInput, columns: Sequence[Column], missing: Mapping[str, float]) -> None:
    """Refuse columns that an input cannot take, by their number and type."""
    where, width = f"{_INPUTS_KEY}.{each.name}", width_of(columns)
    if each.width is not None and width != each.width:
        message = f"the input takes {each.describe()} of a row, and {listed([column.name for column in columns])} "
        message += "has 1" if width == 1 else f"have {width}"
        remedy = f"name the columns that the model was trained on, in their order: {correct_field(where)}"
        raise ConfigError(message, where=where, remedy=remedy)
    for column in columns:
        if not _fits(each, column):
            kinds = ("texts", "numbers") if each.is_text else ("numbers", "texts")
            message = f"the input takes {kinds[0]}, and the column {column.name!r} holds {kinds[1]}"
            remedy = f"name another column ({correct_field(where)}), or convert it in a preprocessing_fn"
            raise ConfigError(message, where=where, remedy=remedy)
        is_real = column.is_real
        if each.kind in WHOLE and is_real and column.name not in missing:
            message = f"the input takes whole numbers ({each.kind}), and the column {column.name!r} has real numbers or missing values"
            becomes = write_fields({f"{_MISSING_KEY}.{column.name}": "0"})
            remedy = f"say what a missing value becomes, or convert it in a preprocessing_fn; for 0 {becomes}"
            raise ConfigError(message, where=where, remedy=remedy)
