"""What a project may say, by its framework: checked before anything runs. The project file lies below the table and cannot do it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from components._core.errors import ConfigError
from components._core.extras import build_command
from components._core.project.project_file import Project
from components._core.suggestions import suggest
from components._core.types.default_framework import AUTO_FRAMEWORK
from components._frameworks.contract import Framework
from components._frameworks.model_kinds import is_installed
from components._frameworks.model_rules import check_models, describe_left_out, optional_kinds, search_only
from components._frameworks.table import (
    check_installed,
    find_framework,
    find_project_framework,
    framework_at,
    known_frameworks,
)
from components._frameworks.variant_rules import check_variants

_KEY = "code.framework"
_EPOCH_SETTINGS = ("train.epochs", "train.steps", "train.batch_size", "train.patience", "tune.epochs")
_FINISHED = "whose model is finished: nothing is fitted or searched"
_FIT_SETTINGS = (
    "train.class_weight",
    "train.hyperparameters",
    "tune.trials",
    "tune.space",
    "tune.models",
    "tune.minutes",
    "tune.prefer",
    "tune.workers",
    "tune.warm_start",
    "tune.ensemble",
    "tune.folds",
    "tune.spaces",
)


def check_framework(project: Project) -> Framework:
    """Check a project, as it was read from its file, against the rules of its framework; returns the framework.

    Raises:
        ConfigError: When there is no such framework, its packages are not installed, or a setting has no meaning for it.
    """
    name, names = project.code.framework, [*known_frameworks(), AUTO_FRAMEWORK]
    if name not in names:
        raise ConfigError(
            f"unknown framework {name!r}; {suggest(name, names)}", where=_KEY, remedy=f"allowed: {', '.join(names)}"
        )
    framework = find_project_framework(name)
    _check_preprocessing(project, framework)
    if not may_be_prepared(project, framework):
        _refuse_transform(project)
    if framework.has_fit:
        _refuse_model_section(project)
    else:
        _refuse_fit_settings(project)
    if not framework.has_epochs:
        _refuse_epoch_settings(project, framework)
    check_installed(framework, f"{_KEY}: {name}")
    check_models(project)
    check_variants(project, framework)
    return framework


def unusable_settings(framework: Framework) -> tuple[str, ...]:
    """The paths in project.yaml that have no meaning for a framework: those of epochs, of a fit, of a search."""
    return (() if framework.has_epochs else _EPOCH_SETTINGS) + (() if framework.has_fit else _FIT_SETTINGS)


def check_servers(framework: Framework, extras: Collection[str], where: str = _KEY) -> None:
    """Refuse a framework whose models the servers on a cluster cannot open.

    Args:
        framework: The framework.
        extras: The extras that the servers' image was built with.
        where: The place that names the framework, for the message.

    Raises:
        ConfigError: When the image lacks its extra.
    """
    if framework.extra and framework.extra not in extras:
        message = f"{framework.name!r} cannot be served on this cluster: the servers' image is not known to have the extra {framework.extra!r}"
        remedy = f"{build_command([*extras, framework.extra])}; or run it with NARU_SERVING=local, which is the default of `naru run`"
        raise ConfigError(message, where=where, remedy=remedy)


def check_served_model(uri: str, extras: Collection[str]) -> None:
    """Refuse to serve a model in the store on a cluster, as `check_servers` does; further errors as in `framework_at`."""
    if framework := framework_at(uri):
        check_servers(framework, extras, uri)


def leave_out_unserved(project: Project, extras: Collection[str]) -> tuple[Project, str]:
    """Leave those kinds out of `tune.models: auto` whose models the servers on a cluster cannot open.

    Args:
        project: The project.
        extras: The extras that the servers' image was built with.

    Returns:
        The project, and what is left out in a sentence; empty: nothing.
    """
    here = [kind for kind in optional_kinds(project) if is_installed(kind)]
    kept = [kind for kind in here if find_framework(kind.framework).extra in extras]
    if len(kept) == len(here):
        return project, ""
    left_out = [kind for kind in here if kind not in kept]
    return search_only(project, kept), describe_left_out(left_out, ["the servers' image"], extras)


def may_be_prepared(project: Project, framework: Framework) -> bool:
    """Whether the project may have a preprocessing_fn, with which its servers need TensorFlow: its file may still turn out to be empty."""
    return framework.preprocessing == "in front" or project.code.preprocessing in project.code.files


def _check_preprocessing(project: Project, framework: Framework) -> None:
    if framework.preprocessing == "in front" and project.code.preprocessing not in project.code.files:
        message = f"a project of {framework.name!r} needs a file with preprocessing_fn"
        raise ConfigError(message, where="code.preprocessing", remedy="name the file")


def _refuse_transform(project: Project) -> None:
    if "transform" in project.model_fields_set:
        message = (
            "needs a preprocessing_fn, and the project names no file with one: its model prepares the columns itself"
        )
        remedy = "remove it and use steps in what build_model returns, such as SimpleImputer, VarianceThreshold and PCA; or name code.preprocessing"
        raise ConfigError(message, where="transform", remedy=remedy)


def _refuse_model_section(project: Project) -> None:
    if "model" in project.model_fields_set:
        message = f"describes a file that was trained elsewhere, and {project.code.framework!r} trains its model"
        raise ConfigError(message, where="model", remedy="remove it, or import a file: naru import PROJECT model.onnx")


def _refuse_fit_settings(project: Project) -> None:
    for path in _FIT_SETTINGS:
        if getattr(_section(project, path), path.partition(".")[2]) and _is_set(project, path):
            message = f"has no meaning for {project.code.framework!r}, {_FINISHED}"
            raise ConfigError(message, where=path, remedy="remove it (or the option that sets it)")


def _section(project: Project, path: str) -> Any:
    return getattr(project, path.partition(".")[0])


def _is_set(project: Project, path: str) -> bool:
    return path.partition(".")[2] in _section(project, path).model_fields_set


def _refuse_epoch_settings(project: Project, framework: Framework) -> None:
    for path in _EPOCH_SETTINGS:
        if _is_set(project, path):
            how = "which fits in one call" if framework.has_fit else _FINISHED
            message = f"has no meaning for {project.code.framework!r}, {how}"
            remedy = "remove it (or the option that sets it)"
            if framework.has_fit and project.code.framework != AUTO_FRAMEWORK:
                remedy += "; a parameter of a step in build_model may be what you want, such as max_iter"
            raise ConfigError(message, where=path, remedy=remedy)
