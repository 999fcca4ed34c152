"""Run the training pipeline on a laptop: prepare its parameters, run the graph through kfp.local, gather what came of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import site
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components._core.credentials import mask_credentials, masked
from components._core.errors import ConfigError, NaruError
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.stage.code_archives import fingerprint_archive
from components._core.stage.user_code import fingerprint_code, pack_code
from components._core.store.ledger import current_champion
from components._core.system_errors import find_full_disk
from components._data.sources.registry import open_source
from pipelines.graphs.pipelines import TRAINING
from pipelines.local import stage_cache
from pipelines.local.python_shim import stand_in
from pipelines.local.run_state import read_failure
from pipelines.local.workspace import LOG, PARAMETERS, Workspace

_REPOSITORY = Path(__file__).resolve().parents[2]


def run_training(workspace: Workspace, project: Project, run: Path, fresh_from: str = "") -> None:
    """Run the whole pipeline; returns when it ended well, also when a gate said no.

    Args:
        workspace: Whose project.
        project: With what the command line overrode.
        run: The run's folder, from `Workspace.new_run`; gets the artifacts and the log.
        fresh_from: The stage from which on everything runs anew; empty: what an earlier run made is reused everywhere.

    Raises:
        NaruError: The error of the stage that failed.
    """
    with _environment(workspace, fresh_from), _log_to(run / LOG):
        arguments = _arguments(workspace, project, run)
        write_json(run / PARAMETERS, masked(arguments))
        try:
            with stand_in(run / LOG, server_now=_begins_anew(arguments)) as interpreter:
                _run_graph(arguments, run, interpreter)
        except RuntimeError as error:
            raise _cause(run, error) from None


def _cause(run: Path, error: RuntimeError) -> NaruError:
    """Why kfp.local failed: the stage's own error; where it could not even be written, the lack of room for it."""
    told = read_failure(run) or find_full_disk(run)
    return told or NaruError(str(error), where="kfp.local", remedy=f"see {run / LOG}")


def _arguments(workspace: Workspace, project: Project, run: Path) -> dict[str, Any]:
    """The pipeline's parameters: paths made absolute, and everything outside that matters pinned by a fingerprint."""
    source = absolute_source(workspace, project)
    store = workspace.settings().store
    code_fingerprint = fingerprint_code(workspace.project, project)
    archive = _archive(workspace, project, code_fingerprint)
    champion = current_champion(store, project.name)
    return {
        "project": project.to_json(),
        "code_uri": str(archive),
        "code_fingerprint": code_fingerprint,
        "source": source,
        "spans": project.data.spans,
        "source_fingerprint": open_source(source).fingerprint(project.data.spans),
        "champion": json.dumps(asdict(champion), sort_keys=True) if champion else "none",
        "run": run.name,
    }


def _begins_anew(arguments: dict[str, Any]) -> bool:
    """Whether the first stage will run, and so the others: the fork server's imports are then begun before it."""
    parameters = {name: arguments[name] for name in ("project", "source", "spans", "source_fingerprint")}
    return stage_cache.look_up("ingest", stage_cache.key_of("ingest", parameters, {})) is None


def absolute_source(workspace: Workspace, project: Project) -> str:
    """The project's source with a relative path taken from the project's folder."""
    source = project.data.source
    return source if "://" in source or Path(source).is_absolute() else str((workspace.project / source).absolute())


def _archive(workspace: Workspace, project: Project, fingerprint: str) -> Path:
    archive = workspace.code / f"{fingerprint}.zip"
    if not _holds(archive, fingerprint):
        pack_code(workspace.project, project, archive)
    return archive


def _holds(archive: Path, fingerprint: str) -> bool:
    """Whether the archive is there and holds that code; one that was changed since is made again."""
    try:
        return archive.is_file() and fingerprint_archive(archive) == fingerprint
    except ConfigError:
        return False


def _run_graph(arguments: dict[str, Any], run: Path, interpreter: Path) -> None:
    from kfp import local

    from pipelines.graphs.training import training

    warnings.filterwarnings("ignore", message="You may be attemping to run a task that uses custom")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(run), raise_on_error=True)
    real, sys.executable = sys.executable, str(interpreter)
    try:
        training(**arguments)
    finally:
        sys.executable = real


@contextlib.contextmanager
def _environment(workspace: Workspace, fresh_from: str) -> Iterator[None]:
    """What every stage's process inherits."""
    before = dict(os.environ)
    reuse = {
        stage_cache.HOME: str(workspace.cache),
        stage_cache.PACKAGES: os.pathsep.join(site.getsitepackages()),
        stage_cache.FRESH: ",".join(TRAINING.from_stage(fresh_from)) if fresh_from else "",
    }
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "PYTHONHASHSEED": "0",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    path = os.pathsep.join(part for part in (str(_REPOSITORY), os.environ.get("PYTHONPATH", "")) if part)
    os.environ.update({**quiet, **reuse, **workspace.environment(), "PYTHONPATH": path})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Everything that stages and kfp print goes to the run's log."""
    with _Log(path) as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield


class _Log(io.TextIOBase):
    """A log that ends where the disk is full, and does not take the run with it: what has no room for its work says so."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(mask_credentials(text).encode("utf-8", "replace"))
        return len(text)

    def close(self) -> None:
        self._file.close()
        super().close()
