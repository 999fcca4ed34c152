"""Fingerprints of the project files that a stage depends on, so that a change of `model.py` alone does not rerun the data stages.

On a cluster the fingerprint of all the code is a parameter of each stage that gets it. Here validate depends on the reviewed
schema, and transform on everything but the model's file, unless another file may import that. Standard library only.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError
from components._core.files import fingerprint_folder, fingerprint_of
from components._core.stage.code_archives import read_archive

PARTS = ("schema", "preprocessing")
"""The values of `StageSpec.code` that name a part of the archive."""

_IMPORT_BY_NAME = ("importlib", "runpy", "__import__", "exec", "open")


def fingerprint_part(part: str, archive: Path, project: dict[str, Any]) -> str:
    """Compute the fingerprint of a part's files; of the whole archive when they cannot be determined.

    Args:
        part: One of `PARTS`.
        archive: The code archive.
        project: The project, as read from JSON.
    """
    try:
        files = dict(sorted(read_archive(archive).items()))
    except ConfigError:  # the stage reports what is wrong with it
        return fingerprint_folder(archive) if archive.is_file() else ""
    schema = project.get("schema", "schema.pbtxt")
    wanted = [name for name in files if name == schema] if part == "schema" else _of_preprocessing(files, project)
    return fingerprint_of(text for name in wanted for text in (name, hashlib.sha256(files[name]).hexdigest()))


def _of_preprocessing(files: dict[str, bytes], project: dict[str, Any]) -> list[str]:
    model = project.get("code", {}).get("model", "model.py")
    others = [name for name in files if name != model]
    stem = Path(model).stem
    reached = any(_may_import(files[name], stem) for name in others if name.endswith(".py"))
    return list(files) if reached or project.get("code", {}).get("preprocessing") == model else others


def _may_import(source: bytes, module: str) -> bool:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return True
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            named.add((node.module or "").split(".")[0])
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            named.update({node.id} & set(_IMPORT_BY_NAME))
    return bool(named & {module, *_IMPORT_BY_NAME})
