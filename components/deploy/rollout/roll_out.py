"""A registered version brought into service on a deployment target: what deploy and `naru rollback` put in motion."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.examples.samples import Sample, beside
from components._core.project.project_file import Project
from components._core.request_log.location import log_uri
from components._core.settings import Settings
from components._core.store.file_digests import Digests, read_registered, warn_unverified
from components._core.store.ledger import Deployment, current_champion, identity_of
from components._core.store.object_store import fetch_file, find_missing, parent_of
from components._core.types.artifact_files import SAMPLE, SIGNATURE
from components._core.types.signature import Feature, Signature
from components._frameworks.project_rules import check_served_model
from components._frameworks.table import missing_model_files, needs_tensorflow
from components.deploy.parity import check_answer, check_parity, check_refusal
from components.deploy.rollout.canary_step import Predictions
from components.deploy.rollout.logged_predictions import read_predictions
from components.deploy.rollout.proof import Prove
from components.deploy.rollout.state_machine import ReadPredictions, Result, Rollout, State, Wanted
from components.deploy.targets.contract import ModelVersion, RolloutTarget, ServerClient


@dataclass(frozen=True)
class Registered:
    """A registered version, with what its servers must know of it.

    Attributes:
        model: The version.
        features: Names of the model's inputs.
        missing_files: URIs of missing files of the model.
        prove: Parity test of one of its servers.
        ask: One request to one of its servers, which may be copied to another version, or answered by it.
    """

    model: ModelVersion
    features: tuple[str, ...]
    missing_files: tuple[str, ...]
    prove: Prove
    ask: Prove


def open_registered(project: Project, model: ModelVersion, target: RolloutTarget, registration: str) -> Registered:
    """Read what the servers of a registered version need.

    Args:
        project: The project.
        model: The version; its offline answers lie beside it in the store.
        target: Where it is served.
        registration: SHA-256 of the version's registration, by the ledger; empty: it is of an earlier Naru.

    Raises:
        ConfigError: When the servers of the target cannot serve it.
        ModelError: When what lies in the store is not what was registered.
        ServiceError: When the store has no offline answers of it, or cannot be reached.
    """
    model = replace(model, needs_tensorflow=needs_tensorflow(model.uri))
    if model.needs_tensorflow or not target.has_onnx_image:
        check_served_model(model.uri, target.extras)
    listed = _read_list(model, registration)
    model = replace(model, sha256=listed.model if listed else "")
    sample, features = fetch_sample(model, listed)
    bound = project.gates.serving.parity
    return Registered(
        model,
        tuple(feature.name for feature in features),
        tuple(missing_model_files(model.uri)),
        prove=_prover(sample, features, bound),
        ask=lambda client: check_answer(client, sample, features, model.version, bound),
    )


def roll_out(
    project: Project,
    settings: Settings,
    model: ModelVersion,
    *,
    target: RolloutTarget,
    why: str,
    shares: Sequence[int],
    check: Callable[[Deployment | None], None] | None = None,
    registration: str = "",
) -> Result:
    """Bring a registered version into service, or back out.

    Args:
        project: The project.
        settings: Where the store is.
        model: The version; its offline answers lie beside it in the store.
        target: Where it is served.
        why: The cause, in a sentence.
        shares: Percents on the way; none: all at once, when it has been proved.
        check: Is given the ledger's champion before the version gets requests, and raises when it may not have them.
        registration: SHA-256 of the version's registration, by the ledger; empty: it is of an earlier Naru.

    Raises:
        ConfigError: When it is refused before anything was touched.
        ModelError: When what lies in the store is not what was registered.
        ServiceError: When target, store or ledger cannot be reached before anything was touched, or others changed it.
    """
    opened = open_registered(project, model, target, registration)
    champion = current_champion(settings.store, project.name)
    wanted = Wanted(
        project,
        opened.model,
        settings.store,
        why,
        prove=opened.prove,
        predictions=_reader(project, settings.store),
        shares=tuple(shares),
        missing_files=opened.missing_files,
        features=opened.features,
        champion=version_of_line(champion) if champion else None,
        confirm=None if check is None else _confirmer(settings, project.name, opened.model, check),
    )
    return Rollout(target, wanted).run()


def put_back(project: Project, settings: Settings, champion: Deployment | None, *, target: RolloutTarget) -> None:
    """Bring the ledger's champion back into service, when another version was brought there and may not stay.

    Raises:
        ServiceError: When that fails: with what is served now, and what to do.
    """
    if champion is None:
        return
    why = f"version {champion.version} is the champion: it became so while another version was rolled out"
    result = roll_out(project, settings, version_of_line(champion), target=target, why=why, shares=())
    if result.state is not State.DONE:
        message = f"version {champion.version} is the champion, and another one is served: {result.reason}"
        remedy = f"bring it back: naru rollback --to {champion.version}"
        raise ServiceError(message, where=project.name, remedy=remedy)


def version_of_line(deployment: Deployment) -> ModelVersion:
    """What a line of the deployment ledger says was served."""
    return ModelVersion(deployment.version, deployment.model)


def _read_list(model: ModelVersion, registration: str) -> Digests | None:
    listed = read_registered(parent_of(model.uri), registration)
    if listed is None:
        warn_unverified(model.uri)
    return listed


def fetch_sample(model: ModelVersion, listed: Digests | None = None) -> tuple[Sample, tuple[Feature, ...]]:
    """The offline answers of a registered version, and what it takes.

    Args:
        model: The version.
        listed: The files that were registered; None: unknown.

    Raises:
        ModelError: When they are not the registered ones.
        ServiceError: When the store has none: nothing can be proved then.
    """
    with tempfile.TemporaryDirectory(prefix="naru-sample-") as temporary:
        uri = beside(model.uri)
        if find_missing(parent_of(uri), [SAMPLE]):
            remedy = "train it again; versions of an earlier Naru have none"
            message = f"version {model.version} has no offline answers to be held against"
            raise ServiceError(message, where=uri, remedy=remedy)
        answers = fetch_file(uri, Path(temporary))
        signature = fetch_file(f"{model.uri}/{SIGNATURE}", Path(temporary))
        if listed:
            listed.check_file(answers, SAMPLE)
            listed.check_file(signature, f"{model.uri.rstrip('/').rpartition('/')[2]}/{SIGNATURE}")
        return Sample.load(answers), Signature.load(signature.parent).inputs


def _confirmer(
    settings: Settings, project: str, model: ModelVersion, check: Callable[[Deployment | None], None]
) -> Callable[[], None]:
    def confirm() -> None:
        champion = current_champion(settings.store, project)
        if champion is None or champion.identity != identity_of(model.version, model.uri):
            check(champion)

    return confirm


def _prover(sample: Sample, features: tuple[Feature, ...], bound: float) -> Prove:
    def prove(client: ServerClient) -> list[Check]:
        return [*check_parity(client, sample, features, bound), check_refusal(client, sample, features)]

    return prove


def _reader(project: Project, store: str) -> ReadPredictions | None:
    if project.serve.request_log is None:
        return None
    uri = log_uri(project.serve.request_log, store, project.name)

    def read(new: str, old: str, since: float) -> Predictions:
        found: dict[str, list[Any]] = read_predictions(uri, (new, old), datetime.fromtimestamp(since, UTC))
        return found[new], found[old]

    return read
