"""`tune.models: auto` beside gradient boosting and AutoGluon on public tables: `make bench-auto`."""
