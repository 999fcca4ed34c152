"""Predictions in Google Cloud Storage: store, source and output, on a server with its interface."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components._core.store.object_store import list_names
from components.predict import predict
from tests.components.predict.made import run, table, version

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("gcs")]


def test_gcs_in_gcs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "part_rows", lambda columns: 50)
    model = version(tmp_path / "model")
    pq.write_table(table(120), tmp_path / "t.parquet")
    for output in ("gs://naru/out/folder", "gs://naru/out/answers.csv"):
        first = run(tmp_path / "t.parquet", output, model, "gs://naru/predict-store")
        second = run(tmp_path / "t.parquet", output, model, "gs://naru/predict-store")
        assert not first.was_complete and second.was_complete and first.manifest["answered"] == 120
    assert len(list_names("gs://naru/out/folder")) == 4 and not list_names("gs://naru/predict-store/tiny/predictions")
    again = run("gs://naru/out/folder", tmp_path / "again.parquet", model, tmp_path / "store", prefix="again_")
    assert again.manifest["answered"] == 120
