"""Python loads this at the start of every process of a disturbed run; it kills a stage where the test says, or gives it no room.

DISTURB_STAGE names the stage. DISTURB_KILL: kill it before its N-th renaming or linking; DISTURB_KILL_AFTER: after it.
DISTURB_BYTES: no file may grow beyond this. DISTURB_ARGUMENTS: a folder that gets each stage's arguments. The code under test
knows nothing of it: a stage forked from a server is recognised by its arguments, like one that Python started.
"""

import json
import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FLAG = "--function_to_execute"
_MODULE = "--component_module_path"
_calls = {"process": 0, "number": 0}


def _stage(arguments: list[str]) -> str:
    return arguments[arguments.index(_FLAG) + 1] if _FLAG in arguments[:-1] else ""


def _is_disturbed() -> bool:
    wanted = os.environ.get("DISTURB_STAGE", "")
    return bool(wanted) and _stage(sys.argv) == wanted


def _counted(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if not _is_disturbed():
            return original(*arguments, **named)
        if _calls["process"] != os.getpid():
            _calls.update(process=os.getpid(), number=0)
        _calls["number"] += 1
        _kill_if(os.environ.get("DISTURB_KILL", ""))
        result = original(*arguments, **named)
        _kill_if(os.environ.get("DISTURB_KILL_AFTER", ""))
        return result

    return call


def _kill_if(due: str) -> None:
    if due == str(_calls["number"]):
        os.kill(os.getpid(), signal.SIGKILL)


def _begin(arguments: list[str], environment: Any) -> None:
    stage = _stage(arguments)
    if stage and environment.get("DISTURB_ARGUMENTS"):
        _tell(stage, list(arguments), Path(environment["DISTURB_ARGUMENTS"]))
    if stage and environment.get("DISTURB_BYTES") and environment.get("DISTURB_STAGE") == stage:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(environment["DISTURB_BYTES"]), hard))


def _tell(stage: str, arguments: list[str], folder: Path) -> None:
    """Keep the arguments, and the component's module that they name: it lies in a folder that goes with the run."""
    place = arguments.index(_MODULE) + 1
    module = folder / f"{stage}.py"
    module.write_bytes(Path(arguments[place]).read_bytes())
    arguments[place] = str(module)
    (folder / f"{stage}.json").write_text(json.dumps(arguments))


def _run_module(name: str, *arguments: Any, **named: Any) -> Any:
    _begin(["-m", name, *sys.argv[1:]], os.environ)
    return _original_run_module(name, *arguments, **named)


_original_run_module = runpy.run_module
runpy.run_module = _run_module
for _name in ("replace", "rename", "link"):
    setattr(os, _name, _counted(getattr(os, _name)))
_begin(sys.orig_argv[1:], os.environ)
