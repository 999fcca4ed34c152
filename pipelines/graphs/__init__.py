"""The pipelines: which stages each has (`pipelines.py`), and what flows between them (a graph for each)."""
