"""Formats of tables: how columns and types are inferred, how rows are read, which rows are rejected."""
