"""Checks a SeldonDeployment before it is applied, and reports every violation at once.

Half of the rules are those of the operator's webhook (1.17.1), which reports one violation at a time and only on the cluster.
The other half covers what it accepts and what then fails silently: variables that vanish, missing models, names that become a
hash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from components._core.errors import ConfigError
from components._core.project.validation_messages import format_errors
from components._core.setting_names import LOG_KEY
from components._core.suggestions import listed
from components.deploy.server_command import LOG, LOG_HASH, LOG_MASK
from components.deploy.targets.seldon.objects import NO_ENGINE, Predictor, SeldonDeployment

LONGEST_NAME = 63
PROTOCOLS = ("seldon", "tensorflow", "kfserving", "v2")
TRANSPORTS = ("rest", "grpc")
RESERVED = ("MLSERVER_METRICS_", "PREDICTIVE_UNIT_", "PREDICTOR_", "SELDON_")
"""Prefixes of variables that the operator sets; one of them in a container drops it and all variables before it."""
RESERVED_NAMES = ("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "MLSERVER_MODEL_NAME", "MLSERVER_MODEL_URI")
_STORES = ("s3://", "gs://")
"""Addresses that the operator's rclone copies a model from; a section of the Secret has the scheme's name."""
_GOOGLE_KEYS = ("RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS",)
_LOG_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Violation:
    """A violation of one rule, printed as one line.

    Attributes:
        path: Path in the object.
        found: The value found.
        allowed: Allowed values.
        remedy: What to do.
    """

    path: str
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}; allowed: {self.allowed} -> {self.remedy}"


def check_deployment(
    wanted: dict[str, Any],
    secret_keys: Collection[str] | None = None,
    missing: Sequence[str] = (),
    features: Collection[str] | None = None,
) -> None:
    """Check an object against every rule.

    Args:
        wanted: The object.
        secret_keys: Keys of the Secret for the store; None: unknown, so not checked.
        missing: URIs of missing files of the models.
        features: Names of the models' inputs; None: unknown, so not checked.

    Raises:
        ConfigError: With one line for each violation.
    """
    where = f"SeldonDeployment {wanted.get('metadata', {}).get('name', '')}".strip()
    try:
        deployment = SeldonDeployment.model_validate(wanted)
    except ValidationError as error:
        raise _refusal(format_errors(error.errors(), SeldonDeployment, set()), where) from None
    violations = [*find_violations(deployment), *_missing_files(missing)]
    if secret_keys is not None:
        violations += [*_secret(deployment, secret_keys), *_log_secret(deployment, secret_keys)]
    violations += _hash_key(deployment, secret_keys)
    if features is not None:
        violations += _masks(deployment, features)
    if violations:
        raise _refusal([str(violation) for violation in violations], where)


def find_violations(deployment: SeldonDeployment) -> list[Violation]:
    """Find every violation in the object itself."""
    webhook_rules = (_enums, _predictors, _traffic, _shadows, _containers, _engine)
    own_rules = (_environment, _names, _autoscaling, _model_uris, _log_uris)
    return [violation for rule in (*webhook_rules, *own_rules) for violation in rule(deployment)]


def _refusal(lines: list[str], where: str) -> ConfigError:
    return ConfigError(lines[0] if len(lines) == 1 else "\n  " + "\n  ".join(lines), where=where)


def _each(deployment: SeldonDeployment) -> Iterator[tuple[str, Predictor]]:
    for number, predictor in enumerate(deployment.spec.predictors):
        yield f"spec.predictors[{number}]", predictor


def _enums(deployment: SeldonDeployment) -> Iterator[Violation]:
    spec = deployment.spec
    if spec.protocol not in PROTOCOLS:
        yield Violation(
            "spec.protocol", repr(spec.protocol), listed(PROTOCOLS), "Naru's servers support 'v2' and 'seldon'"
        )
    if spec.transport and spec.transport not in TRANSPORTS:
        remedy = "leave it out: both ports are open"
        yield Violation("spec.transport", repr(spec.transport), listed(TRANSPORTS), remedy)


def _predictors(deployment: SeldonDeployment) -> Iterator[Violation]:
    names = [predictor.name for predictor in deployment.spec.predictors]
    if not names:
        yield Violation("spec.predictors", "none", "one or more", "add the version to serve")
    for name in sorted({name for name in names if names.count(name) > 1}):
        remedy = "the canary is the version that is served already: leave it out"
        yield Violation("spec.predictors", f"{name!r} {names.count(name)} times", "unique names", remedy)


def _traffic(deployment: SeldonDeployment) -> Iterator[Violation]:
    serving = [(path, one) for path, one in _each(deployment) if not one.shadow]
    if len(deployment.spec.predictors) == 1:
        for path, one in serving:
            if one.traffic not in (None, 100):
                yield Violation(f"{path}.traffic", str(one.traffic), "100, or none", "leave it out: it is the only one")
        return
    weights = [one.traffic or 0 for _, one in serving]
    if len(serving) > 1 and sum(weights) != 100:
        message = f"{' + '.join(map(str, weights))} = {sum(weights)}"
        yield Violation("spec.predictors[].traffic", message, "100 in all", "correct the weights")
    for path, one in serving if len(serving) > 1 else ():
        if (one.traffic or 0) <= 0:
            remedy = "choose another weight, or remove the predictor: not every mesh keeps to a weight of 0"
            yield Violation(f"{path}.traffic", str(one.traffic or 0), "1 to 99", remedy)


def _shadows(deployment: SeldonDeployment) -> Iterator[Violation]:
    shadows = [(path, one) for path, one in _each(deployment) if one.shadow]
    if len(shadows) > 1:
        yield Violation("spec.predictors", f"{len(shadows)} shadows", "one at most", "keep one of them")
    if shadows and len(shadows) == len(deployment.spec.predictors):
        yield Violation(
            shadows[0][0], "only a shadow", "a shadow beside a predictor that answers", "add the predictor that answers"
        )
    for path, one in shadows:
        if not 0 <= (one.traffic or 0) <= 100:
            yield Violation(f"{path}.traffic", str(one.traffic), "0 to 100", "correct the weight")


def _containers(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, predictor in _each(deployment):
        for node in predictor.graph.walk():
            if not node.implementation and node.name not in predictor.container_names:
                remedy = f"rename the node's container to {node.name!r}"
                found = f"no container {node.name!r}"
                yield Violation(f"{path}.graph", found, f"one of {listed(predictor.container_names)}", remedy)


def _engine(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, predictor in _each(deployment):
        nodes = len(list(predictor.graph.walk()))
        if NO_ENGINE in predictor.annotations and nodes > 1:
            found = f"{NO_ENGINE} and a graph of {nodes} nodes"
            yield Violation(f"{path}.annotations", found, "a graph of one node with it", "set engine: true under serve")


def _environment(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, container in _each_container(deployment):
        for variable in container.get("env", []):
            if _is_reserved(variable["name"]):
                remedy = "remove it: the operator sets it, and would drop it and all variables before it"
                yield Violation(
                    path, f"the variable {variable['name']}", "variables that the operator does not set", remedy
                )


def _is_reserved(name: str) -> bool:
    return name in RESERVED_NAMES or name.startswith(RESERVED)


def _names(deployment: SeldonDeployment) -> Iterator[Violation]:
    """Check the longest name that the operator makes, the Deployment's: object, predictor, number, containers."""
    for path, predictor in _each(deployment):
        for number, component in enumerate(predictor.componentSpecs):
            containers = [str(container.get("name")) for container in component.containers]
            name = "-".join([deployment.metadata.name, predictor.name, str(number), *containers])
            if len(name) > LONGEST_NAME:
                message = f"the Deployment name {name!r} with {len(name)} characters"
                remedy = (
                    f"shorten the project's name by {(len(name) - LONGEST_NAME + 1) // 2}; otherwise it becomes a hash"
                )
                yield Violation(path, message, f"{LONGEST_NAME} at most", remedy)


def _autoscaling(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, predictor in _each(deployment):
        for component in predictor.componentSpecs:
            scaler = component.hpaSpec
            if scaler and scaler.minReplicas > scaler.maxReplicas:
                message = f"minReplicas {scaler.minReplicas} above maxReplicas {scaler.maxReplicas}"
                yield Violation(f"{path}.hpaSpec", message, "min up to max", "correct serve.autoscaling")


def _model_uris(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, predictor in _each(deployment):
        for node in predictor.graph.walk():
            if not node.modelUri.startswith(_STORES):
                remedy = "a pod cannot reach it: name the model's folder in the store of the cluster"
                found = repr(node.modelUri) if node.modelUri else "none"
                yield Violation(f"{path}.graph.modelUri", found, "s3://bucket/folder, gs://bucket/folder", remedy)


def _log_uris(deployment: SeldonDeployment) -> Iterator[Violation]:
    for path, container in _each_container(deployment):
        uri = _option(container, LOG)
        if uri is not None and not uri.startswith(_STORES):
            remedy = "a pod cannot write there: set serve.request_log.uri, or the cluster's NARU_STORE"
            yield Violation(f"{path} --log", repr(uri), "s3://bucket/folder, gs://bucket/folder", remedy)


def _masks(deployment: SeldonDeployment, features: Collection[str]) -> Iterator[Violation]:
    for path, container in _each_container(deployment):
        for name in filter(None, (_option(container, LOG_MASK) or "").split(",")):
            if name not in features:
                remedy = "correct serve.request_log.mask: the server would not start"
                yield Violation(f"{path} --log-mask", repr(name), f"features: {listed(sorted(features))}", remedy)


def _hash_key(deployment: SeldonDeployment, keys: Collection[str] | None) -> Iterator[Violation]:
    """Check the key of the log's hashes: a cloud identity is no substitute, and a server without it does not start."""
    for path, container in _each_container(deployment):
        if _option(container, LOG_HASH) is None:
            continue
        name = next((source["secretRef"]["name"] for source in container.get("envFrom", [])), "")
        remedy = f"add {LOG_KEY} to the Secret of serve.secret (docs/serving.md), or empty serve.request_log.hash"
        if not name:
            yield Violation(f"{path} {LOG_HASH}", "no Secret", f"one with the key {LOG_KEY}", remedy)
        elif keys is not None and LOG_KEY not in keys:
            found = f"the keys {listed(sorted(keys))}" if keys else "no keys"
            yield Violation(f"Secret {name}", found, f"{LOG_KEY} among them", remedy)


def _each_container(deployment: SeldonDeployment) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, predictor in _each(deployment):
        for component in predictor.componentSpecs:
            for container in component.containers:
                yield f"{path} container {container.get('name')}", container


def _option(container: dict[str, Any], name: str) -> str | None:
    arguments = list(container.get("args", []))
    return str(arguments[arguments.index(name) + 1]) if name in arguments[:-1] else None


def _missing_files(missing: Sequence[str]) -> Iterator[Violation]:
    for uri in missing:
        remedy = "name the folder of a model: the operator would silently copy an empty one"
        yield Violation("modelUri", f"no file {uri}", "a folder with signature.json and saved_model/", remedy)


def _secret(deployment: SeldonDeployment, keys: Collection[str]) -> Iterator[Violation]:
    """Check the rclone section: rclone takes the URI's scheme as the name of a section, which these keys define."""
    nodes = [node for _, predictor in _each(deployment) for node in predictor.graph.walk()]
    opened = {(node.envSecretRefName, node.modelUri.partition("://")[0]) for node in nodes if node.envSecretRefName}
    for name, scheme in sorted(opened):
        key = f"RCLONE_CONFIG_{scheme.upper()}_TYPE"
        if key not in keys:
            found = f"the keys {listed(sorted(keys))}" if keys else "no keys"
            remedy = (
                f"name the section like the URI's scheme: {scheme}:// is read with RCLONE_CONFIG_{scheme.upper()}_*"
            )
            yield Violation(f"Secret {name}", found, f"{key} among them", remedy)


def _log_secret(deployment: SeldonDeployment, keys: Collection[str]) -> Iterator[Violation]:
    """Check the keys of the same Secret with which the server writes its request log, unless its pod has a cloud identity."""
    if all(
        component.spec.get("serviceAccountName") for _, one in _each(deployment) for component in one.componentSpecs
    ):
        return
    opened = {
        (source["secretRef"]["name"], key)
        for _, container in _each_container(deployment)
        if (uri := _option(container, LOG)) is not None
        for source in container.get("envFrom", [])
        for key in (_GOOGLE_KEYS if uri.startswith("gs://") else _LOG_KEYS)
    }
    for name in sorted({name for name, _ in opened}):
        for key in sorted(each for other, each in opened if other == name):
            if key not in keys:
                found = f"the keys {listed(sorted(keys))}" if keys else "no keys"
                remedy = "add it: the server writes the request log with it (docs/serving.md)"
                yield Violation(f"Secret {name}", found, f"{key} among them", remedy)
