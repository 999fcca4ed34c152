"""How a field of the section `model` is written, for messages: in project.yaml, and as an option of `naru import`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def write_fields(fields: Mapping[str, str], more: str = "") -> str:
    """Say how fields are written.

    Args:
        fields: Values as YAML, by the path of the field, as in `{"model.inputs.X": "[age, tenure]"}`; at least one, all of one section below `model`.
        more: What is said of the values, as in `, in the order of training`.
    """
    section = next(iter(fields)).split(".")[1]
    values = {path.split(".", 2)[2]: value for path, value in fields.items()}
    inside = ", ".join(f"{name}: {value}" for name, value in values.items())
    written = f"write in project.yaml{more}: model: {{{section}: {{{inside}}}}}"
    if any({".", "="} & {*name} for name in values):  # at which the option's path would end
        return written
    options = " ".join(f"--set {shlex.quote(f'{path}={value}')}" for path, value in fields.items())
    return f"{written}; with naru import: {options}"


def correct_field(path: str) -> str:
    """Say where the wrong value of a field came from."""
    return f"correct {path}: in project.yaml, or in --set of naru import"
