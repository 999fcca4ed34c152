"""Set keys of a section in the text of a project file, so that its comments and its order stay as they are."""

from __future__ import annotations

import re
from pathlib import Path

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
