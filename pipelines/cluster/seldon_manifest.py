"""The SeldonDeployment of a project, checked and as YAML: what would be applied, to read, to keep in git, or to pipe to kubectl."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ConfigError, NaruError, UnavailableError
from components._core.project.project_file import Project, load_project
from components._core.store.file_digests import read_registered
from components._core.store.ledger import current_champion
from components._core.store.live_tests import LiveTestRecord
from components._core.store.object_store import absolute_uri, fetch_file, parent_of
from components._core.types.artifact_files import SIGNATURE
from components._core.types.signature import Signature
from components._frameworks.project_rules import check_servers
from components._frameworks.table import framework_at, missing_model_files, needs_tensorflow
from components.deploy.targets.contract import ModelVersion
from components.deploy.targets.placement import Placement, check_log, describe_missing_gauges
from components.deploy.targets.seldon.manifest import Canary, Challenger, render_deployment, render_live_test
from components.deploy.targets.seldon.preflight import check_deployment
from components.deploy.targets.seldon.store_secret import read_secret_keys
from pipelines.cluster.server_placement import place_servers
from pipelines.compile_target import Target
from pipelines.local.workspace import find_workspace


@dataclass(frozen=True)
class Choice:
    """What the command line says; empty: the champion, no canary, no namespace."""

    model: str = ""
    version: str = ""
    canary_model: str = ""
    canary_version: str = ""
    challenger_model: str = ""
    challenger_version: str = ""
    mesh_shadow: bool = False
    weight: int = 10
    namespace: str = ""
    check_secret: bool = False


@dataclass(frozen=True)
class RenderedDeployment:
    """What the command prints.

    Attributes:
        text: The object as YAML.
        remarks: What could not be looked at, and why.
    """

    text: str
    remarks: list[str]


def render_manifest(folder: Path, choice: Choice, target: Target) -> RenderedDeployment:
    """Render and check the object of a project.

    Raises:
        ConfigError: With every problem in it; when there is no champion and no model is named; when no pool has the name.
        ServiceError: When the cluster or the ledger cannot be read.
    """
    project = load_project(folder)
    remarks: list[str] = []
    stable, canary = _stable(project, folder, choice, remarks), _canary(choice, remarks)
    placement = replace(
        place_servers(project, target, choice.namespace), store=absolute_uri(find_workspace(folder).settings().store)
    )
    check_log(project, placement, placement.store)
    if missing := describe_missing_gauges(project, placement, placement.store):
        remarks.append(missing)
    challenger = _challenger(project, choice, stable, remarks)
    objects = (
        render_live_test(project, stable, challenger, placement)
        if challenger
        else [render_deployment(project, stable, placement, canary)]
    )
    wanted = objects[0]
    others = [each.model for each in (canary, challenger) if each]
    lacking = _look(remarks, placement, stable, *others)
    keys = _secret_keys(project, choice.namespace) if choice.check_secret else None
    check_deployment(wanted, keys, lacking, _features(project, stable))
    return RenderedDeployment(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True), remarks)


def _stable(project: Project, folder: Path, choice: Choice, remarks: list[str]) -> ModelVersion:
    if choice.model and choice.version:
        return _with_digest(_version("--model", choice.model, choice.version), "", remarks)
    if choice.model or choice.version:
        raise ConfigError("found one of --model and --version", remedy="give both, or neither: the champion then")
    champion = current_champion(find_workspace(folder).settings().store, project.name)
    if champion is None:
        remedy = "name one: --model s3://... --version 3; or say the NARU_STORE whose ledger has one"
        raise ConfigError("has no champion to serve yet", where=project.name, remedy=remedy)
    model = ModelVersion(champion.version, absolute_uri(champion.model))
    return _with_digest(model, champion.registration_sha256, remarks)


def _canary(choice: Choice, remarks: list[str]) -> Canary | None:
    if bool(choice.canary_model) != bool(choice.canary_version):
        raise ConfigError("found one of --canary-model and --canary-version", remedy="give both, or neither")
    if not choice.canary_model:
        return None
    model = _version("--canary-model", choice.canary_model, choice.canary_version)
    return Canary(_with_digest(model, "", remarks), choice.weight)


def _challenger(project: Project, choice: Choice, stable: ModelVersion, remarks: list[str]) -> Challenger | None:
    """The version of a live test by the rules of the project; None when none is named."""
    if bool(choice.challenger_model) != bool(choice.challenger_version):
        raise ConfigError("found one of --challenger-model and --challenger-version", remedy="give both, or neither")
    if not choice.challenger_model:
        if choice.mesh_shadow:
            raise ConfigError("--mesh-shadow needs --challenger-model and --challenger-version")
        return None
    if choice.canary_model:
        raise ConfigError("found a canary and a version in a live test", remedy="give one of them")
    test = project.serve.live_test
    if test is None:
        remedy = "set serve.rollout: shadow or ab in project.yaml"
        raise ConfigError("the project has no live test", where="--challenger-model", remedy=remedy)
    if choice.mesh_shadow and (project.serve.mesh != "istio" or project.serve.rollout != "shadow"):
        remedy = "set serve.mesh: istio and serve.rollout: shadow, or leave it out: the champion's servers copy the requests then"
        raise ConfigError("Seldon's own shadow needs a mesh", where="--mesh-shadow", remedy=remedy)
    if project.serve.mesh == "istio" and not choice.mesh_shadow:
        remedy = "give --mesh-shadow, or set serve.mesh: none"
        raise ConfigError(
            "a mesh holds the weights, and would send users' requests to the version under test",
            where="serve.mesh",
            remedy=remedy,
        )
    model = _version("--challenger-model", choice.challenger_model, choice.challenger_version)
    name = f"by-hand-{stable.version}-{model.version}"
    began = LiveTestRecord("began", "", model.version, mode=project.serve.rollout, settings=test.model_dump())
    return Challenger(_with_digest(model, "", remarks), began, name, choice.mesh_shadow)


def _with_digest(model: ModelVersion, registration: str, remarks: list[str]) -> ModelVersion:
    """The version with what its servers must know of it, where the store can be reached; else a remark.

    Raises:
        ModelError: When the version's list of files is not the registered one.
    """
    try:
        listed = read_registered(parent_of(model.uri), registration)
        model = replace(model, needs_tensorflow=needs_tensorflow(model.uri))
    except (ConfigError, UnavailableError) as error:
        remarks.append(f"servers do not verify the model: {model.uri}: {error.message}")
        return model
    return replace(model, sha256=listed.model if listed else "")


def _version(option: str, uri: str, version: str) -> ModelVersion:
    if "://" not in uri:
        raise ConfigError(f"found {uri!r}; allowed: s3://bucket/folder", where=option)
    return ModelVersion(version, uri.rstrip("/"))


def _look(remarks: list[str], placement: Placement, *models: ModelVersion) -> list[str]:
    """Files that are missing; a remark where one cannot be looked at: the store of a cluster is often out of reach from here."""
    lacking: list[str] = []
    for model in models:
        try:
            framework = framework_at(model.uri)
            lacking += missing_model_files(model.uri)
        except (ConfigError, UnavailableError) as error:
            remarks.append(f"not looked at: {model.uri}: {error.message}")
            continue
        if framework and (model.needs_tensorflow or not placement.onnx_image):
            check_servers(framework, placement.extras, model.uri)
    return lacking


def _features(project: Project, model: ModelVersion) -> list[str] | None:
    """What the model takes, where that is of use; None: it cannot be read from here."""
    if project.serve.request_log is None or not project.serve.request_log.mask:
        return None
    with tempfile.TemporaryDirectory(prefix="naru-signature-") as temporary:
        try:
            folder = fetch_file(f"{model.uri}/{SIGNATURE}", Path(temporary)).parent
            return [feature.name for feature in Signature.load(folder).accepted]
        except NaruError:
            return None


def _secret_keys(project: Project, namespace: str) -> set[str] | None:
    if project.serve.secret and not namespace:
        raise ConfigError("--check-secret needs --namespace", remedy="say where the Secret is: --namespace NAME")
    return read_secret_keys(Cluster(), project, namespace) if project.serve.secret else None
