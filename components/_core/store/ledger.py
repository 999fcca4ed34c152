"""The deployment ledger: append-only, one small JSON object per deployment in the object store; the last one is the champion.

    <store>/<project>/deployments/000001-0199c3a1b2c4d5e6f7a8b9c0.json      (`append_log.py` says what the name holds)

Any stage can find the champion without a registry client or server; MLflow's `champion` alias mirrors it.

Addresses within the store are kept relative to it (`store:flights/models/...`), so that a store can be moved, or
restored elsewhere from a backup. In this module they are absolute: a line is resolved against the store that it is read
from.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from components._core.errors import ConfigError, ServiceError
from components._core.project.placeholders import check_replaced
from components._core.settings import Settings
from components._core.store.append_log import AppendLog
from components._core.store.store_addresses import resolve, shorten, within_project
from components._core.suggestions import suggest

CHAMPION = "champion"
"""What a person writes for the version that serves."""


@dataclass(frozen=True)
class Deployment:
    """One line of the ledger.

    Attributes:
        version: The version in the model registry.
        model: URI of the model artifact's folder.
        statistics: URI of the statistics of the data it was trained on.
        schema: URI of the schema it was trained with.
        metrics: Metrics of the version when it was deployed.
        fingerprint: Fingerprint of the examples that it was trained on.
        run: The run that produced the version.
        at: Time, as ISO 8601 with the zone.
        by: Person or program that deployed it.
        why: The cause, in a sentence.
        registration_sha256: SHA-256 of the list of the version's files and their digests (`file_digests.py`), which
            lies beside its model; empty in a line of an earlier Naru, whose files cannot be verified.
        split: Fingerprint of the definition of the split that it was trained with; empty in lines from before it was
            kept.
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

    @property
    def identity(self) -> tuple[str, str]:
        """Identity of the version, independent of the store's location: equal in two lines of one version."""
        return identity_of(self.version, self.model)


_ADDRESSES = ("model", "statistics", "schema")


def identity_of(version: str, model: str) -> tuple[str, str]:
    """Return the version's number and its model's path below the project's models; see `Deployment.identity`."""
    return version, within_project(model)


def resolve_champion(parameter: str, project: str) -> Deployment | None:
    """Resolve the champion that a run's parameter names.

    Args:
        parameter: `auto` reads the ledger of the store in the environment, `none` means no champion; else a line as
            JSON. A word after `auto` only makes the parameter unique for KFP's cache.
        project: The project's name.

    Raises:
        ConfigError: When the parameter is none of these, or has a placeholder that was not replaced.
        ServiceError: When the ledger is damaged.
        UnavailableError: When the ledger cannot be reached.
    """
    if parameter == "none":
        return None
    check_replaced("champion", parameter)
    if parameter.partition(" ")[0] == "auto":
        return current_champion(Settings.from_environment().store, project)
    try:
        return _resolve(_parse(parameter), Settings.from_environment().store, project)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"is not a line of the deployment ledger: {error}",
            where="parameter champion",
            remedy="give `auto`, `none` or the JSON of a deployment",
        ) from None


def read_deployments(store: str, project: str) -> list[Deployment]:
    """Read all deployments of a project, oldest first. Errors as in `current_champion`."""
    return [_read(name, content, store, project) for name, content in open_log(store, project).read()]


def find_deployment(lines: list[Deployment], version: str) -> Deployment:
    """The newest line of a version that a person names.

    Args:
        lines: The project's lines, at least one.
        version: A version's number, with or without `v`; or `champion`, the last line.

    Raises:
        ConfigError: When it was never deployed.
    """
    if version == CHAMPION:
        return lines[-1]
    found = [line for line in lines if line.version == version.removeprefix("v")]
    if not found:
        known = list(dict.fromkeys(line.version for line in lines))
        message = f"there is no deployed version {version!r}; {suggest(version, [*known, CHAMPION])}"
        raise ConfigError(message, where="--version", remedy="naru ledger shows what was deployed when")
    return found[-1]


def current_champion(store: str, project: str) -> Deployment | None:
    """Return the current deployment: the last line of the ledger; None before the first.

    Raises:
        ConfigError: Without permission to read the ledger.
        ServiceError: When the last line is damaged: skipping it would make an older model the champion.
        UnavailableError: When the ledger cannot be reached.
    """
    last = open_log(store, project).read(last=1)
    return _read(*last[0], store, project) if last else None


def append_deployment(store: str, project: str, deployment: Deployment) -> str:
    """Add a line to the ledger under the next number; returns its URI.

    Raises:
        UnavailableError: When the ledger cannot be reached or written.
    """
    line = encode_deployment(deployment, store)
    return open_log(store, project).append(line, beside=[open_rollouts(store, project)])


def encode_deployment(deployment: Deployment, store: str) -> dict[str, Any]:
    """Return a deployment as a line has it: addresses within the store are relative to it."""
    return {**asdict(deployment), **{name: shorten(getattr(deployment, name), store) for name in _ADDRESSES}}


def decode_deployment(line: dict[str, Any], store: str, project: str) -> Deployment:
    """Restore a deployment from `encode_deployment`, with the addresses of the store of now.

    Raises:
        ValueError: When fields are missing.
        TypeError: When a field has another type.
    """
    return _resolve(_parse(json.dumps(line)), store, project)


def open_log(store: str, project: str) -> AppendLog:
    """Open the deployment ledger."""
    return AppendLog(f"{store.rstrip('/')}/{project}/deployments", "the deployment ledger", store)


def open_rollouts(store: str, project: str) -> AppendLog:
    """Open the rollout history (`rollout_history.py`)."""
    return AppendLog(f"{store.rstrip('/')}/{project}/rollouts", "the rollout history", store)


def _read(name: str, content: bytes, store: str, project: str) -> Deployment:
    try:
        return _resolve(_parse(content), store, project)
    except (ValueError, TypeError) as error:
        remedy = "restore the file, or move it away: the deployment before it is then the champion"
        raise ServiceError(f"damaged line of the deployment ledger: {error}", where=name, remedy=remedy) from None


def _parse(text: str | bytes) -> Deployment:
    """Parse a line: of this Naru, of an earlier one (without fields that have a default), or of a later one (with more)."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise TypeError("must be a mapping")
    lacking = sorted({field.name for field in fields(Deployment) if field.default is MISSING} - raw.keys())
    if lacking:
        raise ValueError(f"missing {', '.join(lacking)}")
    if wrong := [name for name in ("version", *_ADDRESSES) if not isinstance(raw[name], str)]:
        raise TypeError(f"{', '.join(wrong)} must be text")
    return Deployment(**{field.name: raw[field.name] for field in fields(Deployment) if field.name in raw})


def _resolve(line: Deployment, store: str, project: str) -> Deployment:
    whole: dict[str, Any] = {name: resolve(getattr(line, name), store, project) for name in _ADDRESSES}
    return replace(line, **whole)


def now() -> str:
    """Return the current time, ISO 8601 UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def who() -> str:
    """Return the user that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user often has no name
        return "unknown"
