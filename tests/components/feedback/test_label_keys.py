"""Labels that name their answer by values of features, not by its id."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.errors import ConfigError, DataError
from components._core.request_log.sampling import is_sampled
from components._feedback.answer_keys import key_texts, name_answers
from tests.components.feedback.made import NOON, Place, expected, request

KEY = ["carrier", "delay"]


def keyed(root: Path, **config: Any) -> Place:
    place = Place(root, **config)
    labels = {"source": str(place.labels), "label": "outcome", "key": KEY}
    place.config = type(place.config).model_validate({"labels": labels, "min_rows": 1, **config})
    return place


def label(number: int, outcome: int | None = 1) -> dict[str, Any]:
    inputs = request(number)["inputs"]
    return {"carrier": inputs["carrier"][0], "delay": inputs["delay"][0], "outcome": outcome}


def test_the_values_of_features_name_an_answer(tmp_path: Path) -> None:
    place = keyed(tmp_path)
    place.write_log([request(number) for number in range(1, 30)])
    place.write_labels([label(number, number % 2) for number in range(1, 20)])
    report = place.run()
    with_carrier = [number for number in range(1, 20) if number % 7]
    assert report.rows == len(with_carrier) and report.labels.bad == {"missing_id": 2}
    assert place.rows(1) == sorted((expected(number, number % 2) for number in with_carrier), key=str)
    place.write_labels([label(1, 0), label(25, 1)], "b")
    assert place.run().counts["corrected"] == 1
    assert place.rows(2) == sorted([expected(1, 0), expected(25, 1)], key=str)


def test_numbers_are_equal_however_they_are_written(tmp_path: Path) -> None:
    place = keyed(tmp_path)
    place.write_log([request(number) for number in range(1, 5)])
    (place.labels / "a.csv").write_text("carrier,delay,outcome\nc1,1,1\nc2,2.0,1\nc3,3.000,1\nc4,4e0,1\n")
    assert place.run().rows == 4


def test_a_key_that_is_used_twice_is_a_retry_or_a_conflict(tmp_path: Path) -> None:
    place = keyed(tmp_path)
    other = {**request(2)["inputs"], "month": [11]}
    place.write_log(
        [request(1), request(1, NOON + timedelta(seconds=1), id="again"), request(2), request(2, id="x", inputs=other)]
    )
    place.write_labels([label(1), label(2)])
    report = place.run()
    assert report.rows == 1 and report.counts["repeated"] == 1 and report.counts["conflicting"] == 2


def test_of_a_sampled_log_as_many_labels_as_were_not_sampled_find_nothing(tmp_path: Path) -> None:
    place = keyed(tmp_path)
    numbers = [number for number in range(1, 2_000) if number % 7]
    logged = [number for number in numbers if is_sampled(f"r{number}", 0.3)]
    place.write_log([request(number, share=0.3) for number in logged])
    place.write_labels([label(number) for number in numbers])
    report = place.run()
    assert report.rows == len(logged) and report.counts["unknown"] == len(numbers) - len(logged)
    wrong = keyed(tmp_path / "wrong")
    wrong.write_log([request(number, share=0.3) for number in logged])
    wrong.write_labels([{**label(number), "carrier": "XX"} for number in numbers])
    with pytest.raises(DataError, match=r"have an id that no logged answer has \(100\.0%") as error:
        wrong.run()
    assert "column 'carrier|delay': 'XX|1'" in error.value.message.replace(".0'", "'")
    assert "feedback.labels.key" in error.value.remedy


def test_a_masked_feature_of_the_key_is_refused(tmp_path: Path) -> None:
    place = keyed(tmp_path, features="from source")
    inputs = {**request(1)["inputs"], "carrier": None}
    place.write_log([request(1, inputs=inputs, masked=["carrier"])])
    place.write_labels([label(1)])
    with pytest.raises(ConfigError, match=r"'carrier' of feedback\.labels\.key is masked"):
        place.run(masked=frozenset({"carrier"}))


def test_different_values_have_different_texts_and_a_lacking_one_names_no_label() -> None:
    texts = ["a", "a|b", "b|c", "c", "\\", "\\|", "|", "", None, "\\?x", "?"]
    pairs = [(one, other) for one in texts for other in texts]
    found = key_texts([pa.array([one for one, _ in pairs]), pa.array([other for _, other in pairs])]).to_pylist()
    known = [text for text in found if text is not None]
    assert len(set(known)) == len(known) == (len(texts) - 1) ** 2
    columns = [pa.array(["a", None, None]), pa.array([1.5, 2.0, None])]
    named = name_answers(columns, pa.array(["r1", "r2", "r3"]), pa.array([0, 1, 2])).to_pylist()
    assert named[0] == "a|1.5" and len(set(named)) == 3 and not set(named[1:]) & set(known)


def test_columns_have_the_name_of_the_answer(tmp_path: Path) -> None:
    place = keyed(tmp_path, columns={"id": "name"})
    place.write_log([request(3)])
    place.write_labels([label(3)])
    place.run()
    assert pq.read_table(place.home / "spans/000001/rows.parquet")["name"].to_pylist() == ["c3|3"]
