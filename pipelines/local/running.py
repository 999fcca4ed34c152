"""Run the training pipeline on a laptop: prepare its parameters, run the graph through kfp.local, gather what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components._core.errors import NaruError
from components._core.ledger import current_champion
from components._core.project import Project
from components._core.usercode import fingerprint_code, pack_code
from components.ingest.sources import fingerprint_source
from pipelines.local import launcher
from pipelines.local.watching import read_failure
from pipelines.local.workspace import LOG, Workspace

_REPOSITORY = Path(__file__).resolve().parents[2]


def run_training(workspace: Workspace, project: Project, run: Path) -> None:
    """Run the whole pipeline; returns when it ended well, also when a gate said no.

    Args:
        workspace: Whose project.
        project: With what the command line overrode.
        run: The run's folder, from `Workspace.new_run`; gets the artifacts and the log.

    Raises:
        NaruError: The error of the stage that failed.
    """
    with _environment(workspace), _log_to(run / LOG), _stand_in(run) as interpreter:
        arguments = _arguments(workspace, project, run)
        try:
            _run_graph(arguments, run, interpreter)
        except RuntimeError as error:
            raise read_failure(run) or NaruError(str(error), where="kfp.local", remedy=f"see {run / LOG}") from None


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
        "source_fingerprint": fingerprint_source(source, project.data.spans),
        "champion": json.dumps(asdict(champion), sort_keys=True) if champion else "none",
        "run": run.name,
    }


def absolute_source(workspace: Workspace, project: Project) -> str:
    """The project's source with a relative path taken from the project's folder."""
    source = project.data.source
    return source if "://" in source or os.path.isabs(source) else str((workspace.project / source).absolute())


def _archive(workspace: Workspace, project: Project, fingerprint: str) -> Path:
    archive = workspace.home / "code" / f"{fingerprint}.zip"
    if not archive.exists():
        pack_code(workspace.project, project, archive)
    return archive


def _run_graph(arguments: dict[str, Any], run: Path, interpreter: Path) -> None:
    from kfp import local

    from pipelines.training import training

    warnings.filterwarnings("ignore", message="You may be attemping to run a task that uses custom")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(run), raise_on_error=True)
    real, sys.executable = sys.executable, str(interpreter)
    try:
        training(**arguments)
    finally:
        sys.executable = real


@contextlib.contextmanager
def _environment(workspace: Workspace) -> Iterator[None]:
    """What every stage's process inherits."""
    before = dict(os.environ)
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "PYTHONHASHSEED": "0",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    path = os.pathsep.join(part for part in (str(_REPOSITORY), os.environ.get("PYTHONPATH", "")) if part)
    os.environ.update({**quiet, **workspace.environment(), "PYTHONPATH": path})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Everything that stages and kfp print goes to the run's log."""
    with (
        path.open("a", encoding="utf-8", buffering=1) as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield


@contextlib.contextmanager
def _stand_in(run: Path) -> Iterator[Path]:
    """A path that kfp.local takes for Python's, with the fork server behind it; both end with the run.

    kfp.local puts the path into a shell command without quotes, so it must hold no space: it lies in the system's
    temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="naru-") as folder:
        stand_in = Path(folder) / "interpreter"
        client = Path(launcher.__file__)
        stand_in.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "{stand_in}" "{sys.executable}" "$@"\n',
            encoding="utf-8",
        )
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
        with _fork_server(Path(folder) / "socket", run):
            yield stand_in


@contextlib.contextmanager
def _fork_server(path: Path, run: Path) -> Iterator[None]:
    if sys.platform != "linux" or os.environ.get("NARU_FORK") == "0":
        yield  # macOS: the system's own libraries do not survive a fork; stages import what they need themselves
        return
    command = [sys.executable, "-m", "pipelines.local.forkserver", str(path)]
    environment = {**os.environ, launcher.SOCKET: ""}
    with (run / LOG).open("a", encoding="utf-8") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    os.environ[launcher.SOCKET] = str(path)
    try:
        yield
    finally:
        assert server.stdin is not None
        server.stdin.close()
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
