"""Reuse what an earlier run made: a stage whose parameters, inputs, code and environment are the same is not run again.

On a cluster KFP caches stages; local runs do it here, by content. A key is the fingerprint of the stage's parameters (the
project cut down to what the stage reads), of what its input artifacts hold, of Naru's own code for it, and of the installed
packages. Of the project's code a key has the files that the stage depends on. Cached outputs are checked against their
fingerprints before use, and linked, not copied. Stages with side effects always run.

    .naru/cache/<stage>/<key>.json    paths of the outputs, and their fingerprints

An entry names the last run that made or took the outputs, so earlier runs may be removed.

Standard library only: the launcher, which starts in milliseconds, imports this.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from components._core.files import fingerprint_folder, fingerprint_of, hash_file, link_file, write_text
from components._core.project.stage_config import restrict
from components._core.stage.stage_end import EARLIER, StageEnd
from components.stages import STAGES
from pipelines.local import code_fingerprints

HOME = "NARU_CACHE"
"""Environment: the cache's folder; empty: nothing is reused or kept."""
FRESH = "NARU_FRESH"
"""Environment: names of the stages that run whatever the cache holds, separated by commas."""
PACKAGES = "NARU_PACKAGES"
"""Environment: the folders of installed packages, as in `PATH`: what is installed there is part of every key."""

_NAMES_ONLY = ("run",)
_EXECUTOR_OUTPUT = "executor_output.json"
_REPOSITORY = Path(__file__).resolve().parents[2]


def key_of(stage: str, parameters: dict[str, Any], inputs: dict[str, str]) -> str:
    """Compute the cache key of a stage.

    Args:
        stage: Its name.
        parameters: Value by parameter name.
        inputs: Path by input artifact's name.
    """
    given = {name: value for name, value in parameters.items() if name not in _NAMES_ONLY}
    archive = given.pop("code_uri", "")  # the path does not matter: code_fingerprint stands for the content
    project = json.loads(given.get("project", "{}"))
    if "project" in given:
        given["project"] = restrict(project, STAGES[stage].reads)
    held = {name: fingerprint_folder(Path(path)) for name, path in inputs.items()}
    code = STAGES[stage].code
    if code in code_fingerprints.PARTS and archive:
        given.pop("code_fingerprint", None)
        held["code"] = code_fingerprints.fingerprint_part(code, Path(archive), project)
    return fingerprint_of(
        [stage, json.dumps([given, held], sort_keys=True), _fingerprint_code(stage), _fingerprint_environment()]
    )


def find_entry(stage: str, key: str) -> dict[str, Any] | None:
    """Find the entry of an earlier run whose outputs all exist unchanged; None otherwise."""
    if not may_reuse(stage):
        return None
    try:
        entry: dict[str, Any] = json.loads(_entry_file(stage, key).read_text(encoding="utf-8"))
        task = Path(entry["task"])
        whole = all(_fingerprint_of(task / name) == known for name, known in entry["outputs"].items())
        return entry if whole and entry["run"] and _EXECUTOR_OUTPUT in entry["outputs"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or damaged: the stage runs
        return None


def may_reuse(stage: str) -> bool:
    """Whether this run's settings allow reuse of the stage."""
    fresh = os.environ.get(FRESH, "").split(",")
    return bool(os.environ.get(HOME)) and not STAGES[stage].side_effects and stage not in fresh


def reuse(stage: str, key: str, entry: dict[str, Any], task: Path, earlier_stages: list[StageEnd]) -> None:
    """Link the outputs of an earlier task into a task's folder, and write its executor output with the paths of this run.

    Args:
        stage: The stage's name.
        key: Its cache key.
        entry: The entry of the earlier run.
        task: Folder of the task in this run.
        earlier_stages: The records of the stages before it in this run.
    """
    earlier = Path(entry["task"])
    task.mkdir(parents=True, exist_ok=True)
    artifacts = [name for name in entry["outputs"] if name != _EXECUTOR_OUTPUT]
    for name in artifacts:
        aside = task / f"{name}.partial"
        _link(earlier / name, aside)
        _remove(task / name)
        os.replace(aside, task / name)
    record = json.loads((earlier / _EXECUTOR_OUTPUT).read_text(encoding="utf-8"))
    for name, listed in record.get("artifacts", {}).items():
        for artifact in listed["artifacts"]:
            artifact["uri"] = str(task / name)
            if "verdict" in artifact.get("metadata", {}):
                artifact["metadata"].update(import_seconds=0.0, work_seconds=0.0)
                if earlier_stages:
                    artifact["metadata"][EARLIER] = json.dumps(earlier_stages)
    write_text(task / _EXECUTOR_OUTPUT, json.dumps(record))
    made = {**entry["outputs"], _EXECUTOR_OUTPUT: fingerprint_folder(task / _EXECUTOR_OUTPUT)}
    _write_entry(stage, key, {**entry, "task": str(task), "outputs": made})


def keep(stage: str, key: str, task: Path, outputs: list[str]) -> None:
    """Record a task's outputs for later runs.

    Raises:
        OSError: When the entry cannot be written.
    """
    if not os.environ.get(HOME) or STAGES[stage].side_effects:
        return
    made = {name: fingerprint_folder(task / name) for name in [*outputs, _EXECUTOR_OUTPUT] if (task / name).exists()}
    _write_entry(stage, key, {"task": str(task), "run": _run_name(task), "outputs": made})


def _write_entry(stage: str, key: str, entry: dict[str, Any]) -> None:
    write_text(_entry_file(stage, key), json.dumps(entry, sort_keys=True))


def _fingerprint_of(path: Path) -> str:
    return fingerprint_folder(path) if path.exists() else ""


def _entry_file(stage: str, key: str) -> Path:
    return Path(os.environ[HOME]) / stage / f"{key}.json"


def _run_name(task: Path) -> str:
    return task.parent.parent.name


def _link(source: Path, target: Path) -> None:
    """Link a file or folder under another name; copy where the file system has no links."""
    _remove(target)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=link_file)
    else:
        link_file(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fingerprint_code(stage: str) -> str:
    """Compute the fingerprint of Naru's code that the stage runs: its folder, and the packages and the table that all stages share."""
    components = _REPOSITORY / "components"
    shared = sorted(path for path in components.glob("_*") if path.is_dir() and path.name != "__pycache__")
    files = [components / "stages.py"]
    for folder in (*shared, components / stage):
        files += [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    return fingerprint_of(
        part for path in files for part in (path.relative_to(_REPOSITORY).as_posix(), hash_file(path))
    )


def _fingerprint_environment() -> str:
    """Compute the fingerprint of the interpreter and of its installed packages, by name and version."""
    places = [Path(place) for place in os.environ.get(PACKAGES, "").split(os.pathsep) if place]
    packages = sorted(path.name for place in places for path in place.glob("*.dist-info"))
    return fingerprint_of([sys.version, *packages])
