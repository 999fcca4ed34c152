"""Thresholds for leaks: when a column predicts the label too well.

`naru new` and explain share these rules. They measure differently on purpose: `naru new` sees the columns of a table,
before any model, and predicts each row's label from other rows; explain sees the features of a model, and measures how
well each ranks or looks up the label.
"""

from __future__ import annotations

SUSPECT = 0.99
"""Score (at most 1) from which a single column is suspected of leaking the label."""
FEWEST_ROWS = 30
"""Fewest rows for a judgement."""
LEAK_REASONS = (
    "gives the label away",
    "filled only where",
    "the label may be made from it",
    "its name contains the label's",
)
"""How the reasons begin for which `naru new` leaves out a column that may leak the label; they are in `data.exclusion_reasons`."""
FEWEST_OF_A_CLASS = 5
"""Fewest rows of a class: with fewer, chance may order them perfectly."""
