"""Real test rows with the model's offline answers, with which a served version is compared.

One small Parquet file, written by evaluate, which has the model, and read by parity tests, which have a server and no
TensorFlow: a column `in:NAME` for each feature, null where a value is missing, and a column `out:NAME` for each output,
numbers or texts [rows], or lists of numbers for an output [rows, classes]. A registered version keeps it beside its
model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.errors import DataError
from components._core.examples.safe_parquet import pq
from components._core.files import write_bytes
from components._core.store.object_store import parent_of
from components._core.types.artifact_files import SAMPLE
from components._core.types.oip_requests import find_missing

Arrays = dict[str, NDArray[Any]]
_IN, _OUT = "in:", "out:"


@dataclass(frozen=True)
class Sample:
    """Test rows and their offline answers.

    Attributes:
        rows: A column for each feature; null where a value is missing.
        outputs: The model's answers by output: [rows], or [rows, classes]; texts as objects.
    """

    rows: pa.Table
    outputs: Arrays

    def gaps(self) -> NDArray[np.bool_]:
        """Return which rows have a missing value, as a vector [rows] of bool."""
        gaps = np.zeros(self.rows.num_rows, dtype=bool)
        for name in self.rows.column_names:
            gaps |= find_missing(self.rows[name])
        return gaps

    @property
    def with_gaps(self) -> int:
        """The number of rows with a missing value."""
        return int(self.gaps().sum())

    def save(self, path: Path) -> None:
        """Write the sample atomically."""
        columns = {f"{_IN}{name}": self.rows[name] for name in self.rows.column_names}
        columns |= {f"{_OUT}{name}": _to_column(values) for name, values in self.outputs.items()}
        written = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), written)
        write_bytes(path, written.getvalue().to_pybytes())

    @classmethod
    def load(cls, path: Path) -> Sample:
        """Read what `save` wrote.

        Raises:
            DataError: When it is damaged.
        """
        try:
            table = pq.read_table(path)
            names = table.column_names
            rows = {name.removeprefix(_IN): table[name] for name in names if name.startswith(_IN)}
            outputs = {name.removeprefix(_OUT): _to_array(table[name]) for name in names if name.startswith(_OUT)}
        except (OSError, ValueError, RuntimeError) as error:  # pyarrow's own errors are kinds of these
            message = f"the sample of offline answers cannot be read: {str(error).partition(chr(10))[0]}"
            raise DataError(message, where=str(path), remedy="evaluate the model again") from error
        return cls(pa.table(rows), outputs)


def beside(model: str, name: str = SAMPLE) -> str:
    """Return the URI of a registered model's sample, or of another file beside it, from the URI of the model's folder."""
    return f"{parent_of(model)}/{name}"


def _to_column(values: NDArray[Any]) -> pa.Array:
    return pa.array(values if values.ndim == 1 else list(values))


def _to_array(column: pa.ChunkedArray) -> NDArray[Any]:
    whole = column.combine_chunks()
    if pa.types.is_list(column.type):
        flat = whole.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat.reshape(len(column), -1))
    return np.asarray(whole.to_numpy(zero_copy_only=False))
