"""The parity test of a version's ready servers, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.project.gate_config import ServingGates
from components.deploy.rollout.footprint import judge_footprint
from components.deploy.targets.contract import ModelVersion, RolloutError, RolloutTarget, Server, ServerClient

ATTEMPTS = 3
"""How often servers that were ready and disappeared are awaited again."""

Prove = Callable[[ServerClient], list[Check]]
"""Parity test of one server."""


def prove_servers(
    target: RolloutTarget, model: ModelVersion, prove: Prove, gates: ServingGates
) -> tuple[int, list[Check]]:
    """Run the parity test on each ready server of a version; return the number of servers, at least one, and the checks.

    A server may disappear meanwhile, as with its node: then its replacement is awaited and tested.

    Args:
        target: Where it is served.
        model: The version.
        prove: Parity test of one server.
        gates: Bounds of the time to start and of memory.

    Raises:
        RolloutError: When no server stays ready.
        ServiceError: When one does not answer.
    """
    key = model.key
    for _ in range(ATTEMPTS):
        servers = target.wait([key]).ready(key)
        try:
            checks = [check for server in servers for check in _prove_server(target, server, prove, gates)]
        except ServiceError:
            if _ids(servers) <= _ids(target.see().ready(key)):
                raise
            continue
        if servers:
            return len(servers), checks
        target.timing.sleep(target.timing.poll)
    raise RolloutError(f"no server of version {model.version} stayed ready for the parity test, in {ATTEMPTS} attempts")


def raise_failed(checks: Iterable[Check]) -> None:
    """Raise when a check failed.

    Raises:
        RolloutError: With every failed check.
    """
    if failed := [check for check in checks if check.status == "fail"]:
        raise RolloutError("; ".join(f"{check.name}: {check.reason}" for check in failed))


def _prove_server(target: RolloutTarget, server: Server, prove: Prove, gates: ServingGates) -> list[Check]:
    client = target.client(server)
    checks = prove(client)
    if not checks:
        return [Check("parity", "fail", reason=f"no request was sent to {server.name}, so parity is unknown")]
    return [*checks, *judge_footprint(server, client.count(), gates)]


def _ids(servers: Iterable[Server]) -> set[str]:
    return {server.id for server in servers}
