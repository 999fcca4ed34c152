"""What a project may say of optimised variants (`serve.optimize`), by the frameworks that can make them."""

from __future__ import annotations

from collections.abc import Collection

from components._core.errors import ConfigError
from components._core.extras import build_command, check_extra
from components._core.project.project_file import Project
from components._core.suggestions import suggest
from components._frameworks.contract import Framework, VariantKind
from components._frameworks.table import find_framework, known_frameworks

_KEY = "serve.optimize"


def check_variants(project: Project, framework: Framework) -> None:
    """Check the variants that a project names; nothing where it names none.

    Raises:
        ConfigError: When there is no such variant, the framework cannot make it, or its packages are not installed.
    """
    if project.serve.optimize is None:
        return
    possible = {kind.name: kind for kind in framework.variants}
    for name in project.serve.optimize.named:
        if name not in possible:
            _refuse(name, framework, possible)
        kind = possible[name]
        check_extra(kind.extra, kind.packages, f"the variant {name!r}", _KEY)


def needed_extras(project: Project, framework: Framework) -> list[str]:
    """Return the extras beyond the framework's own that the project's variants need, to be made and to be served."""
    if project.serve.optimize is None:
        return []
    named = project.serve.optimize.named or [kind.name for kind in framework.variants]
    extras = [kind.extra for kind in framework.variants if kind.name in named and kind.extra]
    return [*dict.fromkeys(extras)]


def check_variant_servers(project: Project, framework: Framework, extras: Collection[str]) -> None:
    """Refuse variants that the servers on a cluster could not open.

    Args:
        project: The project.
        framework: Its framework.
        extras: The extras that the servers' image was built with.

    Raises:
        ConfigError: When the image lacks an extra.
    """
    missing = [extra for extra in needed_extras(project, framework) if extra not in extras]
    if missing:
        message = f"a variant may need the extra {missing[0]!r}, which the servers' image on this cluster is not known to have"
        names = ", ".join(kind.name for kind in framework.variants if kind.extra not in missing)
        remedy = f"{build_command([*extras, *missing])}; or name variants without it: [{names}]"
        raise ConfigError(message, where=_KEY, remedy=remedy)


def _refuse(name: str, framework: Framework, possible: dict[str, VariantKind]) -> None:
    """Refuse a variant that the framework does not make.

    Raises:
        ConfigError: With those that it makes.
    """
    known = {kind.name for other in known_frameworks() for kind in find_framework(other).variants}
    allowed = f"allowed: auto, off, {', '.join(possible)}" if possible else "remove it"
    if name in known:
        message = f"a model of {framework.name!r} has no variant {name!r}"
    else:
        message = f"unknown variant {name!r}; {suggest(name, list(possible))}"
    raise ConfigError(message, where=_KEY, remedy=allowed)
