"""The machine-learning tasks that a project may have, by the name that project.yaml, signatures and records give them."""

from __future__ import annotations

from components._core.types.tasks.binary_classification import BinaryClassification
from components._core.types.tasks.contract import Task
from components._core.types.tasks.multiclass_classification import MulticlassClassification
from components._core.types.tasks.regression import Regression

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        BinaryClassification(),
        MulticlassClassification(),
        Regression(),
    )
}
"""All tasks; a new task is a new line here. `naru new` chooses the first one that recognises the label."""
