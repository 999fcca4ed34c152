"""The command line: `naru`, also `python -m pipelines`.

Everything heavy is imported by the command that needs it, so `naru --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import NoReturn

import typer

from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError
from components._core.system_errors import from_system
from pipelines.cli import (
    approval,
    clean,
    cluster,
    data,
    explain,
    kfp,
    label,
    monitor,
    predict,
    project,
    run,
    serving,
    triggers,
)

_EPILOG = "Exit codes: 0 success (also when a gate rejected the model), 2 config, 3 code, 4 data, 5 data blocked, 6 model, 7 service, 8 unavailable, 130 interrupted."

app = typer.Typer(
    name="naru",
    help="From a table to a served model, and back: ingest, validate, transform, tune, train, evaluate, explain, register, deploy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for group in (run, explain, project, data, label, serving, approval, predict, monitor, triggers, clean, kfp, cluster):
    group.register(app)


def main() -> int:
    """Run the command line; print a NaruError without a traceback, and end with its exit code."""
    code = _run()
    if code:
        _exit(code)
    return code


def _run() -> int:
    try:
        app(standalone_mode=True)
    except NaruError as error:
        return _print_error(error)
    except OSError as error:
        return _print_error(from_system(error))
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except SystemExit as ended:  # typer ends every command so
        if not isinstance(ended.code, int):
            raise
        return ended.code
    return 0


def _exit(code: int) -> NoReturn:
    """Exit without the interpreter's shutdown: after an error Arrow's threads may still be reading, and would abort."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the reader of the pipe may be gone
            stream.flush()
    os._exit(code)


def _print_error(error: NaruError) -> int:
    if "--json" in sys.argv:
        print(json.dumps({"status": "failed", "exit_code": error.exit_code, "error": error.to_dict()}))
    print(f"naru: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
