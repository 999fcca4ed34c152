"""The frameworks by name, one line of registration each, and what is done alike for the models of all of them.

A model names its framework in `signature.json`; a model without a name is one of Keras, the only framework of earlier releases. Looking at
this table imports no framework, and looking one up imports its `framework.py`, which imports nothing of the library: `register`
and `deploy` check models in an image that has no TensorFlow.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from components._core.errors import ModelError
from components._core.extras import check_extra
from components._core.files import read_json
from components._core.store.file_digests import verify_model
from components._core.store.object_store import find_missing, read_bytes
from components._core.types.artifact_files import SIGNATURE
from components._core.types.default_framework import DEFAULT_FRAMEWORK
from components._core.types.signature import Signature
from components._frameworks.contract import Framework, Model

_REMEDY = "train the model again, without the cache"

_MODULES: dict[str, str] = {}


def register_framework(name: str, module: str) -> None:
    """Add a framework to those that a model may name.

    Args:
        name: Its name, as in `signature.json`.
        module: Dotted name of the module that defines `FRAMEWORK`. It is imported when the framework is looked up, and is named
            by text so that this table depends on no framework.

    Raises:
        ValueError: When the name is taken.
    """
    if name in _MODULES:
        raise ValueError(f"duplicate framework {name!r}")
    _MODULES[name] = module


def known_frameworks() -> list[str]:
    """The names in the table."""
    return list(_MODULES)


def find_framework(name: str, where: str = "") -> Framework:
    """The framework of that name.

    Args:
        name: Its name in this table.
        where: The place that names it, for the message.

    Raises:
        ModelError: When there is no such framework.
    """
    if name not in _MODULES:
        problem = f"unknown framework {name!r}; allowed: {', '.join(_MODULES)}"
        raise ModelError(problem, where=where, remedy="use the release of Naru that trained the model, or a later one")
    framework: Framework = importlib.import_module(_MODULES[name]).FRAMEWORK
    return framework


def framework_extras() -> set[str]:
    """The extras that bring the packages of frameworks."""
    return {find_framework(name).extra for name in _MODULES} - {""}


def check_installed(framework: Framework, where: str) -> None:
    """Refuse a framework whose packages are not installed here, without importing them.

    Args:
        framework: The framework.
        where: The place that names it, for the message.

    Raises:
        ConfigError: With the missing packages, and how to install them.
    """
    _check_packages(framework, framework.packages, where)


def framework_of(model: Path) -> Framework:
    """The framework of a model artifact.

    Raises:
        ModelError: When `signature.json` is missing or damaged, or names an unknown framework.
    """
    file = model / SIGNATURE
    _check_exists(file)
    try:
        return _named_by(read_json(file), str(file))
    except ValueError as error:
        raise ModelError(f"does not load: {error}", where=str(file), remedy=_REMEDY) from error


def check_model_files(model: Path) -> Framework:
    """Refuse a model artifact that lacks files, or whose files would do more than calculate; returns its framework.

    Neither executes the files nor imports the framework's library.

    Raises:
        ModelError: With the file and what is wrong with it.
    """
    framework = framework_of(model)
    for name in framework.model_files:
        _check_exists(model / name)
    framework.check_files(model)
    return framework


def load_model(model: Path, digest: str = "") -> Model:
    """Load a model artifact of any framework.

    Args:
        model: The artifact's folder. It must stay where it is while the model is used.
        digest: SHA-256 of the list of its files, from a record outside the folder; empty: there is no such record.

    Raises:
        ModelError: When the model is incomplete or damaged, differs from the list of its files, would do more than calculate, or does
            not load.
        ConfigError: When the packages of its framework are not installed.
    """
    _check_exists(
        model / SIGNATURE
    )  # a folder that holds no model is refused as such, whatever the list of its files says
    verify_model(model, digest)
    framework = check_model_files(model)
    _check_packages(framework, framework.serving_packages, str(model))
    try:
        signature = Signature.load(model)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"does not load: {type(error).__name__}: {error}"
        raise ModelError(problem, where=str(model / SIGNATURE), remedy=_REMEDY) from error
    return framework.open(signature, model)


def framework_at(uri: str) -> Framework | None:
    """The framework of a model in the store; None when its `signature.json` is damaged.

    Args:
        uri: The model's folder, as in `s3://store/flights/models/1/artifacts/model`.

    Raises:
        ConfigError: When the store may not be read, or no credentials are there.
        ModelError: When `signature.json` names an unknown framework.
        UnavailableError: When the store does not answer.
    """
    place = f"{uri}/{SIGNATURE}"
    try:
        return _named_by(json.loads(read_bytes(place) or b"{}"), place)
    except ValueError:
        return None


def missing_model_files(uri: str) -> list[str]:
    """URIs of those files that a model in the store should have and does not; arguments and errors as in `framework_at`.

    A damaged `signature.json` counts as present: the digest of the file shows the damage when the model is opened.
    """
    framework = framework_at(uri)
    return find_missing(uri, (SIGNATURE, *framework.model_files)) if framework else []


def _check_packages(framework: Framework, packages: tuple[str, ...], where: str) -> None:
    check_extra(framework.extra, packages, f"the framework {framework.name!r}", where)


def _named_by(signature: object, where: str) -> Framework:
    name = signature.get("framework", DEFAULT_FRAMEWORK) if isinstance(signature, dict) else DEFAULT_FRAMEWORK
    return find_framework(str(name), where)


def _check_exists(file: Path) -> None:
    if not file.is_file():
        raise ModelError("is missing", where=str(file), remedy=_REMEDY)


register_framework(DEFAULT_FRAMEWORK, "components._frameworks.keras.framework")
register_framework("sklearn", "components._frameworks.sklearn.framework")
register_framework("xgboost", "components._frameworks.xgboost.framework")
register_framework("lightgbm", "components._frameworks.lightgbm.framework")
register_framework("onnx", "components._frameworks.onnx.framework")
register_framework("torch", "components._frameworks.torch.framework")
