"""What it was measured on and with: enough to judge the numbers, nothing that names a machine or a person."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_VERSIONS = """
import importlib.metadata as metadata, json, sys
installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
print(json.dumps({name: metadata.version(name) for name in sys.argv[1:] if name in installed}))
"""
OURS = ["kfp", "tensorflow", "tensorflow-data-validation", "tensorflow-transform", "pyarrow", "mlflow", "mlserver"]
THEIRS = [
    "tfx",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-transform",
    "tf-keras",
    "apache-beam",
    "pyarrow",
]


def describe_machine(peer: Path | None, theirs: list[str] = THEIRS) -> dict[str, Any]:
    """Processor, memory, system, and the versions on both sides.

    Args:
        peer: The interpreter of the peer's environment; None: there is none.
        theirs: The peer's packages.
    """
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _line("/proc/cpuinfo", "model name"),
        "memory_gib": round(int(_line("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "python": platform.python_version(),
        "versions": _versions(Path(sys.executable), OURS),
        "peer_versions": _versions(peer, theirs) if peer else {},
    }


def peak_mib() -> float:
    """Return the peak memory of this process; `ru_maxrss` is at least what its parent had when it was started."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("the kernel does not say the peak memory of a process")
    return int(found[1]) / 1024


def _line(file: str, name: str) -> str:
    """The value of the first line of that name; empty when there is none."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    found = next((line for line in lines if line.split(":")[0].strip() == name), ":")
    return found.split(":", 1)[1].strip()


def _versions(python: Path, packages: list[str]) -> dict[str, str]:
    done = subprocess.run([str(python), "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions
