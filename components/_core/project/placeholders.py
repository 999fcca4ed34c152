"""Parameters that are new in every run on a cluster: Kubeflow Pipelines writes the run's id in their place.

KFP answers a stage from its cache when parameters and inputs are the same, and no parameter can switch that off. What a
stage sees outside (the source, the champion) therefore has a parameter of its own. Where the person who starts a run does
not say what it is of, the macro makes it a new value in each run, and nothing stale is ever taken. The server replaces it
wherever it stands in a run: in what the run was started with, in a schedule's parameters, and in defaults. Should it arrive
unreplaced, it is refused, since a stage that fails is not cached.
"""

from __future__ import annotations

from components._core.errors import ConfigError

PER_RUN = "{{workflow.uid}}"
"""What KFP's server (`ReplaceUID` in `backend/src/common/util/workflow.go`), and else Argo, replaces by the id of the run."""


def check_replaced(parameter: str, value: str) -> None:
    """Refuse a value that would be the same in every run although what it stands for may have changed.

    Args:
        parameter: Its name.
        value: What arrived.

    Raises:
        ConfigError: When it is empty, or the macro in it was not replaced.
    """
    if value and PER_RUN not in value:
        return
    message = f"{PER_RUN} was not replaced" if value else "is empty"
    remedy = "write a word that is new whenever what it stands for may have changed, such as today's date"
    raise ConfigError(
        f"{message}: a later run would be answered from the cache", where=f"parameter {parameter}", remedy=remedy
    )
