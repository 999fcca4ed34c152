"""Read a compiled pipeline, and rewrite it: small, readable in review, the same with both families of kfp."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import Any, cast

import yaml

from components._core.errors import ConfigError

Spec = dict[str, Any]

_HASH = 12


def read_spec(file: Path) -> tuple[Spec, Spec]:
    """Read a compiled pipeline; returns the spec, and its Kubernetes settings by executor.

    Raises:
        ConfigError: When the file is not a compiled pipeline.
    """
    remedy = "compile one: naru compile PROJECT"
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _loader()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise ConfigError(f"cannot be read as YAML: {reason}", where=str(file), remedy=remedy) from None
    spec = documents[0] if documents else None
    if not isinstance(spec, dict) or "deploymentSpec" not in spec or "root" not in spec:
        raise ConfigError(
            "is not a compiled pipeline: it has no deploymentSpec and root", where=str(file), remedy=remedy
        )
    platform = documents[1] if len(documents) > 1 else {}
    executors = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    return spec, cast(Spec, executors)


def version_of(spec: str) -> str:
    """Return the name of a compiled pipeline's version: a hash, the same from both families of kfp, as they differ only in comments and their own version."""
    lines = [line for line in spec.splitlines() if not re.match(r"#|sdkVersion: ", line)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH]


def tidy_spec(file: Path) -> None:
    """Rewrite the output of kfp's compiler: code as readable blocks, without docstrings, which are repeated as descriptions."""
    text = file.read_text(encoding="utf-8")
    comments = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    documents = [_tidied(document) for document in yaml.load_all(text, _loader())]
    _reduce_dependencies(documents[0]["root"]["dag"]["tasks"])
    dumped = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=100_000, allow_unicode=True)
    file.write_text(comments + dumped, encoding="utf-8")


def _reduce_dependencies(tasks: dict[str, Any]) -> None:
    """Drop each dependency on a task that another dependency waits for anyway: the Kubeflow page draws an edge for each."""
    direct = {name: set(task.get("dependentTasks", [])) for name, task in tasks.items()}
    for name, task in tasks.items():
        implied = {far for near in direct[name] for far in _find_ancestors(near, direct)}
        if implied:
            task["dependentTasks"] = sorted(direct[name] - implied)


def _find_ancestors(task: str, direct: dict[str, set[str]]) -> set[str]:
    return direct[task].union(*(_find_ancestors(near, direct) for near in direct[task]))


def _tidied(value: Any) -> Any:
    if isinstance(value, dict):
        # kfp-kubernetes 2 writes this default, 1 does not
        return {key: _tidied(held) for key, held in value.items() if (key, held) != ("optional", False)}
    if isinstance(value, list):
        return [_tidied(held) for held in value]
    return _without_docstring(value) if isinstance(value, str) and "\nfrom kfp.dsl import *\n" in value else value


def _without_docstring(code: str) -> str:
    lines = code.strip("\n").splitlines()
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            docstring = node.body[0]
            del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines) + "\n"


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """A dumper that writes texts of several lines as blocks."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
