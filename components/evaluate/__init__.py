"""Evaluate: the metrics of the task on the test rows, by slice, against bounds and against the champion."""
