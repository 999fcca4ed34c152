"""A search begins with what an earlier one on other rows found, and one that is repeated on the same rows with the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from components._core.errors import UnavailableError
from components._core.files import read_json
from components._core.project.tune_config import Space
from components._core.setting_names import STORE
from components._core.types.tasks import TASKS
from components._core.types.tasks.metric import AUC
from components._frameworks.model_kinds import OWN_CODE
from components._frameworks.objective import Objective
from components.tune import earlier_trials
from components.tune.candidates import Candidate
from components.tune.earlier_trials import EarlierTrials
from components.tune.kind_search import KNOWN, SEARCHED, Attempt, Search, Studied

pytest.importorskip("sklearn")
from tests.components.small_penguins import make_penguins
from tests.components.tune.test_search_kinds import tune

FIRST = [("linear", {"alpha": 2.0}), ("boosted", {"learning_rate": 0.1})]


def load(folder: Path, rows: str) -> EarlierTrials:
    return EarlierTrials.load(str(folder), "penguins", "f", rows)


def test_a_search_knows_the_last_one_on_other_rows_that_came_before_it(tmp_path: Path) -> None:
    assert load(tmp_path, "a").best() == []
    load(tmp_path, "a").save(FIRST)
    assert load(tmp_path, "a").best() == [], "its own values would change what a repeated search finds"
    assert load(tmp_path, "b").best() == FIRST
    load(tmp_path, "b").save(FIRST[:1])
    assert load(tmp_path, "b").best() == FIRST, "as the first time"
    assert load(tmp_path, "c").best() == FIRST[:1]
    load(tmp_path, "a").save(FIRST[1:])
    assert load(tmp_path, "b").best() == FIRST[1:] and load(tmp_path, "a").best() == []


def test_the_last_ten_are_kept(tmp_path: Path) -> None:
    for number in range(12):
        load(tmp_path, f"rows {number}").save(FIRST)
    kept = [search["rows"] for search in load(tmp_path, "new").searches]
    assert kept == [f"rows {number}" for number in range(2, 12)]


@pytest.mark.parametrize(
    "content", ["", "{}x", '[{"rows": 1}]', '[{"rows": "a", "best": [{"kind": 3, "values": {}}]}]', "7"]
)
def test_a_damaged_file_is_ignored_and_said(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(load(tmp_path, "a").uri)
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert load(tmp_path, "a").searches == []
    assert "the damaged file of earlier searches" in capsys.readouterr().err
    load(tmp_path, "a").save(FIRST)
    assert load(tmp_path, "b").best() == FIRST


def test_a_store_that_cannot_be_written_does_not_end_a_search_that_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(content: bytes, uri: str, *, durable: bool) -> None:
        raise UnavailableError("does not answer", where=uri)

    monkeypatch.setattr(earlier_trials, "put", refuse)
    load(tmp_path, "a").save(FIRST)
    assert "the next search does not begin with these values: does not answer" in capsys.readouterr().err


def test_the_trials_of_a_search_on_other_rows_begin_with_the_best_of_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    settings = {"models": ["linear"], "trials": 2, "workers": 2, "folds": 0}
    first = make_penguins(tmp_path / "first", "regression", framework="auto", tune=settings)
    _, folder = tune(first)
    assert {trial["origin"] for trial in read_json(folder / "trials.json")} == {"known good", "searched"}
    best = read_json(folder / "leaderboard.json")["entries"][0]

    other = make_penguins(
        tmp_path / "other", "regression", framework="auto", tune=settings, train={"seed": 7}, data={"source": "p.csv"}
    )
    rows = other.path("transformed") / "eval.parquet"
    rows.write_bytes((other.path("transformed") / "train.parquet").read_bytes())
    trials = read_json(tune(other)[1] / "trials.json")
    begun = next(trial for trial in trials if trial["origin"] == "earlier run")
    assert begun["kind"] == best["kind"]
    assert (
        begun["values"].items() >= {name: best["values"][name] for name in best["values"] if name != "max_iter"}.items()
    )


def test_values_that_lack_a_name_of_the_space_are_not_kept() -> None:
    space = {"C": Space(low=0.1, high=0.2)}  # train.hyperparameters need not have it
    own = Candidate("project", "", OWN_CODE, cast("Any", None), cast("Any", None), [{}], space, is_baseline=True)
    attempts = [Attempt(0, own, {}, KNOWN, value=0.9), Attempt(1, own, {"C": 0.15}, SEARCHED, value=0.8)]
    objective = Objective(TASKS["binary_classification"], AUC, "", np.zeros(0), 0, "no rows")
    kind = Studied(own, cast("Any", None), {"C": FloatDistribution(0.1, 0.2)}, [attempts[0]])
    search = Search(cast("Any", None), objective, cast("Any", None), [kind], attempts=attempts)
    assert search.best_values() == [("project", {"C": 0.15})]
