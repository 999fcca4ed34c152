"""The workspace of a project: a hidden folder beside the project file, with parts that the environment can move.

.naru/
    store/      the object store: models, statistics, deployments, code (NARU_STORE)
    mlflow.db   tracking and registry (MLFLOW_TRACKING_URI)
    code/       archives of the project's own Python
    cache/      entries by which later runs reuse earlier results
    triggers/   locks of the runs that triggers start (`triggered_run.py`)
    runs/RUN/   a run's artifacts, log, record and report
"""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.project_file import PROJECT_FILE
from components._core.setting_names import STORE, TRACKING
from components._core.settings import Settings, sqlite_uri
from components._core.system_errors import from_system
from components._core.types.artifact_files import RUN_RECORD
from components.deploy.targets.table import find_target

REPORT = "report.html"
RECORD = RUN_RECORD
PARAMETERS = "parameters.json"
LOG = "run.log"
_PAUSE = 0.1


@dataclass(frozen=True)
class Workspace:
    """A project's folder and what belongs to it.

    Attributes:
        project: The folder that holds `project.yaml`.
    """

    project: Path

    @property
    def home(self) -> Path:
        """The hidden folder."""
        return self.project / ".naru"

    @property
    def runs(self) -> Path:
        """The folder of the runs, with a folder each."""
        return self.home / "runs"

    @property
    def code(self) -> Path:
        """The archives of the project's code, one per fingerprint."""
        return self.home / "code"

    @property
    def cache(self) -> Path:
        """The cache of stage results; see `stage_cache.py`."""
        return self.home / "cache"

    def environment(self) -> dict[str, str]:
        """Return the store and tracking settings for stages, from the environment or the defaults."""
        store = os.environ.get(STORE) or str(self.home / "store")
        tracking = os.environ.get(TRACKING) or sqlite_uri(self.home / "mlflow.db")
        return {STORE: store, TRACKING: tracking}

    @contextmanager
    def settings_applied(self) -> Iterator[None]:
        """Set `environment` for a command that reads the store without a run."""
        before = dict(os.environ)
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def settings(self) -> Settings:
        """Return the settings as an object.

        Raises:
            ConfigError: When the store's address holds credentials, or NARU_SERVING names no deployment target: refused here, at
                the start of a command, not after the training.
        """
        environment = self.environment()
        settings = Settings.from_environment()
        find_target(settings.serving)
        return replace(settings, store=environment[STORE], tracking_uri=environment[TRACKING])

    @property
    def triggers(self) -> Path:
        """The locks of triggered runs, and the errors of those that could not begin."""
        return self.home / "triggers"

    def new_run(self, suffix: str = "") -> Path:
        """Create the folder of a new run; its name sorts by time and is unique.

        Args:
            suffix: End of the name; empty: random digits. A second run with it within a second waits for the next one.

        Raises:
            ConfigError: When the folder may not be written to.
            NaruError: When the system refuses for another reason, such as a full disk.
        """
        folder = self._run_folder(suffix)
        while suffix and folder.exists():
            time.sleep(_PAUSE)
            folder = self._run_folder(suffix)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise from_system(error, str(self.home)) from None
        return folder

    def _run_folder(self, suffix: str) -> Path:
        return self.runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{suffix or secrets.token_hex(2)}"

    def check_project(self) -> None:
        """Check that the project exists.

        Raises:
            ConfigError: When the folder does not exist, or has no project file.
        """
        if not (self.project / PROJECT_FILE).is_file():
            message = "there is no such project" if not self.project.exists() else f"there is no {PROJECT_FILE} here"
            raise ConfigError(
                message, where=str(self.project), remedy="name a project's folder, or make one: naru new --help"
            )

    def last_report(self) -> Path:
        """Find the newest run's report.

        Raises:
            ConfigError: When there is none yet.
        """
        self.check_project()
        reports = sorted(self.runs.glob(f"*/{REPORT}"))
        if not reports:
            raise ConfigError(
                "has no report yet",
                where=str(self.project),
                remedy=f"make one: naru run {shlex.quote(str(self.project))}",
            )
        return reports[-1]


def find_workspace(path: Path) -> Workspace:
    """Find the workspace of a project by its folder or its file."""
    return Workspace((path if path.is_dir() else path.parent).resolve())
