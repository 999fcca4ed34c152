"""`naru watch --cluster`: decide here, run on a KFP server. Each look compiles the project as it is then."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components._core.project.data_config import Data
from components._core.project.project_file import load_project
from components._kfp.kfp_client import JsonObject
from components._kfp.server_state import Server
from components.watch.cluster_watcher import ClusterWatcher
from components.watch.watcher import utc_now
from pipelines.kfp.desired_state import DesiredPipeline, remote_store
from pipelines.kfp.failure_reasons import find_reason
from pipelines.kfp.submit_run import submit
from pipelines.local.watch import keep_looking
from pipelines.local.workspace import find_workspace

OpenServer = Callable[[], AbstractContextManager[tuple[Server, list[DesiredPipeline]]]]


@dataclass(frozen=True)
class CompiledRuns:
    """Runs of the training pipeline that the project's files compile to.

    Attributes:
        server: The server.
        desired: The training pipeline.
    """

    server: Server
    desired: DesiredPipeline

    def data(self, given: dict[str, Any]) -> Data:
        """Return the section `data` of a run with these parameters."""
        return self.desired.data(given)

    def start(self, given: dict[str, Any], cause: str, name: str, claim: str, approve: Mapping[str, Any]) -> str:
        """Start a run under a name, whose version needs an approval as in `serve.approve`; returns its id."""
        started = submit(
            self.server, self.desired, given, cause=cause, cache=True, name=name, claim=claim, approve=approve
        )
        return started.id

    def find_reason(self, run: JsonObject) -> str:
        """Find why a run failed, from its pods' logs."""
        return find_reason(self.server, run).text


class ProjectWatcher:
    """Watches one project from this machine, and runs it on a KFP server.

    Args:
        path: The project's folder or file.
        say: Prints a line for a person.
        open_server: Connects to the server and compiles the project, for each look.
        now: The clock; None: the system's.

    Attributes:
        now: Returns the present, with a zone.
    """

    def __init__(
        self,
        path: Path,
        say: Callable[[str], None],
        open_server: OpenServer,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.path, self.say, self._open_server = path, say, open_server
        self.now = now or utc_now
        self.workspace = find_workspace(path)
        self.decider = f"naru watch, process {os.getpid()} on {platform.node()}"
        self._watcher: ClusterWatcher | None = None

    def run(self, every: float) -> None:
        """Look until interrupted, every so many seconds; an error is printed, and the next look tries again."""
        keep_looking(self.look, lambda text: self.say(f"naru: warning: {text}"), every)

    def look(self) -> None:
        """Record what ended, decide, and start at most one run; does not wait for it. Errors as in `Watcher.look_at`."""
        with self._open_server() as (server, desired):
            runs = CompiledRuns(server, desired[0])
            if self._watcher is None:
                self._watcher = ClusterWatcher(self.say, self.decider, runs, self.workspace.project)
            self._watcher.runs = runs
            self._watcher.decider, self._watcher.now = self.decider, self.now
            with self.workspace.settings_applied():
                self._watcher.look_at(load_project(self.path), remote_store())
