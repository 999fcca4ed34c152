"""Turn pydantic's errors about a project file into messages with the path, the value found and what is allowed."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from components._core.credentials import mask_credentials
from components._core.suggestions import suggest

_MUST_BE = {
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list, as in [a, b]",
    "dict_type": "must be a section with fields of its own",
    "model_type": "must be a section with fields of its own",
    "invalid_key": "the name of a field must be text: put it in quotes",
}
_SCALARS = {"str", "int", "float", "bool"}
_LONGEST = 80
_LONGEST_LINE = 400
_MOST_LINES = 20


def format_errors(errors: Sequence[Any], root: type[BaseModel], given: set[str]) -> list[str]:
    """Format validation errors, one line for each wrong field.

    Args:
        errors: The errors of pydantic, `ValidationError.errors()`.
        root: The model that was validated.
        given: The paths that the command line set.
    """
    lines: dict[str, str] = {}
    for error in errors[: 5 * _MOST_LINES]:
        location = tuple(str(part) for part in error["loc"])
        if location[-1:] and location[-1] in _SCALARS and len(location) > 1:  # one of several allowed types
            location, error = location[:-1], {**error, "type": "scalar"}
        place = ".".join(location)
        source = " (from the command line)" if any(_overlaps(place, other) for other in given) else ""
        message = _cut(_message(error, root), _LONGEST_LINE)
        whole = "" if error["type"] == "value_error" else "the file: "  # a rule of several fields names them itself
        line = f"{f'{_cut(place, _LONGEST)}: ' if place else whole}{message}{source}"
        lines.setdefault(place + error["type"], line)
    shown = list(lines.values())[:_MOST_LINES]
    hidden = len(lines) - len(shown) + max(len(errors) - 5 * _MOST_LINES, 0)
    return [*shown, f"and {hidden:,} more"] if hidden else shown


def _overlaps(place: str, other: str) -> bool:
    return f"{place}.".startswith(f"{other}.") or (bool(place) and f"{other}.".startswith(f"{place}."))


def _message(error: Any, root: type[BaseModel]) -> str:
    found = _shown(error.get("input"))
    match error["type"]:
        case "extra_forbidden":
            return f"unknown field{_suggestion(error['loc'], root)}"
        case "missing":
            return "is missing and has no default"
        case "value_error":
            return str(error["ctx"]["error"])
        case "scalar":
            return f"found {found}; must be text, a number, true or false"
        case "string_pattern_mismatch":
            return f"found {found}; allowed: {_lower_first(_described(error['loc'], root))}"
        case _ if found == "None":
            return "is empty: give it a value, or remove the line"
        case kind:
            return f"found {found}; {_MUST_BE.get(kind) or _lower_first(error['msg'])}"


class _Short(reprlib.Repr):
    """A short representation of any value: only what is shown is read. Credentials are masked first."""

    def repr_str(self, x: str, level: int) -> str:
        return repr(_cut(mask_credentials(x), _LONGEST))


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxlong = 3, 6, 8, _LONGEST


def _shown(value: Any) -> str:
    return _cut(_SHORT.repr(value), _LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."


def _described(location: tuple[Any, ...], root: type[BaseModel]) -> str:
    section = _section_at(location[:-1], root)
    field = section.model_fields.get(str(location[-1])) if section else None
    return (field and field.description) or "another form"


def _suggestion(location: tuple[Any, ...], root: type[BaseModel]) -> str:
    section = _section_at(location[:-1], root)
    if section is None:
        return ""
    known = [field.alias or name for name, field in section.model_fields.items()]
    return f"; {suggest(str(location[-1]), known)}"


def _section_at(location: tuple[Any, ...], root: type[BaseModel]) -> type[BaseModel] | None:
    section: Any = root
    for part in location:
        if get_origin(section) is dict:  # sections with names chosen by the person, as in tune.space
            section = get_args(section)[1]
            continue
        if get_origin(section) is list:
            section = get_args(section)[0]
            continue
        if not _is_section(section):
            return None
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        section = _without_none(fields[part].annotation) if part in fields else None
    return section if _is_section(section) else None


def _without_none(kind: Any) -> Any:
    """Return the section of a field that may be absent, as in `Sql | None`; any other type unchanged."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    return next((each for each in get_args(kind) if _is_section(each)), kind)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
