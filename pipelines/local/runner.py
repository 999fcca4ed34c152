"""Run the training pipeline locally: prepare its parameters, run the graph through kfp.local, and find the error if it failed."""

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
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.stage.code_archives import fingerprint_archive
from components._core.stage.user_code import fingerprint_code, pack_code
from components._core.store.ledger import current_champion
from components._core.system_errors import find_full_disk
from components._data.joins.source_state import fingerprint_state
from components._data.sources.registry import absolute_location
from components._frameworks.table import find_project_framework
from pipelines.git import read_commit
from pipelines.graphs.pipelines import TRAINING
from pipelines.local import fork_server, stage_cache
from pipelines.local.python_shim import python_shim
from pipelines.local.run_state import read_failure
from pipelines.local.workspace import LOG, PARAMETERS, Workspace

_REPOSITORY = Path(__file__).resolve().parents[2]


def run_training(workspace: Workspace, project: Project, run: Path, fresh_from: str = "", cause: str = "") -> None:
    """Run the whole pipeline; returns when it succeeded, also when a gate blocked.

    Args:
        workspace: The project's workspace.
        project: The project, with the command line's overrides.
        run: The run's folder, from `Workspace.new_run`; gets the artifacts and the log.
        fresh_from: The first stage that must run again, with all later ones; empty: earlier results are reused everywhere.
        cause: Why it is started; may be empty.

    Raises:
        NaruError: The error of the stage that failed.
    """
    with _environment(workspace, project, fresh_from), _log_to(run / LOG):
        arguments = _arguments(workspace, project, run, cause)
        write_json(run / PARAMETERS, masked(arguments))
        try:
            with python_shim(run / LOG, server_now=_will_run_ingest(arguments)) as interpreter:
                _run_graph(arguments, run, interpreter)
        except RuntimeError as error:
            raise _find_error(run, error) from None


def _find_error(run: Path, error: RuntimeError) -> NaruError:
    """Find why kfp.local failed: the stage's own error, or a full disk if that could not be written."""
    error_found = read_failure(run) or find_full_disk(run)
    return error_found or NaruError(str(error), where="kfp.local", remedy=f"see {run / LOG}")


def _arguments(workspace: Workspace, project: Project, run: Path, cause: str) -> dict[str, Any]:
    """Make the pipeline's parameters: absolute paths, and fingerprints of all outside inputs."""
    data = absolute_data(workspace, project)
    store = workspace.settings().store
    code_fingerprint = fingerprint_code(workspace.project, project)
    archive = _archive(workspace, project, code_fingerprint)
    champion = current_champion(store, project.name)
    return {
        "project": project.model_copy(
            update={"data": data.model_copy(update={"source": project.data.source})}
        ).to_json(),
        "code_uri": str(archive),
        "code_fingerprint": code_fingerprint,
        "source": data.source,
        "spans": project.data.spans,
        "source_fingerprint": fingerprint_state(data),
        "champion": json.dumps(asdict(champion), sort_keys=True) if champion else "none",
        "run": run.name,
        "cause": cause,
        "code_commit": read_commit(workspace.project),
        "claim": "",
    }


def _will_run_ingest(arguments: dict[str, Any]) -> bool:
    """Whether the first stage will run, and so the others: the fork server then starts before it."""
    parameters = {name: arguments[name] for name in ("project", "source", "spans", "source_fingerprint", "claim")}
    return stage_cache.find_entry("ingest", stage_cache.key_of("ingest", parameters, {})) is None


def absolute_source(workspace: Workspace, project: Project) -> str:
    """Resolve the project's source: a relative path is taken from the project's folder."""
    return absolute_location(project.data.source, workspace.project)


def absolute_data(workspace: Workspace, project: Project) -> Data:
    """Return the section with the locations of the table and of those joined to it resolved, as `absolute_source` does."""
    data = project.data.model_copy(update={"source": absolute_source(workspace, project)})
    return data.with_places(lambda location: absolute_location(location, workspace.project))


def _archive(workspace: Workspace, project: Project, fingerprint: str) -> Path:
    archive = workspace.code / f"{fingerprint}.zip"
    if not _archive_matches(archive, fingerprint):
        pack_code(workspace.project, project, archive)
    return archive


def _archive_matches(archive: Path, fingerprint: str) -> bool:
    """Whether the archive exists and contains that code; one that was changed is made again."""
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


def _imports(project: Project) -> dict[str, str]:
    """Return the settings that let the stages' process import what the project uses, and nothing else."""
    prepared = project.code.preprocessing in project.code.files
    return {
        fork_server.FRAMEWORK_IMPORTS: ",".join(find_project_framework(project.code.framework).imports),
        fork_server.PREPROCESSING_IMPORTS: ",".join(fork_server.PREPROCESSING if prepared else ()),
    }


@contextlib.contextmanager
def _environment(workspace: Workspace, project: Project, fresh_from: str) -> Iterator[None]:
    """Set the environment that every stage's process inherits."""
    before = dict(os.environ)
    reuse = {
        stage_cache.HOME: str(workspace.cache),
        stage_cache.PACKAGES: os.pathsep.join(site.getsitepackages()),
        stage_cache.FRESH: ",".join(TRAINING.from_stage(fresh_from)) if fresh_from else "",
    }
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OMP_WAIT_POLICY": "passive",  # threads of boosted trees that wait for one another leave the core to other work
        "PYTHONHASHSEED": "0",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    path = os.pathsep.join(part for part in (str(_REPOSITORY), os.environ.get("PYTHONPATH", "")) if part)
    os.environ.update({**quiet, **reuse, **_imports(project), **workspace.environment(), "PYTHONPATH": path})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Redirect everything that stages and kfp print to the run's log."""
    with _Log(path) as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield


class _Log(io.TextIOBase):
    """A log that ignores a full disk, so that logging never ends the run: stages without room report it themselves."""

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
