"""Parquet: the schema that the files state, reading in bounded batches, refusal of what no column of examples holds."""
