"""Check a compiled pipeline for settings that do harm on a cluster: each rule is one function, each violation says what to do.

moving tag         KFP caches by the image's name: new code under an old name does not run
literal secret     everybody who may see a run can read its spec
accelerator        without a pool, type or count there is silently no device, or a pod that waits for ever
memory limit       one stage that grows takes down the node and the other pods on it
cached             a step with side effects skips them when it is taken from the cache
retried            a step that is not idempotent does its work twice
large parameters   all parameters of a step are one command-line argument, which Linux limits to 128 KiB
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.store.google_cloud import CREDENTIALS as GOOGLE_KEY_FILE
from components.stages import STAGES
from pipelines.spec_text import Spec, read_spec

LARGEST_PARAMETERS = 96 * 1024
"""Bytes of one step's parameters; artifacts and paths, which the cluster adds, need the rest of 128 KiB."""

_MOVING = re.compile(r"latest|main|master|develop|dev|edge|nightly|stable")
_LOCAL = re.compile(r"python\d+\.\d+")
_SECRET_NAME = re.compile(r"passw(or)?d|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


@dataclass(frozen=True)
class Violation:
    """A violation of one rule.

    Attributes:
        rule: The rule's name, as in the module's docstring.
        place: The step or parameter.
        message: What was found.
        remedy: What to do.
    """

    rule: str
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message} ({self.rule})\n    -> {self.remedy}"


@dataclass(frozen=True)
class _Step:
    name: str
    task: Spec
    container: Spec
    platform: Spec

    @property
    def stage(self) -> str:
        """The stage that the container runs, by its function's name; else the step's own name."""
        args = self.container.get("args", [])
        at = args.index("--function_to_execute") + 1 if "--function_to_execute" in args else len(args)
        return str(args[at]) if at < len(args) else self.name

    @property
    def resources(self) -> Spec:
        return dict(self.container.get("resources", {}))


def lint_spec(file: Path, where: str = "") -> None:
    """Check a compiled pipeline against every rule.

    Args:
        file: The compiled pipeline.
        where: Its name in messages; default: the file's own.

    Raises:
        ConfigError: With every violation and what to do about it, or when the file is not a compiled pipeline.
    """
    violations = find_violations(*read_spec(file))
    if violations:
        message = f"{len(violations)} violation{'s' if len(violations) > 1 else ''}\n  "
        raise ConfigError(message + "\n  ".join(map(str, violations)), where=where or str(file))


def find_violations(spec: Spec, platform: Spec) -> list[Violation]:
    """Find every violation in a pipeline.

    Args:
        spec: The pipeline.
        platform: Its Kubernetes settings by executor.
    """
    violations = [*_literal_secrets(spec)]
    for step in _steps(spec, platform):
        for rule in (_moving_tag, _secret_variables, _accelerator, _memory_limit, _side_effects):
            violations += rule(step)
        violations += _large_parameters(step, spec)
    return violations


def _steps(spec: Spec, platform: Spec) -> Iterator[_Step]:
    """Yield every step with a container, of the pipeline and of nested ones."""
    components = spec.get("components", {})
    graphs = [spec["root"], *components.values()]
    for graph in graphs:
        for name, task in graph.get("dag", {}).get("tasks", {}).items():
            label = components.get(task["componentRef"]["name"], {}).get("executorLabel", "")
            executor = spec["deploymentSpec"].get("executors", {}).get(label, {})
            if "container" in executor:
                yield _Step(name, task, executor["container"], platform.get(label, {}))


def _moving_tag(step: _Step) -> Iterator[Violation]:
    image = str(step.container.get("image", ""))
    name, at, _ = image.partition("@sha256:")
    path, _, last = name.rpartition("/")
    tag = last.partition(":")[2]
    if at or (tag and not _MOVING.fullmatch(tag) and not (path and _LOCAL.fullmatch(tag))):
        return
    message = f"the image {image!r} has {f'the tag {tag!r}, which moves' if tag else 'no tag'}"
    yield Violation(
        "moving tag", step.name, message, "name a version that is never pushed twice: --tag, NARU_TAG or NARU_DIGESTS"
    )


def _secret_variables(step: _Step) -> Iterator[Violation]:
    for variable in step.container.get("env", []):
        if variable["name"] == GOOGLE_KEY_FILE and variable.get("value", "").startswith("/"):
            continue  # where the key is mounted
        if _SECRET_NAME.search(variable["name"]) and variable.get("value"):
            message = f"the environment variable {variable['name']} has a literal value"
            yield Violation("literal secret", step.name, message, "put it into a Secret and use use_secret_as_env")


def _literal_secrets(spec: Spec) -> Iterator[Violation]:
    for name, parameter in _parameters(spec).items():
        if _SECRET_NAME.search(name) and parameter.get("defaultValue"):
            remedy = "remove the parameter: a stage reads a secret from its environment, a Secret gives it there"
            yield Violation("literal secret", f"parameter {name}", "a secret has a default value", remedy)
    for place, text in _texts(spec, ""):
        if what := find_credentials(text):
            yield Violation("literal secret", place, f"holds {what}", "take it out, put it into a Secret, and renew it")


def _accelerator(step: _Step) -> Iterator[Violation]:
    device = step.resources.get("accelerator", {})
    kind = device.get("resourceType") or device.get("type")
    count = device.get("resourceCount") or device.get("count")
    remedy = (
        "place it by a pool with an accelerator, type and count (pipelines/pools.yaml), and compile with its profile"
    )
    if bool(kind) != bool(int(count or 0)):
        message = f"asks for {kind} without a count" if kind else f"asks for {count} devices without a type"
        yield Violation("accelerator", step.name, message, remedy)
    elif kind and not (step.platform.get("nodeSelector") or step.platform.get("nodeAffinity")):
        yield Violation("accelerator", step.name, f"requests {kind} but selects no nodes that have it", remedy)
    elif not kind and "-cuda" in str(step.container.get("image", "")):
        yield Violation("accelerator", step.name, "has an image for GPUs and requests no GPU", remedy)


def _memory_limit(step: _Step) -> Iterator[Violation]:
    if not (step.resources.get("resourceMemoryLimit") or step.resources.get("memoryLimit")):
        remedy = f"give {step.stage} a limits.memory in the pools file"
        yield Violation("memory limit", step.name, "has none", remedy)


def _side_effects(step: _Step) -> Iterator[Violation]:
    if step.stage not in STAGES or not STAGES[step.stage].side_effects:
        return
    if step.task.get("cachingOptions", {}).get("enableCache"):
        yield Violation(
            "cached", step.name, "has side effects and may be taken from the cache", "set_caching_options(False)"
        )
    if int(step.task.get("retryPolicy", {}).get("maxRetryCount", 0)):
        message = "is not idempotent and is retried"
        yield Violation(
            "retried", step.name, message, "remove set_retry; what is transient is retried inside the stage"
        )


def _large_parameters(step: _Step, spec: Spec) -> Iterator[Violation]:
    size = sum(_size(given, spec) for given in step.task.get("inputs", {}).get("parameters", {}).values())
    if size > LARGEST_PARAMETERS:
        message = f"its parameters take {size // 1024} KiB, and {LARGEST_PARAMETERS // 1024} is the most"
        yield Violation("large parameters", step.name, message, "pass what is large as an artifact")


def _size(given: Spec, spec: Spec) -> int:
    """Bytes of a parameter as JSON: a constant, or the default of the pipeline's own; others are not known yet."""
    value = given.get("runtimeValue", {}).get("constant")
    if "componentInputParameter" in given:
        value = _parameters(spec).get(given["componentInputParameter"], {}).get("defaultValue")
    return len(json.dumps(value).encode()) if value is not None else 0


def _parameters(spec: Spec) -> dict[str, Spec]:
    return dict(spec["root"].get("inputDefinitions", {}).get("parameters", {}))


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _texts(held, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held, place)
    elif isinstance(value, str):
        yield place, value
