"""The same cluster as the tests of the Seldon target have."""

from tests.components.deploy.targets.seldon.conftest import cluster, server, world

__all__ = ["cluster", "server", "world"]
