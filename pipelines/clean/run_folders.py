"""What grows on this machine: the folders of runs, and what only they use: code archives and entries of the cache.

A run is moved aside before it is removed, so that it is there completely or not at all; what a killed clean-up moved is removed by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from components._core.project.keep_config import KeepRule
from components._core.store.approvals import Request
from components._core.store.ledger import Deployment
from components._feedback.make_span import TEMPORARY
from components.watch.records import History
from pipelines.clean.plan import Item, KindPlan, make_plan
from pipelines.local.triggered_run import find_folders
from pipelines.local.watch import tag_of
from pipelines.local.workspace import PARAMETERS, RECORD, Workspace

_AT_WORK = timedelta(days=2)
"""Time without a write after which a run that left no record counts as killed."""
_NEW = timedelta(days=1)
"""Age up to which a code archive or an entry of the cache may belong to a run that begins."""


def plan_runs(
    workspace: Workspace,
    rule: KeepRule,
    now: datetime,
    deployments: list[Deployment],
    requests: list[Request],
    history: History,
) -> list[KindPlan]:
    """Plan what is removed of the runs on this machine, and of what only they use.

    Args:
        workspace: The project's workspace.
        rule: What is kept of the runs.
        now: The time.
        deployments: The deployment ledger: the runs of these versions stay.
        requests: The requests for approval that wait: the runs of these versions stay.
        history: The records of triggers: the runs of decisions in flight stay.
    """
    items = [_run_item(workspace, path) for path in sorted(workspace.runs.glob("*")) if path.is_dir()]
    protected = {line.run for line in deployments} | {request.asked.run for request in requests}
    protected |= {folder.name for decision in history.in_flight for folder in find_folders(workspace, tag_of(decision))}
    protected |= _find_last(workspace)
    protected |= {item.name for item in items if _is_at_work(workspace.runs / item.name, item, now)}
    reason = "of deployed or waiting versions, in flight, or the last that succeeded"
    runs = make_plan("runs", items, rule, now, protected=protected, reason=reason)
    gone = {item.name for item in runs.removed}
    remaining = [path for path in workspace.runs.glob("*") if path.name not in gone]
    return [
        runs,
        _plan_moved(workspace),
        _plan_code(workspace, remaining, now),
        _plan_cache(workspace, {path.name for path in remaining}, now),
        _plan_temporary(now),
    ]


def _run_item(workspace: Workspace, path: Path) -> Item:
    def remove() -> None:
        aside = _moved(workspace) / path.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)

    return _item(path, path.name, remove)


def _item(path: Path, name: str, remove: Callable[[], None]) -> Item:
    """Measure a file or folder. A file with several links is counted once for each: other runs may have reused it."""
    states = list(_states(path))
    changed = max((state.st_mtime for state in states), default=0.0)
    size = sum(state.st_size // max(state.st_nlink, 1) for state in states)
    return Item(name, datetime.fromtimestamp(changed, UTC), len(states), size, remove)


def _states(path: Path) -> Iterator[os.stat_result]:
    paths = [path] if path.is_file() else (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    for each in paths:
        try:
            yield each.lstat()
        except FileNotFoundError:
            continue


def _is_at_work(folder: Path, item: Item, now: datetime) -> bool:
    return not (folder / RECORD).is_file() and now - item.changed < _AT_WORK


def _find_last(workspace: Workspace) -> set[str]:
    """Find the newest run that succeeded: `naru ablate` and `naru backtest` train it again."""
    for record in sorted(workspace.runs.glob(f"*/{RECORD}"), reverse=True):
        if _read(record).get("status") == "succeeded":
            return {record.parent.name}
    return set()


def _moved(workspace: Workspace) -> Path:
    return workspace.home / "removed"


def _plan_moved(workspace: Workspace) -> KindPlan:
    """Plan what a killed clean-up left."""
    items = [
        _item(path, path.name, partial(shutil.rmtree, path, ignore_errors=True))
        for path in sorted(_moved(workspace).glob("*"))
    ]
    return KindPlan("half-removed runs", tuple(items))


def _plan_code(workspace: Workspace, runs: list[Path], now: datetime) -> KindPlan:
    """Plan the code archives that no run names any more."""
    used = {Path(str(_read(run / PARAMETERS).get("code_uri") or "")).name for run in runs}
    items = [_file_item(path) for path in sorted(workspace.code.glob("*.zip"))]
    removed = tuple(item for item in items if item.name not in used and now - item.changed > _NEW)
    return KindPlan("code archives", removed, len(items) - len(removed), "keeps those that a kept run names")


def _plan_cache(workspace: Workspace, runs: set[str], now: datetime) -> KindPlan:
    """Plan the entries of the cache whose outputs are in a run that is gone: they are never found again.

    A run that reuses an entry links its outputs and names its own folder in it; `run` still says where they came from first.
    """
    items = [_file_item(path, f"{path.parent.name}/{path.name}") for path in sorted(workspace.cache.glob("*/*.json"))]
    dead = []
    for item in items:
        task = Path(str(_read(workspace.cache / item.name).get("task") or ""))
        if task.parent.parent.name not in runs and now - item.changed > _NEW:
            dead.append(item)
    return KindPlan("cache entries", tuple(dead), len(items) - len(dead), "keeps those of kept runs")


def _plan_temporary(now: datetime) -> KindPlan:
    """Plan the temporary folders of killed joins of labels, which may hold gigabytes; one at work writes all the time.

    Those of other commands may belong to a server that reads and never writes: they are left to the system.
    """
    folders = [
        path for path in sorted(Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*")) if path.lstat().st_uid == os.getuid()
    ]
    items = [
        _item(path, path.name, partial(shutil.rmtree, path, ignore_errors=True))
        for path in folders
        if path.is_dir() and not path.is_symlink()
    ]
    removed = tuple(item for item in items if now - item.changed > _AT_WORK and item.files)
    return KindPlan("temporary folders of naru feedback", removed, len(items) - len(removed), "keeps those of two days")


def _file_item(path: Path, name: str = "") -> Item:
    return _item(path, name or path.name, lambda: path.unlink(missing_ok=True))


def _read(file: Path) -> dict[str, Any]:
    """Read a JSON object; empty when it is missing or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
