"""Prepare the rows with the project's preprocessing_fn: analysed once on train, applied to train and eval as a TensorFlow graph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_transform import TFTransformOutput

from components._core.checks import Check
from components._core.errors import UserCodeError
from components._core.examples.artifact import read_batches, split_files
from components._core.private_names import public_path_check
from components._core.project.project_file import Project
from components._core.project.transform_config import ColumnRule, Drop, Pca
from components._core.stage.user_code import load_function, own_frames, unpack_code
from components._core.suggestions import listed
from components._core.types.column_choices import ColumnChoices, DroppedColumn
from components._core.types.signature import Feature, to_arrays
from components._core.types.tasks import TASKS
from components._frameworks.contract import Framework
from components._frameworks.saved_models.canonical import make_canonical
from components._frameworks.saved_models.tensorflow_errors import reason_of, report_full_disk
from components._frameworks.transformed_rows import (
    GROUP_ROWS,
    SPLITS,
    UINT8,
    Column,
    TransformedWriter,
    transformed_file,
)
from components.transform.column_rules import check_rules, with_column_rules
from components.transform.dropped_columns import find_dropped
from components.transform.left_out_columns import list_absent, without_columns
from components.transform.line_breaks import find_multiline
from components.transform.number_statistics import Batches, read_training_rows
from components.transform.preprocessing_fn import Contract, Preprocessing, Tensors, held_to_contract, input_specs
from components.transform.principal_components import (
    Components,
    check_columns,
    choose_columns,
    find_components,
    with_components,
)

CALL_BYTES = 64 << 20
"""Bytes of pictures that one call of the graph makes."""


@dataclass(frozen=True)
class Prepared:
    """What transform made, for its outcome.

    Attributes:
        rows: Rows written, by split.
        how: How the rows were analysed and what rules did, for the stage's line.
        checks: Warnings.
        choices: What rules decided about columns.
    """

    rows: dict[str, float]
    how: str
    checks: list[Check]
    choices: ColumnChoices


def apply_preprocessing(
    project: Project,
    features: tuple[Feature, ...],
    classes: list[str],
    *,
    code: Path,
    examples: Path,
    transform_graph: Path,
    transformed: Path,
    framework: Framework,
    choices: ColumnChoices | None = None,
) -> Prepared:
    """Write the transform graph and the transformed rows.

    Args:
        project: The project.
        features: The raw columns.
        classes: The label's classes; empty for a task without classes.
        code: Archive of the project's code.
        examples: The examples artifact.
        transform_graph: Folder for TensorFlow Transform's graph.
        transformed: Folder for `train.parquet` and `eval.parquet`.
        choices: What was decided about columns before; None: the training rows decide.
        framework: The project's framework. Where its models may prepare the columns themselves they may take missing numbers: NaN is
            then allowed in what preprocessing_fn returns.

    Raises:
        ConfigError: When a rule of the section `transform` does not fit its columns.
        UserCodeError: When preprocessing_fn raises, reads a column that a rule leaves out, or returns something that a model cannot take.
    """
    settings, file = project.transform, project.code.preprocessing
    check_rules(settings.columns, features)
    if settings.pca is not None:
        check_columns(settings.pca, features)
    with tempfile.TemporaryDirectory(prefix="naru-transform-") as scratch:
        folder = Path(scratch) / "code"
        unpack_code(code, folder)
        function = load_function(folder, file, "preprocessing_fn")
        analysis, checks = _import_analysis()
        dropped = choices.dropped if choices else _find_dropped(settings.drop, features, examples)
        left_out = {column.name for column in dropped}
        kept = tuple(feature for feature in features if feature.name not in left_out)
        rules = {name: rule for name, rule in settings.columns.items() if name not in left_out}
        components = None
        if settings.pca is not None:
            source = _Source(analysis, kept, rules, examples, Path(scratch))
            with report_full_disk("analysing the rules of transform.columns"):
                components = _find_components(settings.pca, source, choices.components if choices else None)
        function = _with_rules(function, project, kept, rules, dropped, components)
        multiline = find_multiline(examples, kept)
        contract = Contract(file, "" if framework.takes_pictures else framework.name)
        function = held_to_contract(function, contract, multiline)
        with own_frames(folder, "preprocessing_fn"), report_full_disk("writing the transform graph"):
            passes = _analyse(analysis, function, kept, examples, transform_graph, Path(scratch))
            make_canonical(transform_graph / TFTransformOutput.TRANSFORM_FN_DIR)
            form = _Form(frozenset(contract.whole_bytes), takes_missing=framework.preprocessing == "either")
            rows = _apply(project, kept, classes, examples, transform_graph, transformed, form)
    made = ColumnChoices(dropped, components.count if components else None)
    parts = [
        "analysed " + ("with Beam" if passes is None else f"in {passes} {'pass' if passes == 1 else 'passes'}"),
        f"{len(rules)} {'column' if len(rules) == 1 else 'columns'} by transform.columns" if rules else "",
        f"with line breaks in {listed(sorted(multiline))} kept as other blanks" if multiline else "",
        components.describe() if components else "",
        f"dropped {made.describe_dropped()}" if dropped else "",
    ]
    return Prepared(rows, ", ".join(filter(None, parts)), checks, made)


def _find_dropped(rules: Drop | None, features: tuple[Feature, ...], examples: Path) -> tuple[DroppedColumn, ...]:
    return () if rules is None else find_dropped(rules, features, examples)


def _with_rules(
    function: Preprocessing,
    project: Project,
    kept: tuple[Feature, ...],
    rules: dict[str, ColumnRule],
    dropped: tuple[DroppedColumn, ...],
    components: Components | None,
) -> Preprocessing:
    """Put what project.yaml says about columns in front of the project's function: clip and impute, then pca."""
    pca = project.transform.pca
    keep = pca is None or pca.keep
    function = without_columns(function, list_absent(dropped, components, keep=keep), project.code.preprocessing)
    if components is not None:
        function = with_components(function, components)
    return with_column_rules(function, rules, kept)


@dataclass(frozen=True)
class _Source:
    """The training rows as they are after the rules of `transform.columns`."""

    analysis: ModuleType | None
    features: tuple[Feature, ...]
    rules: dict[str, ColumnRule]
    examples: Path
    scratch: Path

    def batches(self, features: tuple[Feature, ...]) -> Batches:
        """Return what starts a pass over some columns, after analysing the rules that they have."""
        ruled = {feature.name: self.rules[feature.name] for feature in features if feature.name in self.rules}
        if not ruled:
            return lambda: read_training_rows(self.examples, features)
        graph, scratch = self.scratch / "rules", self.scratch / "rules-scratch"
        scratch.mkdir()
        function = with_column_rules(lambda inputs: inputs, ruled, features)
        _analyse(self.analysis, function, features, self.examples, graph, scratch)
        loaded = tf.saved_model.load(str(graph / TFTransformOutput.TRANSFORM_FN_DIR))
        return lambda: (
            {name: tensor.numpy() for name, tensor in loaded.transform_fn(tensors).items()}
            for tensors in _tensors(self.examples, features)
        )


def _find_components(rule: Pca, source: _Source, count: int | None) -> Components:
    features = choose_columns(rule, source.features)
    return find_components(rule, tuple(feature.name for feature in features), source.batches(features), count)


def _import_analysis() -> tuple[ModuleType | None, list[Check]]:
    """Returns the module that analyses without Beam; None, with a warning, when TensorFlow Transform moved its names."""
    try:
        from components.transform import analysis
    except ImportError as error:
        return None, [public_path_check(error, "tensorflow-transform", "analysed with Beam, which takes longer")]
    return analysis, []


def _analyse(
    in_process: ModuleType | None,
    function: Preprocessing,
    features: tuple[Feature, ...],
    examples: Path,
    transform_graph: Path,
    scratch: Path,
) -> int | None:
    """Returns the number of passes over the rows; None when Beam made them."""
    if in_process is not None:
        traced = in_process.Traced(function, input_specs(features), scratch)
        if traced.supported():
            passes: int = in_process.analyse(traced, lambda: _tensors(examples, features), transform_graph)
            return passes
    from components.transform.beam_analysis import analyse_with_beam

    analyse_with_beam(function, features, split_files(examples, "train"), transform_graph, scratch)
    return None


def _tensors(examples: Path, features: tuple[Feature, ...]) -> Iterator[Tensors]:
    for batch in read_batches(examples, "train", [feature.name for feature in features]):
        yield _as_tensors(batch, features)


def _as_tensors(batch: pa.RecordBatch, features: tuple[Feature, ...]) -> Tensors:
    return {name: tf.constant(values) for name, values in to_arrays(batch, features).items()}


@dataclass(frozen=True)
class _Form:
    """How the transformed rows are written.

    Attributes:
        whole_bytes: The pictures of uint8, which the graph gives as float32.
        takes_missing: Whether NaN is allowed.
    """

    whole_bytes: frozenset[str]
    takes_missing: bool


def _apply(
    project: Project,
    features: tuple[Feature, ...],
    classes: list[str],
    examples: Path,
    transform_graph: Path,
    transformed: Path,
    form: _Form,
) -> dict[str, float]:
    """Run every batch of train and eval through the graph; returns the rows written by split.

    A batch is one call, except where the results are pictures: then as many rows as are `CALL_BYTES`.
    """
    graph = tf.saved_model.load(str(transform_graph / TFTransformOutput.TRANSFORM_FN_DIR))
    columns = [*(feature.name for feature in features), project.label]
    rows = dict.fromkeys((f"{split}_rows" for split in SPLITS), 0.0)
    most = _call_rows(transform_graph)
    for split in SPLITS:
        with TransformedWriter(transformed_file(transformed, split)) as writer:
            for batch in _pieces(read_batches(examples, split, columns), most):
                outputs = _run(graph, _as_tensors(batch, features), split)
                writer.write(
                    _numbers(outputs, batch.num_rows, split, form),
                    TASKS[project.task].training_labels(batch[project.label], classes),
                )
                rows[f"{split}_rows"] += batch.num_rows
    return rows


def _call_rows(transform_graph: Path) -> int:
    """Return the most rows of one call, by the size of what the graph gives."""
    specs = TFTransformOutput(str(transform_graph)).transformed_feature_spec()
    made = (Column(name, spec.dtype.name, tuple(spec.shape)) for name, spec in specs.items())
    size = sum(column.picture_bytes for column in made)
    return GROUP_ROWS if size == 0 else max(1, CALL_BYTES // size)


def _pieces(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows <= most:
            yield batch
            continue
        for start in range(0, batch.num_rows, most):
            yield batch.slice(start, most)


def _run(graph: Any, tensors: Tensors, split: str) -> Tensors:
    try:
        outputs: Tensors = graph.transform_fn(tensors)
    except tf.errors.InvalidArgumentError as error:
        message = f"preprocessing_fn cannot handle a value among the rows of {split}: {reason_of(error)}"
        raise UserCodeError(
            message, remedy="let it expect missing values ('' and NaN) and ones that were not seen before"
        ) from error
    return outputs


def _numbers(outputs: Tensors, rows: int, split: str, form: _Form) -> dict[str, NDArray[Any]]:
    """The outputs as arrays in the order of their names.

    Raises:
        UserCodeError: When one has another number of rows, or is not finite somewhere.
    """
    arrays: dict[str, NDArray[Any]] = {name: outputs[name].numpy() for name in sorted(outputs)}
    for name, values in arrays.items():
        if len(values) != rows:
            message = f"preprocessing_fn: {name!r} has {len(values)} rows of {rows}"
            raise UserCodeError(message, remedy="return one value, or one vector, per row")
        if name in form.whole_bytes:
            arrays[name] = values.astype(UINT8)
            continue
        refused = np.isinf if form.takes_missing else _is_not_finite
        broken = int(np.sum(refused(values))) if values.dtype.kind == "f" else 0
        if broken:
            what = "infinite" if form.takes_missing else "NaN or infinite"
            message = f"preprocessing_fn: {name!r} is {what} {broken} times among {rows} rows of {split}"
            raise UserCodeError(
                message, remedy="fill missing values (NaN) before means are taken and values are scaled"
            )
    return arrays


def _is_not_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    refused: NDArray[np.bool_] = ~np.isfinite(values)
    return refused
