"""The project that fcdfe89 made, where it was made and restored from a backup elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

MADE = Path(__file__).parent / "made_by_fcdfe89"
MADE_AT = "/tmp/lf/parcels"
PROJECT = "parcels.yaml"
"""The project file as it lies here: under its own name, `naru apply` without arguments would mean it too."""
CODE = ("project.yaml", "preprocessing.py", "model.py", "parcels-1.csv", "parcels-2.csv", "parcels-3.csv")


def lay_out(place: Path) -> Path:
    """The project as it lay in `place`, made there: with its addresses, which are whole."""
    place.mkdir(parents=True)
    for name in CODE:
        shutil.copy(MADE / (PROJECT if name == "project.yaml" else name), place / name)
    shutil.copytree(MADE / "store", place / ".naru" / "store")
    for line in (place / ".naru" / "store" / "parcels" / "deployments").iterdir():
        line.write_text(line.read_text().replace(MADE_AT, str(place)))
    database = sqlite3.connect(place / ".naru" / "mlflow.db")
    database.executescript((MADE / "mlflow.sql").read_text().replace(MADE_AT, str(place)))
    database.close()
    return place


def restore(made: Path, place: Path) -> Path:
    """A project in an empty place, with what a backup of store and database holds, and nothing else of what was made."""
    (place / ".naru").mkdir(parents=True)
    for name in CODE:
        shutil.copy(made / name, place)
    shutil.copytree(made / ".naru" / "store", place / ".naru" / "store")
    shutil.copy(made / ".naru" / "mlflow.db", place / ".naru" / "mlflow.db")
    return place


@pytest.fixture(params=["upgraded", "restored elsewhere"])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project after an upgrade; or after one and a restore into another place, the old one being gone."""
    for name in ("NARU_STORE", "MLFLOW_TRACKING_URI", "NARU_SERVING"):
        monkeypatch.delenv(name, raising=False)
    made = lay_out(tmp_path / "made")
    if request.param == "upgraded":
        return made
    restored = restore(made, tmp_path / "restored")
    shutil.rmtree(made)
    return restored
