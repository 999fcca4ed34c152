"""The labelled answers that a monitor reads from the spans: by version, in the form that the metrics take."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._feedback.span_store import SpanStore
from components.monitor.labels import read_labelled
from components.monitor.served_metric import Yardstick
from tests.components.feedback.made import NOON, SIGNATURE, Place, request


def test_scores_by_class_labels_and_closed_answers_are_read_by_version(tmp_path: Path) -> None:
    task, classes = TASKS["multiclass_classification"], ("0", "1")
    signature = Signature(task.name, SIGNATURE.inputs, {"probabilities": "float32", "class": "string"}, classes)
    place = Place(tmp_path)
    place.write_log([request(number, version="3" if number < 4 else "4") for number in range(6)])
    outcomes = {"r0": 1, "r1": None, "r2": 0, "r3": 7, "r5": 1}  # 7 is not a class of the model
    place.write_labels([{"request": name, "outcome": outcome} for name, outcome in outcomes.items()])
    place.run(signature=signature)
    yardsticks = {version: Yardstick(task, classes, task.metric(), None) for version in ("3", "4", "5")}
    store = SpanStore(str(place.home), place.settings().spans)
    found = read_labelled(store, NOON - timedelta(days=1), yardsticks, ["3", "4", "5", "unknown"])
    assert set(found) == {"3", "4"}
    assert found["3"].labels.tolist() == [1, 0] and len(found["3"].closed) == 1
    assert np.allclose(found["3"].scores, [[1.0, 0.0], [0.8, 0.2]])
    assert found["4"].labels.tolist() == [1] and np.allclose(found["4"].scores, [[0.5, 0.5]])
    assert task.measure(found["3"].labels, found["3"].scores)["accuracy"] == 0.5
