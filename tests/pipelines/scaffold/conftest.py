"""Small real tables, written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components._core.types.feature_types import FEATURE_TYPES
from pipelines.scaffold.table_profile import Column

Table = Callable[..., Path]
Columns = Mapping[str, Iterable[Any]]


def write_csv(path: Path, columns: Columns) -> Path:
    """Write columns as CSV; None is an empty cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Writes a table of the test's own columns."""

    def write(columns: Columns, name: str = "table.csv") -> Path:
        return write_csv(tmp_path / name, columns)

    return write


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """344 penguins: three species, two categories with missing values, four measures."""
    from palmerpenguins import load_penguins

    path = tmp_path_factory.mktemp("penguins") / "penguins.csv"
    load_penguins().to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,461 days in Seattle: a date, four measures, five kinds of weather."""
    from vega_datasets import local_data

    path = tmp_path_factory.mktemp("weather") / "weather.csv"
    local_data.seattle_weather().to_csv(path, index=False)
    return path


def column(name: str = "x", dtype: Any = "string", rows: int = 1_000, distinct: int = 10, **known: Any) -> Column:
    """A column as the profile would tell it."""
    return Column(name, FEATURE_TYPES[dtype], rows, known.pop("missing", 0), distinct, **known)
