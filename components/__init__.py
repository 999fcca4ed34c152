"""What each stage does: a folder with a `component.py` is a stage, its name is a verb. `stages.py` lists them."""
