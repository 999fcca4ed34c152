"""What the join needs to know of a project, from its file and from its champion."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from components._core.errors import ConfigError, ServiceError
from components._core.examples.registered_manifest import fetch_manifest
from components._core.project.project_file import Project
from components._core.project.serving_config import RequestLogging
from components._core.request_log.location import log_uri
from components._core.request_log.posted_labels import posted_labels_uri
from components._core.store.ledger import Deployment, current_champion
from components._core.store.object_store import read_bytes
from components._core.suggestions import suggest
from components._core.types.artifact_files import SIGNATURE
from components._core.types.column_types import COLUMN_TYPES
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._data.sources.registry import absolute_location
from components._feedback.settings import FeedbackSettings
from components._feedback.span_store import feedback_home


def find_settings(project: Project, store: str, folder: Path) -> FeedbackSettings:
    """Collect what the join needs to know of a project: the section, the champion's signature, the types of its training rows.

    Args:
        project: The project.
        store: Root of the object store.
        folder: The project's folder, from which relative locations are resolved; a cluster has none of them.

    Raises:
        ConfigError: When the project has no such section, or no champion.
        ServiceError: When the champion's signature is missing or damaged.
        UnavailableError: When the store does not answer.
    """
    if project.feedback is None:
        remedy = (
            "add feedback.labels with their source and the column of the ids, or feedback.endpoint (docs/feedback.md)"
        )
        raise ConfigError("has no section feedback", where=project.name, remedy=remedy)
    champion = current_champion(store, project.name)
    if champion is None:
        remedy = f"train and deploy one: naru run {shlex.quote(str(folder))}"
        raise ConfigError("has no champion, whose answers could get labels", where=project.name, remedy=remedy)
    signature = _read_signature(champion)
    manifest = fetch_manifest(champion)
    columns = {} if manifest is None else manifest.columns
    types = {name: COLUMN_TYPES[kind].arrow for name, kind in columns.items() if kind in COLUMN_TYPES}
    config = project.feedback.located(lambda location: absolute_location(location, folder))
    _check_added_columns(config.columns, signature)
    _check_key(config.labels.key if config.labels else (), signature)
    log = log_uri(project.serve.request_log, store, project.name)
    return FeedbackSettings(
        project=project.name,
        log=log,
        home=feedback_home(store, project.name),
        config=config,
        label=project.label,
        label_type=types.get(project.label) or _label_type(signature),
        signature=signature,
        types=types,
        posted=posted_labels_uri(log) if config.endpoint else "",
        masked=_masked(project.serve.request_log, signature),
        readings=project.data.columns,
    )


def _masked(log: RequestLogging | None, signature: Signature) -> frozenset[str]:
    """Return the features whose values the log does not have: those of `mask`, and pictures of which it has a reference."""
    if log is None:
        return frozenset()
    pictures = signature.picture_names if log.pictures == "reference" else frozenset()
    return frozenset(log.mask) | pictures


def _read_signature(champion: Deployment) -> Signature:
    uri = f"{champion.model.rstrip('/')}/{SIGNATURE}"
    content = read_bytes(uri)
    try:
        return Signature.from_json(json.loads(content or b""))
    except (ValueError, LookupError, TypeError):
        problem = "is missing" if content is None else "is damaged"
        remedy = "restore it, or train and deploy again"
        raise ServiceError(f"the signature of the champion {problem}", where=uri, remedy=remedy) from None


def _check_added_columns(columns: Mapping[Any, str], signature: Signature) -> None:
    features = {feature.name for feature in signature.accepted}
    if taken := next((name for name in columns.values() if name in features), ""):
        message = f"names {taken!r}, which is a feature of the model"
        raise ConfigError(message, where="feedback.columns", remedy="give the added column another name")


def _check_key(key: Sequence[str], signature: Signature) -> None:
    names = [feature.name for feature in signature.accepted]
    if unknown := next((name for name in key if name not in names), ""):
        message = f"{unknown!r} is no feature of the model, so the log does not have it; {suggest(unknown, names)}"
        raise ConfigError(message, where="feedback.labels.key", remedy="name features, or join by id")


def _label_type(signature: Signature) -> pa.DataType:
    """Return the type of a label, where the manifest of the training rows is missing."""
    if not TASKS[signature.task].has_classes:
        return pa.float64()
    return pa.int64() if all(text.lstrip("-").isdigit() for text in signature.classes) else pa.string()
