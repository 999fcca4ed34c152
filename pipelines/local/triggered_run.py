"""One run that a trigger started, in a process of its own: `python -m pipelines.local.triggered_run` with the request as JSON.

It is the run of `naru run`. A lock by the decision's key, held until the process ends, says that the run is at work: a watcher that was
killed finds it again by that, and a second process for the same decision ends at once. What a run that could not begin reports is
left beside the lock.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components._core.errors import NaruError, UnavailableError
from components._core.files import write_json
from pipelines.local.file_lock import try_lock
from pipelines.local.workspace import RECORD, Workspace, find_workspace

_STARTED = time.perf_counter()
OVERRIDES = {"spans": "data.spans", "source": "data.source", "trials": "tune.trials", "epochs": "train.epochs"}
"""Field of project.yaml by the pipeline's parameter that a trigger may set."""


@dataclass(frozen=True)
class Request:
    """What a watcher asks for.

    Attributes:
        project: The project's folder or file.
        tag: End of the run's name, from the decision's key.
        cause: Why the run is started.
        overrides: Values by dotted path that override the project file's.
    """

    project: str
    tag: str
    cause: str
    overrides: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as one JSON line."""
        return json.dumps(asdict(self), sort_keys=True)


def lock_file(workspace: Workspace, tag: str) -> Path:
    """Return the lock of a decision's run."""
    return workspace.triggers / f"{tag}.lock"


def refusal_file(workspace: Workspace, tag: str) -> Path:
    """Return the file with the error of a run that could not begin."""
    return workspace.triggers / f"{tag}.json"


def find_folders(workspace: Workspace, tag: str) -> list[Path]:
    """Return the folders of a decision's runs, oldest first: more than one when a run was killed."""
    return sorted(workspace.runs.glob(f"*-{tag}"))


def main(text: str) -> int:
    """Run it; returns the exit code of `naru run`, and 0 when another process has run or runs it."""
    request = Request(**json.loads(text))
    path = Path(request.project)
    workspace = find_workspace(path)
    lock = try_lock(lock_file(workspace, request.tag))
    if lock is None:
        return 0
    with lock:
        if any((folder / RECORD).is_file() for folder in find_folders(workspace, request.tag)):
            return 0
        try:
            return _run(path, request)
        except UnavailableError as error:  # the next look tries again
            print(f"naru: {error}", file=sys.stderr)
            return error.exit_code
        except NaruError as error:
            write_json(refusal_file(workspace, request.tag), error.to_dict())
            print(f"naru: {error}", file=sys.stderr)
            return error.exit_code


def _run(path: Path, request: Request) -> int:
    from pipelines.local.session import run_session

    return run_session(
        path,
        request.overrides,
        fresh_from="",
        as_json=False,
        started=_STARTED,
        cause=request.cause,
        suffix=request.tag,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
