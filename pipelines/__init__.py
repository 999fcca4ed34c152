"""How the stages meet: pipelines, placement, the two places to run, the command line."""
