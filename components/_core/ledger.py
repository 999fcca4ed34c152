"""The deployment ledger: append-only, one small JSON object per deployment in the object store; the last good one is the champion.

    <store>/<project>/deployments/000001.json

Any stage can ask who the champion is with no registry client and no server; MLflow's `champion` alias mirrors it.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime

from components._core.errors import ConfigError, ServiceError
from components._core.macros import check_replaced
from components._core.numbered import Numbered
from components._core.settings import Settings


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
        registration_sha256: SHA-256 of the list of the version's files and their digests (`digests.py`), which lies beside its
            model; empty in a line of an earlier Naru, whose files cannot be verified.
        split: Fingerprint of the definition of the split that it was trained with; empty in lines from before it was kept.
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
    registration_sha256: str = ""
    split: str = ""


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
    return [_read(name, content) for name, content in _series(store, project).read()]


def current_champion(store: str, project: str) -> Deployment | None:
    """The deployment in force: the last of the ledger; None before the first.

    Raises:
        ConfigError: When the ledger may not be read.
        ServiceError: When the last line is damaged: it is not passed over, or an older model would count as the champion.
        UnavailableError: When the ledger cannot be reached.
    """
    last = _series(store, project).read(last=1)
    return _read(*last[0]) if last else None


def append_deployment(store: str, project: str, deployment: Deployment) -> str:
    """Add a line to the ledger under the next number; returns its URI.

    Raises:
        UnavailableError: When the ledger cannot be reached or written.
    """
    return _series(store, project).append(asdict(deployment))


def _series(store: str, project: str) -> Numbered:
    return Numbered(f"{store.rstrip('/')}/{project}/deployments", "the deployment ledger", store)


def _read(name: str, content: bytes) -> Deployment:
    try:
        return _parse(content)
    except (ValueError, TypeError) as error:
        remedy = "restore the file, or move it away: the deployment before it is then the champion"
        raise ServiceError(f"the deployment ledger is damaged here: {error}", where=name, remedy=remedy) from None


def _parse(text: str | bytes) -> Deployment:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise TypeError("a mapping is needed")
    lacking = sorted({field.name for field in fields(Deployment) if field.default is MISSING} - raw.keys())
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    return Deployment(**raw)


def now() -> str:
    """This moment as ledgers have it: ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def who() -> str:
    """Who acts here."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user often has no name
        return "unknown"
