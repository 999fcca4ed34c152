"""A model whose answers have an interval beside the prediction."""

from __future__ import annotations

from dataclasses import replace

from components._core.types.prediction_interval import LOWER, UPPER, PredictionInterval
from components._core.types.tasks import TASKS
from components._frameworks.contract import Arrays, Model


class IntervalModel(Model):
    """Answers as another model does, with the ends of the interval as further outputs.

    Args:
        model: The model; its score is a number for each row.
        interval: What is added to it.
    """

    def __init__(self, model: Model, interval: PredictionInterval) -> None:
        self._model, self._interval = model, interval
        self._score = TASKS[model.signature.task].score
        kind = model.signature.outputs[self._score]
        self.signature = replace(model.signature, outputs={**model.signature.outputs, LOWER: kind, UPPER: kind})

    def predict(self, arrays: Arrays) -> Arrays:
        outputs = self._model.predict(arrays)
        lower, upper = self._interval.ends(outputs[self._score])
        return {**outputs, LOWER: lower, UPPER: upper}
