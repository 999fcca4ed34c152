"""The deployment targets by their names in NARU_SERVING, with one line of registration each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components._core.errors import ConfigError
from components._core.setting_names import SERVING
from components._core.settings import LOCAL
from components.deploy.targets import local, seldon

if TYPE_CHECKING:  # a target's dependencies are imported when it is opened: every command imports the table
    from components.deploy.targets.contract import OpenTarget

NONE = "none"
"""The value of NARU_SERVING with which no version is deployed."""

_TARGETS: dict[str, OpenTarget] = {}


def register_target(name: str, open_target: OpenTarget) -> None:
    """Add a target to the allowed values of NARU_SERVING.

    Raises:
        ValueError: When the name is taken.
    """
    if name == NONE or name in _TARGETS:
        raise ValueError(f"duplicate deployment target {name!r}")
    _TARGETS[name] = open_target


def find_target(name: str) -> OpenTarget | None:
    """Find the target that NARU_SERVING names; None for `none`.

    Raises:
        ConfigError: When there is no such target.
    """
    if name == NONE:
        return None
    if name not in _TARGETS:
        allowed = ", ".join((*_TARGETS, NONE))
        raise ConfigError(f"found {name!r}; allowed: {allowed}", where=f"environment variable {SERVING}")
    return _TARGETS[name]


register_target(LOCAL, local.open_target)
register_target("seldon", seldon.open_target)
