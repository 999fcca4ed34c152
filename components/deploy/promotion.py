"""Makes a version the champion: sets MLflow's alias, then writes the ledger's line, which is authoritative.

Promotions take turns (`claims.py`): each compares the champion that its version was judged against with the ledger's last line,
and writes the next line before any other promotion can.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from components._core.errors import ServiceError
from components._core.settings import Settings
from components._core.store.append_log import AppendLog
from components._core.store.claims import Claims
from components._core.store.ledger import (
    Deployment,
    append_deployment,
    current_champion,
    identity_of,
    now,
    open_log,
    who,
)
from components._registry.mlflow_client import CHAMPION, open_registry
from components._registry.sqlite_lock import when_unlocked


class ChampionChangedError(ServiceError):
    """Another version became the champion meanwhile.

    Args:
        compared: Version of the champion that the decision was based on; empty: there was none.
        now: The current champion; None: there is none.
        since: The step that looked the champion up, as in `since evaluate`.
        remedy: What to do.
    """

    def __init__(self, compared: str, now: Deployment | None, since: str, remedy: str) -> None:
        self.now = now
        current = f"version {now.version} ({now.at} by {now.by}: {now.why})" if now else "none"
        earlier = f"version {compared}" if compared else "none"
        super().__init__(f"champion changed since {since}: it was {earlier}, and is {current}", remedy=remedy)


@dataclass(frozen=True)
class Compared:
    """The champion that a decision is based on.

    Attributes:
        champion: Its identity (`Deployment.identity`); None: there was none.
        since: The step that looked the champion up, as in `since evaluate`.
        remedy: What to do when the champion has changed.
    """

    champion: tuple[str, str] | None
    since: str
    remedy: str

    def check(self, now: Deployment | None) -> None:
        """Compare it with the current champion.

        Raises:
            ChampionChangedError: When they differ.
        """
        if self.champion != (now.identity if now else None):
            raise ChampionChangedError(self.champion[0] if self.champion else "", now, self.since, self.remedy)


def promote(settings: Settings, project: str, registered: dict[str, Any], why: str, compared: Compared) -> Deployment:
    """Make a registered version the champion; a repeated call adds no line.

    Args:
        settings: Settings with the store and MLflow.
        project: The project's name.
        registered: Content of `registration.json`.
        why: The cause, in a sentence.
        compared: The champion that the version was compared with.

    Raises:
        ChampionChangedError: When another version is the champion by then; nothing is changed.
        ServiceError: When MLflow failed; the ledger is unchanged.
    """
    log = open_log(settings.store, project)
    claims = _claims(settings, project, registered, why)
    while True:
        last = log.last_name()
        before = current_champion(settings.store, project)
        if before is not None and before.identity == identity_of(registered["version"], registered["model"]):
            _follow_ledger(settings, project)
            return before
        compared.check(before)
        with claims.turn(last.removesuffix(".json") or "first", partial(_has_other_line, log, last)) as is_ours:
            if is_ours and _write_line(settings, project, line := to_deployment(registered, why), last):
                return line


def _write_line(settings: Settings, project: str, line: Deployment, last: str) -> bool:
    """Write a line unless another one follows `last`, as MLflow may outlast a claim; return whether it was written."""
    _set_alias(settings, project, line.version)
    is_ours = not _has_other_line(open_log(settings.store, project), last)
    if is_ours:
        append_deployment(settings.store, project, line)
    _follow_ledger(settings, project, line.version)
    return is_ours


def _claims(settings: Settings, project: str, registered: dict[str, Any], why: str) -> Claims:
    folder = f"{settings.store.rstrip('/')}/{project}/claims"
    facts = {"version": registered["version"], "at": now(), "by": who(), "why": why}
    return Claims(folder, " ".join(identity_of(registered["version"], registered["model"])), facts)


def _has_other_line(log: AppendLog, last: str) -> bool:
    return log.last_name() != last


def _set_alias(settings: Settings, project: str, version: str) -> None:
    def work() -> None:
        open_registry(settings.tracking_uri).set_registered_model_alias(project, CHAMPION, version)

    when_unlocked(settings.tracking_uri, work)


def _follow_ledger(settings: Settings, project: str, set_to: str = "") -> None:
    """Set the alias to the ledger's champion, and repeat while that changes meanwhile: so the last reader sets it right."""
    while (champion := current_champion(settings.store, project)) is not None and champion.version != set_to:
        set_to = champion.version
        _set_alias(settings, project, set_to)


def to_deployment(registered: dict[str, Any], why: str) -> Deployment:
    """Return the line of the ledger for a registered version: deployed now, by the user of this process."""
    return Deployment(
        version=registered["version"],
        model=registered["model"],
        statistics=registered["statistics"],
        schema=registered["schema"],
        metrics=registered["metrics"],
        fingerprint=registered["fingerprint"],
        run=registered["run"],
        at=now(),
        by=who(),
        why=why,
        registration_sha256=registered.get("registration_sha256", ""),
        split=registered.get("split", ""),
    )
