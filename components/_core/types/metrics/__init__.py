"""The arithmetic of every metric, in plain NumPy; `components._core.types.tasks` says which task has which metrics.

Each module holds one kind of task. A metric is a formula over sums of rows, so the same code computes it for all rows
and for a thousand bootstrap resamples at once.
"""
