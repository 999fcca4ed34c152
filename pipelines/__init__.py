"""Pipelines of the stages: their graphs, their placement, local runs, KFP servers, the command line."""
