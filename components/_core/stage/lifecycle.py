"""Lifecycle of a stage: times its work, writes its outputs to temporary folders and renames them, reports how it ended.

A component's body opens `stage(...)`, imports its function inside, calls it and hands the outcome over:

    with stage(VALIDATE, validation) as this:
        from components.validate.validate import validate_examples

        this.imported()
        this.done(validate_examples(..., validation=this.folder(validation)))

`stage(..., after=[examples])` names the inputs whose bundles and records travel on (`bundle.py`, `stage_end.py`), and
`bundle={"schema": schema}` those that are copied as a whole.

Outputs get their final names only when the body succeeded. A `NaruError` ends the process with the error's own exit
code and message, without a traceback, and writes `error.json` beside the outputs for the launcher. In a pod the same
object is the termination message (`termination_message.py`), which the pod's status holds.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from components._core.checks import METRIC, Outcome
from components._core.credentials import mask_credentials
from components._core.errors import NaruError
from components._core.files import write_bytes, write_json
from components._core.project.project_file import Project, parse_project
from components._core.project.stage_config import absent_sections, restrict
from components._core.stage.bundle import copy_bundles
from components._core.stage.lost_artifacts import explain_lost
from components._core.stage.stage_end import EARLIER, ERROR_FILE, StageEnd, failed, list_records
from components._core.stage.stage_spec import StageSpec
from components._core.stage.termination_message import write_end
from components._core.system_errors import from_system

_ASIDE = ".partial"


class Artifact(Protocol):
    """The parts of a KFP artifact that a stage uses: a local path and metadata."""

    path: str
    metadata: dict[str, Any]


@dataclass
class Stage:
    """One execution of a stage.

    Attributes:
        spec: The facts about the stage, from `components/stages.py`.
        record: The output whose metadata holds the outcome (verdict, reason, metrics, seconds), and the records of the
            earlier stages.
        after: Inputs whose bundles and records travel on with the record.
        bundle: Inputs that are also copied into the record's bundle, by their name.
    """

    spec: StageSpec
    record: Artifact
    after: Sequence[Artifact] = ()
    bundle: Mapping[str, Artifact] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter)
    _imported: float = 0.0
    _outputs: list[Path] = field(default_factory=list)
    _outcome: Outcome | None = None
    _scratch: ExitStack = field(default_factory=ExitStack)

    def imported(self) -> None:
        """Mark the end of the imports; what follows is work."""
        self._imported = time.perf_counter()

    def project(self, text: str, **overrides: Any) -> Project:
        """Parse the project; a run parameter overrides it unless it is `''` or `-1` (KFP has no None).

        Args:
            text: Output of `Project.to_json`.
            **overrides: Value by path with `__` for the dot, as in `train__epochs=3`.
        """
        raw = json.loads(text)
        for place, value in overrides.items():
            if value not in ("", -1):
                *parents, last = place.split("__")
                section = raw
                for parent in parents:
                    section = section.setdefault(parent, {})
                section[last] = value
        reads = self.spec.reads
        return parse_project(restrict(raw, reads), "the run's parameters", absent=absent_sections(reads))

    def folder(self, artifact: Artifact) -> Path:
        """Create an empty folder that becomes the artifact when the stage succeeds."""
        aside = self._aside(artifact)
        aside.mkdir(parents=True)
        return aside

    def file(self, artifact: Artifact) -> Path:
        """Return a path for one file that becomes the artifact when the stage succeeds."""
        return self._aside(artifact)

    def fetch(self, uri: str) -> Path:
        """Fetch a file of the store for the duration of the stage: used in place if it is on this machine."""
        from components._core.store.object_store import fetch_file

        return fetch_file(uri, Path(self._scratch.enter_context(tempfile.TemporaryDirectory())))

    def fetch_code(self, uri: str, fingerprint: str) -> Path:
        """Fetch a private copy of the project's code archive, checked against its fingerprint.

        Raises:
            ConfigError: When it is not an archive, or contains other code.
        """
        from components._core.stage.code_archives import check_archive

        scratch = Path(self._scratch.enter_context(tempfile.TemporaryDirectory()))
        copy = scratch / "code.zip"
        write_bytes(copy, self.fetch(uri).read_bytes(), durable=False)
        check_archive(copy, fingerprint, uri)
        return copy

    def earlier(self) -> list[StageEnd]:
        """List the records of the earlier stages, in the order in which they ran."""
        return list_records(dict(artifact.metadata) for artifact in [*self.after, *self.bundle.values()])

    def done(self, outcome: Outcome) -> None:
        """Set the outcome."""
        self._outcome = outcome

    def _aside(self, artifact: Artifact) -> Path:
        final = Path(artifact.path)
        self._outputs.append(final)
        aside = _aside_of(final)
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)
        aside.parent.mkdir(parents=True, exist_ok=True)
        return aside

    def _clear(self) -> None:
        """Remove half-written outputs: they are useless, and the disk may be full."""
        for final in self._outputs:
            aside = _aside_of(final)
            with suppress(OSError):
                shutil.rmtree(aside) if aside.is_dir() else aside.unlink(missing_ok=True)

    def _copy_bundles(self) -> None:
        whole = {name: Path(artifact.path) for name, artifact in self.bundle.items()}
        copy_bundles(_aside_of(Path(self.record.path)), [Path(artifact.path) for artifact in self.after], whole)

    def _publish(self) -> None:
        for final in self._outputs:
            aside = _aside_of(final)
            if final.is_dir():
                shutil.rmtree(final)
            os.replace(aside, final)

    def _write_metadata(self) -> None:
        if self._outcome is None:
            raise NaruError(f"the stage {self.spec.name} wrote no outcome")
        ended = time.perf_counter()
        record: StageEnd = {
            "stage": self.spec.name,
            "verdict": self._outcome.verdict,
            "reason": self._outcome.reason,
            "import_seconds": round(max(self._imported - self._started, 0.0), 3),
            "work_seconds": round(ended - (self._imported or self._started), 3),
            **{METRIC + name: value for name, value in self._outcome.metrics.items() if math.isfinite(value)},
        }
        self.record.metadata.update(record)
        if earlier := self.earlier():
            self.record.metadata[EARLIER] = json.dumps(earlier)
        write_end(record)


def _aside_of(final: Path) -> Path:
    """Return the temporary name of an output."""
    return final.with_name(final.name + _ASIDE)


@contextmanager
def stage(
    spec: StageSpec,
    record: Artifact,
    *,
    after: Sequence[Artifact] = (),
    bundle: Mapping[str, Artifact] | None = None,
) -> Iterator[Stage]:
    """Run the body of a component as a stage; see the module's docstring."""
    this = Stage(spec, record, after, bundle or {})
    try:
        yield this
        this._copy_bundles()
        this._publish()
        this._write_metadata()
    except NaruError as error:
        reported = explain_lost(error) or error
        _write_error(this, reported, "")
        sys.exit(reported.exit_code)
    except OSError as error:
        reported = explain_lost(error) or from_system(error)
        _write_error(this, reported, traceback.format_exc())
        sys.exit(reported.exit_code)
    except Exception as error:  # noqa: BLE001 - the border of the process: any error is reported, with its traceback
        reported = explain_lost(error) or NaruError(
            f"{type(error).__name__}: {error}",
            where=f"stage {spec.name}",
            remedy="this is a bug in Naru or in a library; the traceback is in the run's log",
        )
        _write_error(this, reported, traceback.format_exc())
        sys.exit(reported.exit_code)
    finally:
        this._scratch.close()


def _write_error(this: Stage, error: NaruError, details: str) -> None:
    this._clear()
    print(mask_credentials(details), file=sys.stderr) if details else None
    # the exit code is for users who have only a pod's log: KFP's launcher exits with another code
    print(f"naru: {this.spec.name}: {error}\n  exit code {error.exit_code}", file=sys.stderr, flush=True)
    end = failed(this.spec.name, error)
    write_end(end)
    try:
        write_json(Path(this.record.path).parent / ERROR_FILE, end)
    except OSError as problem:
        print(f"naru: {this.spec.name}: cannot write the error beside the outputs: {problem}", file=sys.stderr)
