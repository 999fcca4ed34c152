"""The row to explain: of the project's rows, by its id or its place, or from the body of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components._core.errors import ConfigError, DataError
from components._core.examples.artifact import SPLITS, Manifest, read_batches, read_row, row_count
from components._core.suggestions import suggest
from components._core.types.column_types import to_text
from components._core.types.identifier_columns import is_named_identifier
from components._core.types.oip_requests import to_request
from components._core.types.signature import Feature, Signature
from pipelines.row_explanation.explained_model import ExplainedModel

_WHERE = "--row"
_TEST = "test"
_MOST_PLACES = 3
_LARGEST_BODY = 16 * 2**20


class UnknownRowError(ConfigError):
    """No row here is the one that is named."""


@dataclass(frozen=True)
class ChosenRow:
    """One row, as a client would send it.

    Attributes:
        title: Which row it is, as in `row 17 of the test split`.
        values: Value by feature; None where it is missing.
        label: Its label as text; None: it is unknown.
        answered: What the server answered when the row was a request; None: it was none.
    """

    title: str
    values: dict[str, Any]
    label: str | None
    answered: dict[str, Any] | None = None


def choose_row(model: ExplainedModel, given: Sequence[str], body: Path | None) -> ChosenRow:
    """Choose the row that the options name.

    Args:
        model: The model to explain, and its rows.
        given: Values of `--row`: an id, a place in the test split, or `COLUMN=VALUE`, of which several must all hold.
        body: File with a request's body; None: `given` names the row.

    Raises:
        UnknownRowError: When no row here is the one that is named.
        ConfigError: When no row or several are named, or the file is not a request of one row.
        DataError: When the rows here have no column for a feature.
    """
    if bool(given) == (body is not None):
        remedy = "write --row N for a row of the test split, --row COLUMN=VALUE for any row, or --json-row FILE"
        raise ConfigError("name one row, with --row or with --json-row", where="naru explain", remedy=remedy)
    if body is not None:
        return ChosenRow(f"the row of {body}", _read_request(body, model.model.signature), None)
    if model.examples is None:
        remedy = "run the project here, or give the body of a request: --json-row FILE"
        raise UnknownRowError("there are no rows here to choose from", where=_WHERE, remedy=remedy)
    columns = list(Manifest.load(model.examples).columns)
    if missing := model.missing_columns():
        message = f"the rows of run {model.examples_run} have no {', '.join(missing)}, which {model.title} takes"
        raise DataError(message, where=_WHERE, remedy="give all its features in a request: --json-row FILE")
    wanted = _conditions(given, columns, model)
    if isinstance(wanted, int):
        return _row_of_test(model, model.examples, wanted)
    return _row_by_values(model, model.examples, wanted)


def _conditions(given: Sequence[str], columns: list[str], model: ExplainedModel) -> int | dict[str, str]:
    """Return the place in the test split, or the text by column that the row must have."""
    pairs = [(text, _split_condition(text, columns)) for text in given]
    if all(pair for _, pair in pairs):
        return dict(pair for _, pair in pairs if pair)
    if len(given) > 1:
        raise ConfigError(f"found {len(given)} values; several must be COLUMN=VALUE", where=_WHERE)
    (text,) = given
    name = text.partition("=")[0]
    if "=" in text:
        raise ConfigError(f"there is no column {name!r}; {suggest(name, columns)}", where=_WHERE)
    features = {feature.name for feature in model.model.signature.inputs}
    ids = [name for name in columns if name not in features and name != model.label and is_named_identifier(name)]
    if len(ids) == 1:
        return {ids[0]: text}
    if text.isdecimal() and not ids:
        return int(text)
    why = f"columns that may hold it: {', '.join(ids)}" if ids else "no column is an id by its name"
    remedy = "write COLUMN=VALUE, several times if need be, or the number of a row of the test split, from 0"
    raise UnknownRowError(f"found {text!r}; {why}", where=_WHERE, remedy=remedy)


def _split_condition(text: str, columns: list[str]) -> tuple[str, str] | None:
    """Split `COLUMN=VALUE`; a column's name may have an equals sign in it."""
    found = [name for name in columns if text.startswith(f"{name}=")]
    name = max(found, key=len, default="")
    return (name, text[len(name) + 1 :]) if found else None


def _row_of_test(model: ExplainedModel, examples: Path, place: int) -> ChosenRow:
    row = read_row(examples, _TEST, place)
    if not row.num_rows:
        total = row_count(examples, _TEST)
        message = f"there is no row {place} in the test split; it has rows 0 to {total - 1}"
        raise UnknownRowError(message if total else "the test split has no rows", where=_WHERE)
    return _as_chosen(row, f"row {place} of the test split", model)


def _row_by_values(model: ExplainedModel, examples: Path, wanted: dict[str, str]) -> ChosenRow:
    text = ", ".join(f"{name}={value}" for name, value in wanted.items())
    found = [(split, place) for split in SPLITS for place in _places(examples, split, wanted)]
    if not found:
        message = f"no row has {text}; the rows are those of run {model.examples_run}"
        raise UnknownRowError(message, where=_WHERE, remedy="look at the value, or give the row: --json-row FILE")
    if len(found) > 1:
        places = "; ".join(f"{split} row {place}" for split, place in found[:_MOST_PLACES])
        more = f" and {len(found) - _MOST_PLACES:,} more" if len(found) > _MOST_PLACES else ""
        remedy = "name another column as well, with --row COLUMN=VALUE again"
        raise ConfigError(f"{len(found):,} rows have {text} ({places}{more})", where=_WHERE, remedy=remedy)
    ((split, place),) = found
    return _as_chosen(read_row(examples, split, place), f"{text} (row {place} of the {split} split)", model)


def _places(examples: Path, split: str, wanted: dict[str, str]) -> Iterator[int]:
    """Yield the places of the rows that have these values; reads no other columns."""
    seen = 0
    for batch in read_batches(examples, split, list(wanted)):
        yield from (seen + int(place) for place in np.flatnonzero(_matches(batch, wanted)))
        seen += batch.num_rows


def _matches(batch: pa.RecordBatch, wanted: dict[str, str]) -> np.ndarray[Any, Any]:
    matches = np.ones(batch.num_rows, dtype=bool)
    for name, value in wanted.items():
        column = batch.column(batch.schema.get_field_index(name))
        found = pc.equal(to_text(column), value)
        if pa.types.is_floating(column.type) and (number := _number(value)) is not None:  # 17 is 17.0
            found = pc.equal(column, number)
        matches &= np.asarray(found.fill_null(False))
    return matches


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_chosen(table: pa.Table, title: str, model: ExplainedModel) -> ChosenRow:
    inputs = to_request(table, model.model.signature.inputs)["inputs"]
    values = {item["name"]: item["data"][0] for item in inputs}
    label = to_text(table[model.label])[0].as_py() if model.label in table.column_names else None
    return ChosenRow(title, values, label)


def _read_request(body: Path, signature: Signature) -> dict[str, Any]:
    """Read the one row of a request of the Open Inference Protocol, as the server takes it."""
    where = str(body)
    remedy = 'write the body of a request: {"inputs": [{"name": ..., "shape": [1], "datatype": ..., "data": [...]}]}'
    if not body.is_file():
        raise ConfigError("there is no such file", where=where, remedy=remedy)
    if body.stat().st_size > _LARGEST_BODY:
        raise ConfigError(f"is larger than {_LARGEST_BODY:,} bytes, too large for one row", where=where, remedy=remedy)
    try:
        inputs = json.loads(body.read_bytes())["inputs"]
        given = [(str(item["name"]), item["datatype"], item["data"]) for item in inputs]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"is not a request of the Open Inference Protocol: {type(error).__name__}: {error}"
        raise ConfigError(message, where=where, remedy=remedy) from None
    accepted = {feature.name: feature for feature in signature.accepted}
    unused = {feature.name for feature in signature.unused}
    values: dict[str, Any] = {}
    for name, datatype, data in given:
        if name in values:
            raise ConfigError(f"{name!r} is given twice", where=where)
        values[name] = _one_value(name, datatype, data, accepted.get(name), where)
    return {name: value for name, value in values.items() if name not in unused}


def _one_value(name: str, datatype: Any, data: Any, feature: Feature | None, where: str) -> Any:
    if feature is not None and datatype not in feature.type.oip_accepted:
        message = f"{name!r} is sent as {datatype}; this model takes it as {feature.type.oip}"
        raise ConfigError(message, where=where)
    while isinstance(data, list) and len(data) == 1 and isinstance(data[0], list):  # of shape [1, 1]
        (data,) = data
    if not isinstance(data, list) or len(data) != 1:
        found = f"{len(data)} rows" if isinstance(data, list) else "no list of values"
        raise ConfigError(f"{name!r} has {found}; one row is explained at a time", where=where)
    return data[0]
