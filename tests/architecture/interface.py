"""What programs and people rely on and a change of the house must leave as it is; `make golden` writes it to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from components._core import errors
from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError
from components._core.types.tasks import TASKS
from pipelines.__main__ import app

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "interface.json"


def describe_interface() -> dict[str, Any]:
    """Commands with their parameters, exit code by kind of error, metrics by task."""
    return {
        "commands": _commands(typer.main.get_command(app)),
        "exit_codes": {**_exit_codes(NaruError), "interrupted": INTERRUPTED_EXIT_CODE},
        "metrics": {task.name: [metric.name for metric in task.metrics] for task in TASKS.values()},
    }


def record_keys(record: Any, path: str = "") -> set[str]:
    """The dotted paths of a JSON value; `[]` stands for every element of a list."""
    if isinstance(record, dict):
        inner = [(f"{path}.{key}".lstrip("."), value) for key, value in record.items()]
    elif isinstance(record, list):
        inner = [(f"{path}[]", value) for value in record]
    else:
        inner = []
    return {path for path, _ in inner}.union(*(record_keys(value, path) for path, value in inner))


def _commands(command: Any, path: str = "") -> dict[str, list[str]]:
    """Typer carries a copy of click, whose classes are its own in some releases: recognised by their attributes."""
    if hasattr(command, "commands"):
        below = [_commands(each, f"{path} {name}".strip()) for name, each in sorted(command.commands.items())]
        return {name: parameters for each in below for name, parameters in each.items()}
    return {path: sorted(name for parameter in command.params for name in _names(parameter))}


def _names(parameter: Any) -> list[str]:
    is_option = parameter.param_type_name == "option"
    return [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.name.upper()]


def _exit_codes(kind: type[NaruError]) -> dict[str, int]:
    own = {kind.kind: kind.exit_code}
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            own |= _exit_codes(below)
    return own


def main() -> None:
    """Renew the golden file; the keys of a run's record stay, since they need a run."""
    kept = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"run": []}
    GOLDEN.write_text(json.dumps({**kept, **describe_interface()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
