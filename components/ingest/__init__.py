"""Ingest: read the source's spans, assign the rows to splits, say exactly what was read."""
