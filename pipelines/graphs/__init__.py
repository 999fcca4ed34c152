"""The pipelines: the stages of each (`pipelines.py`), and a graph for each with the artifacts between them."""
