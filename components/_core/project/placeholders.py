"""Placeholders that Kubeflow Pipelines replaces by the run's id, so that a parameter is new in every run on a cluster.

KFP takes a stage from its cache when parameters and inputs are the same, and no parameter can switch that off. What a
stage reads outside (the source, the champion) therefore has a parameter of its own. If the person who starts a run does
not set it, the placeholder gives it a new value in each run, and nothing stale is ever used. The server replaces it
wherever it stands in a run: in what the run was started with, in a schedule's parameters, and in defaults. If it arrives
unreplaced, the stage fails, and a failed stage is not cached.
"""

from __future__ import annotations

from components._core.errors import ConfigError

PER_RUN = "{{workflow.uid}}"
"""Placeholder that KFP's server (`ReplaceUID` in `backend/src/common/util/workflow.go`), or else Argo, replaces by the run's id."""

FRESH = {"source_fingerprint": PER_RUN, "champion": f"auto {PER_RUN}", "run": PER_RUN}
"""Parameters of a training run for which nothing is pinned: its stages look it up themselves (docs/decisions/0005)."""
COMMIT = "code_commit"
"""Parameter of a run: the git commit of the project, for the run's record. A compiled pipeline has none, so that it is the same at each commit."""
CLAIM = "claim"
"""Parameter of a run that a watcher started: the decision and the run, as `components/_core/store/run_claims.py` reads them."""


def check_replaced(parameter: str, value: str) -> None:
    """Refuse a value that would be the same in every run although the data behind it may have changed.

    Args:
        parameter: Name of the parameter.
        value: Value of the parameter.

    Raises:
        ConfigError: When it is empty, or the placeholder in it was not replaced.
    """
    if value and PER_RUN not in value:
        return
    message = f"{PER_RUN} was not replaced" if value else "is empty"
    remedy = "give a value that changes with the data behind it, such as today's date"
    raise ConfigError(
        f"{message}: a later run would reuse cached results", where=f"parameter {parameter}", remedy=remedy
    )
