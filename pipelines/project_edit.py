"""Set keys of a section in the text of a project file, so that its comments and its order stay as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from components._core.errors import ConfigError
from components._core.files import write_text
from components._core.project.yaml_text import parse_yaml


def set_keys(file: Path, section: str, keys: dict[str, str]) -> None:
    """Set keys of a section, each to a text, in lines of their own.

    Args:
        file: The project file.
        section: A section at the top level that is written with a line for each key.
        keys: The value of each key.

    Raises:
        ConfigError: When the section is written in another form; the message has the lines to write by hand.
    """
    text = file.read_text(encoding="utf-8")
    lines = text.split("\n")
    start = next((place for place, line in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", line)), None)
    if start is not None:
        for name, value in reversed(keys.items()):
            _set_key(lines, start, name, value)
    edited = "\n".join(lines)
    if start is None or not _is_set(text, edited, section, keys, file):
        wanted = "; ".join(f"{name}: {_quoted(value)}" for name, value in keys.items())
        message = f"{section} is written in a form that is not edited here"
        raise ConfigError(message, where=str(file), remedy=f"write under {section} by hand: {wanted}")
    write_text(file, edited)


def set_sections(file: Path, sections: dict[str, Any], after: str) -> str:
    """Return the text of a project file with some sections in another form; the lines of all others stay as they are.

    Args:
        file: The project file.
        sections: The content of each section; None: it is left out.
        after: The section behind which a new one is put that comes first; the others come behind the one before them.

    Raises:
        ConfigError: When the file is written in a form that is not edited here; the message has the lines to write by hand.
    """
    text = file.read_text(encoding="utf-8")
    before = parse_yaml(text, str(file))
    lines = text.rstrip("\n").split("\n")
    for name, content in sections.items():
        start, end = _find_section(lines, name)
        if content is None:
            if start is not None:
                del lines[start - (start > 0 and not lines[start - 1].strip()) : end]
            continue
        made = _dump_section(name, content)
        if start is None:
            start = end = _find_section(lines, after)[1]
            made = ["", *made]
        lines[start:end] = made
        after = name
    edited = "\n".join(lines) + "\n"
    kept = {name: content for name, content in sections.items() if content is not None}
    wanted = {name: content for name, content in before.items() if name not in sections} | kept
    try:
        is_as_wanted = parse_yaml(edited, str(file)) == wanted
    except ConfigError:
        is_as_wanted = False
    if not is_as_wanted:
        by_hand = "\n".join(line for name, content in kept.items() for line in _dump_section(name, content))
        remedy = f"write these sections by hand in place of {', '.join(sections)}:\n{by_hand}"
        raise ConfigError("is written in a form that is not edited here", where=str(file), remedy=remedy)
    return edited


def _find_section(lines: list[str], name: str) -> tuple[int | None, int]:
    """Return the first line of a section and the line behind its last one, comments in front of the next section aside."""
    start = next((place for place, line in enumerate(lines) if re.match(rf"{re.escape(name)}\s*:(\s|$)", line)), None)
    if start is None:
        return None, len(lines)
    end = start + 1
    while end < len(lines) and (not lines[end] or lines[end][0] in " #-\t"):
        end += 1
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return start, end


def _dump_section(name: str, content: Any) -> list[str]:
    """Format a section as YAML; texts are quoted if they would be read as something else."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "default_flow_style": None, "width": 140}
    made = yaml.safe_dump({name: content}, **options)
    if parse_yaml(made, "") != {name: content}:  # YAML 1.2, which project files are, has other plain values
        made = yaml.safe_dump({name: content}, default_style='"', **options)
    return str(made).rstrip("\n").split("\n")


def _set_key(lines: list[str], start: int, name: str, value: str) -> None:
    """Replace the line of a key, or add it as the section's first one."""
    below = [
        place
        for place in range(start + 1, len(lines))
        if lines[place].strip() and not lines[place].lstrip().startswith("#")
    ]
    indent = re.match(r"\s*", lines[below[0]])[0] if below else "  "  # type: ignore[index]
    for place in below:
        if not lines[place].startswith(indent):
            break
        if re.match(rf"{indent}{name}:", lines[place]):
            comment = re.search(r"\s+#.*$", lines[place])
            lines[place] = f"{indent}{name}: {_quoted(value)}{comment[0] if comment else ''}"
            return
    lines.insert(start + 1, f"{indent}{name}: {_quoted(value)}")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_set(text: str, edited: str, section: str, keys: dict[str, str], file: Path) -> bool:
    """Return whether the edited text differs from the text in those keys alone."""
    try:
        before, after = parse_yaml(text, str(file)), parse_yaml(edited, str(file))
    except ConfigError:  # a value of several lines was cut
        return False
    return bool(after == {**before, section: {**before[section], **keys}})
