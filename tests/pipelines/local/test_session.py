"""What `naru run` decides before the first stage starts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from pipelines.local import session

PROJECT = """name: trees
task: regression
label: y
data: {source: t.csv}
code: {framework: auto}
serve: {protocol: PROTOCOL}
"""


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The kinds that runs search over, which end before their first stage."""
    found: list[Any] = []

    def run(_workspace: object, project: Project, *_: object) -> None:
        found.append(project.tune.models)
        raise ConfigError("enough")

    monkeypatch.setattr(session, "run_training", run)
    return found


def start(folder: Path, protocol: str) -> None:
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{number},{number % 7}\n" for number in range(40)))
    (folder / "project.yaml").write_text(PROJECT.replace("PROTOCOL", protocol))
    session.run_session(folder, {}, fresh_from="", as_json=False, started=time.perf_counter())


@pytest.mark.parametrize(
    ("serving", "protocol", "extras", "kinds"),
    [
        ("seldon", "seldon", "sklearn xgboost", ["linear", "boosted", "xgboost", "extra_trees"]),
        ("seldon", "seldon", "sklearn xgboost lightgbm", "auto"),
        ("seldon", "v2", "sklearn", "auto"),  # served from the image of ONNX
        ("local", "seldon", "", "auto"),
    ],
)
def test_kinds_that_the_servers_cannot_open_are_left_out_before_anything_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    searched: list[Any],
    serving: str,
    protocol: str,
    extras: str,
    kinds: list[str] | str,
) -> None:
    monkeypatch.setenv("NARU_SERVING", serving)
    monkeypatch.setenv("NARU_EXTRAS", extras)
    start(tmp_path, protocol)
    assert searched == [kinds]
    said = "naru: warning: tune.models: auto leaves out lightgbm: the servers' image is not known to have its extra"
    assert (said in capfd.readouterr().err) == (kinds != "auto")
