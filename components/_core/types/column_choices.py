"""What transform decided about columns from the training rows: kept beside the transform graph, read where the model's inputs are needed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components._core.files import read_json, write_json
from components._core.types.artifact_files import COLUMN_CHOICES

_SHOWN = 8


@dataclass(frozen=True)
class DroppedColumn:
    """A column that a rule of `transform.drop` leaves out.

    Attributes:
        name: Its name.
        rule: Path of the rule in project.yaml, as in `transform.drop.missing`.
        reason: What was found on the training rows, as in `97 % missing`.
    """

    name: str
    rule: str
    reason: str


@dataclass(frozen=True)
class ColumnChoices:
    """The decisions of one transform.

    Attributes:
        dropped: The columns that are not inputs of the model, in the order of the table.
        components: Number of principal components; None without `transform.pca`.
    """

    dropped: tuple[DroppedColumn, ...] = ()
    components: int | None = None

    @property
    def dropped_names(self) -> frozenset[str]:
        """Names of the dropped columns."""
        return frozenset(column.name for column in self.dropped)

    def describe_dropped(self) -> str:
        """List dropped columns with their reasons; of many the first, and the number of the others. Empty: there are none."""
        shown = ", ".join(f"{column.name} ({column.reason})" for column in self.dropped[:_SHOWN])
        more = len(self.dropped) - _SHOWN
        return shown + (f" and {more} more" if more > 0 else "")

    def save(self, transform_graph: Path) -> None:
        """Write them beside the transform graph."""
        write_json(transform_graph / COLUMN_CHOICES, asdict(self))

    @classmethod
    def load(cls, transform_graph: Path) -> ColumnChoices:
        """Read what `save` wrote; nothing is dropped where nothing was written."""
        if not (transform_graph / COLUMN_CHOICES).is_file():
            return cls()
        raw: dict[str, Any] = read_json(transform_graph / COLUMN_CHOICES)
        return cls(tuple(DroppedColumn(**column) for column in raw["dropped"]), raw["components"])
