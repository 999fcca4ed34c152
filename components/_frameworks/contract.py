"""What stages and servers need from a machine-learning framework, in words that belong to no framework.

A framework is a package beside this module with a `framework.py`, and one line in `table.py`. It gives four objects:

* `Framework` is the entrance. It builds a model from the project's code, and opens a model that was saved. Looking at it
  imports nothing of the library: a stage that only checks a model's files runs in an image without it.
* `TrainableModel` is a model that the project's code has built: it is fitted once and exported.
* `Model` is an exported model in memory: raw, named, typed features in, named outputs out. Evaluation, explanation and the
  server know nothing else of it. Some abilities are optional, such as gradients and structure: a method returns None where the framework
  does not have them, and explain does without.
* `Progress` is how far a fit has come, in NumPy arrays, so that `train` can keep it and go on from there.

Whose graph prepares the raw columns differs, and `Framework.preprocessing` says it: `in front` means a TensorFlow Transform graph
that the stage `transform` makes of `preprocessing_fn`; the model is built on its outputs and export puts it before the model.
`either` means that the project chooses: with a `preprocessing_fn` it is as above; without one, what `build_model` returns takes the raw
columns itself: `transform` writes them as the signature has them, and makes no graph. In both cases what is exported takes raw columns.

Some fit in one call rather than in epochs (`Framework.has_epochs`): their `Progress` has one entry, `after_epoch` is never called, since
there is nothing to stop or to keep, and a fit that was killed starts again. One does not fit at all (`Framework.has_fit`): `code.model` is a
finished model, whose `fit` only measures how well it scores the rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from components._core.errors import ConfigError, ModelError

if TYPE_CHECKING:  # a server imports this while a client waits for its first answer
    from pathlib import Path

    from components._core.project.config_types import Hyperparameter
    from components._core.project.model_config import ImportedModel
    from components._core.project.train_config import Train
    from components._core.types.signature import Signature
    from components._core.types.tasks.contract import Task
    from components._frameworks.transformed_rows import Column, TransformedRows

TRANSFORM_FN = "transform_fn"
"""Folder of the SavedModel in a transform graph: TensorFlow Transform's own name for it."""
Array = NDArray[Any]
Arrays = dict[str, Array]

Gradients = Callable[[Arrays, Sequence[str], Array | None], Arrays]
"""Calculates the slope of the score by features.

It takes rows as `Model.predict` does, the names of the `float32` features, and for a score by class the index of the class in each
row (None otherwise). It returns for each of these features the change of the row's score per unit of the feature, float64
[rows]: 0 where the score does not depend on the feature, or has no slope there.
"""


@dataclass(frozen=True)
class ModelCode:
    """The project's `build_model`, or its finished model, or the `build_model` of a model kind that Naru ships.

    Attributes:
        folder: Folder of the project's code.
        file: Path below it of the file that defines `build_model`, or of the model; of a kind its name, for messages.
        function: The function of a kind; None: the one in the file.
        imported: What the project says of a finished model; None: nothing.
    """

    folder: Path
    file: str
    function: Callable[..., Any] | None = None
    imported: ImportedModel | None = None

    def load(self) -> Callable[..., Any]:
        """Return the function `build_model`.

        Raises:
            UserCodeError: When the file does not import, or has no such function.
        """
        if self.function is not None:
            return self.function
        from components._core.stage.user_code import load_function

        return load_function(self.folder, self.file, "build_model")


@dataclass(frozen=True)
class TrainingData:
    """The rows that a model is fitted on, and how they were prepared.

    Attributes:
        train: The rows to fit.
        held_out: The rows that early stopping and tuning judge by.
        transform_graph: Folder of the transform graph that made both from raw rows; without a graph when the model prepares the raw
            columns itself.
        class_weights: Weight of a row in every loss, by the index of its class, float32 [classes]; None: each row counts the same.
        is_trial: Whether the model is one of many that are compared by the held-out rows: a framework then need not measure the others.
    """

    train: TransformedRows
    held_out: TransformedRows
    transform_graph: Path
    class_weights: Array | None = None
    is_trial: bool = False

    @property
    def is_prepared(self) -> bool:
        """Whether the rows are what a preprocessing_fn made of the raw columns."""
        return self.transform_fn.is_dir()

    @property
    def transform_fn(self) -> Path:
        """The SavedModel of TensorFlow Transform."""
        return self.transform_graph / TRANSFORM_FN


@dataclass
class Progress:
    """How far a fit has come: all that is needed to go on as if it had not been stopped.

    Attributes:
        epochs: Loss and metrics of each epoch: `loss`, `eval_loss`, `auc`, `eval_auc`, ...
        steps: Optimiser steps taken.
        best_epoch: Index of the epoch with the lowest eval loss; -1 before the first.
        variables: Values of the model's and the optimizer's variables after the last epoch.
        best: Values of the model's weights after the best epoch.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    best_epoch: int = -1
    variables: list[Array] = field(default_factory=list)
    best: list[Array] = field(default_factory=list)


AfterEpoch = Callable[[Progress], bool]
"""Called after each epoch; True stops the fit."""


@dataclass(frozen=True)
class Layer:
    """One part of a model, for the training page.

    Attributes:
        name: Its name in the model.
        kind: Its class in the framework.
        output: Shape of its output as text; empty when it has none, or several.
        parameters: Numbers in it.
    """

    name: str
    kind: str
    output: str
    parameters: int


@dataclass(frozen=True)
class StructureImportance:
    """How much a model goes by each of its inputs, as its own structure says.

    Attributes:
        method: What was summed, as in `gain of the trees`.
        values: The sum by input, none below 0.
        raw: Whether the inputs are the features of the signature; otherwise they are what a preprocessing_fn makes of them.
    """

    method: str
    values: dict[str, float]
    raw: bool


@dataclass(frozen=True)
class StructureAttribution:
    """How a model's own structure divides the raw score of one row among its features.

    Attributes:
        method: What was summed, as in `paths of the trees`.
        values: Part by feature, in the unit of the raw score; they add up to `score - base`.
        score: The row's raw score: before the function that makes a probability of it.
        base: The mean raw score of the background rows.
    """

    method: str
    values: dict[str, float]
    score: float
    base: float


@dataclass(frozen=True)
class ImportPlan:
    """What a finished model takes and gives, in terms of the project.

    Attributes:
        inputs: The columns of each of its inputs, in order.
        scores: The output with the scores.
        classes: The class of each of the output's columns; of one column, the class that it is the probability of comes last.
        facts: What it is, for a person: its maker, versions, operators.
        notes: What was assumed, a sentence each.
        unused: Columns that it does not take.
    """

    inputs: dict[str, list[str]]
    scores: str
    classes: tuple[str, ...]
    facts: dict[str, str]
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class VariantKind:
    """A form of a model that may answer faster than what export writes (`serve.optimize`).

    Attributes:
        name: Its name in project.yaml.
        what: What is done, for a person.
        packages: Names by which the packages beyond the framework's own are imported, to make it and to serve it.
        extra: The extra of Naru that brings these; empty: there are none.
    """

    name: str
    what: str
    packages: tuple[str, ...] = ()
    extra: str = ""


class TrainableModel(ABC):
    """A model that the project's code has built."""

    @abstractmethod
    def fit(
        self,
        data: TrainingData,
        settings: Train,
        *,
        progress: Progress | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Progress:
        """Fit the model and leave the weights of its best epoch in it.

        Equal seeds and rows give equal weights, once `Framework.make_repeatable` was called; a fit that goes on from `progress` ends
        like one that was not interrupted.

        Args:
            data: The rows; the same that the model was built for.
            settings: Epochs, steps, batch size, patience and seed.
            progress: Where an earlier fit of the same model was stopped.
            after_epoch: Called after each epoch; may stop the fit.

        Raises:
            UserCodeError: When the model cannot take weights, and the rows have some.
            ModelError: When the loss is NaN or infinite, the first scores cannot be scores of the task, or the model fails on
                the rows.
        """

    @abstractmethod
    def score(self, rows: TransformedRows) -> Array:
        """Return the scores of rows after the fit, as the task has them: [rows], or [rows, classes] where they are by class.

        Args:
            rows: Rows with the columns that the model was built for.
        """

    def found_hyperparameters(self) -> dict[str, Hyperparameter]:
        """Return the hyperparameters that the fit itself found, such as the rounds after which early stopping ended it.

        A fit that is given these values without early stopping makes the same model.
        """
        return {}

    @abstractmethod
    def export(self, signature: Signature, folder: Path) -> None:
        """Write the model artifact: the framework's own files, `signature.json`, and the digests of both (`sha256.json`).

        The same model gives the same bytes.

        Args:
            signature: What the exported model takes and gives; its `framework` is the name of this framework.
            folder: An empty folder.

        Raises:
            ModelError: When the model cannot be saved.
            UserCodeError: When the saved model would do more than calculate while it serves, such as read files or run Python.
            NaruError: When the disk is full.
        """

    @abstractmethod
    def count_parameters(self) -> int:
        """How many numbers the model holds, trained or not."""

    @abstractmethod
    def layers(self) -> list[Layer]:
        """The model's parts, from input to output."""

    def notes(self) -> list[str]:
        """What a person should know of the model beside its parts, a sentence each."""
        return []

    def unused_columns(self) -> list[str]:
        """Columns of the training rows that the model's structure does not use, whatever the data; called after the fit.

        Empty also where the framework does not know.
        """
        return []


class Model(ABC):
    """An exported model in memory.

    Attributes:
        signature: What it takes and gives.
    """

    signature: Signature

    @abstractmethod
    def predict(self, arrays: Arrays) -> Arrays:
        """Outputs by name for the rows given; the names and shapes are those of `Signature.outputs`. Safe from many threads.

        Args:
            arrays: One vector [rows] per feature, as `signature.to_arrays` makes them; further names are ignored.

        Raises:
            ModelError: When a feature is missing, has another shape or type, or the model itself fails.
        """

    def gradients(self) -> Gradients | None:
        """The function that calculates slopes of the score; None: this framework has no gradients."""
        return None

    def structure_importance(self) -> StructureImportance | None:
        """What the model's structure goes by; None: it does not say."""
        return None

    def attribute_by_structure(
        self, row: Arrays, background: Arrays, class_index: int | None
    ) -> StructureAttribution | None:
        """Divide the raw score of a row among its features by what the model is made of; None: its structure does not say.

        Args:
            row: One row, as `predict` takes it.
            background: The rows that it is compared with.
            class_index: For a score by class, the class whose score is divided; None otherwise.
        """
        return None

    def transform(self, arrays: Arrays) -> Arrays | None:
        """Return what the `preprocessing_fn` in front makes of some rows, [rows] or [rows, k] each; None: there is none in front.

        Args:
            arrays: As in `predict`, like the errors.
        """
        return None

    def connected_inputs(self) -> frozenset[str] | None:
        """Names of the features from which the model's structure reaches an output, whatever the data; None: it is unknown.

        Raises:
            ModelError: When the saved structure cannot be read.
        """
        return None


class Framework(ABC):
    """One machine-learning framework.

    Attributes:
        name: The name in the table, and in `signature.json` of its models.
        preprocessing: Whether the raw columns are prepared by a transform graph `in front` of what `build_model` returns, or, as the
            project likes, by that or inside of what it returns: `either`.
        model_files: Paths, below the model artifact, of the files without which there is no model; `signature.json` comes with each
            framework and is not among them.
        has_epochs: Whether a fit goes over the rows in epochs. If not, the project's settings for epochs have no meaning and are refused.
        has_fit: Whether a model is fitted. If not, `code.model` is a finished model, and settings of a fit or of `build_model` have no meaning.
        packages: Names by which the packages beyond the default install are imported.
        serving_packages: Those of them that a finished model needs.
        imports: Modules that fitting and calling its models import: a run on a laptop imports them ahead, and no others.
        extra: The extra of Naru that brings these packages, which an image has where it was built in; empty: there are none.
        training_image: Image in which tune and train have to run, where the stages' own lacks the library; empty: that one has it.
        variants: The optimised forms that `make_variant` makes of its models.
        takes_pictures: Whether what a preprocessing_fn gives it may have more than two dimensions.
    """

    name: str
    preprocessing: Literal["either", "in front"]
    model_files: tuple[str, ...]
    has_epochs: bool = True
    has_fit: bool = True
    packages: tuple[str, ...] = ()
    serving_packages: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    extra: str = ""
    training_image: str = ""
    variants: tuple[VariantKind, ...] = ()
    takes_pictures: bool = False

    @abstractmethod
    def version(self) -> str:
        """The version of the library. Part of a checkpoint's fingerprint: another version starts from the first epoch."""

    @abstractmethod
    def make_repeatable(self) -> None:
        """Make equal inputs give equal results, for the whole process; called before anything is calculated."""

    @abstractmethod
    def build(
        self,
        code: ModelCode,
        data: TrainingData,
        hyperparameters: Mapping[str, Hyperparameter],
        *,
        task: Task,
        classes: list[str],
        seed: int,
    ) -> TrainableModel:
        """Call the project's `build_model` and check what it returns.

        Args:
            code: The project's `build_model`.
            data: The rows; their columns are the model's inputs.
            hyperparameters: Values for this model.
            task: The project's task.
            classes: The label's classes; empty for a task without classes.
            seed: Seed of the initial weights and of everything random in the model.

        Raises:
            UserCodeError: When the file does not import, `build_model` raises, or it returns something other than a model.
            ModelError: When the model's output has the wrong shape.
            ConfigError: When a hyperparameter has a value that cannot be used.
        """

    def plan_import(
        self, code: ModelCode, columns: Sequence[Column], *, task: Task, classes: Sequence[str]
    ) -> ImportPlan:
        """Check a finished model and find which columns its inputs take. Only of a framework that does not fit (`has_fit`).

        Args:
            code: The model, and what the project says of it.
            columns: The raw columns that the model may take; empty: it takes what a preprocessing_fn makes, which is not known yet.
            task: The project's task.
            classes: The label's classes; empty for a task without classes.

        Raises:
            ModelError: When the model is refused.
            ConfigError: When the columns of an input cannot be found, with what to write in project.yaml; or of a framework that fits.
        """
        message = f"a model of {self.name!r} is built by the project's code, and not imported"
        raise ConfigError(message, where="code.framework", remedy="import an ONNX file: naru import PROJECT model.onnx")

    @abstractmethod
    def check_files(self, model: Path) -> None:
        """Refuse a model whose files would do more than calculate. Neither executes them nor imports the library.

        Args:
            model: The model artifact.

        Raises:
            ModelError: When a file would read or write other files, run code or open connections, or cannot be read.
        """

    @abstractmethod
    def open(self, signature: Signature, model: Path) -> Model:
        """Bring a model into memory. Only `table.load_model` calls this: it verifies and checks the files first.

        Args:
            signature: The model's signature.
            model: The model artifact; it must stay where it is while the model is used.

        Raises:
            ModelError: When the files do not load, or do not fit the signature.
        """

    def make_variant(self, name: str, model: Path, folder: Path, rows: Arrays) -> None:
        """Write an optimised variant of a model as an artifact of its own: what it takes and gives stays the same.

        The same model gives the same bytes. The variant may be of another framework, which its `signature.json` names.

        Args:
            name: One of `variants`.
            model: The model artifact, whose files were verified and checked before.
            folder: An empty folder.
            rows: Training rows, as `Model.predict` takes them, of which a variant may need the ranges.

        Raises:
            ModelError: When it cannot be made of this model, with the reason; other errors are those of the library.
        """
        raise ModelError(f"a model of {self.name!r} has no variant {name!r}", where=str(model))
