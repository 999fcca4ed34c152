"""A pools file for a cluster of one small node: ours, but for CPU requests and for an image without CUDA."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipelines.pools import DEFAULT_POOLS


def write_pools(file: Path) -> Path:
    raw = yaml.safe_load(DEFAULT_POOLS.read_text())
    for needs in raw["stages"].values():
        needs["requests"]["cpu"] = "100m"
    for pool in raw["pools"].values():
        pool.pop("images", None)
    raw["profiles"]["gpu"] = {"train": "gpu"}
    file.write_text(yaml.safe_dump(raw))
    return file
