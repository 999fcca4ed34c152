"""Read YAML as people mean it: YAML 1.2's plain values, and no field twice.

The library goes by YAML 1.1, in which a label called `no` is False, `1e-3` is text, `010` is 8, `12:30` is 750, and the second of
two equal fields silently replaces the first. A project file is written by people who expect none of that.
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
"""How a value without quotes is written, and the signs that it may begin with, by its tag; any other is text."""


class _Loader(yaml.SafeLoader):
    """See the module's docstring."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library declares it so

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """As the library does, but a key may stand only once."""
        seen: set[str] = set()
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)


def parse_yaml(text: str, where: str) -> Any:
    """The value that a text in YAML stands for.

    Args:
        text: The text.
        where: Its file or argument, for messages.

    Raises:
        ConfigError: When it is not valid; names the line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark else where
        told = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"is not valid YAML: {told}", where=place, remedy=_remedy(told)) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        told = f"is not valid YAML: {str(error).splitlines()[0]}"
        raise ConfigError(told, where=where, remedy="correct the file") from None


def _remedy(told: str) -> str:
    if "stands twice" in told:
        return "keep one of the two"
    if "\\t" in told:
        return "indent with spaces: YAML knows no tabs"
    return "look at this line and the one before: a bracket, a quote or an indent is wrong; put odd text in quotes"
