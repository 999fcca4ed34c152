"""The loop on a laptop: a trained version answers, labels come later, and the next run trains on the span that they make."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components._core.store.ledger import current_champion
from components._core.types.signature import Feature, Signature
from components.serve.request_log import AnsweredRequest, LogSettings, RequestLog
from tests.local.conftest import ROOT, run_naru

pytestmark = pytest.mark.slow

FEEDBACK = """
feedback:
  min_rows: 1000
  labels: {source: labels, id: request_id}
"""


def value_of(text: str, feature: Feature) -> Any:
    """A cell as a client sends it."""
    if text in ("", "NA"):
        return None
    return text if feature.dtype == "string" else int(text) if feature.dtype == "int64" else float(text)


def test_a_version_is_trained_on_the_labels_of_what_another_answered(
    new_project: Callable[[str], Path], months: dict[int, str]
) -> None:
    folder = new_project("loop")
    with (folder / "project.yaml").open("a") as file:
        file.write(FEEDBACK)
    first = run_naru(str(folder), "--set", "gates.model.first=deploy")
    assert first.code == 0 and first.record["deployed"], first.errors

    store = folder / ".naru" / "store"
    champion = current_champion(str(store), "small")
    assert champion is not None
    signature = Signature.load(Path(champion.model.removeprefix("file://")))
    rows = list(csv.DictReader(io.StringIO(months[3])))
    log = RequestLog(LogSettings(str(store / "small" / "requests")), "small", champion.version, signature.fingerprint)
    yesterday = time.time() - 86_400
    for number, row in enumerate(rows):
        inputs = {feature.name: [value_of(row[feature.name], feature)] for feature in signature.accepted}
        outputs = {"probability": np.array([(number % 100) / 100], np.float32)}
        log.add(AnsweredRequest(f"r{number}", yesterday, 0.001, 1, inputs, outputs))
    log.close()
    (folder / "labels").mkdir()
    labels = "".join(f"r{number},{row['late']}\n" for number, row in enumerate(rows))
    (folder / "labels" / "march.csv").write_text("request_id,late\n" + labels)

    command = [sys.executable, "-m", "pipelines", "feedback", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[-1].startswith("span 1: 1,500 rows"), done

    spans = store / "small" / "feedback" / "spans" / "{span}" / "rows.parquet"
    settings = ["--set", f"data.source={spans}", "--set", "data.spans=all", "--set", "gates.model.min_gain=-1"]
    second = run_naru(str(folder), *settings, "--set", "gates.model.thresholds={}")
    assert second.code == 0, second.errors
    assert set(second.verdicts()) >= {"ingest", "train", "deploy"}
    manifest = json.loads((Path(second.record["artifacts"]["examples"]) / "manifest.json").read_text())
    assert manifest["spans"] == [1] and sum(manifest["rows"].values()) == 1_500
    before = json.loads((Path(first.record["artifacts"]["examples"]) / "manifest.json").read_text())
    kept = {name: kind for name, kind in before["columns"].items() if name in manifest["columns"]}
    assert manifest["columns"] == kept, "the columns have the types of the training table"
