"""The deployment ledger: append-only, one small JSON object per deployment in the object store; the last good one is the champion.

    <store>/<project>/deployments/000001.json

Any stage can ask who the champion is with no registry client and no server; MLflow's `champion` alias mirrors it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError, ServiceError, UnavailableError
from components._core.filesystems import open_filesystem
from components._core.macros import check_replaced
from components._core.settings import Settings
from components._core.system_errors import from_system, is_for_the_person, remedy_for

_LINE = re.compile(r"(?:^|/)\d{6,}\.json$")


@dataclass(frozen=True)
class Deployment:
    """One line of the ledger.

    Attributes:
        version: The version in the model registry.
        model: URI of the model artifact's folder.
        statistics: URI of the statistics of the data it was trained on.
        schema: URI of the schema it was trained with.
        metrics: Its metrics when it was deployed.
        fingerprint: Of the examples it was trained on.
        run: The run that made it.
        at: When, as ISO 8601 with the zone.
        by: Who or what deployed it.
        why: The cause, in a sentence.
    """

    version: str
    model: str
    statistics: str
    schema: str
    metrics: dict[str, float]
    fingerprint: str
    run: str
    at: str
    by: str
    why: str


def _folder(store: str, project: str) -> str:
    return f"{store.rstrip('/')}/{project}/deployments"


def resolve_champion(parameter: str, project: str) -> Deployment | None:
    """The champion that a run's parameter names.

    Args:
        parameter: `auto` asks the ledger of the store in the environment, `none` is none; else a line of it as JSON. A word
            after `auto` says as of when, for a cache that goes by parameters.
        project: The project's name.

    Raises:
        ConfigError: When the parameter is none of these, or holds a macro that was not replaced.
        ServiceError: When the ledger is damaged.
        UnavailableError: When the ledger cannot be reached.
    """
    if parameter == "none":
        return None
    check_replaced("champion", parameter)
    if parameter.partition(" ")[0] == "auto":
        return current_champion(Settings.from_environment().store, project)
    try:
        return _parse(parameter)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"is no line of the deployment ledger: {error}",
            where="parameter champion",
            remedy="give `auto`, `none` or the JSON of a deployment",
        ) from None


def read_deployments(store: str, project: str) -> list[Deployment]:
    """All deployments of a project, oldest first; none when there was none. Errors as in `current_champion`."""
    with _reaching(store):
        filesystem, names = _lines(store, project)
        return [_read(filesystem, name) for name in names]


def current_champion(store: str, project: str) -> Deployment | None:
    """The deployment in force: the last of the ledger; None before the first.

    Raises:
        ConfigError: When the ledger may not be read.
        ServiceError: When the last line is damaged: it is not passed over, or an older model would count as the champion.
        UnavailableError: When the ledger cannot be reached.
    """
    with _reaching(store):
        filesystem, names = _lines(store, project)
        return _read(filesystem, names[-1]) if names else None


def append_deployment(store: str, project: str, deployment: Deployment) -> str:
    """Add a line to the ledger under the next number; returns its URI. A number is never written twice.

    On a folder the line is written aside and linked into place, in S3 it is put there on the condition that nothing is:
    either fails when another writer was first, and the next number is tried.

    Raises:
        UnavailableError: When the ledger cannot be reached or written.
    """
    text = json.dumps(asdict(deployment), indent=2, sort_keys=True) + "\n"
    with _reaching(store):
        filesystem, names = _lines(store, project)
        root = open_filesystem(_folder(store, project))[1]
        filesystem.makedirs(root, exist_ok=True)
        number = int(names[-1].rsplit("/", 1)[-1].removesuffix(".json")) + 1 if names else 1
        if "file" in filesystem.protocol:
            return _link_next(Path(root), number, text)
        return _put_next(filesystem, root, number, text)


def _put_next(filesystem: Any, root: str, number: int, text: str) -> str:
    while True:
        name = f"{root}/{number:06d}.json"
        try:
            filesystem.pipe_file(name, text.encode(), mode="create")
            return str(filesystem.unstrip_protocol(name))
        except FileExistsError:
            number += 1


def _link_next(root: Path, number: int, text: str) -> str:
    with tempfile.NamedTemporaryFile("w", dir=root, prefix=".", delete=False, encoding="utf-8") as aside:
        aside.write(text)
        aside.flush()
        os.fsync(aside.fileno())
    try:
        while True:
            target = root / f"{number:06d}.json"
            try:
                os.link(aside.name, target)
                return str(target)
            except FileExistsError:
                number += 1
    finally:
        Path(aside.name).unlink()


def _lines(store: str, project: str) -> tuple[Any, list[str]]:
    """The file system and the names of the ledger's files, oldest first."""
    filesystem, root = open_filesystem(_folder(store, project))
    try:  # not asked for by `exists`, which takes a folder that may not be entered for one that is not there
        there = filesystem.ls(root, detail=False)
    except FileNotFoundError:
        there = []
    return filesystem, sorted(str(name) for name in there if _LINE.search(str(name)))


def _read(filesystem: Any, name: str) -> Deployment:
    try:
        return _parse(filesystem.cat_file(name))
    except (ValueError, TypeError) as error:
        remedy = "restore the file, or move it away: the deployment before it is then the champion"
        raise ServiceError(f"the deployment ledger is damaged here: {error}", where=name, remedy=remedy) from None


def _parse(text: str | bytes) -> Deployment:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise TypeError("a mapping is needed")
    lacking = sorted({field.name for field in fields(Deployment)} - raw.keys())
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    return Deployment(**raw)


@contextmanager
def _reaching(store: str) -> Iterator[None]:
    """Turn what file systems raise into an error of ours; ValueError and ImportError: there is none of that name."""
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        if isinstance(error, OSError) and is_for_the_person(error):
            raise from_system(error, store) from error
        remedy = remedy_for(error) or "look at the store (NARU_STORE), then run again"
        raise UnavailableError(
            f"the deployment ledger cannot be reached: {error}", where=store, remedy=remedy
        ) from error
