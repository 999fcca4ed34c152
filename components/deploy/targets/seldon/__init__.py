"""The target of a cluster with Seldon Core, which serves versions by a SeldonDeployment and a Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components._core.project.project_file import Project
    from components._core.settings import Settings
    from components.deploy.targets.contract import FindPlacement, RolloutTarget


def open_target(project: Project, settings: Settings, find_placement: FindPlacement) -> RolloutTarget:
    """Open the target on the cluster that this process runs in, or that KUBECONFIG names.

    Raises:
        ConfigError: When the project's pool or Secret does not exist.
        ServiceError: When the cluster does not answer, or refuses.
    """
    from components.deploy.targets.seldon.target import open_on_cluster  # imports the Kubernetes client

    return open_on_cluster(project, settings, find_placement())
