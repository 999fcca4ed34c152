"""Render an overlay of `manifests/` with the registry, version and pull secrets of the environment."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components._cluster.kubernetes_client import Object
from components._core.errors import ConfigError
from components._core.suggestions import suggest
from pipelines.cluster.source_hosts import with_source_hosts
from pipelines.compile_target import Target

OVERLAYS = Path(__file__).resolve().parents[2] / "manifests" / "overlays"
_INSTALL = "install kustomize 5 (https://kubectl.docs.kubernetes.io/installation/kustomize) or kubectl 1.27 or newer"


def render(overlay: str, target: Target) -> list[Object]:
    """Render the objects of an overlay, namespaces first.

    Args:
        overlay: The name of one in `manifests/overlays`, or a folder.
        target: Registry, version and pull secrets of Naru's own images.

    Raises:
        ConfigError: When there is no such overlay, no kustomize, the overlay does not render, or it names an invalid host of a source.
    """
    folder = OVERLAYS / overlay if "/" not in overlay else Path(overlay)
    if not (folder / "kustomization.yaml").is_file():
        known = tuple(sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml")))
        remedy = "OVERLAY= names one of manifests/overlays, or a folder with a kustomization.yaml"
        raise ConfigError(f"there is no overlay {overlay!r}; {suggest(overlay, known)}", where="OVERLAY", remedy=remedy)
    done = subprocess.run([*find_kustomize(), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()[-1:] or ["no error output"]
        raise ConfigError(f"does not render: {lines[0]}", where=str(folder), remedy="correct the overlay")
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    for pod in pods_of(objects):
        _set_images(pod, target)
    return with_source_hosts(objects)


def find_kustomize() -> list[str]:
    """Find the command that renders a folder.

    Raises:
        ConfigError: When kustomize is missing, or too old for components.
    """
    found = []
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        version = _version_of(command[0]) if shutil.which(command[0]) else None
        if version and version >= 5:
            return command
        found += [f"{command[0]} has kustomize {version or 'before 5'}"] if shutil.which(command[0]) else []
    raise ConfigError(f"kustomize 5 not found{': ' + ', '.join(found) if found else ''}", remedy=_INSTALL)


def pods_of(objects: list[Object]) -> Iterator[Object]:
    """Yield the specs of all pods that the objects would start."""
    for found in objects:
        pod = found.get("spec", {}).get("template", {}).get("spec")
        if pod:
            yield pod


def secrets_of(objects: list[Object]) -> set[tuple[str, str]]:
    """Find namespace and name of every Secret that the objects' pods read."""
    return {
        (found["metadata"].get("namespace", ""), name)
        for found in objects
        for pod in pods_of([found])
        for name in secrets_in(pod)
    }


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the names of the Secrets that a pod's variables come from, anywhere in its spec."""
    if isinstance(value, dict):
        for key, held in value.items():
            if key in ("secretKeyRef", "secretRef"):
                yield held["name"]
            else:
                yield from secrets_in(held)
    elif isinstance(value, list):
        for held in value:
            yield from secrets_in(held)


def _version_of(program: str) -> int | None:
    command = [program, "version"] if program == "kustomize" else [program, "version", "--client"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    line = said if program == "kustomize" else said.partition("Kustomize Version:")[2]
    major = re.search(r"v(\d+)\.", line)
    return int(major[1]) if major else None


def _set_images(pod: Object, target: Target) -> None:
    ours = False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        if container["image"].startswith("naru-"):
            container["image"] = target.image(container["image"])
            ours = True
    if ours and target.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in target.pull_secrets]
