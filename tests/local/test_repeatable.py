"""The same project gives the same model, byte for byte, wherever and whenever it is run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.examples.artifact import Manifest
from tests.local.conftest import Ran, run_naru
from tests.local.made import HOLDS_A_TIME, artifacts_of, read_outputs

pytestmark = pytest.mark.slow

SEARCH = ("--trials", "2", "--set", "tune.space={learning_rate: {low: 0.001, high: 0.01, log: true}}")
WORLDS = {
    "here": {"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    "ünder weg": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "11"},
}


@pytest.fixture(scope="module")
def runs(new_project: Callable[[str], Path]) -> list[Ran]:
    """The same run in two worlds: another folder, another locale, another time zone."""
    ran = [run_naru(str(new_project(folder)), *SEARCH, **world) for folder, world in WORLDS.items()]
    assert [each.code for each in ran] == [0, 0], ran[-1].errors
    return ran


def folders(runs: list[Ran]) -> list[Path]:
    return [Path(ran.record["paths"]["run"]) for ran in runs]


def test_every_file_is_the_same_but_for_those_that_hold_a_time(runs: list[Ran]) -> None:
    here, away = (artifacts_of(folder) for folder in folders(runs))
    assert here == away
    for needed in ("ingest/examples/manifest.json", "validate/schema/schema.pbtxt", "tune/hyperparameters"):
        assert any(name.startswith(needed) for name in here)
    assert any(name.startswith("train/model/") and name.endswith("saved_model.pb") for name in here)


def test_every_stage_tells_the_same_metrics_and_verdicts(runs: list[Ran]) -> None:
    here, away = (read_outputs(folder) for folder in folders(runs))
    assert here == away
    assert runs[0].record["metrics"] == runs[1].record["metrics"]
    assert runs[0].verdicts() == runs[1].verdicts()


def test_the_fingerprints_are_the_same(runs: list[Ran]) -> None:
    """The source's own is left out: it tells by the files' times whether they must be read again. Ingest's is by content."""
    given = [json.loads((folder / "parameters.json").read_text()) for folder in folders(runs)]
    for name in ("code_fingerprint", "project"):
        assert given[0][name] == given[1][name]
    read = [Manifest.load(next(folder.glob("training-*/ingest/examples"))).fingerprint for folder in folders(runs)]
    assert read[0] == read[1]


def test_what_is_said_to_hold_a_time_does(runs: list[Ran]) -> None:
    """So that the list stays short: a file that repeats after all is taken off it."""
    roots = [next(folder.glob("training-*")) for folder in folders(runs)]
    for pattern in HOLDS_A_TIME:
        files = [path for path in roots[0].glob(pattern) if path.is_file()]
        pairs = [(path, roots[1] / path.relative_to(roots[0])) for path in files]
        assert any(one.read_bytes() != other.read_bytes() for one, other in pairs), pattern
