"""What preprocessing.py and model.py make of texts: generated, no data is read.

pip install pytest
python -m pytest examples/reviews/tests
"""

from pathlib import Path

import numpy as np
import pytest

from pipelines.testing import Columns, run_code

# Some of the generated texts are missing, or have no word that training has seen.
COLUMNS = Columns(
    label=["negative", "neutral", "positive"],
    texts={
        "review": [
            "@united never again!!",
            "thanks, great crew",
            "is flight 12 on time?",
            "고마워요 승무원",
            "a " * 500,
        ]
    },
)


@pytest.fixture(scope="module")
def result():
    """Analyse 500 texts, and run 500 others through both functions."""
    return run_code(Path(__file__).parents[1], COLUMNS)


def test_a_text_of_any_length_becomes_a_vector_of_places_in_the_vocabulary(result):
    assert {name: values.shape for name, values in result.features.items()} == {"terms": (result.rows, 64)}
    assert result.features["terms"].min() == 0


def test_a_missing_text_has_no_terms(result):
    assert not result.features["terms"][0].any()  # the first row is missing


def test_the_model_gives_probabilities(result):
    assert result.scores.shape == (result.rows, 3)
    np.testing.assert_allclose(result.scores.sum(axis=1), 1, atol=1e-5)
