"""What `make e2e` says where there is no cluster; needs none."""

import os
import subprocess

from tests.containers.engine import ROOT


def test_without_a_cluster_make_says_so_and_stops() -> None:
    world = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "e2e"], cwd=ROOT, env=world, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode
    assert "no cluster: set KUBECONFIG" in done.stderr
