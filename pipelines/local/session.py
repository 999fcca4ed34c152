"""One `naru run` from end to end: check the project, run and show progress, print the result."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from components._core.errors import NaruError
from components._core.project.project_file import load_project
from components._core.settings import LOCAL
from components._core.system_errors import from_system
from components._frameworks.model_rules import required_kinds
from components._frameworks.project_rules import check_framework, check_servers, leave_out_unserved, may_be_prepared
from components._frameworks.table import find_framework
from components._frameworks.variant_rules import check_variant_servers
from components._notices.channels import read_channels
from components.deploy.targets.placement import check_log, describe_missing_gauges
from components.deploy.targets.table import NONE
from pipelines.local.progress import Progress, print_record
from pipelines.local.project_places import check_folders
from pipelines.local.run_record import LocalRunRecord, make_record, save_record
from pipelines.local.runner import absolute_data, run_training
from pipelines.local.source_preview import check_source_preview
from pipelines.local.workspace import find_workspace
from pipelines.notices.run_notices import send_end


def run_session(
    path: Path,
    overrides: dict[str, Any],
    *,
    fresh_from: str,
    as_json: bool,
    started: float,
    cause: str = "",
    suffix: str = "",
) -> int:
    """Run a project's training pipeline, show it, and return the exit code.

    Args:
        path: The project's folder or file.
        overrides: Values by dotted path that override the file's.
        fresh_from: The first stage that must run again, with all later ones; empty: unchanged stages are reused.
        as_json: Print one JSON object on standard output; the view for people then goes to standard error.
        started: `time.perf_counter()` when the command began.
        cause: Why the run is started; recorded with the run, its version and its deployment.
        suffix: End of the run's name, of one that a watcher started and tells about; empty: random digits.

    Raises:
        NaruError: When the run could not begin.
    """
    project = load_project(path, overrides)
    framework = check_framework(project)
    workspace, channels = find_workspace(path), read_channels()
    if workspace.settings().serving not in (LOCAL, NONE):
        from pipelines.cluster.server_placement import place_servers
        from pipelines.compile_target import Target

        placement, store = place_servers(project, Target.from_environment()), workspace.settings().store
        check_log(project, placement, store)
        if missing := describe_missing_gauges(project, placement, store):
            _warn(missing)
        if may_be_prepared(project, framework) or not placement.onnx_image:
            check_servers(framework, placement.extras)
            for kind in required_kinds(project):
                check_servers(find_framework(kind.framework), placement.extras, "tune.models")
            project, left_out = leave_out_unserved(project, placement.extras)
            if left_out:
                _warn(left_out)
        check_variant_servers(project, framework, placement.extras)
    check_folders(workspace)
    data = absolute_data(workspace, project)
    check_source_preview(project.model_copy(update={"data": data}), data.source, data.spans)
    folder = workspace.new_run(suffix)
    # the original streams: the run redirects what stages print to its log
    console = Console(file=sys.__stderr__ if as_json else sys.__stdout__, highlight=False)
    error: NaruError | None = None
    interrupted = False
    with Progress(
        console,
        folder,
        f"naru run {shlex.quote(str(path))}  {project.name}, {project.task.replace('_', ' ')}, label {project.label!r}",
    ):
        try:
            run_training(workspace, project, folder, fresh_from, cause)
        except NaruError as problem:
            error = problem
        except OSError as problem:
            error = from_system(problem)
        except KeyboardInterrupt:
            interrupted = True
    record = make_record(folder, project, path, time.perf_counter() - started, error, interrupted)
    print_record(console, record)
    _save_record(console, folder, record)
    if as_json:
        _print_json(record)
    if not suffix:
        send_end(record, workspace.settings().store, channels, _warn)
    return record.exit_code


def _save_record(console: Console, folder: Path, record: LocalRunRecord) -> None:
    try:
        save_record(folder, record)
    except OSError as problem:
        console.print(f"The run record could not be saved: {from_system(problem)}", soft_wrap=True)


def _warn(text: str) -> None:
    print(f"naru: warning: {text}", file=sys.__stderr__)


def _print_json(record: LocalRunRecord) -> None:
    print(json.dumps(record.to_dict(), sort_keys=True), file=sys.__stdout__, flush=True)
