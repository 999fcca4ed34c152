"""What preprocessing.py and model.py make of pictures: generated, no data is read.

pip install pytest
python -m pytest examples/digits/tests
"""

from pathlib import Path

import numpy as np
import pytest

from pipelines.testing import Columns, run_code

# Some of the generated pictures are missing, grey, transparent or larger.
COLUMNS = Columns(label=[str(digit) for digit in range(10)], pictures={"picture": (8, 64)})


@pytest.fixture(scope="module")
def result():
    """Run 500 pictures through both functions."""
    return run_code(Path(__file__).parents[1], COLUMNS)


def test_pictures_of_any_size_and_kind_become_pixels_of_one_size(result):
    assert {name: values.shape for name, values in result.features.items()} == {"pixels": (result.rows, 32, 32, 3)}
    assert result.features["pixels"].dtype == np.uint8


def test_a_missing_picture_is_black(result):
    assert not result.features["pixels"][0].any()  # the first row is missing


def test_the_model_gives_probabilities(result):
    assert result.scores.shape == (result.rows, 10)
    np.testing.assert_allclose(result.scores.sum(axis=1), 1, atol=1e-5)
