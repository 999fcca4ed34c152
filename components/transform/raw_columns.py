"""Write the raw columns as the model takes them: for a framework whose model prepares the columns itself."""

from __future__ import annotations

from pathlib import Path

from components._core.examples.artifact import read_batches
from components._core.project.project_file import Project
from components._core.types.signature import Feature, to_arrays
from components._core.types.tasks import TASKS
from components._frameworks.transformed_rows import SPLITS, TransformedWriter, transformed_file


def write_raw_columns(
    project: Project,
    features: tuple[Feature, ...],
    classes: list[str],
    examples: Path,
    transformed: Path,
    most: int | None = None,
) -> dict[str, float]:
    """Write the features of train and eval, and the encoded label; returns the rows written by split.

    Args:
        project: The project.
        features: The raw columns.
        classes: The label's classes; empty for a task without classes.
        examples: The examples artifact.
        transformed: Folder for `train.parquet` and `eval.parquet`.
        most: Rows of each split at most, or the rest of a batch more; None: all.
    """
    columns = [*(feature.name for feature in features), project.label]
    rows = dict.fromkeys((f"{split}_rows" for split in SPLITS), 0.0)
    for split in SPLITS:
        with TransformedWriter(transformed_file(transformed, split)) as writer:
            for batch in read_batches(examples, split, columns):
                labels = TASKS[project.task].training_labels(batch[project.label], classes)
                writer.write(to_arrays(batch, features), labels)
                rows[f"{split}_rows"] += batch.num_rows
                if most is not None and rows[f"{split}_rows"] >= most:
                    break
    return rows
