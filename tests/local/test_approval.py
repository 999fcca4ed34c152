"""A person approves what a real run made, and after a clean-up every command works on what was kept."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.store.ledger import read_deployments
from tests.local.conftest import ROOT, run_naru

pytestmark = pytest.mark.slow


def naru(*arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own."""
    world = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "LOGNAME": "ada"}
    command = [sys.executable, "-m", "pipelines", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=world, timeout=600, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def champions(project: Path) -> list[str]:
    return [line.version for line in read_deployments(str(project / ".naru" / "store"), "small")]


def test_a_version_waits_is_approved_and_a_clean_up_leaves_what_every_command_needs(
    new_project: Callable[[str], Path],
) -> None:
    project = new_project("approval")
    file, folder = project / "project.yaml", str(project)
    file.write_text(file.read_text() + "serve: {approve: [ada]}\n")
    first = run_naru(folder)
    assert first.code == 0 and first.verdicts()["deploy"] == "skipped", first.errors
    assert first.record["reason"].startswith("waits for approval of ada: version 1, until ")
    assert first.record["approve"] == f"naru approve 1 {folder} --reason '...'"
    assert first.record["approve"] in first.errors, "it is in the last lines"
    assert champions(project) == [] and "version 1 waits for approval" in naru("runs", folder)[1]
    code, said = naru("approve", "1", folder, "--reason", "the first one")
    assert code == 0 and said.rstrip().endswith("version 1 is the champion of small"), said
    assert champions(project) == ["1"]
    for bound in ("0.998", "0.999"):
        blocked = run_naru(folder, "--set", f"gates.model.thresholds={{auc: {{min: {bound}}}}}")
        assert blocked.verdicts()["evaluate"] == "blocked", blocked.errors

    table, output = str(project / "flights-3.csv"), str(project / "out.csv")
    commands = [
        ("runs", folder),
        ("report", folder),
        ("ledger", folder),
        ("approvals", folder),
        ("data", "ls", folder),
        ("data", "diff", folder, "v1", "last", "--key", "id"),
        ("data", "verify", folder, "v1"),
        ("predict", folder, "--source", table, "--output", output, "--replace"),
        ("rollback", folder),
    ]
    before = {command: naru(*command)[0] for command in commands}
    assert before["runs", folder] == before["data", "ls", folder] == before["data", "verify", folder, "v1"] == 0
    code, said = naru("clean", folder, "--keep", "1")
    assert code == 0 and "nothing was removed" in said
    code, said = naru("clean", folder, "--keep", "1", "--yes")
    assert code == 0 and "runs: 1 removed" in said, said
    kept = {path.name for path in (project / ".naru" / "runs").iterdir()}
    assert kept == {first.record["run"], blocked.record["run"]}
    assert {command: naru(*command)[0] for command in commands} == before
    again = run_naru(folder, "--set", "gates.model.thresholds={auc: {min: 0.999}}")
    assert again.code == 0 and any(state["reused"] for state in again.record["stages"]), again.errors
