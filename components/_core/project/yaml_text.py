"""Parse YAML as people expect: the plain values of YAML 1.2, and no duplicate keys.

The library implements YAML 1.1, in which a label called `no` is False, `1e-3` is text, `010` is 8, `12:30` is 750, and
the second of two equal fields silently replaces the first. People who write a project file expect none of that.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from components._core.errors import ConfigError

_PLAIN = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    "tag:yaml.org,2002:merge": (r"<<", ["<"]),
}
"""Pattern of a value without quotes, and its possible first characters, by tag; any other value is text."""


MOST_VALUES = 10_000
"""Maximum number of keys and values in a file, including those that an alias repeats."""
LONGEST_TEXT = 16 << 10
"""Maximum number of characters in one value."""
LARGEST_NUMBER = 1 << 63
"""Whole numbers must be below it: 64 bits with a sign."""
_DEEPEST = 50

_FAST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser if the library has it: ten times as fast, same grammar."""


class _Loader(_FAST):  # type: ignore[valid-type, misc]
    """See the module's docstring."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library declares it so

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping as the library does, but refuse duplicate keys."""
        seen: set[str] = set()
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)


class _Bounds:
    """Counts the values, the nesting and the anchors of a text, event by event, and refuses too many."""

    def __init__(self, where: str) -> None:
        self._where, self._values = where, 0
        self._open: list[tuple[str | None, int]] = []
        self._anchored: dict[str, int] = {}

    def add(self, event: yaml.Event) -> None:
        """Count one event.

        Raises:
            ConfigError: When a limit is exceeded.
        """
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self._values))
            self._count(1, event)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            self._remember(anchor, self._values - before)
        elif isinstance(event, yaml.ScalarEvent):
            self._count(1, event)
            self._remember(event.anchor, 1)
            self._check_scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in [anchor for anchor, _ in self._open]:
                raise self._error(f"the alias *{event.anchor} refers to a value that contains it", event)
            self._count(self._anchored.get(event.anchor or "", 1), event)

    def _remember(self, anchor: str | None, values: int) -> None:
        if anchor is not None:
            self._anchored[anchor] = values

    def _count(self, values: int, event: yaml.Event) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self._error(f"holds more than {MOST_VALUES:,} keys and values, aliases expanded", event)
        if len(self._open) > _DEEPEST:
            raise self._error(f"is nested more than {_DEEPEST} levels deep", event)

    def _check_scalar(self, event: yaml.ScalarEvent) -> None:
        if len(event.value) > LONGEST_TEXT:
            message = (
                f"a value of {len(event.value):,} characters ({event.value[:20]!r}...); {LONGEST_TEXT:,} are allowed"
            )
            raise self._error(message, event)

    def _error(self, message: str, event: yaml.Event) -> ConfigError:
        place = f"{self._where}, line {event.start_mark.line + 1}" if event.start_mark else self._where
        return ConfigError(message, where=place, remedy="shorten the file: a few hundred values are usual")


def _check_bounds(text: str, where: str) -> None:
    bounds = _Bounds(where)
    for event in yaml.parse(text, _FAST):
        bounds.add(event)


def parse_yaml(text: str, where: str) -> Any:
    """Parse a YAML text.

    Args:
        text: The text.
        where: File or argument that the text comes from, for messages.

    Raises:
        ConfigError: When it is invalid or too large; with the line.
    """
    try:
        _check_bounds(text, where)
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark else where
        message = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
        raise ConfigError(f"is not valid YAML: {message}", where=place, remedy=_remedy(message, line)) from None
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        # a number of thousands of digits, thousands of brackets, a tag that its value does not fit
        first = str(error).splitlines()[0]
        message = "holds a number of thousands of digits" if "digits" in first else f"is not valid YAML: {first}"
        raise ConfigError(message, where=where, remedy="correct the file") from None


def _remedy(message: str, line: str) -> str:
    if "duplicate key" in message:
        return "keep one of the two"
    if "cannot start any token" in message and "\t" in line:
        return "indent with spaces: YAML knows no tabs"
    return "check this line and the one before: a bracket, a quote or an indent is wrong; quote unusual text"
