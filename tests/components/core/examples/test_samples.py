"""A sample is loaded as it was saved: every type, missing values, texts and vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.errors import DataError
from components._core.examples.samples import Sample, beside

ROWS = pa.table(
    {
        "delay in": pa.array([1.5, None, -0.0], pa.float32()),
        "month": pa.array([1, 2, 2**40], pa.int64()),
        "out:carrier": pa.array(["AA", None, "ÜÜ"]),
    }
)
OUTPUTS = {
    "probabilities": np.array([[0.1, 0.9], [0.25, 0.75], [np.nan, 1e-30]], dtype=np.float32),
    "class": np.array(["früh", "", "late"], dtype=object),
    "prediction": np.array([1.0, np.nan, 3e38], dtype=np.float32),
}


def test_rows_and_answers_come_back_as_they_were(tmp_path: Path) -> None:
    Sample(ROWS, OUTPUTS).save(tmp_path / "sample.parquet")
    found = Sample.load(tmp_path / "sample.parquet")
    assert found.rows.equals(ROWS)
    assert list(found.outputs) == list(OUTPUTS)
    for name, values in OUTPUTS.items():
        assert found.outputs[name].dtype == values.dtype
        np.testing.assert_array_equal(found.outputs[name], values)
    assert found.with_gaps == 1


def test_the_same_sample_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "other"):
        Sample(ROWS.slice(0, 2), {"prediction": OUTPUTS["prediction"][:2]}).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_damaged_sample_is_reported_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sample.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match="cannot be read") as caught:
        Sample.load(tmp_path / "sample.parquet")
    assert caught.value.remedy == "evaluate the model again"


def test_a_registered_version_keeps_its_sample_beside_its_model() -> None:
    assert beside("s3://naru/flights/models/7/artifacts/model") == "s3://naru/flights/models/7/artifacts/sample.parquet"
