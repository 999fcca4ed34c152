"""Ingest: read the source's spans, deal the rows to splits, say exactly what was read."""
