"""Optional packages: the extras of `pyproject.toml`, and the message for one that is not installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence

from components._core.errors import ConfigError
from components._core.setting_names import EXTRAS, IMAGE_EXTRAS

LOCAL_EXTRA = "local"
"""The extra that brings TensorFlow. An image has TensorFlow or has it not: it is not built into one."""


def check_extra(extra: str, packages: Sequence[str], what: str, where: str) -> None:
    """Refuse what needs packages that are not installed here, without importing them.

    Args:
        extra: The extra of `pyproject.toml` that has the packages.
        packages: Importable names, as in `google.cloud.storage`.
        what: What needs them, for the message: `the framework 'sklearn'`.
        where: The place that names it, for the message.

    Raises:
        ConfigError: With the missing packages, and how to install them.
    """
    if missing := missing_packages(packages):
        message = f"{what} needs packages that are not installed: {', '.join(missing)}"
        raise ConfigError(message, where=where, remedy=_remedy(extra))


def missing_packages(packages: Iterable[str]) -> list[str]:
    """Return those of some importable names that are not installed here, without importing them."""
    return [name for name in packages if not _is_installed(name)]


def build_command(extras: Iterable[str]) -> str:
    """Return the command that builds the images with some extras, and the setting that goes with them."""
    names = " ".join(sorted(set(extras)))
    return f'make images EXTRAS="{names}"; and for what is compiled: {EXTRAS}="{names}"'


_UNLOCKED = frozenset({"torch"})
"""Extras that `tools/setup` installs nowhere: PyPI's build of PyTorch for Linux is one of 3 GB for GPUs."""


def _remedy(extra: str) -> str:
    built_in = os.environ.get(IMAGE_EXTRAS)
    if built_in is None and extra in _UNLOCKED:
        return f"pip install 'naru[{extra}]'; for a smaller build, which is installed first, see docs/frameworks.md"
    if built_in is not None and extra in _UNLOCKED and extra in built_in.split():
        return f"run it in naru-stages-{extra}: --profile {extra} for what is compiled"
    if built_in is None:
        return f"pip install 'naru[{extra}]'; in a clone of the repository: tools/setup --dev"
    if extra == LOCAL_EXTRA:
        return "use an image that has it: naru-server or naru-server-seldon to serve, naru-stages for all else"
    return f"build it into this image: {build_command([*built_in.split(), extra])}"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
