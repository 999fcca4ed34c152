"""`triggered_run.py` with a training that takes no time; `FAKE_RUN` says how it ends, `KILL_RUN_AT` before which write it is killed.

Without an argument it makes such runs, one after the other, of the lines that it reads.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from components._core.errors import DataError, UnavailableError
from components._core.files import write_json
from components._core.store.ledger import Deployment, append_deployment, now
from pipelines.local import triggered_run
from pipelines.local.workspace import RECORD, find_workspace
from tests.pipelines.local.watching.kill import kill_before_write


def fake_run(path: Path, request: Any) -> int:
    how = os.environ.get("FAKE_RUN", "promotes")
    if how == "refuses":
        raise DataError("the table has no rows", where="t.csv")
    if how == "store away":
        raise UnavailableError("the store does not answer")
    workspace = find_workspace(path)
    folder = workspace.new_run(request.tag)
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    deploys = how == "promotes"
    if deploys:
        line = Deployment("7", "m", "s", "s", {}, "f", folder.name, now(), "me", request.cause)
        append_deployment(workspace.settings().store, "p", line)
    record = {"run": folder.name, "status": "succeeded", "deployed": deploys, "model_version": "7", "seconds": 1.0}
    write_json(
        folder / RECORD, {**record, "reason": "it was good", "cause": request.cause, "overrides": request.overrides}
    )
    return 0


def main(text: str) -> None:
    triggered_run._run = fake_run
    kill_before_write("KILL_RUN_AT")
    sys.exit(triggered_run.main(text))


def make_forks() -> None:
    """Run each request in a fork, and print its exit code."""
    for line in sys.stdin:
        given = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            os.environ.clear()
            os.environ.update(given["environment"])
            main(given["request"])
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


main(sys.argv[1]) if len(sys.argv) > 1 else make_forks()
