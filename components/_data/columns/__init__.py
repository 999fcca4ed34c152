"""What the text of a column means, and its conversion: one reading for `naru new`, ingest and every format.

One module for each kind of value: `missing.py`, `numbers.py`, `dates.py`, `times_of_day.py`, `codes.py`, `categories.py`. `survey.py`
decides from cells whether a column is a number; `reading.py` converts a batch; `cell_counts.py` counts the cells that
became missing. Nothing here knows a file or a format.
"""
