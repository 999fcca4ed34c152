"""The stage watch: one look at a project's triggers, from a pod of the cluster whose KFP server runs the training pipeline."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.report.html import write_page
from components._core.report.page import Page
from components._core.settings import Settings
from components._kfp.connection import Connection
from components._kfp.kfp_client import JsonObject, KfpClient
from components._kfp.server_state import Server
from components.watch.cluster_watcher import ClusterWatcher
from components.watch.records import Record, open_records, read_history
from components.watch.training_parameters import require_approval, training_parameters
from components.watch.watcher import describe

_SHOWN = 30


@dataclass(frozen=True)
class PublishedRuns:
    """Runs of a version of the training pipeline that `naru apply` brought to the server.

    Attributes:
        server: The server.
        project: The project, with locations as the cluster reads them.
        store: Root of the object store.
        training: Pipeline and version, as in `flights-training/0123456789ab`.
        commit: Git commit of the project; empty when it is not known.
        say: Prints a line for a person.
    """

    server: Server
    project: Project
    store: str
    training: str
    commit: str
    say: Callable[[str], None]

    def data(self, given: dict[str, Any]) -> Data:
        """Return the section `data` of a run with these parameters."""
        changes = {name: str(given[name]) for name in ("source", "spans") if given.get(name)}
        return self.project.data.model_copy(update=changes)

    def start(self, given: dict[str, Any], cause: str, name: str, claim: str, approve: Mapping[str, Any]) -> str:
        """Start a run under a name, whose version needs an approval as in `serve.approve` (empty: as the project says); returns its id.

        Raises:
            ConfigError: When the server does not have the version.
            NaruError: When the server refuses the run.
        """
        pipeline, _, version = self.training.partition("/")
        ids = self.server.find_version(pipeline, version)
        if not all(ids):
            message = f"the KFP server has no version {version} of the pipeline {pipeline}"
            raise ConfigError(message, where="parameter training", remedy="run `naru apply` for the project")
        fixed, notes = training_parameters(
            self.store,
            self.project.name,
            self.data(given),
            cause=cause,
            commit=self.commit,
            cache=True,
            claim=claim,
        )
        fixed |= require_approval(self.project, approve)
        for note in notes:
            self.say(note)
        description = f"Cause: {cause}. Started by the pipeline {self.project.name}-watch."
        return self.server.start_run(name, description, self.project.name, ids, {**fixed, **given, "run": name})

    def find_reason(self, run: JsonObject) -> str:
        """Find what the server itself says of a failure: a pod has no right to read the logs of others."""
        errors = [state["error"].get("message") for state in run.get("state_history") or [] if state.get("error")]
        return str(errors[-1]) if errors else "the run's page has the reason"


def watch_project(
    project: Project,
    *,
    training: str,
    commit: str,
    decisions: Path,
    page: Path,
    now: Callable[[], datetime] | None = None,
) -> Outcome:
    """Look at the triggers of a project once: record what ended, decide, start at most one run.

    Args:
        project: The project, with its triggers, and locations as the cluster reads them.
        training: Pipeline and version that its runs are of, as in `flights-training/0123456789ab`.
        commit: Git commit of the project; empty when it is not known.
        decisions: An empty folder for the outcome and the page as data.
        page: Where the rendered page goes.
        now: The clock; None: the system's.

    Raises:
        ConfigError: When no server is set, or it does not have the version.
        ServiceError: When a line of the log of triggers or the ledger is damaged.
        UnavailableError: When the server or the store does not answer.
    """
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        print(line, flush=True)

    store = Settings.from_environment().store.rstrip("/")
    server = Server(KfpClient(Connection.from_environment()))
    runs = PublishedRuns(server, project, store, training, commit, say)
    watcher = ClusterWatcher(say, f"pod {platform.node()}", runs, Path(project.name), now)
    watcher.look_at(project, store)
    records = read_history(open_records(store, project.name)).records
    outcome = Outcome("ok", said[-1] if said else "nothing new")
    shown = make_page(outcome, said, records)
    shown.save(decisions)
    write_page(shown, page)
    return outcome


def make_page(outcome: Outcome, said: Sequence[str], records: Sequence[Record]) -> Page:
    """Make the page of a look: what it did, and the newest records."""
    page = Page("watch", "Triggers", outcome)
    page.text("\n".join(said) or "This look found nothing new.")
    rows: list[list[Any]] = [
        [record.number, record.at[:16].replace("T", " "), describe(record).partition("  ")[2], record.decider]
        for record in reversed(records[-_SHOWN:])
    ]
    page.table("Newest records", ["number", "time (UTC)", "what", "by"], rows)
    return page
