"""Arguments that several commands share, and the parser of `--set`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from components._core.errors import ConfigError

STARTED = time.perf_counter()
"""Start time of the command: the seconds of a run include the imports that follow."""
LOOP_PANEL = "Watch and retrain"
"""Group in `--help` of the commands that follow a deployed version."""

# readable=False: a path that cannot be read is reported where it is read
ProjectPath = Annotated[
    Path, typer.Argument(help="The project's folder, or its project.yaml.", show_default=True, readable=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override any field of project.yaml, by its dotted path."),
]
Registry = Annotated[
    str, typer.Option(help="Registry prefix of the image names, as in registry.example.com/team; also NARU_REGISTRY.")
]
Tag = Annotated[str, typer.Option(help="Version of the images; also NARU_TAG.")]
PoolsFile = Annotated[str, typer.Option(metavar="FILE", help="Pools file of the cluster; also NARU_POOLS.")]


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Parse `["train.epochs=3"]` to `{"train.epochs": 3}`; a value is read as YAML.

    Raises:
        ConfigError: When a setting has no `=`, or its value is not valid YAML.
    """
    from components._core.project.yaml_text import parse_yaml

    parsed: dict[str, Any] = {}
    for setting in settings:
        place, equals, value = setting.partition("=")
        if not equals or not all(part.strip() for part in place.split(".")):
            raise ConfigError(
                f"found {setting!r}", where="--set", remedy="write FIELD=VALUE, as in --set train.epochs=3"
            )
        parsed[place.strip()] = parse_yaml(value, f"--set {setting}")
    return parsed
