"""Prepare the rows for the model: by the project's preprocessing_fn, or as they are where the model itself prepares them."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

from components._core.checks import Check, Outcome, judge
from components._core.errors import ConfigError, DataBlockedError, DataError
from components._core.examples.artifact import row_count
from components._core.files import write_json
from components._core.project.project_file import Project
from components._core.stage.user_code import unpack_code
from components._core.types.artifact_files import CLASSES, SCHEMA
from components._core.types.column_choices import ColumnChoices
from components._core.types.signature import read_features
from components._frameworks.contract import Framework
from components._frameworks.table import find_project_framework
from components._frameworks.transformed_rows import SPLITS
from components.transform.label_encoding import find_classes

CHECKED_ROWS = 10_000
"""Rows of a split that are kept for a model that is not fitted: train checks it with them."""


def transform_examples(
    project: Project,
    *,
    code: Path,
    examples: Path,
    schema: Path,
    blocked: str,
    transform_graph: Path,
    transformed: Path,
    choices: ColumnChoices | None = None,
) -> Outcome:
    """Write the rows that the model is fitted on, and the transform graph where the framework has one in front of the model.

    Args:
        project: The project.
        code: Archive of the project's code.
        examples: The examples artifact.
        schema: The schema in force, as a text proto.
        blocked: Why validation blocked the data; empty: it did not.
        transform_graph: Folder for `classes.json`, and TensorFlow Transform's graph if there is one.
        transformed: Folder for `train.parquet` and `eval.parquet`.
        choices: What another transform of the project decided about columns by what its training rows hold; None: these rows decide.

    Raises:
        DataBlockedError: When validation blocked the data.
        DataError: When a split is empty or the label does not fit the task.
        UserCodeError: When preprocessing_fn raises or returns something that a model cannot take.
    """
    _refuse_blocked(blocked)
    _refuse_empty(examples)
    classes = find_classes(project, examples)
    features = read_features(_schema_file(schema), {project.label, *project.data.exclude})
    checks: list[Check] = []
    metrics: dict[str, float] = {}
    framework = find_project_framework(project.code.framework)
    prepared = _is_prepared(project, framework, code)
    if not prepared:
        from components.transform.raw_columns import write_raw_columns

        most = None if framework.has_fit else CHECKED_ROWS
        rows = write_raw_columns(project, features, classes, examples, transformed, most)
        how = "columns as the schema has them"
    else:
        from components.transform.preprocessing_graph import apply_preprocessing  # imports TensorFlow

        made = apply_preprocessing(
            project,
            features,
            classes,
            code=code,
            examples=examples,
            transform_graph=transform_graph,
            transformed=transformed,
            choices=choices,
            framework=framework,
        )
        rows, how, checks = made.rows, made.how, made.checks
        if project.transform.drop is not None or project.transform.pca is not None:
            made.choices.save(transform_graph)
        if made.choices.dropped:
            metrics["dropped_columns"] = float(len(made.choices.dropped))
    write_json(transform_graph / CLASSES, classes)
    if not prepared and not framework.has_fit:
        reason = f"{project.code.model} takes the columns as they are; {_describe(rows, 'kept to check it')}"
        return Outcome("skipped", reason, metrics=rows)
    return judge(checks, _describe(rows, how), {**rows, **metrics})


def _is_prepared(project: Project, framework: Framework, code: Path) -> bool:
    """Whether the project has a preprocessing_fn; one whose model may prepare the columns itself may leave the file away, or empty."""
    if framework.preprocessing == "in front":
        return True
    if project.code.preprocessing not in project.code.files:
        return False
    with tempfile.TemporaryDirectory(prefix="naru-transform-") as scratch:
        unpack_code(code, Path(scratch))
        prepared = not _is_empty(Path(scratch) / project.code.preprocessing)
    if not prepared and "transform" in project.model_fields_set:
        message = f"needs a preprocessing_fn, and {project.code.preprocessing} is empty"
        raise ConfigError(message, where="transform", remedy="write the function, or remove the section")
    return prepared


def _is_empty(file: Path) -> bool:
    """Whether a file has no statement, comments and a docstring aside; of one that lacks the function, its reader says so."""
    try:
        statements = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):  # its import says what is wrong
        return False
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in statements)


def _refuse_blocked(blocked: str) -> None:
    if blocked:
        raise DataBlockedError(
            blocked,
            remedy="correct the data, or change the schema, data.checks or gates.data if the data is right",
        )


def _refuse_empty(examples: Path) -> None:
    for split in SPLITS:
        if row_count(examples, split) == 0:
            raise DataError(
                "has no rows", where=f"split {split}", remedy="give it a larger share in data.split, or more data"
            )


def _schema_file(schema: Path) -> Path:
    return schema / SCHEMA if schema.is_dir() else schema


def _describe(rows: dict[str, float], how: str) -> str:
    return f"{rows['train_rows']:,.0f} train and {rows['eval_rows']:,.0f} eval rows, {how}"
