"""A cluster that plays Seldon's operator, by a clock that stands still but for what a rollout sleeps."""

from tests.components.deploy.targets.seldon.world import world
from tests.kubernetes.conftest import cluster, server

__all__ = ["cluster", "server", "world"]
