"""What must be right about a SeldonDeployment before it is applied: all that is not, at once.

Half of the rules are those of the operator's webhook (1.17.1), which tells one line and only on the cluster. The other half
is what it lets pass and what then goes wrong without a word: variables that vanish, models that are not there, names that
become a hash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from components._core.errors import ConfigError
from components._core.project.validation_messages import format_errors
from components._core.suggestions import listed
from components.deploy.server_command import LOG, LOG_MASK
from components.deploy.targets.seldon.objects import NO_ENGINE, Predictor, SeldonDeployment

LONGEST_NAME = 63
PROTOCOLS = ("seldon", "tensorflow", "kfserving", "v2")
TRANSPORTS = ("rest", "grpc")
RESERVED = ("MLSERVER_METRICS_", "PREDICTIVE_UNIT_", "PREDICTOR_", "SELDON_")
"""Beginnings of variables that the operator sets; naming one empties the container's list up to that point."""
RESERVED_NAMES = ("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "MLSERVER_MODEL_NAME", "MLSERVER_MODEL_URI")
_LOG_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Problem:
    """One thing that must change, told in a line.

    Attributes:
        place: Where it is in the object.
        found: What is there.
        allowed: What may be there.
        remedy: What to do.
    """

    place: str
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: found {self.found}; allowed: {self.allowed} -> {self.remedy}"


def check_deployment(
    wanted: dict[str, Any],
    secret_keys: Collection[str] | None = None,
    lacking: Sequence[str] = (),
    features: Collection[str] | None = None,
) -> None:
    """Hold an object against every rule.

    Args:
        wanted: The object.
        secret_keys: The keys of the Secret that opens the store; None: not known, so not judged.
        lacking: URIs of the models' files that are not there.
        features: Names that the models take; None: not known, so not judged.

    Raises:
        ConfigError: With one line for each problem.
    """
    where = f"SeldonDeployment {wanted.get('metadata', {}).get('name', '')}".strip()
    try:
        deployment = SeldonDeployment.model_validate(wanted)
    except ValidationError as error:
        raise _refusal(format_errors(error.errors(), SeldonDeployment, set()), where) from None
    problems = [*find_problems(deployment), *_lacking_files(lacking)]
    if secret_keys is not None:
        problems += [*_secret(deployment, secret_keys), *_log_secret(deployment, secret_keys)]
    if features is not None:
        problems += _masks(deployment, features)
    if problems:
        raise _refusal([str(problem) for problem in problems], where)


def find_problems(deployment: SeldonDeployment) -> list[Problem]:
    """Every problem that the object itself shows."""
    rules = (_enums, _predictors, _traffic, _shadows, _containers, _engine)
    ours = (_environment, _names, _autoscaling, _model_uris, _log_uris)
    return [problem for rule in (*rules, *ours) for problem in rule(deployment)]


def _refusal(lines: list[str], where: str) -> ConfigError:
    return ConfigError(lines[0] if len(lines) == 1 else "\n  " + "\n  ".join(lines), where=where)


def _each(deployment: SeldonDeployment) -> Iterator[tuple[str, Predictor]]:
    for number, predictor in enumerate(deployment.spec.predictors):
        yield f"spec.predictors[{number}]", predictor


def _enums(deployment: SeldonDeployment) -> Iterator[Problem]:
    spec = deployment.spec
    if spec.protocol not in PROTOCOLS:
        yield Problem("spec.protocol", repr(spec.protocol), listed(PROTOCOLS), "our servers speak 'v2' and 'seldon'")
    if spec.transport and spec.transport not in TRANSPORTS:
        remedy = "leave it out: both ports are open"
        yield Problem("spec.transport", repr(spec.transport), listed(TRANSPORTS), remedy)


def _predictors(deployment: SeldonDeployment) -> Iterator[Problem]:
    names = [predictor.name for predictor in deployment.spec.predictors]
    if not names:
        yield Problem("spec.predictors", "none", "one or more", "give it the version to serve")
    for name in sorted({name for name in names if names.count(name) > 1}):
        remedy = "the canary is the version that is served already: leave it out"
        yield Problem("spec.predictors", f"{name!r} {names.count(name)} times", "names of their own", remedy)


def _traffic(deployment: SeldonDeployment) -> Iterator[Problem]:
    serving = [(place, one) for place, one in _each(deployment) if not one.shadow]
    if len(deployment.spec.predictors) == 1:
        for place, one in serving:
            if one.traffic not in (None, 100):
                yield Problem(f"{place}.traffic", str(one.traffic), "100, or none", "leave it out: it is the only one")
        return
    weights = [one.traffic or 0 for _, one in serving]
    if len(serving) > 1 and sum(weights) != 100:
        message = f"{' + '.join(map(str, weights))} = {sum(weights)}"
        yield Problem("spec.predictors[].traffic", message, "100 in all", "correct the weights")
    for place, one in serving if len(serving) > 1 else ():
        if (one.traffic or 0) <= 0:
            remedy = "choose another weight, or remove the predictor: not every mesh keeps to a weight of 0"
            yield Problem(f"{place}.traffic", str(one.traffic or 0), "1 to 99", remedy)


def _shadows(deployment: SeldonDeployment) -> Iterator[Problem]:
    shadows = [(place, one) for place, one in _each(deployment) if one.shadow]
    if len(shadows) > 1:
        yield Problem("spec.predictors", f"{len(shadows)} shadows", "one at most", "keep one of them")
    if shadows and len(shadows) == len(deployment.spec.predictors):
        yield Problem(shadows[0][0], "a shadow alone", "a shadow beside one that answers", "add the one that answers")
    for place, one in shadows:
        if not 0 <= (one.traffic or 0) <= 100:
            yield Problem(f"{place}.traffic", str(one.traffic), "0 to 100", "correct the weight")


def _containers(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, predictor in _each(deployment):
        for node in predictor.graph.walk():
            if not node.implementation and node.name not in predictor.container_names:
                remedy = f"name the container that is meant {node.name!r}"
                found = f"no container {node.name!r}"
                yield Problem(f"{place}.graph", found, f"one of {listed(predictor.container_names)}", remedy)


def _engine(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, predictor in _each(deployment):
        nodes = len(list(predictor.graph.walk()))
        if NO_ENGINE in predictor.annotations and nodes > 1:
            found = f"{NO_ENGINE} and a graph of {nodes} nodes"
            yield Problem(f"{place}.annotations", found, "it with one node", "say engine: true under serve")


def _environment(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, container in _each_container(deployment):
        for variable in container.get("env", []):
            if _is_reserved(variable["name"]):
                remedy = "remove it: the operator sets it, and would drop it and all before it"
                yield Problem(place, f"the variable {variable['name']}", "names of your own", remedy)


def _is_reserved(name: str) -> bool:
    return name in RESERVED_NAMES or name.startswith(RESERVED)


def _names(deployment: SeldonDeployment) -> Iterator[Problem]:
    """The longest name that the operator makes is the Deployment's: object, predictor, number, containers."""
    for place, predictor in _each(deployment):
        for number, component in enumerate(predictor.componentSpecs):
            containers = [str(container.get("name")) for container in component.containers]
            name = "-".join([deployment.metadata.name, predictor.name, str(number), *containers])
            if len(name) > LONGEST_NAME:
                message = f"the Deployment's name {name!r} of {len(name)} characters"
                remedy = f"shorten the project's name by {(len(name) - LONGEST_NAME + 1) // 2}, or it becomes a hash"
                yield Problem(place, message, f"{LONGEST_NAME} at most", remedy)


def _autoscaling(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, predictor in _each(deployment):
        for component in predictor.componentSpecs:
            scaler = component.hpaSpec
            if scaler and scaler.minReplicas > scaler.maxReplicas:
                message = f"minReplicas {scaler.minReplicas} above maxReplicas {scaler.maxReplicas}"
                yield Problem(f"{place}.hpaSpec", message, "min up to max", "correct serve.autoscaling")


def _model_uris(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, predictor in _each(deployment):
        for node in predictor.graph.walk():
            if not node.modelUri.startswith("s3://"):
                remedy = "a pod cannot reach it: name the model's folder in the store of the cluster"
                found = repr(node.modelUri) if node.modelUri else "none"
                yield Problem(f"{place}.graph.modelUri", found, "s3://bucket/folder", remedy)


def _log_uris(deployment: SeldonDeployment) -> Iterator[Problem]:
    for place, container in _each_container(deployment):
        uri = _option(container, LOG)
        if uri is not None and not uri.startswith("s3://"):
            remedy = "a pod cannot write there: say serve.request_log.uri, or the NARU_STORE of the cluster"
            yield Problem(f"{place} --log", repr(uri), "s3://bucket/folder", remedy)


def _masks(deployment: SeldonDeployment, features: Collection[str]) -> Iterator[Problem]:
    for place, container in _each_container(deployment):
        for name in filter(None, (_option(container, LOG_MASK) or "").split(",")):
            if name not in features:
                remedy = "correct serve.request_log.mask: the server would not start"
                yield Problem(f"{place} --log-mask", repr(name), f"features: {listed(sorted(features))}", remedy)


def _each_container(deployment: SeldonDeployment) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, predictor in _each(deployment):
        for component in predictor.componentSpecs:
            for container in component.containers:
                yield f"{place} container {container.get('name')}", container


def _option(container: dict[str, Any], name: str) -> str | None:
    arguments = list(container.get("args", []))
    return str(arguments[arguments.index(name) + 1]) if name in arguments[:-1] else None


def _lacking_files(lacking: Sequence[str]) -> Iterator[Problem]:
    for uri in lacking:
        remedy = "name the folder of a model: an empty one would be copied without a word"
        yield Problem("modelUri", f"no file {uri}", "a folder with signature.json and saved_model/", remedy)


def _secret(deployment: SeldonDeployment, keys: Collection[str]) -> Iterator[Problem]:
    """Rclone takes the address's scheme for the name of a section, and the sections from these keys."""
    nodes = [node for _, predictor in _each(deployment) for node in predictor.graph.walk()]
    opened = {(node.envSecretRefName, node.modelUri.partition("://")[0]) for node in nodes if node.envSecretRefName}
    for name, scheme in sorted(opened):
        key = f"RCLONE_CONFIG_{scheme.upper()}_TYPE"
        if key not in keys:
            found = f"the keys {listed(sorted(keys))}" if keys else "no keys"
            remedy = (
                f"name the section as the address begins: {scheme}:// is read with RCLONE_CONFIG_{scheme.upper()}_*"
            )
            yield Problem(f"Secret {name}", found, f"{key} among them", remedy)


def _log_secret(deployment: SeldonDeployment, keys: Collection[str]) -> Iterator[Problem]:
    """The server writes its log with the variables of the same Secret, by names of AWS."""
    names = {
        source["secretRef"]["name"]
        for _, container in _each_container(deployment)
        if _option(container, LOG) is not None
        for source in container.get("envFrom", [])
    }
    for name in sorted(names):
        for key in _LOG_KEYS:
            if key not in keys:
                found = f"the keys {listed(sorted(keys))}" if keys else "no keys"
                remedy = "add it: the request log is written with it (docs/serving.md)"
                yield Problem(f"Secret {name}", found, f"{key} among them", remedy)
