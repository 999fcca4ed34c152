"""`naru explain` and `naru trace`: one row, its score, and what each feature adds to it."""
