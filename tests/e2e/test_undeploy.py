"""Back to nothing, at the end: what is ours is taken away, and nothing else."""

from __future__ import annotations

import pytest

from components._cluster.kubernetes_client import KINDS
from components._kfp.ownership import read_label
from components._kfp.server_state import Server
from tests.e2e.environment import Environment
from tests.e2e.flights import DAYS, LIVE, LOOP, NAME, TABLE
from tests.e2e.frameworks import FAMILIES, name_of
from tests.e2e.world import World, until

pytestmark = pytest.mark.e2e


def test_undeploy_takes_away_what_is_ours_and_nothing_else(world: World, environment: Environment) -> None:
    _remove_pipelines(world)
    refused = world.naru("cluster", "undeploy")
    assert refused.code == 2 and "hold data and would be lost" in refused.errors
    world.naru("cluster", "undeploy", "--delete-data").well()
    until(lambda: not _left(world), "no object of Naru is left")
    kfp = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "ml-pipeline", "namespace": environment.kfp_namespace},
    }
    assert (world.cluster.get(kfp) or {})["status"]["readyReplicas"] == 1


def _remove_pipelines(world: World) -> None:
    """What `prune` does for a repository that no longer has the projects."""
    projects = {NAME, DAYS, TABLE, LOOP, LIVE, *map(name_of, FAMILIES)}
    for pipeline in Server(world.kfp).pipelines():
        if getattr(read_label(pipeline), "project", "") in projects:
            world.kfp.delete(f"/pipelines/{pipeline['pipeline_id']}", cascade="true")


def _left(world: World) -> list[str]:
    kinds = [(version, kind) for version, kind in KINDS if kind != "Pod"]
    return [str(one["metadata"]["name"]) for version, kind in kinds for one in world.cluster.list_all(version, kind)]
