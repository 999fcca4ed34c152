"""One row from its raw values to its score and the parts of its features, as the server would answer it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components._core.checks import finite_or_none
from components._core.errors import ConfigError, DataError, ModelError
from components._core.project.project_file import load_project
from components._core.request_log.location import log_uri
from components._core.types.tasks import TASKS
from components._predictor.feature_values import cast_columns
from components._predictor.predictor import make_predictor
from components._predictor.refusals import Refusal
from components.explain.divided_values import explain_values
from components.explain.row_explanation import RowExplanation, explain_one
from components.explain.value_parts import ValueParts
from pipelines.local.workspace import find_workspace
from pipelines.row_explanation.answered_row import find_answered
from pipelines.row_explanation.explained_model import ExplainedModel, open_model
from pipelines.row_explanation.row_choice import ChosenRow, UnknownRowError, choose_row


@dataclass(frozen=True)
class ExplainedRow:
    """What is known of one row.

    Attributes:
        project: The project's name.
        model: What answered, as in `version 3, the champion`.
        version: Its number; empty: it was not deployed.
        run: The run that made it.
        row: The row.
        values: Value by feature, in the model's order; None where it is missing.
        transformed: What the `preprocessing_fn` in front of the model made of them; None: there is none in front.
        outputs: The model's outputs by name, for this row.
        explained: What the score is, as in `probability of late = 1`.
        score: The explained score: a probability, or the prediction.
        answer: The predicted class; empty for a task without classes.
        threshold: Probability from which the row counts as positive; None: the task has none.
        explanation: Parts of the features by two methods.
        background: What the row is compared with.
        parts: The words of its texts and the areas of its pictures, for those that it has.
    """

    project: str
    model: str
    version: str
    run: str
    row: ChosenRow
    values: dict[str, Any]
    transformed: dict[str, Any] | None
    outputs: dict[str, Any]
    explained: str
    score: float
    answer: str
    threshold: float | None
    explanation: RowExplanation
    background: str
    parts: tuple[ValueParts, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`; numbers that are not finite are null."""
        shapley, second, agreement = self.explanation.shapley, self.explanation.second, self.explanation.agreement
        found = {
            "project": self.project,
            "version": self.version or None,
            "run": self.run,
            "row": self.row.title,
            "label": self.row.label,
            "raw": self.values,
            "transformed": self.transformed,
            "outputs": self.outputs,
            "answer": self.answer or None,
            "answered": self.row.answered,
            "threshold": self.threshold,
            "explained": self.explained,
            "score": self.score,
            "base": shapley.base,
            "background": {"rows": shapley.rows, "of": self.background},
            "shapley": {
                "exact": shapley.is_exact,
                "orders": shapley.orders,
                "values": shapley.values,
                "errors": shapley.errors,
            },
            "second": asdict(second),
            "agreement": asdict(agreement),
            "parts": [each.to_dict() for each in self.parts],
        }
        return dict(finite_or_none(found))


def explain_row(
    path: Path,
    given: Sequence[str],
    body: Path | None,
    *,
    request: str = "",
    version: str = "",
    run: str = "",
    transformed: bool = False,
) -> ExplainedRow:
    """Explain one row of a project.

    Args:
        path: The project's folder or file.
        given: Values of `--row`; see `choose_row`.
        body: File with a request's body; None: `given` names the row.
        request: Id of an answer in the request log, explained with the version that gave it.
        version: A deployed version; empty: the champion, or the newest run's model when nothing is deployed.
        run: A run here, instead of a version.
        transformed: Whether to look at what the preprocessing_fn makes of the row.

    Raises:
        NaruError: When there is no such model or row, or the model does not take or answer it.
    """
    if request:
        if given or body is not None:
            raise ConfigError("name one row, with --request, --row or --json-row", where=str(path))
        row, answered_by = _answered(path, request)
        with open_model(path, "" if run else version or answered_by, run) as model:
            return _explain(model, row, transformed=transformed)
    with open_model(path, version, run) as model:
        chosen = _choose(path, model, given, body)
        if isinstance(chosen, ChosenRow):
            return _explain(model, chosen, transformed=transformed)
    logged, answered_by = chosen
    with open_model(path, "" if run else version or answered_by, run) as model:
        return _explain(model, logged, transformed=transformed)


def _choose(
    path: Path, model: ExplainedModel, given: Sequence[str], body: Path | None
) -> ChosenRow | tuple[ChosenRow, str]:
    """Choose the row that the options name; an id that no row here has may be that of an answer, which comes with its version."""
    try:
        return choose_row(model, given, body)
    except UnknownRowError as error:
        if len(given) != 1 or "=" in given[0]:
            raise
        try:
            return _answered(path, given[0])
        except ConfigError as other:
            remedy = f"{error.remedy}; or the id of an answer" if error.remedy else "or name the id of an answer"
            message = f"{error.message}; {other.message}"
            raise ConfigError(message, where=error.where, remedy=f"{remedy}: --request ID") from None


def _answered(path: Path, request: str) -> tuple[ChosenRow, str]:
    """Return the row of an answered request, and the version that answered."""
    workspace = find_workspace(path)
    workspace.check_project()
    project = load_project(path)
    uri = log_uri(project.serve.request_log, workspace.settings().store, project.name)
    found = find_answered(uri, request, project.name)
    return ChosenRow(found.title, found.values, None, found.outputs), found.version


def _explain(model: ExplainedModel, row: ChosenRow, *, transformed: bool) -> ExplainedRow:
    signature = model.model.signature
    columns = {name: [value] for name, value in row.values.items()}
    try:
        outputs = make_predictor(model.model, model.reference).predict(columns)
        arrays = cast_columns(columns, signature.inputs, 1)
    except Refusal as refusal:
        if refusal.code == "model_failed":
            raise ModelError(refusal.message, where=row.title, remedy="explain another row, or train again") from None
        raise DataError(refusal.message, where=row.title, remedy="give a row that the server would answer") from None
    background, note = model.background()
    explanation = explain_one(model.model, arrays, background, model.seed)
    task = TASKS[signature.task].with_threshold(model.reference.threshold)
    scores = outputs[task.score]
    predicted = task.predicted_classes(scores)
    index = explanation.class_index
    made = model.model.transform(arrays) if transformed else None
    chosen = "" if index is None else signature.classes[index]
    return ExplainedRow(
        model.project,
        model.title,
        model.version,
        model.run,
        row,
        {feature.name: row.values.get(feature.name) for feature in signature.inputs},
        None if made is None else {name: _plain(values[0]) for name, values in made.items()},
        {name: _plain(values[0]) for name, values in outputs.items()},
        task.describe_score(model.label, signature.classes, chosen),
        float(scores[0] if index is None else scores[0, index]),
        "" if predicted is None else signature.classes[int(predicted[0])],
        getattr(task, "decides_from", None),
        explanation,
        note,
        tuple(explain_values(model.model, arrays, index, model.seed)),
    )


def _plain(value: Any) -> Any:
    """Return a value of an array as Python has it; NaN, a missing number, as None."""
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
