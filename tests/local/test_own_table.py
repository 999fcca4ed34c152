"""`naru new`, then `naru run`, on people's own tables: whole runs, so slow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from tests.local.conftest import ROOT, run_naru

pytestmark = pytest.mark.slow


def wine() -> tuple[pd.DataFrame, str]:
    """Three classes by name, column names with spaces and a slash, an identifier."""
    loaded = datasets.load_wine(as_frame=True)
    table = loaded.data.rename(columns={"od280/od315_of_diluted_wines": "od280/od315 of wines"})
    table.insert(0, "bottle id", [f"b{number:04d}" for number in range(len(table))])
    return table.assign(kind=[loaded.target_names[index] for index in loaded.target]), "kind"


def diabetes() -> tuple[pd.DataFrame, str]:
    """A number to predict, with gaps in the features."""
    table = datasets.load_diabetes(as_frame=True, scaled=False).frame
    table.loc[::7, "bmi"] = None
    return table, "target"


def visits() -> tuple[pd.DataFrame, str]:
    """A hundred rows with a date, a text and a category; yes or no."""
    days = pd.date_range("2024-01-01", periods=100)
    rain = [(number * 37) % 10 for number in range(100)]
    return (
        pd.DataFrame(
            {
                "day": days.strftime("%Y-%m-%d"),
                "note": [f"{'wet and cold' if r > 5 else 'dry, sunny'} day number {r}" for r in rain],
                "town": [("north", "south", "east")[number % 3] for number in range(100)],
                "rain": rain,
                "came": ["no" if r > 5 else "yes" for r in rain],
            }
        ),
        "came",
    )


def money() -> tuple[pd.DataFrame, str]:
    """Amounts as people write them: a model that takes them as categories has an auc near 0.6."""
    random = np.random.default_rng(3)
    amount, rate = np.exp(random.normal(7, 1, 600)), random.uniform(5, 30, 600)
    owes = np.log(amount) - 7 + (rate - 17) / 7 + random.normal(0, 1, 600) > 0
    table = {"usd": [f"${value:,.2f}" for value in amount], "rate": [f"{value:.1f}%" for value in rate]}
    return pd.DataFrame({**table, "owes": np.where(owes, "yes", "no")}), "owes"


def evenings() -> tuple[pd.DataFrame, str]:
    """Times with AM and PM: a model that drops them has an auc near 0.5."""
    hours = pd.date_range("2024-01-01", periods=900, freq="17h")
    written = hours.strftime("%m/%d/%Y %I:15 %p")
    return pd.DataFrame(
        {"sold_at": written, "part": np.where((hours.hour >= 8) & (hours.hour < 20), "day", "night")}
    ), "part"


@pytest.mark.parametrize(
    ("table", "metric", "least"),
    [
        (wine, "accuracy", 0.8),
        (diabetes, "r2", 0.2),
        (visits, "auc", 0.6),
        (money, "auc", 0.8),
        pytest.param(evenings, "auc", 0.9, marks=pytest.mark.nightly),
    ],
)
def test_a_persons_own_table_becomes_a_served_model(tmp_path: Path, table: object, metric: str, least: float) -> None:
    rows, label = table()  # type: ignore[operator]
    rows.to_csv(tmp_path / "table.csv", index=False)
    folder = tmp_path / "mine"
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "new",
        str(folder),
        "--data",
        str(tmp_path / "table.csv"),
        "--label",
        label,
    ]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    ran = run_naru(str(folder), "--set", "gates.serving.p95_ms=10000")  # a busy machine fails no test
    assert ran.code == 0, ran.errors
    assert ran.record["metrics"][metric] > least
    assert ran.record["deployed"], ran.record["reason"]
