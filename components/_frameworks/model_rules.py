"""What a project may say of the kinds of model that it searches over, and which those are here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from components._core.errors import ConfigError
from components._core.extras import build_command
from components._core.project.config_types import AUTO
from components._core.project.project_file import Project
from components._core.project.tune_config import Space
from components._core.suggestions import suggest
from components._core.types.default_framework import AUTO_FRAMEWORK
from components._core.types.tasks import TASKS
from components._frameworks.model_kinds import (
    ENSEMBLE_KIND,
    PROJECT_KIND,
    KindInput,
    ModelKind,
    baseline_kinds,
    find_kind,
    is_installed,
    known_kinds,
)
from components._frameworks.table import check_installed, find_framework

_KEY = "tune.models"


def check_models(project: Project) -> None:
    """Check `tune.models` and `tune.spaces`; nothing where the project names no kinds.

    Raises:
        ConfigError: When a kind is unknown or its packages are not installed, when `project` is named and there is no model of the
            project's own, or when a space is for a kind or a name that is not searched.
    """
    if project.tune.baselines == "on":
        for kind in baseline_kinds():
            check_installed(find_framework(kind.framework), "tune.baselines")
    if project.tune.models is None:
        return
    for name in [] if project.tune.models == AUTO else project.tune.models:
        if name == ENSEMBLE_KIND:
            message = "'ensemble' is made of the other kinds and is not one to search over"
            raise ConfigError(message, where=_KEY, remedy="remove it here, and set tune.ensemble: 3")
        if name != PROJECT_KIND:
            kind = find_kind(name)
            check_installed(find_framework(kind.framework), f"{_KEY}: {name}")
    if searches_own(project) and project.code.framework == AUTO_FRAMEWORK:
        message = "names 'project', the project's own build_model, and code.framework: auto says that there is none"
        raise ConfigError(
            message, where=_KEY, remedy="name the framework of model.py in code.framework, or remove 'project'"
        )
    if project.code.framework == AUTO_FRAMEWORK and project.train.hyperparameters:
        message = "are those of the project's own build_model, and code.framework: auto says that there is none"
        remedy = "remove them, or search other values of a kind by tune.spaces"
        raise ConfigError(message, where="train.hyperparameters", remedy=remedy)
    if not searches_own(project) and project.tune.space:
        remedy = f"move it to tune.spaces, below the name of the kind; or name {PROJECT_KIND!r} in tune.models"
        raise ConfigError(
            "is the space of the project's own build_model, which is not searched", where="tune.space", remedy=remedy
        )
    for kind in shipped_kinds(project):
        check_installed(find_framework(kind.framework), f"{_KEY}: {kind.name}")
    _check_folds(project)
    _check_spaces(project)


def shipped_kinds(project: Project) -> list[ModelKind]:
    """Return the kinds to search over but the project's own, in the order in which they are tried: the baselines first."""
    named = project.tune.models
    kinds = [find_kind(name) for name in known_kinds()]
    chosen = [kind for kind in kinds if (is_installed(kind) if named == AUTO else kind.name in (named or ()))]
    return [*baseline_kinds(), *(kind for kind in chosen if not kind.is_baseline)]


def required_kinds(project: Project) -> list[ModelKind]:
    """Return the kinds without whose packages a search cannot begin: the baselines, and those that the project names, if only for their space."""
    named, spaces = project.tune.models, project.tune.spaces
    if named is None:
        return []
    return [kind for kind in shipped_kinds(project) if named != AUTO or kind.is_baseline or kind.name in spaces]


def optional_kinds(project: Project) -> list[ModelKind]:
    """Return the kinds that `tune.models: auto` may search over besides the required ones, whether installed here or not; otherwise none."""
    if project.tune.models != AUTO:
        return []
    required = {kind.name for kind in required_kinds(project)}
    return [kind for kind in map(find_kind, known_kinds()) if kind.name not in required]


def search_only(project: Project, optional: Sequence[ModelKind]) -> Project:
    """Return a project that searches over the required kinds and these by name, in place of `tune.models: auto`."""
    kinds = {kind.name for kind in (*required_kinds(project), *optional)}
    own = [PROJECT_KIND] if searches_own(project) else []
    models = [*(name for name in known_kinds() if name in kinds), *own]
    return project.model_copy(update={"tune": project.tune.model_copy(update={"models": models})})


def describe_left_out(kinds: Sequence[ModelKind], images: Sequence[str], known: Collection[str]) -> str:
    """Say which kinds `tune.models: auto` does not search over, and what brings them.

    Args:
        kinds: The kinds; at least one.
        images: What lacks their packages, as in `naru-server`.
        known: The extras that it is known to have.
    """
    extras = [find_framework(kind.framework).extra for kind in kinds]
    lack = f"{' and '.join(images)} {'is' if len(images) == 1 else 'are'} not known to have {'its extra' if len(kinds) == 1 else 'their extras'}"
    names = " and ".join(kind.name for kind in kinds)
    return f"tune.models: auto leaves out {names}: {lack}; to search them: {build_command([*known, *extras])}"


def searches_own(project: Project) -> bool:
    """Whether the project's own build_model is one of the kinds."""
    named = project.tune.models
    if named == AUTO:
        return project.code.framework != AUTO_FRAMEWORK
    return PROJECT_KIND in (named or ())


def space_of(project: Project, kind: ModelKind, given: KindInput) -> dict[str, Space]:
    """Return the space of a kind, with the project's ranges in place of Naru's."""
    return {**kind.space(given), **project.tune.spaces.get(kind.name, {})}


def _check_folds(project: Project) -> None:
    """Refuse folds, which are drawn at random, where rows were kept together or apart for a reason."""
    method = project.data.split.kind
    if project.tune.folds and method in ("group", "time"):
        message = f"found {project.tune.folds}, and rows are split by {method}: folds drawn at random would put rows of one group or time on both sides"
        raise ConfigError(message, where="tune.folds", remedy="remove it, or set 0 to judge models by the eval rows")


def _check_spaces(project: Project) -> None:
    kinds = {kind.name: kind for kind in shipped_kinds(project)}
    given = KindInput(TASKS[project.task], prepared=False, rows=0)
    for name, space in project.tune.spaces.items():
        where = f"tune.spaces.{name}"
        if name not in kinds:
            if name == PROJECT_KIND:
                raise ConfigError(
                    "the space of the project's own build_model is tune.space", where=where, remedy="move it there"
                )
            message = f"the kind {name!r} is not searched; {suggest(name, list(kinds))}"
            raise ConfigError(message, where=where, remedy=f"name it in tune.models; searched are: {', '.join(kinds)}")
        allowed = kinds[name].space(given)
        for parameter in space:
            if parameter not in allowed:
                message = (
                    f"{parameter!r} is not a hyperparameter of the kind {name!r}; {suggest(parameter, list(allowed))}"
                )
                raise ConfigError(message, where=where, remedy=f"allowed: {', '.join(allowed)}")
