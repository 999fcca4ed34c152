"""Tune: search for hyperparameters, or pass the project's defaults through."""
