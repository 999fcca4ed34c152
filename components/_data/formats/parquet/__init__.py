"""Parquet: schema from the footers, reading in bounded batches, refusal of unsupported types."""
