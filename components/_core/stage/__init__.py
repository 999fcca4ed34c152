"""Lifecycle of a stage: its output folders, its outcome, the project's own code."""
