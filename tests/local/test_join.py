"""A model that was trained with joined columns answers a request that carries them as it answers the row offline."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from components._core.examples.artifact import read_batches
from components._frameworks.score_rows import score_split
from components._frameworks.table import load_model
from components._predictor.predictor import load
from tests.local.conftest import run_naru

pytestmark = pytest.mark.slow

PROJECT = """
name: delays
task: binary_classification
label: late
data:
  source: flights.csv
  exclude: [departed]
  split: {method: time, by: departed, train: 0.6, eval: 0.2, test: 0.2}
  join:
    - {source: weather/w.csv, on: {origin: station}, time: observed, within: 6h, prefix: weather_, allow: 20%}
code: {framework: sklearn}
gates: {model: {first: deploy}, serving: {p95_ms: 10000}}
"""
MODEL = """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

def build_model(hyperparameters):
    numbers = make_pipeline(SimpleImputer(strategy="mean"), StandardScaler())
    columns = ColumnTransformer([
        ("numbers", numbers, ["distance", "weather_wind"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["origin", "weather_sky"]),
    ])
    return Pipeline([("columns", columns), ("last", LogisticRegression(max_iter=200))])
"""
START = datetime(2024, 1, 1, tzinfo=UTC)


def write_tables(folder: Path) -> None:
    """Write flights that are late where the last wind was strong; some have no weather of the last six hours."""
    draw = random.Random(5)
    weather, flights = ["station,observed,wind,sky"], ["origin,departed,distance,late"]
    for station in "abc":
        wind = 5.0
        for hour in range(0, 1_000, 3 if station != "c" else 9):
            wind = round(draw.uniform(0, 20), 1)
            at = START + timedelta(hours=hour)
            weather.append(f"{station},{at.isoformat()},{wind},{draw.choice(['clear', 'rain'])}")
            for minute in draw.sample(range(1, 179 if station != "c" else 539), 4):
                departed = (at + timedelta(minutes=minute)).astimezone(timezone(timedelta(hours=2))).isoformat()
                late = int(wind + draw.gauss(0, 3) > 10)
                flights.append(f"{station},{departed},{draw.randrange(100, 999)},{late}")
    weather[1:] = draw.sample(weather[1:], len(weather) - 1)
    (folder / "weather").mkdir()
    (folder / "weather" / "w.csv").write_text("\n".join(weather) + "\n")
    (folder / "flights.csv").write_text("\n".join(flights) + "\n")


def test_a_request_with_the_joined_values_gets_the_answer_of_the_row(tmp_path: Path) -> None:
    write_tables(tmp_path)
    (tmp_path / "project.yaml").write_text(PROJECT)
    (tmp_path / "model.py").write_text(MODEL)
    ran = run_naru(str(tmp_path))
    assert ran.code == 0 and ran.record["deployed"], ran.errors
    assert ran.record["metrics"]["auc"] > 0.85, "the wind of the row's time says most"

    examples, model = (Path(ran.record["artifacts"][name]) for name in ("examples", "model"))
    trained = load_model(model)
    names = [feature.name for feature in trained.signature.inputs]
    assert {"weather_wind", "weather_sky"} <= set(names) and not {"departed", "observed"} & set(names)
    offline = score_split({"it": trained}, trained.signature, examples, "test", "late", [])
    rows = [row for batch in read_batches(examples, "test") for row in batch.to_pylist()]
    assert any(row["weather_wind"] is None for row in rows) and any(row["weather_wind"] is not None for row in rows)
    served = load(model)
    (output,) = trained.signature.outputs
    answers = [served.predict({name: [row[name]] for name in names})[output][0] for row in rows]
    np.testing.assert_allclose(np.asarray(answers, float), offline.scores["it"], atol=1e-6)

    again = run_naru(str(tmp_path))
    assert {state["stage"]: state["reused"] for state in again.record["stages"]}["ingest"]
    with (tmp_path / "weather" / "w.csv").open("a") as file:
        file.write("a,2024-03-01T00:00Z,1,clear\n")
    changed = run_naru(str(tmp_path))
    assert not {state["stage"]: state["reused"] for state in changed.record["stages"]}["ingest"]
