"""Examples of every type, as validated and as converted for the model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components._core.checks import Check
from components._core.examples.artifact import read_head
from components._core.types.signature import Feature, read_features, to_arrays
from components.validate.lost_precision import find_lost_precision
from tests.components.validate.conftest import Validated

START = dt.datetime(2026, 1, 31, 9, 30)
TYPES = {
    "weekend": pa.bool_(),
    "distance": pa.int64(),
    "ticket": pa.int64(),
    "price": pa.float64(),
    "city": pa.string(),
    "seen": pa.timestamp("us"),
    "key": pa.binary(),
    "late": pa.bool_(),
}


def _columns(rows: int, **changed: list[Any]) -> dict[str, list[Any]]:
    random = np.random.default_rng(rows)
    return {
        "weekend": (random.random(rows) < 0.3).tolist(),
        "distance": random.integers(100, 2_000, rows).tolist(),
        "ticket": [None if row == 1 else row for row in range(rows)],
        "price": random.normal(100, 20, rows).tolist(),
        "city": random.choice(["Oslo", "Rome"], rows).tolist(),
        "seen": [START + dt.timedelta(hours=row % 40) for row in range(rows)],
        "key": random.choice([b"\xff\x01", b"\x01"], rows).tolist(),
        "late": (random.random(rows) < 0.5).tolist(),
        **changed,
    }


@pytest.fixture
def exact(write: Callable[..., Path]) -> Callable[..., Path]:
    """Write examples of every type; columns of the training rows changed."""

    def make(**changed: list[Any]) -> Path:
        return write({"train": _columns(200, **changed), "eval": _columns(60), "test": _columns(50)}, **TYPES)

    return make


def _lost(done: Validated) -> list[Check]:
    return [check for check in done.outcome.checks if check.name.startswith("lost_precision")]


def test_examples_of_every_type_become_features_that_a_model_takes(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    examples = exact()
    done = validate(examples)
    assert done.outcome.verdict == "warn", done.outcome.checks  # no schema to compare with
    assert not _lost(done)
    features = read_features(done.folder / "schema" / "schema.pbtxt", {"late"})
    assert features == (
        Feature("weekend", "int64", False),
        Feature("distance", "int64", False),
        Feature("ticket", "float32", True),
        Feature("price", "float32", False),
        Feature("city", "string", False),
        Feature("seen", "string", False),
        Feature("key", "string", False),
    )
    arrays = to_arrays(read_head(examples, "test", 2), features)
    assert {name: values.dtype for name, values in arrays.items()} == {item.name: item.type.numpy for item in features}
    assert (arrays["seen"][0], set(arrays["key"]) <= {"_wE=", "AQ=="}) == ("2026-01-31 09:30:00", True)


def test_exact_types_fit_the_reviewed_schema_of_what_they_are_to_a_model(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    examples = exact()
    reviewed = validate(examples).schema
    again = validate(examples, schema=reviewed, to="again")
    assert [check.name for check in again.outcome.checks if check.status == "fail"] == []
    assert again.check("reviewed schema").status == "pass"


def test_large_whole_numbers_that_become_real_ones_are_counted(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    tickets = [None, *range(2**24, 2**24 + 199)]  # every second one is between two float32
    done = validate(exact(ticket=tickets))
    (check,) = _lost(done)
    assert (check.name, check.status, check.measured, check.n) == ("lost_precision: ticket", "warn", 99, 310)
    assert "99 of 310 values of ticket" in check.reason
    assert "up to 16,777,216 (largest found: 16,777,413)" in check.reason
    assert "exclude the column or write it as text" in check.reason


def test_large_whole_numbers_without_a_gap_stay_whole_and_are_not_a_finding(
    write: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    whole = {name: {**_columns(60), "ticket": [2**53 + row for row in range(60)]} for name in ("train", "eval", "test")}
    assert not _lost(validate(write(whole, **TYPES)))


def test_whole_numbers_in_double_precision_are_counted_and_fractions_are_not(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    prices = [2.0**24 + 1, 2.0**24 + 0.5, 1e9 + 0.25] + [1.5] * 197
    (check,) = _lost(validate(exact(price=prices)))
    assert (check.name, check.measured) == ("lost_precision: price", 1)


def test_a_number_larger_than_a_model_holds_counts_as_infinite(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    check = validate(exact(price=[1e39, *[1.5] * 199])).check("infinite_values: price")
    assert (check.status, check.measured) == ("fail", 1)
    assert "larger than 3.4e+38" in check.reason


def test_a_target_beyond_double_precision_is_counted(write: Callable[..., Path]) -> None:
    from components.validate.partial_statistics import compute

    part = {"y": [2**53 + 1, 2**53 + 2, -(2**53) - 3, 5]}
    examples = write(dict.fromkeys(("train", "eval", "test"), part), y=pa.int64())
    computed = compute(examples, {"y": "int64"}, [1])
    (found,) = find_lost_precision(examples, (), "y", {"train": computed.train})
    assert (found.measured, found.n) == (6, 12)
    assert "float64, which holds every whole number up to 9,007,199,254,740,992" in found.message


def test_the_largest_whole_number_is_lost_and_no_error(write: Callable[..., Path]) -> None:
    from components.validate.partial_statistics import compute

    part = {"n": [2**63 - 1, -(2**63), None]}
    examples = write(dict.fromkeys(("train", "eval", "test"), part), n=pa.int64())
    parts = {"train": compute(examples, {"n": "int64"}, [1]).train}
    (found,) = find_lost_precision(examples, (Feature("n", "float32", True),), "", parts)
    assert (found.measured, found.n) == (3, 9)
    assert "9,223,372,036,854,775,807" in found.message


def test_ordinary_decimals_are_no_lost_precision(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    prices = np.random.default_rng(1).integers(-(10**9), 10**9, 200) / 100
    assert not _lost(validate(exact(price=[0.1, *(prices[1:] + 0.001).tolist()])))


def test_a_schema_with_truth_values_as_texts_is_what_the_data_has_and_the_model_takes(
    exact: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    as_texts = {f'name: "{name}"\n  type: ' for name in ("weekend", "late")}
    examples = exact()
    reviewed = validate(examples).schema
    for start in as_texts:
        assert f"{start}INT" in reviewed
        reviewed = reviewed.replace(f"{start}INT", f"{start}BYTES")
    done = validate(examples, schema=reviewed, to="again")
    assert [check.name for check in done.outcome.checks if check.status == "fail"] == []
    features = read_features(done.folder / "schema" / "schema.pbtxt", {"late"})
    assert features[0] == Feature("weekend", "string", False)
    assert set(to_arrays(read_head(examples, "train", 200), features)["weekend"]) == {"true", "false"}


@pytest.mark.parametrize(("prices", "is_outside"), [([0.3, 0.7], False), ([0.3, 0.71], True)])
def test_a_number_at_the_bound_of_its_range_is_inside(
    write: Callable[..., Path], validate: Callable[..., Validated], prices: list[float], is_outside: bool
) -> None:
    schema = """
        feature { name: "price" type: FLOAT presence { min_fraction: 1 } float_domain { min: 0.3 max: 0.7 } }
        feature { name: "late" type: INT presence { min_fraction: 1 } }
    """
    part = {"price": prices * 50, "late": [0, 1] * 50}
    done = validate(write(dict.fromkeys(("train", "eval", "test"), part), price=pa.float64()), schema=schema)
    assert any(check.name.startswith("out_of_range") for check in done.outcome.checks) == is_outside


def test_times_that_follow_the_span_are_no_drift_also_beyond_the_years_that_python_has(
    write: Callable[..., Path], validate: Callable[..., Validated]
) -> None:
    later = 400_000_000_000_000_000  # in the year 14,645, in microseconds
    spans = {
        span: {"at": [later * span + row for row in range(120)], "late": [row % 2 == 0 for row in range(120)]}
        for span in (0, 1, 2)
    }
    examples = write(dict.fromkeys(("train", "eval", "test"), spans), at=pa.timestamp("us"))
    check = validate(examples).check("drift against the earlier spans: follows the span")
    assert check.reason.startswith("at follows the span")
