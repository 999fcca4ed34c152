"""Loads the model of a server."""

from __future__ import annotations

import gc
from pathlib import Path

from components._predictor.predictor import Predictor, load


def load_served(model: Path, max_rows: int) -> Predictor:
    """Load a model for the rest of the process: objects that exist by now are left alone by the garbage collector.

    Args:
        model: The model's folder.
        max_rows: Rows that one request may have.

    Raises:
        ModelError: As `predictor.load` does.
    """
    predictor = load(model, max_rows)
    # going through TensorFlow's objects once in some 10,000 requests took half a second, in which nobody was answered
    gc.freeze()
    return predictor
