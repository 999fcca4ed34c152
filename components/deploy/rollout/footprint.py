"""The performance gates that need no load: how long a server took to start, and the memory that it uses."""

from __future__ import annotations

from components._core.checks import Check
from components._core.project.gate_config import ServingGates
from components.deploy.performance import at_most
from components.deploy.server_metrics import Counts
from components.deploy.targets.contract import Server


def judge_footprint(server: Server, counts: Counts, gates: ServingGates) -> list[Check]:
    """Make a check for each bound that is set, of `cold_start_seconds` and `memory_mb`."""
    checks = [
        at_most("cold start (s)", server.cold_start_seconds, gates.cold_start_seconds),
        at_most("memory (MB)", round(counts.memory / 1e6, 1) if counts.memory else None, gates.memory_mb),
    ]
    return [check for check in checks if check is not None]
