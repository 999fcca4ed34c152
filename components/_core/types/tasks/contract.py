"""The interface of a machine-learning task: its outputs, metrics, label rules, scores, baseline and texts.

Everything that differs from task to task is a field or a method of `Task`; other modules test the property that they
need (`task.scores_by_class`) and never the name. The project file imports this module, so that a wrong metric is
refused before anything runs: NumPy and Arrow are imported only in the methods that calculate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from components._core.suggestions import suggest
from components._core.types.tasks.metric import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from components._core.types.metrics.row_sums import Array, Numbers


@dataclass(frozen=True)
class Output:
    """One named output of a served model.

    Attributes:
        name: Name in requests and `signature.json`.
        dtype: Name of a type in `feature_types.py`.
        by_class: Whether each row has a value for each class, shape [rows, classes]; otherwise the shape is [rows].
    """

    name: str
    dtype: str
    by_class: bool = False


class Formulas(Protocol):
    """A module of `components._core.types.metrics`: the metrics of a task, from sums over rows."""

    def exact_sums(self, labels: Array, scores: Array) -> dict[str, Numbers]:
        """Return the sums over all rows, with rows counted at each distinct score."""

    def block_sums(self, labels: Array, scores: Array, blocks: Array, count: int) -> dict[str, Numbers]:
        """Return the sums over each block of rows, shape [blocks, ...], with rows counted by binned score."""

    def from_sums(self, sums: dict[str, Numbers]) -> dict[str, Numbers]:
        """Compute all metrics by name, from sums with any leading shape."""


@dataclass(frozen=True)
class LabelProfile:
    """The label of a table for which no project exists yet.

    Attributes:
        rows: Rows with a label.
        distinct: Number of distinct labels.
        distinct_share: Distinct labels per row, 0 to 1.
        is_text: Whether labels are text; otherwise they are numbers.
        counts: Rows by label as text; empty when there are very many labels.
    """

    rows: int
    distinct: int
    distinct_share: float
    is_text: bool
    counts: Mapping[str, int]


@dataclass(frozen=True)
class LabelViolation:
    """A rule of the task that the label's values break.

    Attributes:
        message: What is wrong; follows "the label x", or "positive: " where the project's positive value is wrong.
        remedy: What to do.
        is_positive: Whether the project's positive value is wrong, and not the data.
    """

    message: str
    remedy: str
    is_positive: bool = False


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """A machine-learning task.

    Attributes:
        name: Name in project.yaml, `signature.json` and records.
        outputs: Outputs of a served model; a model is judged by the first, its score.
        metrics: Metrics of the task, in the order of the pages.
        primary: Name of the metric that compares two models, unless the project names another.
        headline: Names of the metrics that a run's summary shows.
        figures: Figures of the evaluation page, by name in `components.evaluate.evaluation_figures`.
        loss: The training loss, by its name in Keras.
        training_metrics: Metrics shown per epoch beside the loss: class in `keras.metrics` by name.
        activation: Activation of the model's last layer, by its name in Keras; None: the layer is linear.
        answer: Description of a model's prediction for a row.
        has_classes: Whether the label is one of a few classes; otherwise it is a number.
        takes_positive: Whether one of two classes is the positive one, which project.yaml may name.
        threshold_metrics: Metrics by which the score can be chosen from which a row counts as positive, by name; empty: the
            task has no such score. Not all are metrics of the task.
    """

    name: str
    outputs: tuple[Output, ...]
    metrics: tuple[Metric, ...]
    primary: str
    headline: tuple[str, ...]
    figures: tuple[str, ...]
    loss: str
    training_metrics: Mapping[str, str]
    activation: str | None
    answer: str
    has_classes: bool
    takes_positive: bool = False
    threshold_metrics: tuple[str, ...] = ()

    # outputs

    @property
    def score(self) -> str:
        """The output by which a model is judged."""
        return self.outputs[0].name

    @property
    def scores_by_class(self) -> bool:
        """Whether a row's score is one number per class, shape [rows, classes]; otherwise it is one number."""
        return self.outputs[0].by_class

    @property
    def output_types(self) -> dict[str, str]:
        """Type by output name."""
        return {output.name: output.dtype for output in self.outputs}

    def units(self, classes: Sequence[str]) -> int:
        """Return how many numbers the model gives per row."""
        return len(classes) if self.scores_by_class else 1

    def score_shape(self, rows: int, classes: Sequence[str]) -> tuple[int, ...]:
        """Return the shape of the scores of some rows."""
        return (rows, len(classes)) if self.scores_by_class else (rows,)

    def output_shape(self, name: str, classes: Sequence[str]) -> list[int]:
        """Return the shape of an output in inference protocols, with -1 for the number of rows; [-1] for an unknown name."""
        by_class = any(output.by_class for output in self.outputs if output.name == name)
        return [-1, len(classes)] if by_class else [-1]

    def predicted_classes(self, scores: Array) -> Array | None:
        """Return the class index predicted by each row's score; None for a task without classes."""
        return None

    def with_threshold(self, threshold: float | None) -> Task:
        """Return the task with another score from which a row counts as positive; itself for None, or without such a score."""
        return self

    # metrics

    @property
    @abstractmethod
    def formulas(self) -> Formulas:
        """The arithmetic of the metrics; importing it takes NumPy."""

    def metric(self, name: str = "") -> Metric:
        """Return a metric by name; the primary one for an empty name."""
        return next(metric for metric in self.metrics if metric.name == (name or self.primary))

    def primary_first(self, names: Iterable[str], primary: str = "") -> list[str]:
        """Return names with that of the primary metric first; the others keep their order.

        Args:
            names: Names of metrics, or of other numbers among them.
            primary: The metric that the project names; empty: the task's own.
        """
        return sorted(names, key=lambda name: name != (primary or self.primary))

    def find_unknown_metric(self, name: str) -> str:
        """Describe an unknown metric name, in a sentence; empty when the task has the metric."""
        names = [metric.name for metric in self.metrics]
        if name in names:
            return ""
        meant = suggest(name, names)
        close = f"; {meant}" if meant.startswith("did") else ""
        return f"{name!r} is not a metric of a {self.name} project{close}; allowed: {', '.join(names)}"

    def measure(self, labels: Array, scores: Array) -> dict[str, float]:
        """Compute all metrics of the task.

        Args:
            labels: Class index or target, shape [rows], at least one row.
            scores: Probability [rows] (binary), probabilities [rows, classes] (multiclass) or prediction [rows].

        Returns:
            Metric by name; NaN where the rows do not define it.
        """
        values = self.formulas.from_sums(self.formulas.exact_sums(labels, scores))
        return {metric.name: float(values[metric.name]) for metric in self.metrics}

    def confusion(self, labels: Array, scores: Array) -> list[list[int]] | None:
        """Count rows by actual (down) and predicted class (across); None for a task without classes."""
        return None

    @abstractmethod
    def row_losses(self, labels: Array, scores: Array) -> Array:
        """Compute the loss of each row, float64 [rows]; arguments as in `measure`."""

    # labels

    @abstractmethod
    def label_values(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        """Convert labels for the metrics, shape [rows]: class indices (int64) or numbers (float64)."""

    @abstractmethod
    def is_known(self, labels: Array) -> Array:
        """Return which of the `label_values` are not missing and a class of the model, shape [rows]."""

    @abstractmethod
    def training_labels(self, column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> Array:
        """Convert labels for the loss, shape [rows]."""

    def order_classes(self, values: Collection[str], positive: str | None) -> list[str]:
        """Return the label's values in the order of their class indices; empty for a task without classes."""
        return []

    def find_type_violation(self, *, is_text: bool) -> LabelViolation | None:
        """Find a violation in the type of the label's column."""
        return None

    def find_class_violation(
        self,
        values: Collection[str],
        positive: str | None,
        label: str,
        *,
        elsewhere: Collection[str] = (),
        row: str = "row",
    ) -> LabelViolation | None:
        """Find a violation in the label's values; None for a task without classes.

        Args:
            values: The distinct values to learn from, as text.
            positive: The project's positive value, as text.
            label: The label's column, for messages.
            elsewhere: The distinct values of the rows that are not learned from.
            row: Word for a row that `values` comes from, for messages.
        """
        return None

    @abstractmethod
    def recognise(self, label: LabelProfile) -> str:
        """Return why this task suits a label, in a few words; empty when it does not."""

    def suggest_positive(self, label: LabelProfile) -> tuple[str, str] | None:
        """Suggest the positive value and why, in a few words; None for a task without a positive value."""
        return None

    # the baseline without a model

    @abstractmethod
    def fit_baseline(self, labels: Iterable[Array], classes: Sequence[str]) -> tuple[str, Array]:
        """Fit the best constant prediction.

        Args:
            labels: The known `label_values` of the training rows, in parts.
            classes: The label's classes.

        Returns:
            A description of the baseline, and its score for every row, shape [] or [classes].
        """

    # texts

    @abstractmethod
    def describe_answer(self, classes: Sequence[str]) -> str:
        """Describe a served model's prediction, for the person who sends it a row."""

    @abstractmethod
    def describe_score(self, label: str, classes: Sequence[str], chosen: str) -> str:
        """Describe a score, for an axis.

        Args:
            label: The label's column.
            classes: The label's classes.
            chosen: The class whose score is shown, where scores are by class.
        """

    @abstractmethod
    def describe_mean_label(self, label: str) -> str:
        """Describe the mean of the labels, for a heading."""
