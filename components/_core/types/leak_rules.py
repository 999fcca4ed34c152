"""When a column tells too much of the label.

`naru new` and explain share these rules. They measure differently on purpose: `naru new` sees the columns of a table, before any
model, and predicts each row's label from other rows; explain sees the features of a model, and says how well each ranks or
looks up the label.
"""

from __future__ import annotations

SUSPECT = 0.99
"""Score, of 1, from which a column alone gives the label away."""
FEWEST_ROWS = 30
"""Rows below which nothing can be said."""
FEWEST_OF_A_CLASS = 5
"""Rows of a class below which chance may put all of them in order."""
