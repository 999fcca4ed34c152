"""Splits of rows into train, eval and test: a splitter is fitted over all rows, and then assigns batches."""
