"""The columns of a join: those of the second table that it reads, and their names in the table.

Nothing heavy is imported here: `naru run` checks names before it loads anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._core.project.join_config import Join
from components._core.project.named_columns import check_columns_exist
from components._data.key_names import errors_name


@dataclass(frozen=True)
class JoinedColumns:
    """The columns of one join.

    Attributes:
        row_time: Column of the table with the time of a row; empty: the join has no time.
        brought: Name in the table by name in the second table.
    """

    row_time: str
    brought: dict[str, str]


def join_path(number: int) -> str:
    """Return the path in project.yaml of a join."""
    return f"data.join.{number}"


def join_name(data: Data, number: int) -> str:
    """Return what messages and manifests call a join: its table, and its key where another join has a table of that name."""
    join, name = data.join[number], _table_name(data.join[number])
    if sum(_table_name(other) == name for other in data.join) > 1:
        name += f" on {', '.join(join.on)}"
    earlier = [
        other for other in data.join[:number] if _table_name(other) == _table_name(join) and [*other.on] == [*join.on]
    ]
    return f"{name} ({len(earlier) + 1})" if earlier else name


def _table_name(join: Join) -> str:
    """Return the last part of the location of the second table, or its name in a database."""
    if join.sql is not None and join.sql.table:
        return join.sql.table
    return join.source.rstrip("/").rpartition("/")[2].partition("?")[0] or join.source


def find_columns(data: Data, number: int, names: Sequence[str], known: Sequence[str]) -> JoinedColumns:
    """Find the columns of a join.

    Args:
        data: The project's `data` section.
        number: Index of the join.
        names: The columns of the second table.
        known: The columns of the table, with those of earlier joins.

    Raises:
        ConfigError: When a column does not exist, the time of a row is not known, or a column that the join brings exists already.
    """
    join, path, name = data.join[number], join_path(number), join_name(data, number)
    row_time = ""
    if join.time:
        row_time = join.row_time or data.split.time_column
        if not row_time:
            message = "time needs the time of each row, and no column is known to have it"
            raise ConfigError(message, where=path, remedy=f"name the table's column in {path}.row_time")
    check_columns_exist({f"{path}.on": [*join.on], f"{path}.row_time": [row_time] if row_time else []}, known)
    of_second = {"on": [*join.on.values()], "time": [join.time] if join.time else [], "columns": join.columns}
    of_second["readings"] = [*join.readings]
    check_columns_exist({f"{path}.{key} ({name})": named for key, named in of_second.items()}, names)
    used = {*join.on.values(), join.time}
    brought = {each: join.prefix + each for each in join.columns or [each for each in names if each not in used]}
    if not brought:
        raise ConfigError(f"{name} has no column besides {', '.join(sorted(filter(None, used)))}", where=path)
    if twice := next((column for column in brought.values() if column in known), ""):
        message = f"{name} brings a column {twice!r}, which the table has already"
        remedy = f"set {path}.prefix, as in `prefix: {_prefix(join)}`, or name other columns in {path}.columns"
        raise ConfigError(message, where=path, remedy=remedy)
    return JoinedColumns(row_time, brought)


def name_columns(data: Data, names: Sequence[str], read_names: Callable[[Join], list[str] | None]) -> list[str] | None:
    """Return the columns of the table with those of its joins; None where those of a second table are not known.

    Args:
        data: The project's `data` section.
        names: The columns of the table itself.
        read_names: Returns the columns of a second table, or None.

    Raises:
        ConfigError: As in `find_columns`.
    """
    known = [*names]
    for number, join in enumerate(data.join):
        of_second = read_names(join)
        if of_second is None:
            return None
        known += find_columns(data, number, of_second, known).brought.values()
    return known


def second_section(join: Join) -> Data:
    """Return a `data` section for the formats, with the second table as the table."""
    return Data(source=join.source, format=join.format, csv=join.csv, sql=join.sql, xlsx=join.xlsx)


@contextmanager
def errors_name_the_join(number: int) -> Iterator[None]:
    """Name the join's keys in errors of a source or format, which are written for those of the table."""
    path = join_path(number)
    own = {f"data.{key}": f"{path}.{key}" for key in ("source", "format", "csv", "sql", "xlsx")}
    with errors_name({**own, "data.columns": f"{path}.readings"}):
        yield


def _prefix(join: Join) -> str:
    """Suggest a prefix, as `weather_` for `weather.csv`."""
    stem = _table_name(join).partition(".")[0]
    return ("".join(letter if letter.isalnum() else "_" for letter in stem) or "joined") + "_"
