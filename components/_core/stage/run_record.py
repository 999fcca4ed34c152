"""The record of a run, one schema for laptop and cluster: `run.json`.

Deploy, the last stage, writes it into its `rollout` artifact, from what the earlier stages left in bundles and metadata. On a
laptop `naru run` writes the same keys and more (`pipelines/local/run_record.py`) into the run's folder, for runs that failed too.
What is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from components._core.checks import METRIC
from components._core.credentials import mask_credentials, masked
from components._core.files import read_json
from components._core.project.project_file import Project
from components._core.stage.environment import Environment
from components._core.stage.stage_end import StageEnd
from components._core.types.artifact_files import COMPARED, ENVIRONMENT, MANIFEST, REGISTRATION

MADE_BY = "made_by"
"""Key of `registration.json`: the project's code and its commit (`Code`)."""
_DIRTY = "+dirty"
_SHORT = 8

Status = Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True)
class StageRecord:
    """How one stage ended.

    Attributes:
        stage: Its name.
        verdict: Its own verdict; `failed` if it did not reach one.
        reason: Reason for the verdict, in one line.
        import_seconds: Seconds spent on imports; 0 in deploy's own record, which is written before it ends.
        work_seconds: Seconds spent in the stage's own function.
        metrics: The metrics it reports.
    """

    stage: str
    verdict: str = ""
    reason: str = ""
    import_seconds: float = 0.0
    work_seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """The data that was read.

    Attributes:
        source: Path or URL of the table, without credentials.
        spans: The spans that were read, ascending; None when ingest did not end.
        fingerprint: Fingerprint of the examples; None when ingest did not end.
        rows: Rows by split; None when ingest did not end.
    """

    source: str
    spans: list[int] | None = None
    fingerprint: str | None = None
    rows: dict[str, int] | None = None


@dataclass(frozen=True)
class Code:
    """The project's code.

    Attributes:
        fingerprint: Fingerprint of the code archive's content.
        commit: The git commit of the project's folder; None without a repository, and when it was not given.
        dirty: Whether the folder had changes that are not in the commit; None when the commit is not known.
    """

    fingerprint: str | None = None
    commit: str | None = None
    dirty: bool | None = None

    def __str__(self) -> str:
        changes = " and changes on top" if self.dirty else ""
        return f"{self.commit[:_SHORT]}{changes}" if self.commit else ""


@dataclass(frozen=True)
class Champion:
    """The champion that the model was compared with.

    Attributes:
        version: Its version in the registry.
        model: Path of its model below the project's models in the store.
    """

    version: str
    model: str


@dataclass(frozen=True)
class RunRecord:
    """The record of a run.

    Attributes:
        run: Its name.
        project: The project's name.
        status: `succeeded` (also when a gate rejected the model), `failed` or `interrupted`.
        reason: The most important line: why it failed, what was not good enough, or what was deployed.
        deployed: Whether the model became the champion.
        model_version: Its version in the registry; empty when it was not registered.
        metrics: The model's metrics on the test rows.
        cause: Why the run was started; may be empty.
        data: The data that was read.
        code: The project's code.
        environment: The environment that the model was trained in; None when train did not record it.
        parameters: `source`, `spans`, `trials`, `epochs` as they were in force, and the whole `project`.
        champion: The champion that the model was compared with; None when it was compared with none.
        stages: How every stage ended.
        variant: The optimised variant of the model that is served, `original` for the model itself; empty without `serve.optimize`.
    """

    run: str
    project: str
    status: Status
    reason: str
    deployed: bool
    model_version: str
    metrics: dict[str, float]
    cause: str
    data: Data
    code: Code
    environment: Environment | None
    parameters: dict[str, Any]
    champion: Champion | None
    stages: Sequence[StageRecord]
    variant: str = field(default="", kw_only=True)


def make_run_record(
    project: Project,
    *,
    run: str,
    cause: str,
    code: Code,
    stages: Sequence[StageRecord],
    artifacts: Mapping[str, Path],
) -> RunRecord:
    """Make the record of a run that got to its end.

    Args:
        project: The project with the run's parameters in force.
        run: The run's name.
        cause: Why it was started.
        code: The project's code.
        stages: How every stage ended.
        artifacts: Folder by name of the artifacts `examples` or `evaluation`, `history` and `registration`, as far as they exist.
    """
    registered = _read(artifacts.get("registration"), REGISTRATION) or {}
    environment = _read(artifacts.get("history"), ENVIRONMENT)
    by_stage = {stage.stage: stage for stage in stages}
    return RunRecord(
        run=run,
        project=project.name,
        status="succeeded",
        reason=_summarize(stages),
        deployed="deploy" in by_stage and by_stage["deploy"].verdict in ("ok", "warn"),
        model_version=str(registered.get("version") or ""),
        variant=str(registered.get("variant") or ""),
        metrics=by_stage["evaluate"].metrics if "evaluate" in by_stage else {},
        cause=mask_credentials(cause),
        data=_describe_data(project, artifacts),
        code=code,
        environment=Environment(**environment) if environment else None,
        parameters=_list_parameters(project),
        champion=_read_champion(artifacts.get("evaluation")),
        stages=stages,
    )


def to_stage_record(end: StageEnd) -> StageRecord:
    """Convert how a stage ended, as its artifact's metadata holds it."""
    kept = {name: end[name] for name in ("verdict", "reason", "import_seconds", "work_seconds") if name in end}
    return StageRecord(end["stage"], metrics=find_metrics(end), **kept)


def find_metrics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Find the metrics in how a stage ended."""
    return {name.removeprefix(METRIC): value for name, value in metadata.items() if name.startswith(METRIC)}


def parse_commit(commit: str, fingerprint: str | None = None) -> Code:
    """Parse the run's parameter `code_commit`: a commit, `+dirty` after it when there were changes on top; empty: not known."""
    name = commit.removesuffix(_DIRTY)
    return Code(fingerprint, name, name != commit) if name else Code(fingerprint)


def format_commit(commit: str, *, dirty: bool) -> str:
    """Format a commit as the run's parameter `code_commit`."""
    return commit + _DIRTY if dirty else commit


def _summarize(stages: Sequence[StageRecord]) -> str:
    blocked = next((stage for stage in stages if stage.verdict == "blocked"), None)
    if not blocked:  # the model is the champion already: no gate blocked, and there is nothing to deploy
        blocked = next((stage for stage in stages if stage.stage == "evaluate" and stage.verdict == "skipped"), None)
    return f"nothing was deployed: {blocked.reason}" if blocked else stages[-1].reason


def _describe_data(project: Project, artifacts: Mapping[str, Path]) -> Data:
    source = mask_credentials(project.data.source)
    # not `Manifest.load`: `naru run`, which writes the laptop's record, imports no Arrow
    folder = artifacts.get("evaluation") or artifacts.get("examples")
    manifest = _read(folder, MANIFEST)
    if manifest is None:
        return Data(source)
    return Data(source, manifest["spans"], manifest["fingerprint"], manifest["rows"])


def _list_parameters(project: Project) -> dict[str, Any]:
    parameters = {
        "source": project.data.source,
        "spans": project.data.spans,
        "trials": project.tune.trials,
        "epochs": project.train.epochs,
        "project": json.loads(project.to_json()),
    }
    return dict(masked(parameters))


def _read_champion(evaluation: Path | None) -> Champion | None:
    compared = (_read(evaluation, COMPARED) or {}).get("champion")
    return Champion(*compared) if compared else None


def _read(folder: Path | None, name: str) -> Any:
    """Read a JSON file of an artifact; None without the artifact, or when an earlier Naru wrote none."""
    file = folder / name if folder else None
    return read_json(file) if file and file.is_file() else None
