"""The datasets of a project: the examples of its runs on this machine, and of the versions in its deployment ledger.

A dataset is named by its run, or by the version that was trained on it. Its manifest says what was read; the rows
themselves are kept on this machine, by the runs that made them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, SourceFile, read_batches
from components._core.examples.registered_manifest import fetch_manifest
from components._core.examples.row_hash import hash_rows
from components._core.files import hash_stream
from components._core.project.named_columns import check_columns_exist
from components._core.project.project_file import Project
from components._core.store.ledger import read_deployments
from components._core.suggestions import suggest
from components._core.types.artifact_files import MANIFEST, STATISTICS
from components._data.joins.joined_columns import join_name
from components._data.sources.contract import Source
from components._data.sources.registry import open_source
from components.validate.comparisons import fetch_statistics
from components.validate.drift import Shift, measure_shifts
from components.validate.statistics import Statistics, parse
from pipelines.local.run_history import read_runs
from pipelines.local.runner import absolute_data
from pipelines.local.workspace import Workspace


@dataclass(frozen=True)
class Dataset:
    """The examples of a run or a version.

    Attributes:
        name: The version, as `v3`, or the run.
        manifest: Its manifest.
        examples: The folder with the rows; None where they are not on this machine.
        version: Number of the version; None for a run.
        read_statistics: Reads the statistics of its training rows, or returns None and the reason.
    """

    name: str
    manifest: Manifest
    examples: Path | None = None
    version: str | None = None
    read_statistics: Callable[[], tuple[Statistics | None, str]] = lambda: (None, "it has no statistics")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.manifest.rows.values())

    @property
    def split(self) -> str:
        """How its rows were split, in a few words."""
        definition = self.manifest.split
        if definition is None:
            return "hash"
        kind = getattr(definition, "kind", "group" if definition.grouped else "hash")
        by = definition.columns if definition.grouped else tuple(filter(None, [getattr(definition, "column", "")]))
        return f"{kind} by {', '.join(by)}" if by else str(kind)


def list_datasets(workspace: Workspace, project: Project) -> list[Dataset]:
    """List the datasets of a project: of its runs, oldest first, and of the versions in the ledger, oldest first."""
    found = []
    for run in read_runs(workspace):
        examples = Path(run.record.get("artifacts", {}).get("examples", ""))
        if (examples / MANIFEST).is_file():
            statistics = Path(run.record["artifacts"].get("statistics", "")) / STATISTICS
            found.append(
                Dataset(run.name, Manifest.load(examples), examples, None, partial(_read_statistics, statistics))
            )
    by_fingerprint = {dataset.manifest.fingerprint: dataset.examples for dataset in found}
    versions: dict[str, Dataset] = {}
    for deployment in read_deployments(workspace.settings().store, project.name):
        if deployment.version not in versions and (manifest := fetch_manifest(deployment)) is not None:
            examples_of = by_fingerprint.get(manifest.fingerprint)
            statistics_of = partial(fetch_statistics, deployment)
            number = deployment.version
            versions[number] = Dataset(f"v{number}", manifest, examples_of, number, statistics_of)
    return [*found, *versions.values()]


def find_dataset(datasets: list[Dataset], name: str) -> Dataset:
    """Find a dataset by its version (`3` or `v3`), by its run, or a unique prefix or suffix of it; `last` is the newest run.

    Raises:
        ConfigError: When there is none, or more than one.
    """
    runs = [dataset for dataset in datasets if not dataset.name.startswith("v")]
    if name == "last" and runs:
        return runs[-1]
    exact = [dataset for dataset in datasets if dataset.name in (name, f"v{name}")]
    found = exact or [dataset for dataset in runs if dataset.name.startswith(name) or dataset.name.endswith(name)]
    if len(found) == 1:
        return found[0]
    names = [dataset.name for dataset in datasets]
    message = (
        f"{name!r} matches {len(found)} datasets" if found else f"there is no dataset {name!r}; {suggest(name, names)}"
    )
    raise ConfigError(message, where="naru data", remedy="name one as the list shows it: naru data ls PROJECT")


def _read_statistics(file: Path) -> tuple[Statistics | None, str]:
    try:
        return parse(file.read_bytes()), ""
    except FileNotFoundError:
        return None, "validate did not end in that run"
    except ValueError as error:
        return None, f"its statistics cannot be read: {error}"


def measure_drift(one: Dataset, other: Dataset) -> tuple[list[Shift], str]:
    """Measure how far the training rows of one dataset have moved from those of another, by column.

    Returns:
        How each common column moved, the furthest first; or none, and the reason.

    Raises:
        UnavailableError: When the store does not answer.
    """
    found = []
    for dataset in (one, other):
        statistics, reason = dataset.read_statistics()
        if statistics is None or not statistics.num_examples:
            return [], f"{dataset.name}: {reason or 'it has no training rows'}"
        found.append(statistics)
    shifts = measure_shifts(*found)
    return sorted(shifts, key=lambda shift: (math.isnan(shift.distance), -shift.distance, shift.feature)), ""


@dataclass(frozen=True)
class RowChanges:
    """How the rows of two datasets differ, by key.

    Attributes:
        added: Keys that only the other has.
        removed: Keys that only the first has.
        changed: Keys of both whose other cells differ.
        equal: Keys of both with equal cells.
    """

    added: int
    removed: int
    changed: int
    equal: int


def compare_rows(one: Dataset, other: Dataset, key: list[str]) -> RowChanges:
    """Compare the rows of two datasets by the values of some columns, with 16 bytes of memory for each row.

    Raises:
        ConfigError: When the rows of one are not on this machine, or the key is not a column of both.
        DataError: When two rows of one have the same key.
    """
    keys, contents = zip(*(_hash_dataset(dataset, key) for dataset in (one, other)), strict=True)
    shared, places, other_places = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    equal = int((contents[0][places] == contents[1][other_places]).sum())
    return RowChanges(len(keys[1]) - len(shared), len(keys[0]) - len(shared), len(shared) - equal, equal)


def _hash_dataset(dataset: Dataset, key: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the hash of each row's key, and of its other cells."""
    if dataset.examples is None:
        remedy = "rows are kept by the runs of this machine; compare two of those, or leave out --key"
        raise ConfigError(f"the rows of {dataset.name} are not on this machine", where="--key", remedy=remedy)
    check_columns_exist({"--key": key}, list(dataset.manifest.columns))
    others = [name for name in dataset.manifest.columns if name not in key]
    hashed = [
        (hash_rows(batch, key), hash_rows(batch, others))
        for split in SPLITS
        for batch in read_batches(dataset.examples, split)
    ]
    if not hashed:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    keys, contents = (np.concatenate(part) for part in zip(*hashed, strict=True))
    if (count := len(np.unique(keys))) < len(keys):
        message = f"{len(keys) - count:,} of {len(keys):,} rows of {dataset.name} have a key that another row has"
        raise DataError(message, where="--key", remedy="name the columns that identify a row")
    return keys, contents


@dataclass(frozen=True)
class FileState:
    """What became of a file of a dataset in its source.

    Attributes:
        file: The file, as the manifest has it.
        state: `unchanged`, `changed` or `missing`.
    """

    file: SourceFile
    state: str


def verify_files(workspace: Workspace, project: Project, dataset: Dataset) -> list[FileState]:
    """Read the files of a dataset again, those joined to it too, and compare them with their digests in its manifest.

    Raises:
        ConfigError: When the project's source is invalid.
        DataError: When the source has no file at all.
    """
    data = absolute_data(workspace, project)
    states = _verify_files(dataset.manifest.files, open_source(data.source, "skip"))
    joins = {join_name(data, number): join for number, join in enumerate(data.join)}
    for table in dataset.manifest.joined:
        join = joins.get(table.name)
        states += _verify_files(table.files, open_source(join.source, "fail", join.sql) if join else None)
    return states


def _verify_files(files: Sequence[SourceFile], source: Source | None) -> list[FileState]:
    known = {(file.span, file.name): file for file in source.list_files("all")} if source else {}
    states = []
    for file in files:
        found = known.get((file.span, file.path))
        state = "missing"
        if found is not None:
            with found.open() as stream:
                state = "unchanged" if hash_stream(stream) == file.sha256 else "changed"
        states.append(FileState(file, state))
    return states
