"""The parts of one value against models whose answer to each part is known."""

from __future__ import annotations

import base64
import io
from itertools import permutations

import numpy as np
import pytest
from PIL import Image

from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays, Model
from components.explain.picture_parts import divide_picture, draw_overlay
from components.explain.text_parts import divide_text
from components.explain.value_parts import DividedValue, explain_parts

WORTH = {"good": 2.0, "bad": -1.5, "very": 0.0}


class Words(Model):
    """Adds the worth of each word; `very` doubles the word behind it."""

    def __init__(self) -> None:
        features = (Feature("text", "string", False), Feature("stars", "float32", True))
        self.signature = Signature("regression", features, TASKS["regression"].output_types, ())

    def predict(self, arrays: Arrays) -> Arrays:
        return {"prediction": np.array([self.score(text) for text in arrays["text"]]) + arrays["stars"]}

    @staticmethod
    def score(text: str) -> float:
        words = text.split()
        before = ["", *words]
        return sum(WORTH.get(word, 0.0) * (2 if before[place] == "very" else 1) for place, word in enumerate(words))


class Brightness(Model):
    """Answers with the mean brightness of the left upper quarter of the picture."""

    def __init__(self) -> None:
        self.signature = Signature(
            "regression", (Feature("picture", "string", False),), TASKS["regression"].output_types, ()
        )

    def predict(self, arrays: Arrays) -> Arrays:
        return {"prediction": np.array([self.score(value) for value in arrays["picture"]])}

    @staticmethod
    def score(value: str) -> float:
        pixels = np.asarray(Image.open(io.BytesIO(base64.urlsafe_b64decode(value))).convert("L")).astype(float)
        return float(pixels[: len(pixels) // 2, : pixels.shape[1] // 2].mean())


def text_row(text: str) -> Arrays:
    return {"text": np.array([text], dtype=object), "stars": np.array([3.0], np.float32)}


def as_value(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.urlsafe_b64encode(stream.getvalue()).decode()


def explain_text(text: str, seed: int = 1, most: int = 49):
    return explain_parts(Words(), text_row(text), "text", divide_text(text, most), None, seed)


def test_the_words_that_make_the_score_have_its_parts() -> None:
    text = "a very good film and a bad end"
    found = explain_text(text)
    assert found is not None
    assert found.parts == tuple(text.split())
    assert sum(found.values) == pytest.approx(found.score - found.base)
    assert (found.score, found.base) == (5.5, 3.0)
    assert max(range(8), key=lambda place: found.values[place]) == 2
    assert min(range(8), key=lambda place: found.values[place]) == 6
    assert found.alone == pytest.approx([0, 2.0, 4.0, 0, 0, 0, -1.5, 0])


def test_exact_values_equal_those_over_all_orders_of_the_words() -> None:
    text = "very good bad"
    found = explain_text(text)
    words, gains = text.split(), np.zeros(3)
    orders = list(permutations(range(3)))
    for order in orders:
        seen: set[int] = set()
        for place in order:
            without = " ".join(words[each] for each in sorted(seen))
            seen.add(place)
            gains[place] += Words.score(" ".join(words[each] for each in sorted(seen))) - Words.score(without)
    assert found is not None
    assert found.values == pytest.approx(gains / len(orders))
    assert found.errors == (0.0, 0.0, 0.0)


def test_a_long_text_is_divided_into_runs_of_words_that_make_the_text_again() -> None:
    text = " ".join(f"word{place}" for place in range(1_000))
    divided = divide_text(text, 40)
    assert len(divided.parts) == 40
    assert divided.cover(np.ones(40, bool)) == text
    assert divided.cover(np.arange(40) == 1).split() == text.split()[25:50]


def test_a_text_without_blanks_is_divided_into_characters() -> None:
    divided = divide_text("아주좋은영화")
    assert divided.parts == tuple("아주좋은영화")
    assert divided.cover(np.array([1, 1, 0, 0, 1, 1], bool)) == "아주영화"


def test_a_text_of_one_word_has_no_parts_to_compare() -> None:
    assert explain_text("good") is None
    assert explain_text("") is None


@pytest.mark.parametrize(
    ("shape", "grid"), [((28, 28), (7, 7)), ((8, 8), (4, 4)), ((3, 40, 3), (1, 7)), ((16, 12, 4), (7, 6))]
)
def test_a_picture_is_divided_into_areas_whose_parts_add_up(shape: tuple[int, ...], grid: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    divided = divide_picture(as_value(pixels))
    assert (len(divided.parts) // divided.columns, divided.columns) == grid


def test_the_areas_that_the_model_looks_at_have_the_parts() -> None:
    pixels = np.full((28, 28), 40, np.uint8)
    pixels[:8, :8] = 250
    value = as_value(pixels)
    row = {"picture": np.array([value], dtype=object)}
    found = explain_parts(Brightness(), row, "picture", divide_picture(value), None, 5)
    assert found is not None
    values = np.array(found.values).reshape(7, 7)
    assert sum(found.values) == pytest.approx(found.score - found.base)
    assert values[:2, :2].min() > np.abs(values[4:, 4:]).max() + 1
    assert np.allclose(values[4:, :], 0, atol=1e-6)
    assert found.agreement.same_sign == found.agreement.features


def test_a_picture_with_all_areas_seen_is_the_one_that_came() -> None:
    value = as_value(np.zeros((9, 9, 3), np.uint8))
    divided = divide_picture(value)
    assert divided.cover(np.ones(len(divided.parts), bool)) == value


def test_an_overlay_is_blue_where_the_score_rises_and_orange_where_it_falls() -> None:
    value = as_value(np.full((20, 40, 3), 128, np.uint8))
    drawn = np.asarray(Image.open(io.BytesIO(draw_overlay(value, [1.0, -1.0], 2)))).astype(int)
    assert drawn.shape == (160, 320, 3)
    left, right = drawn[80, 60], drawn[80, 260]
    assert left[2] > left[0]
    assert right[0] > right[2]


def test_values_are_the_same_for_the_same_seed() -> None:
    text = " ".join(["good", "bad", "very"] * 8)
    first, again = explain_text(text, 4), explain_text(text, 4)
    assert first is not None
    assert first == again
    assert max(first.errors) > 0


def test_a_value_is_scored_a_bounded_number_of_times() -> None:
    scored: list[int] = []
    divided = divide_text(" ".join(f"w{place}" for place in range(49)))
    counted = DividedValue(divided.parts, lambda seen: scored.append(1) or divided.cover(seen))  # type: ignore[func-returns-value]
    explain_parts(Words(), text_row("x"), "text", counted, None, 1)
    assert len(scored) < 1_300
