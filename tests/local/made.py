"""What a run made, comparable with another run: everything that must repeat, without the few files that hold a time."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from components._core.files import files_below, hash_file
from components._core.stage.stage_end import EARLIER
from pipelines.graphs.pipelines import TRAINING
from pipelines.local.run_state import task_root

HOLDS_A_TIME = {
    "*/launch.json": "when the stage was requested, began and ended; its process",
    "*/executor_output.json": "seconds and paths; the rest is compared, see `read_outputs`",
    "evaluate/evaluation/latency.json": "how fast the model answered",
    "*/*/bundle/evaluation/latency.json": "the same, in the bundles of explain and register",
    "evaluate/page": "shows how fast the model answered",
    "register/registration/registration.json": "the identity that MLflow gives a run, and the store's place",
    "register/registration/page.json": "the same, for people",
    "deploy/rollout/*": "how fast the server answered, and when the version was deployed",
    "deploy/report": "binds the pages, with the seconds of every stage",
}
"""Every file of a run that differs between equal runs, and why. All others are the same, byte for byte."""

_TIMES = ("seconds", "latency", "_ms", "p50", "p95", "p99")


def artifacts_of(run: Path) -> dict[str, str]:
    """SHA-256 by path of all that a run made and that must repeat."""
    root = task_root(run)
    assert root is not None
    names = {path.relative_to(root).as_posix(): path for path in files_below(root)}
    return {name: hash_file(path) for name, path in names.items() if not holds_a_time(name)}


def holds_a_time(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in HOLDS_A_TIME)


def read_outputs(run: Path) -> dict[str, Any]:
    """Read what every stage reported, without seconds and paths; metrics to four digits."""
    root = task_root(run)
    assert root is not None
    return {
        stage: _rest(json.loads((root / stage / "executor_output.json").read_text())) for stage in TRAINING.stage_names
    }


def _rest(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name != "uri" and not any(t in name for t in _TIMES)}
        return {name: _rest(json.loads(each) if name == EARLIER else each) for name, each in kept.items()}
    if isinstance(value, list):
        return [_rest(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
