"""`naru monitor` on a project's own folder, as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components._core.errors import ConfigError
from components._core.request_log.hours import SETTLE_SECONDS
from components._core.store.ledger import Deployment, append_deployment
from components._core.types.artifact_files import MONITORING_REFERENCE
from pipelines.__main__ import app
from pipelines.local.monitor_run import monitor_project
from tests.components.monitor.request_lines import START, make_reference, rows_of, write_object

PROJECT = """
name: small
task: binary_classification
label: late
data: {source: rows.csv}
serve: {request_log: {}}
"""


def make_project(folder: Path, *, is_broken: bool) -> None:
    (folder / "project.yaml").write_text(PROJECT)
    store = folder / ".naru" / "store"
    model = store / "small" / "models" / "1" / "artifacts" / "model"
    model.mkdir(parents=True)
    make_reference().save(model.parent / MONITORING_REFERENCE)
    deployment = Deployment("1", str(model), "", "", {}, "", "run", START.isoformat(), "me", "first")
    append_deployment(str(store), "small", deployment)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(seconds=SETTLE_SECONDS, hours=1)
    for day in range(8):
        at = end.replace(minute=0) - timedelta(days=day)
        rows = rows_of(START + timedelta(days=70 - day), 300)
        if is_broken:
            rows["delay"] = [None if place % 10 == 0 else value for place, value in enumerate(rows["delay"])]
        write_object(store / "small" / "requests", at, rows)


@pytest.mark.parametrize(("is_broken", "code"), [(False, 0), (True, 5)])
def test_the_last_lines_say_what_moved_and_the_exit_code_that_it_did(tmp_path: Path, is_broken: bool, code: int):
    make_project(tmp_path, is_broken=is_broken)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NARU", "MLFLOW"))}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "monitor", str(tmp_path)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("version 1: 2,") and lines[-2].endswith("monitoring.html")
    assert Path(lines[-2]).is_file()
    assert lines[-3].startswith("performance: not measured: project.yaml has no section feedback")
    if is_broken:
        assert any(
            line.startswith("fail: delay is missing in 10.0% of the rows") and "requests: " in line for line in lines
        )
        assert lines[-1].startswith("monitoring: blocked: delay is missing")
    else:
        assert lines[-1].startswith("monitoring: ok: 2,")


def test_a_project_that_logs_nothing_is_told_so(tmp_path: Path):
    (tmp_path / "project.yaml").write_text(PROJECT.replace("serve: {request_log: {}}", ""))
    with pytest.raises(ConfigError, match="request_log is not set"):
        monitor_project(tmp_path)


def test_a_version_without_requests_is_given_no_reason_why_its_metric_is_unknown(tmp_path: Path):
    make_project(tmp_path, is_broken=False)
    with (tmp_path / "project.yaml").open("a") as file:
        file.write("feedback: {labels: {source: labels, id: request_id}}\n")
    found = monitor_project(tmp_path, since="2030-01-01", now=datetime(2030, 1, 2, tzinfo=UTC))
    assert found.lines[0].startswith("version 1: 0 rows") and "no requests" in found.lines[-1]
    assert not [line for line in found.lines if "signature" in line]


def test_a_window_by_its_length_and_by_its_beginning_is_refused(tmp_path: Path):
    found = CliRunner().invoke(app, ["monitor", str(tmp_path), "--window", "7d", "--since", "2026-01-01"])
    assert isinstance(found.exception, ConfigError) and "--window or --since" in str(found.exception)
