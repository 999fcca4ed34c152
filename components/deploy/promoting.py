"""Making a version the champion: MLflow's alias, then the ledger's line, which is what counts."""

from __future__ import annotations

from typing import Any

from components._core.ledger import Deployment, append_deployment, current_champion, now, who
from components._core.settings import Settings
from components._registry.opening import CHAMPION, open_registry
from components._registry.waiting import when_unlocked


def promote(settings: Settings, project: str, registered: dict[str, Any], why: str) -> Deployment:
    """Make a registered version the champion; done twice, it leaves one line.

    Args:
        settings: Where store and MLflow are.
        project: The project's name.
        registered: What register wrote into `registration.json`.
        why: The cause, in a sentence.

    Raises:
        ServiceError: When MLflow failed; the ledger is then as it was.
    """
    _set_alias(settings, project, registered["version"])
    before = current_champion(settings.store, project)
    if before is not None and (before.version, before.model) == (registered["version"], registered["model"]):
        return before
    deployment = _deployment(registered, why)
    append_deployment(settings.store, project, deployment)
    _follow_ledger(settings, project, registered["version"])
    return deployment


def _set_alias(settings: Settings, project: str, version: str) -> None:
    def work() -> None:
        open_registry(settings.tracking_uri).set_registered_model_alias(project, CHAMPION, version)

    when_unlocked(settings.tracking_uri, work)


def _follow_ledger(settings: Settings, project: str, version: str) -> None:
    """Where two runs promote at once, whoever looks last after its line sets the alias to the ledger's last line."""
    while (now := current_champion(settings.store, project)) is not None and now.version != version:
        version = now.version
        _set_alias(settings, project, version)


def _deployment(registered: dict[str, Any], why: str) -> Deployment:
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
