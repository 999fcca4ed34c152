"""What the benchmark of the lifecycle runs before it measures works as a command of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import naru_run


@pytest.mark.slow
def test_a_process_imports_what_a_run_imports() -> None:
    code = f"{naru_run.IMPORTS}; import sys; print(sorted({{'keras', 'tensorflow_transform', 'kfp'}} & sys.modules.keys()))"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=naru_run.environment(), check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith("['keras', 'kfp', 'tensorflow_transform']")
