"""The laptop target: model servers as processes on loopback, during a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components._core.project.project_file import Project
    from components._core.settings import Settings
    from components.deploy.targets.contract import ComparisonTarget, FindPlacement


def open_target(project: Project, settings: Settings, _: FindPlacement) -> ComparisonTarget:
    """Open the laptop's target; its servers need no placement."""
    from components.deploy.targets.local.side_by_side import LocalTarget  # brings NumPy and PyArrow

    return LocalTarget(project, settings)
