"""What each stage does: a folder with a `component.py` is a stage, its name is a verb. `stages.py` lists them."""

VERSION = "0.1.0"
"""Naru's version, as in `pyproject.toml`: the images hold the code without a package's metadata."""
