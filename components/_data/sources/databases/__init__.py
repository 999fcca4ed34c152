"""Databases as sources: one module for each, over one source of queries."""
