"""Check the sizes of the splits against the shares that the project wants."""

from __future__ import annotations

from components._core.checks import Check, Status
from components._core.examples.artifact import SPLITS, Manifest
from components._core.examples.split_definition import GivenSplit, TimeSplit
from components._core.project.gate_config import Severity
from components.validate.findings import to_status

FAR_OFF = 2.0
"""A split that is this many times larger or smaller than its share is a finding."""
FEWEST = 30
"""Expected rows of a split from which its size is judged: that of a smaller one is a matter of chance."""
_KIND, _NAME = "split_sizes", "split sizes"


def check_sizes(manifest: Manifest, policy: dict[str, Severity]) -> Check:
    """Report the rows of each split, and judge their shares where the project sets them by hash.

    In a split by time ingest has judged them, in a given one the source sets them.
    """
    total = sum(manifest.rows.get(split, 0) for split in SPLITS)
    definition = manifest.split
    wanted: dict[str, float] = {}
    if definition is not None and not isinstance(definition, GivenSplit):
        wanted = {"train": definition.train, "eval": definition.eval, "test": definition.test}
    shares = {split: manifest.rows.get(split, 0) / max(total, 1) for split in SPLITS}
    off = (
        []
        if isinstance(definition, TimeSplit)
        else [name for name in wanted if _is_far_off(shares[name], wanted[name], total)]
    )
    status: Status = to_status(policy[_KIND]) if off else "pass"
    reason = ", ".join(f"{split} {manifest.rows.get(split, 0):,} rows ({shares[split]:.1%})" for split in SPLITS)
    if off:
        reason += (
            f"; far from the share of {', '.join(off)}: few large groups or many equal rows stay together (data.split)"
        )
    if status == "skipped":
        reason += " (ignored by gates.data.anomalies)"
    return Check(_NAME, status, round(shares["test"], 6), wanted.get("test"), n=total, reason=reason)


def _is_far_off(found: float, wanted: float, total: int) -> bool:
    return wanted * total >= FEWEST and not 1 / FAR_OFF <= found / wanted <= FAR_OFF
