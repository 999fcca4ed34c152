"""Ingest: read the source's spans, assign the rows to splits, record exactly what was read."""
