"""The bounds on a request: one fact for the project file, the command line and both servers."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from components._core.project.serving_config import Serve, limit_options
from components._core.types.signature import Feature
from components.serve.limits import Limits, add_options, limits_from

ROOT = Path(__file__).parents[3]


def parse(*options: str) -> Limits:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return limits_from(parser.parse_args(options))


def test_the_defaults_of_project_and_server_are_the_same() -> None:
    serve = Serve()
    every = ["--max-body-mb", str(serve.max_body_mb), "--max-rows", str(serve.max_rows)]
    every += ["--max-inputs", str(serve.max_inputs), "--max-name-bytes", str(serve.max_name_bytes)]
    every += ["--max-id-bytes", str(serve.max_id_bytes), "--max-text-kb", str(serve.max_text_kb)]
    every += ["--max-header-kb", str(serve.max_header_kb)]
    assert parse() == parse(*every) == Limits()
    assert limit_options(serve) == []


@pytest.mark.parametrize(
    ("setting", "field", "unit"),
    [
        ("max_body_mb", "body_bytes", 1 << 20),
        ("max_rows", "rows", 1),
        ("max_inputs", "inputs", 1),
        ("max_name_bytes", "name_bytes", 1),
        ("max_id_bytes", "id_bytes", 1),
        ("max_text_kb", "text_bytes", 1 << 10),
        ("max_header_kb", "header_bytes", 1 << 10),
    ],
)
def test_every_setting_of_a_project_reaches_the_server(setting: str, field: str, unit: int) -> None:
    limits = parse(*limit_options(Serve.model_validate({setting: 37})))
    assert getattr(limits, field) == 37 * unit
    assert sum(getattr(limits, name) != getattr(Limits(), name) for name in vars(limits)) == 1


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan", "inf", ""])
def test_a_bound_that_is_not_a_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        parse("--max-body-mb", text)


def test_no_bound_is_below_what_the_model_itself_needs() -> None:
    features = [Feature("x" * 300, "float32", True), Feature("이름", "string", True), Feature("a", "int64", False)]
    limits = Limits(inputs=2, name_bytes=10).for_model(features)
    assert (limits.inputs, limits.name_bytes) == (3, 300)
    assert Limits().for_model(features[1:]) == Limits()


def test_connections_stay_below_the_limit_of_open_files() -> None:
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
from components.serve.limits import max_connections
print(max_connections(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

    def ask(soft: int, hard: int) -> list[int]:
        command = [sys.executable, "-c", code, str(soft), str(hard)]
        return [int(text) for text in subprocess.check_output(command, cwd=ROOT, text=True).split()]

    assert ask(256, 256) == [192, 256]
    assert ask(256, 1_024) == [960, 1_024]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= 8_192:
        assert ask(1_024, 8_192) == [4_096, 8_192]
