"""What models need on a cluster beside Naru itself: Seldon's operator."""

from __future__ import annotations

import subprocess


def has_seldon() -> bool:
    command = ["kubectl", "get", "customresourcedefinition", "seldondeployments.machinelearning.seldon.io"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
