"""The monitors that are compared: Naru's rule as the stage uses it, Evidently and NannyML at their defaults.

A monitor is fitted on a reference and says for each column of a window whether it alarms.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.monitor_tables import DAY, Table
from components._core.monitoring.counts import Counts
from components._core.monitoring.feature_bins import count
from components._core.monitoring.reference import MonitoringReference
from components._core.monitoring.reference_builder import build_features
from components._core.types.signature import Feature
from components.monitor.distribution_checks import Judge, Policy, WindowBlock


class Monitor(Protocol):
    """A monitor."""

    def fit(self, reference: pd.DataFrame, table: Table, rows: int, has_days: bool) -> None:
        """Learn what is usual from the reference, for windows of so many rows."""

    def judge(self, window: pd.DataFrame) -> set[str]:
        """Return the columns that alarm."""


class Naru:
    """The rule of `components/monitor`, through the reference and the counts that the stage makes."""

    def fit(self, reference: pd.DataFrame, table: Table, rows: int, has_days: bool) -> None:
        features = [Feature(name, "float32", True) for name in table.numbers]
        features += [Feature(name, "string", True) for name in table.texts]
        arrow = pa.Table.from_pandas(reference[[*table.columns, DAY]], preserve_index=False)
        built = build_features(
            lambda: iter(arrow.to_batches(max_chunksize=10_000)),
            arrow.num_rows,
            features,
            (lambda batch: np.asarray(batch[DAY])) if has_days else None,
        )
        self._reference = MonitoringReference("day" if has_days else "rows", built.days, built.features)
        self._judge = Judge(self._reference, Policy())

    def judge(self, window: pd.DataFrame) -> set[str]:
        blocks = [WindowBlock(int(day), self._count(rows)) for day, rows in window.groupby(DAY)]
        return {check.feature for check in self._judge.judge(blocks) if check.alarms and check.feature}

    def _count(self, rows: pd.DataFrame) -> Counts:
        cells = {}
        for name, column in self._reference.features.items():
            values = pa.array(rows[name], from_pandas=True)
            cells[name] = count(column.bins, values.cast(pa.string()) if pa.types.is_null(values.type) else values)
        return Counts(rows=len(rows), requests=len(rows), cells=cells)


class Evidently:
    """`DataDriftPreset` with its defaults, by its own column tests; the report around them takes most of a second more."""

    def fit(self, reference: pd.DataFrame, table: Table, rows: int, has_days: bool) -> None:
        self._reference, self._table = reference, table

    def judge(self, window: pd.DataFrame) -> set[str]:
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType

        alarms = set()
        for name in self._table.columns:
            kind = ColumnType.Numerical if name in self._table.numbers else ColumnType.Categorical
            before, now = self._reference[name].dropna(), window[name].dropna()
            if get_stattest(before, now, kind, None)(before, now, kind, None).drifted:
                alarms.add(name)
        return alarms


class NannyML:
    """`UnivariateDriftCalculator` with its defaults, chunks as large as the windows."""

    def fit(self, reference: pd.DataFrame, table: Table, rows: int, has_days: bool) -> None:
        import nannyml

        self._columns = table.columns
        self._calculator: Any = nannyml.UnivariateDriftCalculator(
            column_names=self._columns, treat_as_categorical=list(table.texts), chunk_size=rows
        )
        self._calculator.fit(reference[self._columns].reset_index(drop=True))

    def judge(self, window: pd.DataFrame) -> set[str]:
        result = self._calculator.calculate(window[self._columns].reset_index(drop=True))
        found = result.filter(period="analysis").to_df()
        return {name for name in self._columns if bool(found[(name, "jensen_shannon", "alert")].iloc[0])}


MONITORS: dict[str, type[Monitor]] = {"naru": Naru, "evidently": Evidently, "nannyml": NannyML}
