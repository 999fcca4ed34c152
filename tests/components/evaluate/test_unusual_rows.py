"""Rows that eval rows may lack: a variant has to answer them as its model does."""

from __future__ import annotations

import numpy as np
import pytest

from components._core.errors import ModelError
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays, Model
from components.evaluate.unusual_rows import describe_difference, make_unusual

FEATURES = (Feature("price", "float32", True), Feature("rooms", "int64", False), Feature("town", "string", True))
REGRESSION = TASKS["regression"]


def rows(count: int = 7) -> Arrays:
    numbers = np.arange(1, count + 1)
    towns = np.array([f"town {number}" for number in numbers], dtype=object)
    return {"price": numbers.astype(np.float32), "rooms": -numbers, "town": towns}


class Priced(Model):
    """Predicts the price; another number where it is missing, where the town is unknown, and of a large price."""

    def __init__(self, missing: float = 0.0, unknown: float = 0.0, large: float = 1.0) -> None:
        self.signature = Signature("regression", FEATURES, REGRESSION.output_types, ())
        self.missing, self.unknown, self.large = missing, unknown, large

    def predict(self, arrays: Arrays) -> Arrays:
        known = np.array([text == "" or text.startswith("town ") for text in arrays["town"]])
        price = np.where(np.isnan(arrays["price"]), self.missing, arrays["price"])
        price = np.where(known, price, self.unknown)
        return {REGRESSION.score: np.where(np.abs(price) > 1e3, price * self.large, price).astype(np.float32)}


def test_each_feature_is_changed_in_rows_of_its_own() -> None:
    found = {each.what: each for each in make_unusual(FEATURES, rows())}
    missing, unseen, far, below = found.values()
    assert missing.changed == ("price",) * 5 + ("town",) * 5  # a whole number that is required cannot be missing
    assert np.isnan(missing.rows["price"][:5]).all() and list(missing.rows["town"][5:]) == [""] * 5
    assert list(missing.rows["price"][5:]) == [1, 2, 3, 4, 5]
    assert len(set(unseen.rows["town"]) - set(rows()["town"])) == 1
    assert list(far.rows["rooms"][5:]) == [7_000] * 5 and list(below.rows["price"][:5]) == [-7e3] * 5
    assert (missing.is_far, unseen.is_far, far.is_far, below.is_far) == (False, False, True, True)
    assert all(values.dtype == rows()[name].dtype for each in found.values() for name, values in each.rows.items())


@pytest.mark.parametrize(
    ("variant", "described"),
    [
        (Priced(), ""),
        (Priced(missing=0.4), ""),
        (Priced(large=5.0), ""),
        (
            Priced(missing=3.0),
            "a score differs by 1.5 for a missing value in 'price'; at most 0.25 is allowed (max_difference)",
        ),
        (
            Priced(unknown=3.0),
            "a score differs by 1.5 for a text that no training row has in 'town'; at most 0.25 is allowed (max_difference)",
        ),
        (
            Priced(large=np.nan),
            "its score is not a number for a number 1,000 times as large as any training row's in 'price', where the model's is",
        ),
    ],
)
def test_a_variant_is_described_that_answers_an_unusual_row_otherwise(variant: Model, described: str) -> None:
    assert describe_difference(Priced(), variant, REGRESSION, rows(), 0.25, 2.0) == described


def test_rows_that_the_model_itself_does_not_answer_are_not_compared() -> None:
    class Strict(Priced):
        def predict(self, arrays: Arrays) -> Arrays:
            if np.isnan(arrays["price"]).any():
                raise ModelError("price is missing")
            return super().predict(arrays)

    assert describe_difference(Strict(), Priced(missing=9.0), REGRESSION, rows(), 0.25, 2.0) == ""
